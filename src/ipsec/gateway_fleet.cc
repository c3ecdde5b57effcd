// SPDX-License-Identifier: Apache-2.0
#include "ipsec/gateway_fleet.h"

#include <algorithm>
#include <stdexcept>

#include "base/log.h"
#include "base/text.h"
#include "net/open_files.h"

namespace fairway::ipsec {

namespace {

template <class T>
T or_throw(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
}

std::string path_of(const Fleet::Address& address) {
    return address.gateway->name + "/" + address.address.to_string();
}

constexpr Service tcp_services[] = {Service::tcp, Service::tls, Service::http, Service::https};

}  // namespace

Fleet::Fleet(net::Loop& loop, FleetSettings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      authority_(or_throw(Authority::open(settings_.ca))),
      context_(or_throw(make_server_context())),
      sweeper_(loop, [this] { sweep(); }) {
    reserve_descriptors();
    for (const GatewaySettings& gateway : settings_.gateways) {
        if (!gateway.cert.empty()) {
            given_.emplace(&gateway, or_throw(make_server_context(gateway.cert, gateway.key)));
        }
        for (const IpAddress& address : gateway.addresses) add(gateway, address);
    }
    sweeper_.start_repeating(seconds{1});
}

Fleet::~Fleet() = default;

/// A process has few descriptors by default, and a gateway takes up to six: as many as are allowed, and the
/// rest of them bounds the connections.
void Fleet::reserve_descriptors() {
    constexpr uint64_t spare = 64;  // log, loop, control connections
    uint64_t sockets = 0;
    for (const GatewaySettings& gateway : settings_.gateways) {
        const auto offered = std::count_if(gateway.ports.begin(), gateway.ports.end(),
                                           [](const auto& port) { return port.has_value(); });
        // Two more for each, which fill the backlog of a silent listener.
        sockets += gateway.addresses.size() * static_cast<size_t>(offered) * 3;
    }
    const uint64_t limit = net::raise_open_file_limit();
    if (limit < sockets + 2 * spare) {
        throw std::runtime_error(std::to_string(sockets) + " sockets do not fit into the limit of " +
                                 std::to_string(limit) + " open files (ulimit -n)");
    }
    budget_.limit = std::min<size_t>(settings_.max_connections, limit - sockets - spare);
}

void Fleet::add(const GatewaySettings& gateway, const IpAddress& address) {
    addresses_.push_back(std::make_unique<Address>());
    Address& added = *addresses_.back();
    added.gateway = &gateway;
    added.address = address;
    for (const Service service : tcp_services) {
        const auto& port = gateway.ports[static_cast<size_t>(service)];
        if (!port) continue;
        added.tcp.emplace_back(loop_, service, SocketAddress{address, *port}, budget_,
                               [this, &added](Service s) { return plan_connection(added, s); });
    }
    const auto ike = gateway.ports[static_cast<size_t>(Service::ike)];
    const auto ike_nat = gateway.ports[static_cast<size_t>(Service::ike_nat)];
    if (ike || ike_nat) {
        added.ike = std::make_unique<IkeService>(loop_, address, std::array{ike, ike_nat}, gateway.responder,
                                                 entropy_);
    }
    // Bound once even when a fault closes it at once, so that ports picked by the kernel are known.
    if (auto opened = apply(added, Fault{}); !opened) throw std::runtime_error(opened.error().message);
    if (gateway.fault.kind != FaultKind::none) (void)apply(added, gateway.fault);
}

Result<void> Fleet::apply(Address& address, const Fault& fault) {
    address.fault = fault;
    Result<void> outcome;
    for (TcpService& service : address.tcp) {
        if (auto done = service.apply(fault.kind); !done) outcome = done;
    }
    if (address.ike != nullptr) {
        const nanoseconds delay = fault.delay.value_or(address.gateway->slow);
        if (auto done = address.ike->apply(fault, delay); !done) outcome = done;
    }
    return outcome;
}

x509_st* Fleet::certificate_of(Address& address) {
    const bool bad = address.fault.kind == FaultKind::bad_certificate;
    const auto flaw = bad ? std::optional(address.fault.flaw) : std::nullopt;
    Certificate& certificate = bad ? address.bad_certificates[*flaw] : address.certificate;
    if (certificate == nullptr) {
        CertificateSubject subject{address.gateway->name, {}, {address.address}};
        for (const std::string& name : address.gateway->server_names) subject.hosts.push_back(name);
        if (is_host_name(address.gateway->name)) subject.hosts.push_back(address.gateway->name);
        auto issued = authority_.issue(subject, flaw);
        if (!issued) {
            log::error(path_of(address) + ": " + issued.error().message);
            return nullptr;
        }
        certificate = std::move(*issued);
    }
    return certificate.get();
}

ConnectionPlan Fleet::plan_connection(Address& address, Service service) {
    ConnectionPlan plan;
    plan.service = service;
    plan.gateway = address.gateway->name;
    if (address.fault.kind == FaultKind::slow)
        plan.delay = address.fault.delay.value_or(address.gateway->slow);
    if (address.fault.kind == FaultKind::http_503) plan.http = ConnectionPlan::Http::unavailable;
    if (service != Service::tls && service != Service::https) return plan;
    const auto given = given_.find(address.gateway);
    if (given != given_.end() && address.fault.kind != FaultKind::bad_certificate) {
        plan.tls = given->second.get();
        return plan;
    }
    plan.tls = context_.get();
    plan.certificate = certificate_of(address);
    plan.key = authority_.leaf_key();
    return plan;
}

std::vector<Fleet::Address*> Fleet::find(std::string_view target) const {
    std::vector<Address*> found;
    for (const auto& address : addresses_) {
        if (glob_match(target, address->gateway->name) || glob_match(target, path_of(*address))) {
            found.push_back(address.get());
        }
    }
    return found;
}

std::string Fleet::unknown_target(std::string_view target) const {
    std::vector<std::string> names;
    for (const auto& address : addresses_) {
        names.push_back(target.find('/') == std::string_view::npos ? address->gateway->name
                                                                   : path_of(*address));
    }
    const std::string near = nearest_name(target, names);
    return "no gateway \"" + std::string(target) + "\"" +
           (near.empty() ? "" : " (did you mean \"" + near + "\"?)");
}

void Fleet::sweep() {
    const MonotonicTime now = loop_.now();
    for (const auto& address : addresses_) {
        for (TcpService& service : address->tcp) service.sweep(now);
        if (address->ike != nullptr) address->ike->sweep(now);
    }
}

}  // namespace fairway::ipsec
