// SPDX-License-Identifier: Apache-2.0
#pragma once
// A name server for tests, on the loop of the test: answers A and AAAA from a table, or fails, or keeps
// silent.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ip.h"
#include "net/loop.h"
#include "net/udp.h"

namespace fairway::test {

class LocalNameServer {
  public:
    struct Record {
        std::string address;
        uint32_t ttl = 60;
    };
    enum class Mood { answering, failing, silent };

    explicit LocalNameServer(net::Loop& loop)
        : socket_(loop, SocketAddress{IpAddress::v4({127, 0, 0, 1}), 0},
                  [this](ByteSpan query, const SocketAddress& from) { answer(query, from); }) {}

    std::map<std::string, std::vector<Record>> records;  // names that are not there do not exist
    Mood mood = Mood::answering;
    size_t queries = 0;

    [[nodiscard]] SocketAddress address() const { return socket_.local(); }

  private:
    void answer(ByteSpan query, const SocketAddress& from) {
        ++queries;
        if (mood == Mood::silent) return;
        Reader reader(query);
        const uint16_t id = reader.u16();
        reader.skip(10);
        std::string name;
        while (const uint8_t length = reader.u8()) {
            if (!name.empty()) name += '.';
            name += as_text(reader.take(length));
        }
        const uint16_t type = reader.u16();
        reader.skip(2);
        if (!reader.ok()) return;
        const ByteSpan question = query.subspan(12, reader.position() - 12);

        const auto found = records.find(name);
        std::vector<uint8_t> buffer(4096);
        Writer writer(buffer);
        writer.u16(id);
        writer.u16(static_cast<uint16_t>(0x8180U | (mood == Mood::failing    ? 2U
                                                    : found == records.end() ? 3U
                                                                             : 0U)));
        writer.u16(1);
        const size_t count_at = writer.position();
        writer.zeros(6);
        writer.bytes(question);
        uint16_t count = 0;
        if (mood == Mood::answering && found != records.end())
            for (const Record& record : found->second) {
                const IpAddress address = IpAddress::parse(record.address).value();
                if ((type == 1) != address.is_v4() || (type != 1 && type != 28)) continue;
                writer.u16(0xc00c);  // the name of the question
                writer.u16(type);
                writer.u16(1);
                writer.u32(record.ttl);
                writer.u16(static_cast<uint16_t>(address.bytes().size()));
                writer.bytes(address.bytes());
                ++count;
            }
        writer.patch_u16(count_at, count);
        socket_.send(writer.written(), from);
    }

    net::UdpSocket socket_;
};

}  // namespace fairway::test
