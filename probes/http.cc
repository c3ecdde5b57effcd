// SPDX-License-Identifier: Apache-2.0
// The HTTP probe: one request, and redirects where they are asked for, over TCP, TLS or whatever stream is
// beneath. It reads until the verdict is certain and not one octet further.

#include <algorithm>
#include <memory>
#include <optional>

#include "base/pattern.h"
#include "base/text.h"
#include "net/tls.h"
#include "probes/http_request.h"
#include "probes/http_response.h"
#include "probes/registry.h"
#include "probes/tls_exchange.h"

namespace fairway {

namespace {

/// What all exchanges of one monitor share.
struct Shared {
    HttpProbe settings;
    std::optional<Pattern> pattern;
    std::shared_ptr<const net::TlsContext> context;  // null: plain

    [[nodiscard]] HttpScheme scheme() const {
        return context == nullptr ? HttpScheme::http : HttpScheme::https;
    }
};

std::string wanted_statuses(const HttpProbe& settings) {
    std::string text;
    for (const auto& [first, last] : settings.status) {
        if (!text.empty()) text += ", ";
        text += std::to_string(first);
        if (last != first) text += "-" + std::to_string(last);
    }
    return text;
}

bool is_redirect(uint16_t status) {
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

class HttpExchange final : public StreamExchange {
  public:
    HttpExchange(const Shared& shared, std::string host)
        : shared_(shared),
          host_(std::move(host)),
          body_(shared.settings.method == "HEAD" ? HttpBody::none : HttpBody::allowed) {}

    void on_connected(StreamIo& io) override {
        if (run_ == nullptr) run_ = std::make_unique<Run>(shared_.settings.path);
        run_->response.emplace(body_, shared_.settings.body_limit);
        run_->head_seen = false;
        run_->searched = 0;
        io.send(http_request(shared_.settings, host_, run_->path));
    }

    void on_data(ByteSpan bytes, StreamIo& io) override {
        run_->response->feed(bytes);
        if (auto result = verdict(io)) {
            io.finish(std::move(*result));
        } else if (redirected()) {
            follow(io);
        }
    }

    ProbeResult on_end(StreamStop how, StreamIo& io) override {
        HttpResponseParser& response = *run_->response;
        if (how == StreamStop::eof) {
            response.end();
            // Complete or failed, a response that is no redirect has its verdict; and redirects are left at
            // once.
            if (auto result = verdict(io)) return std::move(*result);
        }
        const std::string awaiting(response.awaiting());
        ProbeResult result = failure(how == StreamStop::deadline ? awaiting + " did not come in time"
                                                                 : "connection reset before " + awaiting);
        result.explicit_refusal = how == StreamStop::reset && !response.has_head();
        return result;
    }

    void release() noexcept override { run_.reset(); }

  private:
    static constexpr size_t shown = 80;  // octets of text from the peer or the configuration in a reason

    /// Of one attempt.
    struct Run {
        explicit Run(std::string first) : path(std::move(first)) {}

        std::optional<HttpResponseParser> response;  // of the connection under way
        std::string path;
        uint8_t redirects = 0;   // followed
        bool head_seen = false;  // reported as a step
        size_t searched = 0;     // octets of the body that `expect` does not begin in
    };

    /// A redirect that is to be followed.
    [[nodiscard]] bool redirected() const {
        return run_->response->has_head() && is_redirect(run_->response->status()) &&
               run_->redirects < shared_.settings.redirects;
    }

    /// The result as soon as it is certain. It depends on the octets alone, not on how many came at a time:
    /// what was enough for a verdict counts, even if what followed it in the same piece was broken.
    [[nodiscard]] std::optional<ProbeResult> verdict(StreamIo& io) {
        Run& run = *run_;
        const HttpResponseParser& response = *run.response;
        const HttpProbe& settings = shared_.settings;
        const bool over = response.state() == HttpResponseParser::State::complete ||
                          response.state() == HttpResponseParser::State::failed;
        if (!response.has_head()) {
            if (!over) return std::nullopt;
            return failed(ProbeLayer::http, response.problem());
        }
        if (!run.head_seen && io.tracing()) io.step("HTTP " + std::to_string(response.status()));
        run.head_seen = true;

        if (redirected()) return std::nullopt;
        const uint16_t status = response.status();
        const bool accepted =
            std::any_of(settings.status.begin(), settings.status.end(),
                        [&](const auto& range) { return range.first <= status && status <= range.second; });
        if (!accepted) {
            if (is_redirect(status) && run.redirects > 0)
                return failure("more than " + std::to_string(settings.redirects) + " redirects");
            return failed(ProbeLayer::http,
                          "status " + std::to_string(status) + ", wanted " + wanted_statuses(settings),
                          is_redirect(status) && !response.location().empty()
                              ? "redirect to \"" + escape_text(response.location(), shown) + "\""
                              : "");
        }
        const bool found = find_text();
        if (found && !shared_.pattern) return passed(status_detail());
        if (!over) return std::nullopt;
        if (!found) return missing("\"" + escape_text(settings.expect, shown) + "\"");
        // A pattern may look at the end ("ready$"), so it is only certain once the end is known.
        if (response.state() == HttpResponseParser::State::failed) return failure(response.problem());
        if (shared_.pattern->found_in(response.body())) return passed(status_detail());
        return missing("a match of \"" + escape_text(settings.expect_regex, shown) + "\"");
    }

    /// Looks at each octet of the body about once, however small the pieces.
    [[nodiscard]] bool find_text() {
        const std::string& text = shared_.settings.expect;
        if (text.empty()) return true;
        const std::string_view body = run_->response->body();
        if (body.find(text, run_->searched) != std::string_view::npos) return true;
        if (body.size() >= text.size()) run_->searched = body.size() - text.size() + 1;
        return false;
    }

    /// The body is over, whole or not, and does not hold what it should.
    [[nodiscard]] ProbeResult missing(const std::string& what) {
        const HttpResponseParser& response = *run_->response;
        if (response.state() == HttpResponseParser::State::failed) return failure(response.problem());
        return failure("body does not contain " + what +
                       (response.body_cut()
                            ? " in its first " + std::to_string(response.body().size()) + " octets"
                            : ""));
    }

    /// Asks again, on another connection: what else the redirect's response holds does not matter.
    void follow(StreamIo& io) {
        auto path = redirect_path(run_->response->location(), shared_.scheme(), host_, run_->path);
        if (!path) return io.finish(failure(path.error().message));
        run_->path = std::move(*path);
        ++run_->redirects;
        io.reconnect();
    }

    [[nodiscard]] std::string status_detail() const {
        return "status " + std::to_string(run_->response->status());
    }
    /// A failure, with the status where there is one.
    [[nodiscard]] ProbeResult failure(std::string reason) const {
        return failed(ProbeLayer::http, std::move(reason),
                      run_->response->has_head() ? status_detail() : std::string());
    }

    const Shared& shared_;
    std::string host_;
    HttpBody body_;
    std::unique_ptr<Run> run_;
};

class HttpStreamProbe final : public StreamProbe {
  public:
    explicit HttpStreamProbe(Shared shared) : shared_(std::move(shared)) {}

    std::unique_ptr<StreamExchange> make_exchange(const ProbeTarget& target) const override {
        auto http =
            std::make_unique<HttpExchange>(shared_, http_host(shared_.settings, target.host, target.port));
        if (shared_.context == nullptr) return http;
        return std::make_unique<TlsExchange>(shared_.context, *shared_.settings.tls, target.host,
                                             std::move(http));
    }

  private:
    Shared shared_;
};

}  // namespace

Result<CompiledProbe> compile_http(const Monitor& monitor, net::TlsContexts& tls) {
    Shared shared;
    shared.settings = std::get<HttpProbe>(monitor.probe);
    if (auto checked = check_http_settings(shared.settings); !checked) return tl::unexpected(checked.error());
    if (!shared.settings.expect_regex.empty()) {
        auto pattern = Pattern::compile(shared.settings.expect_regex);
        if (!pattern) return fail("expect_regex is no regular expression: " + pattern.error().message);
        shared.pattern = std::move(*pattern);
    }
    if (shared.settings.tls) {
        const auto& alpn = shared.settings.tls->alpn;
        if (std::any_of(alpn.begin(), alpn.end(),
                        [](const std::string& name) { return !name.starts_with("http/1."); }))
            return fail("an HTTP probe speaks HTTP/1.1 and can offer no other ALPN than http/1.1");
        auto context = tls_context(*shared.settings.tls, tls);
        if (!context) return tl::unexpected(context.error());
        shared.context = std::move(*context);
    }
    return std::make_unique<HttpStreamProbe>(std::move(shared));
}

}  // namespace fairway
