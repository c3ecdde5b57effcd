// SPDX-License-Identifier: Apache-2.0
#include "health/memory.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace fairway {
namespace {

using nlohmann::json;

/// Times further away than this are nobody's: sums with them stay within 64 bits.
constexpr int64_t furthest = int64_t{1} << 60;
constexpr int64_t longest_rtt = 3'600'000'000;  // microseconds

// Text that probes brought may hold any octets.
std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json to_json(MonotonicTime time) {
    if (time == MonotonicTime::min()) return "never";
    if (time == MonotonicTime::max()) return "always";
    return time.time_since_epoch().count();
}
json to_json(const std::optional<MonotonicTime>& time) {
    return time ? to_json(*time) : json();
}
json to_json(const FlapPenalty& penalty) {
    const FlapPenalty::Memory memory = penalty.remember();
    return {{"penalty", memory.penalty}, {"as_of", to_json(memory.as_of)}, {"wait", memory.wait.count()}};
}
json to_json(const ProbeResult& result) {
    return {{"verdict", static_cast<int>(result.verdict)},
            {"layer", static_cast<int>(result.layer)},
            {"refused", result.explicit_refusal},
            {"reason", result.reason},
            {"rtt", result.rtt ? json(result.rtt->count()) : json()},
            {"lag", result.loop_lag.count()},
            {"detail", result.detail}};
}
json to_json(const HealthMemory::Monitor& monitor) {
    const MonitorState::Memory memory = monitor.state.remember();
    return {{"name", monitor.name},
            {"question", monitor.question},
            {"state", static_cast<int>(memory.state)},
            {"in_doubt", memory.in_doubt},
            {"confirmed", memory.confirmed},
            {"silent", memory.silent},
            {"failures", memory.failures},
            {"successes", memory.successes},
            {"passes", memory.passes},
            {"degraded", memory.degraded},
            {"rtt", memory.rtt.count()},
            {"since", to_json(memory.since)},
            {"last_at", to_json(memory.last_at)},
            {"last", to_json(memory.last)},
            {"last_change", memory.last_change}};
}
json to_json(const HealthMemory::Endpoint& endpoint) {
    json monitors = json::array();
    for (const auto& monitor : endpoint.monitors) monitors.push_back(to_json(monitor));
    return {{"gateway", endpoint.gateway},
            {"name", endpoint.name},
            {"host", endpoint.host},
            {"address", endpoint.address ? json(endpoint.address->to_string()) : json()},
            {"measured", static_cast<int>(endpoint.measured)},
            {"effective", static_cast<int>(endpoint.effective)},
            {"settled", static_cast<int>(endpoint.settled)},
            {"remembered", static_cast<int>(endpoint.remembered)},
            {"rtt", endpoint.rtt.count()},
            {"heard", endpoint.heard},
            {"fell_silent", endpoint.fell_silent},
            {"frozen", endpoint.frozen},
            {"measured_since", to_json(endpoint.measured_since)},
            {"effective_since", to_json(endpoint.effective_since)},
            {"up_since", to_json(endpoint.up_since)},
            {"up_since_before_fall", to_json(endpoint.up_since_before_fall)},
            {"held_until", to_json(endpoint.held_until)},
            {"lost_until", to_json(endpoint.lost_until)},
            {"penalty", to_json(endpoint.penalty)},
            {"penalty_before_fall", to_json(endpoint.penalty_before_fall)},
            {"last_change", endpoint.last_change},
            {"monitors", std::move(monitors)}};
}

/// Reads members of one object: absent ones keep what they have, wrong ones make the whole an error.
class Members {
  public:
    Members(const json& object, bool& ok) : object_(object), ok_(ok) {
        if (!object.is_object()) ok_ = false;
    }

    [[nodiscard]] const json* find(const char* name) const {
        if (!object_.is_object()) return nullptr;
        const auto found = object_.find(name);
        return found == object_.end() || found->is_null() ? nullptr : &*found;
    }
    void text(const char* name, std::string& into) const {
        if (const json* value = find(name)) {
            if (value->is_string())
                into = value->get<std::string>();
            else
                ok_ = false;
        }
    }
    void flag(const char* name, bool& into) const {
        if (const json* value = find(name)) {
            if (value->is_boolean())
                into = value->get<bool>();
            else
                ok_ = false;
        }
    }
    [[nodiscard]] int64_t number(const char* name, int64_t least, int64_t most, int64_t otherwise) const {
        const json* value = find(name);
        if (value == nullptr) return otherwise;
        if (!value->is_number_integer() ||
            (value->is_number_unsigned() &&
             value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) ||
            value->get<int64_t>() < least || value->get<int64_t>() > most) {
            ok_ = false;
            return otherwise;
        }
        return value->get<int64_t>();
    }
    void count(const char* name, uint32_t& into) const {
        into = static_cast<uint32_t>(number(name, 0, std::numeric_limits<uint32_t>::max(), into));
    }
    void state(const char* name, HealthState& into) const {
        into = static_cast<HealthState>(
            number(name, 0, static_cast<int>(HealthState::down), static_cast<int>(into)));
    }
    void rtt(const char* name, microseconds& into) const {
        into = microseconds(number(name, 0, longest_rtt, into.count()));
    }
    void time(const char* name, MonotonicTime& into) const {
        if (const auto read = any_time(name)) into = *read;
        if (into == MonotonicTime::min() || into == MonotonicTime::max()) ok_ = false;
    }
    void time(const char* name, std::optional<MonotonicTime>& into) const {
        if (find(name) == nullptr) return;
        MonotonicTime read{};
        time(name, read);
        into = read;
    }
    void time_or_never(const char* name, MonotonicTime& into) const {
        if (const auto read = any_time(name)) into = *read;
    }
    void penalty(const char* name, FlapPenalty& into) const {
        const json* value = find(name);
        if (value == nullptr) return;
        const Members members(*value, ok_);
        FlapPenalty::Memory memory;
        if (const json* number_ = members.find("penalty")) {
            memory.penalty = number_->is_number() ? number_->get<double>() : -1;
            if (!(memory.penalty >= 0 && memory.penalty <= FlapPenalty::ceiling)) {
                ok_ = false;
                return;
            }
        }
        members.time("as_of", memory.as_of);
        memory.wait = nanoseconds(members.number("wait", 0, furthest, 0));
        into = FlapPenalty(memory);
    }
    template <class Each>
    void each(const char* name, Each each) const {
        const json* value = find(name);
        if (value == nullptr) return;
        if (!value->is_array()) {
            ok_ = false;
            return;
        }
        for (const json& item : *value) each(Members(item, ok_));
    }

  private:
    [[nodiscard]] std::optional<MonotonicTime> any_time(const char* name) const {
        const json* value = find(name);
        if (value == nullptr) return std::nullopt;
        if (*value == "never") return MonotonicTime::min();
        if (*value == "always") return MonotonicTime::max();
        return MonotonicTime(nanoseconds(number(name, -furthest, furthest, 0)));
    }

    const json& object_;
    bool& ok_;
};

ProbeResult read_result(const Members& members) {
    ProbeResult result;
    result.verdict = static_cast<Verdict>(
        members.number("verdict", 0, static_cast<int>(Verdict::fail), static_cast<int>(Verdict::fail)));
    result.layer =
        static_cast<ProbeLayer>(members.number("layer", 0, static_cast<int>(ProbeLayer::internal), 0));
    members.flag("refused", result.explicit_refusal);
    members.text("reason", result.reason);
    if (members.find("rtt") != nullptr) {
        microseconds rtt{0};
        members.rtt("rtt", rtt);
        result.rtt = rtt;
    }
    members.rtt("lag", result.loop_lag);
    members.text("detail", result.detail);
    return result;
}

HealthMemory::Monitor read_monitor(const Members& members, bool& ok) {
    HealthMemory::Monitor monitor;
    members.text("name", monitor.name);
    members.text("question", monitor.question);
    MonitorState::Memory memory;
    members.state("state", memory.state);
    members.flag("in_doubt", memory.in_doubt);
    members.flag("confirmed", memory.confirmed);
    members.flag("silent", memory.silent);
    members.count("failures", memory.failures);
    members.count("successes", memory.successes);
    members.count("passes", memory.passes);
    members.count("degraded", memory.degraded);
    members.rtt("rtt", memory.rtt);
    members.time("since", memory.since);
    members.time("last_at", memory.last_at);
    if (const json* last = members.find("last")) memory.last = read_result(Members(*last, ok));
    members.text("last_change", memory.last_change);
    monitor.state = MonitorState(std::move(memory));
    return monitor;
}

HealthMemory::Endpoint read_endpoint(const Members& members, bool& ok) {
    HealthMemory::Endpoint endpoint;
    members.text("gateway", endpoint.gateway);
    members.text("name", endpoint.name);
    members.text("host", endpoint.host);
    if (std::string text; members.find("address") != nullptr) {
        members.text("address", text);
        const auto address = IpAddress::parse(text);
        if (address)
            endpoint.address = *address;
        else
            ok = false;
    }
    members.state("measured", endpoint.measured);
    members.state("effective", endpoint.effective);
    members.state("settled", endpoint.settled);
    members.state("remembered", endpoint.remembered);
    members.rtt("rtt", endpoint.rtt);
    endpoint.heard = static_cast<uint8_t>(members.number("heard", 0, 2, 0));
    members.flag("fell_silent", endpoint.fell_silent);
    members.flag("frozen", endpoint.frozen);
    members.time("measured_since", endpoint.measured_since);
    members.time("effective_since", endpoint.effective_since);
    members.time_or_never("up_since", endpoint.up_since);
    members.time_or_never("up_since_before_fall", endpoint.up_since_before_fall);
    members.time("held_until", endpoint.held_until);
    members.time("lost_until", endpoint.lost_until);
    members.penalty("penalty", endpoint.penalty);
    members.penalty("penalty_before_fall", endpoint.penalty_before_fall);
    members.text("last_change", endpoint.last_change);
    members.each("monitors",
                 [&](const Members& each) { endpoint.monitors.push_back(read_monitor(each, ok)); });
    return endpoint;
}

}  // namespace

std::string to_text(const HealthMemory& memory) {
    json all{{"endpoints", json::array()},         {"gateways", json::array()},
             {"regions", json::array()},           {"zones", json::array()},
             {"services", json::array()},          {"isolated", memory.isolated},
             {"thaw_at", to_json(memory.thaw_at)}, {"first_round_done", memory.first_round_done}};
    for (const auto& endpoint : memory.endpoints) all["endpoints"].push_back(to_json(endpoint));
    for (const auto& gateway : memory.gateways)
        all["gateways"].push_back({{"name", gateway.name},
                                   {"active", gateway.active},
                                   {"shown", gateway.shown},
                                   {"last_change", gateway.last_change},
                                   {"since", to_json(gateway.since)},
                                   {"usable", gateway.usable},
                                   {"effective", static_cast<int>(gateway.effective)}});
    for (const auto& area : memory.regions)
        all["regions"].push_back({{"name", area.name}, {"shown", area.shown}});
    for (const auto& area : memory.zones)
        all["zones"].push_back({{"name", area.name}, {"shown", area.shown}});
    for (const auto& service : memory.services) {
        json held = json::array();
        for (const auto& each : service.held)
            held.push_back(
                {{"gateway", each.gateway}, {"since", to_json(each.since)}, {"until", to_json(each.until)}});
        all["services"].push_back(
            {{"key", service.key}, {"shown", service.shown}, {"held", std::move(held)}});
    }
    return dump(all);
}

Result<HealthMemory> parse_health_memory(std::string_view text) {
    const json all = json::parse(text, nullptr, false);
    bool ok = !all.is_discarded();
    HealthMemory memory;
    if (ok) {
        const Members members(all, ok);
        members.each("endpoints",
                     [&](const Members& each) { memory.endpoints.push_back(read_endpoint(each, ok)); });
        members.each("gateways", [&](const Members& each) {
            auto& gateway = memory.gateways.emplace_back();
            each.text("name", gateway.name);
            each.text("active", gateway.active);
            each.text("shown", gateway.shown);
            each.text("last_change", gateway.last_change);
            each.time("since", gateway.since);
            each.flag("usable", gateway.usable);
            each.state("effective", gateway.effective);
        });
        for (auto& [name, areas] :
             {std::pair{"regions", &memory.regions}, std::pair{"zones", &memory.zones}}) {
            members.each(name, [&areas = *areas](const Members& each) {
                auto& area = areas.emplace_back();
                each.text("name", area.name);
                each.text("shown", area.shown);
            });
        }
        members.each("services", [&](const Members& each) {
            auto& service = memory.services.emplace_back();
            each.text("key", service.key);
            each.text("shown", service.shown);
            each.each("held", [&](const Members& one) {
                auto& held = service.held.emplace_back();
                one.text("gateway", held.gateway);
                one.time("since", held.since);
                one.time("until", held.until);
            });
        });
        members.flag("isolated", memory.isolated);
        members.time("thaw_at", memory.thaw_at);
        members.flag("first_round_done", memory.first_round_done);
    }
    if (!ok) return fail("the health that was handed over cannot be read");
    return memory;
}

}  // namespace fairway
