// SPDX-License-Identifier: Apache-2.0
#include "handover/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fairway::handover {
namespace {

constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

tl::unexpected<Error> system_error(const std::string& what) {
    return fail(what + ": " + std::strerror(errno));
}

Result<UniqueFd> body_file(std::string_view body) {
    UniqueFd file(::memfd_create("fairway-handover", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) return system_error("cannot make a memory file");
    while (!body.empty()) {
        const ssize_t count = ::write(file.get(), body.data(), body.size());
        if (count <= 0) return system_error("cannot fill a memory file");
        body.remove_prefix(static_cast<size_t>(count));
    }
    if (::fcntl(file.get(), F_ADD_SEALS, seals) != 0) return system_error("cannot seal a memory file");
    return file;
}

Result<std::string> read_body(int file) {
    struct stat info {};
    const int sealed = ::fcntl(file, F_GET_SEALS);
    if (sealed < 0 || (sealed & seals) != seals || ::fstat(file, &info) != 0 || info.st_size < 0 ||
        static_cast<size_t>(info.st_size) > max_body)
        return fail("a message's body is not a sealed memory file");
    std::string body(static_cast<size_t>(info.st_size), '\0');
    size_t have = 0;
    while (have < body.size()) {
        const ssize_t count = ::pread(file, body.data() + have, body.size() - have, static_cast<off_t>(have));
        if (count <= 0) return system_error("cannot read a message's body");
        have += static_cast<size_t>(count);
    }
    return body;
}

}  // namespace

Channel::Channel(UniqueFd fd) : fd_(std::move(fd)) {
    (void)::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
}

Result<void> Channel::check_peer() const {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return system_error("cannot tell who is at the other end");
    if (peer.uid != 0 && peer.uid != ::geteuid())
        return fail("process " + std::to_string(peer.pid) + " runs as another user (uid " +
                    std::to_string(peer.uid) + ")");
    return {};
}

Result<void> Channel::send(MessageType type, std::string_view body, const std::vector<int>& fds) {
    UniqueFd file;
    std::vector<int> all;
    if (!body.empty()) {
        auto made = body_file(body);
        if (!made) return tl::unexpected(made.error());
        file = std::move(*made);
        all.push_back(file.get());
    }
    all.insert(all.end(), fds.begin(), fds.end());
    size_t sent = 0;
    do {
        const size_t count = std::min<size_t>(all.size() - sent, FrameHeader::max_descriptors);
        FrameHeader header;
        header.type = type;
        header.has_body = sent == 0 && file;
        header.more = sent + count < all.size();
        header.descriptors = static_cast<uint32_t>(count);
        auto bytes = encode(header);
        iovec vector{bytes.data(), bytes.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * FrameHeader::max_descriptors)> control{};
        msghdr message{};
        message.msg_iov = &vector;
        message.msg_iovlen = 1;
        if (count > 0) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
            cmsghdr* at = CMSG_FIRSTHDR(&message);
            at->cmsg_level = SOL_SOCKET;
            at->cmsg_type = SCM_RIGHTS;
            at->cmsg_len = CMSG_LEN(sizeof(int) * count);
            std::memcpy(CMSG_DATA(at), all.data() + sent, sizeof(int) * count);
        }
        const ssize_t written = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
        if (written != static_cast<ssize_t>(bytes.size()))
            return system_error("cannot send \"" + std::string(to_string(type)) + "\"");
        sent += count;
    } while (sent < all.size());
    return {};
}

Result<std::optional<Message>> Channel::receive() {
    for (;;) {
        std::array<uint8_t, FrameHeader::size> bytes{};
        iovec vector{bytes.data(), bytes.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 253)> control{};
        msghdr packet{};
        packet.msg_iov = &vector;
        packet.msg_iovlen = 1;
        packet.msg_control = control.data();
        packet.msg_controllen = control.size();
        const ssize_t count = ::recvmsg(fd_.get(), &packet, MSG_CMSG_CLOEXEC);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::optional<Message>();
        std::vector<UniqueFd> fds;
        for (cmsghdr* at = count > 0 ? CMSG_FIRSTHDR(&packet) : nullptr; at != nullptr;
             at = CMSG_NXTHDR(&packet, at)) {
            if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) continue;
            const size_t many = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < many; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(at) + i * sizeof fd, sizeof fd);
                fds.emplace_back(fd);
            }
        }
        if (count < 0) return system_error("the other process is gone");
        if (count == 0) return fail("the other process is gone");
        if ((packet.msg_flags & MSG_CTRUNC) != 0)
            return fail("there are too few descriptors for the handover");
        const auto header = parse_frame_header(ByteSpan(bytes).first(static_cast<size_t>(count)));
        if (!header) return tl::unexpected(header.error());
        if (header->descriptors != fds.size() ||
            (partial_ && (partial_->type != header->type || header->has_body)))
            return fail("a message of the handover is damaged");
        if (!partial_) {
            partial_.emplace();
            partial_->type = header->type;
        }
        if (header->has_body) {
            auto body = read_body(fds.front().get());
            if (!body) return tl::unexpected(body.error());
            partial_->body = std::move(*body);
            fds.erase(fds.begin());
        }
        std::move(fds.begin(), fds.end(), std::back_inserter(partial_->fds));
        if (partial_->fds.size() > max_descriptors) return fail("a message of the handover is too large");
        if (!header->more) return std::exchange(partial_, std::nullopt);
    }
}

}  // namespace fairway::handover
