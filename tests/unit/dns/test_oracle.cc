// SPDX-License-Identifier: Apache-2.0
// Random zones full of wildcards, empty non-terminals, delegations, glue and aliases, answered by us and by
// NSD, an independent implementation, which must agree on code, authority, answers and what stands beside
// them.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/random.h"
#include "base/text.h"
#include "unit/dns/responder.h"
#include "unit/dns/wire_client.h"

using namespace fairway;
using namespace fairway::dns;
using namespace fairway::dns::test;

namespace {

constexpr size_t zone_count = 60;
constexpr size_t questions_per_zone = 150;
constexpr uint64_t seed = 20;

std::string random_name(Random& random, const std::string& zone, size_t most_labels) {
    static const char* labels[] = {"a", "b", "c", "*", "d"};
    std::string name;
    for (uint64_t left = random.below(most_labels + 1); left > 0; --left)
        name += std::string(labels[random.below(left == 1 ? 4 : 5)]) + ".";
    return name + zone + ".";
}

// Without what a zone must not have: CNAME beside data, NS of a wildcard.
std::string random_zone(Random& random, const std::string& zone) {
    std::ostringstream text;
    text << "$TTL 300\n@ SOA ns hostmaster 1 2 3 4 30\n@ NS ns\nns A 192.0.2.53\n";
    std::set<std::string> used{zone + ".", "ns." + zone + "."};
    for (uint64_t left = 4 + random.below(14); left > 0; --left) {
        const std::string name = random_name(random, zone, 4);
        if (!used.insert(name).second) continue;
        const bool is_wildcard = name.front() == '*';
        switch (random.below(is_wildcard ? 5 : 7)) {
            case 0:
            case 1:
                text << name << " A 192.0.2." << random.below(250) + 1 << "\n";
                if (random.below(2) == 0) text << name << " A 192.0.2.251\n";
                break;
            case 2:
                text << name << " TXT \"" << name << "\"\n";
                if (random.below(2) == 0) text << name << " AAAA 2001:db8::1\n";
                break;
            case 3:
                text << name << " CNAME " << random_name(random, zone, 4) << "\n";
                break;
            case 4:
                text << name << " CNAME www.example.net.\n";
                break;
            case 5:
                text << name << " NS ns." << name << "\nns." << name << " A 192.0.2.252\n";
                used.insert("ns." + name);
                break;
            default:
                text << name << " NS ns.example.net.\n" << name << " NS x." << name << "\n";
                if (used.insert("x." + name).second)
                    text << "x." << name << " A 192.0.2.253\nx." << name << " AAAA 2001:db8::2\n";
                break;
        }
    }
    return text.str();
}

// One nsd on a port of its own, with its files in a folder of its own.
class Nsd {
  public:
    explicit Nsd(const std::map<std::string, std::string>& zones) {
        folder_ = "/tmp/fairway-nsd-XXXXXX";
        REQUIRE(mkdtemp(folder_.data()) != nullptr);
        address_ = free_address();
        std::ofstream config(folder_ + "/nsd.conf");
        config << "server:\n  ip-address: " << address_.address.to_string() << "@" << address_.port
               << "\n  port: " << address_.port
               << "\n  server-count: 1\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"" << folder_
               << "\"\n  database: \"\"\n  pidfile: \"\"\n  xfrdfile: \"" << folder_
               << "/xfrd\"\n  zonelistfile: \"" << folder_ << "/list\"\n  xfrdir: \"" << folder_
               << "\"\n  rrl-ratelimit: 0\n  minimal-responses: yes\n  refuse-any: no\nremote-control:\n  "
                  "control-enable: no\n";
        for (const auto& [name, text] : zones) {
            std::ofstream(folder_ + "/" + name) << text;
            config << "zone:\n  name: \"" << name << "\"\n  zonefile: \"" << name << "\"\n";
        }
        config.close();
        pid_ = fork();
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            const std::string path = folder_ + "/nsd.conf";
            if (freopen((folder_ + "/log").c_str(), "w", stderr) == nullptr) _exit(127);
            execl("/usr/sbin/nsd", "nsd", "-d", "-c", path.c_str(), nullptr);
            _exit(127);
        }
    }
    ~Nsd() {
        kill(pid_, SIGTERM);
        waitpid(pid_, nullptr, 0);
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    /// Waits until it answers; false when it does not within the deadline.
    bool is_up(const std::string& zone) {
        const auto deadline = std::chrono::steady_clock::now() + milliseconds(patience_ms);
        while (std::chrono::steady_clock::now() < deadline) {
            const UniqueFd fd = connect_to(address_, SOCK_DGRAM);
            const Bytes question = to_bytes(Ask{zone, RecordType::soa});
            // Nobody listens yet: the kernel says so at the next call.
            if (send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) > 0 &&
                readable(fd.get(), 50)) {
                Bytes bytes(4096);
                const ssize_t got = recv(fd.get(), bytes.data(), bytes.size(), 0);
                if (got > 0 &&
                    render(ByteSpan(bytes).first(static_cast<size_t>(got))).starts_with("4660 NOERROR"))
                    return true;
            }
        }
        return false;
    }
    [[nodiscard]] const SocketAddress& address() const { return address_; }
    [[nodiscard]] std::string log() const {
        std::ifstream file(folder_ + "/log");
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

  private:
    // Of an address of this process's own: another run at the same time must not be taken for our server.
    static SocketAddress free_address() {
        const IpAddress own = IpAddress::v4(0x7f400000U + static_cast<uint32_t>(getpid()) % 0x3ffffeU + 1);
        const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_storage storage{};
        socklen_t size = SocketAddress{own, 0}.to_sockaddr(storage);
        REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0);
        size = sizeof storage;
        REQUIRE(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0);
        return SocketAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&storage)).value();
    }

    std::string folder_;
    SocketAddress address_;
    pid_t pid_ = -1;
};

// In any order within a section; names of the two may differ in case only.
std::string normal(const std::string& rendered) {
    std::istringstream in(rendered);
    std::string line;
    std::string header;
    std::vector<std::string> rest;
    std::getline(in, header);
    while (std::getline(in, line)) {
        std::transform(line.begin(), line.end(), line.begin(), [](char c) { return ascii_lower(c); });
        rest.push_back(line);
    }
    std::sort(rest.begin(), rest.end());
    for (const std::string& one : rest) header += "\n" + one;
    return header;
}

}  // namespace

TEST_CASE("random zones are answered as NSD answers them") {
    Random random(seed);
    World world;
    std::map<std::string, std::string> texts;
    for (size_t i = 0; texts.size() < zone_count; ++i) {
        const std::string name = "z" + std::to_string(i) + ".test";
        const std::string text = random_zone(random, name);
        World alone;
        alone.add_zone(name, text);
        if (!alone.build().authority) continue;
        world.add_zone(name, text);
        texts[name] = text;
    }
    world.all_up();
    Responder ours(world);
    Nsd nsd(texts);
    INFO(nsd.log());
    REQUIRE(nsd.is_up(texts.begin()->first));

    const UniqueFd fd = connect_to(nsd.address(), SOCK_DGRAM);
    size_t compared = 0;
    std::map<std::string, size_t> kinds;
    for (const auto& [zone, text] : texts)
        for (size_t i = 0; i < questions_per_zone; ++i) {
            static constexpr RecordType types[] = {RecordType::a,    RecordType::a,     RecordType::txt,
                                                   RecordType::aaaa, RecordType::cname, RecordType::ns,
                                                   RecordType::mx,   RecordType::ds,    RecordType::soa};
            Ask ask{random_name(random, zone, 5), types[random.below(std::size(types))]};
            const Bytes question = to_bytes(ask);
            send_all(fd.get(), question);
            REQUIRE(readable(fd.get()));
            Bytes bytes(4096);
            const ssize_t got = recv(fd.get(), bytes.data(), bytes.size(), 0);
            REQUIRE(got > 0);
            bytes.resize(static_cast<size_t>(got));
            const std::string theirs = normal(render(bytes));
            const std::string mine = normal(ours.ask(question));
            // How far a loop of aliases is followed is each server's choice.
            if (std::count(mine.begin(), mine.end(), '\n') > 8) continue;
            INFO(text << "\n" << ask.name << " " << to_string(ask.type));
            REQUIRE(mine == theirs);
            ++compared;
            ++kinds[mine.substr(0, mine.find('\n'))];
        }
    CHECK(compared > zone_count * questions_per_zone * 9 / 10);
    // Of every kind enough to mean something.
    CHECK(kinds["4660 NOERROR qr aa"] > 1000);
    CHECK(kinds["4660 NOERROR qr"] > 200);
    CHECK(kinds["4660 NXDOMAIN qr aa"] > 500);
}
