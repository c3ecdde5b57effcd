// SPDX-License-Identifier: Apache-2.0
// The TLS probe: a full handshake, and what it showed.

#include <memory>

#include "probes/registry.h"
#include "probes/tls_exchange.h"

namespace fairway {

namespace {

class TlsStreamProbe final : public StreamProbe {
  public:
    TlsStreamProbe(TlsSettings settings, std::shared_ptr<const net::TlsContext> context)
        : settings_(std::move(settings)), context_(std::move(context)) {}

    std::unique_ptr<StreamExchange> make_exchange(const ProbeTarget& target) const override {
        return std::make_unique<TlsExchange>(context_, settings_, target.host, nullptr);
    }

  private:
    TlsSettings settings_;
    std::shared_ptr<const net::TlsContext> context_;
};

}  // namespace

Result<CompiledProbe> compile_tls(const Monitor& monitor, net::TlsContexts& tls) {
    const TlsSettings& settings = std::get<TlsProbe>(monitor.probe).tls;
    auto context = tls_context(settings, tls);
    if (!context) return tl::unexpected(context.error());
    return std::make_unique<TlsStreamProbe>(settings, std::move(*context));
}

}  // namespace fairway
