// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace fairway {

/// A regular expression in RE2's syntax over octets. Searching takes time linear in the text and bounded
/// memory, whatever the pattern and the text: std::regex recurses once a character and backtracks without
/// end, and the texts here come from the network. Immutable; any number of threads may search.
class Pattern {
  public:
    /// The error says what is wrong with `text`: "missing ): a(b".
    [[nodiscard]] static Result<Pattern> compile(std::string_view text);
    Pattern(Pattern&&) noexcept;
    Pattern& operator=(Pattern&&) noexcept;
    ~Pattern();

    /// Whether it matches somewhere in `text`.
    [[nodiscard]] bool found_in(std::string_view text) const;

  private:
    explicit Pattern(std::unique_ptr<re2::RE2> compiled) noexcept;
    std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace fairway
