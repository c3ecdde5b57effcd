// SPDX-License-Identifier: Apache-2.0
#include "model/health_expression.h"

#include <array>
#include <catch2/catch.hpp>

using namespace fairway;

namespace {
using S = HealthState;
const std::vector<std::string> abc{"a", "b", "c", "web-1.x"};

S evaluate(std::string_view text, std::vector<S> states) {
    return HealthExpression::parse(text, abc).value().evaluate(states);
}
std::string said(std::string_view text) {
    const auto parsed = HealthExpression::parse(text, abc);
    return parsed ? "" : parsed.error().message;
}
}  // namespace

TEST_CASE("and is the worst, or the best, not swaps down with the rest") {
    const std::array order{S::down, S::unknown, S::degraded, S::suspect, S::up};  // worst first
    for (size_t i = 0; i < order.size(); ++i) {
        for (size_t j = 0; j < order.size(); ++j) {
            CHECK(evaluate("a and b", {order[i], order[j]}) == order[std::min(i, j)]);
            CHECK(evaluate("a or b", {order[i], order[j]}) == order[std::max(i, j)]);
        }
    }
    CHECK(evaluate("not a", {S::down}) == S::up);
    CHECK(evaluate("not a", {S::unknown}) == S::unknown);
    for (const S state : {S::degraded, S::suspect, S::up}) CHECK(evaluate("not a", {state}) == S::down);
}

TEST_CASE("at_least(n, ...) is the n-th best") {
    const std::vector<S> states{S::up, S::down, S::degraded};
    CHECK(evaluate("at_least(1, a, b, c)", states) == S::up);
    CHECK(evaluate("at_least(2, a, b, c)", states) == S::degraded);
    CHECK(evaluate("at_least(3, a, b, c)", states) == S::down);
    CHECK(evaluate("at_least(2, a and c, not b, b)", states) == S::degraded);
}

TEST_CASE("not binds strongest and or weakest, parentheses override") {
    const std::vector<S> states{S::up, S::down, S::down};
    CHECK(evaluate("a or b and c", states) == S::up);
    CHECK(evaluate("(a or b) and c", states) == S::down);
    CHECK(evaluate("not b and a", states) == S::up);
    CHECK(evaluate("not (a and b)", states) == S::up);
    CHECK(evaluate("not not a", states) == S::up);
    CHECK(evaluate("  ( a )\n\tand(not b)", states) == S::up);
    CHECK(evaluate("web-1.x", {S::up, S::up, S::up, S::suspect}) == S::suspect);
    CHECK(evaluate("a and a", states) == S::up);
}

TEST_CASE("every monitor must be well by default, and nothing is known of none") {
    CHECK(HealthExpression::all_of(0).evaluate({}) == S::unknown);
    CHECK(HealthExpression::all_of(1).evaluate(std::array{S::degraded}) == S::degraded);
    CHECK(HealthExpression::all_of(2).evaluate(std::array{S::up, S::down}) == S::down);
    const std::vector<S> many(HealthExpression::max_depth, S::up);
    CHECK(HealthExpression::all_of(many.size()).evaluate(many) == S::up);
    CHECK(HealthExpression::all_of(3) == HealthExpression::parse("a and b and c", abc).value());
    CHECK(HealthExpression{}.evaluate({}) == S::unknown);
    // Fewer states than monitors: the missing are unknown.
    CHECK(evaluate("a or c", {S::down}) == S::unknown);
}

TEST_CASE("what is not an expression is refused with the word that is wrong") {
    CHECK(said("") == "a monitor is missing at the end");
    CHECK(said("a and") == "a monitor is missing at the end");
    CHECK(said("a b") == "unexpected \"b\"");
    CHECK(said("a and or b") == "\"or\" is not one of the gateway's monitors");
    CHECK(said("(a") == "\")\" is missing at the end");
    CHECK(said("(a b)") == "\")\" is missing before \"b\"");
    CHECK(said("a)") == "unexpected \")\"");
    CHECK(said("a & b") == "unexpected \"&\"");
    CHECK(said("& b") == "a monitor is expected, not \"&\"");
    CHECK(said("web-1.y") == "\"web-1.y\" is not one of the gateway's monitors (did you mean \"web-1.x\"?)");
    CHECK(said("at_least") == "\"(\" is missing at the end");
    CHECK(said("at_least(0, a)") == "at_least needs a number of at least 1, not \"0\"");
    CHECK(said("at_least(x, a)") == "at_least needs a number of at least 1, not \"x\"");
    CHECK(said("at_least(2x, a)") == "at_least needs a number of at least 1, not \"2x\"");
    CHECK(said("at_least(3, a, b)") == "at_least(3, ...) has only 2 alternatives");
    CHECK(said("at_least(2)") == "at_least(2, ...) has only 0 alternatives");
    CHECK(said("at_least(1, a") == "\")\" is missing at the end");
    CHECK(said("at_least(1 a)") == "\")\" is missing before \"a\"");
}

TEST_CASE("expressions are bounded in depth and length, and those at the bound evaluate") {
    const auto repeated = [](size_t count, const std::string& word) {
        std::string text;
        for (size_t i = 0; i < count; ++i) text += word;
        return text;
    };
    CHECK(said(repeated(63, "not ") + "a").empty());
    CHECK(said(repeated(64, "not ") + "a") == "the expression is too complex");
    CHECK(said(repeated(63, "(") + "a" + repeated(63, ")")).empty());
    CHECK(said(repeated(1000, "(")) == "the expression is too complex");
    CHECK(said("a" + repeated(4096, " ")) == "the expression is longer than 4096 characters");
    const std::string widest = "a" + repeated(63, " or b");
    CHECK(evaluate(widest, {S::down, S::up}) == S::up);
    CHECK(said(widest + " or c") == "the expression is too complex");
    // Both at once: 62 results wait on the stack at the deepest place.
    const std::string mixed = repeated(31, "(a and (b or ") + "c" + repeated(31, "))");
    CHECK(evaluate(mixed, {S::up, S::down, S::suspect}) == S::suspect);
}
