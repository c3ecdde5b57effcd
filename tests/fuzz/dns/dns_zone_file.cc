// SPDX-License-Identifier: Apache-2.0
// Any text as a zone file: errors have lines, records have good data, and a zone made of it can be asked.
#include <array>
#include <cstdint>
#include <cstdlib>

#include "dns/message.h"
#include "dns/zone_file.h"
#include "unit/dns/world.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(as_text({data, size}));
    const Name origin = Name::parse("gslb.test").value();
    const ZoneFile file = parse_zone_file(text, origin, 300);
    for (const FileRecord& record : file.records)
        require(is_valid_data(record.type, record.data) && record.line > 0);

    test::World world;
    world.add_zone("gslb.test", text);
    world.add_service("vpn", "vpn.gslb.test", {world.add_gateway("fra1", {"203.0.113.10"})});
    world.all_up();
    const Authority::Built built = world.build();
    bool failed = false;
    for (const ZoneDiagnostic& diagnostic : built.diagnostics)
        failed = failed || diagnostic.severity == ZoneDiagnostic::Severity::error;
    require(failed == (built.authority == nullptr));
    if (failed) return 0;

    const Serving serving{built.authority, Steering::compile(world.model, nullptr), world.health,
                          std::make_shared<AnswerSettings>()};
    Answerer answerer;
    std::array<uint8_t, Answerer::max_udp_answer> out;
    for (const FileRecord& record : file.records) {
        std::array<uint8_t, 300> question{};
        Writer writer(question);
        writer.u32(0);
        writer.u16(1);
        writer.zeros(6);
        writer.bytes(record.owner.wire());
        writer.u16(static_cast<uint16_t>(record.type));
        writer.u16(1);
        Request request;
        request.message = writer.written();
        require(answerer.answer(serving, request, out) >= header_size);
    }
    return 0;
}
