// SPDX-License-Identifier: Apache-2.0
#include "dns/zone_file.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace fairway::dns {
namespace {

struct CloseFile {
    void operator()(FILE* file) const { fclose(file); }
};
struct FreeRecord {
    void operator()(ldns_rr* record) const { ldns_rr_free(record); }
};
struct FreeData {
    void operator()(ldns_rdf* data) const { ldns_rdf_deep_free(data); }
};
struct FreeBuffer {
    void operator()(ldns_buffer* buffer) const { ldns_buffer_free(buffer); }
};
struct FreeText {
    void operator()(char* text) const { LDNS_FREE(text); }
};

// "owner<TAB>ttl<TAB>class<TAB>type<TAB>data<LF>": only the data is wanted, and owners escape their blanks.
std::string presentation(const ldns_rr* record) {
    const std::unique_ptr<char, FreeText> line(ldns_rr2str_fmt(ldns_output_format_nocomments, record));
    if (line == nullptr) return {};
    std::string_view rest = line.get();
    for (int tabs = 0; tabs < 4; ++tabs) {
        const size_t tab = rest.find('\t');
        if (tab == std::string_view::npos) return {};
        rest.remove_prefix(tab + 1);
    }
    while (!rest.empty() && (rest.back() == '\n' || rest.back() == ' ')) rest.remove_suffix(1);
    return std::string(rest);
}

// The reason why the record cannot be taken, or empty.
std::string convert(const ldns_rr* from, FileRecord& to) {
    const ldns_rdf* owner = ldns_rr_owner(from);
    if (owner == nullptr) return "the record has no owner name";
    auto name = Name::from_wire({ldns_rdf_data(owner), ldns_rdf_size(owner)});
    if (!name) return "the owner name is malformed";
    to.owner = *name;
    to.type = static_cast<RecordType>(ldns_rr_get_type(from));
    to.ttl = ldns_rr_ttl(from);
    if (ldns_rr_get_class(from) != LDNS_RR_CLASS_IN) return "the class must be IN";
    // RFC 2181 section 8: the upper bit is not a TTL's.
    if (to.ttl > INT32_MAX) return "the TTL is over 2147483647";

    const std::unique_ptr<ldns_buffer, FreeBuffer> buffer(ldns_buffer_new(LDNS_MAX_PACKETLEN));
    if (buffer == nullptr) return "out of memory";
    for (size_t i = 0; i < ldns_rr_rd_count(from); ++i)
        if (ldns_rdf2buffer_wire(buffer.get(), ldns_rr_rdf(from, i)) != LDNS_STATUS_OK)
            return "the data is longer than 65535 octets";
    const size_t size = ldns_buffer_position(buffer.get());
    if (size > UINT16_MAX) return "the data is longer than 65535 octets";
    const uint8_t* bytes = ldns_buffer_begin(buffer.get());
    to.data.assign(bytes, bytes + size);
    if (!is_valid_data(to.type, to.data))
        return "the data is not that of a " + to_string(to.type) + " record";
    to.text = presentation(from);
    return {};
}

}  // namespace

std::string presentation_of(RecordType type, ByteSpan data) {
    std::vector<uint8_t> record(11 + data.size());
    Writer writer(record);
    writer.u8(0);
    writer.u16(static_cast<uint16_t>(type));
    writer.u16(static_cast<uint16_t>(RecordClass::in));
    writer.u32(0);
    writer.u16(static_cast<uint16_t>(data.size()));
    writer.bytes(data);
    ldns_rr* parsed = nullptr;
    size_t at = 0;
    if (ldns_wire2rr(&parsed, record.data(), record.size(), &at, LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
        return {};
    return presentation(std::unique_ptr<ldns_rr, FreeRecord>(parsed).get());
}

bool is_valid_data(RecordType type, ByteSpan data) noexcept {
    Reader reader(data);
    switch (type) {
        case RecordType::a:
            return data.size() == 4;
        case RecordType::aaaa:
            return data.size() == 16;
        case RecordType::ns:
        case RecordType::cname:
        case RecordType::ptr:
            Name::read_uncompressed(reader);
            break;
        case RecordType::mx:
            reader.skip(2);
            Name::read_uncompressed(reader);
            break;
        case RecordType::srv:
            reader.skip(6);
            Name::read_uncompressed(reader);
            break;
        case RecordType::soa:
            Name::read_uncompressed(reader);
            Name::read_uncompressed(reader);
            reader.skip(20);
            break;
        case RecordType::txt:
            if (data.empty()) return false;
            while (reader.ok() && !reader.at_end()) reader.skip(reader.u8());
            break;
        default:
            return true;
    }
    return reader.ok() && reader.at_end();
}

ZoneFile parse_zone_file(std::string_view text, const Name& origin, uint32_t default_ttl) {
    ZoneFile result;
    const size_t nul = text.find('\0');
    if (nul != std::string_view::npos) {
        const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
        result.errors.push_back({static_cast<uint32_t>(lines + 1), "a NUL octet: this is not a zone file"});
        return result;
    }
    if (text.empty()) return result;
    // Opened for reading only, so the text is never written to.
    const std::unique_ptr<FILE, CloseFile> file(fmemopen(const_cast<char*>(text.data()), text.size(), "r"));
    if (file == nullptr) {
        result.errors.push_back({0, "out of memory"});
        return result;
    }
    const auto fresh_origin = [&origin] {
        return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, origin.size(), origin.wire().data());
    };
    // ldns replaces both as it reads $ORIGIN and owners.
    ldns_rdf* current_origin = fresh_origin();
    ldns_rdf* previous_owner = fresh_origin();
    uint32_t ttl = default_ttl;
    int line = 0;
    while (!feof(file.get())) {
        const int before = line;
        const long offset = ftell(file.get());
        ldns_rr* raw = nullptr;
        const ldns_status status =
            ldns_rr_new_frm_fp_l(&raw, file.get(), &ttl, &current_origin, &previous_owner, &line);
        const std::unique_ptr<ldns_rr, FreeRecord> record(raw);
        const auto at = static_cast<uint32_t>(before + 1);
        switch (status) {
            case LDNS_STATUS_OK: {
                FileRecord converted;
                converted.line = at;
                std::string why = convert(record.get(), converted);
                if (why.empty())
                    result.records.push_back(std::move(converted));
                else
                    result.errors.push_back({at, std::move(why)});
                break;
            }
            case LDNS_STATUS_SYNTAX_EMPTY:
            case LDNS_STATUS_SYNTAX_TTL:
            case LDNS_STATUS_SYNTAX_ORIGIN:
                break;
            case LDNS_STATUS_SYNTAX_INCLUDE:
            case LDNS_STATUS_SYNTAX_INCLUDE_ERR_NOTIMPL:
                result.errors.push_back({at, "$INCLUDE is not supported: put the records into this file"});
                break;
            default:
                result.errors.push_back(
                    {at, std::string("not a record: ") + ldns_get_errorstr_by_id(status)});
                break;
        }
        // A failed read that consumed nothing would fail forever.
        if (ftell(file.get()) == offset) break;
    }
    const std::unique_ptr<ldns_rdf, FreeData> free_origin(current_origin);
    const std::unique_ptr<ldns_rdf, FreeData> free_owner(previous_owner);
    return result;
}

}  // namespace fairway::dns
