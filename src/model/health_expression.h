// SPDX-License-Identifier: Apache-2.0
#pragma once
// The `health` key of a gateway: "ike and portal", "at_least(2, a, b, c)", "not canary or (ike and portal)".
//
//     expression := term { "or" term }
//     term       := factor { "and" factor }
//     factor     := "not" factor | "(" expression ")" | "at_least" "(" number { "," expression } ")" |
//     monitor
//
// States combine as an order, worst first: down < unknown < degraded < suspect < up. `and` is the worst, `or`
// the best, `at_least(n, ...)` the n-th best; `not` swaps down with the rest (not down = up, not unknown =
// unknown).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/states.h"

namespace fairway {

class HealthExpression {
  public:
    /// "all of `count` monitors", the default; `count` is at most max_depth.
    static HealthExpression all_of(size_t count);
    /// `monitors` are the names that may stand in the text; an operand is the position in that list. The
    /// error names the offending word and, where one is near, the name that was meant.
    static Result<HealthExpression> parse(std::string_view text, const std::vector<std::string>& monitors);

    /// `states[i]` is the state of monitor i; allocates nothing. An expression without operands is `unknown`.
    [[nodiscard]] HealthState evaluate(std::span<const HealthState> states) const noexcept;

    friend bool operator==(const HealthExpression&, const HealthExpression&) = default;

    enum class Operation : uint8_t { monitor, conjunction, disjunction, negation, at_least };
    /// Post-order: operands come before their operator.
    struct Step {
        Operation operation = Operation::monitor;
        uint16_t operands = 0;  // how many results on the stack it takes
        uint16_t argument = 0;  // monitor: its position; at_least: n
        friend bool operator==(const Step&, const Step&) = default;
    };
    static constexpr size_t max_depth = 64;

  private:
    std::vector<Step> steps_;
};

}  // namespace fairway
