// SPDX-License-Identifier: Apache-2.0
#pragma once
// Probe types. A type is one file that turns a monitor's settings into a factory of exchanges, plus one line
// in the table of registry.cc.

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/monitor.h"
#include "probes/exchange.h"

namespace fairway {

namespace net {
class TlsContexts;
}  // namespace net
class IkeBudget;

/// What an exchange is made for; the address may change between attempts (Attempt::peer).
struct ProbeTarget {
    std::string_view host;  // as written: a name or an address. Outlives the exchange
    uint16_t port = 0;
};

/// A monitor's settings made ready, once for all targets of all monitors with equal settings: this is where
/// certificates are loaded, the SSL_CTX lives and regular expressions are compiled. Exchanges refer to it and
/// are destroyed before it.
class StreamProbe {
  public:
    virtual ~StreamProbe() = default;
    [[nodiscard]] virtual std::unique_ptr<StreamExchange> make_exchange(const ProbeTarget& target) const = 0;
};

class DatagramProbe {
  public:
    virtual ~DatagramProbe() = default;
    /// Remote UDP ports, one to four.
    [[nodiscard]] virtual std::vector<uint16_t> ports() const = 0;
    [[nodiscard]] virtual std::unique_ptr<DatagramExchange> make_exchange(
        const ProbeTarget& target) const = 0;
};

/// Echo requests through the prober's shared ICMP sockets: the payload of each datagram is that of an echo,
/// and so is what comes back. Port indexes are always 0.
class EchoProbe {
  public:
    virtual ~EchoProbe() = default;
    [[nodiscard]] virtual std::unique_ptr<DatagramExchange> make_exchange(
        const ProbeTarget& target) const = 0;
};

using CompiledProbe =
    std::variant<std::unique_ptr<StreamProbe>, std::unique_ptr<DatagramProbe>, std::unique_ptr<EchoProbe>>;

/// What probes of several monitors have in common.
struct ProbeSupplies {
    /// Not explicit: whoever has one monitor and no prober needs no budget but one of its own.
    ProbeSupplies(net::TlsContexts& contexts, std::shared_ptr<IkeBudget> budget = nullptr);

    /// Monitors that name the same authorities share them; needed only while compiling, and a new one reads
    /// files afresh.
    net::TlsContexts& tls;
    /// One per prober, over reloads.
    std::shared_ptr<IkeBudget> ike_budget;
};

/// Reads files (certificates). The error is for an operator; probes of such a monitor fail with it as their
/// reason, layer `internal`.
[[nodiscard]] Result<CompiledProbe> compile_probe(const Monitor& monitor, const ProbeSupplies& supplies);

// One per probe type, in the file of that name; the alternative of monitor.probe is the type's.
[[nodiscard]] Result<CompiledProbe> compile_tcp(const Monitor& monitor);
[[nodiscard]] Result<CompiledProbe> compile_icmp(const Monitor& monitor);
[[nodiscard]] Result<CompiledProbe> compile_tls(const Monitor& monitor, net::TlsContexts& tls);
[[nodiscard]] Result<CompiledProbe> compile_http(const Monitor& monitor, net::TlsContexts& tls);
[[nodiscard]] Result<CompiledProbe> compile_ike(const Monitor& monitor, std::shared_ptr<IkeBudget> budget);

}  // namespace fairway
