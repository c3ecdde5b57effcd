// SPDX-License-Identifier: Apache-2.0
#pragma once
// One fairwayd at a time works on a state folder: whoever holds the lock on `fairwayd.lock` in it. The lock
// belongs to the open file, not to the process: it is handed over with its descriptor and never free between.

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/unique_fd.h"

namespace fairway::handover {

struct FolderLock {
    UniqueFd fd;          // ours, if it is
    int64_t holder = 0;   // else the process that holds it, as far as it says
    std::string trouble;  // else why there can be no lock: the folder cannot be written
    [[nodiscard]] bool is_held_by_another() const noexcept { return !fd && trouble.empty(); }
};

/// Makes the folder if it is absent. Does not wait.
[[nodiscard]] FolderLock lock_state_folder(const std::filesystem::path& folder);
/// Says in the file that this process holds the lock.
void sign_lock(int lock);
/// Where the process that holds the lock listens for its successor.
[[nodiscard]] std::filesystem::path handover_socket(const std::filesystem::path& folder);

}  // namespace fairway::handover
