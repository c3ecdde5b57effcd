// SPDX-License-Identifier: Apache-2.0
#include "dns/dnssec_key_folder.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "base/unique_fd.h"

namespace fairway::dns {
namespace {

constexpr size_t max_file = 65'536;

tl::unexpected<Error> cannot(std::string_view what, const std::filesystem::path& path, int error) {
    return fail("cannot " + std::string(what) + " " + path.string() + ": " + std::strerror(error));
}

Result<std::string> read_file(const std::filesystem::path& path) {
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return cannot("open", path, errno);
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
        const ssize_t got = ::read(file.get(), part.data(), part.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot("read", path, errno);
        if (got == 0) break;
        text.append(part.data(), static_cast<size_t>(got));
        if (text.size() > max_file) return fail(path.string() + " is longer than any key");
    }
    OPENSSL_cleanse(part.data(), part.size());
    return text;
}

Result<void> sync_folder(const std::filesystem::path& folder) {
    const UniqueFd handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!handle || ::fsync(handle.get()) != 0) return cannot("sync", folder, errno);
    return {};
}

Result<void> make_folder(const std::filesystem::path& folder) {
    if (::mkdir(folder.c_str(), 0700) == 0) return sync_folder(folder.parent_path());
    if (errno != EEXIST) return cannot("make", folder, errno);
    return {};
}

/// The old content or the new, never a part.
Result<void> write_file(const std::filesystem::path& path, std::string_view text) {
    const std::string aside = path.string() + ".tmp";
    const UniqueFd file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return cannot("write", aside, errno);
    // What an earlier attempt left may have other rights.
    if (::fchmod(file.get(), 0600) != 0) return cannot("protect", aside, errno);
    while (!text.empty()) {
        const ssize_t done = ::write(file.get(), text.data(), text.size());
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return cannot("write", aside, errno);
        text.remove_prefix(static_cast<size_t>(done));
    }
    if (::fsync(file.get()) != 0) return cannot("write", aside, errno);
    if (::rename(aside.c_str(), path.c_str()) != 0) return cannot("replace", path, errno);
    return {};
}

/// The zone's name as a file name: that of its keys without the frame around it.
std::string folder_name(const Name& zone) {
    const std::string stem = key_file_stem(zone, DnssecAlgorithm::ed25519, 0);
    std::string name = stem.substr(1, stem.find('+') - 1);
    if (name.size() > 1) name.pop_back();  // the final dot
    return name == "." ? "%2E" : name;     // the root's
}

}  // namespace

KeyFolder::KeyFolder(std::filesystem::path folder, const Name& zone)
    : path_(std::move(folder) / folder_name(zone)), zone_(zone.lowered()) {}

Result<std::vector<DatedKey>> KeyFolder::load() const {
    std::vector<std::filesystem::path> files;
    std::error_code error;
    for (std::filesystem::directory_iterator at(path_, error), end; !error && at != end; at.increment(error))
        if (at->path().extension() == ".private") files.push_back(at->path());
    if (error == std::errc::no_such_file_or_directory) return std::vector<DatedKey>();
    if (error) return fail("cannot read " + path_.string() + ": " + error.message());
    std::sort(files.begin(), files.end());

    std::vector<DatedKey> keys;
    for (const std::filesystem::path& file : files) {
        auto private_text = read_file(file);
        if (!private_text) return tl::unexpected(private_text.error());
        auto public_file = file;
        public_file.replace_extension(".key");
        const auto public_text = read_file(public_file);
        auto key = public_text ? parse_key_files(zone_, *private_text, *public_text)
                               : Result<DatedKey>(tl::unexpected(public_text.error()));
        OPENSSL_cleanse(private_text->data(), private_text->size());
        if (!key) return fail("the key " + file.string() + " cannot be used: " + key.error().message);
        const std::string stem = key_file_stem(zone_, key->key.algorithm(), key->key.tag());
        if (file.stem() != stem)
            return fail("the key " + file.string() + " cannot be used: its name should be " + stem +
                        ".private");
        keys.push_back(std::move(*key));
    }
    return keys;
}

Result<void> KeyFolder::save(const DnssecKey& key, const KeyTimes& times, uint32_t ttl) const {
    for (const std::filesystem::path& folder : {path_.parent_path(), path_})
        if (auto made = make_folder(folder); !made) return made;
    const auto stem = path_ / key_file_stem(zone_, key.algorithm(), key.tag());
    std::string secret = private_key_file(key, times);
    auto written = write_file(stem.string() + ".key", public_key_file(zone_, key, times, ttl));
    if (written) written = write_file(stem.string() + ".private", secret);
    OPENSSL_cleanse(secret.data(), secret.size());
    if (!written) return written;
    return sync_folder(path_);
}

Result<void> KeyFolder::forget(DnssecAlgorithm algorithm, uint16_t tag) const {
    const auto stem = path_ / key_file_stem(zone_, algorithm, tag);
    for (const std::string_view ending : {".private", ".key"}) {
        const std::string file = stem.string() + std::string(ending);
        if (::unlink(file.c_str()) != 0 && errno != ENOENT) return cannot("remove", file, errno);
    }
    return sync_folder(path_);
}

}  // namespace fairway::dns
