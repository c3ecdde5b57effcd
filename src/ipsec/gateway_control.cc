// SPDX-License-Identifier: Apache-2.0
#include "ipsec/gateway_control.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"

namespace fairway::ipsec {

namespace {

using Json = nlohmann::ordered_json;

Json refusal(const char* error, const std::string& message) {
    return {{"ok", false}, {"error", error}, {"message", message}};
}

std::string path_of(const Fleet::Address& address) {
    return address.gateway->name + "/" + address.address.to_string();
}

Json status_of(const Fleet::Address& address) {
    Json ports = Json::object();
    Json accepted = Json::object();
    for (const TcpService& service : address.tcp) {
        const std::string key(to_string(service.service()));
        ports[key] = service.address().port;
        accepted[key] = service.accepted();
    }
    Json status{{"gateway", address.gateway->name},
                {"address", address.address.to_string()},
                {"fault", address.fault.to_string()}};
    if (address.ike != nullptr) {
        const auto& ike_ports = address.ike->ports();
        if (ike_ports[0]) ports[std::string(to_string(Service::ike))] = *ike_ports[0];
        if (ike_ports[1]) ports[std::string(to_string(Service::ike_nat))] = *ike_ports[1];
        const ResponderStats stats = address.ike->stats();
        status["ike"] = {{"requests", stats.requests},  {"accepted", stats.accepted},
                         {"refused", stats.refused},    {"cookies", stats.cookies},
                         {"dropped", stats.dropped},    {"retransmitted", stats.retransmitted},
                         {"half_open", stats.half_open}};
    }
    status["ports"] = std::move(ports);
    status["accepted"] = std::move(accepted);
    return status;
}

Json answer_status(const Fleet& fleet) {
    Json addresses = Json::array();
    for (const auto& address : fleet.addresses()) addresses.push_back(status_of(*address));
    return {{"ok", true},
            {"status",
             {{"schema", "fairway-gateway.status/1"},
              {"pid", ::getpid()},
              {"gateways", fleet.settings().gateways.size()},
              {"connections", fleet.open_connections()},
              {"addresses", std::move(addresses)}}}};
}

Json answer_fault(Fleet& fleet, const Json& request) {
    const auto target = request.find("target");
    const auto name = request.find("fault");
    if (target == request.end() || !target->is_string() || name == request.end() || !name->is_string()) {
        return refusal("usage", "a fault needs \"target\" and \"fault\"");
    }
    const auto fault = Fault::parse(name->get<std::string>());
    if (!fault) return refusal("usage", fault.error().message);
    const auto addresses = fleet.find(target->get<std::string>());
    if (addresses.empty()) return refusal("no-such-target", fleet.unknown_target(target->get<std::string>()));
    Json changed = Json::array();
    std::string failures;
    for (Fleet::Address* address : addresses) {
        const auto done = fleet.apply(*address, *fault);
        if (!done) failures += (failures.empty() ? "" : "; ") + done.error().message;
        changed.push_back(path_of(*address));
    }
    if (!failures.empty()) return refusal("failed", failures);
    return {{"ok", true}, {"addresses", std::move(changed)}, {"fault", fault->to_string()}};
}

Json answer(Fleet& fleet, std::string_view line) {
    const Json request = Json::parse(line, nullptr, false);
    if (!request.is_object()) return refusal("usage", "not a JSON object");
    const auto command = request.find("command");
    if (command == request.end() || !command->is_string()) return refusal("usage", "no \"command\"");
    if (*command == "status") return answer_status(fleet);
    if (*command == "fault") return answer_fault(fleet, request);
    return refusal("usage", "unknown command");
}

}  // namespace

std::string answer_control(Fleet& fleet, std::string_view line) {
    return answer(fleet, line).dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct ControlServer::Client {
    std::unique_ptr<net::Stream> stream;
    std::string line;
};

ControlServer::ControlServer(net::Loop& loop, const std::filesystem::path& path, Fleet& fleet)
    : fleet_(fleet),
      listener_(
          loop, path, [this](std::unique_ptr<net::Stream> stream) { on_accept(std::move(stream)); }, 0600) {}

ControlServer::~ControlServer() = default;

void ControlServer::on_accept(std::unique_ptr<net::Stream> stream) {
    if (clients_.size() >= max_clients) return;  // destroying it closes it
    clients_.push_back({std::move(stream), {}});
    const auto client = std::prev(clients_.end());
    client->stream->limit_idle(idle);
    client->stream->limit_queue(size_t{16} << 20);  // a status of thousands of addresses
    client->stream->start({[this, client](ByteSpan bytes) { on_data(*client, bytes); },
                           [this, client](net::StreamEnd) { clients_.erase(client); }});
}

void ControlServer::on_data(Client& client, ByteSpan bytes) {
    client.line += as_text(bytes);
    for (size_t end = client.line.find('\n'); end != std::string::npos; end = client.line.find('\n')) {
        client.stream->send(answer_control(fleet_, std::string_view(client.line).substr(0, end)) + "\n");
        client.line.erase(0, end + 1);
    }
    if (client.line.size() > max_line) {
        client.line.clear();
        client.stream->send(refusal("usage", "line too long").dump() + "\n");
        client.stream->close_when_flushed();
    }
}

std::filesystem::path default_control_path() {
    if (const char* folder = std::getenv("XDG_RUNTIME_DIR"); folder != nullptr && *folder != '\0') {
        return std::filesystem::path(folder) / "fairway-gateway.sock";
    }
    if (::geteuid() == 0) return "/run/fairway/gateway.sock";
    return std::filesystem::temp_directory_path() /
           ("fairway-gateway-" + std::to_string(::geteuid()) + ".sock");
}

tl::expected<std::string, ControlError> ask_control(const std::filesystem::path& path, std::string_view line,
                                                    milliseconds timeout) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path) return tl::unexpected(ControlError::unreachable);
    std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return tl::unexpected(ControlError::unreachable);
    }
    const std::string request = std::string(line) + "\n";
    if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
        return tl::unexpected(ControlError::unreachable);
    }
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    std::string answer;
    while (answer.empty() || answer.back() != '\n') {
        const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd wait{fd.get(), POLLIN, 0};
        if (left.count() <= 0 || ::poll(&wait, 1, static_cast<int>(left.count())) == 0) {
            return tl::unexpected(ControlError::timed_out);
        }
        std::array<char, 65'536> buffer;
        const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return tl::unexpected(ControlError::unreachable);
        answer.append(buffer.data(), static_cast<size_t>(got));
    }
    answer.pop_back();
    return answer;
}

}  // namespace fairway::ipsec
