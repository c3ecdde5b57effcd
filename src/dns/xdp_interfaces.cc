// SPDX-License-Identifier: Apache-2.0
#include "dns/xdp_interfaces.h"

#include <algorithm>

namespace fairway::dns {
namespace {

constexpr uint32_t ethernet_header = 14;
// The largest answer over UDP with its headers: no smaller MTU could carry every answer.
constexpr uint32_t least_mtu = 1280;

}  // namespace

XdpInterfaces::XdpInterfaces(std::vector<SocketAddress> listen, std::vector<XdpWorker*> workers)
    : listen_(std::move(listen)), workers_(std::move(workers)) {}

XdpInterfaces::~XdpInterfaces() {
    detach();
}

void XdpInterfaces::configure(const XdpOptions& options) {
    if (options == options_) return;
    if (options.mode != options_.mode) detach();
    options_ = options;
    const auto wanted = [&options](const std::string& name) {
        return std::find(options.interfaces.begin(), options.interfaces.end(), name) !=
               options.interfaces.end();
    };
    for (Interface& interface : interfaces_) {
        if (!wanted(interface.name)) detach(interface);
    }
    const std::lock_guard lock(mutex_);
    std::erase_if(interfaces_, [&](const Interface& interface) { return !wanted(interface.name); });
    for (const std::string& name : options.interfaces) {
        const bool known = std::any_of(interfaces_.begin(), interfaces_.end(),
                                       [&name](const Interface& at) { return at.name == name; });
        if (!known) interfaces_.push_back({name, std::nullopt, {}});
    }
}

std::vector<XdpNotice> XdpInterfaces::look() {
    std::vector<XdpNotice> notices;
    for (Interface& interface : interfaces_) {
        auto notice = look_at(interface);
        if (notice) notices.push_back(std::move(*notice));
    }
    return notices;
}

std::optional<XdpNotice> XdpInterfaces::look_at(Interface& interface) {
    const auto device = find_device(interface.name);
    std::string trouble;
    if (interface.attached) {
        const bool broken = std::any_of(interface.attached->queues.begin(), interface.attached->queues.end(),
                                        [](const Queue& queue) { return queue.socket->failed(); });
        XdpDevice& now = interface.attached->device;
        const bool same = device && !broken && device->index == now.index && device->queues == now.queues &&
                          device->mtu == now.mtu;
        if (same) {
            interface.attached->program->set_listens(answered_addresses(interface.name, listen_));
            if (device->mac != now.mac) interface.attached->program->set_mac(device->mac);
            now = *device;
            return std::nullopt;
        }
        detach(interface);
    }
    if (device && interface.rests) {
        // The kernel lets go of a closed queue a moment later; until then it would be found busy.
        interface.rests = false;
        return std::nullopt;
    }
    if (!device) {
        trouble = device.error().message;
    } else {
        auto attached = attach(interface.name, *device);
        if (attached) {
            std::string text = "XDP answers on " + interface.name + ": " +
                               (attached->place == XdpProgram::Place::native ? "native" : "generic") + ", " +
                               std::to_string(attached->queues.size()) +
                               (attached->queues.size() == 1 ? " queue, " : " queues, ") +
                               (attached->queues.front().socket->is_zero_copy() ? "zero-copy" : "copying");
            if (!attached->why_generic.empty()) text += " (" + attached->why_generic + ")";
            const std::lock_guard lock(mutex_);
            interface.attached = std::move(*attached);
            interface.trouble.clear();
            return XdpNotice{XdpNotice::Kind::attached, std::move(text)};
        }
        trouble = attached.error().message;
    }
    if (trouble == interface.trouble) return std::nullopt;
    interface.trouble = trouble;
    return XdpNotice{XdpNotice::Kind::fallback,
                     "no XDP on " + interface.name + ", the sockets answer: " + trouble};
}

Result<XdpInterfaces::Attached> XdpInterfaces::attach(const std::string& name,
                                                      const XdpDevice& device) const {
    if (device.mtu < least_mtu) return fail("its MTU is smaller than " + std::to_string(least_mtu));
    Attached made;
    made.device = device;
    auto program = XdpProgram::load(device.queues);
    if (!program) return tl::unexpected(program.error());
    made.program = std::move(*program);
    made.program->set_listens(answered_addresses(name, listen_));
    made.program->set_mac(device.mac);
    const bool only_generic = options_.mode == XdpOptions::Mode::generic;
    const auto copying = only_generic ? XdpSocket::Copying::always : XdpSocket::Copying::as_the_driver_can;
    for (uint32_t i = 0; i < device.queues; ++i) {
        auto socket = XdpSocket::open(name, i, device.mtu + ethernet_header, copying);
        if (!socket) return tl::unexpected(socket.error());
        const auto set = made.program->set_socket(i, (*socket)->fd());
        if (!set) return tl::unexpected(set.error());
        made.queues.push_back({std::move(*socket), workers_[i % workers_.size()]});
    }
    made.place = only_generic ? XdpProgram::Place::generic : XdpProgram::Place::native;
    auto placed = made.program->attach(device.index, made.place);
    // Sockets that share memory with the driver get nothing from a program outside of it.
    if (!placed && options_.mode == XdpOptions::Mode::automatic &&
        !made.queues.front().socket->is_zero_copy()) {
        made.place = XdpProgram::Place::generic;
        made.why_generic = placed.error().message;
        placed = made.program->attach(device.index, made.place);
    }
    if (!placed) return tl::unexpected(placed.error());
    for (const Queue& queue : made.queues) queue.worker->add(*queue.socket);
    return made;
}

void XdpInterfaces::detach(Interface& interface) {
    if (!interface.attached) return;
    // The program first, so that the workers answer the last that came and nothing comes behind it.
    interface.attached->program->detach();
    for (const Queue& queue : interface.attached->queues) queue.worker->remove(*queue.socket);
    const std::lock_guard lock(mutex_);
    passed_before_ += interface.attached->program->passed();
    for (const Queue& queue : interface.attached->queues) lost_before_ += queue.socket->lost();
    interface.attached.reset();
    interface.rests = true;
}

void XdpInterfaces::detach() {
    for (Interface& interface : interfaces_) detach(interface);
}

void XdpInterfaces::add_to(ServerStats& stats) const {
    const std::lock_guard lock(mutex_);
    stats.xdp_passed += passed_before_;
    stats.xdp_lost += lost_before_;
    for (const Interface& interface : interfaces_) {
        if (!interface.attached) continue;
        ++stats.xdp_interfaces;
        stats.xdp_passed += interface.attached->program->passed();
        for (const Queue& queue : interface.attached->queues) stats.xdp_lost += queue.socket->lost();
    }
}

}  // namespace fairway::dns
