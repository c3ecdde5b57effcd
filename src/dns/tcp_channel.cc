// SPDX-License-Identifier: Apache-2.0
#include "dns/tcp_channel.h"

#include <sys/socket.h>

#include <cerrno>

namespace fairway::dns {
namespace {

constexpr size_t keep_capacity = 8192;       // octets of buffer that an idle connection may keep
constexpr size_t move_at = size_t{1} << 16;  // octets already sent before the rest is moved to the front

}  // namespace

TcpChannel::TcpChannel(UniqueFd fd, std::shared_ptr<const net::TlsServerContext> context,
                       const net::TlsTicketKeys* tickets)
    : fd_(std::move(fd)) {
    if (context != nullptr)
        tls_ = std::make_unique<net::TlsServerSession>(std::move(context), *tickets, out_);
}

TcpChannel::Read TcpChannel::read(std::span<uint8_t> scratch, TcpFraming& framing) {
    const std::span<uint8_t> bytes = scratch.first(scratch.size() / 2);
    const ssize_t count = recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (count == 0) return Read::end;
    if (count < 0) return errno == EAGAIN || errno == EINTR ? Read::good : Read::broken;
    const std::span<uint8_t> got = bytes.first(static_cast<size_t>(count));
    if (tls_ != nullptr) return decrypt(got, scratch.subspan(bytes.size()), framing);
    framing.append(got);
    return Read::good;
}

TcpChannel::Read TcpChannel::decrypt(ByteSpan ciphertext, std::span<uint8_t> plaintext, TcpFraming& framing) {
    using State = net::TlsServerSession::State;
    tls_->feed(ciphertext);
    while (const size_t size = tls_->read(plaintext)) framing.append(plaintext.first(size));
    if (tls_->state() == State::failed) {
        (void)flush();  // the alert
        return Read::broken;
    }
    return tls_->state() == State::closed ? Read::end : Read::good;
}

void TcpChannel::write(ByteSpan bytes) {
    if (tls_ != nullptr)
        tls_->write(bytes);
    else
        out_.insert(out_.end(), bytes.begin(), bytes.end());
}

void TcpChannel::say_goodbye() {
    // Behind octets that the kernel did not take, it would be in the wrong place.
    if (tls_ == nullptr || unsent() > 0) return;
    tls_->close();
    (void)flush();
}

void TcpChannel::end() {
    say_goodbye();
    (void)shutdown(fd_.get(), SHUT_WR);
}

void TcpChannel::close() {
    say_goodbye();
    fd_.reset();
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
