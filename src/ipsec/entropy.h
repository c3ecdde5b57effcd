// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where nonces, SPIs and private keys come from. An input of every object of the core, so that a recorded
// exchange can be replayed to the byte and a test can be repeated from its seed.

#include <array>
#include <cstdint>
#include <span>

namespace fairway::ipsec {

class Entropy {
  public:
    virtual ~Entropy() = default;
    virtual void fill(std::span<uint8_t> bytes) = 0;
    /// Never zero: an SPI of zero means "none" (RFC 7296 3.1).
    uint64_t spi();

  protected:
    Entropy() = default;
    Entropy(const Entropy&) = default;
    Entropy& operator=(const Entropy&) = default;
};

/// The cryptographic generator of OpenSSL, asked in blocks because a call costs more than the bytes. One
/// thread at a time. Bytes handed out are wiped from the block.
class SystemEntropy final : public Entropy {
  public:
    SystemEntropy() = default;
    SystemEntropy(const SystemEntropy&) = delete;
    SystemEntropy& operator=(const SystemEntropy&) = delete;
    ~SystemEntropy() override;
    void fill(std::span<uint8_t> bytes) override;

  private:
    std::array<uint8_t, 1024> block_;
    size_t used_ = sizeof block_;
};

}  // namespace fairway::ipsec
