// SPDX-License-Identifier: Apache-2.0
// The cache alone, and an Answerer that uses it beside one that does not: they must give the same octets.
#include <algorithm>
#include <catch2/catch.hpp>

#include "base/random.h"
#include "dns/answer_cache.h"
#include "dns/name.h"
#include "geoip/locator.h"
#include "unit/dns/responder.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

// make_world() with three places, what is known about some prefixes, and services for each way in which an
// answer can depend on the client.
World make_tailored_world() {
    World world = make_world();
    Model& model = *world.model;
    const std::array<Coordinates, 3> places{{{50.1, 8.7}, {39.0, -77.5}, {1.3, 103.8}}};
    for (const Coordinates& place : places)
        model.regions.push_back(
            {RegionId(model.regions.size()), "r" + std::to_string(model.regions.size()), place});
    std::vector<GatewayId> all;
    for (size_t i = 0; i < 6; ++i) {
        const std::string number = std::to_string(i);
        all.push_back(world.add_gateway("t" + number,
                                        {"203.0.113." + std::to_string(100 + i), "2001:db8:113::" + number}));
        model.gateways.back().region = RegionId(1 + i % 3);
    }
    const std::vector<GatewayId> some{all[0], all[1], all[2]};
    const std::vector<GatewayId> others{all[1], all[2]};
    world.add_service("near", "near.gslb.test", all, {"healthy", "nearest", "first 2"});
    world.add_service("few", "few.gslb.test", others, {"healthy", "nearest", "first 1"});
    world.add_service("ruled", "ruled.gslb.test", some,
                      {"rule(country DE -> t0; prefix 198.51.100.0/25 -> t1)", "healthy", "nearest"});
    world.add_service("weighed", "weighed.gslb.test", all, {"healthy", "nearest", "weighted", "first 1"});
    world.add_service("stuck", "stuck.gslb.test", some, {"healthy", "sticky", "first 1"});
    world.add_service("fence", "fence.gslb.test", some, {"rule(country DE -> t0)", "healthy"});
    model.services.back().all_down = AllDown::fallback;
    model.services.back().fallback_service = ServiceId(model.services.size() - 5);  // few
    world.files.front() = std::string(zone_text) + "tonear CNAME near\ntostuck CNAME stuck\n";
    world.all_up();
    return world;
}

std::shared_ptr<const geoip::Locator> make_places() {
    Random random(3);
    geoip::Sources sources;
    const auto add = [&](const char* prefix, const char* country, double latitude, double longitude) {
        Location location;
        location.country = country;
        location.coordinates = Coordinates{latitude, longitude};
        sources.own.push_back({IpPrefix::parse(prefix).value(), location});
    };
    add("198.51.100.0/24", "DE", 52, 13);
    add("198.51.0.0/16", "US", 40, -100);
    add("203.0.0.0/10", "SG", 1, 104);
    add("203.0.113.64/27", "DE", 50, 9);
    add("10.1.0.0/16", "US", 35, -80);
    add("2001:db8::/33", "SG", 1, 104);
    add("2001:db8:8000::/49", "DE", 50, 9);
    for (int i = 0; i < 200; ++i) {
        Location location;
        location.coordinates = Coordinates{random.fraction() * 140 - 60, random.fraction() * 360 - 180};
        sources.own.push_back({{IpAddress::v4(static_cast<uint32_t>(random.next())),
                                static_cast<uint8_t>(8 + random.below(18))},
                               location});
    }
    return geoip::Locator::open(sources).value();
}

// The same world with this and that changed: what a control plane publishes over time.
std::vector<Serving> make_servings() {
    World world = make_tailored_world();
    const Serving first{world.build().authority, Steering::compile(world.model, make_places()), world.health,
                        std::make_shared<AnswerSettings>(world.settings)};
    REQUIRE(first.authority);
    std::vector<Serving> all{first};
    const auto add_health = [&](const auto& change) {
        world.all_up();
        change();
        all.push_back(first);
        all.back().health = world.health;
    };
    const size_t t0 = world.model->gateways.size() - 6;
    add_health([&] { world.set_down(GatewayId(t0)); });
    add_health([&] {
        world.set_down(GatewayId(t0));
        world.set_down(GatewayId(t0 + 3));
        world.set_down(GatewayId(2));
    });
    add_health([&] {
        world.health->endpoints[world.health->endpoints.size() - 3].in_doubt = true;
        world.health->endpoints.back().address.reset();
    });
    add_health([&] {
        for (size_t i = 0; i < world.model->gateways.size(); ++i) world.set_down(GatewayId(i));
    });
    add_health([&] { world.health->first_round_done = false; });
    AnswerSettings settings = world.settings;
    settings.cookies.reset();
    settings.nsid.clear();
    settings.udp_limit = 600;
    all.push_back(first);
    all.back().settings = std::make_shared<AnswerSettings>(settings);
    all.push_back(first);
    all.back().steering = Steering::compile(world.model, nullptr);
    return all;
}

std::string any_case(Random& random, std::string name) {
    if (random.below(2) == 0) return name;
    for (char& c : name)
        if (c >= 'a' && c <= 'z' && random.below(2) == 0) c = static_cast<char>(c - 'a' + 'A');
    return name;
}

Option random_subnet_option(Random& random) {
    const auto address = static_cast<uint32_t>(random.next());
    const auto text = [&](uint32_t of, uint8_t length) {
        return subnet(IpAddress::v4(of).masked(length).to_string(), length);
    };
    switch (random.below(8)) {
        case 0:
            return subnet("198.51.100." + std::to_string(random.below(256)), 32);
        case 1:
            return text(0xc6336400, static_cast<uint8_t>(random.below(33)));
        case 2:
            return text(0x0a010000U + static_cast<uint32_t>(random.below(0x20000)), 24);
        case 3:
            return subnet(random.below(2) == 0 ? "2001:db8::" : "2001:db8:8000::",
                          static_cast<uint8_t>(random.below(65)));
        case 4:
            return random.below(2) == 0 ? subnet(0, 0, 0, {}) : subnet("fd00::", 8);
        case 5:
            return random.below(2) == 0 ? subnet(3, 0, 0, {}) : subnet(1, 0, 0, {});
        default:
            return text(address, static_cast<uint8_t>(16 + random.below(17)));
    }
}

Bytes random_question(Random& random) {
    static const std::vector<std::string> names{
        "near",         "near",     "near",     "few",      "ruled",     "weighed",   "stuck",  "fence",
        "tonear",       "tostuck",  "vpn",      "@",        "x.steer",   "six",       "many",   "named",
        "nodata",       "servfail", "refuse",   "fallback", "mail",      "mx1",       "alias",  "chain",
        "toward",       "host",     "dangling", "outside",  "loop1",     "x.wild",    "y.wild", "q.cwild",
        "a.b.ent",      "b.ent",    "deleg",    "x.deleg",  "below",     "_sip._udp", "text",   "big",
        "_fairway.vpn", "missing",  "ns1",      "strange",  "odd\\.dot",
    };
    static const std::vector<RecordType> types{
        RecordType::a,     RecordType::a,    RecordType::a,   RecordType::aaaa,
        RecordType::cname, RecordType::mx,   RecordType::txt, RecordType::soa,
        RecordType::ns,    RecordType::any,  RecordType::srv, RecordType::ds,
        RecordType::caa,   RecordType::axfr, RecordType::opt, RecordType::https};
    Ask ask;
    const std::string& name = names[random.below(names.size())];
    ask.name = any_case(random, name == "@" ? "gslb.test" : name + ".gslb.test");
    ask.type = types[random.below(random.below(3) == 0 ? types.size() : 4)];
    ask.id = static_cast<uint16_t>(random.next());
    ask.flags = random.below(4) == 0 ? static_cast<uint16_t>(random.next() & 0x07ff) : uint16_t{0x0100};
    switch (random.below(40)) {
        case 0:
            ask.klass = static_cast<uint16_t>(1 + random.below(4));
            break;
        case 1:
            ask.name = "id.server";
            ask.type = RecordType::txt;
            ask.klass = 3;
            break;
        case 2:
            ask.name = random.below(2) == 0 ? "." : "example.net";
            break;
        case 3:
            ask.name = std::string(60, 'l') + "." + std::string(40, 'm') + ".wild.gslb.test";
            break;
        default:
            break;
    }
    if (random.below(5) != 0) {
        static constexpr std::array<uint16_t, 6> sizes{0, 512, 600, 1232, 1232, 4096};
        ask = ask.with_edns(sizes[random.below(sizes.size())], random.below(3) == 0 ? 0x8000U : 0U);
        if (random.below(60) == 0) ask.edns_ttl = 0x010000;
        if (random.below(3) != 0) ask = ask.with(random_subnet_option(random));
        if (random.below(3) == 0) ask = ask.with({10, Bytes(random.below(20) == 0 ? 7 : 8, 5)});
        if (random.below(5) == 0) ask = ask.with({3, {}});
        if (random.below(5) == 0) ask = ask.with({11, {}});
    }
    Bytes bytes = to_bytes(ask);
    if (random.below(50) == 0) bytes[random.below(bytes.size())] ^= static_cast<uint8_t>(random.next());
    if (random.below(80) == 0) bytes.resize(random.below(bytes.size()));
    return bytes;
}

bool same_outcome(const Outcome& a, const Outcome& b) {
    return a.answered == b.answered && a.rcode == b.rcode && a.has_edns == b.has_edns &&
           a.has_ecs == b.has_ecs && a.truncated == b.truncated && a.last_resort == b.last_resort &&
           a.service == b.service && a.endpoint == b.endpoint;
}

uint64_t hash_of(const AnswerCache::Question& question) {
    std::array<uint8_t, Name::max_size> lowered;
    return AnswerCache::lower_and_hash(question.lowered, question.rest, lowered.data());
}

// Asks both the same at random, while what they serve is replaced now and then.
void compare(size_t cached_answers, uint64_t seed, size_t questions) {
    const std::vector<Serving> servings = make_servings();
    Random random(seed);
    Answerer plain;
    Answerer caching(cached_answers);
    std::vector<uint8_t> expected(Answerer::max_tcp_answer);
    std::vector<uint8_t> given(Answerer::max_tcp_answer);
    std::vector<Bytes> recent;
    size_t now = 0;
    for (size_t i = 0; i < questions; ++i) {
        if (i % 4000 == 0) {
            now = i == 0 ? 0 : random.below(servings.size());
            caching.set_version(1 + i);
        }
        // Half of the questions come again, perhaps from elsewhere.
        if (recent.size() < 400)
            recent.push_back(random_question(random));
        else if (random.below(2) == 0)
            recent[random.below(recent.size())] = random_question(random);
        const Bytes& message = recent[random.below(recent.size())];
        Request request;
        request.message = message;
        request.source = random.below(4) == 0
                             ? IpAddress::v6({0x20, 1, 0xd, 0xb8, static_cast<uint8_t>(random.next() & 0x80)})
                             : IpAddress::v4(0xc0000200U + static_cast<uint32_t>(random.below(0x400)));
        request.transport = random.below(4) == 0 ? Transport::tcp : Transport::udp;
        request.unix_seconds = now_seconds + static_cast<uint32_t>(i / 1000);
        request.keepalive = 100;
        const auto room =
            request.transport == Transport::udp ? Answerer::max_udp_answer : Answerer::max_tcp_answer;
        const size_t size = plain.answer(servings[now], request, std::span(expected).first(room));
        REQUIRE(caching.answer(servings[now], request, std::span(given).first(room)) == size);
        const bool same =
            std::equal(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(size), given.begin());
        if (!same) {
            CAPTURE(to_hex(message), to_hex(ByteSpan(expected).first(size)),
                    to_hex(ByteSpan(given).first(size)));
            REQUIRE(same);
        }
        REQUIRE(same_outcome(plain.outcome(), caching.outcome()));
    }
}

// What `caching` gives for a question about the first of two servings, once it has answered from the other.
std::string after(const Serving& before, const Serving& now, const Ask& ask, const Ask& first) {
    Answerer caching(64);
    caching.set_version(1);
    std::vector<uint8_t> out(Answerer::max_udp_answer);
    Request request;
    request.source = IpAddress::v4(0xc0000201);
    request.unix_seconds = now_seconds;
    const Bytes warm = to_bytes(first);
    request.message = warm;
    // Twice: the first time a question is only got to know.
    for (int i = 0; i < 2; ++i) REQUIRE(caching.answer(before, request, out) > 0);
    const Bytes message = to_bytes(ask);
    request.message = message;
    return render(ByteSpan(out).first(caching.answer(now, request, out)));
}

}  // namespace

TEST_CASE("what is given again is octet for octet what would be made afresh") {
    compare(4096, 1, 60'000);
}

TEST_CASE("a cache that is far too small still gives only right answers") {
    compare(8, 2, 30'000);
}

TEST_CASE("answers are kept for all clients of a class, and for no other") {
    const std::vector<Serving> servings = make_servings();
    const Serving& up = servings[0];
    // Whoever says that another serving is the same gets what was kept: so it shows what is.
    const Serving& lie = servings[4];
    const Ask berlin = Ask{"near.gslb.test"}.with(subnet("198.51.100.0", 24));
    const Ask also_berlin = Ask{"NEAR.gslb.test"}.with(subnet("198.51.100.128", 25));
    const Ask texas = Ask{"near.gslb.test"}.with(subnet("198.51.7.0", 24));
    const std::string kept = after(up, lie, berlin, berlin);
    CHECK(kept == after(up, up, berlin, berlin));
    CHECK(kept != after(lie, lie, berlin, berlin));
    CHECK(after(up, lie, also_berlin, berlin) == after(up, up, also_berlin, berlin));
    CHECK(after(up, lie, texas, berlin) == after(lie, lie, texas, texas));
}

TEST_CASE("what depends on more than a client's class is made afresh for each") {
    const std::vector<Serving> servings = make_servings();
    for (const Ask& ask :
         {Ask{"stuck.gslb.test"}, Ask{"_fairway.vpn.gslb.test", RecordType::txt}.with_edns(1232)}) {
        CAPTURE(ask.name);
        CHECK(after(servings[0], servings[4], ask, ask) == after(servings[4], servings[4], ask, ask));
        CHECK(after(servings[0], servings[0], ask, ask) != after(servings[4], servings[4], ask, ask));
    }
}

TEST_CASE("an answer is kept until its end and found by its question and classes only") {
    AnswerCache cache(64);
    const Bytes records{1, 2, 3};
    const std::string text = "why";
    const Name name = Name::parse("www.example.com").value();
    const AnswerCache::Question question{name.wire(), 7};
    const uint64_t hash = hash_of(question);
    CHECK(cache.find_question(question, hash) == nullptr);
    AnswerCache::Known* known = cache.add_question(question, hash, 1);
    REQUIRE(known != nullptr);
    CHECK(cache.find_question(question, hash) == known);
    const AnswerCache::Question other{name.wire(), 8};
    CHECK(cache.find_question(other, hash_of(other)) == nullptr);

    CachedAnswer answer;
    answer.records = records;
    answer.error_text = text;
    answer.counts = {1, 0, 2};
    cache.add_answer(*known, 5, answer, 1000);
    CHECK(cache.find_answer(*known, 6, 999) == nullptr);
    CHECK(cache.find_answer(*known, 5, 1000) == nullptr);
    const CachedAnswer* found = cache.find_answer(*known, 5, 999);
    REQUIRE(found != nullptr);
    CHECK(found->records.data() != records.data());
    CHECK(std::equal(found->records.begin(), found->records.end(), records.begin(), records.end()));
    CHECK(found->error_text == text);
    CHECK(found->counts == answer.counts);

    SECTION("a later end takes the place of the earlier") {
        cache.add_answer(*known, 5, answer, AnswerCache::for_ever);
        CHECK(cache.find_answer(*known, 5, UINT32_MAX) != nullptr);
    }
    SECTION("more maps make the old classes mean nothing") {
        cache.widen(*known, 3);
        CHECK(cache.find_answer(*known, 5, 999) == nullptr);
    }
    SECTION("a new epoch knows nothing") {
        cache.start_over();
        CHECK(cache.find_question(question, hash) == nullptr);
        const AnswerCache::Known* again = cache.add_question(question, hash, 1);
        REQUIRE(again != nullptr);
        CHECK(cache.find_answer(*again, 5, 999) == nullptr);
    }
    SECTION("what is too large is not kept") {
        const Bytes large(AnswerCache::max_content, 9);
        answer.records = large;
        cache.add_answer(*known, 9, answer, AnswerCache::for_ever);
        CHECK(cache.find_answer(*known, 9, 0) == nullptr);
        answer.error_text = {};
        cache.add_answer(*known, 9, answer, AnswerCache::for_ever);
        CHECK(cache.find_answer(*known, 9, 0) != nullptr);
        const Bytes longest(AnswerCache::max_name + 1, 1);
        CHECK(cache.add_question({longest, 0}, 0, 0) == nullptr);
    }
}

TEST_CASE("what is asked for often outlives a flood of names that come once") {
    AnswerCache cache(64);
    const Name often = Name::parse("often.example.com").value();
    const AnswerCache::Question question{often.wire(), 1};
    const uint64_t hash = hash_of(question);
    REQUIRE(cache.add_question(question, hash, 0) != nullptr);
    REQUIRE(cache.find_question(question, hash) != nullptr);
    size_t lost = 0;
    for (int i = 0; i < 10'000; ++i) {
        const Name once = Name::parse("n" + std::to_string(i) + ".example.com").value();
        const AnswerCache::Question flood{once.wire(), 1};
        REQUIRE(cache.add_question(flood, hash_of(flood), 0) != nullptr);
        if (i % 500 == 0 && cache.find_question(question, hash) == nullptr) ++lost;
    }
    CHECK(lost == 0);
}
