// SPDX-License-Identifier: Apache-2.0
#include "probes/prober.h"
#include "probes/monitor_files.h"

#include <algorithm>
#include <cassert>
#include <deque>
#include <unordered_map>
#include <utility>

#include "base/duration.h"
#include "base/random.h"
#include "base/text.h"
#include "net/loop.h"
#include "net/timer.h"
#include "net/tls.h"
#include "probes/datagram_driver.h"
#include "probes/echo_driver.h"
#include "probes/ike_budget.h"
#include "probes/name_watch.h"
#include "probes/registry.h"
#include "probes/scheduler.h"
#include "probes/stream_driver.h"

namespace fairway {

namespace {

/// Attempts started before the sockets get their turn again.
constexpr int starts_per_turn = 256;
constexpr nanoseconds late_start = milliseconds{50};
/// A set of new checks starts at this rate, or within half an interval and a bit if that is faster.
constexpr int64_t first_round_rate = 500;
constexpr nanoseconds shortest_first_round = milliseconds{100};

constexpr uint32_t none = UINT32_MAX;

/// Settings that make one check of a target the same as another.
bool same_check(const Monitor& a, const Monitor& b) {
    return a.interval == b.interval && a.timeout == b.timeout && a.recheck == b.recheck && a.port == b.port &&
           a.probe == b.probe;
}

}  // namespace

class Prober::Impl final : private AttemptSink {
  public:
    Impl(net::Loop& loop, net::Resolver& resolver, const Options& options, Handlers handlers)
        : loop_(loop),
          handlers_(std::move(handlers)),
          random_(options.seed),
          scheduler_(
              {.rate = options.rate, .rate_per_group = options.rate_per_gateway, .seed = mix(options.seed)}),
          names_(loop, resolver, {}, mix(options.seed + 1), [this](NameWatch::NameId id) { on_name(id); }),
          streams_(loop, *this),
          datagrams_(loop, *this),
          echoes_(loop, *this),
          timer_(loop, [this] { tick(); }) {}

    ~Impl() {
        for (uint32_t id = 0; id < jobs_.size(); ++id)
            if (jobs_[id].phase != Phase::free) drop_attempt(id);
    }

    void configure(std::shared_ptr<const Model> model);
    void set_rates(uint32_t rate, uint32_t rate_per_gateway) {
        scheduler_.set_rates(rate, rate_per_gateway);
        wake_at(loop_.now());
    }
    bool probe_now(EndpointId endpoint, MonitorId monitor, std::function<void(ProbeReport)> callback);
    ProberStats stats() const;

  private:
    using JobId = Scheduler::JobId;

    /// A monitor's settings, once for all checks with equal ones.
    struct Spec {
        Monitor monitor;
        Result<CompiledProbe> compiled;
        std::vector<uint16_t> ports;  // of a datagram probe
        bool wanted = true;
        std::vector<FileStamp> files{};  // as they were when it was compiled
    };
    /// Where checks go: an address, or a name that is kept resolved.
    struct Host {
        std::string text;
        std::optional<IpAddress> literal;
        NameWatch::NameId name = none;
        bool wanted = true;
    };
    enum class Phase : uint8_t { free, idle, resolving, stream, datagram, echo };
    struct Job {
        uint32_t spec = none;
        uint32_t host = none;
        uint32_t first_subscriber = 0, subscribers = 0;  // a range of subscribers_
        uint32_t attempt = none;                         // the driver's
        Phase phase = Phase::free;
        bool first_pending = true;  // has not completed once
        bool wanted = true;
        // One of them, by the kind of probe; neither when the settings could not be used.
        std::unique_ptr<StreamExchange> stream;
        std::unique_ptr<DatagramExchange> datagram;
    };
    struct Subscriber {
        EndpointId endpoint;
        uint32_t slot = 0;
    };
    /// Somebody who asked for "probe now".
    struct Watch {
        std::vector<std::function<void(ProbeReport)>> waiting;   // for the next attempt
        std::vector<std::function<void(ProbeReport)>> attached;  // to the one in flight
        ProbeTrace trace;
    };

    static uint64_t key_of(uint32_t spec, uint32_t host) { return uint64_t{spec} << 32 | host; }

    uint32_t spec_for(const Monitor& monitor, net::TlsContexts& tls);
    uint32_t host_for(const std::string& text);
    uint32_t group_for(const std::string& gateway);
    JobId add_job(uint32_t spec, uint32_t host, uint32_t group, nanoseconds first_within, MonotonicTime now);
    void remove_job(JobId id);
    void drop_attempt(JobId id);
    void forget_unwanted();

    void tick();
    void start(const Scheduler::Start& start);
    void connect(JobId id, const IpAddress& address, MonotonicTime started, MonotonicTime deadline);
    void expire_resolving(MonotonicTime now);
    void on_name(NameWatch::NameId id);
    void report_address(uint32_t host);
    void on_finished(uint32_t job, ProbeResult&& result) override;
    void complete(JobId id, ProbeResult&& result);
    void add_name_warning(const Host& host, ProbeResult& result) const;
    void finish_first_round(MonotonicTime now);
    void rearm();
    void wake_at(MonotonicTime when) override;
    ProbeTrace* trace_of(JobId id);

    net::Loop& loop_;
    Handlers handlers_;
    Random random_;
    Scheduler scheduler_;
    NameWatch names_;
    std::shared_ptr<const Model> model_;
    std::shared_ptr<IkeBudget> ike_budget_ = std::make_shared<IkeBudget>();

    std::deque<std::optional<Spec>> specs_;  // stable addresses: exchanges refer to what was compiled
    std::vector<uint32_t> free_specs_;
    std::deque<Host> hosts_;  // stable addresses: attempts refer to the text
    std::vector<uint32_t> free_hosts_;
    std::unordered_map<std::string, uint32_t> host_by_text_;
    std::unordered_map<NameWatch::NameId, uint32_t> host_by_name_;
    std::unordered_map<std::string, uint32_t> groups_;  // by gateway name: caps outlive a reload
    std::vector<Job> jobs_;                             // by the scheduler's id
    std::unordered_map<uint64_t, JobId> job_by_key_;
    std::vector<Subscriber> subscribers_;
    std::vector<JobId> endpoint_jobs_;       // by endpoint_offset_[endpoint] + monitor slot
    std::vector<uint32_t> endpoint_offset_;  // by EndpointId
    std::vector<std::pair<uint32_t, EndpointId>> named_endpoints_;  // sorted by host
    std::vector<uint32_t> report_hosts_;  // whose addresses are to be reported by the next tick
    std::unordered_map<JobId, std::unique_ptr<Watch>> watches_;
    std::vector<std::unique_ptr<Watch>> orphans_;  // of checks that are gone: told by the next tick

    TimeHeap resolving_;  // jobs that wait for a name, by their deadline
    size_t first_pending_ = 0;
    std::optional<MonotonicTime> first_round_deadline_;  // present until on_first_round
    ProberStats stats_;

    // Drivers after what their attempts refer to.
    StreamDriver streams_;
    DatagramDriver datagrams_;
    EchoDriver echoes_;
    net::Timer timer_;
    MonotonicTime armed_at_ = MonotonicTime::max();
};

// ---------------------------------------------------------------------------------------- configuration

uint32_t Prober::Impl::spec_for(const Monitor& monitor, net::TlsContexts& tls) {
    for (uint32_t i = 0; i < specs_.size(); ++i) {
        if (!specs_[i] || !same_check(specs_[i]->monitor, monitor)) continue;
        // The same settings but another certificate in the file: its checks start anew with that.
        if (!specs_[i]->wanted && specs_[i]->files != stamp_files(monitor)) continue;
        specs_[i]->wanted = true;
        return i;
    }
    if (free_specs_.empty()) {
        free_specs_.push_back(static_cast<uint32_t>(specs_.size()));
        specs_.emplace_back();
    }
    const uint32_t index = free_specs_.back();
    free_specs_.pop_back();
    Spec& spec = specs_[index].emplace(Spec{monitor, compile_probe(monitor, {tls, ike_budget_}), {}, true});
    spec.files = stamp_files(monitor);
    if (spec.compiled)
        if (const auto* probe = std::get_if<std::unique_ptr<DatagramProbe>>(&*spec.compiled))
            spec.ports = (*probe)->ports();
    return index;
}

uint32_t Prober::Impl::host_for(const std::string& text) {
    const auto literal = IpAddress::parse(text);
    const std::string normal = literal ? literal->to_string() : ascii_lower(text);
    const auto [found, fresh] = host_by_text_.try_emplace(normal, none);
    if (!fresh) {
        hosts_[found->second].wanted = true;
        return found->second;
    }
    if (free_hosts_.empty()) {
        free_hosts_.push_back(static_cast<uint32_t>(hosts_.size()));
        hosts_.emplace_back();
    }
    const uint32_t index = found->second = free_hosts_.back();
    free_hosts_.pop_back();
    Host& host = hosts_[index];
    host.text = normal;
    host.wanted = true;
    if (literal) {
        host.literal = *literal;
    } else {
        host.name = names_.add(normal);
        host_by_name_[host.name] = index;
    }
    return index;
}

uint32_t Prober::Impl::group_for(const std::string& gateway) {
    return groups_.try_emplace(gateway, static_cast<uint32_t>(groups_.size())).first->second;
}

Prober::Impl::JobId Prober::Impl::add_job(uint32_t spec_index, uint32_t host_index, uint32_t group,
                                          nanoseconds first_within, MonotonicTime now) {
    const Spec& spec = *specs_[spec_index];
    const Host& host = hosts_[host_index];
    // The phase depends on what is checked and how, not on the order of the configuration.
    const uint64_t hash =
        mix(stable_hash(host.text) ^ mix(spec.monitor.port ^ mix(stable_hash(spec.monitor.name))));
    const JobId id = scheduler_.add({.interval = spec.monitor.interval,
                                     .recheck = spec.monitor.recheck,
                                     .group = group,
                                     .hash = hash,
                                     .first_within = first_within},
                                    now);
    if (id >= jobs_.size()) jobs_.resize(size_t{id} + 1);
    Job& job = jobs_[id];
    job = Job{};
    job.spec = spec_index;
    job.host = host_index;
    job.phase = Phase::idle;
    const ProbeTarget target{.host = host.text, .port = spec.monitor.port};
    if (!spec.compiled) return id;
    if (const auto* stream = std::get_if<std::unique_ptr<StreamProbe>>(&*spec.compiled))
        job.stream = (*stream)->make_exchange(target);
    if (const auto* datagram = std::get_if<std::unique_ptr<DatagramProbe>>(&*spec.compiled))
        job.datagram = (*datagram)->make_exchange(target);
    if (const auto* echo = std::get_if<std::unique_ptr<EchoProbe>>(&*spec.compiled))
        job.datagram = (*echo)->make_exchange(target);
    return id;
}

void Prober::Impl::drop_attempt(JobId id) {
    Job& job = jobs_[id];
    switch (job.phase) {
        case Phase::stream:
            streams_.cancel(job.attempt);
            break;
        case Phase::datagram:
            datagrams_.cancel(job.attempt);
            break;
        case Phase::echo:
            echoes_.cancel(job.attempt);
            break;
        case Phase::resolving:
            resolving_.remove(id);
            break;
        case Phase::free:
        case Phase::idle:
            break;
    }
    job.phase = Phase::idle;
    job.attempt = none;
}

void Prober::Impl::remove_job(JobId id) {
    drop_attempt(id);
    Job& job = jobs_[id];
    job_by_key_.erase(key_of(job.spec, job.host));
    if (job.first_pending) --first_pending_;
    scheduler_.remove(id);
    job = Job{};
}

void Prober::Impl::configure(std::shared_ptr<const Model> model) {
    const MonotonicTime now = loop_.now();
    for (auto& spec : specs_)
        if (spec) spec->wanted = false;
    for (Host& host : hosts_) host.wanted = false;
    for (Job& job : jobs_) job.wanted = false;

    // What is wanted: checks, and who wants them.
    struct Wish {
        uint32_t spec, host, group;
        Subscriber subscriber;
        JobId job = none;
    };
    std::vector<Wish> wishes;
    net::TlsContexts tls;
    std::vector<uint32_t> spec_of_monitor(model->monitors.size(), none);
    named_endpoints_.clear();
    for (const Endpoint& endpoint : model->endpoints) {
        const Gateway& gateway = (*model)[endpoint.gateway];
        const uint32_t group = group_for(gateway.name);
        const uint32_t own_host = host_for(endpoint.host);
        if (!hosts_[own_host].literal) named_endpoints_.emplace_back(own_host, endpoint.id);
        for (uint32_t slot = 0; slot < gateway.monitors.size(); ++slot) {
            const Monitor& monitor = (*model)[gateway.monitors[slot]];
            uint32_t& spec = spec_of_monitor[monitor.id.index()];
            if (spec == none) spec = spec_for(monitor, tls);
            wishes.push_back({spec,
                              monitor.address.empty() ? own_host : host_for(monitor.address),
                              group,
                              {endpoint.id, slot}});
        }
    }
    std::sort(named_endpoints_.begin(), named_endpoints_.end());

    // Keep what is there, count what is new to know how long its first round may take.
    int64_t fresh = 0;
    std::unordered_map<uint64_t, JobId> seen;
    for (const Wish& wish : wishes) {
        const auto found = job_by_key_.find(key_of(wish.spec, wish.host));
        if (found != job_by_key_.end()) {
            jobs_[found->second].wanted = true;
        } else if (seen.emplace(key_of(wish.spec, wish.host), none).second) {
            ++fresh;
        }
    }
    for (JobId id = 0; id < jobs_.size(); ++id)
        if (jobs_[id].phase != Phase::free && !jobs_[id].wanted) {
            if (const auto watch = watches_.extract(id)) orphans_.push_back(std::move(watch.mapped()));
            remove_job(id);
        }
    const nanoseconds pace =
        std::max(shortest_first_round, nanoseconds{seconds{1}} / first_round_rate * fresh);
    for (Wish& wish : wishes) {
        const auto [found, is_new] = job_by_key_.try_emplace(key_of(wish.spec, wish.host), none);
        if (is_new) {
            const nanoseconds within = std::min(pace, specs_[wish.spec]->monitor.interval * 11 / 20);
            found->second = add_job(wish.spec, wish.host, wish.group, within, now);
            ++first_pending_;
        }
        wish.job = found->second;
    }

    // Who is told what, as ranges of one array. The gateway that comes first pays for a shared check.
    std::stable_sort(wishes.begin(), wishes.end(),
                     [](const Wish& a, const Wish& b) { return a.job < b.job; });
    subscribers_.clear();
    subscribers_.reserve(wishes.size());
    endpoint_offset_.assign(model->endpoints.size(), 0);
    uint32_t offset = 0;
    for (const Endpoint& endpoint : model->endpoints) {
        endpoint_offset_[endpoint.id.index()] = offset;
        offset += static_cast<uint32_t>((*model)[endpoint.gateway].monitors.size());
    }
    endpoint_jobs_.assign(offset, none);
    for (size_t i = 0; i < wishes.size(); ++i) {
        const Wish& wish = wishes[i];
        Job& job = jobs_[wish.job];
        if (i == 0 || wishes[i - 1].job != wish.job) {
            job.first_subscriber = static_cast<uint32_t>(i);
            job.subscribers = 0;
            scheduler_.set_group(wish.job, wish.group);
        }
        ++job.subscribers;
        subscribers_.push_back(wish.subscriber);
        endpoint_jobs_[endpoint_offset_[wish.subscriber.endpoint.index()] + wish.subscriber.slot] = wish.job;
    }
    model_ = std::move(model);
    forget_unwanted();

    first_round_deadline_ = now;
    for (JobId id = 0; id < jobs_.size(); ++id) {
        const Job& job = jobs_[id];
        if (job.phase != Phase::free && job.first_pending)
            first_round_deadline_ =
                std::max(*first_round_deadline_,
                         scheduler_.planned(id) + specs_[job.spec]->monitor.timeout + late_start);
    }
    report_hosts_.clear();
    for (const auto& [host, endpoint] : named_endpoints_)
        if (names_.status(hosts_[host].name).answered &&
            (report_hosts_.empty() || report_hosts_.back() != host))
            report_hosts_.push_back(host);
    wake_at(now);
}

void Prober::Impl::forget_unwanted() {
    for (uint32_t i = 0; i < specs_.size(); ++i) {
        if (!specs_[i] || specs_[i]->wanted) continue;
        specs_[i].reset();
        free_specs_.push_back(i);
    }
    for (uint32_t i = 0; i < hosts_.size(); ++i) {
        Host& host = hosts_[i];
        if (host.wanted || host.text.empty()) continue;
        host_by_text_.erase(host.text);
        if (host.name != none) {
            host_by_name_.erase(host.name);
            names_.remove(host.name);
        }
        host = Host{};
        free_hosts_.push_back(i);
    }
}

// ---------------------------------------------------------------------------------------------- attempts

void Prober::Impl::wake_at(MonotonicTime when) {
    if (when >= armed_at_) return;
    armed_at_ = when;
    timer_.start_at(when);
}

void Prober::Impl::rearm() {
    armed_at_ = MonotonicTime::max();
    MonotonicTime when = MonotonicTime::max();
    if (const auto next = scheduler_.next()) when = std::min(when, *next);
    for (const auto next : {streams_.next(), datagrams_.next(), echoes_.next()})
        if (next) when = std::min(when, *next);
    if (!resolving_.empty()) when = std::min(when, resolving_.earliest_time());
    if (first_round_deadline_) when = std::min(when, *first_round_deadline_);
    if (when != MonotonicTime::max()) wake_at(when);
}

void Prober::Impl::tick() {
    const MonotonicTime now = loop_.now();
    // Nothing that is reached from here arms the timer: that is done once, at the end.
    armed_at_ = MonotonicTime::min();
    for (const uint32_t host : std::exchange(report_hosts_, {})) report_address(host);
    for (auto& orphan : std::exchange(orphans_, {}))
        for (auto* callbacks : {&orphan->attached, &orphan->waiting})
            for (auto& callback : *callbacks)
                callback({failed(ProbeLayer::internal, "the check was removed from the configuration"), {}});
    streams_.expire(now);
    datagrams_.expire(now);
    echoes_.expire(now);
    expire_resolving(now);
    for (int i = 0; i < starts_per_turn; ++i) {
        const auto next = scheduler_.take(now);
        if (!next) break;
        start(*next);
    }
    finish_first_round(now);
    rearm();
}

ProbeTrace* Prober::Impl::trace_of(JobId id) {
    if (watches_.empty()) return nullptr;
    const auto found = watches_.find(id);
    return found == watches_.end() || found->second->attached.empty() ? nullptr : &found->second->trace;
}

void Prober::Impl::start(const Scheduler::Start& start) {
    const JobId id = start.job;
    const MonotonicTime now = loop_.now();
    const nanoseconds lag = now - start.planned;
    ++stats_.started;
    if (lag > late_start) ++stats_.late;
    stats_.lag_sum += lag;
    const auto bucket = std::lower_bound(ProberStats::lag_bounds.begin(), ProberStats::lag_bounds.end(), lag);
    ++stats_.lag[static_cast<size_t>(bucket - ProberStats::lag_bounds.begin())];

    Job& job = jobs_[id];
    const Spec& spec = *specs_[job.spec];
    const Host& host = hosts_[job.host];
    if (!watches_.empty()) {
        if (const auto found = watches_.find(id); found != watches_.end()) {
            Watch& watch = *found->second;
            watch.attached = std::exchange(watch.waiting, {});
            watch.trace = {.steps = {}, .last = now};
        }
    }
    const MonotonicTime deadline = now + spec.monitor.timeout;
    if (!spec.compiled) {
        complete(id, failed(ProbeLayer::internal, spec.compiled.error().message));
        return;
    }
    if (host.literal) {
        connect(id, *host.literal, now, deadline);
        return;
    }
    const NameWatch::Status& status = names_.status(host.name);
    if (status.address) {
        if (ProbeTrace* trace = trace_of(id))
            trace->add("resolve " + host.text + ": " + status.address->to_string() + " (known for " +
                           format_duration(std::chrono::floor<seconds>(now - status.good_at)) + ")",
                       now);
        connect(id, *status.address, now, deadline);
    } else if (status.answered) {
        complete(id,
                 failed(ProbeLayer::resolve, "cannot resolve " + printable(host.text) + ": " + status.error));
    } else {
        job.phase = Phase::resolving;
        resolving_.set(id, deadline);
    }
}

void Prober::Impl::connect(JobId id, const IpAddress& address, MonotonicTime started,
                           MonotonicTime deadline) {
    Job& job = jobs_[id];
    const Spec& spec = *specs_[job.spec];
    const AttemptRequest request{.peer = {address, spec.monitor.port},
                                 .host = hosts_[job.host].text,
                                 .timeout = spec.monitor.timeout,
                                 .started = started,
                                 .deadline = deadline,
                                 .nonce = random_.next(),
                                 .job = id,
                                 .trace = trace_of(id)};
    if (job.stream) {
        job.phase = Phase::stream;
        job.attempt = streams_.start(*job.stream, request);
    } else if (!spec.ports.empty()) {
        job.phase = Phase::datagram;
        job.attempt = datagrams_.start(*job.datagram, spec.ports, request);
    } else {
        job.phase = Phase::echo;
        job.attempt = echoes_.start(*job.datagram, request);
    }
}

void Prober::Impl::expire_resolving(MonotonicTime now) {
    while (!resolving_.empty() && resolving_.earliest_time() <= now) {
        const JobId id = resolving_.earliest();
        resolving_.remove(id);
        const Job& job = jobs_[id];
        complete(id, failed(ProbeLayer::resolve, "cannot resolve " + printable(hosts_[job.host].text) +
                                                     ": no answer after " +
                                                     format_duration(specs_[job.spec]->monitor.timeout)));
    }
}

void Prober::Impl::on_name(NameWatch::NameId name) {
    const auto found = host_by_name_.find(name);
    if (found == host_by_name_.end()) return;
    const uint32_t host = found->second;
    const NameWatch::Status& status = names_.status(name);
    const MonotonicTime now = loop_.now();
    // Only the first answer of a name can find jobs waiting for it.
    std::vector<std::pair<JobId, MonotonicTime>> waiting;
    for (JobId id = 0; !resolving_.empty() && id < jobs_.size(); ++id)
        if (jobs_[id].phase == Phase::resolving && jobs_[id].host == host)
            waiting.emplace_back(id, resolving_.time_of(id));
    for (const auto& [id, deadline] : waiting) {
        resolving_.remove(id);
        if (ProbeTrace* trace = trace_of(id))
            trace->add("resolve " + hosts_[host].text + ": " +
                           (status.address ? status.address->to_string() : status.error),
                       now);
        if (status.address) {
            connect(id, *status.address, now, deadline);
        } else {
            complete(id, failed(ProbeLayer::resolve,
                                "cannot resolve " + printable(hosts_[host].text) + ": " + status.error));
        }
    }
    report_address(host);
    if (armed_at_ != MonotonicTime::min()) rearm();
}

void Prober::Impl::report_address(uint32_t host) {
    if (!handlers_.on_address) return;
    const NameWatch::Status status = names_.status(hosts_[host].name);
    const auto range =
        std::equal_range(named_endpoints_.begin(), named_endpoints_.end(), std::pair(host, EndpointId{}),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto it = range.first; it != range.second; ++it)
        handlers_.on_address(it->second, status.address, status.error);
}

void Prober::Impl::add_name_warning(const Host& host, ProbeResult& result) const {
    if (host.name == none) return;
    const NameWatch::Status& status = names_.status(host.name);
    if (status.error.empty() || !status.address) return;
    if (!result.detail.empty()) result.detail += "; ";
    result.detail += "host name not resolved for " +
                     format_duration(std::chrono::floor<seconds>(loop_.now() - status.good_at)) + ": " +
                     status.error;
}

void Prober::Impl::on_finished(uint32_t job, ProbeResult&& result) {
    complete(job, std::move(result));
    if (armed_at_ != MonotonicTime::min()) {
        // Called by a driver's event, not by tick(): the check's next time may come before the timer's.
        if (const auto next = scheduler_.next()) wake_at(*next);
        if (first_round_deadline_ && first_pending_ == 0) wake_at(loop_.now());
    }
}

void Prober::Impl::complete(JobId id, ProbeResult&& result) {
    Job& job = jobs_[id];
    job.phase = Phase::idle;
    job.attempt = none;
    ++stats_.finished;
    if (!result.usable()) ++stats_.failed;
    if (std::exchange(job.first_pending, false)) --first_pending_;
    add_name_warning(hosts_[job.host], result);

    // The most impatient of those who were told decides.
    Pace pace = Pace::interval;
    for (uint32_t i = 0; i < job.subscribers && handlers_.on_result; ++i) {
        const Subscriber& subscriber = subscribers_[job.first_subscriber + i];
        pace = std::max(pace, handlers_.on_result(subscriber.endpoint, subscriber.slot, result));
    }
    scheduler_.finished(id, pace, loop_.now());

    if (watches_.empty()) return;
    const auto found = watches_.find(id);
    if (found == watches_.end() || found->second->attached.empty()) return;
    Watch& watch = *found->second;
    watch.trace.add(describe(result), loop_.now());
    const auto callbacks = std::exchange(watch.attached, {});
    const ProbeReport report{std::move(result), std::exchange(watch.trace.steps, {})};
    if (watch.waiting.empty()) watches_.erase(found);
    for (const auto& callback : callbacks) callback(report);
}

void Prober::Impl::finish_first_round(MonotonicTime now) {
    if (!first_round_deadline_ || (first_pending_ > 0 && now < *first_round_deadline_)) return;
    first_round_deadline_.reset();
    if (handlers_.on_first_round) handlers_.on_first_round();
}

bool Prober::Impl::probe_now(EndpointId endpoint, MonitorId monitor,
                             std::function<void(ProbeReport)> callback) {
    if (!model_ || endpoint.index() >= model_->endpoints.size()) return false;
    const auto& monitors = (*model_)[(*model_)[endpoint].gateway].monitors;
    const auto slot = std::find(monitors.begin(), monitors.end(), monitor);
    if (slot == monitors.end()) return false;
    const JobId id =
        endpoint_jobs_[endpoint_offset_[endpoint.index()] + static_cast<size_t>(slot - monitors.begin())];
    auto& watch = watches_[id];
    if (!watch) watch = std::make_unique<Watch>();
    watch->waiting.push_back(std::move(callback));
    scheduler_.hurry(id, loop_.now());
    wake_at(loop_.now());
    return true;
}

ProberStats Prober::Impl::stats() const {
    ProberStats stats = stats_;
    stats.deferred = scheduler_.deferred();
    stats.skipped = scheduler_.skipped();
    stats.jobs = job_by_key_.size();
    stats.in_flight = streams_.in_flight() + datagrams_.in_flight() + echoes_.in_flight() + resolving_.size();
    stats.names = names_.size();
    stats.names_failing = names_.failing();
    return stats;
}

// --------------------------------------------------------------------------------------------- the shell

Prober::Prober(net::Loop& loop, net::Resolver& resolver, Options options, Handlers handlers)
    : impl_(std::make_unique<Impl>(loop, resolver, options, std::move(handlers))) {}
Prober::~Prober() = default;
void Prober::configure(std::shared_ptr<const Model> model) {
    impl_->configure(std::move(model));
}
void Prober::set_rates(uint32_t rate, uint32_t rate_per_gateway) {
    impl_->set_rates(rate, rate_per_gateway);
}
bool Prober::probe_now(EndpointId endpoint, MonitorId monitor, std::function<void(ProbeReport)> callback) {
    return impl_->probe_now(endpoint, monitor, std::move(callback));
}
ProberStats Prober::stats() const {
    return impl_->stats();
}

}  // namespace fairway
