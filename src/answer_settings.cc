// SPDX-License-Identifier: Apache-2.0
#include "answer_settings.h"

#include <openssl/rand.h>

#include <stdexcept>

#include "base/base64.h"
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

std::vector<dns::TsigKey> keys_of(const config::Config& config) {
    std::vector<dns::TsigKey> keys;
    for (const config::TsigKey& source : config.tsig) {
        const auto name = dns::Name::parse(source.name);
        const auto algorithm = dns::parse_tsig_algorithm(source.algorithm);
        auto secret = decode_base64(source.secret.value);
        // The configuration was checked; what is not understood all the same signs nothing.
        if (name && algorithm && secret) keys.push_back({*name, *algorithm, std::move(*secret)});
    }
    return keys;
}

}  // namespace

std::shared_ptr<const dns::AnswerSettings> answer_settings(const config::Config& config,
                                                           const dns::AnswerSettings* previous) {
    auto settings = std::make_shared<dns::AnswerSettings>();
    settings->nsid = config.server.nsid;
    settings->cookies = cookies_of(config, previous);
    settings->limiter = limiter_of(config.server.rate_limit, previous);
    settings->keys = keys_of(config);
    return settings;
}

std::shared_ptr<const dns::AnswerSettings> with_next_cookie_secret(const dns::AnswerSettings& previous) {
    auto settings = std::make_shared<dns::AnswerSettings>(previous);
    settings->cookies->rotate(random_secret());
    return settings;
}

}  // namespace fairway
