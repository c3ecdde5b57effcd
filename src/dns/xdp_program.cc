// SPDX-License-Identifier: Apache-2.0
#include "dns/xdp_program.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dns/xdp_program_object.h"

namespace fairway::dns {
namespace {

constexpr uint32_t only = 0;  // key of the maps with one value
constexpr size_t most_listens = 4096;

tl::unexpected<Error> because(const std::string& what, int error) {
    std::string reason = std::strerror(error);
    if (error == EPERM || error == EACCES) reason += " (CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW are needed)";
    return fail(what + ": " + reason);
}

xdp_listen key_of(const SocketAddress& address) {
    xdp_listen key{};
    const ByteSpan bytes = address.address.bytes();
    std::memcpy(key.address, bytes.data(), bytes.size());
    key.port = htons(address.port);
    key.family = address.address.is_v4() ? 4 : 6;
    return key;
}

}  // namespace

void XdpProgram::Close::operator()(bpf_object* object) const noexcept {
    bpf_object__close(object);
}

Result<std::unique_ptr<XdpProgram>> XdpProgram::load(uint32_t queues) {
    // Failures are told by us, in one sentence.
    libbpf_set_print(nullptr);
    bpf_object* object = bpf_object__open_mem(xdp_program_object.data(), xdp_program_object.size(), nullptr);
    if (object == nullptr) return because("cannot read the XDP program", errno);
    std::unique_ptr<XdpProgram> program(new XdpProgram(object));
    bpf_map* sockets = bpf_object__find_map_by_name(object, "sockets");
    if (sockets == nullptr) return because("cannot read the XDP program", EINVAL);
    (void)bpf_map__set_max_entries(sockets, std::max(1U, queues));
    const int failed = bpf_object__load(object);
    if (failed != 0) return because("cannot load the XDP program", -failed);
    return program;
}

XdpProgram::~XdpProgram() = default;

int XdpProgram::map(const char* name) const {
    return bpf_object__find_map_fd_by_name(object_.get(), name);
}

Result<void> XdpProgram::set_socket(uint32_t queue, int socket) {
    if (bpf_map_update_elem(map("sockets"), &queue, &socket, BPF_ANY) != 0)
        return because("cannot give queue " + std::to_string(queue) + " to its socket", errno);
    return {};
}

void XdpProgram::set_listens(const std::vector<SocketAddress>& addresses) {
    std::vector<SocketAddress> next(
        addresses.begin(),
        addresses.begin() + static_cast<std::ptrdiff_t>(std::min(addresses.size(), most_listens)));
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
    const int fd = map("listens");
    for (const SocketAddress& old : listens_) {
        if (std::binary_search(next.begin(), next.end(), old)) continue;
        const xdp_listen key = key_of(old);
        (void)bpf_map_delete_elem(fd, &key);
    }
    for (const SocketAddress& fresh : next) {
        if (std::binary_search(listens_.begin(), listens_.end(), fresh)) continue;
        const xdp_listen key = key_of(fresh);
        const uint32_t value = 1;
        // What the map does not take is answered by the sockets.
        (void)bpf_map_update_elem(fd, &key, &value, BPF_ANY);
    }
    listens_ = std::move(next);
}

void XdpProgram::set_mac(const std::array<uint8_t, 6>& mac) {
    xdp_interface value{};
    std::copy(mac.begin(), mac.end(), value.mac);
    (void)bpf_map_update_elem(map("interface"), &only, &value, BPF_ANY);
}

Result<void> XdpProgram::attach(int interface_index, Place place) {
    const bpf_program* program = bpf_object__find_program_by_name(object_.get(), "fairway_dns");
    if (program == nullptr) return because("cannot read the XDP program", EINVAL);
    bpf_link_create_opts options{};
    options.sz = sizeof options;
    options.flags = place == Place::native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    const int link = bpf_link_create(bpf_program__fd(program), interface_index, BPF_XDP, &options);
    if (link < 0) {
        if (errno == EBUSY || errno == EEXIST) return fail("another XDP program runs on it");
        if (errno == EOPNOTSUPP && place == Place::native) return fail("its driver has no native XDP");
        return because(place == Place::native ? "cannot attach the XDP program to its driver"
                                              : "cannot attach the XDP program",
                       errno);
    }
    link_.reset(link);
    return {};
}

uint64_t XdpProgram::passed() const {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return 0;
    std::vector<uint64_t> counts(static_cast<size_t>(cpus));
    if (bpf_map_lookup_elem(map("passed"), &only, counts.data()) != 0) return 0;
    uint64_t sum = 0;
    for (const uint64_t count : counts) sum += count;
    return sum;
}

}  // namespace fairway::dns
