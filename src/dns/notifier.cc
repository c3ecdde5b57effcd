// SPDX-License-Identifier: Apache-2.0
#include "dns/notifier.h"

#include <algorithm>
#include <array>

#include "dns/notify_message.h"

namespace fairway::dns {

void Notifier::add(Task task, MonotonicTime now) {
    Key key{task.zone, task.to};
    Running running;
    running.task = std::move(task);
    running.due = now;
    tasks_.insert_or_assign(std::move(key), std::move(running));
}

void Notifier::advance(MonotonicTime now, uint64_t unix_seconds) {
    size_t sent = 0;
    for (auto at = tasks_.begin(); at != tasks_.end() && sent < burst;) {
        const auto here = at++;
        if (here->second.due > now) continue;
        if (here->second.sent == attempts) {
            finish(here, false, here->second.trouble.empty() ? "no answer" : here->second.trouble);
            continue;
        }
        attempt(here->second, now, unix_seconds);
        ++sent;
    }
}

void Notifier::attempt(Running& running, MonotonicTime now, uint64_t unix_seconds) {
    const Task& task = running.task;
    running.id = static_cast<uint16_t>(random_.next());
    std::vector<uint8_t> message(max_notify);
    size_t size = write_notify(message, running.id, task.zone, task.soa_data, task.soa_ttl);
    if (task.key && size > 0) {
        TsigSigner signer(*task.key);
        message.resize(size + signer.room());
        size = signer.sign(message, size, unix_seconds);
        running.mac.assign(signer.mac().begin(), signer.mac().end());
    }
    const double spread = 0.8 + 0.4 * random_.fraction();
    const auto wait = static_cast<double>((first_wait * (1U << running.sent)).count()) * spread;
    running.due = now + nanoseconds(static_cast<int64_t>(wait));
    ++running.sent;
    if (size > 0) hooks_.send(ByteSpan(message).first(size), task.to);
}

void Notifier::receive(ByteSpan message, const SocketAddress& from, uint64_t unix_seconds) {
    for (auto at = tasks_.begin(); at != tasks_.end(); ++at) {
        Running& running = at->second;
        if (running.task.to != from || running.sent == 0) continue;
        const auto rcode = read_notify_answer(message, running.id, running.task.zone);
        if (!rcode) continue;
        if (running.task.key) {
            const auto found = find_tsig(message);
            const auto record = found && *found != 0 ? read_tsig(message, *found) : std::nullopt;
            const TsigError error =
                record ? check_response(message, *record, *running.task.key, running.mac, unix_seconds)
                       : TsigError::badsig;
            if (error != TsigError::none) {
                // Anybody can write that: it is remembered as a reason, and the next attempt may do better.
                running.trouble = "its answer, " + to_string(*rcode) + ", is not signed as it must be";
                return;
            }
        }
        if (*rcode == Rcode::noerror)
            finish(at, true, {});
        else
            running.trouble = "it answered " + to_string(*rcode);
        return;
    }
}

void Notifier::finish(std::map<Key, Running>::iterator at, bool accepted, std::string why) {
    const Task& task = at->second.task;
    const Outcome outcome{task.zone, task.to, task.serial, accepted, std::move(why)};
    tasks_.erase(at);
    hooks_.finished(outcome);
}

std::optional<MonotonicTime> Notifier::deadline() const {
    std::optional<MonotonicTime> first;
    for (const auto& [key, running] : tasks_)
        if (!first || running.due < *first) first = running.due;
    return first;
}

}  // namespace fairway::dns
