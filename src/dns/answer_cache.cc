// SPDX-License-Identifier: Apache-2.0
#include "dns/answer_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "base/random.h"
#include "dns/name.h"

namespace fairway::dns {

AnswerCache::AnswerCache(size_t answers)
    : mask_(std::bit_ceil(std::max<size_t>(answers, 2)) / 2 - 1),
      questions_(allocate<QuestionSlot>(memory_[0], 2 * (mask_ + 1))),
      answers_(allocate<AnswerSlot>(memory_[1], 2 * (mask_ + 1))) {}

// Zeroed by the kernel and untouched by us: a slot that was never used has the epoch 0.
template <class Slot>
Slot* AnswerCache::allocate(std::unique_ptr<void, Free>& memory, size_t count) {
    const size_t room = count * sizeof(Slot) + cache_line;
    memory.reset(std::calloc(1, room));
    if (memory == nullptr) throw std::bad_alloc();
    void* at = memory.get();
    size_t left = room;
    return static_cast<Slot*>(std::align(cache_line, count * sizeof(Slot), at, left));
}

// A new one does not count as used until it is found again: a flood of names that come once only takes the
// place of others of its kind.
template <class Slot>
Slot& AnswerCache::victim(Slot* set) const noexcept {
    if (set[0].epoch != epoch_) return set[0];
    if (set[1].epoch != epoch_) return set[1];
    return set[set[0].used_last == 0 ? 1 : 0];
}

uint64_t AnswerCache::lower_and_hash(ByteSpan name, uint64_t rest, uint8_t* out) noexcept {
    constexpr uint64_t odd = 0x9e3779b97f4a7c15ULL;
    const uint8_t* const from = name.data();
    const size_t size = name.size();
    uint64_t hash = (rest ^ size << 56) * odd;
    const auto add = [&](size_t at) {
        uint64_t word = 0;
        std::memcpy(&word, from + at, sizeof word);
        word = lower_word(word);
        std::memcpy(out + at, &word, sizeof word);
        hash = (hash ^ word) * odd;
        hash ^= hash >> 29;
    };
    if (size < sizeof(uint64_t)) {
        uint64_t word = 0;
        std::memcpy(&word, from, size);
        word = lower_word(word);
        std::memcpy(out, &word, size);
        return mix(hash ^ word);
    }
    size_t at = 0;
    for (; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) add(at);
    // The last word overlaps the one before: in lower case already, it stays as it is.
    if (at < size) add(size - sizeof(uint64_t));
    return hash * odd ^ hash >> 32;
}

AnswerCache::Known* AnswerCache::find_question(const Question& question, uint64_t hash) noexcept {
    QuestionSlot* const set = &questions_[2 * (hash & mask_)];
    for (uint8_t way = 0; way < 2; ++way) {
        QuestionSlot& slot = set[way];
        const bool same = slot.hash == hash && slot.epoch == epoch_ && slot.rest == question.rest &&
                          slot.name_size == question.lowered.size() &&
                          std::memcmp(slot.name.data(), question.lowered.data(), slot.name_size) == 0;
        if (!same) continue;
        set[0].used_last = way;
        return &slot.known;
    }
    return nullptr;
}

AnswerCache::Known* AnswerCache::add_question(const Question& question, uint64_t hash,
                                              uint8_t maps) noexcept {
    if (question.lowered.size() > max_name) return nullptr;
    QuestionSlot& slot = victim(&questions_[2 * (hash & mask_)]);
    slot.epoch = epoch_;
    slot.hash = hash;
    slot.rest = question.rest;
    // Never used before, so that no answer of another question or epoch can be taken for one of this.
    slot.known = {++last_number_, maps};
    slot.name_size = static_cast<uint8_t>(question.lowered.size());
    std::memcpy(slot.name.data(), question.lowered.data(), question.lowered.size());
    return &slot.known;
}

const CachedAnswer* AnswerCache::find_answer(const Known& known, uint64_t classes,
                                             uint32_t unix_seconds) noexcept {
    AnswerSlot* const set = &answers_[2 * (mix(known.number << 20 ^ classes) & mask_)];
    for (uint8_t way = 0; way < 2; ++way) {
        AnswerSlot& slot = set[way];
        if (slot.number != known.number || slot.classes != classes) continue;
        if (slot.end != for_ever && slot.end <= unix_seconds) return nullptr;
        set[0].used_last = way;
        return &slot.answer;
    }
    return nullptr;
}

void AnswerCache::add_answer(const Known& known, uint64_t classes, const CachedAnswer& answer,
                             uint32_t end) noexcept {
    if (answer.records.size() + answer.error_text.size() > max_content) return;
    AnswerSlot* const set = &answers_[2 * (mix(known.number << 20 ^ classes) & mask_)];
    // One that has ended is still there under the same key: two of a key must not be.
    const auto same = std::find_if(set, set + 2, [&](const AnswerSlot& slot) {
        return slot.number == known.number && slot.classes == classes;
    });
    AnswerSlot& slot = same != set + 2 ? *same : victim(set);
    slot.epoch = epoch_;
    slot.number = known.number;
    slot.classes = classes;
    slot.end = end;
    slot.answer = answer;
    uint8_t* const text = std::copy(answer.records.begin(), answer.records.end(), slot.content.data());
    std::copy(answer.error_text.begin(), answer.error_text.end(), text);
    slot.answer.records = ByteSpan(slot.content).first(answer.records.size());
    slot.answer.error_text =
        as_text(ByteSpan(slot.content).subspan(answer.records.size(), answer.error_text.size()));
}

}  // namespace fairway::dns
