// SPDX-License-Identifier: Apache-2.0
#pragma once
// Key material in memory: moved, never copied by accident, wiped when let go.

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace fairway::ipsec {

class SecretBytes {
  public:
    SecretBytes() = default;
    explicit SecretBytes(size_t size) : bytes_(size) {}
    explicit SecretBytes(ByteSpan bytes) : bytes_(bytes.begin(), bytes.end()) {}
    SecretBytes(SecretBytes&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
    SecretBytes& operator=(SecretBytes&& other) noexcept;
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;
    ~SecretBytes() { wipe(); }

    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    [[nodiscard]] size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] ByteSpan view() const noexcept { return bytes_; }
    [[nodiscard]] std::span<uint8_t> writable() noexcept { return bytes_; }

  private:
    void wipe() noexcept;
    std::vector<uint8_t> bytes_;
};

/// In time that depends on the lengths alone.
[[nodiscard]] bool constant_time_equal(ByteSpan a, ByteSpan b) noexcept;

}  // namespace fairway::ipsec
