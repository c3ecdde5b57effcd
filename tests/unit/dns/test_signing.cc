// SPDX-License-Identifier: Apache-2.0
// Signed answers, whole messages in and out: what they say is what unsigned ones say, and ldns finds every
// signature that should be there good.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "dns/dnssec_text.h"
#include "dns/signing.h"
#include "dns/signing_ahead.h"
#include "unit/dns/responder.h"

// Last, for it defines bool as a macro.
#include <ldns/ldns.h>
#undef bool
#undef true
#undef false

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

constexpr uint32_t do_flag = 0x8000;
constexpr uint32_t co_flag = 0x4000;

std::shared_ptr<SignedZone> sign_zone(const std::string& apex, DnssecAlgorithm algorithm, bool combined) {
    auto zone = std::make_shared<SignedZone>();
    const Name name = Name::parse(apex).value();
    zone->apex.assign(name.wire().begin(), name.wire().end());
    const auto add = [&](uint16_t flags, KeyUse use) {
        zone->keys.push_back(
            {std::make_shared<const DnssecKey>(DnssecKey::generate(algorithm, flags).value()), {}, use});
    };
    add(257, {true, true, combined, true});
    if (!combined) add(256, {true, false, true, false});
    make_apex_sets(*zone);
    return zone;
}

std::shared_ptr<ZoneSigning> signing_of(const Serving& serving, DnssecAlgorithm algorithm,
                                        bool combined = true, int64_t now = now_seconds) {
    auto signing = std::make_shared<ZoneSigning>();
    signing->now = now;
    signing->caches = std::make_shared<SignatureCaches>();
    for (const ServedZone& zone : serving.authority->zones())
        signing->zones.push_back(sign_zone(zone.name, algorithm, combined));
    return signing;
}

struct PacketFree {
    void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
struct ListFree {
    void operator()(ldns_rr_list* list) const { ldns_rr_list_deep_free(list); }
};
using Packet = std::unique_ptr<ldns_pkt, PacketFree>;
using RrList = std::unique_ptr<ldns_rr_list, ListFree>;

Packet parse(ByteSpan message) {
    ldns_pkt* packet = nullptr;
    REQUIRE(ldns_wire2pkt(&packet, message.data(), message.size()) == LDNS_STATUS_OK);
    return Packet(packet);
}

std::string text_of(const ldns_rdf* field) {
    char* text = ldns_rdf2str(field);
    std::string copy = text;
    LDNS_FREE(text);
    return copy;
}

/// Signs with a world's answers and checks them.
struct SignedResponder : Responder {
    explicit SignedResponder(const World& world, DnssecAlgorithm algorithm = DnssecAlgorithm::ecdsa_p256,
                             bool combined = true)
        : Responder(world) {
        serving.signing = signing_of(serving, algorithm, combined);
    }

    /// Every RRset in answer and authority is signed by a key of the apex in `zone`, but for NS sets that are
    /// not the apex's. Returns how many signatures there were.
    size_t verify(ByteSpan message, const SignedZone& zone) {
        const Packet packet = parse(message);
        size_t found = 0;
        for (const ldns_pkt_section section : {LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY}) {
            const RrList all(ldns_pkt_get_section_clone(packet.get(), section));
            std::map<std::pair<std::string, int>, std::vector<ldns_rr*>> sets;
            std::map<std::pair<std::string, int>, std::vector<ldns_rr*>> signatures;
            for (size_t i = 0; i < ldns_rr_list_rr_count(all.get()); ++i) {
                ldns_rr* rr = ldns_rr_list_rr(all.get(), i);
                std::string owner = text_of(ldns_rr_owner(rr));
                std::transform(owner.begin(), owner.end(), owner.begin(), ::tolower);
                if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG)
                    signatures[{owner, ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr))}].push_back(rr);
                else
                    sets[{owner, ldns_rr_get_type(rr)}].push_back(rr);
            }
            const std::string apex = Name::from_wire(zone.apex)->to_string();
            for (const auto& [key, records] : sets) {
                INFO(key.first << " " << key.second);
                const bool is_delegation = key.second == LDNS_RR_TYPE_NS && key.first != apex;
                CHECK(signatures.contains(key) != is_delegation);
                if (!signatures.contains(key)) continue;
                const RrList set(ldns_rr_list_new());
                for (ldns_rr* rr : records) ldns_rr_list_push_rr(set.get(), ldns_rr_clone(rr));
                for (ldns_rr* rrsig : signatures[key]) {
                    CHECK(ldns_rr_ttl(rrsig) == ldns_rr_ttl(records.front()));
                    CHECK(ldns_rdf2native_int32(ldns_rr_rrsig_origttl(rrsig)) >= ldns_rr_ttl(rrsig));
                    size_t good = 0;
                    for (const ZoneKey& candidate : zone.keys) {
                        std::string line = apex + " 3600 IN DNSKEY " + candidate.key->dnskey_text();
                        ldns_rr* dnskey = nullptr;
                        REQUIRE(ldns_rr_new_frm_str(&dnskey, line.c_str(), 0, nullptr, nullptr) ==
                                LDNS_STATUS_OK);
                        if (ldns_calc_keytag(dnskey) == ldns_rdf2native_int16(ldns_rr_rrsig_keytag(rrsig)))
                            good += ldns_verify_rrsig_time(set.get(), rrsig, dnskey, now_seconds) ==
                                    LDNS_STATUS_OK;
                        ldns_rr_free(dnskey);
                    }
                    CHECK(good == 1);
                    ++found;
                }
                signatures.erase(key);
            }
            CHECK(signatures.empty());  // none without its set
        }
        return found;
    }

    std::string verified(const Ask& question, std::string_view source = "192.0.2.200") {
        std::string text = ask(question, Transport::tcp, source);
        INFO(text);
        CHECK(verify(bytes, *serving.signing->zone(0)) > 0);
        return text;
    }
};

/// Without what signing adds, and with what it changes about the header taken back.
std::string unsigned_part(const std::string& text) {
    std::istringstream lines(text);
    std::string line, kept;
    while (std::getline(lines, line)) {
        // Who asks for signatures is told whether a child is signed, too.
        const bool is_proof = line.find(" IN RRSIG ") != std::string::npos ||
                              line.find(" IN NSEC ") != std::string::npos ||
                              line.starts_with("authority deleg.gslb.test. 300 IN DS ");
        if (is_proof) continue;
        if (line.starts_with("edns ")) continue;
        kept += line + "\n";
    }
    return kept;
}

std::string lines_with(const std::string& text, const std::string& part) {
    std::istringstream lines(text);
    std::string line, kept;
    while (std::getline(lines, line))
        if (line.find(part) != std::string::npos) kept += line + "\n";
    return kept;
}

const std::vector<std::pair<std::string, RecordType>> questions{
    {"gslb.test", RecordType::soa},
    {"gslb.test", RecordType::ns},
    {"gslb.test", RecordType::a},
    {"gslb.test", RecordType::aaaa},
    {"gslb.test", RecordType::mx},
    {"gslb.test", RecordType::caa},
    {"mail.gslb.test", RecordType::mx},
    {"alias.gslb.test", RecordType::a},
    {"chain.gslb.test", RecordType::a},
    {"chain.gslb.test", RecordType::txt},
    {"toward.gslb.test", RecordType::a},
    {"toward.gslb.test", RecordType::cname},
    {"dangling.gslb.test", RecordType::a},
    {"outside.gslb.test", RecordType::a},
    {"x.wild.gslb.test", RecordType::a},
    {"x.y.wild.gslb.test", RecordType::txt},
    {"x.wild.gslb.test", RecordType::mx},
    {"*.wild.gslb.test", RecordType::a},
    {"x.cwild.gslb.test", RecordType::a},
    {"b.ent.gslb.test", RecordType::a},
    {"ent.gslb.test", RecordType::txt},
    {"missing.gslb.test", RecordType::a},
    {"a.b.c.missing.gslb.test", RecordType::aaaa},
    {"_sip._udp.gslb.test", RecordType::srv},
    {"text.gslb.test", RecordType::txt},
    {"odd\\.dot.gslb.test", RecordType::txt},
    {"strange.gslb.test", static_cast<RecordType>(65280)},
    {"big.gslb.test", RecordType::txt},
    {"vpn.gslb.test", RecordType::a},
    {"vpn.gslb.test", RecordType::aaaa},
    {"vpn.gslb.test", RecordType::txt},
    {"VPN.gslb.TEST", RecordType::a},
    {"six.gslb.test", RecordType::a},
    {"many.gslb.test", RecordType::a},
    {"any.steer.gslb.test", RecordType::a},
    {"any.steer.gslb.test", RecordType::txt},
    {"named.gslb.test", RecordType::a},
    {"named.gslb.test", RecordType::mx},
    {"host.gslb.test", RecordType::any},
    {"deleg.gslb.test", RecordType::a},
    {"x.deleg.gslb.test", RecordType::txt},
    {"deleg.gslb.test", RecordType::ds},
    {"below.gslb.test", RecordType::a},
    {"_fairway.vpn.gslb.test", RecordType::mx},
    {"fallback.gslb.test", RecordType::a},
};

}  // namespace

TEST_CASE("Signed answers say what unsigned ones say, and ldns verifies every set in them", "[dnssec]") {
    for (const auto algorithm : {DnssecAlgorithm::ecdsa_p256, DnssecAlgorithm::ed25519}) {
        SignedResponder signed_one(make_world(), algorithm, algorithm == DnssecAlgorithm::ed25519);
        for (const auto& [name, type] : questions) {
            INFO(name << " " << to_string(type));
            const std::string plain = responder().ask(Ask{name, type}.with_edns(1232), Transport::tcp);
            // Who does not ask for signatures gets what everybody got before.
            CHECK(signed_one.ask(Ask{name, type}.with_edns(1232), Transport::tcp) == plain);
            std::string text = signed_one.verified(Ask{name, type}.with_edns(4096, do_flag));
            const size_t rcode = text.find("NOERROR");
            if (plain.find("NXDOMAIN") != std::string::npos) {
                REQUIRE(rcode != std::string::npos);
                CHECK(lines_with(text, " IN NSEC ").find("TYPE128") != std::string::npos);
                text.replace(rcode, 7, "NXDOMAIN");
            }
            CHECK(unsigned_part(text) == unsigned_part(plain));
            // Asked again, from the cache of signatures: the same octets.
            const Bytes first = signed_one.bytes;
            (void)signed_one.ask(Ask{name, type}.with_edns(4096, do_flag), Transport::tcp);
            CHECK(signed_one.bytes == first);
        }
    }
}

TEST_CASE("A compact denial names the question, its successor, and everything that the name may have",
          "[dnssec]") {
    SignedResponder one(make_world());
    const auto nsec = [&](const std::string& name, RecordType type) {
        const std::string line =
            lines_with(one.verified(Ask{name, type}.with_edns(4096, do_flag)), " IN NSEC ");
        return line;
    };
    CHECK(nsec("nope.gslb.test", RecordType::a) ==
          "authority nope.gslb.test. 30 IN NSEC \\000.nope.gslb.test. RRSIG NSEC TYPE128\n");
    CHECK(nsec("b.ent.gslb.test", RecordType::a) ==
          "authority b.ent.gslb.test. 30 IN NSEC \\000.b.ent.gslb.test. RRSIG NSEC\n");
    CHECK(nsec("x.wild.gslb.test", RecordType::mx) ==
          "authority x.wild.gslb.test. 30 IN NSEC \\000.x.wild.gslb.test. A TXT RRSIG NSEC\n");
    // Others get an AAAA (iad1), this client does not ask for it.
    CHECK(nsec("vpn.gslb.test", RecordType::txt) ==
          "authority vpn.gslb.test. 30 IN NSEC \\000.vpn.gslb.test. A AAAA RRSIG NSEC\n");
    CHECK(nsec("six.gslb.test", RecordType::a) ==
          "authority six.gslb.test. 30 IN NSEC \\000.six.gslb.test. AAAA RRSIG NSEC\n");
    CHECK(nsec("gslb.test", RecordType::mx) ==
          "authority gslb.test. 30 IN NSEC \\000.gslb.test. A NS SOA RRSIG NSEC DNSKEY CDS CDNSKEY CAA\n");
    CHECK(nsec("x.deleg.gslb.test", RecordType::a).empty());  // it has a DS
    CHECK(nsec("below.gslb.test", RecordType::a).empty());
}

TEST_CASE("A delegation without DS is proved to be one", "[dnssec]") {
    World world = make_world();
    world.files[0] = *world.files[0] + "plain NS ns.example.net.\nplain A 192.0.2.1\n";
    SignedResponder one(world);
    const std::string referral = one.verified(Ask{"www.plain.gslb.test"}.with_edns(4096, do_flag));
    CHECK(lines_with(referral, " IN NSEC ") ==
          "authority plain.gslb.test. 30 IN NSEC \\000.plain.gslb.test. NS RRSIG NSEC\n");
    CHECK(lines_with(referral, " IN SOA ").empty());
    const std::string ds = one.verified(Ask{"plain.gslb.test", RecordType::ds}.with_edns(4096, do_flag));
    CHECK(lines_with(ds, " IN NSEC ") ==
          "authority plain.gslb.test. 30 IN NSEC \\000.plain.gslb.test. NS RRSIG NSEC\n");
    const std::string secure = one.verified(Ask{"x.deleg.gslb.test"}.with_edns(4096, do_flag));
    CHECK(lines_with(secure, " IN DS ") != "");
}

TEST_CASE("The keys, CDS, NSEC and signatures can be asked for", "[dnssec]") {
    SignedResponder one(make_world(), DnssecAlgorithm::ecdsa_p256, false);
    const SignedZone& zone = *one.serving.signing->zone(0);
    const std::string keys = one.verified(Ask{"gslb.test", RecordType::dnskey}.with_edns(4096, do_flag));
    CHECK(lines_with(keys, "answer gslb.test. 3600 IN DNSKEY 257 ") != "");
    CHECK(lines_with(keys, "answer gslb.test. 3600 IN DNSKEY 256 ") != "");
    const std::string tag = " " + std::to_string(zone.keys[0].key->tag()) + " gslb.test.";
    CHECK(lines_with(keys, " IN RRSIG DNSKEY ").find(tag) != std::string::npos);
    const std::string cds = one.verified(Ask{"gslb.test", RecordType::cds}.with_edns(4096, do_flag));
    CHECK(lines_with(cds, " IN RRSIG CDS ").find(tag) != std::string::npos);
    const Name apex = Name::parse("gslb.test").value();
    const auto ds = ds_data(apex, zone.keys[0].key->dnskey(), DsDigest::sha256);
    const std::string digest = fairway::dns::to_hex(ByteSpan(ds).subspan(4));
    std::string shown = lines_with(cds, " IN CDS ");
    std::transform(shown.begin(), shown.end(), shown.begin(), ::toupper);
    CHECK(shown.find(digest) != std::string::npos);
    // Also without DO: then without signatures.
    CHECK(lines_with(one.ask(Ask{"gslb.test", RecordType::cdnskey}), "answer") ==
          lines_with(one.ask(Ask{"gslb.test", RecordType::cdnskey}), " IN CDNSKEY 257 "));
    CHECK(lines_with(one.ask(Ask{"vpn.gslb.test", RecordType::nsec}), "answer") ==
          "answer vpn.gslb.test. 30 IN NSEC \\000.vpn.gslb.test. A AAAA RRSIG NSEC\n");
    CHECK(lines_with(one.ask(Ask{"alias.gslb.test", RecordType::nsec}), "answer") ==
          "answer alias.gslb.test. 30 IN NSEC \\000.alias.gslb.test. CNAME RRSIG NSEC\n");
    CHECK(lines_with(one.ask(Ask{"named.gslb.test", RecordType::nsec}), "answer") ==
          "answer named.gslb.test. 30 IN NSEC \\000.named.gslb.test. CNAME RRSIG NSEC\n");
    CHECK(lines_with(one.ask(Ask{"vpn.gslb.test", RecordType::rrsig}), "answer").find(" IN RRSIG NSEC 13 ") !=
          std::string::npos);
    CHECK(one.ask(Ask{"gslb.test", RecordType::nxname}.with_edns(1232)).find("FORMERR") != std::string::npos);
}

TEST_CASE("Who understands compact answers gets NXDOMAIN with them", "[dnssec]") {
    SignedResponder one(make_world());
    const std::string text = one.verified(Ask{"nope.gslb.test"}.with_edns(4096, do_flag | co_flag));
    CHECK(text.find("NXDOMAIN") != std::string::npos);
    CHECK(lines_with(text, "TYPE128") != "");
    const Packet packet = parse(one.bytes);
    CHECK((ldns_pkt_edns_z(packet.get()) & co_flag) != 0);
    // Without DO there is nothing compact.
    (void)one.ask(Ask{"nope.gslb.test"}.with_edns(4096, co_flag));
    CHECK((ldns_pkt_edns_z(parse(one.bytes).get()) & co_flag) == 0);
}

TEST_CASE("Whatever a service answers is signed, and one signature does for every TTL and order",
          "[dnssec]") {
    World world = make_world();
    SignedResponder one(world);
    SignatureCaches& caches = *one.serving.signing->caches;
    const Ask ask = Ask{"vpn.gslb.test"}.with_edns(4096, do_flag);
    (void)one.verified(ask);
    const size_t before = caches.lasting.size();
    auto health = std::make_shared<HealthSnapshot>(*world.health);
    for (EndpointStatus& endpoint : health->endpoints) endpoint.in_doubt = true;
    one.serving.health = health;
    const std::string doubtful = one.verified(ask);
    CHECK(lines_with(doubtful, "answer vpn.gslb.test. 5 IN A ") != "");
    CHECK(lines_with(doubtful, " IN RRSIG A 13 3 30 ") != "");
    CHECK(caches.lasting.size() == before);
    world.set_down(GatewayId(0));
    one.serving.health = world.health;
    CHECK(lines_with(one.verified(ask), " IN A ") == "answer vpn.gslb.test. 30 IN A 198.51.100.20\n");
    CHECK(caches.lasting.size() == before + 1);
    for (const GatewayId id : {GatewayId(1), GatewayId(2)}) world.set_down(id);
    for (const char* name : {"vpn", "six", "nodata", "fallback"})
        for (const RecordType type : {RecordType::a, RecordType::aaaa, RecordType::cname})
            (void)one.verified(Ask{std::string(name) + ".gslb.test", type}.with_edns(4096, do_flag));
    CHECK(one.ask(Ask{"servfail.gslb.test"}.with_edns(4096, do_flag)).find("SERVFAIL") != std::string::npos);
}

TEST_CASE("Names that come once do not push out signatures that come again", "[dnssec]") {
    SignedResponder one(make_world());
    SignatureCaches& caches = *one.serving.signing->caches;
    (void)one.verified(Ask{"vpn.gslb.test"}.with_edns(4096, do_flag));
    (void)one.verified(Ask{"nope.gslb.test"}.with_edns(4096, do_flag));  // and the SOA
    const size_t lasting = caches.lasting.size();
    for (int i = 0; i < 500; ++i)
        (void)one.ask(Ask{"x" + std::to_string(i) + (i % 2 == 0 ? ".wild" : "") + ".gslb.test"}.with_edns(
            4096, do_flag));
    CHECK(caches.lasting.size() == lasting);
    CHECK(caches.passing.size() > 400);
    CHECK(caches.passing.size() <= SignatureCaches::passing_capacity);
}

TEST_CASE("The cache of signatures is bounded, keeps what is asked for, and may be used by many threads",
          "[dnssec]") {
    SignatureCache cache(640);
    const auto data = [](int i) { return "data " + std::to_string(i); };
    const auto signature = [](int i) {
        DnssecSignature made{};
        made[0] = static_cast<uint8_t>(i);
        made[1] = static_cast<uint8_t>(i >> 8);
        return made;
    };
    cache.insert(1, as_bytes(data(-1)), signature(7));
    for (int i = 0; i < 5000; ++i) {
        cache.insert(1, as_bytes(data(i)), signature(i));
        REQUIRE(cache.find(1, as_bytes(data(i))).value() == signature(i));
        REQUIRE(cache.find(1, as_bytes(data(-1))).value() == signature(7));
    }
    CHECK(cache.size() <= 640);
    CHECK_FALSE(cache.find(2, as_bytes(data(4999))).has_value());
    CHECK_FALSE(cache.find(1, as_bytes(data(0))).has_value());
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i < 4000; ++i) {
                const int item = (i * 7 + t) % 900;
                const auto found = cache.find(3, as_bytes(data(item)));
                if (found && *found != signature(item)) ++wrong;
                if (!found) cache.insert(3, as_bytes(data(item)), signature(item));
            }
        });
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
}

TEST_CASE("Signatures are renewed one by one, and always long before they end", "[dnssec]") {
    SignedZone zone;
    zone.lifetime = 14 * 86'400;
    zone.refresh = 7 * 86'400;
    CHECK(signing_step(zone) == 3600);
    std::vector<Name> names;
    for (int i = 0; i < 200; ++i)
        names.push_back(Name::parse("n" + std::to_string(i) + ".gslb.test").value());
    std::map<size_t, SignatureWindow> last;
    for (int64_t now = 1'700'000'000; now < 1'700'000'000 + 30 * 86'400; now += 3600) {
        size_t renewed = 0;
        for (size_t i = 0; i < names.size(); ++i) {
            const SignatureWindow window = signature_window(zone, names[i].wire(), RecordType::a, now);
            CHECK(window.inception <= now - 3600);
            CHECK(window.expiration >= now + zone.refresh);
            CHECK(window.expiration - window.inception == zone.lifetime + 3600);
            if (last.contains(i) && last[i] != window) ++renewed;
            last[i] = window;
        }
        CHECK(renewed < 12);
    }
}

TEST_CASE("Keys that cannot be used never make a zone look unsigned", "[dnssec]") {
    SignedResponder one(make_world());
    auto signing = std::make_shared<ZoneSigning>(*one.serving.signing);
    auto broken = std::make_shared<SignedZone>(*signing->zones[0]);
    broken->keys.clear();
    broken->trouble = "the key is damaged";
    make_apex_sets(*broken);
    signing->zones[0] = broken;
    one.serving.signing = signing;
    for (const auto& [name, type] : questions) {
        INFO(name << " " << to_string(type));
        const std::string plain = responder().ask(Ask{name, type}.with_edns(1232), Transport::tcp);
        CHECK(one.ask(Ask{name, type}.with_edns(1232), Transport::tcp) == plain);
        const std::string text = one.ask(Ask{name, type}.with_edns(4096, do_flag), Transport::tcp);
        CHECK(text.find("SERVFAIL") != std::string::npos);
        CHECK(text.find("\nanswer ") == std::string::npos);
    }
    CHECK(one.ask(Ask{"gslb.test", RecordType::dnskey}).find("SERVFAIL") != std::string::npos);
}

TEST_CASE("What clients ask next is signed before they ask", "[dnssec]") {
    World world = make_world();
    SignedResponder one(world);
    SignatureCaches& caches = *one.serving.signing->caches;
    SigningAhead ahead;
    ahead.offer(std::make_shared<const Serving>(one.serving));
    ahead.wait_until_idle();
    size_t signed_ahead = caches.lasting.size();
    CHECK(signed_ahead > 40);
    for (const auto& [name, type] :
         std::vector<std::pair<std::string, RecordType>>{{"vpn.gslb.test", RecordType::a},
                                                         {"vpn.gslb.test", RecordType::aaaa},
                                                         {"six.gslb.test", RecordType::a},
                                                         {"many.gslb.test", RecordType::a},
                                                         {"named.gslb.test", RecordType::a},
                                                         {"gslb.test", RecordType::dnskey},
                                                         {"gslb.test", RecordType::soa},
                                                         {"mail.gslb.test", RecordType::mx},
                                                         {"mail.gslb.test", RecordType::a},
                                                         {"b.ent.gslb.test", RecordType::a},
                                                         {"x.deleg.gslb.test", RecordType::a}}) {
        (void)one.verified(Ask{name, type}.with_edns(4096, do_flag));
        INFO(name);
        CHECK(caches.lasting.size() == signed_ahead);
    }
    // A failover: only what may have changed is asked for again.
    const uint64_t asked = ahead.asked();
    auto health = std::make_shared<HealthSnapshot>(*world.health);
    world.health = health;
    world.set_down(GatewayId(0));
    one.serving.health = world.health;
    ahead.offer(std::make_shared<const Serving>(one.serving));
    ahead.wait_until_idle();
    CHECK(ahead.asked() - asked < 20);
    signed_ahead = caches.lasting.size();
    (void)one.verified(Ask{"vpn.gslb.test"}.with_edns(4096, do_flag));
    CHECK(caches.lasting.size() == signed_ahead);
    // Nothing signed, nothing to do.
    one.serving.signing = nullptr;
    const uint64_t before = ahead.asked();
    ahead.offer(std::make_shared<const Serving>(one.serving));
    ahead.wait_until_idle();
    CHECK(ahead.asked() == before);
}
