// SPDX-License-Identifier: Apache-2.0
#include "handover/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace fairway::handover {
namespace {

constexpr const char* variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                     "LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES"};
constexpr int most_sockets = 1024;

std::optional<int64_t> number(const std::optional<std::string>& text) {
    int64_t value = 0;
    if (!text) return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value < 0) return std::nullopt;
    return value;
}

std::vector<std::string> split_names(const std::string& text) {
    std::vector<std::string> names(1);
    for (const char c : text) {
        if (c == ':')
            names.emplace_back();
        else
            names.back() += c;
    }
    return names;
}

}  // namespace

ServiceManager::ServiceManager(const Variable& variable, int64_t pid, int first_descriptor) {
    if (auto socket = variable("NOTIFY_SOCKET"); socket && socket->size() > 1) {
        successor_.push_back("NOTIFY_SOCKET=" + *socket);
        notify_socket_ = std::move(*socket);
    }
    const auto watchdog = number(variable("WATCHDOG_USEC"));
    const auto watched = number(variable("WATCHDOG_PID"));
    if (watchdog && *watchdog > 0 && *watchdog < INT64_MAX / 1000 && (!watched || *watched == pid)) {
        watchdog_ = microseconds(*watchdog) / 2;
        successor_.push_back("WATCHDOG_USEC=" + std::to_string(*watchdog));
    }

    const auto count = number(variable("LISTEN_FDS"));
    if (!count || number(variable("LISTEN_PID")) != pid) return;
    const std::vector<std::string> names = split_names(variable("LISTEN_FDNAMES").value_or(""));
    for (int i = 0; i < *count && i < most_sockets; ++i) {
        UniqueFd fd(first_descriptor + i);
        (void)::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
        auto socket = net::describe_socket(std::move(fd));
        if (!socket) {
            const auto index = static_cast<size_t>(i);
            problems_.push_back(
                "socket " + std::to_string(i + 1) + " of the service manager" +
                (index < names.size() && !names[index].empty() ? " (" + names[index] + ")" : "") +
                " is of no use: " + socket.error().message);
            continue;
        }
        socket->held_elsewhere = true;
        sockets_.add(std::move(*socket));
    }
}

ServiceManager ServiceManager::from_environment() {
    ServiceManager manager(
        [](const char* name) -> std::optional<std::string> {
            const char* value = std::getenv(name);
            return value == nullptr ? std::nullopt : std::optional<std::string>(value);
        },
        ::getpid());
    for (const char* name : variables) ::unsetenv(name);
    return manager;
}

void ServiceManager::notify(std::string_view what) const noexcept {
    sockaddr_un address{};
    if (notify_socket_.empty() || notify_socket_.size() >= sizeof address.sun_path) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, notify_socket_.data(), notify_socket_.size());
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
    const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd) return;
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + notify_socket_.size());
    (void)::sendto(fd.get(), what.data(), what.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                   reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace fairway::handover
