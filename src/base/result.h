// SPDX-License-Identifier: Apache-2.0
#pragma once
// How a function that can fail while running says so. Start-up code may throw std::system_error instead;
// bugs are assertions.

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace fairway {

/// One sentence for an operator: what was attempted, on what, and why it failed. No trailing full stop.
struct Error {
    std::string message;
    friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail("cannot open " + path);`
[[nodiscard]] inline tl::unexpected<Error> fail(std::string message) {
    return tl::unexpected<Error>(Error{std::move(message)});
}

}  // namespace fairway
