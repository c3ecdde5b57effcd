// SPDX-License-Identifier: Apache-2.0
// What answers at the server's address, in pieces of any size.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/bytes.h"
#include "cli/http_response.h"
#include "cli/terminal.h"

using namespace fairway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const size_t piece = 1 + data[0] % 64;
    const std::string_view input = as_text({data + 1, size - 1});
    cli::HttpResponse whole, pieces;
    const bool whole_good = whole.feed(input).has_value();
    bool pieces_good = true;
    for (size_t at = 0; at < input.size() && pieces_good; at += piece)
        pieces_good = pieces.feed(input.substr(at, piece)).has_value();
    // How the network cuts it must not matter.
    if (whole_good != pieces_good || whole.complete() != pieces.complete()) std::abort();
    if (whole_good && (whole.body() != pieces.body() || whole.status() != pieces.status())) std::abort();
    (void)whole.finish();
    for (const char c : cli::harmless(input))
        if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) std::abort();
    return 0;
}
