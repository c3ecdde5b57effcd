// SPDX-License-Identifier: Apache-2.0
#include "geoip/database.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "base/unique_fd.h"
#include "geoip/mmdb_check.h"
#include "geoip/schema.h"

namespace fairway::geoip {
namespace {

std::string errno_text() {
    return std::generic_category().message(errno);
}

/// A private mapping for the check, before the library is let near the file.
class Mapping {
  public:
    Mapping(int fd, size_t size)
        : size_(size), at_(size == 0 ? MAP_FAILED : mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0)) {}
    ~Mapping() {
        if (at_ != MAP_FAILED) munmap(at_, size_);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    [[nodiscard]] bool ok() const noexcept { return at_ != MAP_FAILED; }
    [[nodiscard]] ByteSpan bytes() const noexcept { return {static_cast<const uint8_t*>(at_), size_}; }

  private:
    size_t size_;
    void* at_;
};

Result<void> write_all(int fd, ByteSpan bytes) {
    while (!bytes.empty()) {
        const ssize_t written = write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return fail("cannot copy it: " + errno_text());
        bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return {};
}

struct Copy {
    UniqueFd fd;
    bool in_memory = false;
    FileSignature signature;
};

/// Somewhere to write that has no name. A file, because its pages need not stay in memory; a file system that
/// is full or knows no files without names must not cost an operator the database.
Copy make_copy(const std::filesystem::path& folder, uint64_t size) {
    Copy copy;
    if (!folder.empty()) {
        copy.fd.reset(open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        if (copy.fd && posix_fallocate(copy.fd.get(), 0, static_cast<off_t>(size)) == 0) return copy;
    }
    copy.fd.reset(memfd_create("fairway-geoip", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    copy.in_memory = true;
    return copy;
}

/// The file's bytes where nobody else can write, and which file that was.
Result<Copy> copy_of(const std::filesystem::path& path, const std::filesystem::path& folder) {
    // Not blocking, in case someone put a FIFO there.
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat before {};
    if (!file || fstat(file.get(), &before) != 0) return fail(errno_text());
    if (!S_ISREG(before.st_mode)) return fail("not a regular file");
    if (before.st_size == 0) return fail("the file is empty");
    Copy copy = make_copy(folder, static_cast<uint64_t>(before.st_size));
    copy.signature = FileSignature::of(before);
    if (!copy.fd) return fail("cannot make anonymous memory: " + errno_text());
    std::vector<uint8_t> buffer(256 * 1024);
    for (uint64_t copied = 0; copied < copy.signature.size;) {
        const ssize_t count = read(file.get(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return fail("cannot read it: " + errno_text());
        if (count == 0) break;  // shorter than it was: the comparison below tells
        if (auto written = write_all(copy.fd.get(), {buffer.data(), static_cast<size_t>(count)}); !written)
            return tl::unexpected(written.error());
        copied += static_cast<uint64_t>(count);
    }
    struct stat after {};
    if (fstat(file.get(), &after) != 0 || FileSignature::of(after) != copy.signature)
        return fail("it was being written while it was read");
    if (!copy.in_memory) return copy;
    if (fcntl(copy.fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return fail("cannot seal its copy: " + errno_text());
    return copy;
}

}  // namespace

struct Database::Reading {
    MMDB_s library{};
    Schema schema;
    bool open = false;

    Reading() = default;
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() {
        if (open) MMDB_close(&library);
    }
};

Database::~Database() = default;

Result<std::shared_ptr<const Database>> Database::open(const std::filesystem::path& path,
                                                       const std::filesystem::path& copies) {
    const auto bad = [&path](const std::string& why) {
        return fail("cannot use geo database " + path.string() + ": " + why);
    };
    const auto copy = copy_of(path, copies);
    if (!copy) return bad(copy.error().message);
    MmdbFacts facts;
    {
        const Mapping mapping(copy->fd.get(), copy->signature.size);
        if (!mapping.ok()) return bad("cannot map its copy: " + errno_text());
        auto checked = check_mmdb(mapping.bytes());
        if (!checked) return bad(checked.error().message);
        facts = std::move(*checked);
    }
    if (facts.sample.empty()) return bad("it holds no networks");

    auto reading = std::make_unique<Reading>();
    const std::string copy_path = "/proc/self/fd/" + std::to_string(copy->fd.get());
    const int opened = MMDB_open(copy_path.c_str(), MMDB_MODE_MMAP, &reading->library);
    if (opened != MMDB_SUCCESS) return bad(MMDB_strerror(opened));
    reading->open = true;
    reading->schema = Schema::detect(reading->library, facts.sample);
    const Schema& schema = reading->schema;
    if (!schema.knows_anything())
        return bad("type \"" + facts.type + "\" has no country, continent, coordinates or AS number");

    std::shared_ptr<Database> database(new Database);
    database->signature_ = copy->signature;
    database->tree_ = {reading->library.file_content, facts.node_count, facts.record_size};
    DatabaseInfo& info = database->info_;
    info.path = path;
    info.type = std::move(facts.type);
    info.description = std::move(facts.description);
    info.ip_version = facts.ip_version;
    info.record_size = facts.record_size;
    info.node_count = facts.node_count;
    info.file_size = copy->signature.size;
    info.in_memory = copy->in_memory;
    info.built = WallTime(seconds{static_cast<int64_t>(facts.build_epoch)});
    info.has_country = schema.country != nullptr;
    info.has_continent = schema.continent != nullptr;
    info.has_coordinates = schema.latitude != nullptr;
    info.has_asn = schema.asn != nullptr;
    if (info.ip_version == 6) {
        for (unsigned i = 0; i < 96 && database->v4_root_ < info.node_count; ++i)
            database->v4_root_ = database->tree_.record(database->v4_root_, 0);
    }
    database->reading_ = std::move(reading);
    return database;
}

void Database::rest() const noexcept {
    // The library's mapping is shared: what is let go of here stays in the file.
    (void)madvise(const_cast<uint8_t*>(reading_->library.file_content),
                  static_cast<size_t>(reading_->library.file_size), MADV_DONTNEED);
}

TreeCursor Database::cursor(uint32_t record) const noexcept {
    if (record < info_.node_count) return {record, TreeCursor::none};
    if (record == info_.node_count) return {};
    return {TreeCursor::none, record - info_.node_count - static_cast<uint32_t>(mmdb_separator)};
}

TreeCursor Database::root(IpFamily family) const noexcept {
    if (family == IpFamily::v4) return cursor(v4_root_);
    return info_.ip_version == 6 ? cursor(0) : TreeCursor{};
}

TreeCursor Database::step(TreeCursor from, uint32_t bit) const noexcept {
    const uint32_t record = tree_.record(from.node, bit);
    // IPv4 inside the tree of IPv6 (under ::/96, and where 6to4 and the like point at it) is not IPv6.
    if (info_.ip_version == 6 && record == v4_root_ && record < info_.node_count) return {};
    return cursor(record);
}

Location Database::record_at(uint32_t offset) const {
    return reading_->schema.read(reading_->library, offset);
}

}  // namespace fairway::geoip
