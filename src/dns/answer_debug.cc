// SPDX-License-Identifier: Apache-2.0
#include "dns/answer_debug.h"

#include <algorithm>
#include <string>
#include <vector>

#include "dns/authority.h"
#include "health/snapshot.h"

namespace fairway::dns {
namespace {

constexpr size_t max_total = 50'000;  // octets of all records, well below a TCP message's 65,535
constexpr size_t record_overhead = 16;
constexpr size_t max_string = 255;

// One record; text beyond 255 octets goes into further character strings (RFC 1035 section 3.3.14).
std::vector<uint8_t> txt_data(std::string_view text) {
    std::vector<uint8_t> data;
    do {
        const std::string_view part = text.substr(0, max_string);
        data.push_back(static_cast<uint8_t>(part.size()));
        data.insert(data.end(), part.begin(), part.end());
        text.remove_prefix(part.size());
    } while (!text.empty());
    return data;
}

std::string_view kind_text(SelectionKind kind) {
    switch (kind) {
        case SelectionKind::endpoints:
            return "endpoints";
        case SelectionKind::name:
            return "name";
        case SelectionKind::nodata:
            return "nodata";
        case SelectionKind::servfail:
            return "servfail";
        case SelectionKind::refuse:
            return "refuse";
    }
    return "?";
}

std::string decision(const Model& model, const HealthSnapshot& health, const Selection& selection) {
    std::string text = "answer=" + std::string(kind_text(selection.kind));
    if (selection.kind == SelectionKind::name) text += " name=" + model[selection.service].fallback_name;
    text += " ttl=" + std::to_string(selection.ttl.count()) + " scope=" + std::to_string(selection.scope);
    text += " by=" + selection.decided_by.to_string();
    text += selection.used_ecs ? " ecs=yes" : " ecs=no";
    text += selection.last_resort ? " last_resort=yes" : " last_resort=no";
    text += " service=" + model[selection.service].key;
    return text + " generation=" + std::to_string(health.generation);
}

std::string member(const Model& model, const HealthSnapshot& health, EndpointId id,
                   const Selection& selection) {
    const EndpointStatus& status = health[id];
    std::string text = endpoint_path(model, id);
    text += " address=" + (status.address ? status.address->to_string() : std::string("none"));
    text += " measured=" + std::string(to_string(status.measured));
    text += " effective=" + std::string(to_string(status.effective));
    text += " admin=" + std::string(to_string(status.admin));
    text += status.serving ? " serving=yes" : " serving=no";
    const auto found = std::find(selection.endpoints.begin(), selection.endpoints.end(), id);
    const bool answered = selection.kind == SelectionKind::endpoints && found != selection.endpoints.end();
    text += " answered=";
    return text + (answered ? std::to_string(found - selection.endpoints.begin() + 1) : std::string("no"));
}

}  // namespace

bool describe_service(const Serving& serving, ServiceId service, const Selection& selection,
                      const std::function<bool(ByteSpan)>& add) {
    const Model& model = serving.authority->model();
    const HealthSnapshot& health = *serving.health;
    size_t total = 0;
    const auto add_text = [&](std::string_view text) {
        const std::vector<uint8_t> data = txt_data(text);
        total += data.size() + record_overhead;
        return add(data);
    };
    if (!add_text(decision(model, health, selection))) return false;
    for (const GatewayId gateway : model[service].gateways)
        for (const EndpointId id : model[gateway].endpoints) {
            if (total > max_total) return add_text("and more members than fit here");
            if (!add_text(member(model, health, id, selection))) return false;
        }
    return true;
}

}  // namespace fairway::dns
