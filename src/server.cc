// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "answer_settings.h"
#include "api/server.h"
#include "base/duration.h"
#include "base/log.h"
#include "dns/server.h"
#include "event_text.h"
#include "handover/giver.h"
#include "handover/service_manager.h"
#include "model/target.h"
#include "operator_commands.h"
#include "pdns/server.h"
#include "probes/prober.h"
#include "zone_changes.h"

namespace fairway {
namespace {

constexpr nanoseconds housekeeping_period = seconds{1};
constexpr uint64_t geo_check_ticks = 5;  // changed databases are looked for this often
constexpr uint64_t geo_retry_ticks = 60;
constexpr uint64_t certificate_check_ticks = 5;
constexpr uint64_t ticket_rotation_ticks = 3600;  // a ticket is good for one to two hours
constexpr uint64_t cookie_rotation_ticks = 3600;  // server cookies are good for an hour

net::TlsTicketKeys::Secret first_ticket_secret() {
    const auto secret = net::make_ticket_secret();
    if (!secret) throw std::runtime_error(secret.error().message);
    return *secret;
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "fairway";
}

HealthSettings health_settings(const config::Config& config) {
    HealthSettings settings;
    settings.damping.enabled = config.health.damping;
    settings.damping.hold_down = config.health.hold_down;
    settings.damping.max_hold_down = config.health.max_hold_down;
    settings.damping.half_life = config.health.half_life;
    settings.isolation.enabled = config.health.isolation;
    settings.isolation.share = config.health.isolation_share;
    settings.isolation.minimum = config.health.isolation_minimum;
    return settings;
}

log::Level level_of(Severity severity) {
    if (severity == Severity::critical) return log::Level::error;
    return severity == Severity::warning ? log::Level::warning : log::Level::info;
}

void write_log(const Event& event) {
    std::string line(to_string(event.kind));
    if (!event.subject.empty()) line += " " + event.subject;
    if (!event.from.empty() && !event.to.empty()) line += ": " + event.from + " -> " + event.to;
    if (!event.message.empty()) line += ": " + event.message;
    if (!event.actor.empty()) line += " (by " + event.actor + ")";
    switch (level_of(event.severity)) {
        case log::Level::error:
            log::error(line);
            break;
        case log::Level::warning:
            log::warning(line);
            break;
        default:
            log::info(line);
    }
}

void write_log(const config::Diagnostic& diagnostic) {
    if (diagnostic.severity == config::Diagnostic::Severity::error)
        log::error(diagnostic.to_string());
    else
        log::warning(diagnostic.to_string());
}

Counters counters_of(const dns::ServerStats& stats) {
    Counters counters{{"udp_queries", stats.udp_queries},
                      {"tcp_queries", stats.tcp_queries},
                      {"tls_queries", stats.tls_queries},
                      {"dropped", stats.dropped},
                      {"send_failures", stats.send_failures},
                      {"limited_dropped", stats.limited_dropped},
                      {"limited_truncated", stats.limited_truncated},
                      {"with_edns", stats.with_edns},
                      {"with_ecs", stats.with_ecs},
                      {"truncated", stats.truncated},
                      {"last_resort", stats.last_resort},
                      {"tcp_connections", stats.connections_open},
                      {"tls_connections", stats.tls_connections_open},
                      {"tls_handshakes", stats.tls_handshakes},
                      {"tls_resumptions", stats.tls_resumptions},
                      {"tls_failures", stats.tls_failures},
                      {"connections_closed_for_room", stats.connections_closed_for_room},
                      {"xdp_interfaces", stats.xdp_interfaces},
                      {"xdp_received", stats.xdp_received},
                      {"xdp_answered", stats.xdp_answered},
                      {"xdp_dropped", stats.xdp_dropped},
                      {"xdp_transmit_full", stats.xdp_transmit_full},
                      {"xdp_lost", stats.xdp_lost},
                      {"xdp_passed", stats.xdp_passed}};
    for (size_t rcode = 0; rcode < stats.rcodes.size(); ++rcode) {
        if (stats.rcodes[rcode] != 0)
            counters.emplace_back("rcode_" + std::to_string(rcode), stats.rcodes[rcode]);
    }
    return counters;
}

dns::XdpOptions xdp_options(const config::Config& config) {
    dns::XdpOptions options;
    if (!config.server.xdp) return options;
    options.interfaces = config.server.xdp->interfaces;
    switch (config.server.xdp->mode) {
        case config::XdpMode::automatic:
            options.mode = dns::XdpOptions::Mode::automatic;
            break;
        case config::XdpMode::native:
            options.mode = dns::XdpOptions::Mode::native;
            break;
        case config::XdpMode::generic:
            options.mode = dns::XdpOptions::Mode::generic;
            break;
    }
    return options;
}

StoreOptions store_options(const config::Config& config, net::Loop& loop,
                           std::function<void()> overrides_changed,
                           std::function<void(Severity, const std::string&)> trouble) {
    StoreOptions options;
    options.folder = config.server.state;
    options.post = [&loop](std::function<void()> task) { loop.post(std::move(task)); };
    options.overrides_changed = std::move(overrides_changed);
    options.trouble = std::move(trouble);
    return options;
}

}  // namespace

Server::Server(net::Loop& loop, Generation generation, std::filesystem::path config_file, Beginning beginning)
    : loop_(loop),
      config_file_(std::move(config_file)),
      started_(loop.now()),
      started_wall_(std::chrono::system_clock::now()),
      generation_(std::move(generation)),
      store_(store_options(
                 generation_.config, loop, [this] { apply_overrides(); },
                 [this](Severity severity, const std::string& what) {
                     tell(EventKind::system, severity, {}, what);
                 }),
             started_wall_),
      engine_(health_settings(generation_.config)),
      settings_(answer_settings(generation_.config, nullptr)),
      background_(loop),
      signer_(background_, keys_folder(generation_.config.server.state),
              {[this] { publish(serving_.load()->health); },
               [this](Severity severity, const std::string& zone, const std::string& what,
                      const std::string& actor) { tell(EventKind::system, severity, zone, what, actor); }}),
      serving_([this] {
          engine_.configure(generation_.config.model, started_);
          engine_.set_overrides(store_.overrides(), started_);
          zone_changes_ = std::make_unique<ZoneChanges>(
              loop_, store_,
              ZoneChanges::Hooks{
                  .changed = [this] { publish(serving_.load()->health); },
                  .tell =
                      [this](Severity severity, const std::string& zone, const std::string& message) {
                          tell(EventKind::system, severity, zone, message);
                      },
                  .now = [this] { return now(); }});
          signer_.start(std::move(generation_.keyrings), generation_.authority, started_wall_);
          zone_changes_->adopt(generation_.authority, settings_);
          return compose(engine_.snapshot());
      }()),
      tls_(first_ticket_secret()),
      resolver_(loop, net::Resolver::Options{.servers = generation_.config.probes.resolvers}),
      beginning_(std::move(beginning)),
      since_(started_wall_),
      flush_timer_(loop, [this] { flush(); }),
      health_timer_(loop,
                    [this] {
                        engine_.advance(loop_.now());
                        flush();
                    }),
      housekeeping_timer_(loop, [this] { housekeeping(); }),
      watchdog_timer_(loop, [this] { beginning_.service_manager.notify("WATCHDOG=1"); }),
      leaving_timer_(loop,
                     [this] {
                         const bool through = dns_is_through_ && api_->answering() == 0 &&
                                              (!pdns_ || pdns_->counters().connections == 0);
                         if (through || loop_.now() >= leave_at_the_latest_) loop_.stop();
                     }),
      successor_timer_(loop, [this] { look_after_successor(); }) {
    for (const std::string& problem : store_.problems())
        tell(EventKind::system, Severity::critical, {}, problem);

    const config::Config& config = generation_.config;
    tls_.context.publish(generation_.tls);
    auto dns = dns::Server::open(
        {.listen = config.server.listen,
         .threads = config.server.threads,
         .limits = {},
         .xdp = xdp_options(config),
         .tls_listen = config.server.tls ? config.server.tls->listen : std::vector<SocketAddress>()},
        serving_, &inherited(), &tls_);
    if (!dns) throw std::runtime_error(dns.error().message);
    dns_ = std::move(*dns);
    api_ = std::make_unique<api::Server>(loop_, *this, config.api, api::Limits{}, &inherited());
    if (config.pdns) {
        commands_ = std::make_unique<OperatorCommands>(loop_, *this);
        pdns_ = std::make_unique<pdns::Server>(
            loop_, serving_,
            pdns::ServerOptions{.unix_path = config.pdns->unix_path,
                                .http = config.pdns->http,
                                .zeromq = config.pdns->zeromq,
                                .secrets = config.pdns->secrets_over_tcp ? pdns::Secrets::everywhere
                                                                         : pdns::Secrets::local_only,
                                .inherited = &inherited(),
                                .run_command = [this](const pdns::OperatorCommand& command,
                                                      std::function<void(std::string)> done) {
                                    commands_->run(command, std::move(done));
                                }});
    }
    wait_for_successor();

    prober_ = std::make_unique<Prober>(
        loop_, resolver_,
        Prober::Options{.rate = config.probes.rate,
                        .rate_per_gateway = config.probes.rate_per_gateway,
                        .seed = static_cast<uint64_t>(started_wall_.time_since_epoch().count())},
        Prober::Handlers{.on_result =
                             [this](EndpointId endpoint, size_t slot, const ProbeResult& result) {
                                 if (leaving_) return Pace::interval;  // the successor judges
                                 const Pace pace = engine_.record(endpoint, slot, result, loop_.now());
                                 touch();
                                 return pace;
                             },
                         .on_address =
                             [this](EndpointId endpoint, const std::optional<IpAddress>& address,
                                    const std::string& error) {
                                 if (leaving_) return;
                                 // What the predecessor knew beats not knowing yet.
                                 if (address || error.empty())
                                     engine_.set_address(endpoint, address, loop_.now());
                                 if (!error.empty())
                                     tell(EventKind::system, Severity::warning,
                                          endpoint_path(*model(), endpoint), error);
                                 touch();
                             },
                         .on_first_round = [this] { first_round_done(); }});
}

Server::~Server() = default;

void Server::run() {
    signals_.push_back(std::make_unique<net::Signal>(loop_, SIGTERM, [this] { loop_.stop(); }));
    signals_.push_back(std::make_unique<net::Signal>(loop_, SIGINT, [this] { loop_.stop(); }));
    signals_.push_back(
        std::make_unique<net::Signal>(loop_, SIGHUP, [this] { reload("SIGHUP", [](ReloadOutcome) {}); }));
    signals_.push_back(std::make_unique<net::Signal>(loop_, SIGUSR2, [this] { upgrade("SIGUSR2"); }));
    if (beginning_.predecessor != nullptr) take_over();
    if (const auto period = beginning_.service_manager.watchdog()) watchdog_timer_.start_repeating(*period);
    prober_->configure(model());
    next_housekeeping_ = loop_.now() + housekeeping_period;
    housekeeping_timer_.start_at(next_housekeeping_);
    if (took_over_from_ == 0)
        tell(EventKind::system, Severity::info, {}, "fairwayd " FAIRWAY_VERSION " started");
    flush();
    loop_.run();
    log::info(leaving_ ? "handed over, stopping" : "stopping");
    if (!leaving_) beginning_.service_manager.notify("STOPPING=1");
    signals_.clear();
    giver_.reset();
    // Taking a part down may turn the loop once more, and a timer must not find it gone.
    for (net::Timer* timer : {&flush_timer_, &health_timer_, &housekeeping_timer_, &watchdog_timer_,
                              &successor_timer_, &leaving_timer_})
        timer->stop();
    // In reverse: nothing may ask a part that is gone already.
    dns_->stop();
    pdns_.reset();
    commands_.reset();
    api_.reset();
    prober_.reset();
}

WallTime Server::now() const {
    return std::chrono::system_clock::now();
}

MonotonicTime Server::monotonic_now() const {
    return loop_.now();
}

NodeInfo Server::node() const {
    NodeInfo node;
    node.name = config().server.nsid.empty() ? host_name() : config().server.nsid;
    node.version = FAIRWAY_VERSION;
    node.started = started_wall_;
    node.uptime = loop_.now() - started_;
    node.loop_lag = loop_lag_;
    node.ready = ready_;
    node.pid = ::getpid();
    node.took_over_from = took_over_from_;
    node.takeovers = takeovers_;
    node.since = since_;
    node.dns = dns_->addresses();
    node.dns_counters = counters_of(dns_->stats());
    if (pdns_) {
        const pdns::ServerCounters& pdns = pdns_->counters();
        node.dns_counters.insert(node.dns_counters.end(), {{"pdns_connections", pdns.connections},
                                                           {"pdns_calls", pdns.calls},
                                                           {"pdns_lookups", pdns.lookups},
                                                           {"pdns_junk", pdns.junk},
                                                           {"pdns_stalled", pdns.stalled}});
    }
    const ProberStats probes = prober_->stats();
    node.probe_counters = {{"jobs", probes.jobs},         {"in_flight", probes.in_flight},
                           {"started", probes.started},   {"finished", probes.finished},
                           {"failed", probes.failed},     {"late", probes.late},
                           {"deferred", probes.deferred}, {"skipped", probes.skipped}};
    return node;
}

void Server::touch() {
    if (!flush_timer_.armed()) flush_timer_.start(nanoseconds{0});
}

void Server::flush() {
    for (const Transition& transition : engine_.take_transitions()) {
        tell(event_of(transition, now()));
    }
    auto health = engine_.snapshot();
    if (health != serving_.load()->health) publish(std::move(health));
    const auto deadline = engine_.next_deadline();
    if (deadline)
        health_timer_.start_at(*deadline);
    else
        health_timer_.stop();
}

void Server::publish(std::shared_ptr<const HealthSnapshot> health) {
    auto next = compose(std::move(health));
    serving_.publish(next);
    ahead_.offer(std::move(next));
}

std::shared_ptr<const dns::Serving> Server::compose(std::shared_ptr<const HealthSnapshot> health) const {
    dns::Serving serving{generation_.authority, generation_.steering, std::move(health), settings_};
    serving.signing = signer_.signing();
    serving.overlay = zone_changes_->overlay();
    return std::make_shared<const dns::Serving>(std::move(serving));
}

void Server::tell(Event event) {
    write_log(event);
    store_.append(std::move(event));
}

void Server::tell(EventKind kind, Severity severity, std::string subject, std::string message,
                  std::string actor) {
    Event event;
    event.time = now();
    event.kind = kind;
    event.severity = severity;
    event.subject = std::move(subject);
    event.message = std::move(message);
    event.actor = std::move(actor);
    tell(std::move(event));
}

void Server::first_round_done() {
    engine_.finish_first_round(loop_.now());
    flush();
    if (ready_) return;
    ready_ = true;
    dns_->start();
    zone_changes_->start();
    std::string where;
    for (const SocketAddress& address : dns_->addresses())
        where += (where.empty() ? "" : ", ") + address.to_string();
    for (const SocketAddress& address : dns_->tls_addresses())
        where += (where.empty() ? "" : ", ") + address.to_string() + " (TLS)";
    tell(EventKind::system, Severity::info, {}, "first probe round done, answering on " + where);
    look_at_xdp();
    announce_ready();
}

void Server::look_at_xdp() {
    for (dns::XdpNotice& notice : dns_->look_at_xdp()) {
        const auto severity =
            notice.kind == dns::XdpNotice::Kind::fallback ? Severity::warning : Severity::info;
        tell(EventKind::system, severity, {}, std::move(notice.text));
    }
}

void Server::announce_ready() {
    std::string where;
    for (const SocketAddress& address : dns_->addresses())
        where += (where.empty() ? "answering on " : ", ") + address.to_string();
    beginning_.service_manager.notify("READY=1\nSTATUS=" + (where.empty() ? "answering PowerDNS" : where));
}

void Server::apply_overrides() {
    for (const UnresolvedOverride& unresolved : engine_.set_overrides(store_.overrides(), loop_.now()))
        log::warning("override " + std::to_string(unresolved.id) + ": " + unresolved.message);
    flush();
}

void Server::housekeeping() {
    const MonotonicTime monotonic = loop_.now();
    loop_lag_ = monotonic - next_housekeeping_;
    next_housekeeping_ = monotonic + housekeeping_period;
    housekeeping_timer_.start_at(next_housekeeping_);
    ++ticks_;

    // By the wall clock, which may jump: so it is looked at, not waited for.
    for (const Override& expired : store_.expire(now())) {
        tell(event_of(expired, "expired", {}, now()));
    }
    zone_changes_->expire();
    serving_.collect();
    if (ready_) look_at_xdp();
    tls_.context.collect();
    if (ticks_ % certificate_check_ticks == 0) look_at_certificate();
    if (ticks_ % ticket_rotation_ticks == 0) rotate_ticket_key();
    signer_.tick(now());

    // Secrets of the configuration change with it, on all nodes that share them.
    if (++cookie_age_ >= cookie_rotation_ticks && !config().server.cookie_secret) {
        cookie_age_ = 0;
        settings_ = with_next_cookie_secret(*settings_);
        publish(serving_.load()->health);
    }
    // Databases that could not be used at start are not part of the locator: they are tried again, less
    // often.
    const bool incomplete = generation_.locator->sources().databases != config().geoip.databases;
    if (ticks_ % (incomplete ? geo_retry_ticks : geo_check_ticks) == 0 && !geo_reload_queued_ &&
        (incomplete || generation_.locator->changed()))
        reload_geoip("fairwayd", [](const Result<void>&) {});
}

void Server::set_overrides(std::vector<Override> overrides,
                           std::function<void(StoreResult<std::vector<Override>>)> done) {
    store_.set_overrides(std::move(overrides),
                         [this, done = std::move(done)](StoreResult<std::vector<Override>> set) {
                             if (set) {
                                 for (const Override& override_ : *set) {
                                     tell(event_of(override_, "set", override_.actor, now()));
                                 }
                             }
                             done(std::move(set));
                         });
}

void Server::extend_override(int64_t id, std::optional<int64_t> revision, std::optional<WallTime> until,
                             std::string actor, std::function<void(StoreResult<Override>)> done) {
    store_.extend_override(id, revision, until, actor, now(),
                           [this, actor, done = std::move(done)](StoreResult<Override> extended) {
                               if (extended) {
                                   tell(event_of(*extended, "extended", actor, now()));
                               }
                               done(std::move(extended));
                           });
}

void Server::clear_override(int64_t id, std::optional<int64_t> revision, std::string actor,
                            std::function<void(StoreResult<Override>)> done) {
    store_.clear_override(id, revision, actor, now(),
                          [this, actor, done = std::move(done)](StoreResult<Override> cleared) {
                              if (cleared) {
                                  tell(event_of(*cleared, "cleared", actor, now()));
                              }
                              done(std::move(cleared));
                          });
}

const std::vector<Challenge>& Server::challenges() const {
    return zone_changes_->challenges();
}

StoreResult<Challenge> Server::set_challenge(const std::string& name, const std::string& value,
                                             WallTime until, const std::string& actor) {
    auto set = zone_changes_->set(name, value, until, actor);
    if (set) store_.record({0, now(), actor, "challenge.set", set->name, {}, {}});
    return set;
}

StoreResult<std::vector<Challenge>> Server::clear_challenge(const std::string& name, const std::string& value,
                                                            const std::string& actor) {
    auto cleared = zone_changes_->clear(name, value);
    if (cleared) store_.record({0, now(), actor, "challenge.clear", cleared->front().name, {}, {}});
    return cleared;
}

Result<std::vector<GatewayId>> Server::confirm(ServiceId service, const std::string& actor) {
    std::vector<GatewayId> held;
    for (const ServiceReport::Held& waiting : engine_.report(service).held) held.push_back(waiting.gateway);
    if (held.empty()) return fail("no failover of " + (*model())[service].key + " waits for confirmation");
    engine_.confirm(service, loop_.now());
    tell(EventKind::service, Severity::info, (*model())[service].key, "failover confirmed", actor);
    store_.record({0, now(), actor, "failover.confirm", (*model())[service].key, {}, {}});
    flush();
    return held;
}

std::vector<std::string> Server::restart_only_changes(const config::Config& next) const {
    std::vector<std::string> changed;
    const config::Config& running = config();
    const auto differs = [&changed](bool different, const char* what) {
        if (different) changed.emplace_back(what);
    };
    differs(next.server.listen != running.server.listen, "server.listen");
    const auto tls_listen = [](const config::Config& of) {
        return of.server.tls ? of.server.tls->listen : std::vector<SocketAddress>();
    };
    differs(tls_listen(next) != tls_listen(running), "server.tls.listen");
    differs(next.server.threads != running.server.threads, "server.threads");
    differs(next.server.state != running.server.state, "server.state");
    differs(next.api != running.api, "[api]");
    differs(next.pdns != running.pdns, "[pdns]");
    differs(next.probes.resolvers != running.probes.resolvers, "probes.resolvers");
    return changed;
}

ReloadOutcome Server::outcome_of(BuiltGeneration& built) const {
    ReloadOutcome outcome;
    outcome.accepted = built.generation.has_value();
    outcome.diagnostics = std::move(built.diagnostics);
    if (!outcome.accepted) return outcome;
    for (const std::string& what : restart_only_changes(built.generation->config))
        outcome.diagnostics.push_back({config::Diagnostic::Severity::warning, config_file_.string(), 0, 0,
                                       what + " has changed and takes effect at the next start"});
    outcome.changes = config::diff(config(), built.generation->config);
    return outcome;
}

const dns::ZoneKeyring* Server::keyring(const std::string& zone) const {
    const auto found = signer_.keyrings().find(zone);
    return found == signer_.keyrings().end() ? nullptr : &found->second;
}

void Server::roll_keys(const std::string& zone, dns::RollKind kind, const std::string& actor,
                       std::function<void(Result<std::vector<std::string>>)> done) {
    signer_.change(
        zone, now(), actor,
        [kind](const dns::ZoneKeyring& keyring, int64_t at) {
            return dns::roll_keys(keyring.infos, keyring.policy, kind, at);
        },
        std::move(done));
}

void Server::note_ds_seen(const std::string& zone, const std::string& actor,
                          std::function<void(Result<std::vector<std::string>>)> done) {
    signer_.change(
        zone, now(), actor,
        [](const dns::ZoneKeyring& keyring, int64_t at) {
            return dns::note_ds_seen(keyring.infos, keyring.policy, at);
        },
        std::move(done));
}

void Server::build_then(std::function<void(BuiltGeneration&)> use) {
    background_.enqueue([this, use = std::move(use)]() -> Background::Work {
        return [use, file = config_file_, previous = generation_.locator,
                state = config().server.state]() -> std::function<void()> {
            auto built = std::make_shared<BuiltGeneration>(
                build_generation(file, FileTrouble::is_error, previous.get(), state));
            return [use, built] { use(*built); };
        };
    });
}

void Server::check_config(std::function<void(ReloadOutcome)> done) {
    build_then([this, done = std::move(done)](BuiltGeneration& built) { done(outcome_of(built)); });
}

void Server::reload(const std::string& actor, std::function<void(ReloadOutcome)> done) {
    beginning_.service_manager.notify(
        "RELOADING=1\nMONOTONIC_USEC=" +
        std::to_string(std::chrono::floor<microseconds>(loop_.now().time_since_epoch()).count()));
    build_then([this, actor, done = std::move(done)](BuiltGeneration& built) {
        ReloadOutcome outcome = outcome_of(built);
        for (const config::Diagnostic& diagnostic : outcome.diagnostics) write_log(diagnostic);
        const size_t changes = outcome.changes.size();
        if (outcome.accepted) {
            adopt(std::move(*built.generation));
            tell(EventKind::config, Severity::info, {},
                 "configuration reloaded, " + std::to_string(changes) +
                     (changes == 1 ? " change" : " changes"),
                 actor);
        } else {
            const auto first = std::find_if(outcome.diagnostics.begin(), outcome.diagnostics.end(),
                                            [](const config::Diagnostic& d) {
                                                return d.severity == config::Diagnostic::Severity::error;
                                            });
            tell(EventKind::config, Severity::warning, {},
                 "configuration refused, nothing changed: " + (first == outcome.diagnostics.end()
                                                                   ? std::string("it cannot be read")
                                                                   : first->to_string()),
                 actor);
        }
        store_.record(
            {0, now(), actor, outcome.accepted ? "reload" : "reload.refused", config_file_.string(), {}, {}});
        if (ready_) announce_ready();
        done(std::move(outcome));
    });
}

void Server::adopt(Generation next) {
    // What needs a restart keeps describing what runs.
    next.config.server.listen = config().server.listen;
    if (next.config.server.tls && config().server.tls) {
        next.config.server.tls->listen = config().server.tls->listen;
    } else {
        next.config.server.tls = config().server.tls;
        next.tls = generation_.tls;
    }
    next.config.server.threads = config().server.threads;
    next.config.server.state = config().server.state;
    next.config.api = config().api;
    next.config.pdns = config().pdns;
    next.config.probes.resolvers = config().probes.resolvers;
    generation_ = std::move(next);
    use_certificate(generation_.tls);
    log::Level level{};
    if (log::parse_level(config().server.log_level, level)) log::set_level(level);
    settings_ = answer_settings(config(), settings_.get());
    dns_->set_xdp(xdp_options(config()));
    signer_.adopt(std::move(generation_.keyrings), generation_.authority, now());
    const MonotonicTime monotonic = loop_.now();
    engine_.set_settings(health_settings(config()), monotonic);
    for (const UnresolvedOverride& unresolved : engine_.configure(model(), monotonic))
        log::warning("override " + std::to_string(unresolved.id) + ": " + unresolved.message);
    zone_changes_->adopt(generation_.authority, settings_);
    // One value with tables, steering and health of the same model: no answer sees a mixture.
    publish(engine_.snapshot());
    prober_->set_rates(config().probes.rate, config().probes.rate_per_gateway);
    prober_->configure(model());
    flush();
}

void Server::reload_geoip(const std::string& actor, std::function<void(Result<void>)> done) {
    geo_reload_queued_ = true;
    background_.enqueue([this, actor, done = std::move(done)]() -> Background::Work {
        return [this, actor, done, sources = geo_sources(config()), previous = generation_.locator,
                model = model()]() -> std::function<void()> {
            auto opened = geoip::Locator::open(sources, previous.get());
            std::shared_ptr<const Steering> steering;
            if (opened) steering = Steering::compile(model, *opened);
            return [this, actor, done, opened = std::move(opened), steering = std::move(steering)] {
                geo_reload_queued_ = false;
                if (!opened) {
                    // A damaged file is tried again and again; it is told once.
                    if (std::exchange(geo_trouble_, opened.error().message) != opened.error().message)
                        tell(EventKind::geoip, Severity::warning, {},
                             "geo databases refused, the old ones stay: " + opened.error().message, actor);
                    done(tl::unexpected(opened.error()));
                    return;
                }
                geo_trouble_.clear();
                generation_.locator = *opened;
                generation_.steering = steering;
                publish(serving_.load()->health);
                tell(EventKind::geoip, Severity::info, {}, "geo databases reloaded", actor);
                done({});
            };
        };
    });
}

void Server::probe_now(EndpointId endpoint, MonitorId monitor,
                       std::function<void(ProbeResult, std::vector<std::string>)> done) {
    const bool known = prober_->probe_now(endpoint, monitor, [done](const ProbeReport& report) {
        std::vector<std::string> steps;
        for (const ProbeStep& step : report.steps)
            steps.push_back(step.what + ": " + format_duration(step.took));
        done(report.result, std::move(steps));
    });
    if (known) return;
    ProbeResult result;
    result.layer = ProbeLayer::internal;
    result.reason = "the endpoint's gateway has no such monitor";
    loop_.post([done, result] { done(result, {}); });
}

}  // namespace fairway
