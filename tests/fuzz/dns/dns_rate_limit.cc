// SPDX-License-Identifier: Apache-2.0
// The rate limit beside a naive one with exact keys: some clients at some moments must get the same verdicts
// from both.
#include <cstdlib>
#include <map>
#include <tuple>

#include "dns/rate_limit.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

void require(bool good) {
    if (!good) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Reader input(ByteSpan(data, size));
    RateLimitSettings settings;
    settings.responses = 1 + input.u8() % 50;
    settings.slip = input.u8() % 4;
    settings.ipv4_prefix = static_cast<uint8_t>(8 + input.u8() % 25);
    settings.ipv6_prefix = static_cast<uint8_t>(16 + input.u8() % 49);
    RateLimiter limiter(settings, CookieSecret{7});

    // Units of 128 ns, as in the limiter: rounding is not what is looked for.
    constexpr int64_t unit = 128;
    constexpr int64_t second = 1'000'000'000 / unit;
    const int64_t cost = second / settings.responses;
    std::map<std::pair<IpPrefix, ResponseKind>, int64_t> until;
    int64_t now = 1'000 * second;
    uint32_t turn = 0;
    uint32_t limited = 0;
    while (input.remaining() >= 4) {
        const uint8_t what = input.u8();
        const uint8_t who = input.u8();
        now += int64_t{input.u16()} * (what & 0x80 ? 4'000 : 20);
        const auto kind = static_cast<ResponseKind>(what % 5);
        // A few clients, so that no place in the table is fought for.
        const IpAddress source =
            what & 0x40 ? IpAddress::v6({0x20, 0x01, 0x0d, 0xb8, 0, 0, who, who, 0, 0, 0, 0, 0, 0, 0, 1})
                        : IpAddress::v4(0xc0000200U + who);
        const auto verdict = limiter.judge(source, kind, MonotonicTime(nanoseconds{now * unit}), turn);
        const IpPrefix client(source, what & 0x40 ? settings.ipv6_prefix : settings.ipv4_prefix);
        int64_t& used_until = until[{client, kind}];
        const int64_t used = std::max<int64_t>(0, used_until - now);
        if (used <= second - cost) {
            used_until = now + used + cost;
            require(verdict == RateLimiter::Verdict::send);
            continue;
        }
        ++limited;
        const bool slips = settings.slip > 0 && limited % settings.slip == 0;
        require(verdict == (slips ? RateLimiter::Verdict::truncate : RateLimiter::Verdict::drop));
    }
    return 0;
}
