// SPDX-License-Identifier: Apache-2.0
#pragma once
// The operators' commands for those who reach fairwayd through PowerDNS (`pdnsutil backend-cmd remote ...`):
// the very commands of `fairway`, which ask the API's routes here instead of over a socket. What they do,
// what they refuse and what they write is therefore the same. The audit trail names the actor "pdnsutil".
//
// Commands are written to wait for their answers, so they run on a thread of their own, one after the other;
// the routes run on the loop's thread as ever. The thread starts with the first command.

#include <functional>
#include <memory>
#include <string>

#include "pdns/backend.h"

namespace fairway {

class Control;

class OperatorCommands {
  public:
    /// Both must outlive it.
    OperatorCommands(net::Loop& loop, Control& control);
    /// Ends the command that runs; nobody hears of it any more.
    ~OperatorCommands();
    OperatorCommands(const OperatorCommands&) = delete;
    OperatorCommands& operator=(const OperatorCommands&) = delete;

    /// Loop's thread. `done` gets what the command wrote, errors included, on the loop's thread.
    void run(const pdns::OperatorCommand& command, std::function<void(std::string)> done);

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fairway
