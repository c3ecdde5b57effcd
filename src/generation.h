// SPDX-License-Identifier: Apache-2.0
#pragma once
// Everything that one configuration compiles into, as a whole: it is built beside the one in force, on a
// thread of its own, and then takes its place or is thrown away. Reading files is all it does; it opens no
// socket.

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "config/config.h"
#include "dns/signing_keys.h"
#include "geoip/locator.h"
#include "steering/steering.h"

namespace fairway::net {
class TlsServerContext;
}

namespace fairway {

struct Generation {
    config::Config config;
    std::shared_ptr<const geoip::Locator> locator;
    std::shared_ptr<const Steering> steering;         // of config.model
    std::shared_ptr<const dns::Authority> authority;  // of config.model
    /// Of server.tls; null without one, and at start when its files cannot be used.
    std::shared_ptr<const net::TlsServerContext> tls;
    dns::ZoneKeyrings keyrings;  // of the authority's signed zones
};

struct BuiltGeneration {
    std::optional<Generation> generation;  // absent exactly when a diagnostic is an error
    std::vector<config::Diagnostic> diagnostics;
};

/// What to do about a file that the configuration names and that cannot be used: a geo database, an
/// authority, a certificate.
enum class FileTrouble : uint8_t {
    is_error,   // reload and --check: nothing changes, say why
    is_warning  // start: answering without it beats not answering
};

/// Reads the configuration with its zone files and geo databases. `previous` shares databases that did not
/// change; may be null. Blocks for as long as that takes: seconds for a large database.
/// `state` is the folder that is in force, where the keys are; empty: the configuration's.
[[nodiscard]] BuiltGeneration build_generation(const std::filesystem::path& config_file,
                                               FileTrouble file_trouble, const geoip::Locator* previous,
                                               const std::filesystem::path& state = {});

/// Where the keys of signed zones are, below the state folder.
[[nodiscard]] std::filesystem::path keys_folder(const std::filesystem::path& state);

/// Reads certificate and key. The error is a sentence for people. Blocking.
[[nodiscard]] Result<std::shared_ptr<const net::TlsServerContext>> open_certificate(
    const config::ServerTls& tls);

/// What the locator is to know under `config`.
[[nodiscard]] geoip::Sources geo_sources(const config::Config& config);

}  // namespace fairway
