// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <toml++/toml.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "base/text.h"

namespace fairway::config {
namespace {

Position position_of(uint32_t file, const toml::source_region& region) {
    return {file, region.begin.line, region.begin.column};
}

Node convert(const toml::node& from, uint32_t file);

Node convert_table(const toml::table& from, uint32_t file) {
    Node to;
    to.kind = Node::Kind::table;
    to.entries.reserve(from.size());
    for (const auto& [key, value] : from)
        to.entries.push_back({std::string(key.str()), position_of(file, key.source()), convert(value, file)});
    // toml++ sorts by key; people care for the order in which they wrote.
    std::sort(to.entries.begin(), to.entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.where.line, a.where.column) < std::tie(b.where.line, b.where.column);
    });
    return to;
}

Node convert(const toml::node& from, uint32_t file) {
    Node to;
    if (const auto* table = from.as_table()) {
        to = convert_table(*table, file);
    } else if (const auto* array = from.as_array()) {
        to.kind = Node::Kind::array;
        to.items.reserve(array->size());
        for (const toml::node& item : *array) to.items.push_back(convert(item, file));
    } else if (const auto* text = from.as_string()) {
        to.kind = Node::Kind::text;
        to.text = text->get();
    } else if (const auto* integer = from.as_integer()) {
        to.kind = Node::Kind::integer;
        to.integer = integer->get();
    } else if (const auto* number = from.as_floating_point()) {
        to.kind = Node::Kind::number;
        to.number = number->get();
    } else if (const auto* flag = from.as_boolean()) {
        to.kind = Node::Kind::flag;
        to.flag = flag->get();
    } else {
        to.kind = Node::Kind::date;
    }
    to.where = position_of(file, from.source());
    return to;
}

/// Finds nesting that would exhaust the stack of a recursive parser or destructor: brackets, and the segments
/// of one dotted key. Understands just enough TOML to skip strings and comments. Returns the 1-based line of
/// the offence, or 0.
uint32_t too_deep_line(std::string_view text) {
    uint32_t line = 1;
    size_t depth = 0, segments = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        switch (c) {
            case '\n':
                ++line;
                segments = 0;
                break;
            case '#':
                i = std::min(text.find('\n', i), text.size()) - 1;
                break;
            case '"':
            case '\'': {
                const bool multiline = text.substr(i, 3) == std::string(3, c);
                const std::string_view close = multiline ? text.substr(i, 3) : text.substr(i, 1);
                for (i += close.size(); i < text.size() && text.substr(i, close.size()) != close; ++i) {
                    if (text[i] == '\\' && c == '"') ++i;
                    if (i < text.size() && text[i] == '\n') {
                        ++line;
                        if (!multiline) break;
                    }
                }
                i += close.size() - 1;
                break;
            }
            case '[':
            case '{':
                segments = 0;
                if (++depth > max_depth) return line;
                break;
            case ']':
            case '}':
                if (depth > 0) --depth;
                segments = 0;
                break;
            case ',':
            case '=':
                segments = 0;
                break;
            case '.':
                if (++segments > max_depth) return line;
                break;
            default:
                break;
        }
    }
    return 0;
}

/// Blanks, in `text`, the statement that begins in line `line` (and, for a table header, all that belongs to
/// it), keeping every line break so that positions stay true. False when there is nothing to blank.
bool blank_statement(std::string& text, uint32_t line) {
    size_t begin = 0;
    for (uint32_t at = 1; at < line; ++at) {
        begin = text.find('\n', begin);
        if (begin == std::string::npos) return false;
        ++begin;
    }
    const auto line_end = [&text](size_t from) { return std::min(text.find('\n', from), text.size()); };
    const auto is_header = [&](size_t from) {
        const size_t first = text.find_first_not_of(" \t", from);
        return first != std::string::npos && text[first] == '[';
    };
    size_t end = line_end(begin);
    if (is_header(begin)) {
        while (end < text.size() && !is_header(end + 1)) end = line_end(end + 1);
    }
    bool any = false;
    for (size_t i = begin; i < end; ++i) {
        if (text[i] == '\n' || text[i] == '\r') continue;
        any = any || text[i] != ' ';
        text[i] = ' ';
    }
    return any;
}

/// `text` without control characters; what they were can still be read.
std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        constexpr std::string_view digits = "0123456789ABCDEF";
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c == '\r') {
            out += "\\r";
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\u00";
            out += digits[byte >> 4];
            out += digits[byte & 15U];
        } else {
            out += c;
        }
    }
    return out;
}

/// The entry whose dotted path toml++ prints as `path`; keys may hold dots themselves.
const Entry* find_path(const Node& table, std::string_view path) {
    for (const Entry& entry : table.entries) {
        if (!path.starts_with(entry.key)) continue;
        const std::string_view rest = path.substr(entry.key.size());
        if (rest.empty()) return &entry;
        if (rest.front() != '.' || entry.value.kind != Node::Kind::table) continue;
        if (const Entry* found = find_path(entry.value, rest.substr(1))) return found;
    }
    return nullptr;
}

/// A table or key that stands a second time in one file.
struct Repetition {
    Position where;
    std::string path;  // of a table: from the root; of a key: within its table
    bool is_table = false;
};

/// Whether toml++ complains of a repetition, and of what.
std::optional<Repetition> repetition_in(std::string_view what, Position where) {
    constexpr std::string_view phrase = "cannot redefine existing ";
    const size_t at = what.find(phrase);
    const size_t open = what.find('\'', at == std::string_view::npos ? what.size() : at);
    const size_t close = what.rfind('\'');
    if (open == std::string_view::npos || close <= open) return std::nullopt;
    return Repetition{where, std::string(what.substr(open + 1, close - open - 1)),
                      what.find("table header") != std::string_view::npos};
}

void report_repetition(Reporter& report, const Node& root, const Repetition& repetition) {
    const Entry* first = repetition.is_table ? find_path(root, repetition.path) : nullptr;
    report.error(repetition.where, quote(repetition.path) + " is given twice" +
                                       (first == nullptr ? "" : "; first at " + report.place(first->where)));
}

}  // namespace

std::string quote(std::string_view text) {
    std::string safe;
    safe.reserve(text.size() + 2);
    for (const char c : text) {
        if (c == '"' || c == '\\') safe += '\\';
        safe += c;
    }
    return '"' + escaped(safe) + '"';
}

const Entry* Node::find(std::string_view key) const noexcept {
    for (const Entry& entry : entries) {
        if (entry.key == key) return &entry;
    }
    return nullptr;
}

std::string_view Node::kind_name() const noexcept {
    switch (kind) {
        case Kind::text:
            return "a string";
        case Kind::integer:
            return "an integer";
        case Kind::number:
            return "a float";
        case Kind::flag:
            return "a boolean";
        case Kind::date:
            return "a date or time";
        case Kind::array:
            return "an array";
        case Kind::table:
            return "a table";
    }
    return "?";
}

uint32_t Reporter::add_file(std::string name) {
    files_.push_back(std::move(name));
    return static_cast<uint32_t>(files_.size() - 1);
}

void Reporter::error(Position where, const std::string& message) {
    failed_ = true;
    items_.push_back({where, Diagnostic::Severity::error, escaped(message)});
}

void Reporter::warning(Position where, const std::string& message) {
    items_.push_back({where, Diagnostic::Severity::warning, escaped(message)});
}

std::string Reporter::suggest(std::string_view text, const std::vector<std::string>& candidates) {
    if (candidates.size() > suggestion_budget_ || text.size() > 100) return {};
    suggestion_budget_ -= candidates.size();
    const std::string near = nearest_name(text, candidates);
    return near.empty() ? "" : " (did you mean \"" + near + "\"?)";
}

std::string Reporter::place(Position where) const {
    return files_.at(where.file) + ":" + std::to_string(where.line) + ":" + std::to_string(where.column);
}

std::vector<Diagnostic> Reporter::take() {
    std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
        return std::tie(a.where.file, a.where.line, a.where.column) <
               std::tie(b.where.file, b.where.line, b.where.column);
    });
    std::vector<Diagnostic> all;
    all.reserve(items_.size());
    for (Item& item : items_)
        all.push_back({item.severity, files_.at(item.where.file), item.where.line, item.where.column,
                       std::move(item.message)});
    items_.clear();
    return all;
}

std::optional<Node> parse_document(Reporter& report, uint32_t file, std::string_view text) {
    if (text.size() > max_file_size) {
        report.error({file, 0, 0}, "the file is larger than 16 MiB");
        return std::nullopt;
    }
    if (const uint32_t line = too_deep_line(text)) {
        report.error({file, line, 1},
                     "tables, arrays or dotted keys are nested deeper than " + std::to_string(max_depth));
        return std::nullopt;
    }
    // toml++ stops at its first complaint. A statement that only repeats an earlier one is blanked and the
    // rest parsed again, a bounded number of times, because it leaves nothing else in doubt.
    constexpr int max_attempts = 20;
    std::string mended;
    std::vector<Repetition> repetitions;
    std::optional<Node> tree;
    try {
        for (int attempt = 0; attempt < max_attempts && !tree; ++attempt) {
            try {
                tree = convert_table(toml::parse(attempt == 0 ? text : std::string_view(mended)), file);
            } catch (const toml::parse_error& error) {
                const Position where = position_of(file, error.source());
                std::string what(error.description());
                if (attempt == 0) mended = text;
                if (auto repetition = repetition_in(what, where);
                    repetition && blank_statement(mended, where.line)) {
                    repetitions.push_back(std::move(*repetition));
                    continue;
                }
                // What is left of a repeated key's value of several lines is not worth a word.
                if (!repetitions.empty() && !repetitions.back().is_table) break;
                constexpr std::string_view boilerplate = "Error while parsing ";
                if (what.starts_with(boilerplate)) what = "in " + what.substr(boilerplate.size());
                report.error(where, "this is not TOML: " + what);
                break;
            }
        }
    } catch (const std::exception& error) {
        tree.reset();
        report.error({file, 0, 0}, std::string("cannot be parsed: ") + error.what());
    }
    for (const Repetition& each : repetitions) report_repetition(report, tree ? *tree : Node{}, each);
    return tree;
}

void merge_document(Reporter& report, Node& into, Node from) {
    std::unordered_map<std::string, size_t> sections;
    for (size_t i = 0; i < into.entries.size(); ++i) sections.emplace(into.entries[i].key, i);
    for (Entry& section : from.entries) {
        const auto [found, fresh] = sections.emplace(section.key, into.entries.size());
        if (fresh) {
            into.entries.push_back(std::move(section));
            continue;
        }
        Entry& mine = into.entries[found->second];
        if (mine.value.kind != Node::Kind::table || section.value.kind != Node::Kind::table) {
            report.error(section.where,
                         "\"" + section.key + "\" is given twice; first at " + report.place(mine.where));
            continue;
        }
        std::unordered_map<std::string, size_t> keys;
        for (size_t i = 0; i < mine.value.entries.size(); ++i) keys.emplace(mine.value.entries[i].key, i);
        for (Entry& entry : section.value.entries) {
            const auto [there, new_key] = keys.emplace(entry.key, mine.value.entries.size());
            if (new_key) {
                mine.value.entries.push_back(std::move(entry));
                continue;
            }
            Entry& first = mine.value.entries[there->second];
            const auto is_table_array = [](const Node& node) {
                return node.kind == Node::Kind::array && !node.items.empty() &&
                       node.items.front().kind == Node::Kind::table;
            };
            if (is_table_array(first.value) && is_table_array(entry.value)) {
                std::move(entry.value.items.begin(), entry.value.items.end(),
                          std::back_inserter(first.value.items));
                continue;
            }
            const std::string what = entry.value.kind == Node::Kind::table
                                         ? section.key + " \"" + entry.key + "\""
                                         : "\"" + entry.key + "\" of [" + section.key + "]";
            report.error(entry.where, what + " is given twice; first at " + report.place(first.where));
        }
    }
}

}  // namespace fairway::config
