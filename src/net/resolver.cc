// SPDX-License-Identifier: Apache-2.0
#include "net/resolver.h"

#include <ares.h>
#include <netdb.h>
#include <sys/time.h>

#include <algorithm>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "net/loop.h"
#include "net/poll_handle.h"
#include "net/timer.h"

namespace fairway::net {

namespace {

using Answer = Result<std::vector<ResolvedAddress>>;

std::string reason_of(int status) {
    switch (status) {
        case ARES_ENOTFOUND:
            return "no such name";
        case ARES_ENODATA:
            return "no address records";
        case ARES_ESERVFAIL:
            return "server failure";
        case ARES_EREFUSED:
            return "query refused";
        case ARES_ETIMEOUT:
            return "timed out";
        // What c-ares makes of it when every server was unreachable, or refused, or failed.
        case ARES_ECONNREFUSED:
            return "no name server gave an answer";
        case ARES_EFORMERR:
            return "name server found the query malformed";
        case ARES_EBADNAME:
            return "malformed name";
        case ARES_EBADRESP:
            return "malformed answer";
        case ARES_ENOTIMP:
            return "name server does not implement the query";
        default:
            return ares_strerror(status);
    }
}

std::vector<ResolvedAddress> addresses_of(const ares_addrinfo& info) {
    int bound = INT32_MAX;  // an alias that changes sooner than its target bounds the whole answer
    for (const ares_addrinfo_cname* alias = info.cnames; alias != nullptr; alias = alias->next)
        bound = std::min(bound, alias->ttl);
    std::vector<ResolvedAddress> found;
    for (const ares_addrinfo_node* node = info.nodes; node != nullptr; node = node->ai_next) {
        const auto address = SocketAddress::from_sockaddr(node->ai_addr);
        if (address) found.push_back({address->address, seconds{std::max(0, std::min(bound, node->ai_ttl))}});
    }
    std::stable_partition(found.begin(), found.end(),
                          [](const ResolvedAddress& entry) { return entry.address.is_v4(); });
    return found;
}

Answer answer_of(int status, const ares_addrinfo* info) {
    if (status != ARES_SUCCESS || info == nullptr) return fail(reason_of(status));
    std::vector<ResolvedAddress> found = addresses_of(*info);
    if (found.empty()) return fail("no address records");
    return found;
}

}  // namespace

struct Resolver::Query::State {
    Callback callback;  // empty: nobody waits any more
};

Resolver::Query::Query(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
Resolver::Query::~Query() {
    if (state_) state_->callback = nullptr;
}
Resolver::Query& Resolver::Query::operator=(Query&& other) noexcept {
    if (this != &other) {
        if (state_) state_->callback = nullptr;
        state_ = std::move(other.state_);
    }
    return *this;
}
bool Resolver::Query::pending() const noexcept {
    return state_ && state_->callback;
}

struct Resolver::State {
    Loop& loop;
    ares_channel channel = nullptr;
    std::unordered_map<ares_socket_t, std::unique_ptr<PollHandle>> sockets;
    Timer timer;
    // Answers are delivered by the loop; this tells one that is under way whether there still is a resolver.
    std::shared_ptr<State*> alive = std::make_shared<State*>(this);

    explicit State(Loop& on) : loop(on), timer(on, [this] { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }) {}

    void process(ares_socket_t readable, ares_socket_t writable) {
        ares_process_fd(channel, readable, writable);
        arm();
    }
    void arm() {
        timeval storage{};
        const timeval* wait = ares_timeout(channel, nullptr, &storage);
        if (wait == nullptr) {
            timer.stop();
        } else {
            timer.start(seconds{wait->tv_sec} + microseconds{wait->tv_usec});
        }
    }
    /// c-ares is about to close the socket when it wants neither.
    void watch(ares_socket_t socket, Readiness wanted) {
        if (!wanted.readable && !wanted.writable) {
            sockets.erase(socket);
            return;
        }
        auto& handle = sockets[socket];
        if (!handle)
            handle = std::make_unique<PollHandle>(loop, socket, [this, socket](Readiness ready) {
                process(ready.readable ? socket : ARES_SOCKET_BAD, ready.writable ? socket : ARES_SOCKET_BAD);
            });
        handle->watch(wanted);
    }
    void deliver(std::shared_ptr<Query::State> query, Answer answer) {
        loop.post([query = std::move(query), answer = std::move(answer),
                   still = std::weak_ptr<State*>(alive)]() mutable {
            if (still.expired() || !query->callback) return;
            std::exchange(query->callback, nullptr)(std::move(answer));
        });
    }
};

namespace {

struct Pending {
    Resolver::State* resolver;
    std::shared_ptr<Resolver::Query::State> query;
};

}  // namespace

Resolver::Resolver(Loop& loop, const Options& options) : state_(std::make_unique<State>(loop)) {
    if (const int status = ares_library_init(ARES_LIB_INIT_ALL); status != ARES_SUCCESS)
        throw std::system_error(std::make_error_code(std::errc::not_enough_memory), "start the resolver");
    ares_options settings{};
    char lookups[] = "fb";
    char dns_only[] = "b";
    settings.lookups = options.use_hosts_file ? lookups : dns_only;
    settings.timeout =
        static_cast<int>(std::max<int64_t>(1, std::chrono::ceil<milliseconds>(options.timeout).count()));
    settings.tries = static_cast<int>(std::max<uint32_t>(1, options.tries));
    // Host names in a configuration are absolute: a search list could only find the wrong machine.
    settings.flags = ARES_FLAG_NOSEARCH;
    settings.sock_state_cb_data = state_.get();
    settings.sock_state_cb = [](void* data, ares_socket_t socket, int readable, int writable) {
        static_cast<State*>(data)->watch(socket, {.readable = readable != 0, .writable = writable != 0});
    };
    const int status = ares_init_options(
        &state_->channel, &settings,
        ARES_OPT_LOOKUPS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
        ares_library_cleanup();
        throw std::runtime_error(std::string("cannot start the resolver: ") + ares_strerror(status));
    }
    if (!options.servers.empty()) {
        std::vector<ares_addr_port_node> nodes(options.servers.size());
        for (size_t i = 0; i < nodes.size(); ++i) {
            const SocketAddress& server = options.servers[i];
            nodes[i].next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
            nodes[i].family = server.address.is_v4() ? AF_INET : AF_INET6;
            const ByteSpan bytes = server.address.bytes();
            std::copy(bytes.begin(), bytes.end(), reinterpret_cast<uint8_t*>(&nodes[i].addr));
            nodes[i].udp_port = nodes[i].tcp_port = server.port == 0 ? 53 : server.port;
        }
        ares_set_servers_ports(state_->channel, nodes.data());
    }
}

Resolver::~Resolver() {
    state_->alive.reset();
    ares_destroy(state_->channel);  // calls every pending callback, which finds nobody alive
    ares_library_cleanup();
}

Resolver::Query Resolver::resolve(std::string name, Callback callback) {
    auto query = std::make_shared<Query::State>();
    query->callback = std::move(callback);
    if (const auto literal = IpAddress::parse(name)) {
        state_->deliver(query, std::vector<ResolvedAddress>{{*literal, seconds{0}}});
        return Query(query);
    }
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;  // one node an address, not one for each kind of socket
    hints.ai_flags = ARES_AI_NOSORT;  // sorting would connect sockets to every address
    auto pending = std::make_unique<Pending>(Pending{state_.get(), query});
    ares_getaddrinfo(
        state_->channel, name.c_str(), nullptr, &hints,
        [](void* data, int status, int, ares_addrinfo* info) {
            const std::unique_ptr<Pending> done(static_cast<Pending*>(data));
            const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owned(info, ares_freeaddrinfo);
            if (status == ARES_EDESTRUCTION) return;
            done->resolver->deliver(done->query, answer_of(status, info));
        },
        pending.release());
    state_->arm();
    return Query(query);
}

}  // namespace fairway::net
