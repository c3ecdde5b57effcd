// SPDX-License-Identifier: Apache-2.0
#include "geoip/mmdb_writer.h"

#include <array>
#include <bit>
#include <map>

#include "geoip/mmdb_format.h"
#include "geoip/prefix_trie.h"

namespace fairway::geoip {
namespace {

/// Serialises values; a text of some length that was written before becomes a pointer to it.
class DataSection {
  public:
    explicit DataSection(size_t shortest_shared_text) : shortest_shared_text_(shortest_shared_text) {}

    void write(const MmdbValue& value) { std::visit(Visitor{*this}, value.value); }
    [[nodiscard]] const std::vector<uint8_t>& bytes() const noexcept { return bytes_; }

  private:
    struct Visitor {
        DataSection& out;
        void operator()(const std::string& text) const { out.text(text); }
        void operator()(double number) const {
            out.header(MmdbType::float64, 8);
            out.number(std::bit_cast<uint64_t>(number), 8);
        }
        void operator()(float number) const {
            out.header(MmdbType::float32, 4);
            out.number(std::bit_cast<uint32_t>(number), 4);
        }
        void operator()(uint16_t number) const { out.integer(MmdbType::uint16, number); }
        void operator()(uint32_t number) const { out.integer(MmdbType::uint32, number); }
        void operator()(uint64_t number) const { out.integer(MmdbType::uint64, number); }
        void operator()(int32_t number) const {
            out.header(MmdbType::int32, 4);
            out.number(static_cast<uint32_t>(number), 4);
        }
        void operator()(bool flag) const { out.header(MmdbType::boolean, flag ? 1 : 0); }
        void operator()(const MmdbArray& items) const {
            out.header(MmdbType::array, items.size());
            for (const MmdbValue& item : items) out.write(item);
        }
        void operator()(const MmdbMap& entries) const {
            out.header(MmdbType::map, entries.size());
            for (const auto& [key, item] : entries) {
                out.text(key);
                out.write(item);
            }
        }
    };

    void byte(uint64_t value) { bytes_.push_back(static_cast<uint8_t>(value)); }
    void number(uint64_t value, unsigned width) {
        while (width-- > 0) byte(value >> (8 * width));
    }
    void integer(MmdbType type, uint64_t value) {
        const auto width = static_cast<unsigned>((std::bit_width(value) + 7) / 8);
        header(type, width);
        number(value, width);
    }
    void header(MmdbType type, size_t size) {
        const auto code = static_cast<unsigned>(type);
        const unsigned top = code > 7 ? 0 : code << 5;
        const auto first = [&](size_t low) {
            byte(top | low);
            if (code > 7) byte(code - 7);
        };
        if (size < 29) {
            first(size);
        } else if (size < 285) {
            first(29);
            number(size - 29, 1);
        } else if (size < 65821) {
            first(30);
            number(size - 285, 2);
        } else {
            first(31);
            number(size - 65821, 3);
        }
    }
    void pointer(size_t to) {
        constexpr unsigned type = static_cast<unsigned>(MmdbType::pointer) << 5;
        if (to < 2048) {
            byte(type | to >> 8);
            number(to, 1);
        } else if (to < 526336) {
            to -= 2048;
            byte(type | 1U << 3 | to >> 16);
            number(to, 2);
        } else if (to < 134744064) {
            to -= 526336;
            byte(type | 2U << 3 | to >> 24);
            number(to, 3);
        } else {
            byte(type | 3U << 3);
            number(to, 4);
        }
    }
    void text(const std::string& text) {
        if (text.size() >= shortest_shared_text_) {
            const auto [found, fresh] = texts_.try_emplace(text, bytes_.size());
            if (!fresh) {
                pointer(found->second);
                return;
            }
        }
        header(MmdbType::text, text.size());
        bytes_.insert(bytes_.end(), text.begin(), text.end());
    }

    size_t shortest_shared_text_;
    std::vector<uint8_t> bytes_;
    std::map<std::string, size_t> texts_;
};

constexpr uint32_t nothing = UINT32_MAX;

struct Node {
    uint32_t child[2] = {nothing, nothing};
    uint32_t value = nothing;  // of the network that ends here, and of what below it has none of its own
};

std::array<uint8_t, 16> tree_bits(const IpAddress& address, uint8_t ip_version) {
    std::array<uint8_t, 16> bits{};
    const size_t at = address.is_v4() && ip_version == 6 ? 12 : 0;
    for (size_t i = 0; i < address.bytes().size(); ++i) bits[at + i] = address.bytes()[i];
    return bits;
}

}  // namespace

struct MmdbWriter::Impl {
    MmdbOptions options;
    DataSection data{4};
    std::map<std::vector<uint8_t>, uint32_t> records;  // serialised alone -> offset in `data`
    std::vector<Node> nodes = std::vector<Node>(1);
    bool v6_in_v4 = false;

    uint32_t node_at(const std::array<uint8_t, 16>& bits, unsigned length) {
        uint32_t node = 0;
        for (unsigned i = 0; i < length; ++i) {
            const uint32_t bit = bit_of(bits, i);
            if (nodes[node].child[bit] == nothing) {
                nodes[node].child[bit] = static_cast<uint32_t>(nodes.size());
                nodes.emplace_back();
            }
            node = nodes[node].child[bit];
        }
        return node;
    }
};

MmdbWriter::MmdbWriter(MmdbOptions options) : impl_(std::make_unique<Impl>()) {
    impl_->options = std::move(options);
}
MmdbWriter::~MmdbWriter() = default;

void MmdbWriter::insert(const IpPrefix& prefix, const MmdbMap& record) {
    const uint8_t version = impl_->options.ip_version;
    if (prefix.address().is_v6() && version == 4) {
        impl_->v6_in_v4 = true;
        return;
    }
    DataSection alone(SIZE_MAX);
    alone.write({record});
    const auto [found, fresh] =
        impl_->records.try_emplace(alone.bytes(), static_cast<uint32_t>(impl_->data.bytes().size()));
    if (fresh) impl_->data.write({record});
    const unsigned above = prefix.address().is_v4() && version == 6 ? 96 : 0;
    impl_->nodes[impl_->node_at(tree_bits(prefix.address(), version), above + prefix.length())].value =
        found->second;
}

namespace {

/// The final tree: numbers the inner nodes, pushes values down to the leaves.
class TreeBytes {
  public:
    TreeBytes(const std::vector<Node>& nodes, uint32_t v4_root, const MmdbOptions& options)
        : nodes_(nodes), v4_root_(v4_root), options_(options) {
        numbers_.assign(nodes.size(), nothing);
        number(0);
    }
    [[nodiscard]] uint32_t node_count() const noexcept { return count_; }
    [[nodiscard]] Result<std::vector<uint8_t>> bytes(size_t data_size) {
        const uint64_t largest = uint64_t{count_} + mmdb_separator + data_size;
        if (largest >> options_.record_size != 0)
            return fail("records of " + std::to_string(options_.record_size) +
                        " bits are too small for this database");
        bytes_.assign(size_t{count_} * options_.record_size / 4, 0);
        write(0, nothing);
        return std::move(bytes_);
    }

  private:
    [[nodiscard]] bool inner(uint32_t node) const {
        // The root is always a node, even of a database of one network.
        return node == 0 || nodes_[node].child[0] != nothing || nodes_[node].child[1] != nothing;
    }
    void number(uint32_t node) {
        if (!inner(node) || numbers_[node] != nothing) return;
        numbers_[node] = count_++;
        for (const uint32_t child : nodes_[node].child) {
            if (child != nothing) number(child);
        }
    }
    [[nodiscard]] uint32_t leaf(uint32_t value) const {
        return value == nothing ? count_ : count_ + static_cast<uint32_t>(mmdb_separator) + value;
    }
    void write(uint32_t node, uint32_t inherited) {
        if (nodes_[node].value != nothing) inherited = nodes_[node].value;
        uint32_t record[2];
        for (const uint32_t bit : {0U, 1U}) {
            const uint32_t child = nodes_[node].child[bit];
            if (child == nothing) {
                record[bit] = leaf(inherited);
            } else if (!inner(child)) {
                record[bit] = leaf(nodes_[child].value == nothing ? inherited : nodes_[child].value);
            } else {
                record[bit] = numbers_[child];
                const bool alias = child == v4_root_ && written_v4_;
                written_v4_ = written_v4_ || child == v4_root_;
                if (!alias) write(child, inherited);
            }
        }
        put(numbers_[node], record);
    }
    void put(uint32_t number, const uint32_t (&record)[2]) {
        uint8_t* at = bytes_.data() + size_t{number} * options_.record_size / 4;
        const auto big_endian = [&at](uint32_t value, unsigned width) {
            while (width-- > 0) *at++ = static_cast<uint8_t>(value >> (8 * width));
        };
        if (options_.record_size == 28) {
            big_endian(record[0], 3);
            *at++ = static_cast<uint8_t>((record[0] >> 24 & 0x0fU) << 4 | (record[1] >> 24 & 0x0fU));
            big_endian(record[1], 3);
            return;
        }
        for (const uint32_t value : record) big_endian(value, options_.record_size / 8U);
    }

    const std::vector<Node>& nodes_;
    uint32_t v4_root_;
    const MmdbOptions& options_;
    std::vector<uint32_t> numbers_;
    uint32_t count_ = 0;
    bool written_v4_ = false;
    std::vector<uint8_t> bytes_;
};

}  // namespace

Result<std::vector<uint8_t>> MmdbWriter::finish() const {
    const MmdbOptions& options = impl_->options;
    if (options.ip_version != 4 && options.ip_version != 6) return fail("the IP version must be 4 or 6");
    if (options.record_size != 24 && options.record_size != 28 && options.record_size != 32)
        return fail("the record size must be 24, 28 or 32 bits");
    if (impl_->v6_in_v4) return fail("an IPv6 network does not fit into a database of IPv4");

    Impl tree = {options, DataSection(SIZE_MAX), {}, impl_->nodes, false};
    uint32_t v4_root = nothing;
    if (options.ip_version == 6 && options.alias_ipv4) {
        v4_root = tree.node_at({}, 96);
        const std::array<uint8_t, 16> six_to_four{0x20, 0x02};
        const std::array<uint8_t, 16> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        for (const auto& [bits, length] : {std::pair{six_to_four, 16U}, std::pair{mapped, 96U}}) {
            const uint32_t above = tree.node_at(bits, length - 1);
            tree.nodes[above].child[bit_of(bits, length - 1)] = v4_root;
        }
    }
    TreeBytes tree_bytes(tree.nodes, v4_root, options);
    auto file = tree_bytes.bytes(impl_->data.bytes().size());
    if (!file) return file;
    file->insert(file->end(), mmdb_separator, 0);
    file->insert(file->end(), impl_->data.bytes().begin(), impl_->data.bytes().end());
    for (const char c : mmdb_metadata_marker) file->push_back(static_cast<uint8_t>(c));
    MmdbMap description;
    if (!options.description.empty()) description.push_back({"en", {options.description}});
    DataSection metadata(SIZE_MAX);
    metadata.write({MmdbMap{{"binary_format_major_version", {uint16_t{2}}},
                            {"binary_format_minor_version", {uint16_t{0}}},
                            {"build_epoch", {options.build_epoch}},
                            {"database_type", {options.type}},
                            {"description", {description}},
                            {"ip_version", {uint16_t{options.ip_version}}},
                            {"languages", {MmdbArray{{std::string("en")}}}},
                            {"node_count", {tree_bytes.node_count()}},
                            {"record_size", {uint16_t{options.record_size}}}}});
    file->insert(file->end(), metadata.bytes().begin(), metadata.bytes().end());
    return file;
}

}  // namespace fairway::geoip
