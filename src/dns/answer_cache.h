// SPDX-License-Identifier: Apache-2.0
#pragma once
// One thread's memory of what it answered: the records of whole responses as they were written, so that the
// next client that gets the same only has them copied. It decides nothing: what a question's answer is, and
// on what of the client it depends, it is told by whoever found out (answer.cc).
//
//     question ──► known question: a number, and the maps of location classes that tell its answers apart
//                       │
//     number, the client's classes in those maps ──► the answer
//
// Two tables of fixed size without a lock or an allocation after the start; sets of two, of which the one
// that was not used last gives way. Everything is forgotten at once, by counting up an epoch, whenever the
// data that answers are made from is replaced. Memory is taken from the kernel but only becomes resident
// where something is kept.

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "dns/types.h"
#include "model/ids.h"
#include "steering/selection.h"

namespace fairway::dns {

/// All of a response but its header, its question and its OPT.
struct CachedAnswer {
    /// From behind the question; names in it may point into the question, which is as long for everybody.
    ByteSpan records;
    std::array<uint16_t, 3> counts{};
    uint16_t flags = 0;
    Rcode rcode = Rcode::noerror;
    bool has_error = false;
    ExtendedError error{};
    std::string_view error_text;
    /// The ECS scope is that of the client's classes in the maps of `depends`; else it is 0.
    bool tailored = false;
    Dependence depends;
    bool last_resort = false;
    ServiceId service;
    EndpointId endpoint;
};

class AnswerCache {
  public:
    /// A name in lower case, and whatever else of a query decides besides the client, as one number.
    struct Question {
        ByteSpan lowered;
        uint64_t rest = 0;
    };
    /// An answer can depend on the classes in two maps: more is asked for by no service that matters.
    static constexpr size_t max_maps = 2;
    struct Known {
        uint64_t number = 0;
        uint8_t maps = 0;  // as Dependence::maps; never more than max_maps bits
    };

    static constexpr size_t max_name = 86;            // octets
    static constexpr size_t max_content = 1104;       // octets of records and error text
    static constexpr uint32_t for_ever = UINT32_MAX;  // as long as the epoch lasts

    /// Room for this many answers, rounded up to a power of two, and as many questions.
    explicit AnswerCache(size_t answers);

    /// Forgets everything.
    void start_over() noexcept { ++epoch_; }

    /// Nothing is known about most questions that are asked for the first time.
    [[nodiscard]] Known* find_question(const Question& question, uint64_t hash) noexcept;
    /// Null when the name is too long to be kept. Valid until the next question is added.
    Known* add_question(const Question& question, uint64_t hash, uint8_t maps) noexcept;

    /// Its answers depend on these maps. Those that were kept by fewer maps are lost.
    void widen(Known& known, uint8_t maps) noexcept {
        if (known.maps != maps) known = {++last_number_, maps};
    }

    /// `classes` are the client's in the maps of `known`, in order of the maps, 32 bits each. Null: not here,
    /// or it ended at or before `unix_seconds`. What it points to is valid until the next add_answer().
    [[nodiscard]] const CachedAnswer* find_answer(const Known& known, uint64_t classes,
                                                  uint32_t unix_seconds) noexcept;
    /// Copies the answer, to be given until `end` in Unix seconds; one that is too large is not kept.
    void add_answer(const Known& known, uint64_t classes, const CachedAnswer& answer, uint32_t end) noexcept;

    /// Writes the name in lower case to `out`, which has room for as many octets, and returns the hash of the
    /// question that has it and `rest`.
    [[nodiscard]] static uint64_t lower_and_hash(ByteSpan name, uint64_t rest, uint8_t* out) noexcept;

  private:
    static constexpr size_t cache_line = 64;

    struct alignas(cache_line) QuestionSlot {
        uint64_t epoch;  // 0: never used
        uint64_t hash;
        uint64_t rest;
        Known known;
        uint8_t name_size;
        uint8_t used_last;  // of the set's two: kept in the first
        std::array<uint8_t, max_name> name;
    };
    // An odd number of cache lines, so that the slots' beginnings spread over the processor's cache.
    struct alignas(cache_line) AnswerSlot {
        uint64_t epoch;
        uint64_t number;
        uint64_t classes;
        uint32_t end;
        uint8_t used_last;
        CachedAnswer answer;
        std::array<uint8_t, max_content> content;
    };
    static_assert(sizeof(QuestionSlot) % (2 * cache_line) == 0 && sizeof(AnswerSlot) % (2 * cache_line) != 0);
    struct Free {
        void operator()(void* memory) const noexcept { std::free(memory); }
    };

    template <class Slot>
    [[nodiscard]] Slot* allocate(std::unique_ptr<void, Free>& memory, size_t count);
    template <class Slot>
    [[nodiscard]] Slot& victim(Slot* set) const noexcept;

    size_t mask_;  // sets - 1
    uint64_t epoch_ = 1;
    uint64_t last_number_ = 0;
    std::array<std::unique_ptr<void, Free>, 2> memory_;
    QuestionSlot* questions_;
    AnswerSlot* answers_;
};

}  // namespace fairway::dns
