// SPDX-License-Identifier: Apache-2.0
#include "zone_signer.h"

#include <algorithm>
#include <utility>

namespace fairway {
namespace {

constexpr int64_t retry_after = 60;
constexpr int64_t clock_slack = 60;  // a clock that goes back by more has been set

int64_t unix_seconds(WallTime time) {
    return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count();
}

}  // namespace

ZoneSigner::ZoneSigner(Background& background, std::filesystem::path folder, Handlers handlers)
    : background_(background), folder_(std::move(folder)), handlers_(std::move(handlers)) {}

void ZoneSigner::start(dns::ZoneKeyrings keyrings, std::shared_ptr<const dns::Authority> authority,
                       WallTime now) {
    keyrings_ = std::move(keyrings);
    authority_ = std::move(authority);
    const int64_t at = unix_seconds(now);
    for (auto& [name, keyring] : keyrings_) {
        std::vector<std::string> notes;
        if (keyring.trouble.empty()) {
            auto update = dns::bring_up_to_date(folder_, keyring, at);
            if (update) {
                keyring = std::move(update->keyring);
                notes = std::move(update->notes);
            } else if (keyring.keys.empty()) {
                keyring.trouble = update.error().message;
            } else {
                notes.push_back("its keys cannot be written: " + update.error().message);
            }
        }
        untold_.emplace_back([this, zone = name, notes, trouble = keyring.trouble] {
            tell_notes(zone, notes, {});
            if (!trouble.empty()) tell_trouble(zone, trouble);
        });
    }
    refresh(at);
}

void ZoneSigner::adopt(dns::ZoneKeyrings keyrings, std::shared_ptr<const dns::Authority> authority,
                       WallTime now) {
    for (const auto& [name, keyring] : keyrings_) {
        if (keyrings.contains(name) || authority->zone_at(keyring.apex) == nullptr) continue;
        bool seen = false;
        for (const dns::KeyInfo& info : keyring.infos) seen = seen || info.times.ds_seen.has_value();
        handlers_.tell(
            seen ? Severity::critical : Severity::warning, name,
            std::string("the zone is no longer signed") +
                (seen ? ", but its parent has a DS: validating resolvers refuse it until that is gone" : ""),
            {});
    }
    keyrings_ = std::move(keyrings);
    authority_ = std::move(authority);
    const int64_t at = unix_seconds(now);
    next_retry_ = 0;
    refresh(at);
    do_due_work(at);
}

void ZoneSigner::refresh(int64_t now) {
    signing_ = dns::make_signing(*authority_, keyrings_, caches_, now);
    next_ = dns::next_signing_event(keyrings_, now);
}

void ZoneSigner::tick(WallTime wall) {
    const int64_t now = unix_seconds(wall);
    for (const auto& told : std::exchange(untold_, {})) told();
    if (keyrings_.empty()) return;
    if (now >= next_ || now + clock_slack < signing_->now) {
        refresh(now);
        handlers_.changed();
        do_due_work(now);
    } else if (next_retry_ != 0 && now >= next_retry_) {
        do_due_work(now);
    }
}

void ZoneSigner::do_due_work(int64_t now) {
    if (working_) return;
    next_retry_ = 0;
    for (const auto& [name, keyring] : keyrings_) {
        if (!dns::has_due_work(keyring, now)) continue;
        working_ = true;
        next_retry_ = now + retry_after;
        change(
            name, WallTime(seconds(now)), {},
            [](const dns::ZoneKeyring& current, int64_t at) -> Result<dns::KeyChange> {
                return dns::plan_keys(current.infos, current.policy, at);
            },
            [this, zone = name, now](Result<std::vector<std::string>> done) {
                working_ = false;
                if (done) return do_due_work(now);
                handlers_.tell(Severity::critical, zone,
                               "its keys cannot be changed: " + done.error().message, {});
            });
        return;
    }
    const bool troubled = std::any_of(keyrings_.begin(), keyrings_.end(),
                                      [](const auto& entry) { return !entry.second.trouble.empty(); });
    if (!troubled) return;
    next_retry_ = now + retry_after;
    read_again(now);
}

/// Keys that could not be used may have been mended.
void ZoneSigner::read_again(int64_t now) {
    working_ = true;
    background_.enqueue([this, now]() -> Background::Work {
        return [this, now, folder = folder_, authority = authority_]() -> std::function<void()> {
            auto read = std::make_shared<dns::ZoneKeyrings>(dns::load_keyrings(folder, *authority));
            return [this, now, read] {
                working_ = false;
                bool better = false;
                for (auto& [name, keyring] : keyrings_) {
                    const auto found = read->find(name);
                    if (keyring.trouble.empty() || found == read->end()) continue;
                    if (found->second.trouble.empty()) {
                        better = true;
                        handlers_.tell(Severity::info, name, "its keys can be used again", {});
                    } else if (found->second.trouble != keyring.trouble) {
                        tell_trouble(name, found->second.trouble);
                    }
                    keyring = std::move(found->second);
                }
                if (!better) return;
                refresh(now);
                handlers_.changed();
                do_due_work(now);
            };
        };
    });
}

void ZoneSigner::change(const std::string& zone, WallTime now, const std::string& actor, Plan plan,
                        Done done) {
    background_.enqueue([this, zone, at = unix_seconds(now), actor, plan = std::move(plan),
                         done = std::move(done)]() -> Background::Work {
        const auto found = keyrings_.find(zone);
        Result<dns::KeyChange> planned = fail("the zone \"" + zone + "\" is not signed");
        dns::ZoneKeyring current;
        if (found != keyrings_.end()) {
            current = found->second;
            planned =
                current.trouble.empty() ? plan(current, at) : Result<dns::KeyChange>(fail(current.trouble));
        }
        return [this, zone, at, actor, done, planned, current, folder = folder_]() -> std::function<void()> {
            if (!planned) return [done, planned] { done(tl::unexpected(planned.error())); };
            auto update =
                std::make_shared<Result<dns::KeyringUpdate>>(dns::carry_out(folder, current, *planned));
            if (*update) {
                // Whatever that leads to at once; if it fails, the next tick tries again.
                if (auto more = dns::bring_up_to_date(folder, (*update)->keyring, at)) {
                    (*update)->keyring = std::move(more->keyring);
                    (*update)->notes.insert((*update)->notes.end(), more->notes.begin(), more->notes.end());
                }
            }
            return [this, zone, at, actor, done, update] {
                if (!*update) return done(tl::unexpected(update->error()));
                keyrings_[zone] = std::move((*update)->keyring);
                refresh(at);
                handlers_.changed();
                tell_notes(zone, (*update)->notes, actor);
                done((*update)->notes);
            };
        };
    });
}

void ZoneSigner::tell_notes(const std::string& zone, const std::vector<std::string>& notes,
                            const std::string& actor) {
    for (const std::string& note : notes) handlers_.tell(Severity::info, zone, note, actor);
}

void ZoneSigner::tell_trouble(const std::string& zone, const std::string& trouble) {
    handlers_.tell(Severity::critical, zone,
                   "its keys cannot be used, and who asks for signatures gets SERVFAIL: " + trouble, {});
}

}  // namespace fairway
