// SPDX-License-Identifier: Apache-2.0
#include "config/codecs.h"

namespace fairway::config {
namespace {

std::string number_text(double value) {
    std::array<char, 32> buffer{};
    const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    return {buffer.data(), end};
}

bool is_bare(std::string_view key) {
    return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
    });
}

std::string members(const std::vector<Property>& properties) {
    std::string text;
    for (const Property& property : properties) {
        std::string schema = property.schema;
        if (schema == "true") schema = "{}";
        std::string extra = R"("description":)" + quote(property.help);
        if (!property.default_json.empty()) extra += R"(,"default":)" + property.default_json;
        if (schema.size() > 2) extra += ",";
        schema.insert(1, extra);
        text += (text.empty() ? "" : ",") + quote(property.name) + ":" + schema;
    }
    return text;
}

std::string required_names(const std::vector<Property>& properties) {
    std::string text;
    for (const Property& property : properties) {
        if (property.required) text += (text.empty() ? "" : ",") + quote(property.name);
    }
    return text.empty() ? "" : R"(,"required":[)" + text + "]";
}

}  // namespace

std::string toml_key(std::string_view key) {
    return is_bare(key) ? std::string(key) : quote(key);
}

std::string choice_schema(const std::vector<std::string>& names) {
    std::string all;
    for (const std::string& each : names) all += (all.empty() ? "" : ",") + quote(each);
    return R"({"type":"string","enum":[)" + all + "]}";
}

std::string choice_type(const std::vector<std::string>& names) {
    std::string all;
    for (const std::string& each : names) all += (all.empty() ? "" : " | ") + quote(each);
    return all;
}

void Context::error(const Node& at, const std::string& message) {
    report.error(at.where, subject + (key.empty() ? "" : std::string(key) + ": ") + message);
}

bool Context::wrong_kind(const Node& at, std::string_view wanted) {
    error(at, std::string(wanted) + " is wanted, not " + std::string(at.kind_name()));
    return false;
}

bool Text::read(Context& context, const Node& node, std::string& value) const {
    if (node.kind != Node::Kind::text) return context.wrong_kind(node, "a string");
    if (node.text.size() > longest) {
        context.error(node, "it is longer than " + std::to_string(longest) + " characters");
        return false;
    }
    if (!one_of.empty() && std::find(one_of.begin(), one_of.end(), node.text) == one_of.end()) {
        std::string all;
        for (const std::string& each : one_of) all += (all.empty() ? "" : ", ") + quote(each);
        context.error(node,
                      quote(node.text) + " is none of " + all + context.report.suggest(node.text, one_of));
        return false;
    }
    const std::string complaint = check == nullptr ? "" : check(node.text);
    if (!complaint.empty()) {
        context.error(node, quote(node.text) + " " + complaint);
        return false;
    }
    value = node.text;
    return true;
}

std::string Text::schema() const {
    if (!one_of.empty()) return choice_schema(one_of);
    return R"({"type":"string","maxLength":)" + std::to_string(longest) + "}";
}

std::string Text::type() const {
    return one_of.empty() ? what : choice_type(one_of);
}

bool Number::read(Context& context, const Node& node, double& value) const {
    if (node.kind != Node::Kind::number && node.kind != Node::Kind::integer)
        return context.wrong_kind(node, "a number");
    const double number = node.kind == Node::Kind::integer ? static_cast<double>(node.integer) : node.number;
    if (!(number >= least && number <= most)) {  // also for NaN
        context.error(
            node, number_text(number) + " is not from " + number_text(least) + " to " + number_text(most));
        return false;
    }
    value = number;
    return true;
}

std::string Number::write(double value) const {
    const std::string text = number_text(value);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string Number::schema() const {
    return R"({"type":"number","minimum":)" + number_text(least) + R"(,"maximum":)" + number_text(most) + "}";
}

std::string Number::type() const {
    return "number " + number_text(least) + " to " + number_text(most);
}

bool Duration::read(Context& context, const Node& node, nanoseconds& value) const {
    if (node.kind != Node::Kind::text) return context.wrong_kind(node, "a duration such as \"5s\"");
    const auto parsed = parse_duration(node.text);
    if (!parsed) {
        context.error(node, parsed.error().message);
        return false;
    }
    if (*parsed < least || *parsed > most) {
        context.error(node, format_duration(*parsed) + " is not from " + format_duration(least) + " to " +
                                format_duration(most));
        return false;
    }
    value = *parsed;
    return true;
}

std::string Duration::schema() const {
    return R"({"type":"string","pattern":"^([0-9]+([.][0-9]+)?(ns|us|ms|s|m|h|d|w))+$"})";
}

bool Ttl::read(Context& context, const Node& node, seconds& value) const {
    if (node.kind == Node::Kind::integer) {
        int64_t count = 0;
        if (!Integer<int64_t>{least, most}.read(context, node, count)) return false;
        value = seconds{count};
        return true;
    }
    if (node.kind != Node::Kind::text)
        return context.wrong_kind(node, "a number of seconds or a duration such as \"1h\"");
    nanoseconds length{0};
    if (!Duration{seconds{least}, seconds{most}}.read(context, node, length)) return false;
    if (length % seconds{1} != nanoseconds{0}) {
        context.error(node, quote(node.text) + " is not a whole number of seconds");
        return false;
    }
    value = std::chrono::duration_cast<seconds>(length);
    return true;
}

std::string Ttl::schema() const {
    return R"({"anyOf":[)" + Integer<int64_t>{least, most}.schema() + "," + Duration{}.schema() + "]}";
}

Parsed<IpAddress> ip_address() {
    return {"address", IpAddress::parse, [](const IpAddress& value) { return value.to_string(); }};
}

Parsed<IpPrefix> ip_prefix() {
    return {"prefix", IpPrefix::parse, [](const IpPrefix& value) { return value.to_string(); }};
}

Parsed<SocketAddress> dns_socket() {
    return {"address with port", [](std::string_view text) { return SocketAddress::parse(text, 53); },
            [](const SocketAddress& value) { return value.to_string(); }};
}

Parsed<SocketAddress> dns_tls_socket() {
    return {"address with port", [](std::string_view text) { return SocketAddress::parse(text, 853); },
            [](const SocketAddress& value) { return value.to_string(); }};
}

Parsed<SocketAddress> socket_address() {
    return {"address with port", [](std::string_view text) { return SocketAddress::parse(text); },
            [](const SocketAddress& value) { return value.to_string(); }};
}

Parsed<std::variant<SocketAddress, std::filesystem::path>> zeromq_endpoint() {
    using Endpoint = std::variant<SocketAddress, std::filesystem::path>;
    return {"ZeroMQ endpoint",
            [](std::string_view text) -> Result<Endpoint> {
                if (text.starts_with("ipc:///")) {
                    const std::string_view path = text.substr(6);
                    // sun_path holds 107 characters and a terminator.
                    if (path.size() > 107 || path.find('\0') != std::string_view::npos)
                        return fail(quote(text.substr(0, 300)) + " names no socket: at most 107 characters");
                    return std::filesystem::path(path);
                }
                if (!text.starts_with("tcp://"))
                    return fail(quote(text.substr(0, 300)) +
                                " is no endpoint: write ipc:///path/of/socket or tcp://address:port");
                const auto address = SocketAddress::parse(text.substr(6));
                if (!address) return tl::unexpected(address.error());
                return *address;
            },
            [](const Endpoint& value) {
                if (const auto* tcp = std::get_if<SocketAddress>(&value)) return "tcp://" + tcp->to_string();
                return "ipc://" + std::get<std::filesystem::path>(value).string();
            }};
}

Parsed<std::string> domain_name() {
    return {"domain name", canonical_domain, [](const std::string& value) { return value; }};
}

Result<std::string> canonical_domain(std::string_view text) {
    const auto bad = [text](const std::string& why) {
        return fail(quote(text.substr(0, 300)) + " is not a domain name: " + why);
    };
    std::string_view name = text;
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty()) return bad("it has no label");
    if (name.size() > 253) return bad("it is longer than 253 characters");
    size_t label = 0;
    for (const char c : name) {
        if (c == '.') {
            if (label == 0) return bad("a label is empty");
            label = 0;
            continue;
        }
        const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                             c == '-' || c == '_';
        if (!allowed) return bad("only letters, digits, hyphens and underscores make labels");
        if (++label > 63) return bad("a label is longer than 63 characters");
    }
    if (label == 0) return bad("a label is empty");
    std::string lower(name);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    return lower;
}

bool SecretText::read(Context& context, const Node& node, Secret& value) const {
    if (node.kind != Node::Kind::text) return context.wrong_kind(node, "a string");
    std::string source = node.text;
    const bool from_file = source.starts_with("file:");
    if ((!from_file && !source.starts_with("env:")) || source.size() <= (from_file ? 5U : 4U)) {
        // Never repeats the text: it may be the secret itself.
        context.error(node,
                      "a secret does not stand in the configuration; put it into a file and write "
                      "\"file:PATH\", or into the environment and write \"env:NAME\"");
        return false;
    }
    if (from_file) source = "file:" + (context.folder / source.substr(5)).lexically_normal().string();
    auto read = context.secrets(source);
    if (!read) {
        context.error(node, read.error().message);
        return false;
    }
    if (!read->warning.empty())
        context.report.warning(node.where, context.subject + std::string(context.key) + ": " + read->warning);
    value = {std::move(source), std::move(read->value)};
    return true;
}

std::string object_schema(const std::vector<Property>& properties) {
    return R"({"type":"object","properties":{)" + members(properties) + "}" + required_names(properties) +
           R"(,"additionalProperties":false})";
}

std::string variant_schema(const std::string& tag, const std::vector<Property>& common,
                           const std::vector<VariantProperties>& variants) {
    std::string rules;
    for (const VariantProperties& variant : variants) {
        rules += std::string(rules.empty() ? "" : ",") + R"({"if":{"properties":{)" + quote(tag) +
                 R"(:{"const":)" + quote(variant.name) + R"(}}},"then":{"properties":{)" +
                 members(variant.properties) + "}" + required_names(variant.properties) + "}}";
    }
    return R"({"type":"object","properties":{)" + members(common) + "}" + required_names(common) +
           R"(,"allOf":[)" + rules + R"(],"unevaluatedProperties":false})";
}

}  // namespace fairway::config
