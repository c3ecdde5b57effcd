// SPDX-License-Identifier: Apache-2.0
#include "net/acceptor.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "net/loop.h"

namespace fairway::net {
namespace {

constexpr int batch = 64;  // connections per wakeup, so that the loop gets its turn
constexpr nanoseconds shortage_pause = milliseconds{100};

}  // namespace

Acceptor::Acceptor(Loop& loop, ListeningSocket socket, std::function<void(UniqueFd)> on_connection)
    : socket_(std::move(socket)),
      on_connection_(std::make_shared<std::function<void(UniqueFd)>>(std::move(on_connection))),
      poll_(loop, socket_.fd(), [this](Readiness) { accept(); }),
      again_(loop, [this] {
          if (!paused_) poll_.watch({.readable = true});
      }) {
    poll_.watch({.readable = true});
}

Acceptor::~Acceptor() = default;

void Acceptor::pause() {
    paused_ = true;
    poll_.watch({});
}

void Acceptor::resume() {
    paused_ = false;
    poll_.watch({.readable = true});
}

void Acceptor::accept() {
    // Held here: the callback may destroy this object, and then nothing else holds it.
    const std::shared_ptr<std::function<void(UniqueFd)>> on_connection = on_connection_;
    for (int i = 0; i < batch; ++i) {
        UniqueFd fd(::accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (fd) {
            (*on_connection)(std::move(fd));
            if (on_connection.use_count() == 1 || paused_) return;
            continue;
        }
        switch (errno) {
            case EMFILE:
            case ENFILE:
            case ENOBUFS:
            case ENOMEM:
                poll_.watch({});
                again_.start(shortage_pause);
                return;
            case EAGAIN:
                return;
            default:
                // The peer was faster to leave, or another process to accept: not our trouble.
                continue;
        }
    }
}

}  // namespace fairway::net
