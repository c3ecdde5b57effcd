// SPDX-License-Identifier: Apache-2.0
// Names: from the wire (compressed and not) and from text; what is read can be written and read again.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "dns/name.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check(const Name& name) {
    require(name.size() >= 1 && name.size() <= Name::max_size);
    const auto again = Name::parse(name.to_string());
    require(again && *again == name);
    require(std::equal(again->wire().begin(), again->wire().end(), name.wire().begin(), name.wire().end()));
    require(Name::from_wire(name.wire()).has_value());
    const Name lowered = name.lowered();
    require(lowered == name && (lowered <=> name) == 0);
    require(name.is_within(name.parent()) && name.is_within(Name()));
    require(name.is_root() || name.parent().labels() + 1 == name.labels());
    std::array<uint8_t, Name::max_size> buffer;
    lower_wire(name.wire(), buffer.data());
    require(hash_wire(ByteSpan(buffer).first(name.size())) == hash_wire(lowered.wire()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const ByteSpan bytes(data, size);
    // The first octet says where in the message the name starts.
    Reader compressed(bytes);
    compressed.skip(data[0] % size);
    const Name name = Name::read(compressed);
    if (compressed.ok()) check(name);
    Reader skipped(bytes);
    skipped.skip(data[0] % size);
    skip_name(skipped);
    if (compressed.ok()) require(skipped.ok() && skipped.position() == compressed.position());
    Reader plain(bytes);
    const Name uncompressed = Name::read_uncompressed(plain);
    if (plain.ok()) check(uncompressed);
    const auto text = Name::parse(as_text(bytes));
    if (text) check(*text);
    return 0;
}
