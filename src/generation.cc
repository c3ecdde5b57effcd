// SPDX-License-Identifier: Apache-2.0
#include "generation.h"

#include <chrono>

namespace fairway {
namespace {

using Severity = config::Diagnostic::Severity;

/// Opens what can be opened. Never null unless not even an empty locator can be made.
std::shared_ptr<const geoip::Locator> open_locator(const config::Config& config, const std::string& file,
                                                   GeoTrouble trouble, const geoip::Locator* previous,
                                                   std::vector<config::Diagnostic>& diagnostics) {
    geoip::Sources sources = geo_sources(config);
    auto whole = geoip::Locator::open(sources, previous);
    if (whole) return *whole;
    if (trouble == GeoTrouble::is_error) {
        diagnostics.push_back({Severity::error, file, 0, 0, whole.error().message});
        return nullptr;
    }
    // One bad database must not take the good ones with it.
    geoip::Sources good;
    good.own = sources.own;
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

}  // namespace

geoip::Sources geo_sources(const config::Config& config) {
    geoip::Sources sources;
    sources.databases = config.geoip.databases;
    for (const auto& override_ : config.geoip.overrides) {
        for (const IpPrefix& prefix : override_.prefixes) sources.own.push_back({prefix, override_.location});
    }
    return sources;
}

BuiltGeneration build_generation(const std::filesystem::path& config_file, GeoTrouble geo_trouble,
                                 const geoip::Locator* previous) {
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
        open_locator(*loaded.config, config_file.string(), geo_trouble, previous, built.diagnostics);
    if (!authority.authority || !locator) return built;

    auto steering = Steering::compile(loaded.config->model, locator);
    built.generation.emplace(Generation{std::move(*loaded.config), std::move(locator), std::move(steering),
                                        std::move(authority.authority)});
    return built;
}

}  // namespace fairway
