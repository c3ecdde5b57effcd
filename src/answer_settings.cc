// SPDX-License-Identifier: Apache-2.0
#include "answer_settings.h"

#include <openssl/rand.h>

#include <stdexcept>

#include "dns/rate_limit.h"

namespace fairway {
namespace {

dns::CookieSecret random_secret() {
    dns::CookieSecret secret{};
    if (RAND_bytes(secret.data(), static_cast<int>(secret.size())) != 1)
        throw std::runtime_error("the system has no random numbers for DNS cookies");
    return secret;
}

dns::CookieSecrets cookies_of(const config::Config& config, const dns::AnswerSettings* previous) {
    if (config.server.cookie_secret) {
        auto given = dns::parse_cookie_secrets(config.server.cookie_secret->value);
        // The configuration was checked; a secret that nobody shares is better than none.
        if (given) return *given;
    }
    if (previous != nullptr && previous->cookies) return *previous->cookies;
    return {random_secret(), std::nullopt};
}

std::shared_ptr<dns::RateLimiter> limiter_of(const config::RateLimit& limit,
                                             const dns::AnswerSettings* previous) {
    if (limit.responses == 0) return nullptr;
    const dns::RateLimitSettings wanted{limit.responses, limit.slip, limit.ipv4_prefix, limit.ipv6_prefix,
                                        limit.exempt};
    if (previous != nullptr && previous->limiter && previous->limiter->settings() == wanted)
        return previous->limiter;
    return std::make_shared<dns::RateLimiter>(wanted, random_secret());
}

}  // namespace

std::shared_ptr<const dns::AnswerSettings> answer_settings(const config::Config& config,
                                                           const dns::AnswerSettings* previous) {
    auto settings = std::make_shared<dns::AnswerSettings>();
    settings->nsid = config.server.nsid;
    settings->cookies = cookies_of(config, previous);
    settings->limiter = limiter_of(config.server.rate_limit, previous);
    return settings;
}

std::shared_ptr<const dns::AnswerSettings> with_next_cookie_secret(const dns::AnswerSettings& previous) {
    auto settings = std::make_shared<dns::AnswerSettings>(previous);
    settings->cookies->rotate(random_secret());
    return settings;
}

}  // namespace fairway
