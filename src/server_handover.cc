// SPDX-License-Identifier: Apache-2.0
// How one fairwayd takes over from another, seen from both sides; the conversation is src/handover's. The
// order in which things are let go is what keeps every query: what is shared is served by both for a moment,
// what cannot be shared (the store, the stream of a connection) has exactly one owner at any time.

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "api/server.h"
#include "base/log.h"
#include "dns/server.h"
#include "handover/giver.h"
#include "handover/service_manager.h"
#include "handover/state_folder.h"
#include "handover/taker.h"
#include "health/memory.h"
#include "pdns/server.h"
#include "server.h"

namespace fairway {
namespace {

/// For clients that take their time to read their answers, after a successor has taken over.
constexpr milliseconds reading_time{2000};
constexpr nanoseconds leaving_time = seconds{4};
constexpr nanoseconds leaving_check = milliseconds{10};
constexpr nanoseconds successor_check = milliseconds{100};

const std::string program = "fairwayd " FAIRWAY_VERSION;

std::string name_of(int64_t pid, const std::string& what) {
    return "process " + std::to_string(pid) + " (" + what + ")";
}

std::string text_of(const dns::CookieSecret& secret) {
    return {secret.begin(), secret.end()};
}

std::optional<dns::CookieSecret> secret_of(const std::string& text) {
    dns::CookieSecret secret{};
    if (text.size() != secret.size()) return std::nullopt;
    std::copy(text.begin(), text.end(), secret.begin());
    return secret;
}

}  // namespace

net::InheritedSockets& Server::inherited() const {
    return beginning_.predecessor != nullptr ? beginning_.predecessor->offer().sockets
                                             : beginning_.service_manager.sockets();
}

void Server::wait_for_successor() {
    for (const net::InheritedSocket& socket : inherited().left()) {
        if (beginning_.predecessor == nullptr)
            log::warning("the service manager's socket on " + net::to_string(socket.address) +
                         " is of no use: the configuration does not name it");
    }
    if (beginning_.lock < 0) return;
    handover::Giver::Hooks hooks;
    hooks.offer = [this](const handover::Hello& to) {
        log::info("handing over to " + name_of(to.pid, to.program));
        store_.suspend();
        std::vector<net::OfferedSocket> sockets;
        dns_->offer(sockets);
        api_->offer(sockets);
        if (pdns_) pdns_->offer(sockets);
        return sockets;
    };
    hooks.state = [this] {
        handover::State state;
        state.health = to_text(engine_.remember());
        state.ready = ready_;
        state.cookie_current = text_of(settings_->cookies->current);
        if (settings_->cookies->previous) state.cookie_previous = text_of(*settings_->cookies->previous);
        state.cookie_age = cookie_age_;
        state.takeovers = takeovers_;
        state.since = std::chrono::floor<seconds>(since_.time_since_epoch()).count();
        return state;
    };
    hooks.releasing = [this](const handover::Hello& to) {
        beginning_.service_manager.notify("MAINPID=" + std::to_string(to.pid));
    };
    hooks.release = [this](const handover::Hello& to) {
        leaving_ = true;
        std::vector<handover::Connection> connections;
        if (pdns_) pdns_->pause();
        api_->leave();
        for (dns::HandedConnection& connection : dns_->leave(reading_time))
            connections.push_back({"dns", "", std::string(connection.unread.begin(), connection.unread.end()),
                                   std::move(connection.fd)});
        if (pdns_) {
            for (pdns::HandedConnection& connection : pdns_->hand_over())
                connections.push_back({"pdns", std::move(connection.connector), std::move(connection.unread),
                                       std::move(connection.fd)});
            pdns_->leave();
        }
        store_.abandon(name_of(to.pid, to.program) + " has just taken over: ask again");
        log::info("handed over to " + name_of(to.pid, to.program) + " with " +
                  std::to_string(connections.size()) + " connections");
        return connections;
    };
    hooks.done = [this] { begin_leaving(); };
    hooks.go_on = [this](const handover::Hello& to, const std::string& why) {
        store_.resume();
        tell(EventKind::system, Severity::warning, {},
             name_of(to.pid, to.program) + " was to take over and failed: " + why + "; this one goes on");
    };
    const std::filesystem::path path = handover::handover_socket(config().server.state);
    try {
        giver_ = std::make_unique<handover::Giver>(
            loop_, inherited().take_or_open(handover::socket_purpose, path, 0600),
            handover::Hello{::getpid(), program}, beginning_.lock, std::move(hooks));
    } catch (const std::system_error& error) {
        log::warning("this process cannot be replaced without a restart: " + std::string(error.what()));
    }
}

void Server::take_over() {
    handover::Taker& predecessor = *beginning_.predecessor;
    const int64_t pid = predecessor.offer().pid;
    const std::string name = name_of(pid, predecessor.offer().program);
    const auto refuse = [&name](const Error& error) {
        throw std::runtime_error("cannot take over from " + name + ", which goes on: " + error.message);
    };
    auto state = predecessor.prepared();
    if (!state && !predecessor.other_is_gone()) refuse(state.error());
    if (!state) {
        // Its sockets and its place are ours all the same; what it knew has to be found out again.
        log::warning(name + " has ended before it could hand over what it knew");
        handover::sign_lock(beginning_.lock);
        predecessor.offer().sockets.settle();
        predecessor.offer().sockets = {};
        return;
    }
    took_over_from_ = pid;
    takeovers_ = state->takeovers + 1;
    if (state->since > 0) since_ = WallTime(seconds(state->since));
    const auto current = secret_of(state->cookie_current);
    if (current && !config().server.cookie_secret) {
        auto settings = std::make_shared<dns::AnswerSettings>(*settings_);
        settings->cookies = dns::CookieSecrets{*current, secret_of(state->cookie_previous)};
        settings_ = std::move(settings);
        cookie_age_ = state->cookie_age;
    }
    const auto health = parse_health_memory(state->health);
    if (health) {
        engine_.recall(*health, loop_.now());
        // Told by the predecessor already.
        (void)engine_.take_transitions();
    } else {
        log::warning("handover: " + health.error().message);
    }
    publish(engine_.snapshot());
    if (state->ready) {
        ready_ = true;
        engine_.finish_first_round(loop_.now());
        publish(engine_.snapshot());
        dns_->start();
    }

    auto connections = predecessor.serving();
    if (!connections) refuse(connections.error());
    predecessor.offer().sockets.settle();
    std::vector<dns::HandedConnection> dns;
    std::vector<pdns::HandedConnection> pdns;
    const size_t count = connections->size();
    for (handover::Connection& connection : *connections) {
        if (connection.owner == "dns")
            dns.push_back({std::move(connection.fd), {connection.unread.begin(), connection.unread.end()}});
        else if (connection.owner == "pdns")
            pdns.push_back(
                {std::move(connection.connector), std::move(connection.fd), std::move(connection.unread)});
    }
    if (ready_) dns_->adopt(std::move(dns));
    if (pdns_) pdns_->adopt(std::move(pdns));
    handover::sign_lock(beginning_.lock);
    // Addresses that are not listened on any more: the predecessor has answered what it had received.
    predecessor.offer().sockets = {};
    tell(EventKind::system, Severity::info, {},
         program + " took over from " + name + " with " + std::to_string(count) + " connections");
    if (ready_) announce_ready();
}

void Server::begin_leaving() {
    leave_at_the_latest_ = loop_.now() + leaving_time;
    flush_timer_.stop();
    health_timer_.stop();
    housekeeping_timer_.stop();
    watchdog_timer_.stop();
    successor_timer_.stop();
    leaving_timer_.start_repeating(leaving_check);
    background_.enqueue([this]() -> Background::Work {
        return [this]() -> std::function<void()> {
            dns_->wait();
            return [this] { dns_is_through_ = true; };
        };
    });
}

void Server::upgrade(const std::string& actor) {
    const auto cannot = [&](const std::string& why) {
        tell(EventKind::system, Severity::warning, {}, "no successor is started: " + why, actor);
    };
    if (leaving_ || !giver_) return cannot("this process cannot be replaced");
    if (successor_ != 0 || giver_->is_giving()) return cannot("one is being started already");
    std::vector<std::string> command = beginning_.command;
    if (std::find(command.begin(), command.end(), "--replace") == command.end())
        command.emplace_back("--replace");
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    std::vector<std::string> extra = beginning_.service_manager.for_successor();
    std::vector<char*> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
    for (std::string& variable : extra) environment.push_back(variable.data());
    environment.push_back(nullptr);
    pid_t pid = 0;
    const int error =
        ::posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments.data(), environment.data());
    if (error != 0) return cannot(command[0] + ": " + std::strerror(error));
    successor_ = pid;
    successor_timer_.start_repeating(successor_check);
    tell(EventKind::system, Severity::info, {}, "started process " + std::to_string(pid) + " to take over",
         actor);
}

void Server::look_after_successor() {
    int status = 0;
    const pid_t ended = ::waitpid(static_cast<pid_t>(successor_), &status, WNOHANG);
    if (ended == 0) return;
    successor_timer_.stop();
    const int64_t pid = std::exchange(successor_, 0);
    if (leaving_) return;
    const std::string how = WIFSIGNALED(status) ? "was ended by signal " + std::to_string(WTERMSIG(status))
                                                : "ended with status " + std::to_string(WEXITSTATUS(status));
    tell(EventKind::system, Severity::warning, {},
         "process " + std::to_string(pid) + " was to take over and " + how + "; this one goes on");
}

}  // namespace fairway
