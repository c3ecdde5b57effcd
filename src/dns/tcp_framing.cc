// SPDX-License-Identifier: Apache-2.0
#include "dns/tcp_framing.h"

namespace fairway::dns {
namespace {

constexpr size_t length_size = 2;
constexpr size_t keep_capacity = 4096;  // octets that an idle connection may keep

}  // namespace

void TcpFraming::append(ByteSpan bytes) {
    if (taken_ > 0) {
        bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(taken_));
        taken_ = 0;
        if (bytes_.empty() && bytes_.capacity() > keep_capacity) bytes_.shrink_to_fit();
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

std::optional<ByteSpan> TcpFraming::next() noexcept {
    Reader reader(ByteSpan(bytes_).subspan(taken_));
    if (failed_ || reader.remaining() < length_size) return std::nullopt;
    const size_t length = reader.u16();
    if (length == 0 || length > max_message_) {
        failed_ = true;
        return std::nullopt;
    }
    if (reader.remaining() < length) return std::nullopt;
    taken_ += length_size + length;
    return reader.take(length);
}

}  // namespace fairway::dns
