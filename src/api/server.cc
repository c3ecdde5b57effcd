// SPDX-License-Identifier: Apache-2.0
// The only file that knows libwebsockets. Its callbacks all come on the loop's thread; what a connection is
// about hangs on its per-session pointer as an Exchange, made when the request's headers are in and freed
// when the transaction or the connection ends, whichever is first.

#include "api/server.h"

#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <list>
#include <stdexcept>
#include <system_error>

#include "api/control.h"
#include "api/event_feed.h"
#include "api/routes.h"
#include "base/log.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "net/acceptor.h"
#include "net/inherited_sockets.h"
#include "net/loop.h"
#include "net/timer.h"

namespace fairway::api {
namespace {

constexpr unsigned max_header = 16 * 1024;  // octets of one request's headers
constexpr unsigned own_descriptors = 16;    // of the library: listeners, its event pipe
constexpr size_t piece = 16 * 1024;         // octets of a body handed to the kernel at a time
constexpr seconds beat_period{15};          // of an event stream on which nothing happens
constexpr std::string_view bearer = "bearer ";
/// Of our listening sockets, among those that one process inherits from another.
constexpr std::string_view purpose = "api";

/// A listener and what its clients may do.
struct Face {
    bool unix = false;
    bool tls = false;
    std::string token;  // empty: none is needed
    std::unique_ptr<net::Acceptor> acceptor;
};

/// Time does not tell how much of a wrong token was right.
bool equal_in_constant_time(std::string_view given, std::string_view secret) {
    unsigned difference = given.size() == secret.size() ? 0 : 1;
    for (size_t i = 0; i < given.size(); ++i)
        difference |= static_cast<unsigned>(static_cast<uint8_t>(given[i]) ^
                                            static_cast<uint8_t>(secret[i % secret.size()]));
    return difference == 0;
}

std::string name_of_peer(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "unknown";
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 4096> buffer{};
    if (::getpwuid_r(peer.uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
        return found->pw_name;
    return "uid " + std::to_string(peer.uid);
}

std::string header(lws* wsi, lws_token_indexes token) {
    const int length = lws_hdr_total_length(wsi, token);
    if (length <= 0) return {};
    std::string value(static_cast<size_t>(length) + 1, '\0');
    const int copied = lws_hdr_copy(wsi, value.data(), static_cast<int>(value.size()), token);
    value.resize(copied > 0 ? static_cast<size_t>(copied) : 0);
    return value;
}

std::string header(lws* wsi, const std::string& lower_case_name_and_colon) {
    const int name_length = static_cast<int>(lower_case_name_and_colon.size());
    const int length = lws_hdr_custom_length(wsi, lower_case_name_and_colon.c_str(), name_length);
    if (length <= 0) return {};
    std::string value(static_cast<size_t>(length) + 1, '\0');
    const int copied = lws_hdr_custom_copy(wsi, value.data(), static_cast<int>(value.size()),
                                           lower_case_name_and_colon.c_str(), name_length);
    value.resize(copied > 0 ? static_cast<size_t>(copied) : 0);
    return value;
}

std::vector<std::string> arguments(lws* wsi) {
    std::vector<std::string> all;
    for (int i = 0;; ++i) {
        std::array<char, max_header> buffer{};
        const int length = lws_hdr_copy_fragment(wsi, buffer.data(), static_cast<int>(buffer.size()),
                                                 WSI_TOKEN_HTTP_URI_ARGS, i);
        if (length < 0) return all;
        all.emplace_back(buffer.data(), static_cast<size_t>(length));
    }
}

std::optional<Method> method_of(lws* wsi) {
    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0) return Method::get;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_POST_URI) > 0) return Method::post;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_DELETE_URI) > 0) return Method::delete_;
    return std::nullopt;
}

/// Whether a browser that was tricked into calling a public name ours could have sent this Host.
bool is_local_host(std::string_view host) {
    if (host.empty()) return true;
    const std::string name = ascii_lower(host);
    if (name == "localhost" || name.rfind("localhost:", 0) == 0) return true;
    return SocketAddress::parse(name, uint16_t{0}).has_value();
}

/// Says what is wrong with a path in an operator's words, and makes the folder.
void refuse_if_in_use(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = path.string();
    if (name.size() >= sizeof address.sun_path)
        throw std::runtime_error("cannot listen on " + name + ": the path is too long for a socket");
    name.copy(address.sun_path, name.size());
    const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        throw std::runtime_error("cannot listen on " + name + ": another server answers there");
    struct stat status {};
    if (::lstat(name.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode))
        throw std::runtime_error("cannot listen on " + name + ": it is there and is no socket");
    std::error_code failed;
    std::filesystem::create_directories(path.parent_path(), failed);
    if (failed) throw std::system_error(failed, "cannot make " + path.parent_path().string());
}

/// From a request's headers to the last octet of its answer.
struct Exchange {
    lws* wsi = nullptr;  // null once the connection is gone
    Request request;
    bool dispatched = false;
    bool headers_sent = false;
    bool close_after = false;
    std::optional<Response> response;
    size_t sent = 0;
    std::unique_ptr<EventFeed> feed;
};

struct Session {
    std::shared_ptr<Exchange>* exchange;
};

}  // namespace

std::string refusal(const config::Api& settings) {
    if (!settings.listen || settings.listen->address.is_loopback()) return {};
    if (!settings.token)
        return "api.listen " + settings.listen->to_string() +
               " is not a loopback address: that needs a token (api.token) and TLS (api.cert, api.key)";
    if (settings.cert.empty() || settings.key.empty())
        return "api.listen " + settings.listen->to_string() +
               " is not a loopback address: that needs TLS (api.cert, api.key)";
    return {};
}

/// Owns the library's context. On a loop that is not its own it ends in two steps: the first call closes
/// connections and handles, which takes turns of the loop; the second frees the rest.
class Context {
  public:
    explicit Context(net::Loop& loop) : loop_(loop) {}
    ~Context() {
        if (context_ == nullptr) return;
        lws_context_destroy(context_);
        for (int turn = 0; turn < 3; ++turn) loop_.run_ready();
        lws_context_destroy(context_);
    }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    void create(const lws_context_creation_info& info) { context_ = lws_create_context(&info); }
    [[nodiscard]] lws_context* get() const noexcept { return context_; }

  private:
    net::Loop& loop_;
    lws_context* context_ = nullptr;
};

class Server::Impl {
  public:
    Impl(net::Loop& loop, Control& control, const config::Api& settings, const Limits& limits,
         net::InheritedSockets* inherited);
    ~Impl();

    std::optional<SocketAddress> tcp() const { return tcp_address_; }
    size_t connections() const noexcept { return connections_; }
    void offer(std::vector<net::OfferedSocket>& sockets) const;
    void leave();
    size_t answering() const;

  private:
    static int callback(lws* wsi, lws_callback_reasons reason, void* user, void* in, size_t length);
    int handle(lws* wsi, lws_callback_reasons reason, Session* session, void* in, size_t length);
    int begin(lws* wsi, Session* session, std::string_view path);
    void run(const std::shared_ptr<Exchange>& exchange);
    void refuse(const std::shared_ptr<Exchange>& exchange, Response response);
    int write(const std::shared_ptr<Exchange>& exchange);
    bool write_headers(Exchange& exchange);
    std::optional<Response> identify(lws* wsi, const Face& face, Request& request) const;
    void listen(net::Loop& loop, lws_context_creation_info info, Face& face,
                const net::ListenAddress& address, net::InheritedSockets& inherited);
    void end(Session* session);
    void beat();

    Control& control_;
    const Limits limits_;
    const int patience_;  // seconds
    std::list<Face> faces_;
    std::optional<SocketAddress> tcp_address_;
    size_t exchanges_ = 0;  // requests whose answers are not out
    size_t connections_ = 0;
    std::vector<std::weak_ptr<Exchange>> followers_;
    net::Timer beat_;
    bool closing_ = false;
    std::array<lws_protocols, 2> protocols_{};
    Context context_;  // last: ending it calls back, to what is above
};

Server::Impl::Impl(net::Loop& loop, Control& control, const config::Api& settings, const Limits& limits,
                   net::InheritedSockets* inherited)
    : control_(control),
      limits_(limits),
      patience_(static_cast<int>(limits.patience.count())),
      beat_(loop, [this] { beat(); }),
      context_(loop) {
    if (const std::string why = refusal(settings); !why.empty()) throw std::runtime_error(why);
    lws_set_log_level(LLL_ERR | LLL_WARN, [](int, const char* line) {
        std::string_view text(line);
        if (const size_t at = text.find(": "); at != std::string_view::npos) text.remove_prefix(at + 2);
        log::warning("libwebsockets: " + std::string(trim(text)));
    });

    protocols_[0].name = "http";
    protocols_[0].callback = callback;
    protocols_[0].per_session_data_size = sizeof(Session);
    protocols_[0].rx_buffer_size = piece;

    void* loops[] = {loop.raw()};
    lws_context_creation_info info{};
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    const bool tls = settings.listen && !settings.cert.empty();
    if (tls) info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.foreign_loops = loops;
    info.gid = static_cast<gid_t>(-1);
    info.uid = static_cast<uid_t>(-1);
    info.user = this;
    info.server_string = "fairway";
    info.max_http_header_data2 = max_header;
    info.max_http_header_pool2 = static_cast<unsigned>(limits.connections);
    // Its own table of connections, whatever the process' limit of open files is and how high their numbers
    // are.
    info.fd_limit_per_thread = static_cast<unsigned>(limits.connections) + own_descriptors;
    info.timeout_secs = static_cast<unsigned>(limits.patience.count());
    info.timeout_secs_ah_idle = static_cast<unsigned>(limits.patience.count());
    info.keepalive_timeout = static_cast<int>(limits.idle.count());
    context_.create(info);
    if (context_.get() == nullptr)
        throw std::runtime_error("libwebsockets cannot start (is libwebsockets-evlib-uv installed?)");
    info.protocols = protocols_.data();

    net::InheritedSockets nothing;
    if (inherited == nullptr) inherited = &nothing;
    // The library gets connections, not listeners: those outlive it when another process goes on with them.
    // It looks for a request's vhost by the "port": so that each finds its own, they differ in that.
    if (!settings.unix_path.empty()) {
        Face& face = faces_.emplace_back();
        face.unix = true;
        info.vhost_name = "unix";
        info.port = CONTEXT_PORT_NO_LISTEN;
        listen(loop, info, face, settings.unix_path, *inherited);
    }
    if (settings.listen) {
        Face& face = faces_.emplace_back();
        face.token = settings.token ? settings.token->value : "";
        face.tls = tls;
        const std::string cert = settings.cert.string(), key = settings.key.string();
        info.vhost_name = "tcp";
        info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
        if (tls) {
            info.ssl_cert_filepath = cert.c_str();
            info.ssl_private_key_filepath = key.c_str();
            info.ssl_cipher_list = "ECDHE+AESGCM:ECDHE+CHACHA20";
            info.ssl_options_set =
                SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION;
        }
        info.alpn = "http/1.1";
        listen(loop, info, face, *settings.listen, *inherited);
        tcp_address_ = std::get<SocketAddress>(faces_.back().acceptor->socket().address());
    }
    beat_.let_loop_end();
    beat_.start_repeating(beat_period);
}

void Server::Impl::listen(net::Loop& loop, lws_context_creation_info info, Face& face,
                          const net::ListenAddress& address, net::InheritedSockets& inherited) {
    const auto* path = std::get_if<std::filesystem::path>(&address);
    if (path != nullptr && !inherited.has(purpose, net::SocketKind::stream, address)) refuse_if_in_use(*path);
    info.user = &face;
    lws_vhost* vhost = lws_create_vhost(context_.get(), &info);
    if (vhost == nullptr) throw std::runtime_error("cannot listen on " + net::to_string(address));
    net::ListeningSocket socket = inherited.take_or_open(purpose, address);
    face.acceptor = std::make_unique<net::Acceptor>(loop, std::move(socket), [this, vhost](UniqueFd fd) {
        if (closing_ || connections_ >= limits_.connections) return;
        const int on = 1;
        (void)::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // not for Unix sockets
        lws_adopt_socket_vhost(vhost, fd.release());
    });
}

Server::Impl::~Impl() {
    closing_ = true;
    beat_.stop();
    for (Face& face : faces_) face.acceptor.reset();
}

void Server::Impl::offer(std::vector<net::OfferedSocket>& sockets) const {
    for (const Face& face : faces_) {
        if (!face.acceptor) continue;
        const net::ListeningSocket& socket = face.acceptor->socket();
        sockets.push_back({std::string(purpose), net::SocketKind::stream, socket.address(), socket.fd(),
                           socket.held_elsewhere()});
    }
}

void Server::Impl::leave() {
    for (Face& face : faces_) {
        if (!face.acceptor) continue;
        face.acceptor->socket().leave_to_others();
        face.acceptor.reset();
    }
}

size_t Server::Impl::answering() const {
    const auto followed = std::count_if(followers_.begin(), followers_.end(), [](const auto& follower) {
        const auto exchange = follower.lock();
        return exchange && exchange->feed;
    });
    return exchanges_ - std::min(exchanges_, static_cast<size_t>(followed));
}

int Server::Impl::callback(lws* wsi, lws_callback_reasons reason, void* user, void* in, size_t length) {
    if (wsi == nullptr || lws_get_context(wsi) == nullptr) return 0;
    auto* self = static_cast<Impl*>(lws_context_user(lws_get_context(wsi)));
    if (self == nullptr) return 0;
    try {
        return self->handle(wsi, reason, static_cast<Session*>(user), in, length);
    } catch (const std::exception& error) {
        log::error(std::string("API: connection dropped: ") + error.what());
        return -1;
    }
}

int Server::Impl::handle(lws* wsi, lws_callback_reasons reason, Session* session, void* in, size_t length) {
    switch (reason) {
        case LWS_CALLBACK_WSI_CREATE:
            ++connections_;
            return 0;
        case LWS_CALLBACK_WSI_DESTROY:
            if (connections_ > 0) --connections_;
            return 0;
        case LWS_CALLBACK_HTTP:
            return begin(wsi, session, {static_cast<const char*>(in), length});
        case LWS_CALLBACK_HTTP_BODY: {
            if (session == nullptr || session->exchange == nullptr) return -1;
            const std::shared_ptr<Exchange> exchange = *session->exchange;
            if (exchange->dispatched) return 0;  // refused already; the rest is read and forgotten
            if (exchange->request.body.size() + length > Request::max_body) {
                refuse(exchange, problem(413, "too-large", "a body has at most 1 MiB"));
                return 0;
            }
            exchange->request.body.append(static_cast<const char*>(in), length);
            return 0;
        }
        case LWS_CALLBACK_HTTP_BODY_COMPLETION:
            if (session != nullptr && session->exchange != nullptr) run(*session->exchange);
            return 0;
        case LWS_CALLBACK_HTTP_WRITEABLE:
            if (session == nullptr || session->exchange == nullptr) return 0;
            return write(std::shared_ptr<Exchange>(*session->exchange));
        case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
        case LWS_CALLBACK_CLOSED_HTTP:
            end(session);
            return 0;
        default:
            return lws_callback_http_dummy(wsi, reason, session, in, length);
    }
}

void Server::Impl::end(Session* session) {
    if (session == nullptr || session->exchange == nullptr) return;
    const std::unique_ptr<std::shared_ptr<Exchange>> exchange(std::exchange(session->exchange, nullptr));
    --exchanges_;
    (*exchange)->wsi = nullptr;
    (*exchange)->feed.reset();
}

/// Fills in the caller; a response is a refusal.
std::optional<Response> Server::Impl::identify(lws* wsi, const Face& face, Request& request) const {
    if (face.unix) {
        request.caller = {name_of_peer(lws_get_socket_fd(wsi)), true};
        return std::nullopt;
    }
    const Route* route = find_route(request.method, request.target);
    if (route != nullptr && route->needs == Needs::nothing) return std::nullopt;
    if (face.token.empty()) {
        request.caller = {"anonymous", false};
        if (is_local_host(header(wsi, WSI_TOKEN_HOST))) return std::nullopt;
        return problem(403, "not-permitted", "ask for this by an address or as localhost");
    }
    const std::string given = header(wsi, WSI_TOKEN_HTTP_AUTHORIZATION);
    if (given.size() > bearer.size() &&
        ascii_lower(std::string_view(given).substr(0, bearer.size())) == bearer &&
        equal_in_constant_time(trim(std::string_view(given).substr(bearer.size())), face.token)) {
        request.caller = {"token", true};
        return std::nullopt;
    }
    Response response = problem(401, "not-authenticated", "a bearer token is needed");
    response.headers.emplace_back("www-authenticate", "Bearer");
    return response;
}

int Server::Impl::begin(lws* wsi, Session* session, std::string_view path) {
    if (session == nullptr) return -1;
    end(session);
    auto exchange = std::make_shared<Exchange>();
    exchange->wsi = wsi;
    session->exchange = new std::shared_ptr<Exchange>(exchange);
    ++exchanges_;

    const auto* face = static_cast<const Face*>(lws_vhost_user(lws_get_vhost(wsi)));
    Request& request = exchange->request;
    const std::string length = header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
    const bool chunked = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0;
    // What follows the headers is only read for a POST; after anything else it cannot be told from a request.
    exchange->close_after = chunked;
    const auto method = method_of(wsi);
    if (!method) {
        exchange->close_after = true;
        refuse(exchange, problem(405, "method-not-allowed", "this takes GET, POST and DELETE"));
        return 0;
    }
    request.method = *method;
    if (!length.empty() && length != "0" && *method != Method::post) exchange->close_after = true;
    if (length.size() > 7 ||
        (!length.empty() && length.find_first_not_of("0123456789") != std::string::npos) ||
        (!length.empty() && std::stoul(length) > Request::max_body)) {
        exchange->close_after = true;
        refuse(exchange, problem(413, "too-large", "a body has at most 1 MiB"));
        return 0;
    }
    if (chunked) {
        refuse(exchange, problem(411, "length-required", "a body needs a Content-Length"));
        return 0;
    }
    auto target = Target::make(path, arguments(wsi));
    if (!target) {
        exchange->close_after = true;
        refuse(exchange, problem(400, "bad-request", target.error().message));
        return 0;
    }
    request.target = std::move(*target);
    if (auto refused = identify(wsi, *face, request)) {
        exchange->close_after = true;
        refuse(exchange, std::move(*refused));
        return 0;
    }
    request.event_stream = header(wsi, WSI_TOKEN_HTTP_ACCEPT).find("text/event-stream") != std::string::npos;
    if (request.event_stream) {
        // A browser that reconnects says what it has seen.
        const std::string last = header(wsi, std::string("last-event-id:"));
        if (!last.empty() && request.target.find("after") == nullptr)
            request.target.query.emplace_back("after", trim(last));
    }
    const bool body_follows = *method == Method::post && !length.empty() && length != "0";
    // Without a body to read, the library does not notice that a POST's transaction is over.
    if (*method == Method::post && !body_follows) exchange->close_after = true;
    if (body_follows) {
        lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, patience_);
        return 0;  // the body comes next
    }
    run(exchange);
    return 0;
}

void Server::Impl::refuse(const std::shared_ptr<Exchange>& exchange, Response response) {
    exchange->dispatched = true;
    exchange->response = std::move(response);
    exchange->close_after = true;
    if (exchange->wsi == nullptr) return;
    lws_set_timeout(exchange->wsi, PENDING_TIMEOUT_HTTP_CONTENT, patience_);
    lws_callback_on_writable(exchange->wsi);
}

void Server::Impl::run(const std::shared_ptr<Exchange>& exchange) {
    if (exchange->dispatched) return;
    exchange->dispatched = true;
    // The answer may take as long as what was asked for: a probe, a reload.
    lws_set_timeout(exchange->wsi, NO_PENDING_TIMEOUT, 0);
    dispatch(exchange->request, control_, [exchange, patience = patience_](Response response) {
        exchange->response = std::move(response);
        if (exchange->wsi == nullptr) return;
        lws_set_timeout(exchange->wsi, PENDING_TIMEOUT_HTTP_CONTENT, patience);
        lws_callback_on_writable(exchange->wsi);
    });
}

bool Server::Impl::write_headers(Exchange& exchange) {
    const Response& response = *exchange.response;
    std::array<uint8_t, LWS_PRE + 4096> buffer{};
    uint8_t* const start = buffer.data() + LWS_PRE;
    uint8_t* at = start;
    uint8_t* const end = buffer.data() + buffer.size();
    const auto add = [&](const std::string& name, std::string_view value) {
        return lws_add_http_header_by_name(exchange.wsi,
                                           reinterpret_cast<const uint8_t*>((name + ":").c_str()),
                                           reinterpret_cast<const uint8_t*>(value.data()),
                                           static_cast<int>(value.size()), &at, end) == 0;
    };
    const lws_filepos_t length = response.follow ? LWS_ILLEGAL_HTTP_CONTENT_LEN : response.body.size();
    if (lws_add_http_common_headers(exchange.wsi, static_cast<unsigned>(response.status),
                                    response.content_type.c_str(), length, &at, end) != 0)
        return false;
    for (const auto& [name, value] : response.headers)
        if (!add(name, value)) return false;
    if (static_cast<const Face*>(lws_vhost_user(lws_get_vhost(exchange.wsi)))->tls &&
        !add("strict-transport-security", "max-age=31536000"))
        return false;
    if (!add("cache-control", "no-store") || !add("x-content-type-options", "nosniff") ||
        !add("content-security-policy", "default-src 'none'; frame-ancestors 'none'"))
        return false;
    return lws_finalize_write_http_header(exchange.wsi, start, &at, end) == 0;
}

int Server::Impl::write(const std::shared_ptr<Exchange>& exchange) {
    if (!exchange->response || exchange->wsi == nullptr) return 0;
    lws* wsi = exchange->wsi;
    Response& response = *exchange->response;
    if (!exchange->headers_sent) {
        if (!write_headers(*exchange)) return -1;
        exchange->headers_sent = true;
        if (response.follow) {
            exchange->feed = std::make_unique<EventFeed>(control_.store(), *response.follow,
                                                         [weak = std::weak_ptr<Exchange>(exchange)] {
                                                             const auto it = weak.lock();
                                                             if (it && it->wsi)
                                                                 lws_callback_on_writable(it->wsi);
                                                         });
            followers_.push_back(exchange);
        }
        lws_callback_on_writable(wsi);
        return 0;
    }
    if (exchange->feed) {
        if (exchange->sent == response.body.size()) {
            if (exchange->feed->overflowed()) return -1;
            response.body = exchange->feed->take();
            exchange->sent = 0;
            if (response.body.empty()) {
                lws_set_timeout(wsi, NO_PENDING_TIMEOUT, 0);
                return 0;
            }
        }
        lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, patience_);
    }
    const size_t count = std::min(piece, response.body.size() - exchange->sent);
    const bool last = !exchange->feed && exchange->sent + count == response.body.size();
    std::array<uint8_t, LWS_PRE + piece> buffer;
    std::memcpy(buffer.data() + LWS_PRE, response.body.data() + exchange->sent, count);
    const int written =
        lws_write(wsi, buffer.data() + LWS_PRE, count, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP);
    if (written < static_cast<int>(count)) return -1;
    exchange->sent += count;
    if (!last) {
        lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, patience_);
        lws_callback_on_writable(wsi);
        return 0;
    }
    if (exchange->close_after) return -1;
    return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

void Server::Impl::beat() {
    std::erase_if(followers_, [](const std::weak_ptr<Exchange>& follower) { return follower.expired(); });
    for (const std::weak_ptr<Exchange>& follower : followers_) {
        const auto exchange = follower.lock();
        if (!exchange || exchange->wsi == nullptr || !exchange->feed) continue;
        exchange->feed->beat();
        lws_callback_on_writable(exchange->wsi);
    }
}

Server::Server(net::Loop& loop, Control& control, const config::Api& settings, const Limits& limits,
               net::InheritedSockets* inherited)
    : impl_(std::make_unique<Impl>(loop, control, settings, limits, inherited)) {}
Server::~Server() = default;

void Server::offer(std::vector<net::OfferedSocket>& sockets) const {
    impl_->offer(sockets);
}
void Server::leave() {
    impl_->leave();
}
size_t Server::answering() const {
    return impl_->answering();
}

std::optional<SocketAddress> Server::tcp() const {
    return impl_->tcp();
}
size_t Server::connections() const noexcept {
    return impl_->connections();
}

}  // namespace fairway::api
