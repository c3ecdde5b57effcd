// SPDX-License-Identifier: Apache-2.0
#include "handover/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

namespace fairway::handover {

FolderLock lock_state_folder(const std::filesystem::path& folder) {
    FolderLock lock;
    std::error_code ignored;  // opening says more
    std::filesystem::create_directories(folder, ignored);
    const std::filesystem::path path = folder / "fairwayd.lock";
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    // A folder that cannot be written may still hold the file of an earlier run.
    if (!fd) fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        lock.trouble = path.string() + ": " + std::strerror(errno);
        return lock;
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
        sign_lock(fd.get());
        lock.fd = std::move(fd);
    } else if (errno == EWOULDBLOCK) {
        std::array<char, 32> text{};
        const ssize_t count = ::pread(fd.get(), text.data(), text.size() - 1, 0);
        if (count > 0) (void)std::from_chars(text.data(), text.data() + count, lock.holder);
    } else {
        lock.trouble = path.string() + ": " + std::strerror(errno);
    }
    return lock;
}

void sign_lock(int lock) {
    const std::string text = std::to_string(::getpid()) + "\n";
    // For people only: what cannot be written is not missed.
    if (::ftruncate(lock, 0) != 0) return;
    [[maybe_unused]] const ssize_t written = ::pwrite(lock, text.data(), text.size(), 0);
}

std::filesystem::path handover_socket(const std::filesystem::path& folder) {
    return folder / "handover.sock";
}

}  // namespace fairway::handover
