// SPDX-License-Identifier: Apache-2.0
#pragma once
// How the DNS server answers, from the configuration: what of it lives on through reloads, and the secrets
// that are made here.

#include <memory>

#include "config/config.h"
#include "dns/serving.h"

namespace fairway {

/// `previous` is what serves now, or null at start: random secrets and the counts of an unchanged rate limit
/// are kept. Throws std::runtime_error when the system has no random numbers.
[[nodiscard]] std::shared_ptr<const dns::AnswerSettings> answer_settings(const config::Config& config,
                                                                         const dns::AnswerSettings* previous);

/// The same with the next random cookie secret; the one before is still accepted. Throws as above.
[[nodiscard]] std::shared_ptr<const dns::AnswerSettings> with_next_cookie_secret(
    const dns::AnswerSettings& previous);

}  // namespace fairway
