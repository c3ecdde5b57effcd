// SPDX-License-Identifier: Apache-2.0
#pragma once
// Probe results as tests want them.

#include <string>

#include "model/probe_result.h"

namespace fairway::sim {

inline ProbeResult make_result(Verdict verdict, ProbeLayer layer = ProbeLayer::none,
                               std::string reason = "") {
    ProbeResult result;
    result.verdict = verdict;
    result.layer = layer;
    result.reason = std::move(reason);
    return result;
}
inline ProbeResult pass() {
    return make_result(Verdict::pass);
}
inline ProbeResult degraded() {
    return make_result(Verdict::degraded, ProbeLayer::tls, "certificate expires in 3 days");
}
/// Nothing came back.
inline ProbeResult silence() {
    return make_result(Verdict::fail, ProbeLayer::transport, "timeout");
}
inline ProbeResult refused() {
    ProbeResult result = make_result(Verdict::fail, ProbeLayer::transport, "connect refused");
    result.explicit_refusal = true;
    return result;
}
/// A failure of the prober itself.
inline ProbeResult own_trouble() {
    return make_result(Verdict::fail, ProbeLayer::internal, "too many open files");
}

}  // namespace fairway::sim
