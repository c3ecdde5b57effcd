// SPDX-License-Identifier: Apache-2.0
#include "base/file_signature.h"

namespace fairway {

FileSignature FileSignature::of(const struct stat& status) noexcept {
    return {status.st_dev,
            status.st_ino,
            static_cast<uint64_t>(status.st_size),
            {status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec}};
}

std::optional<FileSignature> FileSignature::of(const std::filesystem::path& path) noexcept {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return std::nullopt;
    return of(status);
}

}  // namespace fairway
