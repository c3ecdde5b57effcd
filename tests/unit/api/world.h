// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server without sockets and probes: the real configuration loader, health engine, steering, authority and
// store behind a Control, in virtual time. Tests say what the probes found.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/control.h"
#include "config/config.h"
#include "dns/authority.h"
#include "dns/serving.h"
#include "dns/signing_keys.h"
#include "geoip/locator.h"
#include "health/engine.h"
#include "model/target.h"
#include "steering/steering.h"
#include "unit/store/posted.h"

namespace fairway {

inline ProbeResult passing() {
    ProbeResult result;
    result.verdict = Verdict::pass;
    return result;
}

inline constexpr std::string_view three_regions = R"toml(
[server]
nsid = "test-1"
[region.eu]
location = { latitude = 50.1, longitude = 8.7 }
[region.us]
location = { latitude = 39.0, longitude = -77.5 }
[region.ap]
location = { latitude = 1.3, longitude = 103.8 }
[monitor.tcp]
type = "tcp"
port = 443
interval = "1s"
timeout = "500ms"
fall = 1
rise = 1
[gateway.fra1]
region = "eu"
zone = "fra1-az1"
endpoints = ["203.0.113.10", "203.0.113.11"]
monitors = ["tcp"]
labels = { provider = "azure" }
[gateway.iad1]
region = "us"
endpoints = ["203.0.113.20"]
monitors = ["tcp"]
[gateway.sin1]
region = "ap"
endpoints = ["203.0.113.30"]
monitors = ["tcp"]
[service.vpn]
name = "vpn.gslb.example.com"
gateways = ["fra1", "iad1", "sin1"]
policy = ["healthy", "nearest", "first 1"]
ttl = { max = 30, min = 5 }
[service.eu]
name = "eu.gslb.example.com"
gateways = ["fra1"]
ttl = { max = 60, min = 5 }
[zone."gslb.example.com"]
ns = { "ns1.gslb.example.com" = ["192.0.2.53"] }
[[geoip.override]]
prefixes = ["198.51.100.0/25"]
location = { country = "DE", latitude = 52.5, longitude = 13.4 }
[[geoip.override]]
prefixes = ["198.51.100.128/26"]
location = { country = "US", latitude = 40.7, longitude = -74.0 }
[[geoip.override]]
prefixes = ["198.51.100.192/26"]
location = { country = "SG", latitude = 1.35, longitude = 103.9 }
)toml";

class World : public Control {
  public:
    explicit World(std::function<void(std::function<void()>)> post, std::string_view text = three_regions)
        : post_(post) {
        config::LoadResult loaded = config::load_text(text, "fairway.toml");
        std::string wrong;
        for (const auto& item : loaded.diagnostics) wrong += item.to_string() + "\n";
        if (!loaded.config) throw std::runtime_error(wrong);
        config_ = std::move(*loaded.config);
        geoip::Sources sources;
        for (const auto& item : config_.geoip.overrides)
            for (const IpPrefix& prefix : item.prefixes) sources.own.push_back({prefix, item.location});
        auto opened = geoip::Locator::open(sources);
        if (!opened) throw std::runtime_error(opened.error().message);
        locator_ = *opened;
        StoreOptions options;
        options.folder = folder_.path / "state";
        options.post = post;
        options.overrides_changed = [this] { apply(); };
        store_.emplace(std::move(options), now_);
        engine_.configure(config_.model, monotonic_);
        steering_ = Steering::compile(config_.model, locator_);
        authority_ = dns::Authority::build(config_.model, 1).authority;
        keyrings_ = dns::load_keyrings(folder_.path / "keys", *authority_);
        for (auto& [zone, keyring] : keyrings_)
            keyring = dns::bring_up_to_date(folder_.path / "keys", keyring, unix_now()).value().keyring;
        node_.name = "test-1";
        node_.version = "1.2.3";
        node_.started = noon - std::chrono::hours(5);
        node_.uptime = std::chrono::hours(5);
        node_.ready = true;
        node_.pid = 4711;
        node_.took_over_from = 4710;
        node_.takeovers = 2;
        node_.since = noon - std::chrono::hours(24);
        node_.dns = {*SocketAddress::parse("127.0.0.1:53")};
        node_.dns_counters = {{"queries", 12}, {"answered", 11}};
        for (const Endpoint& endpoint : config_.model->endpoints) probe(endpoint.id, passing());
        engine_.finish_first_round(monotonic_);
        advance(seconds(5));
    }

    /// What every monitor of the target's endpoints finds from now on, once.
    void fail(std::string_view target, std::string reason = "connect refused") {
        ProbeResult result;
        result.verdict = Verdict::fail;
        result.layer = ProbeLayer::transport;
        result.reason = std::move(reason);
        record(target, result);
    }
    void pass(std::string_view target) { record(target, passing()); }
    void advance(nanoseconds by) {
        now_ += std::chrono::duration_cast<WallTime::duration>(by);
        monotonic_ += by;
        engine_.advance(monotonic_);
        store_->expire(now_);
        apply();
    }

    WallTime now() const override { return now_; }
    MonotonicTime monotonic_now() const override { return monotonic_; }
    const config::Config& config() const override { return config_; }
    std::shared_ptr<const Model> model() const override { return config_.model; }
    const HealthEngine& health() const override { return engine_; }
    std::shared_ptr<const HealthSnapshot> snapshot() const override { return serving_->health; }
    std::shared_ptr<const dns::Serving> serving() const override { return serving_; }
    const geoip::Locator& locator() const override { return *locator_; }
    Store& store() override { return *store_; }
    NodeInfo node() const override { return node_; }

    void set_overrides(std::vector<Override> overrides,
                       std::function<void(StoreResult<std::vector<Override>>)> done) override {
        store_->set_overrides(std::move(overrides), std::move(done));
    }
    void extend_override(int64_t id, std::optional<int64_t> revision, std::optional<WallTime> until,
                         std::string actor, std::function<void(StoreResult<Override>)> done) override {
        store_->extend_override(id, revision, until, std::move(actor), now_, std::move(done));
    }
    void clear_override(int64_t id, std::optional<int64_t> revision, std::string actor,
                        std::function<void(StoreResult<Override>)> done) override {
        store_->clear_override(id, revision, std::move(actor), now_, std::move(done));
    }
    const std::vector<Challenge>& challenges() const override { return challenges_; }
    StoreResult<Challenge> set_challenge(const std::string& name, const std::string& value, WallTime until,
                                         const std::string& actor) override {
        if (value == "taken")
            return tl::unexpected(StoreError{StoreError::Kind::conflict, "it stands in the way", 0});
        challenges_.push_back({"gslb.example.com", "_acme-challenge." + name, value, until, actor});
        return challenges_.back();
    }
    StoreResult<std::vector<Challenge>> clear_challenge(const std::string& name, const std::string& value,
                                                        const std::string& actor) override {
        actors_.push_back(actor);
        std::vector<Challenge> gone;
        std::erase_if(challenges_, [&](const Challenge& item) {
            const bool hit = item.name == "_acme-challenge." + name && (value.empty() || item.value == value);
            if (hit) gone.push_back(item);
            return hit;
        });
        if (gone.empty()) return tl::unexpected(StoreError{StoreError::Kind::not_found, "none there", 0});
        return gone;
    }
    Result<std::vector<GatewayId>> confirm(ServiceId service, const std::string& actor) override {
        std::vector<GatewayId> held;
        for (const auto& item : engine_.report(service).held) held.push_back(item.gateway);
        if (engine_.confirm(service, monotonic_) == 0)
            return fairway::fail("no failover of the service waits");
        actors_.push_back(actor);
        apply();
        return held;
    }
    const dns::ZoneKeyring* keyring(const std::string& zone) const override {
        const auto found = keyrings_.find(zone);
        return found == keyrings_.end() ? nullptr : &found->second;
    }
    void roll_keys(const std::string& zone, dns::RollKind kind, const std::string& actor,
                   std::function<void(Result<std::vector<std::string>>)> done) override {
        actors_.push_back(actor);
        const dns::ZoneKeyring& keyring = keyrings_.at(zone);
        change_keys(zone, dns::roll_keys(keyring.infos, keyring.policy, kind, unix_now()), std::move(done));
    }
    void note_ds_seen(const std::string& zone, const std::string& actor,
                      std::function<void(Result<std::vector<std::string>>)> done) override {
        actors_.push_back(actor);
        const dns::ZoneKeyring& keyring = keyrings_.at(zone);
        change_keys(zone, dns::note_ds_seen(keyring.infos, keyring.policy, unix_now()), std::move(done));
    }
    void reload(const std::string& actor, std::function<void(ReloadOutcome)> done) override {
        actors_.push_back(actor);
        check_config(std::move(done));
    }
    void check_config(std::function<void(ReloadOutcome)> done) override {
        post_([this, done] {
            config::LoadResult loaded = config::load_text(next_config, "fairway.toml");
            ReloadOutcome outcome;
            outcome.accepted = loaded.config.has_value();
            outcome.diagnostics = loaded.diagnostics;
            if (loaded.config) outcome.changes = config::diff(config_, *loaded.config);
            done(outcome);
        });
    }
    void reload_geoip(const std::string& actor, std::function<void(Result<void>)> done) override {
        actors_.push_back(actor);
        post_([done] { done({}); });
    }
    void probe_now(EndpointId endpoint, MonitorId,
                   std::function<void(ProbeResult, std::vector<std::string>)> done) override {
        post_([this, endpoint, done] {
            ProbeResult result = last_[endpoint.index()];
            done(result, {"connect " + endpoint_path(*config_.model, endpoint) + ": " + describe(result)});
        });
    }

    std::string next_config{three_regions};
    std::vector<std::string> actors_;  // of what does not reach the store
    std::vector<Challenge> challenges_;
    NodeInfo node_;

  private:
    int64_t unix_now() const { return std::chrono::duration_cast<seconds>(now_.time_since_epoch()).count(); }
    void change_keys(const std::string& zone, Result<dns::KeyChange> change,
                     std::function<void(Result<std::vector<std::string>>)> done) {
        Result<std::vector<std::string>> notes;
        if (!change) {
            notes = tl::unexpected(change.error());
        } else {
            auto update = dns::carry_out(folder_.path / "keys", keyrings_.at(zone), *change).value();
            notes = update.notes;
            keyrings_[zone] = std::move(update.keyring);
        }
        post_([done = std::move(done), notes] { done(notes); });
    }
    void probe(EndpointId endpoint, const ProbeResult& result) {
        const Model& model = *config_.model;
        last_[endpoint.index()] = result;
        for (size_t slot = 0; slot < model[model[endpoint].gateway].monitors.size(); ++slot)
            engine_.record(endpoint, slot, result, monotonic_);
    }
    void record(std::string_view target, const ProbeResult& result) {
        const auto resolved = resolve_target(*config_.model, target);
        for (const EndpointId endpoint : endpoints_of(*config_.model, *resolved)) probe(endpoint, result);
        apply();
    }
    void apply() {
        engine_.set_overrides(store_->overrides(), monotonic_);
        serving_ = std::make_shared<dns::Serving>(dns::Serving{
            authority_, steering_, engine_.snapshot(), std::make_shared<const dns::AnswerSettings>()});
    }

    TemporaryFolder folder_;
    std::function<void(std::function<void()>)> post_;
    WallTime now_ = noon;
    MonotonicTime monotonic_{std::chrono::hours(100)};
    config::Config config_;
    std::shared_ptr<const geoip::Locator> locator_;
    HealthEngine engine_{[] {
        HealthSettings settings;
        settings.damping.enabled = false;
        settings.isolation.enabled = false;
        return settings;
    }()};
    std::shared_ptr<const Steering> steering_;
    dns::ZoneKeyrings keyrings_;
    std::shared_ptr<const dns::Authority> authority_;
    std::shared_ptr<const dns::Serving> serving_;
    std::map<size_t, ProbeResult> last_;
    std::optional<Store> store_;
};

}  // namespace fairway
