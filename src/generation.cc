// SPDX-License-Identifier: Apache-2.0
#include "generation.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "net/tls.h"
#include "net/tls_server.h"
#include "probes/registry.h"

namespace fairway {
namespace {

using Severity = config::Diagnostic::Severity;

/// Opens what can be opened. Never null unless not even an empty locator can be made.
std::shared_ptr<const geoip::Locator> open_locator(const config::Config& config, const std::string& file,
                                                   FileTrouble trouble, const geoip::Locator* previous,
                                                   std::vector<config::Diagnostic>& diagnostics) {
    geoip::Sources sources = geo_sources(config);
    if (trouble == FileTrouble::is_warning) {
        // A first start: without the folder, copies are in memory, and that is the worst that can happen
        // here.
        std::error_code ignored;
        std::filesystem::create_directories(sources.copies, ignored);
    }
    auto whole = geoip::Locator::open(sources, previous);
    if (whole) return *whole;
    if (trouble == FileTrouble::is_error) {
        diagnostics.push_back({Severity::error, file, 0, 0, whole.error().message});
        return nullptr;
    }
    // One bad database must not take the good ones with it.
    geoip::Sources good;
    good.own = sources.own;
    good.copies = sources.copies;
    std::shared_ptr<const geoip::Locator> locator;
    for (const auto& database : sources.databases) {
        good.databases.push_back(database);
        auto opened = geoip::Locator::open(good, locator.get());
        if (opened) {
            locator = *opened;
            continue;
        }
        good.databases.pop_back();
        diagnostics.push_back(
            {Severity::warning, file, 0, 0, opened.error().message + "; going on without it"});
    }
    if (locator) return locator;
    auto empty = geoip::Locator::open(good);
    return empty ? *empty : nullptr;
}

/// What a monitor needs from the disk (authorities, client certificates) is looked at before it is relied on:
/// one without them would report `internal` for ever and decide nothing.
void check_monitors(const Model& model, const std::string& file, FileTrouble trouble,
                    std::vector<config::Diagnostic>& diagnostics) {
    net::TlsContexts contexts;
    const ProbeSupplies supplies(contexts);
    for (const Monitor& monitor : model.monitors) {
        const auto compiled = compile_probe(monitor, supplies);
        if (compiled) continue;
        diagnostics.push_back({trouble == FileTrouble::is_error ? Severity::error : Severity::warning, file,
                               0, 0, "monitor \"" + monitor.name + "\": " + compiled.error().message});
    }
}

/// Null without server.tls and after an error.
std::shared_ptr<const net::TlsServerContext> open_tls(const config::Config& config, const std::string& file,
                                                      FileTrouble trouble,
                                                      std::vector<config::Diagnostic>& diagnostics) {
    if (!config.server.tls) return nullptr;
    auto opened = open_certificate(*config.server.tls);
    if (!opened) {
        const bool is_error = trouble == FileTrouble::is_error;
        diagnostics.push_back({is_error ? Severity::error : Severity::warning, file, 0, 0,
                               "server.tls: " + opened.error().message +
                                   (is_error ? "" : "; no DNS over TLS until it can be used")});
        return nullptr;
    }
    const auto end = (*opened)->not_after();
    if (end && *end < std::chrono::system_clock::now())
        diagnostics.push_back({Severity::warning, file, 0, 0,
                               "server.tls: the certificate of " + config.server.tls->cert.string() +
                                   " has expired; clients that verify it will go elsewhere"});
    return *opened;
}

}  // namespace

Result<std::shared_ptr<const net::TlsServerContext>> open_certificate(const config::ServerTls& tls) {
    // RFC 7858 has no name for its protocol yet; RFC 9103 section 7.1 made one of it.
    return net::TlsServerContext::open({tls.cert.string(), tls.key.string(), {"dot"}});
}

geoip::Sources geo_sources(const config::Config& config) {
    geoip::Sources sources;
    sources.databases = config.geoip.databases;
    sources.copies = config.server.state;
    for (const auto& override_ : config.geoip.overrides) {
        for (const IpPrefix& prefix : override_.prefixes) sources.own.push_back({prefix, override_.location});
    }
    return sources;
}

std::filesystem::path keys_folder(const std::filesystem::path& state) {
    return state / "keys";
}

BuiltGeneration build_generation(const std::filesystem::path& config_file, FileTrouble file_trouble,
                                 const geoip::Locator* previous, const std::filesystem::path& state) {
    BuiltGeneration built;
    config::LoadResult loaded = config::load(config_file);
    built.diagnostics = std::move(loaded.diagnostics);
    if (!loaded.config) return built;

    // The serial of SOAs made here: seconds since the epoch grow with every reload, as RFC 1982 wants them
    // to.
    const auto serial =
        static_cast<uint32_t>(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
    dns::Authority::Built authority = dns::Authority::build(loaded.config->model, serial);
    for (const dns::ZoneDiagnostic& d : authority.diagnostics) {
        const bool error = d.severity == dns::ZoneDiagnostic::Severity::error;
        built.diagnostics.push_back({error ? Severity::error : Severity::warning,
                                     d.file.empty() ? config_file.string() : d.file, d.line, 0, d.message});
    }
    auto locator =
        open_locator(*loaded.config, config_file.string(), file_trouble, previous, built.diagnostics);
    check_monitors(*loaded.config->model, config_file.string(), file_trouble, built.diagnostics);
    auto tls = open_tls(*loaded.config, config_file.string(), file_trouble, built.diagnostics);
    dns::ZoneKeyrings keyrings;
    if (authority.authority)
        keyrings = dns::load_keyrings(keys_folder(state.empty() ? loaded.config->server.state : state),
                                      *authority.authority);
    for (const auto& [name, keyring] : keyrings)
        if (!keyring.trouble.empty())
            built.diagnostics.push_back(
                {file_trouble == FileTrouble::is_error ? Severity::error : Severity::warning,
                 config_file.string(), 0, 0, "zone " + name + ": " + keyring.trouble});
    const bool refused =
        std::any_of(built.diagnostics.begin(), built.diagnostics.end(),
                    [](const config::Diagnostic& d) { return d.severity == Severity::error; });
    if (refused || !authority.authority || !locator) return built;

    auto steering = Steering::compile(loaded.config->model, locator);
    built.generation.emplace(Generation{std::move(*loaded.config), std::move(locator), std::move(steering),
                                        std::move(authority.authority), std::move(tls), std::move(keyrings)});
    return built;
}

}  // namespace fairway
