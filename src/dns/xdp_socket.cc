// SPDX-License-Identifier: Apache-2.0
#include "dns/xdp_socket.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace fairway::dns {
namespace {

// Some milliseconds of questions at full speed; more would only be memory that no cache holds.
constexpr uint32_t frames = 2048;  // 4 MiB a queue
constexpr uint32_t slots = 2048;   // of each ring: all frames may be in any
constexpr int send_attempts = 8;   // of one batch: the kernel takes 32 replies a call at the least

tl::unexpected<Error> because(const std::string& what, int error) {
    std::string reason = std::strerror(error);
    if (error == EPERM || error == EACCES) reason += " (CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF are needed)";
    if (error == ENOBUFS || error == ENOMEM)
        reason += " (its memory counts against the limit of locked memory, RLIMIT_MEMLOCK)";
    if (error == EBUSY) reason += " (another program has it)";
    return fail(what + ": " + reason);
}

}  // namespace

void XdpSocket::Unmap::operator()(uint8_t* memory) const noexcept {
    munmap(memory, size);
}

Result<std::unique_ptr<XdpSocket>> XdpSocket::open(const std::string& interface, uint32_t queue,
                                                   size_t longest_reply, Copying copying) {
    constexpr size_t size = size_t{frames} * XdpRings::frame_size;
    void* const mapped =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (mapped == MAP_FAILED) return because("cannot get memory for frames", errno);
    std::unique_ptr<XdpSocket> made(new XdpSocket(Memory(static_cast<uint8_t*>(mapped), Unmap{size}), size));
    XdpRings& rings = made->rings_;
    rings.set_longest_reply(longest_reply);

    xsk_umem_config memory{};
    memory.fill_size = slots;
    memory.comp_size = slots;
    memory.frame_size = XdpRings::frame_size;
    xsk_umem* umem = nullptr;
    int failed = xsk_umem__create(&umem, mapped, size, &rings.fill, &rings.completion, &memory);
    if (failed != 0) return because("cannot register memory for AF_XDP", -failed);
    made->umem_.reset(umem);

    xsk_socket_config config{};
    config.rx_size = slots;
    config.tx_size = slots;
    config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
    config.bind_flags = XDP_USE_NEED_WAKEUP;
    if (copying == Copying::always) config.bind_flags |= XDP_COPY;
    xsk_socket* socket = nullptr;
    failed =
        xsk_socket__create(&socket, interface.c_str(), queue, umem, &rings.receive, &rings.transmit, &config);
    if (failed != 0) return because("cannot bind AF_XDP to queue " + std::to_string(queue), -failed);
    made->socket_.reset(socket);
    (void)fcntl(made->fd(), F_SETFD, FD_CLOEXEC);

    xdp_options options{};
    socklen_t length = sizeof options;
    if (getsockopt(made->fd(), SOL_XDP, XDP_OPTIONS, &options, &length) == 0)
        made->zero_copy_ = (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
    rings.recycle();
    return made;
}

XdpSocket::~XdpSocket() = default;

int XdpSocket::fd() const noexcept {
    return xsk_socket__fd(socket_.get());
}

size_t XdpSocket::serve(const Serving& serving, Answerer& answerer, WorkerCounters& counters,
                        XdpCounters& xdp, uint32_t unix_seconds) noexcept {
    const XdpRings::Served served = rings_.serve(serving, answerer, counters, xdp, unix_seconds);
    if (has_unsent()) send();
    // Only drivers that stopped polling for lack of frames ask for this.
    if (xsk_ring_prod__needs_wakeup(&rings_.fill) != 0)
        (void)recvfrom(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
    return served.received;
}

void XdpSocket::send() noexcept {
    if (xsk_ring_prod__needs_wakeup(&rings_.transmit) == 0) return;
    for (int i = 0; i < send_attempts && has_unsent(); ++i) {
        if (sendto(fd(), nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0) continue;
        // EAGAIN: a part was sent. Full or busy: again with the next batch, or after a moment.
        if (errno != EAGAIN && errno != EINTR) return;
    }
}

uint64_t XdpSocket::lost() const noexcept {
    xdp_statistics statistics{};
    socklen_t length = sizeof statistics;
    if (getsockopt(fd(), SOL_XDP, XDP_STATISTICS, &statistics, &length) != 0) return 0;
    return statistics.rx_dropped + statistics.rx_ring_full + statistics.rx_fill_ring_empty_descs;
}

}  // namespace fairway::dns
