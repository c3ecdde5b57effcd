// SPDX-License-Identifier: Apache-2.0
#pragma once
// All gateways that one process plays: their addresses, services, certificates and current faults.

#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ipsec/entropy.h"
#include "ipsec/gateway_certificates.h"
#include "ipsec/gateway_config.h"
#include "ipsec/gateway_ike.h"
#include "ipsec/gateway_tcp.h"
#include "net/loop.h"

namespace fairway::ipsec {

class Fleet {
  public:
    /// Makes the authority and binds everything; throws std::system_error or std::runtime_error naming what
    /// failed.
    Fleet(net::Loop& loop, FleetSettings settings);
    ~Fleet();
    Fleet(const Fleet&) = delete;
    Fleet& operator=(const Fleet&) = delete;

    /// One address with everything that is played on it.
    struct Address {
        const GatewaySettings* gateway;
        IpAddress address;
        Fault fault;
        std::list<TcpService> tcp;
        std::unique_ptr<IkeService> ike;
        Certificate certificate;                                  // made when first shown
        std::map<CertificateFlaw, Certificate> bad_certificates;  // likewise
    };
    [[nodiscard]] const std::vector<std::unique_ptr<Address>>& addresses() const noexcept {
        return addresses_;
    }
    [[nodiscard]] const FleetSettings& settings() const noexcept { return settings_; }
    [[nodiscard]] size_t open_connections() const noexcept { return budget_.open; }

    /// TARGET is "fra1", "fra1/127.0.1.10" or a glob over either.
    [[nodiscard]] std::vector<Address*> find(std::string_view target) const;
    /// "no gateway "fra" (did you mean "fra1"?)".
    [[nodiscard]] std::string unknown_target(std::string_view target) const;
    /// All services of the address follow; what could not be bound is in the error, the rest is done.
    [[nodiscard]] Result<void> apply(Address& address, const Fault& fault);

  private:
    void add(const GatewaySettings& gateway, const IpAddress& address);
    void reserve_descriptors();
    [[nodiscard]] ConnectionPlan plan_connection(Address& address, Service service);
    [[nodiscard]] x509_st* certificate_of(Address& address);
    void sweep();

    net::Loop& loop_;
    FleetSettings settings_;
    SystemEntropy entropy_;
    Authority authority_;
    SslContext context_;                                  // for generated certificates
    std::map<const GatewaySettings*, SslContext> given_;  // for certificates from files
    ConnectionBudget budget_;
    std::vector<std::unique_ptr<Address>> addresses_;
    net::Timer sweeper_;
};

}  // namespace fairway::ipsec
