// SPDX-License-Identifier: Apache-2.0
#include "dns/signing_ahead.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>
#include <vector>

#include "dns/answer.h"
#include "dns/authority.h"
#include "dns/message.h"
#include "dns/signing.h"
#include "health/snapshot.h"
#include "steering/steering.h"

namespace fairway::dns {
namespace {

constexpr int background_niceness = 10;
// Steps through the address space at most, for one map and family.
constexpr size_t max_steps = 4'000'000;

/// The address after the prefix of `length` around `address`; nothing at the end of the space.
std::optional<IpAddress> after(const IpAddress& address, unsigned length) {
    const ByteSpan from = address.bytes();
    std::array<uint8_t, 16> bytes{};
    std::copy(from.begin(), from.end(), bytes.begin());
    if (length == 0) return std::nullopt;
    // Clear what is below the prefix, then add one at its last bit.
    for (size_t i = 0; i < from.size(); ++i) {
        const auto bit = static_cast<unsigned>(8 * i);
        if (bit >= length)
            bytes[i] = 0;
        else if (length - bit < 8)
            bytes[i] = static_cast<uint8_t>(bytes[i] & ~(0xffU >> (length - bit)));
    }
    size_t at = (length - 1) / 8;
    unsigned carry = 0x80U >> ((length - 1) % 8);
    for (;; --at) {
        const unsigned sum = bytes[at] + carry;
        bytes[at] = static_cast<uint8_t>(sum);
        if (sum < 0x100) break;
        if (at == 0) return std::nullopt;
        carry = 1;
    }
    if (!address.is_v4()) return IpAddress::v6(bytes);
    return IpAddress::v4(std::array<uint8_t, 4>{bytes[0], bytes[1], bytes[2], bytes[3]});
}

std::vector<uint8_t> query(ByteSpan name, RecordType type) {
    std::vector<uint8_t> message(header_size + name.size() + 4 + 11);
    Writer writer(message);
    writer.u16(0);
    writer.u16(0);
    writer.u16(1);
    writer.u16(0);
    writer.u16(0);
    writer.u16(1);
    writer.bytes(name);
    writer.u16(static_cast<uint16_t>(type));
    writer.u16(static_cast<uint16_t>(RecordClass::in));
    writer.u8(0);
    writer.u16(static_cast<uint16_t>(RecordType::opt));
    writer.u16(4096);
    writer.u32(0x8000);  // DO
    writer.u16(0);
    return message;
}

}  // namespace

/// What is left to do, and the means.
class SigningAhead::Work {
  public:
    explicit Work(SigningAhead& owner) : owner_(owner) {}

    void take(std::shared_ptr<const Serving> serving);
    /// Until all is done or something newer came.
    void run();

  private:
    [[nodiscard]] bool is_signed(uint32_t zone) const { return serving_->signing->zone(zone) != nullptr; }
    void ask(ByteSpan name, RecordType type, const IpAddress& client);
    void ask_statics();
    void ask_service(ServiceId service);
    const std::vector<IpAddress>& clients_of(size_t map);
    void walk(size_t map, IpAddress from, std::unordered_set<uint32_t>& seen,
              std::vector<IpAddress>& clients) const;
    [[nodiscard]] bool is_over() const {
        return questions_ >= max_questions || owner_.interrupted_.load(std::memory_order_relaxed) ||
               owner_.stop_.load(std::memory_order_relaxed);
    }

    SigningAhead& owner_;
    Answerer answerer_;
    std::vector<uint8_t> out_ = std::vector<uint8_t>(Answerer::max_tcp_answer);
    Selection selection_;

    std::shared_ptr<const Serving> serving_;
    bool statics_ = false;
    std::set<size_t> services_;
    std::map<size_t, std::vector<IpAddress>> clients_;  // one for each class of a map
    size_t questions_ = 0;                              // for this Serving
};

void SigningAhead::Work::take(std::shared_ptr<const Serving> serving) {
    const std::shared_ptr<const Serving> before = std::exchange(serving_, std::move(serving));
    questions_ = 0;
    const Model& model = serving_->authority->model();
    if (!before || before->steering != serving_->steering) clients_.clear();
    const bool same_names =
        before && before->authority == serving_->authority && before->signing == serving_->signing;
    if (!same_names) {
        statics_ = true;
        services_.clear();
    }
    const bool all = !same_names || before->steering != serving_->steering;
    for (const Service& service : model.services) {
        bool touched = all;
        // A service may answer with what another one has; whoever falls back to somewhere is asked for again.
        if (!touched && before->health != serving_->health) touched = service.fallback_service.valid();
        for (size_t i = 0; !touched && i < service.gateways.size(); ++i)
            for (const EndpointId id : model[service.gateways[i]].endpoints) {
                const EndpointStatus& then = (*before->health)[id];
                const EndpointStatus& now = (*serving_->health)[id];
                // A TTL that changes needs no other signature.
                touched = touched || then.serving != now.serving || then.withheld != now.withheld ||
                          then.address != now.address || then.effective != now.effective ||
                          then.rtt != now.rtt;
            }
        if (touched) services_.insert(service.id.index());
    }
}

void SigningAhead::Work::run() {
    if (serving_->signing == nullptr || !serving_->health->first_round_done) return;
    // Steered names first: they change while somebody waits.
    while (!services_.empty() && !is_over()) {
        const size_t service = *services_.begin();
        ask_service(ServiceId(service));
        if (is_over()) return;
        services_.erase(service);
    }
    if (!statics_ || is_over()) return;
    ask_statics();
    if (!is_over()) statics_ = false;
}

void SigningAhead::Work::ask(ByteSpan name, RecordType type, const IpAddress& client) {
    const std::vector<uint8_t> message = query(name, type);
    Request request;
    request.message = message;
    request.source = client;
    request.transport = Transport::tcp;  // whole answers
    (void)answerer_.answer(*serving_, request, out_);
    ++questions_;
    owner_.asked_.fetch_add(1, std::memory_order_relaxed);
}

void SigningAhead::Work::ask_statics() {
    const Authority& authority = *serving_->authority;
    const ZoneTable& table = authority.table();
    const IpAddress anybody = IpAddress::v4(0);
    for (uint32_t zone = 0; zone < authority.zones().size(); ++zone) {
        if (!is_signed(zone)) continue;
        const ServedZone& served = authority.zones()[zone];
        for (const ApexSet& set : serving_->signing->zone(zone)->apex_sets)
            ask(served.apex.wire(), set.type, anybody);
        for (uint32_t index = served.first_node; index < served.last_node && !is_over(); ++index) {
            const Node& node = table.node(index);
            if (node.service.valid() || node.debug_of.valid()) continue;
            for (const StaticSet& set : table.sets(node)) ask(table.name(node), set.type, anybody);
            // What is asked for most, whether it is there or not.
            for (const RecordType type : {RecordType::a, RecordType::aaaa, RecordType::https})
                if (table.find_set(node, type) == nullptr) ask(table.name(node), type, anybody);
        }
    }
}

void SigningAhead::Work::ask_service(ServiceId service) {
    const Authority& authority = *serving_->authority;
    const Node& node = authority.table().node(authority.steered(service).node);
    if (!is_signed(node.zone)) return;
    const ByteSpan name = authority.table().name(node);
    // Names below a wildcard are as many as clients like to make up.
    if (name.size() > 2 && name[0] == 1 && name[1] == '*') return;
    const IpAddress anybody = IpAddress::v4(0);
    ask(name, RecordType::https, anybody);
    for (const StaticSet& set : authority.table().sets(node)) ask(name, set.type, anybody);
    // On whom it depends shows in what it answers to anyone.
    serving_->steering->select(service, *serving_->health, {anybody, std::nullopt}, selection_);
    const auto ask_for = [&](const IpAddress& client) {
        ask(name, RecordType::a, client);
        ask(name, RecordType::aaaa, client);
    };
    ask_for(anybody);
    const uint8_t maps = selection_.depends.maps;
    for (size_t map = 0; map < 8; ++map) {
        if ((maps >> map & 1) == 0) continue;
        for (const IpAddress& client : clients_of(map)) {
            if (is_over()) return;
            ask_for(client);
        }
    }
}

const std::vector<IpAddress>& SigningAhead::Work::clients_of(size_t map) {
    const auto [found, fresh] = clients_.try_emplace(map);
    if (fresh) {
        std::unordered_set<uint32_t> seen;
        walk(map, IpAddress::v4(0), seen, found->second);
        walk(map, *IpAddress::parse("2000::"), seen, found->second);
    }
    return found->second;
}

/// One client of each class: from one end of the address space to the other in steps as wide as classes hold.
void SigningAhead::Work::walk(size_t map, IpAddress from, std::unordered_set<uint32_t>& seen,
                              std::vector<IpAddress>& clients) const {
    for (size_t step = 0; step < max_steps && !owner_.stop_.load(std::memory_order_relaxed); ++step) {
        const ClassHit hit = serving_->steering->class_of(map, from);
        if (seen.insert(hit.value).second) clients.push_back(from);
        const auto next = after(from, hit.scope);
        if (!next) break;
        from = *next;
    }
}

SigningAhead::SigningAhead() : thread_([this] { run(); }) {}

SigningAhead::~SigningAhead() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void SigningAhead::offer(std::shared_ptr<const Serving> serving) {
    {
        const std::lock_guard lock(mutex_);
        offered_ = std::move(serving);
        interrupted_.store(true, std::memory_order_relaxed);
    }
    wake_.notify_all();
}

void SigningAhead::wait_until_idle() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return offered_ == nullptr && !busy_; });
}

void SigningAhead::run() {
    // Answers come first, this when there is time for it. On Linux a thread has a niceness of its own.
    (void)::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), background_niceness);
    std::optional<Work> work;  // and its memory, only where something is signed
    std::unique_lock lock(mutex_);
    for (;;) {
        busy_ = false;
        if (offered_ == nullptr) idle_.notify_all();
        wake_.wait(lock, [this] { return stop_ || offered_ != nullptr; });
        if (stop_) return;
        busy_ = true;
        auto serving = std::exchange(offered_, nullptr);
        interrupted_.store(false, std::memory_order_relaxed);
        lock.unlock();
        if (serving->signing == nullptr) {
            serving.reset();
            work.reset();
        } else {
            if (!work) work.emplace(*this);
            work->take(std::move(serving));
            work->run();
        }
        lock.lock();
    }
}

}  // namespace fairway::dns
