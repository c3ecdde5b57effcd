// SPDX-License-Identifier: Apache-2.0
// The certificate of DNS over TLS while it is served: whoever renews it (certbot) replaces its files and
// tells nobody.

#include <chrono>
#include <utility>

#include "base/log.h"
#include "net/certificate.h"
#include "server.h"

namespace fairway {
namespace {

std::string describe(const net::TlsServerContext& certificate, WallTime now) {
    std::string text = "certificate";
    if (!certificate.hosts().empty()) text += " for " + certificate.hosts();
    if (!certificate.not_after()) return text;
    const auto left = *certificate.not_after() - std::chrono::floor<seconds>(now);
    return text + (left < seconds{0} ? ", which has expired" : ", good for " + net::rough_duration(left));
}

}  // namespace

void Server::look_at_certificate() {
    if (!config().server.tls || certificate_queued_) return;
    if (generation_.tls && !generation_.tls->changed()) return;
    certificate_queued_ = true;
    background_.enqueue([this]() -> Background::Work {
        return [this, tls = config().server.tls]() -> std::function<void()> {
            // A configuration without it has come between.
            if (!tls) return [this] { certificate_queued_ = false; };
            return [this, opened = open_certificate(*tls)] {
                certificate_queued_ = false;
                if (opened) {
                    use_certificate(*opened);
                    tell(EventKind::config, Severity::info, "server.tls",
                         "DNS over TLS has a new " + describe(**opened, now()));
                    return;
                }
                // Two files cannot be replaced at once: between them they do not belong together. So trouble
                // is told when it stays, and then once.
                const std::string& trouble = opened.error().message;
                const bool stays = std::exchange(certificate_trouble_, trouble) == trouble;
                if (!stays) certificate_trouble_told_ = false;
                if (!stays || std::exchange(certificate_trouble_told_, true)) return;
                tell(
                    EventKind::config, Severity::warning, "server.tls",
                    (generation_.tls ? "new certificate refused, the old one stays: " : "no DNS over TLS: ") +
                        trouble);
            };
        };
    });
}

void Server::use_certificate(std::shared_ptr<const net::TlsServerContext> certificate) {
    generation_.tls = std::move(certificate);
    certificate_trouble_.clear();
    certificate_trouble_told_ = false;
    tls_.context.publish(generation_.tls);
}

void Server::rotate_ticket_key() {
    if (const auto secret = net::make_ticket_secret(); secret)
        tls_.tickets.rotate(*secret);
    else
        log::warning("TLS tickets keep their key: " + secret.error().message);
}

}  // namespace fairway
