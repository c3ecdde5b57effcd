// SPDX-License-Identifier: Apache-2.0
#include "probes/tls_exchange.h"

#include <array>
#include <cassert>

#include "net/certificate.h"

namespace fairway {

using State = net::TlsSession::State;

struct TlsExchange::Run {
    Run(std::shared_ptr<const net::TlsContext> context, std::string_view peer, WallTime now)
        : session(std::move(context), peer, now) {}

    net::TlsSession session;
    bool answered = false;    // anything came
    bool shaken = false;      // the handshake is done
    bool confirming = false;  // said goodbye and waits for what the peer makes of our certificate
    bool over = false;        // decided, or left for another connection
};

// What the exchange above sees of the driver.
class TlsExchange::Io final : public StreamIo {
  public:
    Io(TlsExchange& layer, StreamIo& below) noexcept : layer_(layer), below_(below) {}

    using StreamIo::send;
    void send(ByteSpan bytes) override {
        layer_.run_->session.write(bytes);
        layer_.flush(below_);
    }
    void finish(ProbeResult result) override { layer_.finish(std::move(result), below_); }
    void reconnect() override {
        layer_.say_goodbye(below_);
        below_.reconnect();
    }
    [[nodiscard]] const Attempt& attempt() const noexcept override { return below_.attempt(); }
    [[nodiscard]] MonotonicTime now() const noexcept override { return below_.now(); }
    [[nodiscard]] WallTime wall_now() const noexcept override { return below_.wall_now(); }
    [[nodiscard]] bool tracing() const noexcept override { return below_.tracing(); }
    void step(std::string_view what) override { below_.step(what); }

    [[nodiscard]] StreamIo& below() noexcept { return below_; }

  private:
    TlsExchange& layer_;
    StreamIo& below_;
};

Result<std::shared_ptr<const net::TlsContext>> tls_context(const TlsSettings& settings,
                                                           net::TlsContexts& contexts) {
    const auto version = net::parse_tls_version(settings.min_version);
    if (!version) return tl::unexpected(version.error());
    net::TlsProfile profile;
    profile.verify = settings.verify ? net::TlsVerify::enforce : net::TlsVerify::report;
    profile.ca_file = settings.ca_file;
    profile.min_version = *version;
    profile.alpn = settings.alpn;
    profile.cert_file = settings.cert_file;
    profile.key_file = settings.key_file;
    profile.pin_sha256 = settings.pin_sha256;
    return contexts.get(profile);
}

TlsExchange::TlsExchange(std::shared_ptr<const net::TlsContext> context, const TlsSettings& settings,
                         std::string_view host, std::unique_ptr<StreamExchange> above)
    : context_(std::move(context)),
      settings_(settings),
      peer_(settings.server_name.empty() ? host : std::string_view(settings.server_name)),
      above_(std::move(above)) {}

TlsExchange::~TlsExchange() = default;

void TlsExchange::on_connected(StreamIo& io) {
    run_ = std::make_unique<Run>(context_, peer_, io.wall_now());
    run_->session.start();
    flush(io);
    if (run_->session.state() == State::failed) finish(failed(ProbeLayer::tls, run_->session.failure()), io);
}

void TlsExchange::on_data(ByteSpan bytes, StreamIo& io) {
    Run& run = *run_;
    run.answered = true;
    run.session.feed(bytes);
    flush(io);
    Io upper(*this, io);
    if (run.session.state() == State::established && !run.shaken) on_established(upper);
    if (!run.over) deliver(upper);
}

ProbeResult TlsExchange::on_end(StreamStop how, StreamIo& io) {
    Run& run = *run_;
    if (!run.shaken) {
        if (how == StreamStop::deadline)
            return failed(ProbeLayer::tls, run.answered ? "TLS handshake did not end in time"
                                                        : "no answer to the TLS handshake in time");
        run.session.feed_end();
        ProbeResult result =
            failed(ProbeLayer::tls, how == StreamStop::reset ? "connection reset during the handshake"
                                                             : run.session.failure());
        result.explicit_refusal = how == StreamStop::reset;
        return with_facts(std::move(result), io.wall_now());
    }
    if (run.confirming) {
        if (how == StreamStop::eof) return with_facts(passed(), io.wall_now());
        return with_facts(
            failed(ProbeLayer::tls, how == StreamStop::reset
                                        ? "connection reset where the client certificate was judged"
                                        : "peer did not judge the client certificate in time"),
            io.wall_now());
    }
    Io upper(*this, io);
    return with_facts(above_->on_end(how, upper), io.wall_now());
}

void TlsExchange::release() noexcept {
    if (above_ != nullptr) above_->release();
    run_.reset();
}

void TlsExchange::flush(StreamIo& io) {
    if (run_->session.has_output()) io.send(run_->session.take_output());
}

void TlsExchange::on_established(Io& io) {
    Run& run = *run_;
    run.shaken = true;
    if (io.tracing()) io.step("TLS handshake " + run.session.facts().version);
    if (above_ != nullptr) {
        above_->on_connected(io);
    } else if (run.session.facts().client_certificate_requested && run.session.facts().version == "TLSv1.3") {
        // In TLS 1.3 the client is done before the server has seen its certificate (RFC 8446 section 2), and
        // a refusal comes only now. Saying goodbye makes the server answer one way or the other.
        run.confirming = true;
        run.session.close();
        flush(io.below());
    } else {
        io.finish(passed());
    }
}

// Hands plaintext up and notices the end of the session.
void TlsExchange::deliver(Io& io) {
    Run& run = *run_;
    std::array<uint8_t, 16'384> buffer;
    while (const size_t count = run.session.read(buffer)) {
        if (above_ != nullptr) above_->on_data(ByteSpan(buffer).first(count), io);
        if (run.over) return;
    }
    flush(io.below());  // what reading made: key updates, refusals of renegotiation
    if (run.session.state() == State::failed) {
        io.finish(failed(ProbeLayer::tls, run.session.failure()));
    } else if (run.session.state() == State::closed) {
        io.finish(run.confirming ? passed() : above_->on_end(StreamStop::eof, io));
    }
}

void TlsExchange::finish(ProbeResult result, StreamIo& io) {
    say_goodbye(io);
    io.finish(with_facts(std::move(result), io.wall_now()));
}

void TlsExchange::say_goodbye(StreamIo& io) {
    Run& run = *run_;
    run.over = true;
    if (run.shaken && !run.confirming) {
        run.session.close();
        flush(io);
    }
}

ProbeResult TlsExchange::with_facts(ProbeResult result, WallTime now) const {
    const net::TlsFacts& facts = run_->session.facts();
    const auto days = facts.days_left(now);
    const auto add = [&](const std::string& text) {
        if (!result.detail.empty()) result.detail += ", ";
        result.detail += text;
    };
    if (!facts.version.empty()) add(facts.version);
    if (days) {
        // Where it has expired, the reason or the trouble below says since when.
        if (*days >= 0) add("certificate " + std::to_string(*days) + (*days == 1 ? " day" : " days"));
        const auto left = *facts.not_after - std::chrono::floor<seconds>(now);
        if (result.verdict == Verdict::pass && *days < int64_t{settings_.min_days}) {
            result.verdict = Verdict::degraded;
            result.layer = ProbeLayer::tls;
            result.reason = left < seconds(0) ? "certificate expired " + net::rough_duration(-left) + " ago"
                                              : "certificate expires in " + net::rough_duration(left);
        }
    }
    if (!facts.cipher.empty()) add(facts.cipher);
    if (!facts.alpn.empty()) add("ALPN " + facts.alpn);
    // Only worth saying where it is not the reason already.
    if (result.usable() && !facts.certificate_problem.empty())
        add("not verified: " + facts.certificate_problem);
    return result;
}

}  // namespace fairway
