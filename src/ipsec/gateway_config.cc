// SPDX-License-Identifier: Apache-2.0
#include "ipsec/gateway_config.h"

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include "base/duration.h"
#include "base/text.h"

namespace fairway::ipsec {

namespace {

constexpr std::string_view service_keys[service_count] = {"tcp", "tls", "http", "https", "ike", "ike_nat"};

class Loader {
  public:
    explicit Loader(const std::filesystem::path& name) : name_(name) {}

    FleetLoad load(std::string_view text) {
        toml::table root;
        try {
            root = toml::parse(text, name_.string());
        } catch (const toml::parse_error& error) {
            problem(error.source(), std::string(error.description()));
            return {std::nullopt, problems()};
        }
        read_root(root);
        if (!problems_.empty()) return {std::nullopt, problems()};
        return {std::move(fleet_), {}};
    }

  private:
    using Setter = std::function<void(const toml::node&)>;
    struct Key {
        std::string_view name;
        Setter set;
    };

    struct Problem {
        toml::source_position where;
        std::string message;
    };
    void problem(const toml::source_region& where, std::string message) {
        problems_.push_back({where.begin, std::move(message)});
    }
    /// In the order of the file.
    std::vector<std::string> problems() {
        std::stable_sort(problems_.begin(), problems_.end(),
                         [](const Problem& a, const Problem& b) { return a.where < b.where; });
        std::vector<std::string> texts;
        for (const Problem& p : problems_) {
            texts.push_back(name_.string() + ":" + std::to_string(p.where.line) + ":" +
                            std::to_string(p.where.column) + ": " + p.message);
        }
        return texts;
    }

    void read_table(const toml::table& table, const std::vector<Key>& keys) {
        std::vector<std::string> names;
        for (const Key& key : keys) names.emplace_back(key.name);
        for (const auto& [name, node] : table) {
            const auto key = std::find_if(keys.begin(), keys.end(),
                                          [&, n = name.str()](const Key& k) { return k.name == n; });
            if (key != keys.end()) {
                key->set(node);
                continue;
            }
            const std::string near = nearest_name(name.str(), names);
            problem(name.source(), "unknown key \"" + std::string(name.str()) + "\"" +
                                       (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
        }
    }

    std::optional<std::string> text_of(const toml::node& node) {
        if (const auto value = node.value_exact<std::string>()) return *value;
        problem(node.source(), "must be a string");
        return std::nullopt;
    }
    std::optional<int64_t> number_of(const toml::node& node, int64_t low, int64_t high) {
        const auto value = node.value_exact<int64_t>();
        if (value && *value >= low && *value <= high) return *value;
        problem(node.source(),
                "must be a number from " + std::to_string(low) + " to " + std::to_string(high));
        return std::nullopt;
    }
    std::optional<nanoseconds> duration_of(const toml::node& node) {
        const auto text = text_of(node);
        if (!text) return std::nullopt;
        const auto value = parse_duration(*text);
        if (value) return *value;
        problem(node.source(), value.error().message);
        return std::nullopt;
    }
    std::optional<std::filesystem::path> path_of(const toml::node& node) {
        const auto text = text_of(node);
        if (!text) return std::nullopt;
        return (name_.parent_path() / *text).lexically_normal();
    }
    /// Calls `each` for every string of an array.
    void strings_of(const toml::node& node,
                    const std::function<void(const toml::node&, const std::string&)>& each) {
        const toml::array* array = node.as_array();
        if (array == nullptr) {
            problem(node.source(), "must be an array of strings");
            return;
        }
        for (const toml::node& element : *array) {
            if (const auto text = text_of(element)) each(element, *text);
        }
    }

    void read_half_open(const toml::node& node, HalfOpenLimits& limits) {
        if (const auto text = node.value_exact<std::string>()) {
            if (*text == "strongswan") {
                limits = HalfOpenLimits::like_strongswan();
            } else {
                problem(node.source(), "unknown limits \"" + *text + "\": \"strongswan\", or a table");
            }
            return;
        }
        const toml::table* table = node.as_table();
        if (table == nullptr) {
            problem(node.source(), "must be \"strongswan\" or a table");
            return;
        }
        const auto count = [this](size_t& value) {
            return [this, &value](const toml::node& n) {
                if (const auto number = number_of(n, 0, 1'000'000)) value = static_cast<size_t>(*number);
            };
        };
        read_table(*table, {{"cookie_total", count(limits.cookie_total)},
                            {"cookie_per_source", count(limits.cookie_per_source)},
                            {"block_per_source", count(limits.block_per_source)},
                            {"table", count(limits.table)},
                            {"timeout", [&](const toml::node& n) {
                                 if (const auto value = duration_of(n)) limits.timeout = *value;
                             }}});
    }

    std::vector<Key> gateway_keys(GatewaySettings& gateway) {
        std::vector<Key> keys;
        for (size_t i = 0; i < service_count; ++i) {
            keys.push_back({service_keys[i], [this, &gateway, i](const toml::node& node) {
                                if (const auto off = node.value_exact<bool>(); off && !*off) {
                                    gateway.ports[i].reset();
                                } else if (const auto port = number_of(node, 0, 65'535)) {
                                    gateway.ports[i] = static_cast<uint16_t>(*port);
                                }
                            }});
        }
        keys.push_back({"server_names", [this, &gateway](const toml::node& node) {
                            gateway.server_names.clear();
                            strings_of(node, [&](const toml::node& element, const std::string& text) {
                                if (!is_host_name(text)) problem(element.source(), "not a host name");
                                gateway.server_names.push_back(text);
                            });
                        }});
        keys.push_back({"cert", [this, &gateway](const toml::node& node) {
                            if (auto path = path_of(node)) gateway.cert = std::move(*path);
                        }});
        keys.push_back({"key", [this, &gateway](const toml::node& node) {
                            if (auto path = path_of(node)) gateway.key = std::move(*path);
                        }});
        keys.push_back({"slow", [this, &gateway](const toml::node& node) {
                            if (const auto value = duration_of(node)) gateway.slow = *value;
                        }});
        keys.push_back({"fault", [this, &gateway](const toml::node& node) {
                            const auto text = text_of(node);
                            if (!text) return;
                            if (const auto fault = Fault::parse(*text)) {
                                gateway.fault = *fault;
                            } else {
                                problem(node.source(), fault.error().message);
                            }
                        }});
        keys.push_back({"proposals", [this, &gateway](const toml::node& node) {
                            gateway.responder.policy.clear();
                            strings_of(node, [&](const toml::node& element, const std::string& text) {
                                if (auto proposal = parse_proposal(text)) {
                                    gateway.responder.policy.push_back(std::move(*proposal));
                                } else {
                                    problem(element.source(), proposal.error().message);
                                }
                            });
                        }});
        keys.push_back({"half_open", [this, &gateway](const toml::node& node) {
                            read_half_open(node, gateway.responder.limits);
                        }});
        keys.push_back({"redirect_to", [this, &gateway](const toml::node& node) {
                            if (auto text = text_of(node)) gateway.responder.redirect_to = std::move(*text);
                        }});
        return keys;
    }

    void read_gateway(const toml::table& table, GatewaySettings gateway) {
        std::vector<Key> keys = gateway_keys(gateway);
        keys.push_back({"addresses", [&](const toml::node& node) {
                            strings_of(node, [&](const toml::node& element, const std::string& text) {
                                const auto address = IpAddress::parse(text);
                                if (!address) {
                                    problem(element.source(), address.error().message);
                                    return;
                                }
                                gateway.addresses.push_back(*address);
                                read_sockets(element, gateway.addresses.back());
                            });
                        }});
        read_table(table, keys);
        const std::string what = "gateway \"" + gateway.name + "\" ";
        if (gateway.addresses.empty()) problem(table.source(), what + "has no addresses");
        if (gateway.cert.empty() != gateway.key.empty()) {
            problem(table.source(), what + "needs both `cert` and `key`, or neither");
        }
        std::set<uint16_t> ports;
        for (const auto& port : gateway.ports) {
            if (port && *port != 0 && !ports.insert(*port).second) {
                problem(table.source(), what + "uses port " + std::to_string(*port) + " twice");
            }
        }
        fleet_.gateways.push_back(std::move(gateway));
    }

    void read_sockets(const toml::node& element, const IpAddress& address) {
        if (!addresses_.insert(address).second) {
            problem(element.source(), "address " + address.to_string() + " is used twice");
        }
    }

    void read_root(const toml::table& root) {
        GatewaySettings defaults;
        // First, wherever it stands: gateways begin with it.
        if (const toml::node* node = root.get("defaults")) {
            if (const toml::table* table = node->as_table()) {
                read_table(*table, gateway_keys(defaults));
            } else {
                problem(node->source(), "must be a table");
            }
        }
        read_table(root, {{"defaults", [](const toml::node&) {}},
                          {"ca",
                           [this](const toml::node& node) {
                               if (auto path = path_of(node)) fleet_.ca = std::move(*path);
                           }},
                          {"control",
                           [this](const toml::node& node) {
                               if (auto path = path_of(node)) fleet_.control = std::move(*path);
                           }},
                          {"max_connections",
                           [this](const toml::node& node) {
                               if (const auto value = number_of(node, 1, 1'000'000)) {
                                   fleet_.max_connections = static_cast<size_t>(*value);
                               }
                           }},
                          {"gateway", [&](const toml::node& node) { read_gateways(node, defaults); }}});
        if (fleet_.gateways.empty() && problems_.empty()) {
            problem(root.source(), "no [gateway.NAME] in the file");
        }
    }

    void read_gateways(const toml::node& node, const GatewaySettings& defaults) {
        const toml::table* table = node.as_table();
        if (table == nullptr) {
            problem(node.source(), "must be a table");
            return;
        }
        // toml++ sorts keys; people expect the order in which they wrote them.
        std::vector<std::pair<const toml::key*, const toml::node*>> entries;
        for (const auto& [name, entry] : *table) entries.emplace_back(&name, &entry);
        std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
            return a.second->source().begin < b.second->source().begin;
        });
        for (const auto& [name, entry] : entries) {
            GatewaySettings gateway = defaults;
            gateway.name = name->str();
            if (gateway.name.empty() || gateway.name.find_first_of("/*? \t\n") != std::string::npos) {
                problem(name->source(), "a gateway's name must not be empty or hold '/', '*', '?' or blanks");
            }
            if (const toml::table* settings = entry->as_table()) {
                read_gateway(*settings, std::move(gateway));
            } else {
                problem(entry->source(), "must be a table");
            }
        }
    }

    std::filesystem::path name_;
    FleetSettings fleet_;
    std::set<IpAddress> addresses_;
    std::vector<Problem> problems_;
};

}  // namespace

bool is_host_name(std::string_view text) noexcept {
    return !text.empty() && text.size() <= 253 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.' || c == '*' || c == '_';
    });
}

std::string_view to_string(Service service) noexcept {
    return service_keys[static_cast<size_t>(service)];
}

FleetLoad load_fleet_text(std::string_view text, const std::filesystem::path& name) {
    return Loader(name).load(text);
}

FleetLoad load_fleet(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) {
        return {std::nullopt, {path.string() + ": " + std::strerror(errno == 0 ? EIO : errno)}};
    }
    return load_fleet_text(text.str(), path);
}

}  // namespace fairway::ipsec
