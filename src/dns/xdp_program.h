// SPDX-License-Identifier: Apache-2.0
#pragma once
// The program that an interface runs for every received frame (xdp_program.bpf.c): loading it, what it knows,
// and its place on the interface. The place is a bpf_link: it ends with the object, and with the process
// however that ends. An interface has one such place; another program in it is an error, not replaced.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "dns/xdp_program_maps.h"

struct bpf_object;

namespace fairway::dns {

class XdpProgram {
  public:
    enum class Place : uint8_t {
        native,  // in the driver
        generic  // in the kernel's stack, for any driver; slower
    };

    /// Into the kernel, not yet onto an interface. `queues` are the interface's.
    [[nodiscard]] static Result<std::unique_ptr<XdpProgram>> load(uint32_t queues);
    ~XdpProgram();
    XdpProgram(const XdpProgram&) = delete;
    XdpProgram& operator=(const XdpProgram&) = delete;

    /// Frames of `queue` go to this AF_XDP socket.
    [[nodiscard]] Result<void> set_socket(uint32_t queue, int socket);
    /// The addresses that are answered, instead of those before. Those beyond the map's size are left out.
    void set_listens(const std::vector<SocketAddress>& addresses);
    /// The interface's own station address.
    void set_mac(const std::array<uint8_t, 6>& mac);

    [[nodiscard]] Result<void> attach(int interface_index, Place place);
    void detach() noexcept { link_.reset(); }
    /// Frames that it left to the kernel.
    [[nodiscard]] uint64_t passed() const;

  private:
    struct Close {
        void operator()(bpf_object* object) const noexcept;
    };

    explicit XdpProgram(bpf_object* object) : object_(object) {}
    [[nodiscard]] int map(const char* name) const;

    std::unique_ptr<bpf_object, Close> object_;
    UniqueFd link_;
    std::vector<SocketAddress> listens_;
};

}  // namespace fairway::dns
