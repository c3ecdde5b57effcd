// SPDX-License-Identifier: Apache-2.0
#include "base/published.h"

#include <catch2/catch.hpp>
#include <thread>

using namespace fairway;

namespace {
/// Counts how many are alive and on which thread they die.
struct Value {
    Value(uint64_t n, std::atomic<int>& alive_count, std::thread::id freeing)
        : number(n), twice(2 * n), alive(alive_count), freed_by(freeing) {
        ++alive;
    }
    Value(const Value&) = delete;
    Value& operator=(const Value&) = delete;
    ~Value() {
        if (std::this_thread::get_id() == freed_by) --alive;
    }
    uint64_t number, twice;
    std::atomic<int>& alive;
    std::thread::id freed_by;
};
}  // namespace

TEST_CASE("a reader sees the newest value, and keeps what it has until it asks again") {
    std::atomic<int> alive{0};
    const auto make = [&](uint64_t n) {
        return std::make_shared<const Value>(n, alive, std::this_thread::get_id());
    };
    Published<Value> published(make(1));
    Published<Value>::Reader reader(published);
    const Value& first = reader.get();
    published.publish(make(2));
    published.publish(make(3));
    CHECK(first.number == 1);
    CHECK(alive == 2);  // 1, held by the reader, and 3
    CHECK(reader.get().number == 3);
    CHECK(alive == 2);  // the reader frees nothing
    published.collect();
    CHECK(alive == 1);
    CHECK(published.load()->number == 3);
    CHECK(published.version() == 3);
}

TEST_CASE("many threads read while one publishes: whole values, never older ones, all freed by the writer") {
    constexpr uint64_t rounds = 20'000;
    constexpr int readers = 3;
    std::atomic<int> alive{0};
    {
        const auto make = [&](uint64_t n) {
            return std::make_shared<const Value>(n, alive, std::this_thread::get_id());
        };
        Published<Value> published(make(0));
        std::atomic<int> wrong{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < readers; ++i) {
            threads.emplace_back([&] {
                Published<Value>::Reader reader(published);
                uint64_t last = 0;
                while (last < rounds) {
                    const Value& value = reader.get();
                    if (value.twice != 2 * value.number || value.number < last) ++wrong;
                    last = value.number;
                }
            });
        }
        for (uint64_t n = 1; n <= rounds; ++n) published.publish(make(n));
        for (std::thread& thread : threads) thread.join();
        published.collect();
        CHECK(wrong == 0);
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
}
