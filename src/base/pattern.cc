// SPDX-License-Identifier: Apache-2.0
#include "base/pattern.h"

#include <re2/re2.h>

#include "base/text.h"

namespace fairway {

Result<Pattern> Pattern::compile(std::string_view text) {
    RE2::Options options;
    options.set_encoding(RE2::Options::EncodingLatin1);
    options.set_log_errors(false);
    options.set_max_mem(int64_t{1} << 20);
    auto compiled = std::make_unique<RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!compiled->ok()) return fail(escape_text(compiled->error(), 120));
    return Pattern(std::move(compiled));
}

Pattern::Pattern(std::unique_ptr<RE2> compiled) noexcept : compiled_(std::move(compiled)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

bool Pattern::found_in(std::string_view text) const {
    return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace fairway
