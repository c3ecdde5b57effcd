// SPDX-License-Identifier: Apache-2.0
#pragma once
// How a running fairway-gateway is told what to break: one JSON object a line over a Unix socket that only
// its owner may open, one answer a line.
//
//     {"command":"fault","target":"fra1","fault":"silent"}
//     {"ok":true,"addresses":["fra1/127.0.1.10","fra1/127.0.1.11"],"fault":"silent"}
//     {"command":"status"}
//     {"ok":true,"status":{...}}
//     {"ok":false,"error":"no-such-target","message":"no gateway \"fra\" (did you mean \"fra1\"?)"}

#include <filesystem>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "ipsec/gateway_fleet.h"
#include "net/loop.h"
#include "net/stream.h"

namespace fairway::ipsec {

/// The answer to one line, without the newline. Whatever the line is: never throws.
[[nodiscard]] std::string answer_control(Fleet& fleet, std::string_view line);

class ControlServer {
  public:
    static constexpr size_t max_line = 65'536;
    static constexpr size_t max_clients = 32;
    static constexpr nanoseconds idle = seconds{10};

    /// Listens on `path` with mode 0600; throws std::system_error naming it.
    ControlServer(net::Loop& loop, const std::filesystem::path& path, Fleet& fleet);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

  private:
    struct Client;
    void on_accept(std::unique_ptr<net::Stream> stream);
    void on_data(Client& client, ByteSpan bytes);

    Fleet& fleet_;
    std::list<Client> clients_;
    net::Listener listener_;
};

/// Where the socket is when nobody says: below XDG_RUNTIME_DIR, else in /run/fairway (root) or the folder of
/// temporary files.
[[nodiscard]] std::filesystem::path default_control_path();

/// Sends one line to the server at `path` and waits for the answer; blocks for at most `timeout`.
enum class ControlError : uint8_t { unreachable, timed_out };
[[nodiscard]] tl::expected<std::string, ControlError> ask_control(const std::filesystem::path& path,
                                                                  std::string_view line,
                                                                  milliseconds timeout);

}  // namespace fairway::ipsec
