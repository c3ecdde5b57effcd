// SPDX-License-Identifier: Apache-2.0
// A request target in the first line, a JSON body after it: what a connection hands to the routes.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/json.h"
#include "base/bytes.h"

using namespace fairway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input = as_text({data, size});
    const size_t end = input.find('\n');
    const std::string_view sent = input.substr(0, end);
    if (const auto target = api::Target::parse(sent)) {
        // What was accepted must be safe to print, to store and to put into a document.
        for (const std::string& segment : target->segments)
            for (const char c : segment)
                if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) std::abort();
        std::vector<std::string> arguments;
        for (const auto& [key, value] : target->query) arguments.push_back(key + "=" + value);
        std::string path;
        bool has_slash = target->segments.empty();
        for (const std::string& segment : target->segments) {
            path += "/" + segment;
            has_slash |= segment.find('/') != std::string::npos;
        }
        if (!has_slash && arguments.empty() && !api::Target::make(path, {})) std::abort();
    }
    (void)api::Target::make(sent, {std::string(sent)});
    if (end == std::string_view::npos) return 0;
    api::BodyReader body(input.substr(end + 1));
    (void)body.texts("targets");
    (void)body.text("reason");
    (void)body.flag("force");
    (void)body.number("revision");
    if (const auto outcome = body.finish(); !outcome)
        (void)api::problem(400, "bad-request", outcome.error().message);
    return 0;
}
