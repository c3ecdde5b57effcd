// SPDX-License-Identifier: Apache-2.0
#pragma once
// TLS as a layer between a stream driver and an exchange: it runs the handshake on the driver's io and gives
// the exchange above an io of its own, whose bytes are encrypted and whose results carry what the handshake
// showed. With no exchange above, the handshake itself is the probe.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/monitor.h"
#include "net/tls.h"
#include "probes/exchange.h"

namespace fairway {

/// The shared part of `settings`: loads files when nobody has before. The error is for an operator.
[[nodiscard]] Result<std::shared_ptr<const net::TlsContext>> tls_context(const TlsSettings& settings,
                                                                         net::TlsContexts& contexts);

class TlsExchange final : public StreamExchange {
  public:
    /// `settings` outlives the exchange. `host` is the endpoint's, verified and sent as SNI where the
    /// settings name no server. `above` may be null.
    TlsExchange(std::shared_ptr<const net::TlsContext> context, const TlsSettings& settings,
                std::string_view host, std::unique_ptr<StreamExchange> above);
    ~TlsExchange() override;

    void on_connected(StreamIo& io) override;
    void on_data(ByteSpan bytes, StreamIo& io) override;
    [[nodiscard]] ProbeResult on_end(StreamStop how, StreamIo& io) override;
    void release() noexcept override;

  private:
    class Io;
    struct Run;

    void flush(StreamIo& io);
    void on_established(Io& io);
    void deliver(Io& io);
    void finish(ProbeResult result, StreamIo& io);
    void say_goodbye(StreamIo& io);
    [[nodiscard]] ProbeResult with_facts(ProbeResult result, WallTime now) const;

    std::shared_ptr<const net::TlsContext> context_;
    const TlsSettings& settings_;
    std::string peer_;
    std::unique_ptr<StreamExchange> above_;
    std::unique_ptr<Run> run_;  // of the attempt under way
};

}  // namespace fairway
