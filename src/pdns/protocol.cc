// SPDX-License-Identifier: Apache-2.0
#include "pdns/protocol.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "pdns/json_reader.h"

namespace fairway::pdns {
namespace {

// PowerDNS puts into the path whatever a call has of: id, domain_id, zonename, qname, name, kind, qtype; then
// what the method adds itself.
constexpr MethodRule methods[] = {
    {"initialize", Method::initialize, "", false},
    {"lookup", Method::lookup, "nq", true},
    {"list", Method::list, "zn", true},
    {"getAllDomains", Method::get_all_domains, "", false},
    {"getDomainInfo", Method::get_domain_info, "n", true},
    {"getAllDomainMetadata", Method::get_all_domain_metadata, "n", true},
    {"getDomainMetadata", Method::get_domain_metadata, "nk", true},
    {"getDomainKeys", Method::get_domain_keys, "n", true},
    {"getBeforeAndAfterNamesAbsolute", Method::get_before_and_after_names, "in", false},
    {"getTSIGKey", Method::get_tsig_key, "n", true},
    {"getTSIGKeys", Method::get_tsig_keys, "", false},
    {"getUpdatedMasters", Method::get_updated_masters, "", false},
    {"setNotified", Method::set_notified, "i", false},
    {"searchRecords", Method::search_records, "", false},
    {"directBackendCmd", Method::direct_backend_cmd, "", false},
    {"APILookup", Method::api_lookup, "nq", true},
    {"setDomainMetadata", Method::write_metadata, "nk", false},
    {"addDomainKey", Method::write_keys, "n", false},
    {"removeDomainKey", Method::write_keys, "in", false},
    {"activateDomainKey", Method::write_keys, "in", false},
    {"deactivateDomainKey", Method::write_keys, "in", false},
    {"publishDomainKey", Method::write_keys, "in", false},
    {"unpublishDomainKey", Method::write_keys, "in", false},
    {"setTSIGKey", Method::write_tsig, "n", false},
    {"deleteTSIGKey", Method::write_tsig, "n", false},
    {"startTransaction", Method::write_content, "znx", false},
    {"commitTransaction", Method::write_content, "x", false},
    {"abortTransaction", Method::write_content, "x", false},
    {"replaceRRSet", Method::write_content, "znq", false},
    {"feedRecord", Method::write_content, "x", false},
    {"feedEnts", Method::write_content, "zx", false},
    {"feedEnts3", Method::write_content, "znx", false},
    {"getUnfreshSlaveInfos", Method::secondary, "", false},
    {"setFresh", Method::secondary, "i", false},
    {"setStale", Method::secondary, "i", false},
    {"superMasterBackend", Method::secondary, "xn", false},
    {"createSlaveDomain", Method::secondary, "xn", false},
};

void read_parameters(JsonReader& reader, Call& call, std::string& key) {
    for (reader.enter_object(); reader.next_member(key);) {
        const bool is_string = reader.peek() == JsonReader::Kind::string;
        if (is_string && (key == "qname" || key == "zonename" || key == "name" || key == "domain"))
            reader.read_string(call.name);
        else if (is_string && key == "qtype")
            reader.read_string(call.qtype);
        else if (is_string && key == "remote")
            reader.read_string(call.remote);
        else if (is_string && key == "real-remote")
            reader.read_string(call.real_remote);
        else if (key == "zone-id" || key == "domain_id")
            call.zone_id = reader.read_integer();
        else if (key == "id")
            call.id = reader.read_integer();
        else if (is_string && key == "kind")
            reader.read_string(call.kind);
        else if (is_string && (key == "pattern" || key == "query"))
            reader.read_string(call.text);
        else if (key == "serial")
            call.serial = reader.read_integer();
        else if (key == "maxResults")
            call.max_results = reader.read_integer();
        else
            reader.skip_value();
    }
}

/// "192.0.2.0/24"; a prefix with bits set beyond its length is taken for what it means.
std::optional<IpPrefix> parse_prefix(std::string_view text) {
    const size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    unsigned length = address->bits();
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
        if (error != std::errc{} || end != digits.data() + digits.size() || length > address->bits())
            return std::nullopt;
    }
    return IpPrefix(*address, static_cast<uint8_t>(length));
}

/// Makes a call with its parameters one of the method that it names.
Result<void> finish(Call& call) {
    const MethodRule* rule = find_method(call.method_name);
    if (rule == nullptr) return {};
    if (rule->needs_name && call.name.empty())
        return fail(call.method_name + " without the name that it is about");
    call.method = rule->method;
    return {};
}

}  // namespace

void Call::clear() {
    method = Method::unknown;
    for (std::string* each : {&method_name, &name, &qtype, &kind, &remote, &real_remote, &text})
        each->clear();
    zone_id = -1;
    id = -1;
    serial = 0;
    max_results = 100;
}

const MethodRule* find_method(std::string_view name) noexcept {
    const auto* found = std::find_if(std::begin(methods), std::end(methods), [name](const MethodRule& rule) {
        return rule.name.size() == name.size() &&
               std::equal(name.begin(), name.end(), rule.name.begin(),
                          [](char a, char b) { return ascii_lower(a) == ascii_lower(b); });
    });
    return found == std::end(methods) ? nullptr : found;
}

Result<void> parse_call(std::string_view text, Call& call) {
    call.clear();
    JsonReader reader(text);
    std::string key;
    for (reader.enter_object(); reader.next_member(key);) {
        if (key == "method")
            reader.read_string(call.method_name);
        else if (key == "parameters" && reader.peek() == JsonReader::Kind::object)
            read_parameters(reader, call, key);
        else
            reader.skip_value();
    }
    reader.expect_end();
    if (!reader.ok()) return fail("not a JSON object of the remote backend protocol");
    if (call.method_name.empty()) return fail("a call without a method");
    return finish(call);
}

Result<void> parse_call(std::string_view method, std::string_view parameters, Call& call) {
    call.clear();
    call.method_name = method;
    if (!parameters.empty()) {
        JsonReader reader(parameters);
        std::string key;
        read_parameters(reader, call, key);
        reader.expect_end();
        if (!reader.ok()) return fail("parameters that are not a JSON object of the remote backend protocol");
    }
    return finish(call);
}

//     real-remote            decides                      scope
//     prefix longer than 0   it (a host: also without     as steering says
//                            ECS, and then it is remote)
//     0.0.0.0/0, ::/0        remote                       0: the client wants no tailoring, or PowerDNS
//                                                         asks for itself
//     absent or malformed    remote                       as steering says; PowerDNS was not told to
//                                                         process ECS
CallClient client_of(const Call& call) noexcept {
    CallClient result;
    const auto remote = IpAddress::parse(call.remote);
    const std::optional<IpPrefix> real = parse_prefix(call.real_remote);
    if (remote)
        result.client.source = *remote;
    else if (real)
        result.client.source = real->address();
    if (!real) return result;
    if (real->length() == 0) {
        result.scoped = false;
        return result;
    }
    const bool is_source =
        real->length() == real->address().bits() && real->address() == result.client.source;
    if (!is_source) result.client.ecs = *real;
    return result;
}

}  // namespace fairway::pdns
