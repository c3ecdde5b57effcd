// SPDX-License-Identifier: Apache-2.0
#include "dns/tcp_channel.h"

#include <sys/socket.h>

#include <cerrno>

namespace fairway::dns {
namespace {

constexpr size_t keep_capacity = 8192;       // octets of buffer that an idle connection may keep
constexpr size_t move_at = size_t{1} << 16;  // octets already sent before the rest is moved to the front

}  // namespace

TcpChannel::Read TcpChannel::read(std::span<uint8_t> scratch, TcpFraming& framing) {
    const ssize_t count = recv(fd_.get(), scratch.data(), scratch.size(), 0);
    if (count == 0) return Read::end;
    if (count < 0) return errno == EAGAIN || errno == EINTR ? Read::good : Read::broken;
    framing.append(scratch.first(static_cast<size_t>(count)));
    return Read::good;
}

void TcpChannel::write(ByteSpan bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
}

bool TcpChannel::flush() {
    while (unsent() > 0) {
        const ssize_t count = send(fd_.get(), out_.data() + sent_, unsent(), MSG_NOSIGNAL);
        if (count >= 0)
            sent_ += static_cast<size_t>(count);
        else if (errno == EAGAIN || errno == ENOBUFS)
            break;
        else if (errno != EINTR)
            return false;
    }
    if (unsent() == 0) {
        out_.clear();
        sent_ = 0;
        if (out_.capacity() > keep_capacity) out_.shrink_to_fit();
    } else if (sent_ >= move_at) {
        out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(sent_));
        sent_ = 0;
    }
    return true;
}

}  // namespace fairway::dns
