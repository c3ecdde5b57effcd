// SPDX-License-Identifier: Apache-2.0
#pragma once
// libuv's status codes as this project's start-up errors. Included by this folder's sources only.

#include <uv.h>

#include <string>
#include <system_error>

namespace fairway::net {

/// Throws std::system_error naming the attempt when `status` is an error.
inline void check_uv(int status, const std::string& attempt) {
    if (status < 0) throw std::system_error(-status, std::system_category(), attempt);
}

/// The object that `handle->data` points to.
template <class T, class Handle>
[[nodiscard]] T& owner_of(Handle* handle) noexcept {
    return *static_cast<T*>(handle->data);
}

template <class Handle>
[[nodiscard]] uv_handle_t* as_handle(Handle* handle) noexcept {
    return reinterpret_cast<uv_handle_t*>(handle);
}

}  // namespace fairway::net
