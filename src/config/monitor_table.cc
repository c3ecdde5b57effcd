// SPDX-License-Identifier: Apache-2.0
// [monitor.NAME]: the keys of every monitor, and those of each probe type.

#include "base/pattern.h"
#include "config/tables.h"

namespace fairway::config {
namespace {

constexpr bool is_token(char c) {  // RFC 9110 5.6.2
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string check_token(std::string_view text) {
    const bool good = !text.empty() && std::all_of(text.begin(), text.end(), is_token);
    return good ? "" : "is not an HTTP token (RFC 9110 5.6.2)";
}

std::string check_header_value(std::string_view text) {
    const bool good = std::none_of(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    });
    return good ? "" : "holds a control character";
}

std::string check_http_path(std::string_view text) {
    if (!text.starts_with('/')) return "must begin with a slash";
    const bool good = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    return good ? "" : "holds a blank or a character that must be percent-encoded";
}

std::string check_http_host(std::string_view text) {
    const bool good = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_token(c) || c == ':' || c == '[' || c == ']';
    });
    return good ? "" : "is not a host name or address";
}

std::string check_regex(std::string_view text) {
    const auto compiled = Pattern::compile(text);
    return compiled ? "" : "is not a regular expression: " + compiled.error().message;
}

std::string check_pin(std::string_view text) {
    const auto base64 = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
               c == '/';
    };
    const bool good =
        text.size() == 44 && text.back() == '=' && std::all_of(text.begin(), text.end() - 1, base64);
    return good ? "" : "is not the base64 of a SHA-256 (44 characters)";
}

std::string check_alpn(std::string_view text) {
    return !text.empty() && text.size() <= 255 ? "" : "must have 1 to 255 octets";
}

Result<std::string> server_name(std::string_view text) {
    if (IpAddress::parse(text)) return fail(quote(text) + " is an address; a server name is a host name");
    return canonical_host(text);
}

/// Accepted statuses: "200-299", "204" or 204.
struct Statuses {
    using Value = std::pair<uint16_t, uint16_t>;

    bool read(Context& context, const Node& node, Value& value) const {
        int64_t first = 0, last = 0;
        if (node.kind == Node::Kind::integer) {
            first = last = node.integer;
        } else if (node.kind == Node::Kind::text) {
            const std::string_view text = node.text;
            const size_t dash = text.find('-');
            const auto number = [](std::string_view digits, int64_t& out) {
                const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
                return error == std::errc{} && end == digits.data() + digits.size();
            };
            const bool good = number(text.substr(0, dash), first) &&
                              (dash == std::string_view::npos || number(text.substr(dash + 1), last));
            if (dash == std::string_view::npos) last = first;
            if (!good) first = -1;
        } else {
            return context.wrong_kind(node, "a status such as 204 or \"200-299\"");
        }
        if (first < 100 || last > 599 || first > last) {
            context.error(node, "statuses are 204 or \"200-299\", from 100 to 599");
            return false;
        }
        value = {static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
        return true;
    }
    [[nodiscard]] std::string write(const Value& value) const {
        const std::string first = std::to_string(value.first);
        return quote(value.first == value.second ? first : first + "-" + std::to_string(value.second));
    }
    [[nodiscard]] std::string schema() const {
        return R"({"anyOf":[{"type":"integer","minimum":100,"maximum":599},)"
               R"({"type":"string","pattern":"^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$"}]})";
    }
    [[nodiscard]] std::string type() const { return "statuses"; }
};

const Section<TlsSettings>& tls_table() {
    using T = TlsSettings;
    static const Section<T> table(
        "monitor.NAME.tls",
        {field("server_name", &T::server_name, Parsed<std::string>{"host name", server_name, host().format},
               "Name to send (SNI) and to verify. Without it, the endpoint's host name; an address sends "
               "none."),
         field("verify", &T::verify, Flag{}, "Whether chain, host name and validity are verified."),
         field("ca_file", &T::ca_file, FileName{},
               "PEM file of trusted authorities. Without it, the system's."),
         field("min_version", &T::min_version, Text{.one_of = {"1.0", "1.1", "1.2", "1.3"}},
               "Oldest TLS version that is accepted."),
         field("min_days", &T::min_days, Integer<uint32_t>{0, 3650},
               "A certificate with fewer days left makes the endpoint degraded; 0 is never."),
         field("alpn", &T::alpn, List{Text{.what = "string", .check = check_alpn}, 0, 16},
               "Application protocols to offer; the server must choose one of them."),
         field("cert_file", &T::cert_file, FileName{}, "PEM file of a client certificate."),
         field("key_file", &T::key_file, FileName{}, "PEM file of its key."),
         field("pin_sha256", &T::pin_sha256, Text{.check = check_pin},
               "Base64 of the SHA-256 of the server's public key (RFC 7469 2.4), which must match.")},
        [](Context& context, const Node& node, T& tls) {
            if (tls.cert_file.empty() != tls.key_file.empty())
                context.report.error(node.where, context.subject + "cert_file and key_file go together");
        });
    return table;
}

/// Makes a key of one probe type's settings a key of the monitor.
template <class P>
Field<MonitorSource> of(Field<P> inner) {
    Field<MonitorSource> made;
    made.name = inner.name;
    made.help = inner.help;
    made.required = inner.required;
    made.default_note = inner.default_note;
    made.schema = inner.schema;
    made.type = inner.type;
    made.nested = inner.nested;
    made.read = [read = inner.read](Context& context, const Node& node, MonitorSource& monitor) {
        return read(context, node, std::get<P>(monitor.probe));
    };
    made.write = [write = inner.write](const MonitorSource& monitor) {
        return write(std::get<P>(monitor.probe));
    };
    made.equal = [equal = inner.equal](const MonitorSource& a, const MonitorSource& b) {
        return equal(std::get<P>(a.probe), std::get<P>(b.probe));
    };
    return made;
}

template <class P>
Variant<MonitorSource> probe(std::string name, std::string help, std::vector<Field<P>> fields) {
    Variant<MonitorSource> made;
    made.name = name;
    made.help = std::move(help);
    made.begin = [name](MonitorSource& monitor) {
        if constexpr (std::is_same_v<P, UnfinishedProbe>) {
            monitor.probe = UnfinishedProbe{name};
        } else {
            monitor.probe = P{};
        }
    };
    for (Field<P>& each : fields) made.fields.push_back(of(std::move(each)));
    return made;
}

std::vector<Variant<MonitorSource>> probes() {
    using U = UnfinishedProbe;
    const Text text;
    const Text identity{.what = "identity", .longest = 255};
    const List identities{text, 0, 64};
    // What ike-auth and tunnel need to authenticate.
    const auto credentials = [&] {
        return std::vector<Field<U>>{
            known<U>("identity", identity, "Identity of the probe (IDi), for no other use."),
            known<U>("remote_identity", identity, "Identity that the gateway must prove (IDr)."),
            known<U>("psk", SecretText{}, "Pre-shared key."),
            known<U>("cert_file", FileName{}, "PEM file of a client certificate."),
            known<U>("key_file", FileName{}, "PEM file of its key."),
            known<U>("ca_file", FileName{}, "PEM file of trusted authorities."),
            known<U>("eap_user", identity, "User of EAP-MSCHAPv2."),
            known<U>("eap_password", SecretText{}, "Password of that user."),
            known<U>("proposals", identities, "IKE proposals to offer."),
            known<U>("nat_port", Integer<uint16_t>{1, 65535}, "Port of the non-ESP marker.")};
    };
    std::vector<Field<U>> tunnel = credentials();
    for (Field<U>& each : std::vector<Field<U>>{
             known<U>("esp_proposals", identities, "ESP proposals to offer."),
             known<U>("remote_subnets", List{ip_prefix(), 0, 64}, "Traffic selectors to ask for."),
             known<U>("targets", identities, "What to reach through the tunnel: icmp:, tcp:, http: or dns:."),
             known<U>("handshake_every", Duration{seconds{10}, std::chrono::hours{24}},
                      "How often a fresh handshake is made."),
             known<U>("rekey", Flag{}, "Whether to rekey early, to find mismatched groups."),
             known<U>("degraded_loss", Number{0, 1}, "Share of echoes lost that is degraded."),
             known<U>("down_loss", Number{0, 1}, "Share of echoes lost that is down.")})
        tunnel.push_back(std::move(each));

    std::vector<Variant<MonitorSource>> all;
    all.push_back(
        probe<TcpProbe>("tcp", "connects; may send and expect",
                        {field("send", &TcpProbe::send, text, "Sent once connected."),
                         field("expect", &TcpProbe::expect, text, "Must occur in what comes back.")}));
    all.push_back(probe<TlsProbe>("tls", "full TLS handshake",
                                  {field("tls", &TlsProbe::tls, tls_table(), "How to shake hands.")}));
    all.push_back(probe<HttpProbe>(
        "http", "HTTP request, over TLS where the key tls is present",
        {field("tls", &HttpProbe::tls, tls_table(), "Ask over TLS; {} for its defaults."),
         field("method", &HttpProbe::method, Text{.check = check_token, .longest = 32}, "Request method."),
         field("path", &HttpProbe::path, Text{.check = check_http_path}, "Path and query to ask for."),
         field("host", &HttpProbe::host, Text{.check = check_http_host, .longest = 255},
               "Host header. Without it, tls.server_name, else the endpoint's host name or address."),
         field("headers", &HttpProbe::headers,
               TextMap<std::vector<std::pair<std::string, std::string>>>{Text{.check = check_token},
                                                                         Text{.check = check_header_value}},
               "Further request headers."),
         field("status", &HttpProbe::status, List{Statuses{}, 1, 50}, "Statuses that are healthy."),
         field("expect", &HttpProbe::expect, text, "Must occur in the body."),
         field("expect_regex", &HttpProbe::expect_regex, Text{.check = check_regex, .longest = 256},
               "Must match somewhere in the body (RE2 syntax)."),
         field("body_limit", &HttpProbe::body_limit, Integer<uint32_t>{0, 1'048'576},
               "Bytes of the body to read at most."),
         field("redirects", &HttpProbe::redirects, Integer<uint8_t>{0, 10},
               "Redirects to follow, to the same address only.")}));
    all.push_back(probe<IkeProbe>(
        "ike", "IKEv2 IKE_SA_INIT or IKEv1 main mode",
        {field("version", &IkeProbe::version, Integer<uint8_t>{1, 2}, "IKE version to speak."),
         field("mode", &IkeProbe::mode,
               Enumeration<IkeMode, 2>{{{{"stateless", IkeMode::stateless}, {"full", IkeMode::full}}}},
               "Stateless leaves nothing behind on the gateway; full leaves a half-open SA and is budgeted."),
         field("nat_traversal", &IkeProbe::nat_traversal, Flag{},
               "Whether to ask with the non-ESP marker as well; both must answer."),
         field("nat_port", &IkeProbe::nat_port, Integer<uint16_t>{1, 65535}, "Port of the non-ESP marker."),
         field("mismatch_is_degraded", &IkeProbe::mismatch_is_degraded, Flag{},
               "Whether NO_PROPOSAL_CHOSEN is degraded instead of up."),
         field("legacy", &IkeProbe::legacy, Flag{}, "Whether to offer DH group 2 and SHA-1 as well.")}));
    all.push_back(probe<IcmpProbe>(
        "icmp", "ICMP echo with loss over a sliding window",
        {field("size", &IcmpProbe::size, Integer<uint32_t>{0, 1400}, "Octets of payload."),
         field("window", &IcmpProbe::window, Integer<uint32_t>{1, 1000},
               "Echoes over which loss is counted."),
         field("degraded_loss", &IcmpProbe::degraded_loss, Number{0, 1}, "Share lost that is degraded."),
         field("down_loss", &IcmpProbe::down_loss, Number{0, 1}, "Share lost that is down.")}));
    all.push_back(probe<U>("ike-auth", "whole IKE authentication", credentials()));
    all.push_back(probe<U>("tunnel", "a kept IPsec tunnel and what lies behind it", std::move(tunnel)));
    all.push_back(probe<U>("quic", "QUIC version negotiation", {}));
    all.push_back(
        probe<U>("wireguard", "WireGuard handshake",
                 {known<U>("private_key", SecretText{}, "Key of the probe's own peer."),
                  known<U>("peer_key", text, "Public key of the gateway."),
                  known<U>("preshared_key", SecretText{}, "Pre-shared key, where the gateway wants one.")}));
    all.push_back(probe<U>("openvpn", "OpenVPN hard reset",
                           {known<U>("transport", Text{.one_of = {"udp", "tcp"}}, "Transport to use."),
                            known<U>("tls_auth_file", FileName{}, "Static key of tls-auth."),
                            known<U>("tls_crypt_file", FileName{}, "Static key of tls-crypt.")}));
    all.push_back(
        probe<U>("dns", "DNS query",
                 {known<U>("query", domain_name(), "Name to ask for."),
                  known<U>("query_type", text, "Type to ask for."),
                  known<U>("transport", Text{.one_of = {"udp", "tcp"}}, "Transport to use."),
                  known<U>("expect", List{text, 0, 64}, "Records of which one must be answered.")}));
    all.push_back(
        probe<U>("metrics", "a figure that the gateway publishes",
                 {known<U>("path", Text{.check = check_http_path}, "Path of the metrics."),
                  known<U>("tls", tls_table(), "Ask over TLS."), known<U>("metric", text, "Metric to read."),
                  known<U>("degraded_above", Number{-1e15, 1e15}, "Larger is degraded."),
                  known<U>("down_above", Number{-1e15, 1e15}, "Larger is down.")}));
    all.push_back(probe<U>(
        "exec", "a program of the operator's",
        {known<U>("command", List{text, 1, 64, Repeats::allowed}, "Program and arguments; no shell.")}));
    return all;
}

bool check_type(Context& context, const Node& node) {
    if (!is_unfinished(Unfinished::Kind::monitor_type, node.text)) return true;
    context.report.error(node.where,
                         context.subject + "monitor type " + quote(node.text) + std::string(unfinished_text));
    return false;
}

/// What depends on several keys: ports, and times that must fit into each other.
void check_monitor(Context& context, const Node& node, MonitorSource& monitor) {
    const auto at = [&node](std::string_view key) {
        const Entry* entry = node.find(key);
        return entry == nullptr ? node.where : entry->value.where;
    };
    const auto error = [&](std::string_view key, const std::string& message) {
        context.report.error(at(key), context.subject + message);
    };
    if (monitor.timeout >= monitor.interval)
        error("timeout", "timeout " + format_duration(monitor.timeout) + " must be shorter than interval " +
                             format_duration(monitor.interval));
    if (!monitor.recheck) monitor.recheck = monitor.interval / 4;
    if (*monitor.recheck > monitor.interval)
        error("recheck", "recheck " + format_duration(*monitor.recheck) + " must not exceed interval " +
                             format_duration(monitor.interval));
    const std::string_view type = type_name(monitor.probe);
    if (monitor.port && type == "icmp") error("port", "icmp has no ports");
    if (!monitor.port && type == "tcp") error("type", "a tcp monitor needs a port");
    if (!monitor.port && default_port(monitor.probe) != 0) monitor.port = default_port(monitor.probe);
    if (const auto* icmp = std::get_if<IcmpProbe>(&monitor.probe)) {
        if (icmp->degraded_loss > icmp->down_loss)
            error("degraded_loss", "degraded_loss must not exceed down_loss");
    }
    if (const auto* http = std::get_if<HttpProbe>(&monitor.probe)) {
        const bool wants_body = !http->expect.empty() || !http->expect_regex.empty();
        if (wants_body && (http->body_limit == 0 || http->method == "HEAD"))
            error("expect", "a body is expected but none would be read");
    }
}

}  // namespace

uint16_t default_port(const ProbeSettings& probe) {
    if (const auto* http = std::get_if<HttpProbe>(&probe)) return http->tls ? 443 : 80;
    static constexpr std::array<std::pair<std::string_view, uint16_t>, 8> ports{{{"tls", 443},
                                                                                 {"ike", 500},
                                                                                 {"ike-auth", 500},
                                                                                 {"tunnel", 500},
                                                                                 {"quic", 443},
                                                                                 {"wireguard", 51820},
                                                                                 {"openvpn", 1194},
                                                                                 {"dns", 53}}};
    for (const auto& [type, port] : ports) {
        if (type == type_name(probe)) return port;
    }
    return 0;
}

const Section<MonitorSource>& monitor_table() {
    using M = MonitorSource;
    static const Section<M> table = [] {
        Section<M> made(
            "monitor.NAME",
            {field("interval", &M::interval, Duration{milliseconds{10}, std::chrono::hours{24}},
                   "Time from the start of one probe to the start of the next."),
             field("timeout", &M::timeout, Duration{milliseconds{1}, std::chrono::hours{1}},
                   "Time after which a probe has failed; shorter than the interval."),
             field("recheck", &M::recheck, Duration{milliseconds{10}, std::chrono::hours{24}},
                   "Interval while the state is in doubt: after a first failure or a first success.")
                 .defaults_to("a quarter of interval"),
             field("fall", &M::fall, Integer<uint32_t>{1, 100}, "Consecutive failures to go down."),
             field("rise", &M::rise, Integer<uint32_t>{1, 100}, "Consecutive successes to come back."),
             field("port", &M::port, Integer<uint16_t>{1, 65535}, "Port to probe; tcp must name one.")
                 .defaults_to("tls and http with tls 443, http 80, ike 500, dns 53"),
             field("address", &M::address, host(),
                   "Address or host name to probe instead of the endpoint's own.")},
            check_monitor);
        made.with_variants(
            "type", "What the probe speaks.", probes(),
            [](const M& monitor) { return type_name(monitor.probe); }, check_type);
        return made;
    }();
    return table;
}

}  // namespace fairway::config
