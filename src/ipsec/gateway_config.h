// SPDX-License-Identifier: Apache-2.0
#pragma once
// fairway-gateway's configuration: TOML to structs, all diagnostics at once, no side effects.
//
//     ca    = "run/ca.pem"          # where the certificate authority of this run is written
//     [defaults]                    # any key of a gateway, for all of them
//     http  = 7080
//     [gateway.fra1]
//     addresses = ["127.0.1.10", "127.0.1.11"]
//
// The man page fairway-gateway(1) lists every key.

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "ipsec/gateway_fault.h"
#include "ipsec/responder.h"

namespace fairway::ipsec {

/// What a gateway can offer on an address; the order is that of the keys in status and configuration.
enum class Service : uint8_t { tcp, tls, http, https, ike, ike_nat };
inline constexpr size_t service_count = 6;
[[nodiscard]] std::string_view to_string(Service service) noexcept;  // the key: "ike_nat"

/// What may stand as a DNS name in a certificate.
[[nodiscard]] bool is_host_name(std::string_view text) noexcept;

struct GatewaySettings {
    std::string name;
    std::vector<IpAddress> addresses;
    /// By Service; absent: not offered; 0: any free port.
    std::array<std::optional<uint16_t>, service_count> ports{};
    std::vector<std::string> server_names;  // in the generated certificate, beside name and addresses
    std::filesystem::path cert, key;        // given files instead of a generated certificate
    nanoseconds slow = seconds{2};          // delay of the fault `slow`
    Fault fault;                            // at start
    ResponderSettings responder;
};

struct FleetSettings {
    std::filesystem::path ca;       // empty: not written
    std::filesystem::path control;  // empty: the default
    size_t max_connections = 4'096;
    std::vector<GatewaySettings> gateways;  // in the order of the file
};

/// Either settings, or every problem as "file:line:column: message". `name` stands for the file; relative
/// paths are resolved against its folder.
struct FleetLoad {
    std::optional<FleetSettings> settings;
    std::vector<std::string> problems;
};
[[nodiscard]] FleetLoad load_fleet_text(std::string_view text, const std::filesystem::path& name);
[[nodiscard]] FleetLoad load_fleet(const std::filesystem::path& path);

}  // namespace fairway::ipsec
