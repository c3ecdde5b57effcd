// SPDX-License-Identifier: Apache-2.0
#pragma once
// Zone transfers to secondaries (AXFR, RFC 5936; IXFR, RFC 1995, which is answered with the whole zone or
// with "you have it"). Without I/O.
//
// A secondary gets what it can serve: static records, delegations and glue, and each steered name as if all
// its members were healthy and every client got all of them, for a secondary knows neither health nor
// clients. DNSSEC records are not among them: this server signs each answer as it gives it.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ip.h"
#include "dns/answer_records.h"
#include "dns/edns.h"
#include "dns/message.h"
#include "dns/response_stream.h"
#include "dns/serving.h"
#include "dns/tsig.h"

namespace fairway {
struct ZoneTransfer;
}

namespace fairway::dns {

/// Whether serial `a` is later than `b` (RFC 1982 section 3.2); two that are half a circle apart are not.
[[nodiscard]] constexpr bool is_later(uint32_t a, uint32_t b) noexcept {
    return a != b && a - b < 0x8000'0000U;
}

/// Whether the zone may be transferred to this address. `key` is the one that signed the request; null: none
/// did.
[[nodiscard]] bool may_transfer(const ZoneTransfer& transfer, const IpAddress& source,
                                const TsigKey* key) noexcept;

/// The serial that the client of an IXFR has: that of the SOA in the authority section (RFC 1995 section 3).
/// `message` has been parsed as a query. Nothing when it is not there.
[[nodiscard]] std::optional<uint32_t> ixfr_serial(ByteSpan message) noexcept;

/// The messages of one transfer: the SOA, every other record once, the SOA again.
class TransferStream final : public ResponseStream {
  public:
    /// `serving` must live until hold(). `signer` signs every message; absent: none is signed.
    TransferStream(const Serving& serving, const ServedZone& zone, const Query& query,
                   std::optional<TsigSigner> signer);

    /// Writes the first message, which alone has the question and, unless it is null, the OPT.
    [[nodiscard]] size_t first(std::span<uint8_t> out, uint32_t unix_seconds, const EdnsResponse* edns);
    [[nodiscard]] size_t next(std::span<uint8_t> out, uint32_t unix_seconds) override;
    [[nodiscard]] bool done() const noexcept { return phase_ == Phase::done; }

    /// Keeps alive what the stream reads from: the Serving that it was made with.
    void hold(std::shared_ptr<const Serving> same) noexcept { held_ = std::move(same); }

  private:
    enum class Phase : uint8_t { opening_soa, records, closing_soa, done };

    size_t write(std::span<uint8_t> out, size_t limit, const EdnsResponse* edns);
    bool add_records();
    bool add(const Record& record);

    std::shared_ptr<const Serving> held_;
    ZoneRecords walk_;
    Record soa_;
    Query query_;
    std::vector<uint8_t> question_;
    std::optional<TsigSigner> signer_;
    ResponseWriter writer_;
    Phase phase_ = Phase::opening_soa;
    std::vector<Record> records_;  // of one owner
    size_t next_record_ = 0;
};

}  // namespace fairway::dns
