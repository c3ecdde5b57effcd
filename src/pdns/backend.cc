// SPDX-License-Identifier: Apache-2.0
#include "pdns/backend.h"

#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "net/loop.h"
#include "pdns/reply.h"

namespace fairway::pdns {
namespace {

/// PowerDNS reads a reply in small pieces and parses all of it again after each.
constexpr size_t max_output = 65536;

bool is_write(Method method) {
    return method == Method::write_content || method == Method::write_metadata ||
           method == Method::write_keys || method == Method::write_tsig;
}

std::string reply_of(std::string output) {
    if (output.size() > max_output) {
        output.resize(max_output);
        output += "\n... (the rest is cut off: ask for less, or use the command line `fairway`)\n";
    }
    std::string reply;
    append_text_result(reply, output);
    return reply;
}

}  // namespace

Backend::Backend(net::Loop& loop, const Published<dns::Serving>& serving, Secrets secrets,
                 RunCommand run_command)
    : loop_(loop),
      serving_(serving),
      secrets_(secrets),
      run_command_(std::move(run_command)),
      complaints_timer_(loop, [this] { complaints_.flush(loop_.now()); }) {
    complaints_timer_.let_loop_end();
}

Responder::Outcome Backend::answer(Reach reach, std::string& out) {
    ++counters.calls;
    if (call.method == Method::lookup) ++counters.lookups;
    if (call.method == Method::unknown)
        log::debug("pdns: method " + escape_text(call.method_name, 64) + " is not served: answered false");
    if (is_write(call.method)) {
        ++counters.refused;
        complain("pdns: " + escape_text(call.method_name, 64) + " of \"" + escape_text(call.name, 255) +
                 "\" refused: PowerDNS may not change what Fairway's configuration says");
    }
    const Audience audience =
        reach == Reach::local || secrets_ == Secrets::everywhere ? Audience::trusted : Audience::anybody;
    const Responder::Outcome outcome = responder_.respond(*serving_.load(), call, out, audience);
    if (outcome == Responder::Outcome::unable) ++counters.unable;
    return outcome;
}

void Backend::run(Reach reach, std::function<void(std::string_view reply)> done) {
    ++counters.calls;
    if (!run_command_) return done(reply_of("fairway: commands are not taken here\n"));
    run_command_({call.text, reach},
                 [done = std::move(done)](std::string output) { done(reply_of(std::move(output))); });
}

void Backend::junk(std::string_view what) {
    ++counters.junk;
    complain("pdns: " + std::string(what));
}

void Backend::complain(std::string_view text) {
    complaints_.warn(loop_.now(), text);
    if (complaints_.pending() && !complaints_timer_.armed()) complaints_timer_.start(Complaints::period);
}

}  // namespace fairway::pdns
