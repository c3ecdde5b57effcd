// SPDX-License-Identifier: Apache-2.0
#include "net/library_error.h"

#include <openssl/err.h>

#include <system_error>

#include "base/text.h"

namespace fairway::net {

std::string take_library_error() {
    const unsigned long code = ERR_peek_error();
    const char* text = ERR_reason_error_string(code);
    std::string reason = ERR_SYSTEM_ERROR(code) ? std::generic_category().message(ERR_GET_REASON(code))
                         : text == nullptr      ? "unknown error"
                                                : text;
    reason = ascii_lower(reason);
    ERR_clear_error();
    return reason;
}

int no_password(char*, int, int, void*) noexcept {
    return -1;
}

}  // namespace fairway::net
