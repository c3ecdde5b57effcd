// SPDX-License-Identifier: Apache-2.0
#pragma once
// The files that a monitor's settings name (authorities, client certificate and key), as they were when the
// monitor was made ready: a reload makes it ready again when one of them has been replaced.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "model/monitor.h"

namespace fairway {

struct FileStamp {
    std::string path;
    bool exists = false;
    std::filesystem::file_time_type written;
    uintmax_t size = 0;
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// Of the files named by `monitor`, as they are now; empty for most. One stat() a file.
[[nodiscard]] std::vector<FileStamp> stamp_files(const Monitor& monitor);

}  // namespace fairway
