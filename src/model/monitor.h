// SPDX-License-Identifier: Apache-2.0
#pragma once
// What to probe and how often: configuration only. Equality decides which monitors share one probe.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "model/ids.h"

namespace fairway {

struct TlsSettings {
    std::string
        server_name;  // SNI and the name to verify; empty: the endpoint's host name, or no SNI for an address
    bool verify = true;               // chain, host name, validity
    std::string ca_file;              // PEM; empty: the system's
    std::string min_version = "1.2";  // "1.0" to "1.3"
    uint32_t min_days = 0;            // fewer days to expiry than this is degraded; 0: never
    std::vector<std::string> alpn;    // offered; one of them must be chosen when not empty
    std::string cert_file, key_file;  // client certificate, PEM
    std::string pin_sha256;  // base64 of SHA-256 over the SubjectPublicKeyInfo (RFC 7469 2.4), or empty
    friend bool operator==(const TlsSettings&, const TlsSettings&) = default;
};

struct TcpProbe {
    std::string send;    // after the connection is made; may be empty
    std::string expect;  // substring of what comes back; may be empty
    friend bool operator==(const TcpProbe&, const TcpProbe&) = default;
};

struct TlsProbe {
    TlsSettings tls;
    friend bool operator==(const TlsProbe&, const TlsProbe&) = default;
};

struct HttpProbe {
    std::optional<TlsSettings> tls;  // absent: plain HTTP
    std::string method = "GET";
    std::string path = "/";
    std::string host;  // Host header; empty: tls.server_name, else the endpoint's host name or address
    std::vector<std::pair<std::string, std::string>> headers;
    std::vector<std::pair<uint16_t, uint16_t>> status{{200, 299}};  // inclusive ranges
    std::string expect;                                             // substring of the body, or empty
    std::string expect_regex;     // RE2 syntax, searched for in the body; or empty
    uint32_t body_limit = 65536;  // bytes of body read at most
    uint8_t redirects = 0;        // how many to follow, to the same address only
    friend bool operator==(const HttpProbe&, const HttpProbe&) = default;
};

enum class IkeMode : uint8_t { stateless, full };

struct IkeProbe {
    uint8_t version = 2;                // 1: main mode, 2: IKE_SA_INIT
    IkeMode mode = IkeMode::stateless;  // full leaves a half-open SA: budgeted
    bool nat_traversal = true;          // ask on 4500 with the non-ESP marker as well; both must answer
    uint16_t nat_port = 4500;           // where the marker is spoken
    bool mismatch_is_degraded = false;  // NO_PROPOSAL_CHOSEN: degraded instead of up
    bool legacy = false;                // offer DH group 2 and SHA-1 as well
    friend bool operator==(const IkeProbe&, const IkeProbe&) = default;
};

struct IcmpProbe {
    uint32_t size = 56;          // payload octets
    uint32_t window = 20;        // echoes over which loss is counted
    double degraded_loss = 0.2;  // share of the window lost, 0 to 1
    double down_loss = 0.6;
    friend bool operator==(const IcmpProbe&, const IcmpProbe&) = default;
};

/// A type that parses and validates but has no probe in this build. The configuration refuses to use it.
struct UnfinishedProbe {
    std::string type;
    friend bool operator==(const UnfinishedProbe&, const UnfinishedProbe&) = default;
};

using ProbeSettings = std::variant<TcpProbe, TlsProbe, HttpProbe, IkeProbe, IcmpProbe, UnfinishedProbe>;
/// As the configuration spells it: "tcp", "tls", "http", "ike", "icmp", ...
[[nodiscard]] std::string_view type_name(const ProbeSettings& probe) noexcept;

struct Monitor {
    MonitorId id;
    std::string name;
    nanoseconds interval = seconds{5};
    nanoseconds timeout = seconds{2};
    nanoseconds recheck = milliseconds{1250};  // while in doubt; default: a quarter of the interval
    uint32_t fall = 3;
    uint32_t rise = 2;
    uint16_t port = 0;    // already defaulted by type; 0 for icmp
    std::string address;  // probed instead of the endpoint's own, an address or host name; or empty
    ProbeSettings probe;

    [[nodiscard]] std::string_view type() const noexcept { return type_name(probe); }
    friend bool operator==(const Monitor&, const Monitor&) = default;
};

}  // namespace fairway
