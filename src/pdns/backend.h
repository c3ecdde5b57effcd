// SPDX-License-Identifier: Apache-2.0
#pragma once
// What all connectors share: it answers their calls, counts them, and complains about their peers. The
// connectors know how calls travel, the Responder knows what they mean. Lives on the loop's thread.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/published.h"
#include "dns/serving.h"
#include "net/timer.h"
#include "pdns/complaints.h"
#include "pdns/protocol.h"
#include "pdns/responder.h"

namespace fairway::pdns {

/// From where a call comes.
enum class Reach : uint8_t {
    local,   // over a socket file, which only its group may open
    network  // over TCP, which anybody who reaches it may use
};

/// Who may be told private keys and TSIG secrets.
enum class Secrets : uint8_t { local_only, everywhere };

/// An operator's words after `pdnsutil backend-cmd remote`, and who gave them.
struct OperatorCommand {
    std::string text;
    Reach reach = Reach::network;  // network: whoever it is may look but not change anything
};
/// Carries a command out and hands over its output, once, on the loop's thread; at once or later.
using RunCommand = std::function<void(const OperatorCommand&, std::function<void(std::string)> done)>;

/// All grow, but for `connections`.
struct ServerCounters {
    uint64_t connections = 0;  // open now; not those of the zeromq connector
    uint64_t accepted = 0;
    uint64_t calls = 0;    // well-formed, of any method
    uint64_t lookups = 0;  // PowerDNS makes several for one question
    uint64_t unable = 0;   // calls before the first probe round was done
    uint64_t refused = 0;  // calls that would change what is not theirs to change
    uint64_t junk = 0;     // connections or messages dropped for what they held
    uint64_t stalled = 0;  // connections dropped for what they did not send or read
    uint64_t turned_away = 0;
};

class Backend {
  public:
    /// `serving` must outlive it. An empty `run_command` answers every command with a refusal.
    Backend(net::Loop& loop, const Published<dns::Serving>& serving, Secrets secrets, RunCommand run_command);
    Backend(const Backend&) = delete;
    Backend& operator=(const Backend&) = delete;

    /// For the connectors: filled anew for each call, so that its memory is reused.
    Call call;

    /// Whether run() is for `call`, rather than answer().
    [[nodiscard]] bool is_command() const noexcept { return call.method == Method::direct_backend_cmd; }
    /// Appends the reply to `call` to `out`; `unable`: nothing, and nothing must be answered.
    Responder::Outcome answer(Reach reach, std::string& out);
    /// Carries out the command in `call`; `done` gets the reply, at once or later, or never when the loop
    /// ends first.
    void run(Reach reach, std::function<void(std::string_view reply)> done);

    /// Counts and logs what a peer sent that is no call.
    void junk(std::string_view what);
    /// Logs it, unless too much was logged lately.
    void complain(std::string_view text);

    ServerCounters counters;

  private:
    net::Loop& loop_;
    // Loaded anew for each call: a value that nobody asks for must not be kept alive by who asked last.
    const Published<dns::Serving>& serving_;
    const Secrets secrets_;
    RunCommand run_command_;
    Responder responder_;
    Complaints complaints_;
    net::Timer complaints_timer_;
};

}  // namespace fairway::pdns
