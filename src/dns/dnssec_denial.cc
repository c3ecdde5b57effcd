// SPDX-License-Identifier: Apache-2.0
#include "dns/dnssec_denial.h"

#include <algorithm>
#include <array>

#include "dns/name.h"

namespace fairway::dns {

void TypeSet::add(RecordType type) {
    const auto number = static_cast<uint16_t>(type);
    const auto at = std::lower_bound(types_.begin(), types_.end(), number);
    if (at == types_.end() || *at != number) types_.insert(at, number);
}

void TypeSet::remove(RecordType type) {
    std::erase(types_, static_cast<uint16_t>(type));
}

bool TypeSet::has(RecordType type) const {
    return std::binary_search(types_.begin(), types_.end(), static_cast<uint16_t>(type));
}

void TypeSet::append_bitmap(std::vector<uint8_t>& out) const {
    for (size_t first = 0; first < types_.size();) {
        const auto window = static_cast<uint8_t>(types_[first] >> 8);
        std::array<uint8_t, 32> bits{};
        size_t used = 0;
        for (; first < types_.size() && types_[first] >> 8 == window; ++first) {
            const size_t low = types_[first] & 0xff;
            bits[low / 8] |= static_cast<uint8_t>(0x80 >> low % 8);
            used = low / 8 + 1;
        }
        out.push_back(window);
        out.push_back(static_cast<uint8_t>(used));
        out.insert(out.end(), bits.begin(), bits.begin() + static_cast<std::ptrdiff_t>(used));
    }
}

namespace {

/// The next possible name after `name` and everything below it. RFC 4471 section 3.1.2.
void append_sibling(ByteSpan name, std::vector<uint8_t>& out) {
    const size_t label = name[0];
    if (label == 0) {
        out.push_back(0);  // nothing comes after the root's last name: the order begins anew
        return;
    }
    const auto label_begin = name.begin() + 1;
    const auto rest_begin = label_begin + static_cast<std::ptrdiff_t>(label);
    if (label < Name::max_label && name.size() < Name::max_size) {
        out.push_back(static_cast<uint8_t>(label + 1));
        out.insert(out.end(), label_begin, rest_begin);
        out.push_back(0);
        out.insert(out.end(), rest_begin, name.end());
        return;
    }
    size_t kept = label;
    while (kept > 0 && name[kept] == 0xff) --kept;
    if (kept == 0) {
        append_sibling(ByteSpan(rest_begin, name.end()), out);
        return;
    }
    out.push_back(static_cast<uint8_t>(kept));
    out.insert(out.end(), label_begin, label_begin + static_cast<std::ptrdiff_t>(kept));
    // Upper-case letters are the same as lower-case ones: the octet after '@' is '['.
    out.back() = out.back() == '@' ? uint8_t{'['} : static_cast<uint8_t>(out.back() + 1);
    out.insert(out.end(), rest_begin, name.end());
}

}  // namespace

void append_successor(ByteSpan name, std::vector<uint8_t>& out) {
    if (name.size() + 2 > Name::max_size) {
        append_sibling(name, out);
        return;
    }
    out.insert(out.end(), {1, 0});
    out.insert(out.end(), name.begin(), name.end());
}

}  // namespace fairway::dns
