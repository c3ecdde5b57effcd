// SPDX-License-Identifier: Apache-2.0
// What the disk and the process can do to the store.

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <set>

#include "store/database.h"
#include "unit/store/posted.h"

using namespace fairway;

namespace {

StoreOptions options_for(const std::filesystem::path& folder, Posted& loop) {
    StoreOptions options;
    options.folder = folder;
    options.post = loop.post();
    return options;
}

/// Runs `body` in a process of its own and returns its exit status; Catch's state stays here.
int in_child(const std::function<int()>& body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body());
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::vector<std::filesystem::path> files_like(const std::filesystem::path& folder, const std::string& part) {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().filename().string().find(part) != std::string::npos) found.push_back(entry.path());
    return found;
}

void overwrite(const std::filesystem::path& file, size_t at, size_t count) {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(static_cast<std::streamoff>(at));
    for (size_t i = 0; i < count; ++i) out.put('\x5a');
}

}  // namespace

TEST_CASE("every acknowledged override is there after kill -9, over and over, and the file opens clean") {
    const TemporaryFolder folder;
    std::set<std::string> acknowledged;
    int64_t last_event = 0;
    for (int round = 0; round < 12; ++round) {
        int pipe[2];
        REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
        const pid_t child = ::fork();
        if (child == 0) {
            Posted loop;
            Store store(options_for(folder.path, loop), noon);
            for (int i = 0;; ++i) {
                const std::string target = "r" + std::to_string(round) + "-" + std::to_string(i);
                Event event;
                event.time = noon;
                event.subject = target;
                store.append(event);
                if (!set(store, loop, {drain_of(target)})) ::_exit(1);
                const std::string line = target + "\n";
                if (::write(pipe[1], line.data(), line.size()) < 0) ::_exit(1);
            }
        }
        ::close(pipe[1]);
        // Killed after as many acknowledgements as the round says, wherever it is by then.
        std::string text;
        char byte = 0;
        for (int lines = 0; lines < 3 + round * 5 && ::read(pipe[0], &byte, 1) == 1;) {
            text += byte;
            lines += byte == '\n';
        }
        ::kill(child, SIGKILL);
        while (::read(pipe[0], &byte, 1) == 1) text += byte;
        ::close(pipe[0]);
        int status = 0;
        ::waitpid(child, &status, 0);
        REQUIRE(WIFSIGNALED(status));
        for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
            acknowledged.insert(text.substr(at, end - at));

        Posted loop;
        Store store(options_for(folder.path, loop), noon);
        REQUIRE(store.problems().empty());
        std::set<std::string> there;
        for (const Override& item : store.overrides()) there.insert(item.target);
        for (const std::string& target : acknowledged) REQUIRE(there.count(target) == 1);
        // At most the one in flight was written but not acknowledged, each round.
        REQUIRE(there.size() <= acknowledged.size() + static_cast<size_t>(round) + 1);
        const Event next = store.append(Event{});
        REQUIRE(next.id > last_event);
        last_event = next.id;
    }
    CHECK(acknowledged.size() >= 12 * 3);
}

TEST_CASE("a damaged file is moved aside, said loudly, and a new one begun") {
    const TemporaryFolder folder;
    const auto file = folder.path / "fairway.db";
    const auto damage = GENERATE(std::string("garbage"), std::string("header"), std::string("middle"),
                                 std::string("truncated"));
    {
        Posted loop;
        Store store(options_for(folder.path, loop), noon);
        for (int i = 0; i < 200; ++i) REQUIRE(set(store, loop, {drain_of("gateway-" + std::to_string(i))}));
    }
    if (damage == "garbage") std::ofstream(file) << std::string(40'000, 'x');
    if (damage == "header") overwrite(file, 0, 64);
    if (damage == "middle") overwrite(file, 4096, 8192);
    if (damage == "truncated") std::filesystem::resize_file(file, 4096 + 100);

    Posted loop;
    Store store(options_for(folder.path, loop), noon);
    REQUIRE(store.problems().size() == 1);
    CHECK(store.problems()[0].find("is damaged") != std::string::npos);
    CHECK(store.problems()[0].find("fairway.db.corrupt-") != std::string::npos);
    CHECK(files_like(folder.path, "fairway.db.corrupt-").size() == 1);
    CHECK(store.outage().empty());
    CHECK(store.overrides().empty());
    REQUIRE(set(store, loop, {drain_of("fra1")}));
    CHECK(store.overrides().size() == 1);
}

TEST_CASE("a file that is damaged while in use is replaced by one with the overrides in force") {
    const TemporaryFolder folder;
    std::vector<std::string> said;
    {
        Posted loop;
        StoreOptions options = options_for(folder.path, loop);
        options.trouble = [&](Severity, const std::string& what) { said.push_back(what); };
        Store store(options, noon);
        REQUIRE(set(store, loop, {drain_of("fra1"), drain_of("gone")}));
        REQUIRE(clear(store, loop, 2));
        // Behind the connection's back: the log is emptied, every page overwritten, and the index of the log
        // that all connections share zeroed, so that this one looks at the file again.
        std::filesystem::resize_file(folder.path / "fairway.db-wal", 0);
        std::ofstream(folder.path / "fairway.db", std::ios::in | std::ios::out) << std::string(65'536, 'x');
        std::ofstream(folder.path / "fairway.db-shm", std::ios::in | std::ios::out) << std::string(136, '\0');
        const auto made = set(store, loop, {drain_of("iad1")});
        REQUIRE(made);
        CHECK(made->front().id == 3);
        REQUIRE(said.size() == 1);
        CHECK(said[0].find("is damaged") != std::string::npos);
    }
    Posted loop;
    Store store(options_for(folder.path, loop), noon);
    CHECK(store.problems().empty());
    REQUIRE(store.overrides().size() == 2);
    CHECK(store.overrides()[0].target == "fra1");
    CHECK(store.overrides()[1].target == "iad1");
}

TEST_CASE("on a full disk overrides are refused with the reason, events stay in memory, and it recovers") {
    const TemporaryFolder folder;
    CHECK(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              Posted loop;
              std::vector<std::string> said;
              StoreOptions options = options_for(folder.path, loop);
              options.trouble = [&](Severity, const std::string& what) { said.push_back(what); };
              Store store(options, noon);
              if (!set(store, loop, {drain_of("fra1")})) return 1;
              rlimit limit{};
              ::getrlimit(RLIMIT_FSIZE, &limit);
              const rlimit before = limit;
              limit.rlim_cur = 1;
              ::setrlimit(RLIMIT_FSIZE, &limit);
              const auto refused = set(store, loop, {drain_of("iad1")});
              if (refused || refused.error().kind != StoreError::Kind::unavailable) return 2;
              if (refused.error().message.find("cannot be kept") == std::string::npos) return 3;
              if (store.overrides().size() != 1 || store.outage().empty() || said.size() != 1) return 4;
              Event event;
              event.time = noon;
              event.subject = "fra1";
              store.append(event);
              if (events(store, loop).size() != 1) return 5;
              if (clear(store, loop, 1)) return 6;
              ::setrlimit(RLIMIT_FSIZE, &before);
              if (!set(store, loop, {drain_of("iad1")})) return 7;
              if (!store.outage().empty() || said.size() != 2) return 8;
              return 0;
          }) == 0);
    Posted loop;
    Store store(options_for(folder.path, loop), noon);
    CHECK(store.problems().empty());
    CHECK(store.overrides().size() == 2);
}

TEST_CASE("a folder that cannot be written keeps the overrides that are in it, and new ones are refused") {
    const TemporaryFolder folder;
    const auto state = folder.path / "state";
    {
        Posted loop;
        Store store(options_for(state, loop), noon);
        REQUIRE(set(store, loop, {drain_of("fra1")}));
    }
    REQUIRE(::chmod(folder.path.c_str(), 0755) == 0);
    REQUIRE(::chmod((state / "fairway.db").c_str(), 0444) == 0);
    REQUIRE(::chmod(state.c_str(), 0555) == 0);
    CHECK(in_child([&] {
              // Nothing is read-only to root.
              if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
              Posted loop;
              Store store(options_for(state, loop), noon);
              if (store.overrides().size() != 1) return 2;
              if (store.problems().empty() || store.outage().empty()) return 3;
              const auto refused = set(store, loop, {drain_of("iad1")});
              if (refused || refused.error().kind != StoreError::Kind::unavailable) return 4;
              store.append(Event{});
              if (events(store, loop).size() != 1) return 5;
              if (store.overrides().size() != 1) return 6;
              return 0;
          }) == 0);
    REQUIRE(::chmod(state.c_str(), 0755) == 0);
}

TEST_CASE("a file of a newer version is left alone") {
    const TemporaryFolder folder;
    {
        Posted loop;
        Store store(options_for(folder.path, loop), noon);
        REQUIRE(set(store, loop, {drain_of("fra1")}));
    }
    store::Database(folder.path / "fairway.db", store::Database::Mode::read_write)
        .run("PRAGMA user_version=99");
    Posted loop;
    Store store(options_for(folder.path, loop), noon);
    REQUIRE_FALSE(store.problems().empty());
    CHECK(store.problems()[0].find("newer than this program's") != std::string::npos);
    CHECK(files_like(folder.path, "corrupt").empty());
    CHECK(store.overrides().size() == 1);
    CHECK_FALSE(set(store, loop, {drain_of("iad1")}));
}

TEST_CASE("when too much waits for the disk an override is refused and events stay in memory") {
    const TemporaryFolder folder;
    Posted loop;
    StoreOptions options = options_for(folder.path, loop);
    options.max_queue = 0;
    Store store(options, noon);
    const auto refused = set(store, loop, {drain_of("fra1")});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == StoreError::Kind::unavailable);
    store.append(Event{});
    CHECK(events(store, loop).size() == 1);
}
