// SPDX-License-Identifier: Apache-2.0
// A geo database of any bytes: refused, or used without fault. What the checker accepts is opened, looked up,
// walked, and compiled into answers; the walk must cover the address space and agree with the lookups.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "base/unique_fd.h"
#include "geoip/locator.h"
#include "geoip/mmdb_check.h"

using namespace fairway;
using namespace fairway::geoip;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void use(const Locator& locator) {
    for (const char* text :
         {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "2001:db8::1", "2002:c000:201::1"})
        require(
            locator.locate(IpAddress::parse(text).value()).network.contains(IpAddress::parse(text).value()));
    const std::array cuts{IpPrefix::parse("192.0.2.64/26").value(), IpPrefix::parse("2001:db8::/33").value()};
    for (const IpFamily family : {IpFamily::v4, IpFamily::v6}) {
        uint32_t locations = 0;
        Location last;
        locator.for_each_network(family, cuts, [&](const Locator::Network& network) {
            require(network.location_number <= locations);
            if (network.location == nullptr) return;
            require(network.location_number == locations++);
            require(locator.locate(network.prefix.address()).location == *network.location);
        });
        require(locations > 0);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (!check_mmdb({data, size})) return 0;
    const UniqueFd memory(memfd_create("fuzz", MFD_CLOEXEC));
    if (!memory || write(memory.get(), data, size) != static_cast<ssize_t>(size)) return 0;
    Sources sources;
    sources.databases = {"/proc/self/fd/" + std::to_string(memory.get())};
    const auto locator = Locator::open(sources);
    if (locator) use(**locator);
    return 0;
}
