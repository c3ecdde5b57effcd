// SPDX-License-Identifier: Apache-2.0
#include "handover/taker.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fairway::handover {

Result<std::optional<Taker>> Taker::ask(const std::filesystem::path& path, const Hello& self) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path)
        return fail(path.string() + " is too long for the name of a socket");
    std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return fail(std::string("cannot make a socket: ") + std::strerror(errno));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED) return std::optional<Taker>();
        return fail("cannot ask at " + path.string() + ": " + std::strerror(errno));
    }
    Taker taker{Channel(std::move(fd))};
    if (const auto allowed = taker.channel_.check_peer(); !allowed) return tl::unexpected(allowed.error());
    // Who cannot send is told why by what the other said before it closed.
    (void)taker.channel_.send(MessageType::hello, hello_body(self));
    auto message = taker.expect(MessageType::offer);
    if (!message) return tl::unexpected(message.error());
    auto offer = parse_offer(message->body, std::move(message->fds));
    if (!offer) {
        taker.failed(offer.error().message);
        return tl::unexpected(offer.error());
    }
    taker.offer_ = std::move(*offer);
    return std::optional<Taker>(std::move(taker));
}

Result<Message> Taker::expect(MessageType type) {
    const MonotonicTime deadline = std::chrono::steady_clock::now() + patience;
    for (;;) {
        auto message = channel_.receive();
        if (!message) return tl::unexpected(message.error());
        if (*message) {
            if ((*message)->type == MessageType::refused) {
                refused_ = true;
                return fail(parse_reason((*message)->body));
            }
            if ((*message)->type != type)
                return fail("it said \"" + std::string(to_string((*message)->type)) + "\" out of turn");
            return std::move(**message);
        }
        const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) return fail("it does not answer");
        pollfd entry{channel_.fd(), POLLIN, 0};
        (void)::poll(&entry, 1, static_cast<int>(left.count()));
    }
}

Result<State> Taker::prepared() {
    (void)channel_.send(MessageType::prepared, {});
    auto message = expect(MessageType::state);
    if (!message) return tl::unexpected(message.error());
    return parse_state(message->body);
}

bool Taker::other_is_gone() const noexcept {
    pollfd entry{channel_.fd(), POLLIN, 0};
    return !refused_ && ::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

Result<std::vector<Connection>> Taker::serving() {
    // What cannot be sent is found out by what is read: the other one may have given up before.
    (void)channel_.send(MessageType::serving, {});
    const auto released = expect(MessageType::released);
    if (!released) {
        // Dead before it could let go: then nobody else is in charge. One that gave up says so first.
        if (other_is_gone()) return std::vector<Connection>();
        return tl::unexpected(released.error());
    }
    auto message = expect(MessageType::connections);
    if (!message) return std::vector<Connection>();  // it had none, or died with them
    auto connections = parse_connections(message->body, std::move(message->fds));
    return connections ? std::move(*connections) : std::vector<Connection>();
}

void Taker::failed(const std::string& why) noexcept {
    try {
        (void)channel_.send(MessageType::failed, reason_body(why));
    } catch (const std::exception&) {
        // Then it finds out by itself that we are gone.
    }
}

}  // namespace fairway::handover
