// SPDX-License-Identifier: Apache-2.0
// Health that another process remembered: an error, or values within their ranges that an engine can go on
// with, whatever they are.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "health/engine.h"
#include "health/memory.h"
#include "unit/health/small_model.h"

using namespace fairway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto memory = parse_health_memory(as_text({data, size}));
    if (!memory) return 0;
    const auto again = parse_health_memory(to_text(*memory));
    if (!again || to_text(*again) != to_text(*memory)) std::abort();
    const MonotonicTime now{seconds{1000}};
    HealthEngine engine;
    engine.configure(test::small_model(), now);
    engine.recall(*memory, now);
    for (int i = 0; i < 20; ++i) {
        const auto next = engine.next_deadline();
        if (!next) break;
        engine.advance(std::max(*next, now));
    }
    ProbeResult pass;
    pass.verdict = Verdict::pass;
    engine.record(EndpointId(0), 0, pass, now + seconds{1});
    engine.record(EndpointId(1), 0, ProbeResult{}, now + seconds{2});
    (void)engine.take_transitions();
    (void)engine.snapshot();
    return 0;
}
