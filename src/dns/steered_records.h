// SPDX-License-Identifier: Apache-2.0
#pragma once
// Records of other types than addresses that follow the steering: SRV, MX, SVCB, HTTPS and TXT of a service,
// written once with placeholders (Service::records) and given for the endpoints that a Selection holds.
// Compiled to wire form when the tables are built; making an answer only copies, numbers and fills in
// addresses. Not here: which endpoints those are, and what becomes of the records (answer.cc,
// answer_records.cc).

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "dns/types.h"
#include "model/model.h"

namespace fairway {
struct HealthSnapshot;
}  // namespace fairway

namespace fairway::dns {

class SteeredRecords {
  public:
    struct Problem {
        ServiceId service;
        std::string message;
    };
    /// Of every service of the model. What is wrong is added to `problems`.
    [[nodiscard]] static SteeredRecords compile(const Model& model, std::vector<Problem>& problems);

    /// Whether the service makes records of this type.
    [[nodiscard]] bool has(ServiceId service, RecordType type) const noexcept {
        return find(service, type) != nullptr;
    }
    /// Calls `each` with every type that it makes.
    template <class Each>
    void for_each_type(ServiceId service, Each each) const {
        for (const Set& set : sets_[service.index()]) each(set.type);
    }

    /// Records made, and the memory that they are in, kept from one to the next.
    struct Made {
        std::vector<ByteSpan> records;  // data in wire form, uncompressed; no two are the same
        std::vector<uint8_t> bytes;
        std::vector<size_t> ends;  // in bytes
    };
    /// Replaces `made`: records for all endpoints together first, then those for each in the given order; at
    /// most max_records. Other addresses than the health snapshot's are nowhere in them.
    void make(ServiceId service, RecordType type, std::span<const EndpointId> endpoints,
              const HealthSnapshot& health, Made& made) const;

    /// BIND refuses RRsets with more than 100 records.
    static constexpr size_t max_records = 99;

  private:
    friend class SteeredRecordsCompiler;

    static constexpr uint16_t no_hint = UINT16_MAX;

    // One record without what is only known when it is given.
    struct Piece {
        EndpointId endpoint;  // invalid: of all together
        uint32_t at = 0;      // in bytes_
        uint16_t size = 0;
        uint16_t hint4 = no_hint;  // where in it the parameters with addresses go (RFC 9460 section 7.3)
        uint16_t hint6 = no_hint;
    };
    struct Template {
        uint16_t rank_step = 0;     // the first field is so many times the rank; 0: it is as it is
        bool each = false;          // a record for each endpoint
        std::vector<Piece> pieces;  // by endpoint
    };
    struct Set {
        RecordType type{};
        std::vector<Template> templates;
    };

    [[nodiscard]] const Set* find(ServiceId service, RecordType type) const noexcept {
        for (const Set& set : sets_[service.index()])
            if (set.type == type) return &set;
        return nullptr;
    }
    void add(const Template& from, const Piece& piece, size_t rank, std::span<const EndpointId> endpoints,
             const HealthSnapshot& health, Made& made) const;

    std::vector<std::vector<Set>> sets_;  // by ServiceId
    std::vector<uint8_t> bytes_;
};

/// The host name in the data of a record that names one (NS, MX, SRV, SVCB, HTTPS); empty for others and for
/// the "." of SVCB that stands for the owner.
[[nodiscard]] ByteSpan target_of(RecordType type, ByteSpan data) noexcept;

}  // namespace fairway::dns
