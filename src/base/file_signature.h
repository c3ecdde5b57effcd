// SPDX-License-Identifier: Apache-2.0
#pragma once
// What stat() tells a file by; a different one means that the file should be read again.

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace fairway {

struct FileSignature {
    uint64_t device = 0;
    uint64_t inode = 0;
    uint64_t size = 0;
    std::array<int64_t, 4> times{};  // modification and change, seconds and nanoseconds
    friend bool operator==(const FileSignature&, const FileSignature&) = default;

    static FileSignature of(const struct stat& status) noexcept;
    /// Of what `path` leads to, through links. Nothing when it cannot be looked at. Blocking.
    static std::optional<FileSignature> of(const std::filesystem::path& path) noexcept;
};

}  // namespace fairway
