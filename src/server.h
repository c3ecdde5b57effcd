// SPDX-License-Identifier: Apache-2.0
#pragma once
// The daemon as a whole: builds every part in the order in which data flows (configuration, store, health,
// DNS, API, probes), connects them, and takes them down in reverse. It decides nothing itself: health judges,
// steering selects. Lives on one loop's thread; other threads are the DNS workers, the store's writer and the
// background's.

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/control.h"
#include "background.h"
#include "base/published.h"
#include "dns/serving.h"
#include "dns/signing_ahead.h"
#include "generation.h"
#include "health/engine.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/signal.h"
#include "net/timer.h"
#include "net/tls_server.h"
#include "store/store.h"
#include "zone_signer.h"

namespace fairway {

class OperatorCommands;
class Prober;
class ZoneChanges;
namespace api {
class Server;
}
namespace dns {
class Server;
}
namespace handover {
class Giver;
class ServiceManager;
class Taker;
}  // namespace handover
namespace net {
class InheritedSockets;
}
namespace pdns {
class Server;
}

/// How this process came to be, and what it needs to be replaced one day.
struct Beginning {
    handover::ServiceManager& service_manager;
    handover::Taker* predecessor = nullptr;  // the fairwayd to take over from; its offer is here
    int lock = -1;                           // of the state folder; -1: none
    std::vector<std::string> command;        // the program and its arguments, for a successor
};

class Server final : public Control {
  public:
    /// Opens the store and binds every listener; answers nothing yet. Throws std::system_error, or
    /// std::runtime_error with a sentence, when something cannot be had.
    Server(net::Loop& loop, Generation generation, std::filesystem::path config_file, Beginning beginning);
    ~Server() override;

    /// Takes over from the predecessor if there is one; then probes, answers and obeys until SIGTERM or
    /// SIGINT, or until a successor has taken over. Throws std::runtime_error when the predecessor stays.
    void run();

    // Control

    [[nodiscard]] WallTime now() const override;
    [[nodiscard]] MonotonicTime monotonic_now() const override;
    [[nodiscard]] const config::Config& config() const override { return generation_.config; }
    [[nodiscard]] std::shared_ptr<const Model> model() const override { return generation_.config.model; }
    [[nodiscard]] const HealthEngine& health() const override { return engine_; }
    [[nodiscard]] std::shared_ptr<const HealthSnapshot> snapshot() const override {
        return serving_.load()->health;
    }
    [[nodiscard]] std::shared_ptr<const dns::Serving> serving() const override { return serving_.load(); }
    [[nodiscard]] const geoip::Locator& locator() const override { return *generation_.locator; }
    [[nodiscard]] Store& store() override { return store_; }
    [[nodiscard]] NodeInfo node() const override;
    void set_overrides(std::vector<Override> overrides,
                       std::function<void(StoreResult<std::vector<Override>>)> done) override;
    void extend_override(int64_t id, std::optional<int64_t> revision, std::optional<WallTime> until,
                         std::string actor, std::function<void(StoreResult<Override>)> done) override;
    void clear_override(int64_t id, std::optional<int64_t> revision, std::string actor,
                        std::function<void(StoreResult<Override>)> done) override;
    [[nodiscard]] const std::vector<Challenge>& challenges() const override;
    StoreResult<Challenge> set_challenge(const std::string& name, const std::string& value, WallTime until,
                                         const std::string& actor) override;
    StoreResult<std::vector<Challenge>> clear_challenge(const std::string& name, const std::string& value,
                                                        const std::string& actor) override;
    Result<std::vector<GatewayId>> confirm(ServiceId service, const std::string& actor) override;
    [[nodiscard]] const dns::ZoneKeyring* keyring(const std::string& zone) const override;
    void roll_keys(const std::string& zone, dns::RollKind kind, const std::string& actor,
                   std::function<void(Result<std::vector<std::string>>)> done) override;
    void note_ds_seen(const std::string& zone, const std::string& actor,
                      std::function<void(Result<std::vector<std::string>>)> done) override;
    void reload(const std::string& actor, std::function<void(ReloadOutcome)> done) override;
    void check_config(std::function<void(ReloadOutcome)> done) override;
    void reload_geoip(const std::string& actor, std::function<void(Result<void>)> done) override;
    void probe_now(EndpointId endpoint, MonitorId monitor,
                   std::function<void(ProbeResult, std::vector<std::string>)> done) override;

  private:
    /// What changed since the last flush is told and published in the loop's next turn, as one batch.
    void touch();
    void flush();
    void publish(std::shared_ptr<const HealthSnapshot> health);
    [[nodiscard]] std::shared_ptr<const dns::Serving> compose(
        std::shared_ptr<const HealthSnapshot> health) const;
    void apply_overrides();
    void housekeeping();
    /// Reads certificate and key of server.tls again, in the background, if they have changed.
    void look_at_certificate();
    void use_certificate(std::shared_ptr<const net::TlsServerContext> certificate);
    void rotate_ticket_key();
    void first_round_done();
    /// Attaches AF_XDP where it is wanted and can be had, and tells what has changed.
    void look_at_xdp();
    /// Builds a generation from the files as they are now, in the background, and hands it over here.
    void build_then(std::function<void(BuiltGeneration&)> use);
    [[nodiscard]] ReloadOutcome outcome_of(BuiltGeneration& built) const;
    void adopt(Generation next);
    [[nodiscard]] std::vector<std::string> restart_only_changes(const config::Config& next) const;
    /// To the log, to the store and to whoever follows.
    void tell(Event event);
    void tell(EventKind kind, Severity severity, std::string subject, std::string message,
              std::string actor = {});
    void announce_ready();

    // server_handover.cc
    [[nodiscard]] net::InheritedSockets& inherited() const;
    void wait_for_successor();
    void take_over();
    void begin_leaving();
    void upgrade(const std::string& actor);
    void look_after_successor();

    net::Loop& loop_;
    const std::filesystem::path config_file_;
    const MonotonicTime started_;
    const WallTime started_wall_;
    Generation generation_;
    Store store_;
    HealthEngine engine_;
    std::shared_ptr<const dns::AnswerSettings> settings_;
    std::unique_ptr<ZoneChanges> zone_changes_;  // made with the first Serving
    Background background_;
    ZoneSigner signer_;
    Published<dns::Serving> serving_;
    dns::SigningAhead ahead_;
    net::TlsServerSupply tls_;
    net::Resolver resolver_;

    Beginning beginning_;
    int64_t took_over_from_ = 0;  // process; 0: none
    uint64_t takeovers_ = 0;
    WallTime since_;         // when the first of the processes that took over from each other started
    int64_t successor_ = 0;  // process that was started to take over; 0: none
    bool leaving_ = false;   // a successor is in charge
    std::optional<MonotonicTime> leave_at_the_latest_;
    bool dns_is_through_ = false;
    std::unique_ptr<handover::Giver> giver_;

    std::unique_ptr<dns::Server> dns_;
    std::unique_ptr<api::Server> api_;
    std::unique_ptr<OperatorCommands> commands_;  // for pdns_; absent without it
    std::unique_ptr<pdns::Server> pdns_;
    std::unique_ptr<Prober> prober_;

    net::Timer flush_timer_;
    net::Timer health_timer_;
    net::Timer housekeeping_timer_;
    net::Timer watchdog_timer_;
    net::Timer leaving_timer_;
    net::Timer successor_timer_;
    std::vector<std::unique_ptr<net::Signal>> signals_;
    bool ready_ = false;
    bool geo_reload_queued_ = false;
    std::string geo_trouble_;  // why the last attempt to read the databases failed, or empty
    bool certificate_queued_ = false;
    std::string certificate_trouble_;  // why the last attempt to read it failed, or empty
    bool certificate_trouble_told_ = false;
    nanoseconds loop_lag_{0};
    MonotonicTime next_housekeeping_;
    uint64_t ticks_ = 0;
    uint64_t cookie_age_ = 0;  // ticks
};

}  // namespace fairway
