// SPDX-License-Identifier: Apache-2.0
// DNS over TLS over real sockets on loopback: the same answers, resumption on every thread, certificates that
// change under the connections, and clients that do not come to an end.
#include <catch2/catch.hpp>

#include "unit/dns/responder.h"
#include "unit/dns/running_dot.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;
using fairway::test::SessionPtr;

namespace {

const Ask host{"host.gslb.test"};
const std::string host_answer =
    "4660 NOERROR qr aa\nquestion host.gslb.test. IN A\nanswer host.gslb.test. 60 IN A 192.0.2.70";

}  // namespace

TEST_CASE("TLS carries the same answers as the Answerer gives for it") {
    RunningDot running;
    Responder direct(make_world());
    const std::vector<Ask> asks{
        {"host.gslb.test"},
        {"vpn.gslb.test"},
        {"missing.gslb.test"},
        {"many.gslb.test"},
        {"big.gslb.test", RecordType::txt},
        Ask{"host.gslb.test"}.with_edns(1232),
        Ask{"gslb.test", RecordType::soa}.with({3, {}}),
        Ask{"host.gslb.test"}.with({11, {}}),
    };
    DotClient four(running.v4());
    DotClient six(running.v6());
    REQUIRE(four.shake_hands());
    REQUIRE(six.shake_hands());
    CHECK(four.tls.alpn() == "dot");
    for (const Ask& ask : asks) {
        INFO(ask.name);
        const Bytes message = to_bytes(ask);
        direct.ask(message, Transport::tls, "127.0.0.1");
        four.ask(message);
        CHECK(four.receive() == direct.bytes);
        direct.ask(message, Transport::tls, "::1");
        six.ask(message);
        CHECK(six.receive() == direct.bytes);
    }
    const ServerStats stats = running.stop();
    CHECK(stats.tls_queries == 2 * asks.size());
    CHECK(stats.tcp_queries == 0);
    CHECK(stats.tls_handshakes == 2);
    CHECK(stats.tls_resumptions == 0);
    CHECK(stats.tls_failures == 0);
    CHECK(stats.connections_open == 0);
    CHECK(stats.tls_connections_open == 0);
    CHECK(four.is_closed());
}

TEST_CASE("many questions in one TLS record get their answers in few, also after the client's goodbye") {
    RunningDot running;
    DotClient client(running.v4());
    REQUIRE(client.shake_hands());
    Bytes all;
    for (uint16_t id = 0; id < 500; ++id) {
        Ask ask = host;
        ask.id = id;
        const Bytes one = framed(to_bytes(ask));
        all.insert(all.end(), one.begin(), one.end());
    }
    client.tls.write(all);
    client.tls.close();
    client.say();
    for (uint16_t id = 0; id < 500; ++id)
        CHECK(render(client.receive()) == std::to_string(id) + host_answer.substr(4));
    CHECK(client.is_closed());
}

TEST_CASE("a TLS client may write one octet at a time") {
    RunningDot running;
    DotClient client(running.v4());
    const auto trickle = [&client] {
        for (const uint8_t byte : client.tls.take_output()) send_all(client.fd.get(), Bytes{byte});
    };
    while (!client.tls.established()) {
        trickle();
        REQUIRE(client.pump());
    }
    client.tls.write(framed(to_bytes(host)));
    trickle();
    CHECK(render(client.receive()) == host_answer);
}

TEST_CASE("a session is resumed on whichever thread the next connection comes to") {
    ServerOptions options;
    options.threads = 4;
    RunningDot running(options);
    DotClient first(running.v4());
    REQUIRE(first.shake_hands());
    first.ask(to_bytes(host));
    CHECK(render(first.receive()) == host_answer);
    REQUIRE(first.tls.tickets.size() == 1);
    SessionPtr ticket = std::move(first.tls.tickets[0]);
    constexpr int times = 32;
    for (int i = 0; i < times; ++i) {
        DotClient next(running.v4(), dot_client(ticket.get()));
        REQUIRE(next.shake_hands());
        CHECK(next.tls.resumed());
        next.ask(to_bytes(host));
        CHECK(render(next.receive()) == host_answer);
        REQUIRE(next.tls.tickets.size() == 1);
        ticket = std::move(next.tls.tickets[0]);
        if (i == times / 2) running.tls.tickets.rotate(ticket_secret(2));
    }
    const ServerStats stats = running.stop();
    CHECK(stats.tls_handshakes == times + 1);
    CHECK(stats.tls_resumptions == times);
}

TEST_CASE("a new certificate is shown to new connections and leaves the others alone") {
    RunningDot running;
    const auto shown = [](DotClient& client) {
        const std::unique_ptr<X509, decltype(&X509_free)> certificate(
            SSL_get1_peer_certificate(client.tls.ssl()), X509_free);
        char name[64] = {};
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name,
                                  sizeof name);
        return std::string(name);
    };
    DotClient before(running.v4());
    REQUIRE(before.shake_hands());
    CHECK(shown(before) == "dns.example");
    running.tls.context.publish(dot_context("new.example"));
    before.ask(to_bytes(host));
    CHECK(render(before.receive()) == host_answer);
    DotClient after(running.v4());
    REQUIRE(after.shake_hands());
    CHECK(shown(after) == "new.example");
    // Many times, while questions keep coming.
    for (int i = 0; i < 20; ++i) {
        running.tls.context.publish(dot_context("dns" + std::to_string(i) + ".example"));
        before.ask(to_bytes(host));
        CHECK(render(before.receive()) == host_answer);
        CHECK(render(ask_tls(running.v6(), to_bytes(host))) == host_answer);
    }
}

TEST_CASE("without a certificate TLS connections are closed and everything else goes on") {
    RunningDot running({}, nullptr);
    const UniqueFd fd = connect_to(running.v4(), SOCK_STREAM);
    CHECK(is_closed(fd.get()));
    CHECK(render(ask_udp(running.udp(), to_bytes(host))) == host_answer);
    CHECK(render(ask_tcp(running.udp(), to_bytes(host))) == host_answer);
    running.tls.context.publish(dot_context());
    CHECK(render(ask_tls(running.v4(), to_bytes(host))) == host_answer);
    CHECK(running.stop().tls_failures == 1);
}

TEST_CASE("what is no TLS, and what is no question under it, ends the connection") {
    RunningDot running;
    const UniqueFd plain = connect_to(running.v4(), SOCK_STREAM);
    send_all(plain.get(), framed(to_bytes(host)));
    CHECK(is_closed(plain.get()));
    DotClient client(running.v4());
    REQUIRE(client.shake_hands());
    client.ask(to_bytes(host));
    CHECK(render(client.receive()) == host_answer);
    client.ask(Bytes{1, 2, 3});
    CHECK(client.is_closed());
    const ServerStats stats = running.stop();
    CHECK(stats.tls_failures == 1);
    CHECK(stats.tls_handshakes == 1);
}

TEST_CASE("a handshake that does not end is closed in time, and one that ended is not") {
    ServerOptions options;
    options.threads = 1;
    options.limits.handshake = milliseconds(200);
    RunningDot running(options);
    DotClient good(running.v4());
    REQUIRE(good.shake_hands());
    good.ask(to_bytes(host));
    CHECK(render(good.receive()) == host_answer);
    const UniqueFd silent = connect_to(running.v4(), SOCK_STREAM);
    DotClient half(running.v4());
    const Bytes hello = half.tls.take_output();
    send_all(half.fd.get(), ByteSpan(hello).first(hello.size() / 2));
    CHECK(is_closed(silent.get()));
    CHECK(fairway::dns::test::is_closed(half.fd.get()));
    good.ask(to_bytes(host));
    CHECK(render(good.receive()) == host_answer);
    CHECK(running.stop().tls_failures == 2);
}

TEST_CASE("half-open handshakes beyond their limit make room for each other, not for sessions") {
    ServerOptions options;
    options.threads = 1;
    options.limits.handshakes = 16;  // 4 for one client
    RunningDot running(options);
    DotClient good(running.v4());
    REQUIRE(good.shake_hands());
    good.ask(to_bytes(host));
    CHECK(render(good.receive()) == host_answer);
    std::vector<UniqueFd> half;
    for (int i = 0; i < 40; ++i) half.push_back(connect_to(running.v4(), SOCK_STREAM));
    for (size_t i = 0; i < 36; ++i) CHECK(is_closed(half[i].get()));
    CHECK(render(ask_tls(running.v4(), to_bytes(host))) == host_answer);
    good.ask(to_bytes(host));
    CHECK(render(good.receive()) == host_answer);
}
