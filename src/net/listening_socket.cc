// SPDX-License-Identifier: Apache-2.0
#include "net/listening_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace fairway::net {
namespace {

constexpr int backlog = 1024;

[[noreturn]] void refuse(int error, const std::string& attempt) {
    throw std::system_error(error, std::system_category(), attempt);
}

UniqueFd bind_tcp(const SocketAddress& address) {
    const std::string attempt = "bind TCP " + address.to_string();
    const int family = address.address.is_v4() ? AF_INET : AF_INET6;
    UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) refuse(errno, attempt);
    const int one = 1;
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (family == AF_INET6) (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    sockaddr_storage storage{};
    const socklen_t length = address.to_sockaddr(storage);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) refuse(errno, attempt);
    return fd;
}

UniqueFd bind_unix(const std::filesystem::path& path, unsigned mode) {
    const std::string attempt = "bind unix socket " + path.string();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path) refuse(ENAMETOOLONG, attempt);
    std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    // A socket file of a process that is gone refuses connections; anything else in its place stays.
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) refuse(errno, attempt);
    const int answer = ::connect(probe.get(), generic, sizeof address);
    if (answer == 0 || errno == EAGAIN) refuse(EADDRINUSE, attempt);
    const bool nobody_answers = errno == ECONNREFUSED;
    struct stat info {};
    if (nobody_answers && ::lstat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path.c_str());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd || ::bind(fd.get(), generic, sizeof address) != 0) refuse(errno, attempt);
    // Before listening, so that nobody connects under the wrong permissions.
    if (::chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) {
        const int error = errno;
        ::unlink(path.c_str());
        refuse(error, attempt);
    }
    return fd;
}

}  // namespace

std::string to_string(const ListenAddress& address) {
    if (const auto* tcp = std::get_if<SocketAddress>(&address)) return tcp->to_string();
    return std::get<std::filesystem::path>(address).string();
}

ListeningSocket ListeningSocket::open(const ListenAddress& address, unsigned unix_mode) {
    const auto* tcp = std::get_if<SocketAddress>(&address);
    ListeningSocket socket(address, tcp != nullptr
                                        ? bind_tcp(*tcp)
                                        : bind_unix(std::get<std::filesystem::path>(address), unix_mode));
    if (::listen(socket.fd(), backlog) != 0) refuse(errno, "listen on " + net::to_string(address));
    return socket;
}

ListeningSocket ListeningSocket::adopt(const ListenAddress& address, UniqueFd fd) {
    return {address, std::move(fd)};
}

ListeningSocket::ListeningSocket(ListenAddress address, UniqueFd fd)
    : address_(std::move(address)), fd_(std::move(fd)) {
    auto* tcp = std::get_if<SocketAddress>(&address_);
    if (tcp == nullptr) return;
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) return;
    const auto bound = SocketAddress::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage));
    if (bound) tcp->port = bound->port;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : address_(std::move(other.address_)),
      fd_(std::move(other.fd_)),
      shared_(other.shared_),
      held_elsewhere_(other.held_elsewhere_),
      is_anothers_(std::move(other.is_anothers_)) {}

ListeningSocket::~ListeningSocket() {
    if (!fd_ || shared_ || (is_anothers_ && *is_anothers_)) return;
    if (const auto* path = std::get_if<std::filesystem::path>(&address_)) ::unlink(path->c_str());
}

}  // namespace fairway::net
