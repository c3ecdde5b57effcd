// SPDX-License-Identifier: Apache-2.0
// Any text: nothing escapes the loader, a configuration or an error comes out, and what loads can be shown
// and loads again as the same.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/config.h"

using namespace fairway::config;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const SecretReader secrets = [](const std::string&) -> fairway::Result<SecretContent> {
        return SecretContent{"secret", ""};
    };
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const LoadResult first = load_text(text, "/f.toml", secrets);
    bool failed = false;
    for (const Diagnostic& each : first.diagnostics)
        failed = failed || each.severity == Diagnostic::Severity::error;
    if (failed == first.config.has_value()) std::abort();
    if (!first.config) return 0;
    const LoadResult second = load_text(show(*first.config), "/f.toml", secrets);
    if (!second.config || !diff(*first.config, *second.config).empty()) std::abort();
    if (*second.config->model != *first.config->model) std::abort();
    return 0;
}
