// SPDX-License-Identifier: Apache-2.0
// The pure pieces of the health engine, each through its whole truth table.
#include <array>
#include <catch2/catch.hpp>

#include "health/admin.h"
#include "health/composition.h"
#include "health/damping.h"
#include "health/isolation.h"
#include "health/monitor_state.h"
#include "sim/results.h"

using namespace fairway;
using namespace fairway::sim;

namespace {

const MonotonicTime start{std::chrono::hours{1}};

Monitor monitor(uint32_t fall = 3, uint32_t rise = 2) {
    Monitor m;
    m.name = "ike";
    m.fall = fall;
    m.rise = rise;
    return m;
}

/// p d f r i: pass, degraded, fail in silence, refused, internal trouble. Returns one character a result:
/// the state (? unknown, U up, s suspect, D degraded, x down), and after it the pace (. interval, r recheck,
/// n at once).
std::string play(const Monitor& m, std::string_view results) {
    MonitorState state(start);
    std::string seen;
    for (size_t i = 0; i < results.size(); ++i) {
        const char c = results[i];
        const ProbeResult result = c == 'p'   ? pass()
                                   : c == 'd' ? degraded()
                                   : c == 'f' ? silence()
                                   : c == 'r' ? refused()
                                              : own_trouble();
        const Pace pace = state.apply(m, result, start + seconds{i});
        seen += "?UsDx"[static_cast<size_t>(state.state())];
        seen += ".rn"[static_cast<size_t>(pace)];
        CHECK(state.in_doubt() == (pace != Pace::interval));
    }
    return seen;
}

}  // namespace

TEST_CASE("a monitor's state follows its truth table") {
    const Monitor m = monitor();
    // The first result decides at once.
    CHECK(play(m, "p") == "U.");
    CHECK(play(m, "d") == "D.");
    CHECK(play(m, "f") == "xr");
    CHECK(play(m, "r") == "xn");
    CHECK(play(m, "i") == "?r");
    // A down of the first results is undone by one success until `fall` failures have confirmed it.
    CHECK(play(m, "fp") == "xrU.");
    CHECK(play(m, "ffd") == "xrxrD.");
    CHECK(play(m, "fffp") == "xrxrx.xr");
    // up
    CHECK(play(m, "pp") == "U.U.");
    CHECK(play(m, "pd") == "U.U.");
    CHECK(play(m, "pf") == "U.sr");
    CHECK(play(m, "pffff") == "U.srsrx.x.");
    CHECK(play(m, "pr") == "U.sn");
    CHECK(play(m, "prrr") == "U.snsrx.");
    // suspect
    CHECK(play(m, "pfp") == "U.srU.");
    CHECK(play(m, "pfd") == "U.srU.");
    CHECK(play(m, "pffpff") == "U.srsrU.srsr");
    // degraded comes after `fall` such results in a row, and goes after `rise` passes in a row.
    CHECK(play(m, "pddd") == "U.U.U.D.");
    CHECK(play(m, "pddpdd") == "U.U.U.U.U.U.");
    CHECK(play(m, "dpp") == "D.D.U.");
    CHECK(play(m, "dpdp") == "D.D.D.D.");
    CHECK(play(m, "dfff") == "D.DrDrx.");
    CHECK(play(m, "dfp") == "D.DrD.");
    // down
    CHECK(play(m, "pfffpp") == "U.srsrx.xrU.");
    CHECK(play(m, "pfffpf") == "U.srsrx.xrx.");
    CHECK(play(m, "pfffpd") == "U.srsrx.xrD.");
    CHECK(play(m, "pffffff") == "U.srsrx.x.x.x.");
    // Our own trouble decides nothing, in any state.
    CHECK(play(m, "piiiii") == "U.U.U.U.U.U.");
    CHECK(play(m, "pfiif") == "U.srsrsrsr");
    CHECK(play(m, "pfffipip") == "U.srsrx.x.xrxrU.");
}

TEST_CASE("a monitor with fall 1 and rise 1 decides with every result, and zero counts as one") {
    CHECK(play(monitor(1, 1), "pfpr") == "U.x.U.x.");
    CHECK(play(monitor(0, 0), "pfpr") == "U.x.U.x.");
    CHECK(play(monitor(1, 1), "frp") == "x.x.U.");
}

TEST_CASE("a monitor tells people why, since when and how often") {
    const Monitor m = monitor();
    MonitorState state(start);
    CHECK(state.last_change().empty());
    CHECK_FALSE(state.last_at().has_value());
    (void)state.apply(m, pass(), start + seconds{1});
    CHECK(state.last_change() == "up at the first result");
    (void)state.apply(m, refused(), start + seconds{2});
    CHECK(state.last_change() == "suspect after 1 failure: transport: connect refused");
    CHECK(state.since() == start + seconds{1});
    (void)state.apply(m, silence(), start + seconds{3});
    (void)state.apply(m, refused(), start + seconds{4});
    CHECK(state.last_change() == "down after 3 failures: transport: connect refused");
    CHECK(state.since() == start + seconds{4});
    CHECK(state.failures() == 3);
    (void)state.apply(m, pass(), start + seconds{5});
    (void)state.apply(m, degraded(), start + seconds{6});
    CHECK(state.last_change() == "degraded after 2 successes: TLS: certificate expires in 3 days");
    CHECK(state.successes() == 2);
    CHECK(state.last_at() == start + seconds{6});
    CHECK(state.last().reason == "certificate expires in 3 days");
}

TEST_CASE("a monitor smooths round trips and knows silence from a word") {
    const Monitor m = monitor();
    MonitorState state(start);
    ProbeResult result = pass();
    result.rtt = microseconds{8000};
    (void)state.apply(m, result, start);
    CHECK(state.rtt() == microseconds{8000});
    result.rtt = microseconds{16000};
    (void)state.apply(m, result, start);
    CHECK(state.rtt() == microseconds{9000});
    CHECK_FALSE(state.silent());
    (void)state.apply(m, silence(), start);
    CHECK(state.silent());
    (void)state.apply(m, own_trouble(), start);
    CHECK(state.silent());
    (void)state.apply(m, refused(), start);
    CHECK_FALSE(state.silent());
    ProbeResult answered = silence();
    answered.rtt = microseconds{100};  // the handshake went through, then nothing
    (void)state.apply(m, answered, start);
    CHECK_FALSE(state.silent());
    ProbeResult unreachable = refused();
    unreachable.layer = ProbeLayer::network;  // some router said so, perhaps our own
    (void)state.apply(m, unreachable, start);
    CHECK(state.silent());
    CHECK(state.rtt() == microseconds{9000});
}

TEST_CASE("the stronger of two decisions holds, and of equals the first") {
    const std::array ranks{
        AdminDecision{AdminState::automatic, false}, AdminDecision{AdminState::forced_up, false},
        AdminDecision{AdminState::drain, false}, AdminDecision{AdminState::maintenance, true},
        AdminDecision{AdminState::forced_down, false}};
    for (size_t i = 0; i < ranks.size(); ++i) {
        for (size_t j = 0; j < ranks.size(); ++j)
            CHECK(stronger(ranks[i], ranks[j]) == ranks[std::max(i, j)]);
    }
    const AdminDecision drain{AdminState::drain, false};
    const AdminDecision maintenance{AdminState::maintenance, false};
    CHECK(stronger(drain, maintenance) == drain);
    CHECK(stronger(maintenance, drain) == maintenance);
}

TEST_CASE("operators' decisions make the effective state") {
    for (const HealthState measured : {HealthState::unknown, HealthState::up, HealthState::suspect,
                                       HealthState::degraded, HealthState::down}) {
        const auto made = [measured](AdminState state, bool down = false) {
            const Administered result = administer({state, down}, measured);
            return std::pair(result.effective, result.withheld);
        };
        CHECK(made(AdminState::automatic) == std::pair(measured, false));
        CHECK(made(AdminState::forced_up) == std::pair(HealthState::up, false));
        CHECK(made(AdminState::drain) == std::pair(measured, true));
        CHECK(made(AdminState::maintenance) == std::pair(measured, true));
        CHECK(made(AdminState::maintenance, true) == std::pair(HealthState::down, true));
        CHECK(made(AdminState::forced_down) == std::pair(HealthState::down, true));
    }
}

TEST_CASE("returns wait from the third quick fall on, twice as long each time, up to the limit") {
    const DampingSettings settings;
    FlapPenalty penalty;
    MonotonicTime now = start;
    std::vector<int64_t> waits;
    for (int i = 0; i < 11; ++i, now += seconds{20}) {
        const nanoseconds wait = penalty.fall(settings, now);
        CHECK(wait == penalty.wait());
        waits.push_back(std::chrono::duration_cast<seconds>(wait).count());
    }
    CHECK(waits == std::vector<int64_t>{0, 0, 10, 20, 40, 80, 160, 320, 600, 600, 600});
    CHECK(penalty.at(settings, now) <= FlapPenalty::ceiling);
}

TEST_CASE("the penalty halves with time, and a long quiet spell forgives everything") {
    const DampingSettings settings;
    FlapPenalty penalty;
    CHECK(penalty.at(settings, start) == 0);
    for (int i = 0; i < 4; ++i) (void)penalty.fall(settings, start);
    CHECK(penalty.wait() == seconds{20});
    CHECK(penalty.at(settings, start) == Approx(4));
    CHECK(penalty.at(settings, start + seconds{300}) == Approx(2));
    CHECK(penalty.at(settings, start + seconds{600}) == Approx(1));
    CHECK(penalty.fall(settings, start + std::chrono::hours{1}) == nanoseconds{0});
}

TEST_CASE("without damping no return waits") {
    DampingSettings settings;
    settings.enabled = false;
    FlapPenalty penalty;
    for (int i = 0; i < 20; ++i) CHECK(penalty.fall(settings, start) == nanoseconds{0});
}

TEST_CASE("silence of all of at least three endpoints looks like our own network") {
    const IsolationSettings all;
    CHECK_FALSE(looks_isolated(all, 0, 0));
    CHECK_FALSE(looks_isolated(all, 2, 0));
    CHECK(looks_isolated(all, 3, 0));
    CHECK_FALSE(looks_isolated(all, 30, 1));
    IsolationSettings most;
    most.share = 0.8;
    CHECK(looks_isolated(most, 8, 2));
    CHECK_FALSE(looks_isolated(most, 7, 2));
    IsolationSettings off;
    off.enabled = false;
    CHECK_FALSE(looks_isolated(off, 100, 0));
}

namespace {

/// A member from one character: U up, s suspect, D degraded, ? unknown, x down; lower-case prefix '-'
/// withheld,
/// '+' forced up, '@' without an address.
std::vector<Member> members(std::string_view text, MonotonicTime up_since = MonotonicTime::min()) {
    std::vector<Member> all;
    Member next;
    next.addressed = true;
    for (const char c : text) {
        if (c == '-') next.withheld = true;
        if (c == '+') next.forced_up = true;
        if (c == '@') next.addressed = false;
        const size_t state = std::string_view("?UsDx").find(c);
        if (state == std::string_view::npos) continue;
        next.measured = static_cast<HealthState>(state);
        next.effective = next.forced_up ? HealthState::up : next.measured;
        next.up_since = up_since;
        all.push_back(next);
        next = Member{};
        next.addressed = true;
    }
    return all;
}

/// "measured effective serving": "U U 110".
std::string active_active(std::string_view text, uint32_t min_up = 1) {
    Gateway gateway;
    gateway.min_up = min_up;
    std::vector<Member> all = members(text);
    const Composition c = compose(gateway, all, std::nullopt, start);
    std::string seen{"?UsDx"[static_cast<size_t>(c.measured)], ' ', "?UsDx"[static_cast<size_t>(c.effective)],
                     ' '};
    bool any = false;
    for (const Member& member : all) {
        seen += member.serving ? '1' : '0';
        any = any || member.serving;
    }
    CHECK(c.usable == any);
    return seen;
}

/// The active endpoint, and "+N" seconds until it would fail back.
std::string active_standby(std::vector<Member> all, std::optional<size_t> previous) {
    Gateway gateway;
    gateway.mode = GatewayMode::active_standby;
    gateway.failback_delay = seconds{60};
    const Composition c = compose(gateway, all, previous, start);
    size_t serving = 0;
    for (size_t i = 0; i < all.size(); ++i) {
        serving += all[i].serving ? 1 : 0;
        if (all[i].serving) CHECK(c.active == i);
    }
    CHECK(serving == (c.active ? 1 : 0));
    std::string seen = c.active ? std::to_string(*c.active) : "none";
    if (c.failback_at)
        seen += "+" + std::to_string(std::chrono::duration_cast<seconds>(*c.failback_at - start).count());
    return seen;
}

}  // namespace

TEST_CASE("an active-active gateway serves with every usable endpoint if there are enough of them") {
    CHECK(active_active("UU") == "U U 11");
    CHECK(active_active("Us") == "U U 11");
    CHECK(active_active("Ux") == "U U 10");
    CHECK(active_active("xx") == "x x 00");
    CHECK(active_active("xD") == "D D 01");
    CHECK(active_active("x?") == "? ? 01");
    CHECK(active_active("UUx", 2) == "U U 110");
    CHECK(active_active("UsD", 2) == "s s 111");
    CHECK(active_active("Uxx", 2) == "x x 000");
    CHECK(active_active("U@Ux", 2) == "? ? 000");
    CHECK(active_active("-UU") == "U U 01");
    CHECK(active_active("-U-U") == "U U 00");
    CHECK(active_active("-Ux") == "U x 00");
    CHECK(active_active("-UU", 2) == "U x 00");
    CHECK(active_active("+xx") == "x U 10");
    CHECK(active_active("+xx", 2) == "x D 10");
    CHECK(active_active("@U") == "? ? 0");
    CHECK(active_active("") == "x x ");
}

TEST_CASE("an active-standby gateway serves with exactly one, and prefers the primary") {
    const auto standby = [](std::string_view text, std::optional<size_t> previous = std::nullopt,
                            MonotonicTime up_since = MonotonicTime::min()) {
        return active_standby(members(text, up_since), previous);
    };
    // Nobody so far: the first of the best.
    CHECK(standby("UU") == "0");
    CHECK(standby("xU") == "1");
    CHECK(standby("DU") == "1");
    CHECK(standby("?D") == "1");
    CHECK(standby("??") == "0");
    CHECK(standby("xx") == "none");
    CHECK(standby("-UU") == "1");
    CHECK(standby("-U-U") == "none");
    CHECK(standby("@UU") == "1");
    // The active one is lost: at once.
    CHECK(standby("xUU", 0) == "1");
    CHECK(standby("UxU", 1) == "0");
    CHECK(standby("-UUU", 0) == "1");
    // A better one takes over at once; an equal one later in the list never.
    CHECK(standby("DU", 0) == "1");
    CHECK(standby("?U", 0) == "1");
    CHECK(standby("sU", 0) == "0");
    CHECK(standby("UU", 0) == "0");
    // The primary takes over again only after it was up for long enough.
    CHECK(standby("UU", 1, start - seconds{20}) == "1+40");
    CHECK(standby("UU", 1, start - seconds{60}) == "0");
    CHECK(standby("UU", 1) == "0");  // it never came back from anything
    CHECK(standby("+xU", 1, start) == "0");
    CHECK(standby("DD", 1, start - seconds{600}) == "1");
    CHECK(standby("UUU", 2, start - seconds{50}) == "2+10");
}
