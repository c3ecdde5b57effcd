// SPDX-License-Identifier: Apache-2.0
#include "handover/message.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"

namespace fairway::handover {
namespace {

using nlohmann::json;

constexpr uint32_t magic = 0x4657484F;  // "FWHO"
constexpr uint8_t flag_more = 1;
constexpr uint8_t flag_body = 2;
constexpr size_t longest_text = 4096;      // of a name, a path or a reason
constexpr size_t longest_unread = 131072;  // octets of a connection, more than any owner keeps

std::string dump(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string to_hex(std::string_view octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(octets.size() * 2);
    for (const char c : octets) {
        text += digits[static_cast<uint8_t>(c) >> 4];
        text += digits[static_cast<uint8_t>(c) & 15];
    }
    return text;
}

std::optional<std::string> from_hex(std::string_view text) {
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        return -1;
    };
    if (text.size() % 2 != 0) return std::nullopt;
    std::string octets;
    octets.reserve(text.size() / 2);
    for (size_t i = 0; i < text.size(); i += 2) {
        const int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        octets += static_cast<char>(high << 4 | low);
    }
    return octets;
}

tl::unexpected<Error> unreadable(MessageType type) {
    return fail("the message \"" + std::string(to_string(type)) + "\" cannot be read");
}

const json* member(const json& object, const char* name) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
}
std::optional<std::string> text(const json& object, const char* name, size_t longest = longest_text) {
    const json* value = member(object, name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    const auto& found = value->get_ref<const std::string&>();
    if (found.size() > longest) return std::nullopt;
    return found;
}
std::optional<int64_t> number(const json& object, const char* name) {
    const json* value = member(object, name);
    if (value == nullptr || !value->is_number_integer()) return std::nullopt;
    if (value->is_number_unsigned() &&
        value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        return std::nullopt;
    return value->get<int64_t>();
}
bool flag(const json& object, const char* name) {
    const json* value = member(object, name);
    return value != nullptr && value->is_boolean() && value->get<bool>();
}

std::optional<Hello> read_hello(const json& body) {
    const auto pid = number(body, "pid");
    const auto program = text(body, "program");
    if (!pid || *pid <= 0 || !program) return std::nullopt;
    return Hello{*pid, *program};
}

}  // namespace

std::string_view to_string(MessageType type) noexcept {
    switch (type) {
        case MessageType::hello:
            return "hello";
        case MessageType::offer:
            return "offer";
        case MessageType::prepared:
            return "prepared";
        case MessageType::state:
            return "state";
        case MessageType::serving:
            return "serving";
        case MessageType::released:
            return "released";
        case MessageType::connections:
            return "connections";
        case MessageType::refused:
            return "refused";
        case MessageType::failed:
            return "failed";
    }
    return "unknown";
}

std::array<uint8_t, FrameHeader::size> encode(const FrameHeader& header) noexcept {
    std::array<uint8_t, FrameHeader::size> bytes{};
    Writer writer(bytes);
    writer.u32(magic);
    writer.u8(FrameHeader::version);
    writer.u8(static_cast<uint8_t>(header.type));
    writer.u8(static_cast<uint8_t>((header.more ? flag_more : 0) | (header.has_body ? flag_body : 0)));
    writer.u8(0);
    writer.u32(header.descriptors);
    return bytes;
}

Result<FrameHeader> parse_frame_header(ByteSpan bytes) {
    Reader reader(bytes);
    const uint32_t word = reader.u32();
    const uint8_t version = reader.u8();
    const uint8_t type = reader.u8();
    const uint8_t flags = reader.u8();
    reader.skip(1);
    FrameHeader header;
    header.descriptors = reader.u32();
    if (!reader.ok() || word != magic) return fail("what speaks is no fairwayd");
    if (version != FrameHeader::version)
        return fail("it speaks version " + std::to_string(version) + " of the handover, this one version " +
                    std::to_string(FrameHeader::version));
    if (type < static_cast<uint8_t>(MessageType::hello) || type > static_cast<uint8_t>(MessageType::failed))
        return fail("it sent a message of the unknown type " + std::to_string(type));
    header.type = static_cast<MessageType>(type);
    header.more = (flags & flag_more) != 0;
    header.has_body = (flags & flag_body) != 0;
    if (header.descriptors > FrameHeader::max_descriptors || (header.has_body && header.descriptors == 0))
        return unreadable(header.type);
    return header;
}

std::string hello_body(const Hello& hello) {
    return dump({{"pid", hello.pid}, {"program", hello.program}});
}

Result<Hello> parse_hello(std::string_view body) {
    auto hello = read_hello(json::parse(body, nullptr, false));
    if (!hello) return unreadable(MessageType::hello);
    return std::move(*hello);
}

std::string offer_body(const Hello& self, const std::vector<net::OfferedSocket>& sockets, bool with_lock) {
    json list = json::array();
    for (const net::OfferedSocket& socket : sockets) {
        const bool is_path = std::holds_alternative<std::filesystem::path>(socket.address);
        list.push_back({{"purpose", socket.purpose},
                        {"kind", socket.kind == net::SocketKind::datagram ? "datagram" : "stream"},
                        {is_path ? "path" : "address", net::to_string(socket.address)},
                        {"held_elsewhere", socket.held_elsewhere}});
    }
    return dump(
        {{"pid", self.pid}, {"program", self.program}, {"sockets", std::move(list)}, {"lock", with_lock}});
}

Result<OfferedTo> parse_offer(std::string_view body, std::vector<UniqueFd> fds) {
    const json parsed = json::parse(body, nullptr, false);
    const auto hello = read_hello(parsed);
    const json* list = member(parsed, "sockets");
    const bool with_lock = flag(parsed, "lock");
    if (!hello || list == nullptr || !list->is_array() || list->size() + (with_lock ? 1 : 0) != fds.size())
        return unreadable(MessageType::offer);
    OfferedTo offer;
    offer.pid = hello->pid;
    offer.program = hello->program;
    for (size_t i = 0; i < list->size(); ++i) {
        const json& entry = (*list)[i];
        net::InheritedSocket socket;
        const auto purpose = text(entry, "purpose");
        const auto kind = text(entry, "kind");
        if (!purpose || purpose->empty() || !kind || (*kind != "datagram" && *kind != "stream"))
            return unreadable(MessageType::offer);
        socket.purpose = *purpose;
        socket.kind = *kind == "datagram" ? net::SocketKind::datagram : net::SocketKind::stream;
        if (const auto path = text(entry, "path")) {
            socket.address = std::filesystem::path(*path);
        } else {
            const auto address = SocketAddress::parse(text(entry, "address").value_or(""));
            if (!address) return unreadable(MessageType::offer);
            socket.address = *address;
        }
        socket.held_elsewhere = flag(entry, "held_elsewhere");
        socket.fd = std::move(fds[i]);
        offer.sockets.add(std::move(socket));
    }
    if (with_lock) offer.lock = std::move(fds.back());
    offer.sockets.borrow();
    return offer;
}

std::string connections_body(const std::vector<Connection>& connections) {
    json list = json::array();
    for (const Connection& connection : connections)
        list.push_back({{"owner", connection.owner},
                        {"connector", connection.connector},
                        {"unread", to_hex(connection.unread)}});
    return dump({{"connections", std::move(list)}});
}

Result<std::vector<Connection>> parse_connections(std::string_view body, std::vector<UniqueFd> fds) {
    const json parsed = json::parse(body, nullptr, false);
    const json* list = member(parsed, "connections");
    if (list == nullptr || !list->is_array() || list->size() != fds.size())
        return unreadable(MessageType::connections);
    std::vector<Connection> connections;
    for (size_t i = 0; i < list->size(); ++i) {
        const json& entry = (*list)[i];
        const auto owner = text(entry, "owner");
        auto unread = from_hex(text(entry, "unread", 2 * longest_unread).value_or("?"));
        if (!owner || !unread) return unreadable(MessageType::connections);
        connections.push_back(
            {*owner, text(entry, "connector").value_or(""), std::move(*unread), std::move(fds[i])});
    }
    return connections;
}

std::string state_body(const State& state) {
    return dump({{"health", state.health},
                 {"ready", state.ready},
                 {"cookie_current", to_hex(state.cookie_current)},
                 {"cookie_previous", to_hex(state.cookie_previous)},
                 {"cookie_age", state.cookie_age},
                 {"takeovers", state.takeovers},
                 {"since", state.since}});
}

Result<State> parse_state(std::string_view body) {
    const json parsed = json::parse(body, nullptr, false);
    if (!parsed.is_object()) return unreadable(MessageType::state);
    State state;
    state.health = text(parsed, "health", max_body).value_or("");
    state.ready = flag(parsed, "ready");
    state.cookie_current = from_hex(text(parsed, "cookie_current").value_or("")).value_or("");
    state.cookie_previous = from_hex(text(parsed, "cookie_previous").value_or("")).value_or("");
    state.cookie_age = static_cast<uint64_t>(std::max<int64_t>(0, number(parsed, "cookie_age").value_or(0)));
    state.takeovers = static_cast<uint64_t>(std::max<int64_t>(0, number(parsed, "takeovers").value_or(0)));
    state.since = std::max<int64_t>(0, number(parsed, "since").value_or(0));
    return state;
}

std::string reason_body(std::string_view reason) {
    return dump({{"reason", std::string(reason.substr(0, longest_text))}});
}

std::string parse_reason(std::string_view body) {
    return text(json::parse(body, nullptr, false), "reason", 4 * longest_text).value_or("no reason given");
}

}  // namespace fairway::handover
