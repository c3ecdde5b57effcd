// SPDX-License-Identifier: Apache-2.0
#include "zone_changes.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <system_error>

#include "base/text.h"
#include "dns/transfer.h"
#include "net/loop.h"

namespace fairway {
namespace {

constexpr std::string_view label = "_acme-challenge.";

uint64_t unix_seconds(WallTime time) {
    return static_cast<uint64_t>(std::chrono::duration_cast<seconds>(time.time_since_epoch()).count());
}

template <class T>
StoreResult<T> refuse(StoreError::Kind kind, const std::string& why) {
    return tl::unexpected(StoreError{kind, why, 0});
}

/// "_acme-challenge.NAME" of NAME, "*.NAME" or itself.
Result<dns::Name> challenge_name(const std::string& text) {
    std::string_view rest = text;
    if (rest.starts_with(label)) rest.remove_prefix(label.size());
    if (rest.starts_with("*.")) rest.remove_prefix(2);
    auto name = dns::Name::parse(rest);
    if (!name) return name;
    name = name->child(label.substr(0, label.size() - 1));
    return name ? Result<dns::Name>(name->lowered()) : name;
}

/// Base64url is what RFC 8555 has there; a little more does no harm.
bool is_value(std::string_view value) {
    return !value.empty() && value.size() <= 255 && std::all_of(value.begin(), value.end(), [](char c) {
        return c > 0x20 && c < 0x7f && c != '"' && c != '\\';
    });
}

}  // namespace

ZoneChanges::ZoneChanges(net::Loop& loop, Store& store, Hooks hooks)
    : loop_(loop),
      store_(store),
      hooks_(std::move(hooks)),
      memory_(store.zones()),
      notifier_({[this](ByteSpan bytes, const SocketAddress& to) { send(bytes, to); },
                 [this](const dns::Notifier::Outcome& outcome) {
                     const std::string who = "secondary " + outcome.to.to_string();
                     if (outcome.accepted)
                         hooks_.tell(Severity::info, outcome.zone.to_text(),
                                     who + " has been told of serial " + std::to_string(outcome.serial));
                     else
                         hooks_.tell(Severity::warning, outcome.zone.to_text(),
                                     who + " could not be told of serial " + std::to_string(outcome.serial) +
                                         ": " + outcome.why);
                 }},
                static_cast<uint64_t>(loop.now().time_since_epoch().count())),
      timer_(loop, [this] {
          notifier_.advance(loop_.now(), unix_seconds(hooks_.now()));
          arm();
      }) {}

ZoneChanges::~ZoneChanges() = default;

RememberedSerial* ZoneChanges::remembered(const std::string& zone) {
    const auto found = std::find_if(memory_.serials.begin(), memory_.serials.end(),
                                    [&zone](const RememberedSerial& item) { return item.zone == zone; });
    return found == memory_.serials.end() ? nullptr : &*found;
}

// A file's serial is taken where it is later than what was served; one made here is the time of the reload,
// which is only good for content that is new.
uint32_t ZoneChanges::next_serial(const dns::ServedZone& zone, uint64_t content) {
    const RememberedSerial* last = remembered(zone.name);
    if (last == nullptr) return zone.serial;
    const bool same = last->content == content;
    if (same && zone.soa_is_made) return last->serial;
    if (dns::is_later(zone.serial, last->serial)) return zone.serial;
    if (same) return last->serial;
    if (!zone.soa_is_made)
        hooks_.tell(Severity::warning, zone.name,
                    "the content has changed, but the file's serial " + std::to_string(zone.serial) +
                        " is not later than " + std::to_string(last->serial) + ", which was served: now " +
                        std::to_string(last->serial + 1) + " is");
    return last->serial + 1;
}

void ZoneChanges::adopt(std::shared_ptr<const dns::Authority> authority,
                        std::shared_ptr<const dns::AnswerSettings> settings) {
    authority_ = std::move(authority);
    settings_ = std::move(settings);
    std::vector<const dns::ServedZone*> changed;
    for (const dns::ServedZone& zone : authority_->zones()) {
        const uint64_t content = dns::content_hash(*authority_, zone);
        const uint32_t serial = next_serial(zone, content);
        RememberedSerial* last = remembered(zone.name);
        if (last == nullptr) {
            memory_.serials.push_back({zone.name, serial, content});
            changed.push_back(&zone);
            continue;
        }
        if (last->serial != serial) changed.push_back(&zone);
        last->serial = serial;
        last->content = content;
    }
    rebuild();
    for (const dns::ServedZone* zone : changed) notify(*zone);
    arm();
}

void ZoneChanges::start() {
    started_ = true;
    for (const dns::ServedZone& zone : authority_->zones()) notify(zone);
    arm();
}

void ZoneChanges::rebuild() {
    std::vector<uint32_t> serials;
    for (const dns::ServedZone& zone : authority_->zones()) serials.push_back(remembered(zone.name)->serial);
    std::vector<dns::ZoneOverlay::Challenge> challenges;
    for (const Challenge& item : memory_.challenges) {
        const auto name = dns::Name::parse(item.name);
        if (!name) continue;
        const auto at = std::find_if(challenges.begin(), challenges.end(),
                                     [&](const auto& other) { return other.name == *name; });
        if (at == challenges.end())
            challenges.push_back({*name, {item.value}});
        else
            at->values.push_back(item.value);
    }
    overlay_ = std::make_shared<const dns::ZoneOverlay>(*authority_, serials, challenges);
    if (memory_ != store_.zones()) store_.remember_zones(memory_);
}

void ZoneChanges::bump(const std::string& name) {
    if (RememberedSerial* last = remembered(name)) ++last->serial;
    rebuild();
    hooks_.changed();
    for (const dns::ServedZone& zone : authority_->zones())
        if (zone.name == name) notify(zone);
    arm();
}

void ZoneChanges::notify(const dns::ServedZone& zone) {
    if (!started_) return;
    const size_t index = dns::index_of(*authority_, zone);
    for (const NotifyTarget& target : authority_->model().zones[index].transfer.notify) {
        dns::Notifier::Task task;
        task.zone = zone.apex;
        const ByteSpan soa = overlay_->soa_data(index);
        task.soa_data.assign(soa.begin(), soa.end());
        task.soa_ttl = zone.soa_ttl;
        task.serial = overlay_->serial(index);
        task.to = target.address;
        if (const auto name = dns::Name::parse(target.key); name && !target.key.empty())
            if (const dns::TsigKey* key = dns::find_key(settings_->keys, *name)) task.key = *key;
        notifier_.add(std::move(task), loop_.now());
    }
}

void ZoneChanges::arm() {
    const auto deadline = notifier_.deadline();
    if (deadline) {
        timer_.start_at(*deadline);
        return;
    }
    timer_.stop();
    socket_v4_.reset();
    socket_v6_.reset();
}

void ZoneChanges::send(ByteSpan bytes, const SocketAddress& to) {
    std::unique_ptr<net::UdpSocket>& socket = to.address.is_v4() ? socket_v4_ : socket_v6_;
    if (socket == nullptr) {
        const SocketAddress any{to.address.is_v4() ? IpAddress::v4(0) : IpAddress::v6({}), 0};
        try {
            socket = std::make_unique<net::UdpSocket>(
                loop_, any, [this](ByteSpan answer, const SocketAddress& from) {
                    notifier_.receive(answer, from, unix_seconds(hooks_.now()));
                    arm();
                });
        } catch (const std::system_error&) {
            // A host without the address family: the attempts run out and say that there was no answer.
            return;
        }
    }
    socket->send(bytes, to);
}

StoreResult<Challenge> ZoneChanges::set(const std::string& name, const std::string& value, WallTime until,
                                        const std::string& actor) {
    using Kind = StoreError::Kind;
    const auto full = challenge_name(name);
    if (!full) return refuse<Challenge>(Kind::conflict, full.error().message);
    if (!is_value(value))
        return refuse<Challenge>(Kind::conflict,
                                 "a value has 1 to 255 printable characters, no blank, quote or backslash");
    const dns::ServedZone* zone = authority_->find_zone(*full);
    const std::string text = full->to_text();
    if (zone == nullptr) return refuse<Challenge>(Kind::not_found, text + " lies in none of the zones");
    const dns::ZoneTable& table = authority_->table();
    bool exact = false;
    const dns::Node& node = table.node(table.find_encloser(full->wire(), full->labels(), exact));
    if (node.cut != dns::no_index)
        return refuse<Challenge>(Kind::conflict, text + " is delegated to other servers");
    if (exact && (table.find_set(node, dns::RecordType::cname) != nullptr || node.service.valid() ||
                  node.debug_of.valid()))
        return refuse<Challenge>(Kind::conflict, text + " has a record that no TXT may stand beside");
    // The names between would exist then, and the wildcard would answer for them no longer.
    if (!exact && node.wildcard != dns::no_index && full->labels() > node.labels + 1U)
        return refuse<Challenge>(Kind::conflict,
                                 "the challenge would take " + full->parent().to_text() +
                                     " away from the wildcard that answers for it: add a record there first, "
                                     "or ask for a certificate of the wildcard");

    auto& all = memory_.challenges;
    Challenge item{zone->name, text, value, until, actor};
    const auto same = std::find_if(all.begin(), all.end(), [&](const Challenge& other) {
        return other.name == item.name && other.value == item.value;
    });
    if (same != all.end()) {
        *same = item;
        rebuild();
        return item;
    }
    const auto at_name = std::count_if(all.begin(), all.end(),
                                       [&](const Challenge& other) { return other.name == item.name; });
    if (all.size() >= max_challenges || static_cast<size_t>(at_name) >= max_values)
        return refuse<Challenge>(Kind::conflict, "there are too many challenges; clear some first");
    const auto place = std::find_if(all.begin(), all.end(), [&](const Challenge& other) {
        return std::tie(other.name, other.value) > std::tie(item.name, item.value);
    });
    all.insert(place, item);
    bump(item.zone);
    return item;
}

StoreResult<std::vector<Challenge>> ZoneChanges::clear(const std::string& name, const std::string& value) {
    using Kind = StoreError::Kind;
    using Values = std::vector<Challenge>;
    const auto full = challenge_name(name);
    if (!full) return refuse<Values>(Kind::conflict, full.error().message);
    const std::string text = full->to_text();
    Values gone;
    std::erase_if(memory_.challenges, [&](const Challenge& item) {
        const bool hit = item.name == text && (value.empty() || item.value == value);
        if (hit) gone.push_back(item);
        return hit;
    });
    if (gone.empty()) return refuse<Values>(Kind::not_found, "there is no such challenge at " + text);
    bump(gone.front().zone);
    return gone;
}

void ZoneChanges::expire() {
    const WallTime now = hooks_.now();
    std::set<std::string> zones;
    std::erase_if(memory_.challenges, [&](const Challenge& item) {
        if (item.until > now) return false;
        zones.insert(item.zone);
        return true;
    });
    for (const std::string& zone : zones) bump(zone);
}

}  // namespace fairway
