// SPDX-License-Identifier: Apache-2.0
// From templates to wire form, off the hot path: placeholders become text, the text is read like a zone
// file's, and what is known only when an answer is made (rank, addresses) is left open.
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "dns/name.h"
#include "dns/steered_records.h"
#include "dns/zone_file.h"
#include "steering/selection.h"

namespace fairway::dns {
namespace {

constexpr size_t max_set_size = 60'000;  // octets of an RRset that still fits a message
constexpr size_t record_overhead = 12;
constexpr size_t hint_overhead = 4;
constexpr std::string_view rank = "{rank}";
constexpr std::string_view blank = " \t";

struct HintWord {
    std::string_view word;
    bool v4;
    bool all;  // the addresses of all endpoints, not of one
};
constexpr std::array hint_words{
    HintWord{"ipv4hint={address}", true, false}, HintWord{"ipv4hint={addresses}", true, true},
    HintWord{"ipv6hint={address}", false, false}, HintWord{"ipv6hint={addresses}", false, true}};

bool is_service_binding(RecordType type) {
    return type == RecordType::svcb || type == RecordType::https;
}

// As an escape where the text of a zone file would give the character a meaning.
void append_escaped(std::string& out, std::string_view text) {
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           std::string_view("-_.:").find(c) != std::string_view::npos;
        if (plain) {
            out += c;
            continue;
        }
        out += '\\';
        for (const int unit : {100, 10, 1}) out += static_cast<char>('0' + octet / unit % 10);
    }
}

// The next word of `text`, which it leaves behind; quoted blanks belong to a word.
std::string_view next_word(std::string_view& text) {
    const size_t start = text.find_first_not_of(blank);
    if (start == std::string_view::npos) {
        text = {};
        return {};
    }
    bool quoted = false;
    size_t end = start;
    for (; end < text.size(); ++end) {
        const char c = text[end];
        if (c == '\\') {
            ++end;
            continue;
        }
        if (c == '"') quoted = !quoted;
        if (!quoted && blank.find(c) != std::string_view::npos) break;
    }
    end = std::min(end, text.size());
    const std::string_view word = text.substr(start, end - start);
    text.remove_prefix(end);
    return word;
}

// What a zone file would take for the end of the data or for more than one line.
bool is_one_line(std::string_view text) {
    bool quoted = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto octet = static_cast<unsigned char>(text[i]);
        if (octet < 0x20 && octet != '\t') return false;
        if (text[i] == '\\') {
            ++i;
            continue;
        }
        if (text[i] == '"') quoted = !quoted;
        if (!quoted && std::string_view(";()").find(text[i]) != std::string_view::npos) return false;
    }
    return !quoted;
}

}  // namespace

class SteeredRecordsCompiler {
  public:
    SteeredRecordsCompiler(const Model& model, std::vector<SteeredRecords::Problem>& problems)
        : model_(model), problems_(problems) {}

    SteeredRecords run() {
        out_.sets_.resize(model_.services.size());
        for (const Service& service : model_.services)
            for (const RecordTemplates& records : service.records) add(service, records);
        return std::move(out_);
    }

  private:
    // A template without what is left open.
    struct Draft {
        RecordType type{};
        std::string text;
        uint16_t rank_step = 0;
        bool each = false;
        std::optional<bool> hint4, hint6;  // whether of all endpoints
    };

    void add(const Service& service, const RecordTemplates& records) {
        const auto type = parse_record_type(records.type);
        if (!type) return problem(service, records.type, "is no type of records");
        SteeredRecords::Set set;
        set.type = *type;
        size_t size = 0;
        for (const std::string& text : records.records) {
            const auto draft = read(service, records.type, *type, text);
            if (!draft) continue;
            SteeredRecords::Template made;
            made.rank_step = draft->rank_step;
            made.each = draft->each;
            size_t largest = 0;
            if (draft->each) {
                for (const EndpointId endpoint : endpoints_of(service))
                    if (!add_piece(service, *draft, text, endpoint, made, largest)) break;
            } else {
                add_piece(service, *draft, text, EndpointId(), made, largest);
            }
            size += (largest + record_overhead) * (draft->each ? Selection::max_endpoints : 1);
            set.templates.push_back(std::move(made));
        }
        if (size > max_set_size)
            problem(service, records.type,
                    "is too long: with all endpoints it would not fit into a DNS message");
        out_.sets_[service.id.index()].push_back(std::move(set));
    }

    void problem(const Service& service, const std::string& type, const std::string& message) {
        problems_.push_back({service.id, "records." + type + ": " + message});
    }

    // Takes out what is left open, and judges the placeholders.
    std::optional<Draft> read(const Service& service, const std::string& name, RecordType type,
                              std::string_view text) {
        const std::string shown = "\"" + std::string(text) + "\" ";
        const auto wrong = [&](const std::string& message) -> std::optional<Draft> {
            problem(service, name, shown + message);
            return std::nullopt;
        };
        if (!is_one_line(text))
            return wrong("must be one line with its quotes closed, without ; ( or ) outside of them");
        Draft draft;
        draft.type = type;
        bool first = true;
        for (std::string_view word = next_word(text); !word.empty(); word = next_word(text), first = false) {
            const auto hint = std::find_if(hint_words.begin(), hint_words.end(), [&](const HintWord& each) {
                return is_service_binding(type) && each.word == word;
            });
            if (hint != hint_words.end()) {
                auto& of_family = hint->v4 ? draft.hint4 : draft.hint6;
                if (of_family) return wrong("has a hint twice");
                of_family = hint->all;
                draft.each = draft.each || !hint->all;
                continue;
            }
            if (first && word.starts_with(rank)) {
                const std::string_view zeros = word.substr(rank.size());
                const bool numbered = type != RecordType::txt;
                if (!numbered || zeros.size() > 2 || zeros.find_first_not_of('0') != std::string_view::npos)
                    return wrong(numbered ? "may have {rank}, {rank}0 or {rank}00 as its first field, "
                                            "nothing else with {rank}"
                                          : "must not have {rank}: these records have no order");
                draft.rank_step = zeros.empty() ? 1 : zeros.size() == 1 ? 10 : 100;
                draft.each = true;
                draft.text = "1";
                continue;
            }
            if (!draft.text.empty()) draft.text += ' ';
            draft.text += word;
        }
        for (size_t at = draft.text.find('{'); at != std::string::npos; at = draft.text.find('{', at + 1)) {
            const size_t end = draft.text.find('}', at);
            const std::string placeholder =
                end == std::string::npos ? draft.text.substr(at) : draft.text.substr(at, end - at + 1);
            if (placeholder == rank) return wrong("may have {rank} only as its first field");
            if (placeholder == "{addresses}")
                return wrong("may have {addresses} only as ipv4hint={addresses} or ipv6hint={addresses}");
            if (!is_known(placeholder))
                return wrong(
                    "has " + placeholder +
                    "; there are {rank}, {weight}, {host}, {address}, {addresses}, {endpoint}, {gateway}, "
                    "{region}, {zone}, {uplink} and {label:KEY}");
            draft.each = true;
        }
        if (draft.each && (draft.hint4.value_or(false) || draft.hint6.value_or(false)))
            return wrong("is for each endpoint, so it must not have {addresses}, which are of all of them");
        return draft;
    }

    static bool is_known(std::string_view placeholder) {
        constexpr std::array<std::string_view, 8> known{"{weight}",  "{host}",   "{address}", "{endpoint}",
                                                        "{gateway}", "{region}", "{zone}",    "{uplink}"};
        if (placeholder.starts_with("{label:") && placeholder.size() > 8 && placeholder.back() == '}')
            return true;
        return std::find(known.begin(), known.end(), placeholder) != known.end();
    }

    // Every endpoint that may ever be answered at the service, also by one that it falls back to; sorted.
    std::vector<EndpointId> endpoints_of(const Service& service) const {
        std::vector<EndpointId> all;
        std::vector<ServiceId> seen;
        for (const Service* at = &service; std::find(seen.begin(), seen.end(), at->id) == seen.end();) {
            seen.push_back(at->id);
            for (const GatewayId gateway : at->gateways)
                all.insert(all.end(), model_[gateway].endpoints.begin(), model_[gateway].endpoints.end());
            if (at->fallback_service.valid()) at = &model_[at->fallback_service];
        }
        std::sort(all.begin(), all.end());
        all.erase(std::unique(all.begin(), all.end()), all.end());
        return all;
    }

    // What stands for a placeholder, or nothing where this endpoint has no such thing.
    std::optional<std::string> value_of(std::string_view placeholder, const Endpoint& endpoint) const {
        const Gateway& gateway = model_[endpoint.gateway];
        const auto unless_empty = [](const std::string& text) {
            return text.empty() ? std::nullopt : std::optional(text);
        };
        if (placeholder == "{weight}") return std::to_string(endpoint.weight);
        if (placeholder == "{host}") return endpoint.address ? std::nullopt : std::optional(endpoint.host);
        if (placeholder == "{address}")
            return endpoint.address ? std::optional(endpoint.address->to_string()) : std::nullopt;
        if (placeholder == "{endpoint}") return endpoint.name;
        if (placeholder == "{gateway}") return gateway.name;
        if (placeholder == "{region}") return model_[gateway.region].name;
        if (placeholder == "{zone}") return unless_empty(gateway.zone);
        if (placeholder == "{uplink}") return unless_empty(endpoint.uplink);
        const auto label = gateway.labels.find(std::string(placeholder.substr(7, placeholder.size() - 8)));
        return label == gateway.labels.end() ? std::nullopt : std::optional(label->second);
    }

    // False when something is wrong, which is then reported.
    bool add_piece(const Service& service, const Draft& draft, const std::string& shown, EndpointId id,
                   SteeredRecords::Template& made, size_t& largest) {
        const std::string type = to_string(draft.type);
        std::string text = ". 0 IN " + type + " ";
        for (size_t at = 0; at < draft.text.size();) {
            const size_t open = std::min(draft.text.find('{', at), draft.text.size());
            text += draft.text.substr(at, open - at);
            if (open == draft.text.size()) break;
            const size_t close = draft.text.find('}', open);
            const std::string placeholder = draft.text.substr(open, close - open + 1);
            const auto value = value_of(placeholder, model_[id]);
            if (!value) {
                problem(service, type,
                        "\"" + shown + "\" has " + placeholder + ", but " + endpoint_path(model_, id) +
                            (placeholder == "{host}"      ? " is an address, not a host name"
                             : placeholder == "{address}" ? " is a host name, not an address"
                                                          : " has none"));
                return false;
            }
            append_escaped(text, *value);
            at = close + 1;
        }
        const ZoneFile parsed = parse_zone_file(text + "\n", Name(), 0);
        if (!parsed.errors.empty() || parsed.records.size() != 1 ||
            parsed.records.front().type != draft.type) {
            const std::string why = parsed.errors.empty() ? "" : " (" + parsed.errors.front().message + ")";
            problem(service, type,
                    "\"" + shown + "\" does not make a record" +
                        (id.valid() ? " for " + endpoint_path(model_, id) : std::string()) + why);
            return false;
        }
        const std::vector<uint8_t>& data = parsed.records.front().data;
        SteeredRecords::Piece piece;
        piece.endpoint = id;
        piece.at = static_cast<uint32_t>(out_.bytes_.size());
        piece.size = static_cast<uint16_t>(data.size());
        if ((draft.hint4 || draft.hint6) && !open_hints(service, draft, shown, data, piece)) return false;
        out_.bytes_.insert(out_.bytes_.end(), data.begin(), data.end());
        made.pieces.push_back(piece);
        const size_t addresses = draft.each ? 1 : Selection::max_endpoints;
        largest = std::max(largest, data.size() + (draft.hint4 ? hint_overhead + 4 * addresses : 0) +
                                        (draft.hint6 ? hint_overhead + 16 * addresses : 0));
        return true;
    }

    // Parameters stand in order of their keys (RFC 9460 section 2.2): where do those of the addresses belong?
    bool open_hints(const Service& service, const Draft& draft, const std::string& shown,
                    const std::vector<uint8_t>& data, SteeredRecords::Piece& piece) {
        constexpr uint16_t mandatory = 0;
        const auto wrong = [&](const std::string& message) {
            problem(service, to_string(draft.type), "\"" + shown + "\" " + message);
            return false;
        };
        Reader reader(data);
        if (reader.u16() == 0) return wrong("is an alias (priority 0), which has no parameters");
        Name::read_uncompressed(reader);
        std::array<size_t, 2> places{data.size(), data.size()};
        constexpr std::array<uint16_t, 2> keys{4, 6};
        const std::array<bool, 2> open{draft.hint4.has_value(), draft.hint6.has_value()};
        while (reader.ok() && !reader.at_end()) {
            const size_t at = reader.position();
            const uint16_t key = reader.u16();
            Reader value(reader.take(reader.u16()));
            for (size_t i = 0; i < keys.size(); ++i) {
                if (open[i] && key == keys[i]) return wrong("has a hint twice");
                if (open[i] && key > keys[i]) places[i] = std::min(places[i], at);
            }
            while (key == mandatory && !value.at_end()) {
                const uint16_t needed = value.u16();
                for (size_t i = 0; i < keys.size(); ++i)
                    if (open[i] && needed == keys[i])
                        return wrong("must not make mandatory what is left out when there is no address");
            }
        }
        if (open[0]) piece.hint4 = static_cast<uint16_t>(places[0]);
        if (open[1]) piece.hint6 = static_cast<uint16_t>(places[1]);
        return reader.ok();
    }

    const Model& model_;
    std::vector<SteeredRecords::Problem>& problems_;
    SteeredRecords out_;
};

SteeredRecords SteeredRecords::compile(const Model& model, std::vector<Problem>& problems) {
    return SteeredRecordsCompiler(model, problems).run();
}

}  // namespace fairway::dns
