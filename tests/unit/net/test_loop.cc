// SPDX-License-Identifier: Apache-2.0
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "net/loop.h"
#include "net/poll_handle.h"
#include "net/poll_set.h"
#include "net/signal.h"
#include "net/timer.h"

using namespace fairway;
using net::Loop;

TEST_CASE("a timer never fires before its time") {
    Loop loop;
    for (const auto delay : {microseconds{0}, microseconds{300}, microseconds{1'000}, microseconds{2'700}}) {
        const MonotonicTime start = loop.now();
        std::optional<nanoseconds> took;
        net::Timer timer(loop, [&] { took = loop.now() - start; });
        timer.start(delay);
        CHECK_FALSE(took);
        loop.run();
        REQUIRE(took);
        CHECK(*took >= delay);
    }
}

TEST_CASE("a timer may be re-armed, stopped and destroyed by its own callback") {
    Loop loop;
    int fired = 0;
    std::unique_ptr<net::Timer> timer;
    timer = std::make_unique<net::Timer>(loop, [&] {
        if (++fired < 3) {
            timer->start(microseconds{100});
        } else {
            timer.reset();
        }
    });
    net::Timer never(loop, [&] { FAIL("a stopped timer fired"); });
    never.start(microseconds{100});
    never.stop();
    CHECK_FALSE(never.armed());
    timer->start(nanoseconds{0});
    loop.run();
    CHECK(fired == 3);
}

TEST_CASE("a repeating timer goes on until it is stopped") {
    Loop loop;
    int fired = 0;
    net::Timer timer(loop, [&] {
        if (++fired == 3) timer.stop();
    });
    timer.start_repeating(milliseconds{1});
    loop.run();
    CHECK(fired == 3);
}

TEST_CASE("one turn does not wait when a timer was due") {
    Loop loop;
    net::Timer hour(loop, [] { FAIL("waited for the wrong timer"); });
    hour.start(std::chrono::hours{1});
    bool fired = false;
    net::Timer due(loop, [&] { fired = true; });
    due.start(nanoseconds{0});
    const MonotonicTime later = loop.now() + milliseconds{2};
    while (loop.now() < later) {
    }
    loop.run_once();
    CHECK(fired);
}

TEST_CASE("tasks posted by other threads run in order on the loop's thread") {
    Loop loop;
    const auto here = std::this_thread::get_id();
    std::vector<int> order;
    net::Timer keep_running(loop, [] {});
    keep_running.start(seconds{60});
    std::thread other([&] {
        for (int i = 0; i < 100; ++i)
            loop.post([&, i] {
                CHECK(std::this_thread::get_id() == here);
                order.push_back(i);
                if (i == 99) loop.stop();
            });
    });
    loop.run();
    other.join();
    REQUIRE(order.size() == 100);
    for (int i = 0; i < 100; ++i) CHECK(order[static_cast<size_t>(i)] == i);
}

TEST_CASE("a task posted by a task does not run inside it") {
    Loop loop;
    net::Timer keep_running(loop, [] {});
    keep_running.start(seconds{60});
    bool inside = false;
    loop.post([&] {
        inside = true;
        loop.post([&] {
            CHECK_FALSE(inside);
            loop.stop();
        });
        inside = false;
    });
    loop.run();
}

TEST_CASE("tasks that were never run are destroyed with the loop") {
    const auto token = std::make_shared<int>(1);
    {
        Loop loop;
        loop.post([token] { FAIL("ran after the end"); });
        CHECK(token.use_count() == 2);
    }
    CHECK(token.use_count() == 1);
}

TEST_CASE("the lag counts work and not waiting") {
    Loop loop;
    std::vector<nanoseconds> lags;
    net::Timer timer(loop, [&] {
        lags.push_back(loop.lag());
        if (lags.size() == 2) {
            const MonotonicTime until = loop.now() + milliseconds{5};
            while (loop.now() < until) {
            }
            lags.push_back(loop.lag());
            timer.stop();
        }
    });
    timer.start_repeating(milliseconds{3});
    loop.run();
    REQUIRE(lags.size() == 3);
    CHECK(lags[2] - lags[1] >= milliseconds{5});
}

TEST_CASE("a poll handle reports what its descriptor is ready for") {
    Loop loop;
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    const UniqueFd ours(pair[0]);
    UniqueFd theirs(pair[1]);
    std::vector<net::Readiness> seen;
    std::unique_ptr<net::PollHandle> handle;
    handle = std::make_unique<net::PollHandle>(loop, ours.get(), [&](net::Readiness ready) {
        seen.push_back(ready);
        if (seen.size() == 1) {
            REQUIRE(::write(theirs.get(), "x", 1) == 1);
            handle->watch({.readable = true});
        } else {
            handle.reset();
        }
    });
    handle->watch({.writable = true});
    loop.run();
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].writable);
    CHECK_FALSE(seen[0].readable);
    CHECK(seen[1].readable);
}

TEST_CASE("a descriptor that cannot be watched is an error that names the attempt") {
    Loop loop;
    CHECK_THROWS_WITH(net::PollHandle(loop, -1, [](net::Readiness) {}),
                      Catch::Contains("watch a descriptor"));
}

TEST_CASE("a signal arrives as an event and does not keep the loop running") {
    Loop loop;
    int caught = 0;
    const net::Signal signal(loop, SIGUSR1, [&] { ++caught; });
    loop.run();
    CHECK(caught == 0);
    net::Timer deadline(loop, [&] { loop.stop(); });
    deadline.start(seconds{10});
    ::kill(::getpid(), SIGUSR1);
    while (caught == 0 && deadline.armed()) loop.run_once();
    CHECK(caught == 1);
}

namespace {

struct Recorder final : net::PollSet::Sink {
    std::vector<uint64_t> tokens;
    void on_ready(uint64_t token, uint32_t) override { tokens.push_back(token); }
};

}  // namespace

TEST_CASE("a poll set reports tokens, and a closed descriptor is watched no more") {
    Loop loop;
    Recorder recorder;
    net::PollSet set(loop, recorder);
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    UniqueFd ours(pair[0]);
    const UniqueFd theirs(pair[1]);
    REQUIRE(set.add(ours.get(), EPOLLIN, 77));
    CHECK_FALSE(set.add(ours.get(), EPOLLIN, 78));
    loop.run_ready();
    CHECK(recorder.tokens.empty());
    REQUIRE(::write(theirs.get(), "x", 1) == 1);
    while (recorder.tokens.empty()) loop.run_once();
    CHECK(recorder.tokens[0] == 77);
    recorder.tokens.clear();
    ours.reset();
    loop.run_ready();
    CHECK(recorder.tokens.empty());
}
