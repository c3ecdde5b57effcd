// SPDX-License-Identifier: Apache-2.0
#include "probes/monitor_files.h"

#include <system_error>

namespace fairway {

std::vector<FileStamp> stamp_files(const Monitor& monitor) {
    const TlsSettings* tls = nullptr;
    if (const auto* probe = std::get_if<TlsProbe>(&monitor.probe)) tls = &probe->tls;
    if (const auto* probe = std::get_if<HttpProbe>(&monitor.probe); probe != nullptr && probe->tls)
        tls = &*probe->tls;
    std::vector<FileStamp> stamps;
    if (tls == nullptr) return stamps;
    for (const std::string& path : {tls->ca_file, tls->cert_file, tls->key_file}) {
        if (path.empty()) continue;
        FileStamp stamp;
        stamp.path = path;
        std::error_code error;
        stamp.written = std::filesystem::last_write_time(path, error);
        if (!error) stamp.size = std::filesystem::file_size(path, error);
        stamp.exists = !error;
        stamps.push_back(std::move(stamp));
    }
    return stamps;
}

}  // namespace fairway
