// SPDX-License-Identifier: Apache-2.0
#pragma once
// The byte stream of one connection, bare or under TLS: octets that came become messages, octets to send wait
// until the kernel takes them. It knows neither questions nor limits: who writes looks at unsent() first.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/unique_fd.h"
#include "dns/tcp_framing.h"
#include "net/tls_server.h"

namespace fairway::dns {

class TcpChannel {
  public:
    /// Bare where `context` is null, else under TLS; then `tickets` must be there and outlive the channel.
    TcpChannel(UniqueFd fd, std::shared_ptr<const net::TlsServerContext> context,
               const net::TlsTicketKeys* tickets);
    ~TcpChannel() = default;
    TcpChannel(const TcpChannel&) = delete;
    TcpChannel& operator=(const TcpChannel&) = delete;

    /// Octets that the scratch buffer of read() must have at least.
    static constexpr size_t scratch_size = 32 * 1024;

    enum class Read : uint8_t {
        good,    // what there was, perhaps nothing, has been taken
        end,     // the peer has closed its side
        broken,  // nothing can be read or written any more
    };
    /// Takes what has come, at most half of what `scratch` holds, and appends it to `framing`; or goes on
    /// with the handshake.
    [[nodiscard]] Read read(std::span<uint8_t> scratch, TcpFraming& framing);
    /// Queues `bytes`; flush() sends them. Not during the handshake. Under TLS one call makes one record or
    /// a few: better few calls.
    void write(ByteSpan bytes);
    /// Sends what the kernel takes now. false: the connection is broken.
    [[nodiscard]] bool flush();

    /// Octets that the kernel has not taken yet.
    [[nodiscard]] size_t unsent() const noexcept { return out_.size() - sent_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(fd_); }
    /// Ends our side, in the way of TLS too: nothing is written any more, what comes may still be received.
    void end();
    /// Says goodbye in the way of TLS if the kernel takes it at once.
    void close();

    [[nodiscard]] bool is_tls() const noexcept { return tls_ != nullptr; }
    /// Nothing can be written before the handshake is through.
    [[nodiscard]] bool is_handshaking() const noexcept {
        return tls_ != nullptr && tls_->state() == net::TlsServerSession::State::handshaking;
    }
    [[nodiscard]] bool is_resumed() const noexcept { return tls_ != nullptr && tls_->is_resumed(); }

  private:
    void say_goodbye();
    [[nodiscard]] Read decrypt(ByteSpan ciphertext, std::span<uint8_t> plaintext, TcpFraming& framing);

    UniqueFd fd_;
    std::vector<uint8_t> out_;
    size_t sent_ = 0;  // of out_
    std::unique_ptr<net::TlsServerSession> tls_;
};

}  // namespace fairway::dns
