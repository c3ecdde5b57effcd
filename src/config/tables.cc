// SPDX-License-Identifier: Apache-2.0
// Every section but [monitor.NAME].

#include "config/tables.h"

#include <cctype>

#include "base/text.h"

namespace fairway::config {
namespace {

constexpr std::chrono::hours day{24};

std::string check_printable(std::string_view text) {
    const bool good = !text.empty() && text.size() <= 128 &&
                      std::none_of(text.begin(), text.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    return good ? "" : "must have 1 to 128 printable characters";
}

std::string check_label(std::string_view text) {
    const bool good = !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
        return c > 0x20 && c < 0x7f && std::string_view("*?=\"\\").find(c) == std::string_view::npos;
    });
    return good ? "" : "must have 1 to 63 characters, none of them a blank, quote or one of * ? = \\";
}

std::string check_country(std::string_view text) {
    const bool good = text.size() == 2 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    return good ? "" : "is not a country code of two capital letters (ISO 3166-1)";
}

std::string check_endpoint_name(std::string_view text) {
    const bool good = !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("_.:-").find(c) != std::string_view::npos;
    });
    return good ? "" : "must have 1 to 63 letters, digits or _ . : -";
}

Result<std::string> canonical_name(std::string_view text) {
    const std::string complaint = check_name(text);
    if (!complaint.empty()) return fail(quote(text) + " " + complaint);
    return std::string(text);
}

/// A monitor's name stands in health expressions, so it must not be one of their words.
Result<std::string> canonical_monitor_name(std::string_view text) {
    for (const std::string_view word : {"and", "or", "not", "at_least"}) {
        if (text == word) return fail(quote(text) + " is a word of health expressions, not a name");
    }
    return canonical_name(text);
}

Text names() {
    return {.what = "name", .check = check_name, .longest = 63};
}

Number latitude() {
    return {-90, 90};
}
Number longitude() {
    return {-180, 180};
}

std::string check_interface(std::string_view text) {
    const bool good = !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
                      std::all_of(text.begin(), text.end(),
                                  [](char c) { return c > 0x20 && c < 0x7f && c != '/' && c != ':'; });
    return good ? "" : "is not the name of a network interface";
}

const Section<Xdp>& xdp_table() {
    using S = Xdp;
    static const Section<S> table(
        "server",
        {field("interfaces", &S::interfaces,
               List{Text{.what = "interface name", .check = check_interface}, 1, 64},
               "Network interfaces on which UDP questions are answered by AF_XDP.")
             .require(),
         field("mode", &S::mode,
               Enumeration<XdpMode, 3>{{{{"auto", XdpMode::automatic},
                                         {"native", XdpMode::native},
                                         {"generic", XdpMode::generic}}}},
               "Where the XDP program runs: in the driver, in the network stack, or wherever it can.")});
    return table;
}

// One or two secrets of 16 octets in hexadecimal, apart by white space; dns::parse_cookie_secrets reads them.
bool is_cookie_secret(std::string_view text) {
    constexpr size_t digits = 32;
    constexpr std::string_view blank = " \t\r\n";
    size_t words = 0;
    for (size_t at = text.find_first_not_of(blank); at != std::string_view::npos; ++words) {
        const size_t end = std::min(text.find_first_of(blank, at), text.size());
        const std::string_view word = text.substr(at, end - at);
        const bool good = word.size() == digits && std::all_of(word.begin(), word.end(), [](char c) {
                              return std::isxdigit(static_cast<unsigned char>(c)) != 0;
                          });
        if (!good) return false;
        at = text.find_first_not_of(blank, end);
    }
    return words == 1 || words == 2;
}

const Section<RateLimit>& rate_limit_table() {
    using S = RateLimit;
    static const Section<S> table(
        "server.rate_limit",
        {field("responses", &S::responses, Integer<uint32_t>{0, 1'000'000},
               "Answers a second to one client prefix, of one kind (data, nothing, referrals, errors); 0 is "
               "no limit."),
         field("slip", &S::slip, Integer<uint32_t>{0, 100},
               "Of the answers beyond, each so many-th is sent truncated, which real clients ask again over "
               "TCP; the others are not sent. 0 sends none."),
         field("ipv4_prefix", &S::ipv4_prefix, Integer<uint8_t>{8, 32}, "Bits of an IPv4 client prefix."),
         field("ipv6_prefix", &S::ipv6_prefix, Integer<uint8_t>{16, 64}, "Bits of an IPv6 client prefix."),
         field("exempt", &S::exempt, List{ip_prefix(), 0, 1000}, "Clients without a limit.")});
    return table;
}

const Section<ServerTls>& server_tls_table() {
    using S = ServerTls;
    static const Section<S> table(
        "server.tls",
        {field("listen", &S::listen, List{dns_tls_socket(), 1, 256},
               "Addresses to answer DNS over TLS on; port 853 where none is given."),
         field(
             "cert", &S::cert, FilePath{},
             "PEM file of the certificate, followed by those of the authorities between. It and the key are "
             "read again on reload and whenever they change.")
             .require(),
         field("key", &S::key, FilePath{}, "PEM file of its key.").require()});
    return table;
}

const Section<Server>& server_table() {
    using S = Server;
    static const Section<S> table(
        "server",
        {field(
             "listen", &S::listen, List{dns_socket(), 0, 256},
             "Addresses to answer DNS on, UDP and TCP; port 53 where none is given. An empty list leaves all "
             "answers to PowerDNS."),
         field("tls", &S::tls, server_tls_table(), "Answer DNS over TLS too (RFC 7858)."),
         field("threads", &S::threads, Integer<uint32_t>{0, 1024}, "DNS worker threads; 0 is one per core."),
         field("xdp", &S::xdp, xdp_table(),
               "Answer UDP past the kernel's network stack. Sockets answer wherever that cannot be had."),
         field("state", &S::state, FilePath{}, "Folder of the database and of caches."),
         field("nsid", &S::nsid, Text{.check = check_printable},
               "What to say to clients that ask which server this is (RFC 5001)."),
         field("cookie_secret", &S::cookie_secret, SecretText{},
               "Secret of DNS cookies (RFC 9018) that all nodes of an anycast address share: 32 hexadecimal "
               "digits; a second secret after it is still accepted. Without it, each node has a random one "
               "and changes it every hour."),
         field("rate_limit", &S::rate_limit, rate_limit_table(), ""),
         field("log_level", &S::log_level, Text{.one_of = {"debug", "info", "warning", "error"}},
               "The least severe messages that are logged.")},
        [](Context& context, const Node& node, S& server) {
            if (server.cookie_secret && !is_cookie_secret(server.cookie_secret->value))
                context.report.error(node.find("cookie_secret")->value.where,
                                     "cookie_secret: " + server.cookie_secret->source +
                                         " must hold one or two secrets of 32 hexadecimal digits each");
            if (!server.tls) return;
            for (const SocketAddress& address : server.tls->listen) {
                const bool taken = address.port != 0 && std::find(server.listen.begin(), server.listen.end(),
                                                                  address) != server.listen.end();
                if (!taken) continue;
                context.report.error(node.find("tls")->value.where,
                                     "tls: " + address.to_string() + " is in listen too");
            }
        });
    return table;
}

const Section<Api>& api_table() {
    using S = Api;
    static const Section<S> table(
        "api",
        {field("unix", &S::unix_path, unix_socket(), "Control socket; the user who connects is the actor."),
         field("listen", &S::listen, socket_address(),
               "Address of the HTTP API, the dashboard and /metrics."),
         field("cert", &S::cert, FilePath{}, "PEM file of the certificate; with key, the listener is TLS."),
         field("key", &S::key, FilePath{}, "PEM file of its key."),
         field("token", &S::token, SecretText{},
               "Bearer token that allows writing. Without one the listener is read-only and on loopback "
               "only.")},
        [](Context& context, const Node& node, S& api) {
            const auto where = [&node](std::string_view key) { return node.find(key)->value.where; };
            if (api.cert.empty() != api.key.empty())
                context.report.error(where(api.cert.empty() ? "key" : "cert"), "cert and key go together");
            if (!api.listen || api.listen->address.is_loopback()) return;
            const std::string reachable =
                "listen: " + api.listen->to_string() + " can be reached from other hosts, which needs ";
            if (!api.token) context.report.error(where("listen"), reachable + "a token");
            if (api.cert.empty()) context.report.error(where("listen"), reachable + "TLS (cert and key)");
        });
    return table;
}

const Section<Pdns>& pdns_table() {
    using S = Pdns;
    static const Section<S> table(
        "pdns",
        {field("unix", &S::unix_path, unix_socket(), "Socket of the remote backend's unix connector."),
         field("http", &S::http, socket_address(),
               "Address of the remote backend's http connector, in any of its three forms."),
         field("zeromq", &S::zeromq, zeromq_endpoint(),
               "Endpoint of the remote backend's zeromq connector: ipc:///run/fairway/pdns.zmq or "
               "tcp://127.0.0.1:5354."),
         field("secrets_over_tcp", &S::secrets_over_tcp, Flag{},
               "Whether private DNSSEC keys and TSIG secrets are told over http and tcp too, where nobody "
               "authenticates; over socket files they always are.")},
        [](Context& context, const Node& node, S& pdns) {
            if (pdns.unix_path.empty() && !pdns.http && !pdns.zeromq)
                context.report.error(node.where, "[pdns] needs unix, http or zeromq");
            const auto warn_if_open = [&](std::string_view key, const SocketAddress& address) {
                if (address.address.is_loopback()) return;
                context.report.warning(node.find(key)->value.where,
                                       std::string(key) + ": " + address.to_string() +
                                           " can be reached from other hosts, and PowerDNS does not "
                                           "authenticate itself there");
            };
            if (pdns.http) warn_if_open("http", *pdns.http);
            if (pdns.zeromq && std::holds_alternative<SocketAddress>(*pdns.zeromq))
                warn_if_open("zeromq", std::get<SocketAddress>(*pdns.zeromq));
        });
    return table;
}

const Section<LocationSource>& location_table() {
    using S = LocationSource;
    static const Section<S> table(
        "geoip.location",
        {field("country", &S::country, Text{.what = "country code", .check = check_country},
               "ISO 3166-1 alpha-2."),
         field("continent", &S::continent, Text{.one_of = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"}},
               "Continent."),
         field("asn", &S::asn, Integer<uint32_t>{0, UINT32_MAX},
               "Number of the autonomous system; 0 is unknown."),
         field("latitude", &S::latitude, latitude(), "Degrees north."),
         field("longitude", &S::longitude, longitude(), "Degrees east.")},
        [](Context& context, const Node& node, S& location) {
            if (location.latitude.has_value() != location.longitude.has_value())
                context.report.error(node.where, "latitude and longitude go together");
        });
    return table;
}

const Section<GeoOverrideSource>& geo_override_table() {
    using S = GeoOverrideSource;
    static const Section<S> table(
        "geoip.override",
        {field("prefixes", &S::prefixes, List{At{ip_prefix()}, 1, 100'000}, "Prefixes that are there.")
             .require(),
         field("location", &S::location, location_table(), "Where they are.").require()});
    return table;
}

const Section<GeoipSource>& geoip_table() {
    using S = GeoipSource;
    static const Section<S> table("geoip", {field("databases", &S::databases, List{FilePath{}, 0, 64},
                                                  "MMDB files; the first that knows an address wins."),
                                            field("default", &S::default_location, location_table(),
                                                  "Where clients are that nothing else knows. Without it "
                                                  "they get the order of the configuration."),
                                            table_array_field("override", &S::overrides, geo_override_table,
                                                              "Own knowledge, which beats the databases.")});
    return table;
}

const Section<Probes>& probes_table() {
    using S = Probes;
    static const Section<S> table(
        "probes",
        {field("rate", &S::rate, Integer<uint32_t>{1, 1'000'000}, "Probes started per second at most."),
         field("rate_per_gateway", &S::rate_per_gateway, Integer<uint32_t>{1, 100'000},
               "Probes started per second and gateway at most."),
         field("resolvers", &S::resolvers, List{dns_socket(), 0, 16},
               "Resolvers of endpoints' host names. Without them, the system's.")});
    return table;
}

const Section<Health>& health_table() {
    using S = Health;
    constexpr Duration up_to_a_day{milliseconds{0}, day};
    static const Section<S> table(
        "health",
        {field("damping", &S::damping, Flag{}, "Whether endpoints that flap are held down."),
         field("hold_down", &S::hold_down, up_to_a_day,
               "First hold-down; it doubles with each further flap."),
         field("max_hold_down", &S::max_hold_down, up_to_a_day, "Longest hold-down."),
         field("half_life", &S::half_life, Duration{seconds{1}, day},
               "Time in which the memory of flaps halves."),
         field("isolation", &S::isolation, Flag{},
               "Whether this node suspects its own network, and keeps the last answers, when the endpoints "
               "that "
               "worked all fall silent at once."),
         field("isolation_share", &S::isolation_share, Number{0.5, 1},
               "Share of the endpoints that must be silent for that."),
         field("isolation_minimum", &S::isolation_minimum, Integer<uint32_t>{2, 1'000'000},
               "How many of them at least.")},
        [](Context& context, const Node& node, S& health) {
            if (health.hold_down <= health.max_hold_down) return;
            const Entry* entry = node.find("max_hold_down");
            context.report.error((entry == nullptr ? node.find("hold_down") : entry)->value.where,
                                 "hold_down " + format_duration(health.hold_down) +
                                     " must not exceed max_hold_down " +
                                     format_duration(health.max_hold_down));
        });
    return table;
}

/// `ns`: names of name servers with their addresses.
struct NameServers {
    using Value = std::vector<NameServer>;

    bool read(Context& context, const Node& node, Value& value) const {
        if (node.kind != Node::Kind::table) return context.wrong_kind(node, "a table");
        bool good = true;
        Value servers;
        for (const Entry& entry : node.entries) {
            NameServer server;
            const auto name = canonical_domain(entry.key);
            if (!name) {
                context.report.error(entry.where, name.error().message);
                good = false;
                continue;
            }
            const bool twice = std::any_of(servers.begin(), servers.end(),
                                           [&](const NameServer& each) { return each.name == *name; });
            if (twice) context.report.error(entry.where, quote(*name) + " is in the table twice");
            server.name = *name;
            good = addresses().read(context, entry.value, server.addresses) && !twice && good;
            servers.push_back(std::move(server));
        }
        value = std::move(servers);
        return good;
    }
    [[nodiscard]] std::string write(const Value& value) const {
        std::string text;
        for (const NameServer& server : value)
            text += (text.empty() ? "{ " : ", ") + toml_key(server.name) + " = " +
                    addresses().write(server.addresses);
        return text.empty() ? "{}" : text + " }";
    }
    [[nodiscard]] std::string schema() const {
        return R"({"type":"object","additionalProperties":)" + addresses().schema() + "}";
    }
    [[nodiscard]] std::string type() const { return "table of lists of addresses"; }

  private:
    static List<Parsed<IpAddress>> addresses() { return {ip_address(), 0, 32}; }
};

const Section<Dnssec>& dnssec_table() {
    using S = Dnssec;
    static constexpr nanoseconds century = std::chrono::hours{24 * 36'525};
    static constexpr nanoseconds hour = std::chrono::hours{1};
    static const Section<S> table(
        "zone.NAME.dnssec",
        {field("algorithm", &S::algorithm,
               Enumeration<SigningAlgorithm, 2>{{{{"ecdsap256sha256", SigningAlgorithm::ecdsa_p256},
                                                  {"ed25519", SigningAlgorithm::ed25519}}}},
               "Algorithm of the keys; another one is rolled over to."),
         field("keys", &S::keys,
               Enumeration<SigningKeys, 2>{{{{"csk", SigningKeys::csk}, {"ksk-zsk", SigningKeys::ksk_zsk}}}},
               "One combined key, or one that signs the keys and one that signs the rest."),
         field("zsk_lifetime", &S::zsk_lifetime, Duration{nanoseconds{0}, century},
               "After this a ZSK is rolled over by itself; 0s is by command only."),
         field("ksk_lifetime", &S::ksk_lifetime, Duration{nanoseconds{0}, century},
               "The same for a KSK or CSK, which then waits for the parent; 0s is by command only."),
         field("signature_lifetime", &S::signature_lifetime, Duration{hour, century},
               "How long a signature is valid."),
         field("signature_refresh", &S::signature_refresh, Duration{hour / 2, century},
               "How much of that is left in any answer."),
         field("dnskey_ttl", &S::dnskey_ttl, Ttl{1, 604'800}, "TTL of DNSKEY, CDS and CDNSKEY."),
         field("parent_ds_ttl", &S::parent_ds_ttl, Ttl{1, 2'592'000},
               "TTL of the DS records in the parent zone: an old key stays for as long."),
         field("propagation", &S::propagation, Ttl{0, 604'800},
               "Added to every wait of a rollover, for clocks that differ and servers that lag.")},
        [](Context& context, const Node& node, S& dnssec) {
            if (dnssec.signature_refresh >= dnssec.signature_lifetime)
                context.report.error(
                    node.where, context.subject + "signature_refresh must be less than signature_lifetime");
            const nanoseconds least = 2 * (dnssec.dnskey_ttl + dnssec.propagation);
            for (const nanoseconds lifetime : {dnssec.zsk_lifetime, dnssec.ksk_lifetime})
                if (lifetime > nanoseconds{0} && lifetime < least)
                    context.report.error(node.where, context.subject +
                                                         "a key must live for at least twice dnskey_ttl and "
                                                         "propagation together, or caches miss it");
        });
    return table;
}

/// true for the defaults, or a table.
struct DnssecCodec {
    using Value = Dnssec;
    bool read(Context& context, const Node& node, Dnssec& value) const {
        if (node.kind == Node::Kind::flag) {
            value = Dnssec();
            value.enabled = node.flag;
            return true;
        }
        if (node.kind != Node::Kind::table) return context.wrong_kind(node, "true, false or a table");
        value = Dnssec();
        value.enabled = true;
        return dnssec_table().read(context, node, value);
    }
    [[nodiscard]] std::string write(const Dnssec& value) const {
        Dnssec plain;
        if (!value.enabled) return "false";
        plain.enabled = true;
        return value == plain ? "true" : dnssec_table().write(value);
    }
    [[nodiscard]] std::string schema() const {
        return R"({"anyOf":[{"type":"boolean"},)" + dnssec_table().schema() + "]}";
    }
    [[nodiscard]] std::string type() const { return "boolean or table"; }
    void describe(const std::string& section, const std::string& prefix, std::vector<KeyInfo>& out) const {
        dnssec_table().describe(section, prefix, out);
    }
};

const Section<ZoneSource>& zone_table() {
    using S = ZoneSource;
    static const Section<S> table(
        "zone.NAME",
        {field("ns", &S::ns, NameServers{},
               "Name servers with their addresses. Needed unless the file has NS records."),
         field("file", &S::file, FileName{},
               "Static records in the format of RFC 1035; its SOA and NS are used if it has them."),
         field("dnssec", &S::dnssec, DnssecCodec{},
               "Whether answers are signed online, with keys made and kept below state; or how."),
         field("ttl", &S::ttl, Ttl{0, 604'800}, "TTL of the SOA and NS records made here."),
         field("negative_ttl", &S::negative_ttl, Ttl{0, 86'400},
               "TTL of negative answers, in the SOA made here."),
         field("contact", &S::contact, domain_name(), "Mailbox of that SOA, written as a domain name.")
             .defaults_to("hostmaster.NAME"),
         field("transfer", &S::transfer, transfer_table(), "Secondaries of the zone.")},
        [](Context& context, const Node& node, S& zone) {
            if (zone.ns.empty() && zone.file.empty())
                context.report.error(node.where,
                                     context.subject + "ns or file is needed: a zone has name servers");
        });
    return table;
}

const Section<Coordinates>& coordinates_table() {
    using S = Coordinates;
    static const Section<S> table(
        "region.NAME.location", {field("latitude", &S::latitude, latitude(), "Degrees north.").require(),
                                 field("longitude", &S::longitude, longitude(), "Degrees east.").require()});
    return table;
}

const Section<RegionSource>& region_table() {
    using S = RegionSource;
    static const Section<S> table("region.NAME", {field("location", &S::location, coordinates_table(),
                                                        "Where it is; nearest measures from here.")});
    return table;
}

const Section<EndpointSource>& endpoint_table() {
    using S = EndpointSource;
    static const Section<S> table(
        "gateway.NAME.endpoints",
        {field("address", &S::address, At{host()},
               "IP address, or a host name that is resolved again and again.")
             .require(),
         field("name", &S::name, Text{.what = "name", .check = check_endpoint_name},
               "Name within the gateway.")
             .defaults_to("the address"),
         field("weight", &S::weight, Integer<uint16_t>{0, 65535}, "Share of weighted; 0 is never."),
         field("uplink", &S::uplink, names(), "Uplink behind this address.")});
    return table;
}

/// "203.0.113.10", or a table.
struct Endpoints {
    using Value = EndpointSource;

    bool read(Context& context, const Node& node, Value& value) const {
        if (node.kind == Node::Kind::table) return endpoint_table().read(context, node, value);
        if (node.kind == Node::Kind::text) return At{host()}.read(context, node, value.address);
        return context.wrong_kind(node, "an address or a table");
    }
    [[nodiscard]] std::string write(const Value& value) const {
        const bool plain = value == EndpointSource{value.address, "", Endpoint{}.weight, ""};
        return plain ? quote(value.address.value) : endpoint_table().write(value);
    }
    [[nodiscard]] std::string schema() const {
        return R"({"anyOf":[{"type":"string"},)" + endpoint_table().schema() + "]}";
    }
    [[nodiscard]] std::string type() const { return "addresses or tables"; }
    void describe(const std::string& section, const std::string& prefix, std::vector<KeyInfo>& out) const {
        endpoint_table().describe(section, prefix, out);
    }
};

const Section<GatewaySource>& gateway_table() {
    using S = GatewaySource;
    static const Section<S> table(
        "gateway.NAME",
        {field("region", &S::region, At{names()}, "Region that it shares its fate with.").require(),
         field("zone", &S::zone, names(), "Availability zone within the region."),
         field("mode", &S::mode,
               Enumeration<GatewayMode, 2>{{{{"active-active", GatewayMode::active_active},
                                             {"active-standby", GatewayMode::active_standby}}}},
               "Whether all endpoints serve, or the first until it fails."),
         field("endpoints", &S::endpoints, List{Endpoints{}, 1, 1000, Repeats::allowed},
               "Public addresses; in active-standby the first is the primary.")
             .require(),
         field("monitors", &S::monitors, List{At{names()}, 1, 32}, "Monitors of every endpoint.").require(),
         field("health", &S::health, At{Text{.what = "health expression"}},
               "Which monitors must be well: and, or, not, at_least(n, ...), parentheses.")
             .defaults_to("all monitors"),
         field("min_up", &S::min_up, At{Integer<uint32_t>{1, 1000}},
               "active-active: with fewer usable endpoints than this the gateway is down.")
             .only_if([](const S& gateway) { return gateway.mode == GatewayMode::active_active; }),
         field("failback", &S::failback, At{Duration{nanoseconds{0}, 7 * day}},
               "active-standby: how long the primary must be well to take over again.")
             .only_if([](const S& gateway) { return gateway.mode == GatewayMode::active_standby; }),
         field("weight", &S::weight, Integer<uint16_t>{0, 65535}, "Share of weighted; 0 is never."),
         field("capacity", &S::capacity, Number{0, 1e12}, "Load that it can bear; for shed."),
         field("labels", &S::labels,
               TextMap<std::map<std::string, std::string>>{Text{.check = check_label},
                                                           Text{.check = check_label}},
               "Own marks, to select by: label:KEY=VALUE.")});
    return table;
}

const Section<TtlSource>& ttl_table() {
    using S = TtlSource;
    static const Section<S> table(
        "service.NAME.ttl",
        {field("max", &S::max, Ttl{0, 86'400}, "While nothing is in doubt."),
         field("min", &S::min, Ttl{0, 86'400}, "While a member is in doubt.")
             .defaults_to("5, or max if that is less")},
        [](Context& context, const Node& node, S& ttl) {
            if (!ttl.min) ttl.min = std::min(Service{}.ttl_min, ttl.max);
            if (*ttl.min > ttl.max)
                context.report.error(node.where,
                                     context.subject + "ttl: min " + std::to_string(ttl.min->count()) +
                                         " must not exceed max " + std::to_string(ttl.max.count()));
        });
    return table;
}

struct AllDownName {
    std::string_view name;
    AllDown action;
};
constexpr std::array all_down_names{
    AllDownName{"serve-all", AllDown::serve_all}, AllDownName{"nodata", AllDown::nodata},
    AllDownName{"servfail", AllDown::servfail}, AllDownName{"refuse", AllDown::refuse}};
constexpr std::string_view fallback_prefix = "fallback:";

Parsed<AllDownSource> all_down() {
    return {R"("serve-all" | "fallback:NAME" | "nodata" | "servfail" | "refuse")",
            [](std::string_view text) -> Result<AllDownSource> {
                for (const AllDownName& each : all_down_names) {
                    if (each.name == text) return AllDownSource{each.action, ""};
                }
                if (text.starts_with(fallback_prefix) && text.size() > fallback_prefix.size())
                    return AllDownSource{AllDown::fallback, std::string(text.substr(fallback_prefix.size()))};
                return fail(quote(text) +
                            R"( is none of "serve-all", "fallback:NAME", "nodata", "servfail", "refuse")");
            },
            [](const AllDownSource& value) {
                for (const AllDownName& each : all_down_names) {
                    if (each.action == value.action) return std::string(each.name);
                }
                return std::string(fallback_prefix) + value.fallback;
            }};
}

Parsed<FailoverSource> failover() {
    return {R"("automatic" | "delay:DURATION" | "confirm")",
            [](std::string_view text) -> Result<FailoverSource> {
                constexpr std::string_view delay = "delay:";
                if (text == "automatic") return FailoverSource{FailoverMode::automatic, {}};
                if (text == "confirm") return FailoverSource{FailoverMode::confirm, {}};
                if (!text.starts_with(delay))
                    return fail(quote(text) + R"( is none of "automatic", "delay:30s", "confirm")");
                const auto length = parse_duration(text.substr(delay.size()));
                if (!length) return tl::unexpected(length.error());
                if (*length <= nanoseconds{0} || *length > day)
                    return fail(format_duration(*length) + " is not a delay of up to a day");
                return FailoverSource{FailoverMode::delay, *length};
            },
            [](const FailoverSource& value) {
                if (value.mode == FailoverMode::automatic) return std::string("automatic");
                if (value.mode == FailoverMode::confirm) return std::string("confirm");
                return "delay:" + format_duration(value.delay);
            }};
}

Parsed<FilterSpec> filter() {
    return {"filters", FilterSpec::parse, [](const FilterSpec& value) { return value.to_string(); }};
}

/// `records`: types of records with their templates, one or a list. What the templates say is judged where
/// records are made.
struct RecordTable {
    using Value = std::vector<RecordTemplates>;

    bool read(Context& context, const Node& node, Value& value) const {
        if (node.kind != Node::Kind::table) return context.wrong_kind(node, "a table");
        bool good = true;
        Value all;
        for (const Entry& entry : node.entries) {
            if (std::find(types.begin(), types.end(), entry.key) == types.end()) {
                context.report.error(entry.where, context.subject + "records: " + quote(entry.key) +
                                                      " is none of SRV, SVCB, HTTPS, MX, TXT");
                good = false;
                continue;
            }
            RecordTemplates made{entry.key, {}};
            std::string one;
            if (entry.value.kind == Node::Kind::text) {
                good = text().read(context, entry.value, one) && good;
                made.records = {one};
            } else if (entry.value.kind == Node::Kind::array) {
                good = texts().read(context, entry.value, made.records) && good;
            } else {
                good = context.wrong_kind(entry.value, "a string or an array");
            }
            all.push_back(std::move(made));
        }
        value = std::move(all);
        return good;
    }
    [[nodiscard]] std::string write(const Value& value) const {
        std::string out;
        for (const RecordTemplates& each : value)
            out += (out.empty() ? "{ " : ", ") + each.type + " = " +
                   (each.records.size() == 1 ? quote(each.records.front()) : texts().write(each.records));
        return out.empty() ? "{}" : out + " }";
    }
    [[nodiscard]] std::string schema() const {
        const std::string either = R"({"anyOf":[)" + text().schema() + "," + texts().schema() + "]}";
        std::string properties;
        for (const std::string_view type : types)
            properties += (properties.empty() ? "" : ",") + quote(type) + ":" + either;
        return R"({"type":"object","properties":{)" + properties + R"(},"additionalProperties":false})";
    }
    [[nodiscard]] std::string type() const { return "table of strings or lists of strings"; }

  private:
    static constexpr std::array<std::string_view, 5> types{"SRV", "SVCB", "HTTPS", "MX", "TXT"};
    static Text text() { return {.what = "record", .longest = 2000}; }
    static List<Text> texts() { return {text(), 1, 8}; }
};

const Section<ServiceSource>& service_table() {
    using S = ServiceSource;
    static const Section<S> table(
        "service.NAME",
        {field("name", &S::name, At{domain_name()},
               "DNS name that is steered; it must lie in one of the zones.")
             .require(),
         field("gateways", &S::gateways, List{At{Text{.what = "targets"}}, 1, 10'000, Repeats::allowed},
               "Candidates in order: names, globs, or label:KEY=VALUE, region:NAME, zone:NAME.")
             .require(),
         field("policy", &S::policy, List{At{filter()}, 1, 32, Repeats::allowed},
               "Chain of filters, read from left to right."),
         field("ttl", &S::ttl, ttl_table(), ""),
         field("answer", &S::answer,
               At{Enumeration<AnswerKind, 2>{
                   {{{"address", AnswerKind::address}, {"cname", AnswerKind::cname}}}}},
               "Whether to answer with addresses, or with a CNAME to the endpoint's host name."),
         field("all_down", &S::all_down, At{all_down()},
               "What to answer when no candidate is well; NAME is a service or a domain name."),
         field(
             "failover", &S::failover, failover(),
             "Whether answers leave a failed gateway at once, after a delay, or when an operator confirms."),
         field("txt_allow", &S::txt_allow, List{ip_prefix(), 0, 1000},
               "Clients that may ask for TXT at _fairway.NAME."),
         field("records", &S::records, RecordTable{},
               "Records of type SRV, SVCB, HTTPS, MX or TXT for each endpoint that is answered, in the same "
               "order, with placeholders: see RECORDS.")});
    return table;
}

const Section<Nothing>& cluster_table() {
    using N = Nothing;
    const Text text;
    static const Section<N> table(
        "cluster",
        {known<N>("endpoints", List{text, 1, 16}, "URLs of etcd."),
         known<N>("prefix", text, "Where its keys begin."), known<N>("node", names(), "Name of this node."),
         known<N>("quorum", Integer<int64_t>{1, 100}, "Vantages that must agree."),
         known<N>("lease", Duration{seconds{1}, std::chrono::hours{1}},
                  "Time after which a silent node is gone."),
         known<N>("user", text, "User of etcd."), known<N>("password", SecretText{}, "Its password."),
         known<N>("ca_file", FilePath{}, "PEM file of trusted authorities."),
         known<N>("cert_file", FilePath{}, "PEM file of a client certificate."),
         known<N>("key_file", FilePath{}, "PEM file of its key.")});
    return table;
}

const Section<Nothing>& alerts_table() {
    using N = Nothing;
    static const Section<N> table(
        "alerts", {known<N>("group_wait", Duration{nanoseconds{0}, std::chrono::hours{1}},
                            "How long to gather before telling."),
                   known<N>("repeat", Duration{seconds{1}, 7 * day}, "How often to tell again."),
                   known<N>("events", List{Text{}, 0, 64}, "Kinds of events to tell.")});
    return table;
}

const Section<Nothing>& hook_table() {
    using N = Nothing;
    const Text text;
    static const Section<N> table(
        "hook.NAME",
        {known<N>("type", Text{.one_of = {"webhook", "slack", "pagerduty", "alertmanager", "smtp", "exec"}},
                  "How to tell.")
             .require(),
         known<N>("url", text, "Where to post."),
         known<N>("token", SecretText{}, "Credential of the receiver."),
         known<N>("command", List{text, 1, 64, Repeats::allowed}, "exec: program and arguments; no shell."),
         known<N>("timeout", Duration{milliseconds{100}, std::chrono::hours{1}},
                  "Time limit of one attempt."),
         known<N>("from", text, "smtp: sender."), known<N>("to", List{text, 1, 64}, "smtp: recipients."),
         known<N>("server", text, "smtp: server and port."),
         known<N>("events", List{text, 0, 64}, "Kinds of events to tell.")});
    return table;
}

}  // namespace

std::string check_name(std::string_view text) {
    const auto alphanumeric = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const bool good = !text.empty() && text.size() <= 63 && alphanumeric(text.front()) &&
                      std::all_of(text.begin(), text.end(), [&](char c) {
                          return alphanumeric(c) || c == '_' || c == '.' || c == '-';
                      });
    return good ? "" : "is not a name: 1 to 63 letters, digits or _ . -, a letter or digit first";
}

Result<std::string> canonical_host(std::string_view text) {
    if (const auto address = IpAddress::parse(text)) return address->to_string();
    auto name = canonical_domain(text);
    // 203.0.113.300 is a mistyped address, not a host: no top-level domain is a number.
    const std::string_view last = text.substr(text.find_last_of('.') + 1);
    const bool number =
        !last.empty() && std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!name || number || text.find(':') != std::string_view::npos)
        return fail(quote(text.substr(0, 300)) + " is neither an IP address nor a host name");
    return name;
}

Parsed<std::string> host() {
    return {"address or host name", canonical_host, [](const std::string& value) { return value; }};
}

std::vector<Located<FilterSpec>> ServiceSource::default_policy() {
    return {{FilterSpec{"healthy", {}, {}, {}}, {}},
            {FilterSpec{"nearest", {}, {}, {}}, {}},
            {FilterSpec{"first", 2, {}, {}}, {}}};
}

const Section<Document>& document_table() {
    using D = Document;
    static const Section<D> table(
        "", {table_field("server", &D::server, server_table, "The daemon and its DNS listeners."),
             table_field("api", &D::api, api_table, "The control socket and the HTTP API."),
             table_field("pdns", &D::pdns, pdns_table,
                         "Acting as the remote backend of a PowerDNS server. Optional."),
             table_field("geoip", &D::geoip, geoip_table, "Where clients are."),
             table_field("probes", &D::probes, probes_table, "Limits of the probe engine."),
             table_field("health", &D::health, health_table, "How results become states."),
             named_field("tsig", &D::tsig, tsig_table, canonical_domain,
                         "A secret shared with secondaries, by the name of its key (RFC 8945)."),
             named_field("zone", &D::zones, zone_table, canonical_domain, "A DNS zone that is served."),
             named_field("monitor", &D::monitors, monitor_table, canonical_monitor_name,
                         "What to probe, and how often."),
             named_field("region", &D::regions, region_table, canonical_name,
                         "A place whose gateways share its fate."),
             named_field("gateway", &D::gateways, gateway_table, canonical_name, "A VPN gateway."),
             named_field("service", &D::services, service_table, canonical_name, "A steered DNS name."),
             table_field("cluster", &D::cluster, cluster_table, "Several nodes that agree."),
             table_field("alerts", &D::alerts, alerts_table, "Telling people."),
             named_field("hook", &D::hooks, hook_table, canonical_name, "A receiver of events.")});
    return table;
}

std::vector<KeyInfo> all_keys() {
    std::vector<KeyInfo> all;
    document_table().describe("", "", all);
    return all;
}

}  // namespace fairway::config
