// SPDX-License-Identifier: Apache-2.0
#include "model/health_expression.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.h"

namespace fairway {
namespace {

constexpr HealthState negate(HealthState state) {
    if (state == HealthState::unknown) return state;
    return state == HealthState::down ? HealthState::up : HealthState::down;
}

using Step = HealthExpression::Step;
using Operation = HealthExpression::Operation;

/// Recursive descent; `depth` bounds the recursion and the evaluation stack alike.
class Parser {
  public:
    Parser(std::string_view text, const std::vector<std::string>& monitors)
        : text_(text), monitors_(monitors) {}

    Result<std::vector<Step>> parse() {
        next();
        expression(0);
        if (error_.empty() && !token_.empty()) error_ = "unexpected \"" + std::string(token_) + "\"";
        if (!error_.empty()) return fail(error_);
        return std::move(steps_);
    }

  private:
    static bool is_word(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-' || c == '.';
    }

    void next() {
        text_ = trim(text_);
        size_t length = text_.empty() ? 0 : 1;
        if (length != 0 && is_word(text_[0])) {
            while (length < text_.size() && is_word(text_[length])) ++length;
        }
        token_ = text_.substr(0, length);
        text_.remove_prefix(length);
    }

    bool accept(std::string_view token) {
        if (token_ != token) return false;
        next();
        return true;
    }

    void expect(std::string_view token) {
        if (!error_.empty() || accept(token)) return;
        error_ = "\"" + std::string(token) + "\" is missing" +
                 (token_.empty() ? " at the end" : " before \"" + std::string(token_) + "\"");
    }

    void add(Operation operation, size_t operands, size_t argument = 0) {
        steps_.push_back({operation, static_cast<uint16_t>(operands), static_cast<uint16_t>(argument)});
    }

    void expression(size_t depth) {
        size_t operands = 1;
        term(depth);
        while (error_.empty() && accept("or")) {
            term(depth + operands);
            ++operands;
        }
        if (operands > 1) add(Operation::disjunction, operands);
    }

    void term(size_t depth) {
        size_t operands = 1;
        factor(depth);
        while (error_.empty() && accept("and")) {
            factor(depth + operands);
            ++operands;
        }
        if (operands > 1) add(Operation::conjunction, operands);
    }

    void factor(size_t depth) {
        if (!error_.empty()) return;
        if (depth >= HealthExpression::max_depth || ++nesting_ > HealthExpression::max_depth) {
            error_ = "the expression is too complex";
            return;
        }
        if (accept("not")) {
            factor(depth);
            add(Operation::negation, 1);
        } else if (accept("(")) {
            expression(depth);
            expect(")");
        } else if (accept("at_least")) {
            at_least(depth);
        } else {
            monitor();
        }
        --nesting_;
    }

    void at_least(size_t depth) {
        expect("(");
        if (!error_.empty()) return;
        unsigned wanted = 0;
        const auto [end, error] = std::from_chars(token_.data(), token_.data() + token_.size(), wanted);
        if (error != std::errc{} || end != token_.data() + token_.size() || wanted == 0) {
            error_ = "at_least needs a number of at least 1, not \"" + std::string(token_) + "\"";
            return;
        }
        next();
        size_t operands = 0;
        while (error_.empty() && accept(",")) {
            expression(depth + operands);
            ++operands;
        }
        expect(")");
        if (error_.empty() && wanted > operands)
            error_ = "at_least(" + std::to_string(wanted) + ", ...) has only " + std::to_string(operands) +
                     " alternatives";
        add(Operation::at_least, operands, wanted);
    }

    void monitor() {
        if (token_.empty() || !is_word(token_[0])) {
            error_ = token_.empty() ? "a monitor is missing at the end"
                                    : "a monitor is expected, not \"" + std::string(token_) + "\"";
            return;
        }
        const auto found = std::find(monitors_.begin(), monitors_.end(), token_);
        if (found == monitors_.end()) {
            const std::string near = nearest_name(token_, monitors_);
            error_ = "\"" + std::string(token_) + "\" is not one of the gateway's monitors" +
                     (near.empty() ? "" : " (did you mean \"" + near + "\"?)");
            return;
        }
        add(Operation::monitor, 0, static_cast<size_t>(found - monitors_.begin()));
        next();
    }

    std::string_view text_;
    const std::vector<std::string>& monitors_;
    std::string_view token_;
    std::string error_;
    std::vector<Step> steps_;
    size_t nesting_ = 0;
};

}  // namespace

HealthExpression HealthExpression::all_of(size_t count) {
    HealthExpression expression;
    for (size_t i = 0; i < count; ++i)
        expression.steps_.push_back({Operation::monitor, 0, static_cast<uint16_t>(i)});
    if (count > 1) expression.steps_.push_back({Operation::conjunction, static_cast<uint16_t>(count), 0});
    return expression;
}

Result<HealthExpression> HealthExpression::parse(std::string_view text,
                                                 const std::vector<std::string>& monitors) {
    if (text.size() > 4096) return fail("the expression is longer than 4096 characters");
    auto steps = Parser(text, monitors).parse();
    if (!steps) return tl::unexpected(steps.error());
    HealthExpression expression;
    expression.steps_ = std::move(*steps);
    return expression;
}

HealthState HealthExpression::evaluate(std::span<const HealthState> states) const noexcept {
    std::array<HealthState, max_depth + 1> stack{};
    size_t depth = 0;
    for (const Step& step : steps_) {
        if (step.operation == Operation::monitor) {
            const HealthState state =
                step.argument < states.size() ? states[step.argument] : HealthState::unknown;
            if (depth == stack.size()) return HealthState::unknown;
            stack[depth++] = state;
            continue;
        }
        if (step.operands > depth || step.operands == 0) return HealthState::unknown;
        const auto operands = std::span(stack).subspan(depth - step.operands, step.operands);
        HealthState result = operands[0];
        if (step.operation == Operation::negation) {
            result = negate(result);
        } else {
            // Worst first, so that each operator is a position.
            std::sort(operands.begin(), operands.end(), [](auto a, auto b) { return rank(a) < rank(b); });
            if (step.operation == Operation::conjunction) result = operands.front();
            if (step.operation == Operation::disjunction) result = operands.back();
            if (step.operation == Operation::at_least) result = operands[operands.size() - step.argument];
        }
        depth -= step.operands;
        stack[depth++] = result;
    }
    return depth == 1 ? stack[0] : HealthState::unknown;
}

}  // namespace fairway
