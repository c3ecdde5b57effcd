// SPDX-License-Identifier: Apache-2.0
#include "geoip/mmdb_check.h"

#include <algorithm>
#include <array>
#include <optional>

#include "geoip/mmdb_format.h"

namespace fairway::geoip {
namespace {

constexpr unsigned max_depth = 32;       // of values inside values; real databases have 4
constexpr uint64_t max_size = 1U << 31;  // bytes; offsets in the format have 32 bits

class Bitmap {
  public:
    explicit Bitmap(size_t size) : words_((size + 63) / 64) {}
    /// Sets the bit; false when it was set before.
    bool insert(size_t index) {
        uint64_t& word = words_[index / 64];
        const uint64_t bit = uint64_t{1} << (index % 64);
        const bool fresh = (word & bit) == 0;
        word |= bit;
        return fresh;
    }

  private:
    std::vector<uint64_t> words_;
};

struct Header {
    MmdbType type{};
    uint32_t size = 0;     // bytes, elements, or the value of a boolean
    uint32_t pointer = 0;  // of a pointer: where to
};

/// Reads a control byte and what belongs to it. A type that the format does not have fails the reader.
Header read_header(Reader& in) {
    const uint8_t control = in.u8();
    Header header;
    uint8_t type = control >> 5;
    if (type == static_cast<uint8_t>(MmdbType::pointer)) {
        header.type = MmdbType::pointer;
        const uint32_t top = control & 7U;
        switch (control >> 3 & 3U) {
            case 0:
                header.pointer = top << 8 | in.u8();
                break;
            case 1:
                header.pointer = (top << 16 | in.u16()) + 2048;
                break;
            case 2:
                header.pointer = (top << 24 | in.u24()) + 526336;
                break;
            default:
                header.pointer = in.u32();
        }
        return header;
    }
    if (type == 0) {
        const uint8_t extended = in.u8();
        const bool known = (extended >= 1 && extended <= 4) || extended == 7 || extended == 8;
        if (!known) in.fail();
        type = static_cast<uint8_t>(7 + extended);
    }
    header.type = static_cast<MmdbType>(type);
    header.size = control & 31U;
    if (header.size == 29) {
        header.size = 29U + in.u8();
    } else if (header.size == 30) {
        header.size = 285U + in.u16();
    } else if (header.size == 31) {
        header.size = 65821U + in.u24();
    }
    return header;
}

bool size_fits(const Header& header) {
    switch (header.type) {
        case MmdbType::float64:
            return header.size == 8;
        case MmdbType::float32:
            return header.size == 4;
        case MmdbType::uint16:
            return header.size <= 2;
        case MmdbType::uint32:
        case MmdbType::int32:
            return header.size <= 4;
        case MmdbType::uint64:
            return header.size <= 8;
        case MmdbType::uint128:
            return header.size <= 16;
        case MmdbType::boolean:
            return header.size <= 1;
        default:
            return true;
    }
}

/// Visits values that are reachable from given offsets, each start once, and holds the sum of the work to a
/// budget: overlapping values could otherwise make it quadratic.
class ValueChecker {
  public:
    explicit ValueChecker(ByteSpan section)
        : section_(section), seen_(section.size()), budget_(8 * uint64_t{section.size()} + 1000) {}

    /// Whether the value at `offset` and all that it points to is whole.
    bool check(uint32_t offset) {
        if (!enqueue(offset)) return false;
        while (!pending_.empty()) {
            const uint32_t start = pending_.back();
            pending_.pop_back();
            Reader in(section_);
            in.skip(start);
            if (!value(in, 0)) return false;
        }
        return true;
    }
    [[nodiscard]] bool is_map(uint32_t offset) const { return type_at(offset) == MmdbType::map; }

  private:
    [[nodiscard]] std::optional<MmdbType> type_at(uint32_t offset) const {
        if (offset >= section_.size()) return std::nullopt;
        Reader in(section_.subspan(offset));
        const Header header = read_header(in);
        if (!in.ok()) return std::nullopt;
        return header.type;
    }
    bool enqueue(uint32_t offset) {
        if (offset >= section_.size()) return false;
        if (seen_.insert(offset)) pending_.push_back(offset);
        return true;
    }
    bool pointer(const Header& header) {
        const auto target = type_at(header.pointer);
        return target && *target != MmdbType::pointer && enqueue(header.pointer);
    }
    bool key(Reader& in) {
        const Header header = read_header(in);
        if (!in.ok()) return false;
        if (header.type == MmdbType::pointer)
            return type_at(header.pointer) == MmdbType::text && pointer(header);
        in.skip(header.size);
        return header.type == MmdbType::text && in.ok();
    }
    bool value(Reader& in, unsigned depth) {
        if (budget_ == 0 || depth > max_depth) return false;
        --budget_;
        if (in.ok() && in.position() < section_.size()) seen_.insert(in.position());
        const Header header = read_header(in);
        if (!in.ok() || !size_fits(header)) return false;
        switch (header.type) {
            case MmdbType::pointer:
                return pointer(header);
            case MmdbType::map:
                for (uint32_t i = 0; i < header.size; ++i) {
                    if (budget_ == 0 || !key(in) || !value(in, depth + 1)) return false;
                }
                return true;
            case MmdbType::array:
                for (uint32_t i = 0; i < header.size; ++i) {
                    if (!value(in, depth + 1)) return false;
                }
                return true;
            case MmdbType::boolean:
                return true;
            default:
                in.skip(header.size);
                return in.ok();
        }
    }

    ByteSpan section_;
    Bitmap seen_;
    uint64_t budget_;
    std::vector<uint32_t> pending_;
};

std::string printable(ByteSpan bytes) {
    std::string text(as_text(bytes.first(std::min<size_t>(bytes.size(), 200))));
    for (char& c : text) {
        if (c < 0x20 || c > 0x7e) c = '?';
    }
    return text;
}

/// One entry of a metadata map whose values are known to be whole; unset when it is not there.
struct Entry {
    Header header;
    ByteSpan payload;  // of texts and numbers
    uint32_t offset = 0;
};

void skip_value(Reader& in) {
    const Header header = read_header(in);
    switch (header.type) {
        case MmdbType::map:
            for (uint32_t i = 0; i < header.size && in.ok(); ++i) {
                skip_value(in);
                skip_value(in);
            }
            break;
        case MmdbType::array:
            for (uint32_t i = 0; i < header.size && in.ok(); ++i) skip_value(in);
            break;
        case MmdbType::pointer:
        case MmdbType::boolean:
            break;
        default:
            in.skip(header.size);
    }
}

Entry entry_at(ByteSpan section, uint32_t offset) {
    Reader in(section);
    in.skip(offset);
    Entry entry{read_header(in), {}, offset};
    if (entry.header.type == MmdbType::pointer) return entry_at(section, entry.header.pointer);
    const bool scalar = entry.header.type != MmdbType::map && entry.header.type != MmdbType::array &&
                        entry.header.type != MmdbType::boolean;
    if (scalar) entry.payload = in.take(entry.header.size);
    return entry;
}

std::optional<Entry> find_entry(ByteSpan section, uint32_t map_offset, std::string_view name) {
    Reader in(section);
    in.skip(map_offset);
    const Header map = read_header(in);
    for (uint32_t i = 0; i < map.size && in.ok(); ++i) {
        const Entry key = entry_at(section, static_cast<uint32_t>(in.position()));
        skip_value(in);
        if (as_text(key.payload) == name) return entry_at(section, static_cast<uint32_t>(in.position()));
        skip_value(in);
    }
    return std::nullopt;
}

std::optional<uint64_t> find_number(ByteSpan metadata, std::string_view name) {
    const auto entry = find_entry(metadata, 0, name);
    const bool number =
        entry && (entry->header.type == MmdbType::uint16 || entry->header.type == MmdbType::uint32 ||
                  entry->header.type == MmdbType::uint64);
    if (!number) return std::nullopt;
    uint64_t value = 0;
    for (const uint8_t byte : entry->payload) value = value << 8 | byte;
    return value;
}

std::optional<std::string> find_text(ByteSpan metadata, uint32_t map_offset, std::string_view name) {
    const auto entry = find_entry(metadata, map_offset, name);
    if (!entry || entry->header.type != MmdbType::text) return std::nullopt;
    return printable(entry->payload);
}

/// Keeps a few hundred of any number of offsets, evenly spread.
class Sampler {
  public:
    void add(uint32_t offset) {
        if (count_++ % stride_ != 0) return;
        kept_.push_back(offset);
        if (kept_.size() < 512) return;
        for (size_t i = 0; i < kept_.size() / 2; ++i) kept_[i] = kept_[2 * i];
        kept_.resize(kept_.size() / 2);
        stride_ *= 2;
    }
    std::vector<uint32_t> take() { return std::move(kept_); }

  private:
    std::vector<uint32_t> kept_;
    uint64_t count_ = 0;
    uint64_t stride_ = 1;
};

/// Walks every node once; `data` is checked as records point into it.
Result<std::vector<uint32_t>> check_tree(const MmdbTree& tree, uint8_t ip_version, ByteSpan data) {
    const unsigned bits = ip_version == 4 ? 32 : 128;
    // In a tree of IPv6, IPv4 lives under ::/96; other networks (6to4, mapped) may point there too.
    uint32_t v4_root = 0;
    for (unsigned i = 0; i < 96 && ip_version == 6 && v4_root < tree.node_count; ++i)
        v4_root = tree.record(v4_root, 0);
    Bitmap nodes(tree.node_count);
    ValueChecker values(data);
    Sampler sampler;
    struct Place {
        uint32_t node;
        unsigned depth;
        bool zeros;  // on the way to ::/96
        bool in_v4;
    };
    std::vector<Place> pending{{0, 0, true, false}};
    bool v4_seen = false;
    nodes.insert(0);
    while (!pending.empty()) {
        const Place place = pending.back();
        pending.pop_back();
        // Right first onto the stack, so that the walk is in the order of addresses and ::/96 comes first.
        for (const uint32_t bit : {1U, 0U}) {
            const uint32_t record = tree.record(place.node, bit);
            if (record < tree.node_count) {
                const bool zeros = place.zeros && bit == 0;
                if (!nodes.insert(record)) {
                    if (record == v4_root && v4_seen && !place.in_v4) continue;
                    return fail("the search tree is not a tree: node " + std::to_string(record) +
                                " is reached twice");
                }
                if (place.depth + 1 >= bits)
                    return fail("the search tree is deeper than an address has bits");
                const bool enters_v4 = ip_version == 6 && zeros && place.depth + 1 == 96;
                v4_seen = v4_seen || enters_v4;
                pending.push_back({record, place.depth + 1, zeros, place.in_v4 || enters_v4});
            } else if (record > tree.node_count) {
                const uint64_t offset = uint64_t{record} - tree.node_count;
                if (offset < mmdb_separator || offset - mmdb_separator >= data.size())
                    return fail("the search tree points outside the data, at node " +
                                std::to_string(place.node));
                const auto at = static_cast<uint32_t>(offset - mmdb_separator);
                if (!values.check(at) || !values.is_map(at))
                    return fail("the record at offset " + std::to_string(at) +
                                " of the data section is damaged");
                sampler.add(at);
            }
        }
    }
    return sampler.take();
}

}  // namespace

Result<MmdbFacts> check_mmdb(ByteSpan file) {
    if (file.size() > max_size) return fail("larger than 2 GiB");
    const ByteSpan tail = file.last(std::min(file.size(), mmdb_metadata_reach));
    const size_t marker = as_text(tail).rfind(mmdb_metadata_marker);
    if (marker == std::string_view::npos)
        return fail("no MaxMind DB metadata at its end: not such a file, or truncated");
    const ByteSpan metadata = tail.subspan(marker + mmdb_metadata_marker.size());
    ValueChecker metadata_checker(metadata);
    if (!metadata_checker.check(0) || !metadata_checker.is_map(0)) return fail("the metadata is damaged");

    MmdbFacts facts;
    const auto major = find_number(metadata, "binary_format_major_version");
    const auto record_size = find_number(metadata, "record_size");
    const auto ip_version = find_number(metadata, "ip_version");
    const auto node_count = find_number(metadata, "node_count");
    const auto type = find_text(metadata, 0, "database_type");
    const auto build_epoch = find_number(metadata, "build_epoch");
    if (!major || !record_size || !ip_version || !node_count || !type || build_epoch.value_or(0) == 0)
        return fail("the metadata lacks a required field");
    if (*major != 2) return fail("format version " + std::to_string(*major) + ", but only 2 is known");
    if (*record_size != 24 && *record_size != 28 && *record_size != 32)
        return fail("a record size of " + std::to_string(*record_size) + " bits is not in the format");
    if (*ip_version != 4 && *ip_version != 6)
        return fail("IP version " + std::to_string(*ip_version) + " is neither 4 nor 6");
    if (*node_count == 0 || *node_count > max_size) return fail("the search tree is empty or too large");
    facts.record_size = static_cast<uint8_t>(*record_size);
    facts.ip_version = static_cast<uint8_t>(*ip_version);
    facts.node_count = static_cast<uint32_t>(*node_count);
    facts.type = *type;
    facts.build_epoch = *build_epoch;
    const auto description = find_entry(metadata, 0, "description");
    if (description && description->header.type == MmdbType::map)
        facts.description = find_text(metadata, description->offset, "en").value_or("");

    const MmdbTree tree{file.data(), facts.node_count, facts.record_size};
    const size_t data_end = file.size() - tail.size() + marker;
    if (tree.size() + mmdb_separator > data_end)
        return fail("the search tree does not fit into the file: truncated or overwritten");
    const ByteSpan data = file.subspan(tree.size() + mmdb_separator, data_end - tree.size() - mmdb_separator);
    auto sample = check_tree(tree, facts.ip_version, data);
    if (!sample) return tl::unexpected(sample.error());
    facts.sample = std::move(*sample);
    return facts;
}

}  // namespace fairway::geoip
