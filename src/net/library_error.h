// SPDX-License-Identifier: Apache-2.0
#pragma once
// What OpenSSL says about its last failure, for people; and that it must not ask them for passwords.

#include <string>

namespace fairway::net {

/// The first error of this thread's queue in lower case, "no such file or directory"; empties the queue.
[[nodiscard]] std::string take_library_error();

/// A pem_password_cb that has none: OpenSSL would otherwise ask on the terminal.
int no_password(char* buffer, int size, int is_written, void* data) noexcept;

}  // namespace fairway::net
