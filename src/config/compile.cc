// SPDX-License-Identifier: Apache-2.0
// From the configuration as written to the configuration as used: names become ids, texts expressions, and
// everything is judged that needs more than one table.

#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "config/tables.h"
#include "model/target.h"

namespace fairway::config {
namespace {

constexpr size_t max_monitors = 32;  // per gateway

/// Ids by name, with the names at hand for suggestions.
class Index {
  public:
    template <class S>
    explicit Index(const std::vector<Named<S>>& items) {
        for (size_t i = 0; i < items.size(); ++i) {
            ids_.emplace(items[i].name, i);
            names_.push_back(items[i].name);
        }
    }
    [[nodiscard]] std::optional<size_t> find(const std::string& name) const {
        const auto found = ids_.find(name);
        return found == ids_.end() ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  private:
    std::unordered_map<std::string, size_t> ids_;
    std::vector<std::string> names_;
};

/// `name`, its parent, its parent's parent, ...: the last is the top-level label.
template <class Visit>
void for_each_suffix(std::string_view name, Visit visit) {
    for (;;) {
        if (visit(name)) return;
        const size_t dot = name.find('.');
        if (dot == std::string_view::npos) return;
        name.remove_prefix(dot + 1);
    }
}

class Compiler {
  public:
    Compiler(Context& context, const Document& document)
        : report_(context.report),
          document_(document),
          regions_(document.regions),
          monitors_(document.monitors),
          services_(document.services),
          region_used_(document.regions.size()),
          monitor_used_(document.monitors.size()),
          gateway_used_(document.gateways.size()) {}

    std::optional<Config> run() {
        compile_regions();
        compile_monitors();
        compile_zones();
        for (const Named<GatewaySource>& source : document_.gateways) compile_gateway(source);
        for (const Named<ServiceSource>& source : document_.services) compile_service(source);
        check_fallbacks();
        check_use();
        check_geo_overrides();
        if (document_.server.listen.empty() && !document_.server.tls && !document_.pdns)
            report_.error(
                {}, "nothing would answer: server.listen is empty and there is no server.tls or [pdns]");
        if (document_.services.empty())
            report_.error({}, "no service is defined, so there is nothing to answer; add a [service.NAME]");
        if (report_.failed()) return std::nullopt;
        return config();
    }

  private:
    void compile_regions() {
        for (const auto& [name, where, source] : document_.regions)
            model_.regions.push_back({RegionId(model_.regions.size()), name, source.location});
    }

    void compile_monitors() {
        for (const auto& [name, where, source] : document_.monitors) {
            Monitor monitor;
            monitor.id = MonitorId(model_.monitors.size());
            monitor.name = name;
            monitor.interval = source.interval;
            monitor.timeout = source.timeout;
            monitor.recheck = source.recheck.value_or(source.interval / 4);
            monitor.fall = source.fall;
            monitor.rise = source.rise;
            monitor.port = source.port.value_or(0);
            monitor.address = source.address;
            monitor.probe = source.probe;
            model_.monitors.push_back(std::move(monitor));
        }
    }

    void compile_zones() {
        std::vector<std::string> keys;
        for (const auto& [name, where, source] : document_.tsig) keys.push_back(name);
        for (const auto& [name, where, source] : document_.zones) {
            zones_.insert(name);
            for (const NameServer& server : source.ns) {
                name_servers_.emplace(server.name, name);
                const bool inside = server.name == name || server.name.ends_with("." + name);
                if (inside && server.addresses.empty() && source.file.empty())
                    report_.error(where, "zone " + quote(name) + ": name server " + quote(server.name) +
                                             " lies in the zone and needs an address");
            }
            model_.zones.push_back(
                {name, source.ns, source.file, source.dnssec, source.ttl, source.negative_ttl, source.contact,
                 source.transfer ? to_transfer(report_, name, *source.transfer, keys) : ZoneTransfer{}});
        }
    }

    void compile_gateway(const Named<GatewaySource>& named) {
        const auto& [name, where, source] = named;
        const std::string subject = "gateway " + quote(name) + ": ";
        Gateway gateway;
        gateway.id = GatewayId(model_.gateways.size());
        gateway.name = name;
        if (source.region.given()) {
            if (const auto region = regions_.find(source.region.value)) {
                gateway.region = RegionId(*region);
                region_used_[*region] = true;
            } else {
                report_.error(source.region.where,
                              subject + "there is no region " + quote(source.region.value) +
                                  report_.suggest(source.region.value, regions_.names()));
            }
        }
        gateway.zone = source.zone;
        gateway.mode = source.mode;
        gateway.min_up = source.min_up.value;
        gateway.failback_delay = source.failback.value;
        gateway.weight = source.weight;
        gateway.capacity = source.capacity;
        gateway.labels = source.labels;
        compile_endpoints(gateway, source, subject);
        compile_health(gateway, source, subject);
        check_mode(source, where, subject);
        model_.gateways.push_back(std::move(gateway));
    }

    void compile_endpoints(Gateway& gateway, const GatewaySource& source, const std::string& subject) {
        std::unordered_set<std::string> addresses, names;
        for (const EndpointSource& each : source.endpoints) {
            Endpoint endpoint;
            endpoint.id = EndpointId(model_.endpoints.size());
            endpoint.gateway = gateway.id;
            endpoint.host = each.address.value;
            endpoint.name = each.name.empty() ? endpoint.host : each.name;
            if (auto address = IpAddress::parse(endpoint.host)) endpoint.address = *address;
            endpoint.weight = each.weight;
            endpoint.uplink = each.uplink;
            if (!addresses.insert(endpoint.host).second) {
                report_.error(each.address.where,
                              subject + "endpoint " + quote(endpoint.host) + " is there twice");
            } else if (!names.insert(endpoint.name).second) {
                report_.error(each.address.where,
                              subject + "two endpoints are called " + quote(endpoint.name));
            }
            gateway.endpoints.push_back(endpoint.id);
            model_.endpoints.push_back(std::move(endpoint));
        }
    }

    void compile_health(Gateway& gateway, const GatewaySource& source, const std::string& subject) {
        std::vector<std::string> names;
        bool all_known = true;
        for (const Located<std::string>& each : source.monitors) {
            names.push_back(each.value);
            if (const auto monitor = monitors_.find(each.value)) {
                gateway.monitors.push_back(MonitorId(*monitor));
                monitor_used_[*monitor] = true;
                continue;
            }
            all_known = false;
            report_.error(each.where, subject + "there is no monitor " + quote(each.value) +
                                          report_.suggest(each.value, monitors_.names()));
        }
        static_assert(max_monitors <= HealthExpression::max_depth);
        gateway.health = HealthExpression::all_of(names.size());
        if (!source.health.given()) return;
        gateway.health_text = source.health.value;
        auto parsed = HealthExpression::parse(source.health.value, names);
        if (!parsed) {
            report_.error(source.health.where, subject + "health: " + parsed.error().message);
        } else if (all_known) {
            gateway.health = std::move(*parsed);
        }
    }

    void check_mode(const GatewaySource& source, Position where, const std::string& subject) {
        const size_t count = source.endpoints.size();
        if (source.mode == GatewayMode::active_standby) {
            if (count == 1)
                report_.warning(where, subject + "active-standby with a single endpoint has no standby");
            if (source.min_up.given())
                report_.error(source.min_up.where, subject + "min_up is for active-active");
            return;
        }
        if (source.failback.given())
            report_.error(source.failback.where, subject + "failback is for active-standby");
        if (source.min_up.value > count && count > 0)
            report_.error(source.min_up.where, subject + "min_up is " + std::to_string(source.min_up.value) +
                                                   " but there are only " + std::to_string(count) +
                                                   " endpoints");
    }

    /// Gateways that a selector stands for, by position; services repeat each other's selectors.
    const std::vector<GatewayId>& select(const std::string& selector) {
        const auto [found, fresh] = selections_.try_emplace(selector);
        Selection& selection = found->second;
        if (!fresh) return selection.gateways;
        if (gateway_names_.empty()) {
            for (const Gateway& gateway : model_.gateways) {
                gateway_ids_.emplace(gateway.name, gateway.id);
                gateway_names_.push_back(gateway.name);
            }
        }
        if (const auto plain = gateway_ids_.find(selector); plain != gateway_ids_.end()) {
            selection.gateways = {plain->second};
            return selection.gateways;
        }
        // A gateway whose region is unknown was reported; selecting by region would step on it.
        const bool needs_regions = selector.starts_with("region:");
        const bool broken = needs_regions && std::any_of(model_.gateways.begin(), model_.gateways.end(),
                                                         [](const Gateway& g) { return !g.region.valid(); });
        if (broken) return selection.gateways;
        if (is_glob(selector) || selector.find(':') != std::string::npos) {
            auto target = resolve_target(model_, selector);
            if (target) {
                selection.gateways = std::move(target->gateways);
            } else {
                selection.complaint = target.error().message;
            }
            if (target && selection.gateways.empty())
                selection.complaint = quote(selector) + " selects endpoints, not gateways";
        } else {
            selection.complaint =
                "there is no gateway " + quote(selector) + report_.suggest(selector, gateway_names_);
        }
        return selection.gateways;
    }
    [[nodiscard]] const std::string& complaint(const std::string& selector) const {
        return selections_.at(selector).complaint;
    }

    void compile_service(const Named<ServiceSource>& named) {
        const auto& [key, where, source] = named;
        const std::string subject = "service " + quote(key) + ": ";
        Service service;
        service.id = ServiceId(model_.services.size());
        service.key = key;
        service.name = source.name.value;
        service.ttl_max = source.ttl.max;
        service.ttl_min = source.ttl.min.value_or(std::min(Service{}.ttl_min, source.ttl.max));
        service.answer = source.answer.value;
        service.all_down = source.all_down.value.action;
        service.failover = source.failover.mode;
        service.failover_delay = source.failover.delay;
        service.txt_allow = source.txt_allow;
        service.records = source.records;
        if (source.name.given()) check_service_name(source, subject);
        compile_candidates(service, source, subject);
        compile_policy(service, source, subject);
        compile_fallback(service, source, subject);
        check_answer(service, source, subject);
        model_.services.push_back(std::move(service));
    }

    void check_service_name(const ServiceSource& source, const std::string& subject) {
        const std::string& name = source.name.value;
        const auto [first, fresh] = service_names_.emplace(name, source.name.where);
        if (!fresh)
            report_.error(source.name.where, subject + quote(name) + " is steered twice; first at " +
                                                 report_.place(first->second));
        bool inside = false;
        for_each_suffix(name, [&](std::string_view suffix) {
            inside = zones_.contains(std::string(suffix));
            return inside;
        });
        if (!inside) report_.error(source.name.where, subject + quote(name) + " lies in none of the zones");
        if (const auto server = name_servers_.find(name); server != name_servers_.end())
            report_.error(source.name.where,
                          subject + quote(name) + " is a name server of zone " + quote(server->second));
        if (name.starts_with("_fairway."))
            report_.error(source.name.where, subject + "names under _fairway are Fairway's own");
    }

    void compile_candidates(Service& service, const ServiceSource& source, const std::string& subject) {
        std::vector<bool> taken(model_.gateways.size());
        for (const Located<std::string>& selector : source.gateways) {
            const std::vector<GatewayId>& gateways = select(selector.value);
            const std::string& why = complaint(selector.value);
            if (!why.empty()) report_.error(selector.where, subject + why);
            for (const GatewayId id : gateways) {
                if (taken[id.index()]) continue;
                taken[id.index()] = true;
                gateway_used_[id.index()] = true;
                service.gateways.push_back(id);
            }
        }
    }

    void compile_policy(Service& service, const ServiceSource& source, const std::string& subject) {
        for (const Located<FilterSpec>& filter : source.policy) {
            const FilterSpec& spec = filter.value;
            if (is_unfinished(Unfinished::Kind::filter, spec.name))
                report_.error(filter.where,
                              subject + "policy filter " + quote(spec.name) + std::string(unfinished_text));
            for (const std::string& region : spec.arguments) check_region(region, filter.where, subject);
            for (const RuleClause& rule : spec.rules) {
                for (const std::string& gateway : rule.gateways)
                    check_rule_gateway(service, gateway, filter.where, subject);
            }
            if (spec.name == "nearest") {
                for (const GatewayId id : service.gateways) nearest_needs_.push_back(model_[id].region);
            }
            service.policy.push_back(spec);
        }
    }

    void check_region(const std::string& pattern, Position where, const std::string& subject) {
        const bool found =
            is_glob(pattern) ? std::any_of(regions_.names().begin(), regions_.names().end(),
                                           [&](const std::string& name) { return glob_match(pattern, name); })
                             : regions_.find(pattern).has_value();
        if (!found)
            report_.error(where, subject + "policy: there is no region " + quote(pattern) +
                                     report_.suggest(pattern, regions_.names()));
    }

    void check_rule_gateway(const Service& service, const std::string& pattern, Position where,
                            const std::string& subject) {
        const std::vector<GatewayId>& gateways = select(pattern);
        const std::string& why = complaint(pattern);
        if (!why.empty()) {
            report_.error(where, subject + "policy: " + why);
            return;
        }
        const bool member = std::any_of(gateways.begin(), gateways.end(), [&](GatewayId id) {
            return std::find(service.gateways.begin(), service.gateways.end(), id) != service.gateways.end();
        });
        if (!member && !gateways.empty())
            report_.error(where,
                          subject + "policy: " + quote(pattern) + " is none of the service's gateways");
    }

    void compile_fallback(Service& service, const ServiceSource& source, const std::string& subject) {
        if (source.all_down.value.action != AllDown::fallback || !source.all_down.given()) return;
        const std::string& name = source.all_down.value.fallback;
        if (const auto other = services_.find(name)) {
            service.fallback_service = ServiceId(*other);
            return;
        }
        const auto domain = canonical_domain(name);
        if (!domain || domain->find('.') == std::string::npos) {
            report_.error(source.all_down.where, subject + "all_down: " + quote(name) +
                                                     " is neither a service nor a domain name" +
                                                     report_.suggest(name, services_.names()));
            return;
        }
        service.fallback_name = *domain;
        if (zones_.contains(service.name))
            report_.error(source.all_down.where, subject + "all_down: " + quote(service.name) +
                                                     " is a zone's own name, where no CNAME may stand");
    }

    void check_answer(const Service& service, const ServiceSource& source, const std::string& subject) {
        if (service.answer != AnswerKind::cname) return;
        if (zones_.contains(service.name))
            report_.error(source.answer.where, subject + "answer: " + quote(service.name) +
                                                   " is a zone's own name, where no CNAME may stand");
        for (const GatewayId gateway : service.gateways) {
            for (const EndpointId id : model_[gateway].endpoints) {
                if (!model_[id].address) continue;
                report_.error(source.answer.where, subject + "answer: a CNAME needs host names, and " +
                                                       quote(endpoint_path(model_, id)) + " is an address");
                return;
            }
        }
    }

    /// Where `service` goes when all is down, by service or by a steered name; or invalid.
    [[nodiscard]] ServiceId next_of(const Service& service,
                                    const std::unordered_map<std::string, ServiceId>& by_name) const {
        if (service.fallback_service.valid() || service.fallback_name.empty())
            return service.fallback_service;
        const auto found = by_name.find(service.fallback_name);
        return found == by_name.end() ? ServiceId{} : found->second;
    }

    void check_fallbacks() {
        std::unordered_map<std::string, ServiceId> by_name;
        for (const Service& service : model_.services) by_name.emplace(service.name, service.id);
        // Each walk marks what it visits; meeting its own mark is a cycle, another's was judged before.
        std::vector<size_t> mark(model_.services.size(), SIZE_MAX);
        for (const Service& start : model_.services) {
            ServiceId at = start.id;
            while (at.valid() && mark[at.index()] == SIZE_MAX) {
                mark[at.index()] = start.id.index();
                at = next_of(model_[at], by_name);
            }
            if (!at.valid() || mark[at.index()] != start.id.index()) continue;
            std::string path = model_[at].key;
            ServiceId step = at;
            do {
                step = next_of(model_[step], by_name);
                path += " -> " + model_[step].key;
            } while (step != at);
            report_.error(document_.services[at.index()].value.all_down.where,
                          "service " + quote(model_[at].key) +
                              ": all_down: the fallbacks go round in a circle: " + path);
        }
    }

    void check_use() {
        std::unordered_set<size_t> warned;
        for (const RegionId region : nearest_needs_) {
            if (!region.valid() || model_[region].location || !warned.insert(region.index()).second) continue;
            report_.warning(document_.regions[region.index()].where,
                            "region " + quote(model_[region].name) +
                                " has no location, so \"nearest\" puts its gateways last");
        }
        // After an error something may only look unused.
        if (report_.failed()) return;
        const auto unused = [&](const auto& items, const std::vector<bool>& used, const char* what,
                                const char* where) {
            for (size_t i = 0; i < items.size(); ++i) {
                if (!used[i])
                    report_.warning(items[i].where, std::string(what) + quote(items[i].name) + where);
            }
        };
        unused(document_.monitors, monitor_used_, "monitor ", " is used by no gateway");
        unused(document_.regions, region_used_, "region ", " has no gateway");
        unused(document_.gateways, gateway_used_, "gateway ", " is in no service");
    }

    void check_geo_overrides() {
        std::map<IpPrefix, Position> seen;
        for (const GeoOverrideSource& each : document_.geoip.overrides) {
            for (const Located<IpPrefix>& prefix : each.prefixes) {
                const auto [first, fresh] = seen.emplace(prefix.value, prefix.where);
                if (!fresh)
                    report_.error(prefix.where, "prefixes: " + prefix.value.to_string() +
                                                    " is placed twice; first at " +
                                                    report_.place(first->second));
            }
        }
    }

    Config config() {
        Config made;
        made.server = document_.server;
        made.api = document_.api;
        made.pdns = document_.pdns;
        made.probes = document_.probes;
        made.health = document_.health;
        for (const auto& [name, where, source] : document_.tsig)
            made.tsig.push_back({name, source.algorithm, source.secret});
        made.geoip.databases = document_.geoip.databases;
        for (const GeoOverrideSource& each : document_.geoip.overrides) {
            GeoOverride compiled{{}, to_location(each.location)};
            for (const Located<IpPrefix>& prefix : each.prefixes) compiled.prefixes.push_back(prefix.value);
            made.geoip.overrides.push_back(std::move(compiled));
        }
        if (document_.geoip.default_location)
            model_.default_location = to_location(*document_.geoip.default_location);
        made.model = std::make_shared<const Model>(std::move(model_));
        return made;
    }

    struct Selection {
        std::vector<GatewayId> gateways;
        std::string complaint;
    };

    Reporter& report_;
    const Document& document_;
    Index regions_, monitors_, services_;
    std::unordered_map<std::string, GatewayId> gateway_ids_;
    std::vector<std::string> gateway_names_;
    std::unordered_map<std::string, Selection> selections_;
    std::unordered_set<std::string> zones_;
    std::unordered_map<std::string, std::string> name_servers_;  // name -> zone
    std::unordered_map<std::string, Position> service_names_;
    std::vector<bool> region_used_, monitor_used_, gateway_used_;
    std::vector<RegionId> nearest_needs_;
    Model model_;
};

}  // namespace

Location to_location(const LocationSource& source) {
    Location location{source.country, source.continent, source.asn, {}};
    if (source.latitude && source.longitude)
        location.coordinates = Coordinates{*source.latitude, *source.longitude};
    return location;
}

LocationSource to_source(const Location& location) {
    LocationSource source{location.country, location.continent, location.asn, {}, {}};
    if (location.coordinates) {
        source.latitude = location.coordinates->latitude;
        source.longitude = location.coordinates->longitude;
    }
    return source;
}

std::optional<Config> compile(Context& context, const Document& document) {
    return Compiler(context, document).run();
}

}  // namespace fairway::config
