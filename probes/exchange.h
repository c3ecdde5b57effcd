// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a probe type is: an exchange of bytes or datagrams without I/O. The drivers (stream_driver.h,
// datagram_driver.h, and the one inside a tunnel) own sockets, the deadline and the one finish; an exchange
// says what to send, reads what comes and decides the result.
//
// One exchange object serves one check (one monitor on one target) for its whole life. Attempts follow each
// other and never overlap:
//
//     stream:    on_connected  { on_data }  [ reconnect(): on_connected  { on_data } ]  [ on_end ]  release
//     datagram:  on_start  { on_datagram | on_unreachable | on_timer }  [ on_silence ]   release
//
// Each attempt ends when finish() was called on its io, or with the result that on_end()/on_silence()
// returns; after that, and also when the attempt is cancelled half-way, release() is called and nothing else
// until the next attempt begins. A stream attempt that never connected calls nothing but release(). What an
// exchange keeps between attempts (a learned DH group, a loss window) is its own affair; memory that one
// attempt needed goes in release(), because tens of thousands of exchanges lie idle.
//
// Layers stack by wrapping: a TLS layer is a StreamExchange that holds another one, runs the handshake on the
// outer io, and gives the inner exchange an io of its own whose send() encrypts and whose finish() it may
// adjust (a certificate about to expire turns a pass into degraded). The inner on_connected() comes when the
// handshake is done. So the same HTTP exchange runs over TCP, over TLS and inside a tunnel.
//
// The driver fills in what it knows when the result leaves it out: the RTT from the kernel, the loop lag, and
// for a failure before the connection the layer and reason. Text from the network that goes into a reason or
// a detail must be escaped and bounded (printable()).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ip.h"
#include "model/probe_result.h"

namespace fairway {

/// One attempt, as the driver sees it; valid while the attempt lasts.
struct Attempt {
    SocketAddress peer;     // the address and the monitor's port (datagram: the first port)
    std::string_view host;  // as written in the configuration: a name or an address
    nanoseconds timeout{};  // of the whole attempt; `deadline` is when it ends
    MonotonicTime started;  // connect() or first datagram
    MonotonicTime deadline;
    uint64_t nonce = 0;  // fresh random bits: cookies, SPIs, message ids. Not for secrets
};

/// What both kinds of io offer. Text for step() is only worth building while tracing() is true.
class ProbeIo {
  public:
    virtual ~ProbeIo() = default;

    [[nodiscard]] virtual const Attempt& attempt() const noexcept = 0;
    [[nodiscard]] virtual MonotonicTime now() const noexcept = 0;
    [[nodiscard]] virtual WallTime wall_now() const noexcept = 0;

    /// The verdict. Once per attempt; no callback but release() follows, and the exchange returns soon.
    virtual void finish(ProbeResult result) = 0;

    /// Somebody watches this attempt step by step ("probe now").
    [[nodiscard]] virtual bool tracing() const noexcept = 0;
    /// "TLS handshake TLSv1.3", "HTTP 200": what has just been done; the driver adds the time it took.
    virtual void step(std::string_view what) = 0;
};

/// How a connection ended before the exchange was satisfied.
enum class StreamStop : uint8_t {
    eof,      // the peer closed its side in an orderly way
    reset,    // RST or another error of the transport
    deadline  // the attempt's time is up
};

class StreamIo : public ProbeIo {
  public:
    /// Queues a copy; the driver writes it after the current callback.
    virtual void send(ByteSpan bytes) = 0;
    void send(std::string_view text) { send(as_bytes(text)); }
    /// Gives this connection up and makes another one to the same peer, within the same attempt and its
    /// deadline: on_connected() comes again, without a release() before it. The exchange returns soon.
    virtual void reconnect() = 0;
};

class StreamExchange {
  public:
    virtual ~StreamExchange() = default;
    /// A connection (or the layer below) is ready: a new attempt begins.
    virtual void on_connected(StreamIo& io) = 0;
    /// Some bytes, cut anywhere; valid during the call.
    virtual void on_data(ByteSpan bytes, StreamIo& io) = 0;
    /// Nothing more will come. The result: a pass where the end was what the protocol waited for.
    [[nodiscard]] virtual ProbeResult on_end(StreamStop how, StreamIo& io) = 0;
    virtual void release() noexcept {}
};

/// What ICMP said about a datagram of ours.
enum class Unreachable : uint8_t { port, host, network, prohibited };

[[nodiscard]] std::string_view to_string(Unreachable kind) noexcept;  // "port unreachable" ...

/// The remote ports are those of the exchange's factory (DatagramProbe::ports), known by their position.
class DatagramIo : public ProbeIo {
  public:
    virtual void send(size_t port_index, ByteSpan datagram) = 0;
};

class DatagramExchange {
  public:
    virtual ~DatagramExchange() = default;
    /// A new attempt begins: send the first datagrams.
    virtual void on_start(DatagramIo& io) = 0;
    /// From the attempt's address and the remote port at `port_index`, which need not be the one that was
    /// asked. Anything may come: what does not belong to the attempt is ignored.
    virtual void on_datagram(ByteSpan datagram, size_t port_index, DatagramIo& io) = 0;
    /// ICMP error for a datagram sent to that port.
    virtual void on_unreachable(Unreachable kind, size_t port_index, DatagramIo& io) = 0;
    /// When to be called next for a retransmission; asked after every call. Absent: only wait.
    [[nodiscard]] virtual std::optional<MonotonicTime> next_timer() const = 0;
    /// next_timer() has come: retransmit.
    virtual void on_timer(DatagramIo& io) = 0;
    /// The attempt's time is up.
    [[nodiscard]] virtual ProbeResult on_silence(DatagramIo& io) = 0;
    virtual void release() noexcept {}
};

/// The usual results; the driver adds the RTT and the lag.
[[nodiscard]] ProbeResult passed(std::string detail = {});
[[nodiscard]] ProbeResult degraded(ProbeLayer layer, std::string reason, std::string detail = {});
[[nodiscard]] ProbeResult failed(ProbeLayer layer, std::string reason, std::string detail = {});

/// Text from the network for a reason or a detail: escape_text() with a limit that suits most.
[[nodiscard]] std::string printable(std::string_view text, size_t limit = 64);

}  // namespace fairway
