// SPDX-License-Identifier: Apache-2.0
#include "pdns/protocol.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "pdns/json_reader.h"

namespace fairway::pdns {
namespace {

struct MethodName {
    std::string_view name;
    Method method;
    /// The parameter that holds the name it is about.
    std::string_view name_key;
};

constexpr MethodName methods[] = {
    {"initialize", Method::initialize, ""},
    {"lookup", Method::lookup, "qname"},
    {"list", Method::list, "zonename"},
    {"getAllDomains", Method::get_all_domains, ""},
    {"getDomainInfo", Method::get_domain_info, "name"},
    {"getAllDomainMetadata", Method::get_all_domain_metadata, "name"},
    {"getDomainMetadata", Method::get_domain_metadata, "name"},
};

void read_parameters(JsonReader& reader, Call& call, std::string& key) {
    for (reader.enter_object(); reader.next_member(key);) {
        const bool is_string = reader.peek() == JsonReader::Kind::string;
        if (is_string && (key == "qname" || key == "zonename" || key == "name"))
            reader.read_string(call.name);
        else if (is_string && key == "qtype")
            reader.read_string(call.qtype);
        else if (is_string && key == "remote")
            reader.read_string(call.remote);
        else if (is_string && key == "real-remote")
            reader.read_string(call.real_remote);
        else if (key == "zone-id" || key == "domain_id")
            call.zone_id = reader.read_integer();
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

}  // namespace

Result<void> parse_call(std::string_view text, Call& call) {
    call.method = Method::unknown;
    call.method_name.clear();
    call.name.clear();
    call.qtype.clear();
    call.remote.clear();
    call.real_remote.clear();
    call.zone_id = -1;

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
    const auto* found = std::find_if(std::begin(methods), std::end(methods),
                                     [&call](const MethodName& m) { return m.name == call.method_name; });
    if (found == std::end(methods)) return {};
    if (!found->name_key.empty() && call.name.empty())
        return fail(call.method_name + " without " + std::string(found->name_key));
    call.method = found->method;
    return {};
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

void append_refusal(std::string& out) {
    out += R"({"result":false})";
}

}  // namespace fairway::pdns
