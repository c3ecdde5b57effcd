// SPDX-License-Identifier: Apache-2.0
#pragma once
// The configuration as the program uses it. Loading has no side effects beyond reading files: nothing is
// opened, bound or started here. All diagnostics come at once; with any error there is no Config.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "model/model.h"

namespace fairway::config {

/// A secret read from `file:PATH` or `env:NAME`. Printing it prints where it came from.
struct Secret {
    std::string source;  // "file:/etc/fairway/api.token"
    std::string value;
    friend bool operator==(const Secret&, const Secret&) = default;
};

enum class XdpMode : uint8_t { automatic, native, generic };

/// Answering past the kernel's network stack: server.xdp.
struct Xdp {
    std::vector<std::string> interfaces;
    XdpMode mode = XdpMode::automatic;
    friend bool operator==(const Xdp&, const Xdp&) = default;
};

/// Of answers over UDP to one client prefix, by kind of answer.
struct RateLimit {
    uint32_t responses = 0;    // a second; 0: no limit
    uint32_t slip = 2;         // of those beyond the limit, each so many-th is answered truncated; 0: none
    uint8_t ipv4_prefix = 24;  // bits that make one client
    uint8_t ipv6_prefix = 56;
    std::vector<IpPrefix> exempt;
    friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// DNS over TLS (RFC 7858): server.tls.
struct ServerTls {
    std::vector<SocketAddress> listen{{IpAddress::v4(0x7f000001), 853},
                                      {IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 853}};
    std::filesystem::path cert, key;  // PEM
    friend bool operator==(const ServerTls&, const ServerTls&) = default;
};

struct Server {
    /// UDP and TCP. Loopback unless told otherwise; empty: PowerDNS alone faces the clients.
    std::vector<SocketAddress> listen{{IpAddress::v4(0x7f000001), 53},
                                      {IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), 53}};
    std::optional<ServerTls> tls;
    uint32_t threads = 0;  // DNS workers; 0: one per core
    std::optional<Xdp> xdp;
    std::filesystem::path state = "/var/lib/fairway";
    std::string nsid;
    std::optional<Secret> cookie_secret;  // absent: random, and changed by itself
    RateLimit rate_limit;
    std::string log_level = "info";
    friend bool operator==(const Server&, const Server&) = default;
};

struct Api {
    std::filesystem::path unix_path = "/run/fairway/control.sock";
    std::optional<SocketAddress> listen;
    std::filesystem::path cert, key;
    std::optional<Secret> token;
    friend bool operator==(const Api&, const Api&) = default;
};

struct Pdns {
    std::filesystem::path unix_path;  // empty: no unix connector
    std::optional<SocketAddress> http;
    std::optional<std::variant<SocketAddress, std::filesystem::path>> zeromq;  // tcp, ipc
    /// Whether private keys and TSIG secrets are told over TCP as well.
    bool secrets_over_tcp = false;
    friend bool operator==(const Pdns&, const Pdns&) = default;
};

struct GeoOverride {
    std::vector<IpPrefix> prefixes;
    Location location;
    friend bool operator==(const GeoOverride&, const GeoOverride&) = default;
};

struct Geoip {
    std::vector<std::filesystem::path> databases;  // the first that knows an address wins
    std::vector<GeoOverride> overrides;
    friend bool operator==(const Geoip&, const Geoip&) = default;
};

/// Limits of the probe engine: [probes].
struct Probes {
    uint32_t rate = 50'000;                // probes started per second, all together
    uint32_t rate_per_gateway = 100;       // and per gateway
    std::vector<SocketAddress> resolvers;  // empty: the system's
    friend bool operator==(const Probes&, const Probes&) = default;
};

/// [tsig.NAME]: a secret shared with secondaries (RFC 8945).
struct TsigKey {
    std::string name;  // absolute, lower case, without the trailing dot
    std::string algorithm = "hmac-sha256";
    Secret secret;  // base64
    friend bool operator==(const TsigKey&, const TsigKey&) = default;
};

/// [health]: hold-down of endpoints that flap, and what silence of all at once means (src/health).
struct Health {
    bool damping = true;
    nanoseconds hold_down = seconds{10};  // after the first flap beyond the threshold; doubles with each more
    nanoseconds max_hold_down = seconds{600};
    nanoseconds half_life = seconds{300};  // of the penalty
    bool isolation = true;                 // keep the last answers when our own network is suspected
    double isolation_share = 1;
    uint32_t isolation_minimum = 3;
    friend bool operator==(const Health&, const Health&) = default;
};

struct Config {
    Server server;
    Api api;
    std::optional<Pdns> pdns;
    Geoip geoip;
    Probes probes;
    Health health;
    std::vector<TsigKey> tsig;
    std::shared_ptr<const Model> model;
    std::vector<std::filesystem::path> files;  // all that were read, the main one first
};

struct Diagnostic {
    enum class Severity : uint8_t { warning, error };
    Severity severity = Severity::error;
    std::string file;
    uint32_t line = 0;    // from 1; 0: the whole file
    uint32_t column = 0;  // from 1
    std::string message;  // with the suggestion, if there is one

    /// "conf/fairway.toml:12:1: error: unknown key "intervall" (did you mean "interval"?)"
    [[nodiscard]] std::string to_string() const;
    friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

struct LoadResult {
    std::optional<Config> config;         // absent exactly when a diagnostic is an error
    std::vector<Diagnostic> diagnostics;  // in order of file, line, column
};

struct SecretContent {
    std::string value;    // without the newline at its end
    std::string warning;  // such as that everybody may read the file, or empty
};
/// Fetches what `file:PATH` (absolute) or `env:NAME` stands for. Neither outcome repeats the secret.
using SecretReader = std::function<Result<SecretContent>(const std::string& source)>;
/// The one that looks at the file system and the environment: regular files of at most 64 KiB.
[[nodiscard]] Result<SecretContent> read_secret(const std::string& source);

/// Reads `path` and, beside it, `conf.d/*.toml` in order of their names. Never throws. Relative paths in any
/// of these files start at the folder of `path`.
[[nodiscard]] LoadResult load(const std::filesystem::path& path);
/// The same from text in memory, without conf.d; `name` stands for the file in diagnostics and relative
/// paths. Opens nothing but secrets, and those through `secrets`.
[[nodiscard]] LoadResult load_text(std::string_view text, const std::filesystem::path& name,
                                   const SecretReader& secrets = read_secret);

/// The whole effective configuration, defaults included, as TOML that load_text() reads back; secrets by
/// source.
[[nodiscard]] std::string show(const Config& config);
/// What an operator wants to know before a reload: "+ gateway sin2", "~ monitor ike: interval 2s -> 5s";
/// empty when nothing differs.
[[nodiscard]] std::vector<std::string> diff(const Config& before, const Config& after);
/// JSON Schema (draft 2020-12) of the configuration, from the table that validates it.
[[nodiscard]] std::string json_schema();

}  // namespace fairway::config
