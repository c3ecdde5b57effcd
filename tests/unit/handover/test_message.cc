// SPDX-License-Identifier: Apache-2.0
// The words of a handover, without a second process.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "handover/channel.h"
#include "handover/message.h"

using namespace fairway;
using namespace fairway::handover;

namespace {

UniqueFd some_fd() {
    return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}
std::vector<UniqueFd> some_fds(size_t count) {
    std::vector<UniqueFd> fds;
    for (size_t i = 0; i < count; ++i) fds.push_back(some_fd());
    return fds;
}

struct Pair {
    std::optional<Channel> one, other;
    Pair() {
        int fds[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        one.emplace(UniqueFd(fds[0]));
        other.emplace(UniqueFd(fds[1]));
    }
};

}  // namespace

TEST_CASE("a frame's header says what it is, and anything else is refused with a sentence") {
    FrameHeader header;
    header.type = MessageType::state;
    header.more = true;
    header.has_body = true;
    header.descriptors = 7;
    auto bytes = encode(header);
    CHECK(parse_frame_header(bytes).value() == header);
    CHECK(parse_frame_header(ByteSpan(bytes).first(11)).error().message == "what speaks is no fairwayd");
    const auto refused = [&bytes](size_t at, uint8_t value) {
        auto changed = bytes;
        changed[at] = value;
        return parse_frame_header(changed).error().message;
    };
    CHECK(refused(0, 'f') == "what speaks is no fairwayd");
    CHECK(refused(4, 2) == "it speaks version 2 of the handover, this one version 1");
    CHECK(refused(5, 0) == "it sent a message of the unknown type 0");
    CHECK(refused(5, 10) == "it sent a message of the unknown type 10");
    CHECK(refused(10, 1) == "the message \"state\" cannot be read");
    CHECK(refused(11, 0) == "the message \"state\" cannot be read");  // a body needs a descriptor
}

TEST_CASE("an offer names each socket and goes with its descriptors, in order") {
    const std::vector<net::OfferedSocket> sockets{
        {"dns", net::SocketKind::datagram, *SocketAddress::parse("192.0.2.1:53"), 10, false},
        {"dns", net::SocketKind::stream, *SocketAddress::parse("[2001:db8::1]:53"), 11, true},
        {"api", net::SocketKind::stream, std::filesystem::path("/run/fairway/control.sock"), 12, false}};
    const std::string body = offer_body({4711, "fairwayd 1.2.3"}, sockets, true);
    std::vector<UniqueFd> fds = some_fds(4);
    const std::vector<int> numbers{fds[0].get(), fds[1].get(), fds[2].get(), fds[3].get()};
    auto offer = parse_offer(body, std::move(fds));
    REQUIRE(offer);
    CHECK(offer->pid == 4711);
    CHECK(offer->program == "fairwayd 1.2.3");
    CHECK(offer->lock.get() == numbers[3]);
    REQUIRE(offer->sockets.left().size() == 3);
    for (size_t i = 0; i < 3; ++i) {
        const net::InheritedSocket& got = offer->sockets.left()[i];
        CHECK(got.purpose == sockets[i].purpose);
        CHECK(got.kind == sockets[i].kind);
        CHECK(got.address == sockets[i].address);
        CHECK(got.held_elsewhere == sockets[i].held_elsewhere);
        CHECK(got.fd.get() == numbers[i]);
    }
    // One descriptor too many or too few: nothing is guessed.
    CHECK_FALSE(parse_offer(body, some_fds(3)));
    CHECK_FALSE(parse_offer(body, some_fds(5)));
    CHECK_FALSE(
        parse_offer(R"({"pid":1,"program":"x","sockets":[{"purpose":"dns","kind":"raw","address":"::1"}]})",
                    some_fds(1)));
    CHECK_FALSE(parse_offer("{", {}));
    // Members of a later version are none of this one's business.
    CHECK(parse_offer(R"({"pid":1,"program":"x","sockets":[],"news":{"a":[1]}})", {}));
}

TEST_CASE("connections keep their unread octets, whatever they are") {
    std::string unread;
    for (int i = 0; i < 256; ++i) unread += static_cast<char>(i);
    std::vector<Connection> connections;
    connections.push_back({"pdns", "unix", unread, some_fd()});
    connections.push_back({"dns", "", "", some_fd()});
    const std::string body = connections_body(connections);
    const auto parsed = parse_connections(body, some_fds(2));
    REQUIRE(parsed);
    CHECK((*parsed)[0].owner == "pdns");
    CHECK((*parsed)[0].connector == "unix");
    CHECK((*parsed)[0].unread == unread);
    CHECK((*parsed)[1].owner == "dns");
    CHECK((*parsed)[1].unread.empty());
    CHECK_FALSE(parse_connections(body, some_fds(1)));
    CHECK_FALSE(parse_connections(R"({"connections":[{"owner":"dns","unread":"abc"}]})", some_fds(1)));
    CHECK_FALSE(parse_connections(R"({"connections":[{"owner":"dns","unread":"zz"}]})", some_fds(1)));
}

TEST_CASE("a state travels, and what is missing in it is as if it were not known") {
    State state;
    state.health = "{\"endpoints\":[]}";
    state.ready = true;
    state.cookie_current = std::string("\x00\xff octets", 9);
    state.cookie_age = 1800;
    state.takeovers = 3;
    state.since = 1'768'000'000;
    const auto parsed = parse_state(state_body(state));
    REQUIRE(parsed);
    CHECK(parsed->health == state.health);
    CHECK(parsed->ready);
    CHECK(parsed->cookie_current == state.cookie_current);
    CHECK(parsed->cookie_previous.empty());
    CHECK(parsed->cookie_age == 1800);
    CHECK(parsed->takeovers == 3);
    CHECK(parsed->since == state.since);
    CHECK_FALSE(parse_state("{}")->ready);
    CHECK(parse_state(R"({"cookie_age":-5,"takeovers":"many"})")->cookie_age == 0);
    CHECK_FALSE(parse_state("[]"));
    CHECK(parse_reason(reason_body("no courage")) == "no courage");
    CHECK(parse_reason("") == "no reason given");
}

TEST_CASE("messages bring bodies and any number of descriptors through a socket") {
    Pair pair;
    CHECK_FALSE(pair.other->receive().value());
    const std::vector<UniqueFd> many = some_fds(450);
    std::vector<int> fds;
    for (const UniqueFd& fd : many) fds.push_back(fd.get());
    const std::string body(300'000, 'x');
    REQUIRE(pair.one->send(MessageType::offer, body, fds));
    REQUIRE(pair.one->send(MessageType::prepared, {}));
    REQUIRE(pair.one->send(MessageType::connections, "", {fds[0]}));
    const auto first = pair.other->receive();
    REQUIRE(first);
    REQUIRE(*first);
    CHECK((*first)->type == MessageType::offer);
    CHECK((*first)->body == body);
    CHECK((*first)->fds.size() == 450);
    CHECK(pair.other->receive().value()->type == MessageType::prepared);
    const auto third = pair.other->receive();
    CHECK((*third)->body.empty());
    CHECK((*third)->fds.size() == 1);
    pair.one.reset();
    CHECK(pair.other->receive().error().message == "the other process is gone");
}

TEST_CASE("a body that could still change, and descriptors that do not add up, are refused") {
    Pair pair;
    const auto send_raw = [&pair](const FrameHeader& header, const std::vector<int>& fds) {
        auto bytes = encode(header);
        iovec vector{bytes.data(), bytes.size()};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)]{};
        msghdr message{};
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = control;
            message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
            cmsghdr* at = CMSG_FIRSTHDR(&message);
            at->cmsg_level = SOL_SOCKET;
            at->cmsg_type = SCM_RIGHTS;
            at->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
            std::copy(fds.begin(), fds.end(), reinterpret_cast<int*>(CMSG_DATA(at)));
        }
        REQUIRE(::sendmsg(pair.one->fd(), &message, 0) == static_cast<ssize_t>(bytes.size()));
    };
    const UniqueFd null = some_fd();
    FrameHeader header;
    header.has_body = true;
    header.descriptors = 1;
    send_raw(header, {null.get()});
    CHECK(pair.other->receive().error().message == "a message's body is not a sealed memory file");
    Pair again;
    std::swap(pair.one, again.one);
    std::swap(pair.other, again.other);
    header.has_body = false;
    send_raw(header, {});
    CHECK(pair.other->receive().error().message == "a message of the handover is damaged");
}
