// SPDX-License-Identifier: Apache-2.0
#pragma once
// From a question to its answer, without I/O: bytes in, bytes out, time passed in. One Answerer a thread;
// after warm-up it allocates nothing, but for signed requests and zone transfers. The same code answers our
// own server and explains; the PowerDNS backend and reports list the records of one owner name or zone by
// answer_records.h.

#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/ip.h"
#include "dns/rate_limit.h"
#include "dns/response_stream.h"
#include "dns/serving.h"
#include "dns/types.h"
#include "model/ids.h"

namespace fairway::dns {

enum class Transport : uint8_t { udp, tcp, tls };

/// TCP, bare or under TLS: no packet size bounds an answer, and the source address is not forged.
[[nodiscard]] constexpr bool is_stream(Transport transport) noexcept {
    return transport != Transport::udp;
}

/// One message from a client.
struct Request {
    ByteSpan message;  // without TCP's length
    IpAddress source;
    Transport transport = Transport::udp;
    uint32_t unix_seconds = 0;  // for cookies
    /// TCP and TLS only: what edns-tcp-keepalive tells the client, in units of 100 ms (RFC 7828).
    uint16_t keepalive = 0;
    /// TCP and TLS only: how many more answers of several messages may begin now.
    size_t streams_left = 0;
};

/// What became of a request, for counters and logs.
struct Outcome {
    bool answered = false;  // false: no reply must be sent
    Rcode rcode = Rcode::noerror;
    bool has_edns = false;
    bool has_ecs = false;
    bool truncated = false;
    bool transferred = false;  // the whole zone
    bool last_resort = false;  // no member was healthy and `all_down` decided
    /// The client showed a cookie that we made for it; only looked at where a rate limit asks.
    bool good_cookie = false;
    ResponseKind kind = ResponseKind::data;  // of the answer, for the rate limit
    ServiceId service;                       // that steered the answer, or invalid
    EndpointId endpoint;                     // answered first, or invalid
};

class Answerer {
  public:
    /// Answers everything afresh.
    Answerer();
    /// Keeps this many answers at most to give them again (answer_cache.h): memory is taken here, once.
    explicit Answerer(size_t cached_answers);
    ~Answerer();
    Answerer(Answerer&&) noexcept;
    Answerer& operator=(Answerer&&) noexcept;

    /// Tells the Serving of the calls that follow from every other one, so that answers may be kept from call
    /// to call: Published's version will do. 0, as at the start: nothing is known, nothing is kept.
    void set_version(uint64_t version) noexcept;
    /// Writes the reply to `request` into `out` and returns its size; 0: send nothing. `out` must have room
    /// for max_udp_answer octets (UDP) or max_tcp_answer (TCP, TLS), and must not overlap the request.
    [[nodiscard]] size_t answer(const Serving& serving, const Request& request, std::span<uint8_t> out);
    /// Tells what answer() will be called for next. Changes no answer: what they need is fetched from memory
    /// while none of them waits for it. At most max_expected count.
    static void expect(const Serving& serving, std::span<const Request> requests) noexcept;
    static constexpr size_t max_expected = 64;
    /// Of the last answer().
    [[nodiscard]] const Outcome& outcome() const noexcept;
    /// What follows the message of the last answer(), once; null unless that was the first of several. `same`
    /// is the Serving that was answered from. A stream may be used on any one thread and needs no Answerer.
    [[nodiscard]] std::unique_ptr<ResponseStream> take_stream(std::shared_ptr<const Serving> same);

    static constexpr size_t max_udp_answer = 4096;
    static constexpr size_t max_tcp_answer = 65535;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fairway::dns
