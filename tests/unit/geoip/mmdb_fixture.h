// SPDX-License-Identifier: Apache-2.0
#pragma once
// Databases and folders for tests.

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "geoip/locator.h"
#include "geoip/network_table.h"

namespace fairway::geoip::test {

using Bytes = std::vector<uint8_t>;

/// A folder of its own that goes with the test.
class Folder {
  public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "fairway-geoip-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path_ = pattern;
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    std::filesystem::path write(const std::string& name, const Bytes& bytes) const {
        std::ofstream out(path_ / name, std::ios::binary | std::ios::trunc);
        out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        return path_ / name;
    }

  private:
    std::filesystem::path path_;
};

inline Bytes read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    return {text.begin(), text.end()};
}

inline std::vector<NetworkRow> rows(const std::string& table) {
    return parse_network_table(table).value();
}

/// Three networks of documentation, in either family.
inline const std::string small_table =
    "192.0.2.0/24, DE, 52.52, 13.405, Berlin, 64496\n"
    "198.51.100.0/25, US, 40.7128, -74.006, New York, 64497\n"
    "203.0.113.0/24, ID, , , , \n"
    "2001:db8:1::/48, DE, 52.52, 13.405, Berlin, 64496\n"
    "2001:db8:2::/48, US, 40.7128, -74.006, New York, 64497\n";

inline Result<std::shared_ptr<const Locator>> open_one(const std::filesystem::path& path) {
    Sources sources;
    sources.databases = {path};
    return Locator::open(sources);
}

inline IpAddress ip(const std::string& text) {
    return IpAddress::parse(text).value();
}

}  // namespace fairway::geoip::test
