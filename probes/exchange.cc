// SPDX-License-Identifier: Apache-2.0
#include "probes/exchange.h"

#include <utility>

#include "base/text.h"

namespace fairway {

namespace {

ProbeResult result_of(Verdict verdict, ProbeLayer layer, std::string reason, std::string detail) {
    ProbeResult result;
    result.verdict = verdict;
    result.layer = layer;
    result.reason = std::move(reason);
    result.detail = std::move(detail);
    return result;
}

}  // namespace

ProbeResult passed(std::string detail) {
    return result_of(Verdict::pass, ProbeLayer::none, {}, std::move(detail));
}
ProbeResult degraded(ProbeLayer layer, std::string reason, std::string detail) {
    return result_of(Verdict::degraded, layer, std::move(reason), std::move(detail));
}
ProbeResult failed(ProbeLayer layer, std::string reason, std::string detail) {
    return result_of(Verdict::fail, layer, std::move(reason), std::move(detail));
}

std::string_view to_string(Unreachable kind) noexcept {
    switch (kind) {
        case Unreachable::port:
            return "port unreachable";
        case Unreachable::host:
            return "host unreachable";
        case Unreachable::network:
            return "network unreachable";
        case Unreachable::prohibited:
            return "administratively prohibited";
    }
    return "unreachable";
}

std::string printable(std::string_view text, size_t limit) {
    return escape_text(text, limit);
}

}  // namespace fairway
