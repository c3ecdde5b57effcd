// SPDX-License-Identifier: Apache-2.0
#pragma once
// The machinery behind the tables: a Section<S> lists the keys of one TOML table and binds each to a member
// of S. Everything else is derived from that list: reading with diagnostics, defaults (what a fresh S holds),
// writing, comparing, the JSON Schema and the reference of the man page. Internal to src/config.
//
// A codec turns one TOML value into a C++ value and back:
//     using Value;  bool read(Context&, const Node&, Value&) const;  (reports what is wrong)
//     std::string write(const Value&) const;   TOML that read() accepts, on one line
//     std::string schema() const;              JSON Schema, as JSON text
//     std::string type() const;                for people: "duration", "list of addresses"

#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "config/document.h"
#include "config/unfinished.h"

namespace fairway::config {

/// What reading needs beside the value.
struct Context {
    Reporter& report;
    std::filesystem::path folder;  // of the main file: relative paths start here
    const SecretReader& secrets;
    std::string subject{};   // whose keys are read: `gateway "fra1": `, or empty at the top
    std::string_view key{};  // the key being read

    /// "interval: MESSAGE" at the value.
    void error(const Node& at, const std::string& message);
    /// "interval: WANTED is wanted, not an integer".
    bool wrong_kind(const Node& at, std::string_view wanted);
};

/// One key as the man page and its test see it.
struct KeyInfo {
    std::string section;   // "", "server", "monitor.NAME"
    std::string path;      // within the section: "interval", "tls.server_name"
    std::string only_for;  // the variant that has it ("http"), or empty
    std::string type;
    std::string default_text;  // TOML, or a phrase, or empty where there is none
    bool required = false;
    bool unfinished = false;
    std::string help;
};

/// `key` as TOML wants it on the left: bare where possible.
[[nodiscard]] std::string toml_key(std::string_view key);

/// Of a string that must be one of these: `"a" | "b"`.
[[nodiscard]] std::string choice_schema(const std::vector<std::string>& names);
[[nodiscard]] std::string choice_type(const std::vector<std::string>& names);

template <class S>
struct Field {
    std::string name;
    std::string help;
    bool required = false;
    std::string default_note{};  // replaces the default in the reference where it is computed
    std::function<bool(Context&, const Node&, S&)> read;
    std::function<std::optional<std::string>(const S&)> write;  // nothing: the key is absent
    std::function<bool(const S&, const S&)> equal;
    std::function<std::string()> schema;
    std::function<std::string()> type;
    /// Tables in it: their own keys; empty for plain values.
    std::function<void(const std::string& path, std::vector<KeyInfo>&)> nested{};
    /// Only for what stands under headings of its own ([server], [monitor.NAME]): its text, and how two
    /// configurations differ in it.
    std::function<void(const S&, std::string& out)> show{};
    std::function<void(const S& before, const S& after, std::vector<std::string>& out)> changes{};

    /// Whether the key means anything for this value; where not, it is not written. Empty: always.
    std::function<bool(const S&)> applies{};

    [[nodiscard]] std::optional<std::string> text(const S& value) const {
        if (applies && !applies(value)) return std::nullopt;
        return write(value);
    }
    Field&& only_if(std::function<bool(const S&)> condition) && {
        applies = std::move(condition);
        return std::move(*this);
    }
    Field&& require() && {
        required = true;
        return std::move(*this);
    }
    Field&& defaults_to(std::string note) && {
        default_note = std::move(note);
        return std::move(*this);
    }
};

/// Keys that a table has only when its tag key (monitor: `type`) says so.
template <class S>
struct Variant {
    std::string name;
    std::string help;
    std::function<void(S&)> begin;  // before the fields are read
    std::vector<Field<S>> fields;
};

template <class S>
class Section {
  public:
    using Value = S;
    using Check = std::function<void(Context&, const Node&, S&)>;

    /// `path` is where it stands, for unfinished.h: "server", "zone.NAME"; `check` sees the table after its
    /// keys were read without an error.
    Section(std::string path, std::vector<Field<S>> fields, Check check = {})
        : path_(std::move(path)), fields_(std::move(fields)), check_(std::move(check)) {}

    /// Adds the variants; `variant_of` names the one that a value is, `check_tag` judges what was chosen.
    Section& with_variants(std::string tag, std::string help, std::vector<Variant<S>> variants,
                           std::function<std::string_view(const S&)> variant_of,
                           std::function<bool(Context&, const Node&)> check_tag) {
        Field<S> field;
        field.name = tag_ = std::move(tag);
        field.help = std::move(help);
        field.required = true;
        field.read = [check_tag](Context& context, const Node& node, S&) { return check_tag(context, node); };
        field.write = [variant_of](const S& value) { return quote(variant_of(value)); };
        field.equal = [variant_of](const S& a, const S& b) { return variant_of(a) == variant_of(b); };
        std::vector<std::string> names;
        for (const Variant<S>& variant : variants) names.push_back(variant.name);
        field.schema = [names] { return choice_schema(names); };
        field.type = [names] { return choice_type(names); };
        fields_.insert(fields_.begin(), std::move(field));
        variants_ = std::move(variants);
        variant_of_ = std::move(variant_of);
        return *this;
    }

    bool read(Context& context, const Node& node, S& value) const {
        if (node.kind != Node::Kind::table) return context.wrong_kind(node, "a table");
        const Variant<S>* variant = nullptr;
        bool good = true;
        const std::string_view outer_key = context.key;
        if (!tag_.empty()) {
            variant = read_tag(context, node, value);
            if (variant == nullptr) return false;
        }
        for (const Entry& entry : node.entries) good = read_entry(context, entry, variant, value) && good;
        for_each_field(variant, [&](const Field<S>& field) {
            if (!field.required || node.find(field.name) != nullptr) return;
            context.report.error(node.where, context.subject + "the key \"" + field.name + "\" is missing");
            good = false;
        });
        if (good && check_) check_(context, node, value);
        context.key = outer_key;
        return good;
    }

    /// The lines "key = value" of a value, without those that are absent.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> lines(const S& value) const {
        std::vector<std::pair<std::string, std::string>> all;
        for_each_field(variant_of(value), [&](const Field<S>& field) {
            if (auto text = field.text(value)) all.emplace_back(field.name, std::move(*text));
        });
        return all;
    }
    /// As an inline table.
    [[nodiscard]] std::string write(const S& value) const {
        std::string text;
        for (const auto& [key, content] : lines(value))
            text += (text.empty() ? "{ " : ", ") + toml_key(key) + " = " + content;
        return text.empty() ? "{}" : text + " }";
    }
    /// Under a heading: the keys, then what has headings of its own. An empty heading is none.
    void show(const S& value, const std::string& heading, std::string& out) const {
        if (!heading.empty()) out += (out.empty() ? "" : "\n") + heading + "\n";
        for_each_field(variant_of(value), [&](const Field<S>& field) {
            if (field.show) return;
            if (const auto text = field.text(value)) out += toml_key(field.name) + " = " + *text + "\n";
        });
        for (const Field<S>& field : fields_) {
            if (field.show) field.show(value, out);
        }
    }
    /// What differs between two values, table by table, for those that have headings.
    void changes(const S& before, const S& after, std::vector<std::string>& out) const {
        for (const Field<S>& field : fields_) {
            if (field.changes) field.changes(before, after, out);
        }
    }
    /// What differs, key by key: "interval 2s -> 5s".
    [[nodiscard]] std::vector<std::string> differences(const S& before, const S& after) const;

    [[nodiscard]] std::string schema() const;
    [[nodiscard]] std::string type() const { return "table"; }
    /// `section` is shown as the heading; `prefix` stands before each key.
    void describe(const std::string& section, const std::string& prefix, std::vector<KeyInfo>& out) const;

    [[nodiscard]] std::string_view path() const { return path_; }
    [[nodiscard]] const std::vector<Variant<S>>& variants() const { return variants_; }

  private:
    template <class Visit>
    void for_each_field(const Variant<S>* variant, Visit visit) const {
        for (const Field<S>& field : fields_) visit(field);
        if (variant == nullptr) return;
        for (const Field<S>& field : variant->fields) visit(field);
    }
    [[nodiscard]] const Field<S>* find_field(const Variant<S>* variant, std::string_view name) const {
        const Field<S>* found = nullptr;
        for_each_field(variant, [&](const Field<S>& field) {
            if (field.name == name) found = &field;
        });
        return found;
    }
    [[nodiscard]] const Variant<S>* find_variant(std::string_view name) const {
        for (const Variant<S>& variant : variants_) {
            if (variant.name == name) return &variant;
        }
        return nullptr;
    }
    [[nodiscard]] const Variant<S>* variant_of(const S& value) const {
        return variant_of_ ? find_variant(variant_of_(value)) : nullptr;
    }

    [[nodiscard]] std::string key_path(const std::string& key) const {
        return path_.empty() ? key : path_ + "." + key;
    }
    const Variant<S>* read_tag(Context& context, const Node& node, S& value) const;
    bool read_entry(Context& context, const Entry& entry, const Variant<S>* variant, S& value) const;

    std::string path_;
    std::vector<Field<S>> fields_;
    Check check_;
    std::string tag_;
    std::vector<Variant<S>> variants_;
    std::function<std::string_view(const S&)> variant_of_;
};

template <class S>
const Variant<S>* Section<S>::read_tag(Context& context, const Node& node, S& value) const {
    const Entry* entry = node.find(tag_);
    if (entry == nullptr) {
        context.report.error(node.where, context.subject + "the key \"" + tag_ + "\" is missing");
        return nullptr;
    }
    context.key = entry->key;
    const Variant<S>* variant = nullptr;
    if (entry->value.kind != Node::Kind::text) {
        context.wrong_kind(entry->value, "a string");
        return nullptr;
    }
    variant = find_variant(entry->value.text);
    if (variant == nullptr) {
        std::vector<std::string> known;
        for (const Variant<S>& each : variants_) known.push_back(each.name);
        context.error(entry->value, "unknown " + tag_ + " " + quote(entry->value.text) +
                                        context.report.suggest(entry->value.text, known));
        return nullptr;
    }
    variant->begin(value);
    return variant;
}

template <class S>
bool Section<S>::read_entry(Context& context, const Entry& entry, const Variant<S>* variant, S& value) const {
    context.key = entry.key;
    const Field<S>* field = find_field(variant, entry.key);
    if (field == nullptr) {
        for (const Variant<S>& other : variants_) {
            for (const Field<S>& theirs : other.fields) {
                if (theirs.name != entry.key) continue;
                context.report.error(entry.where, quote(variant->name) + " has no key " + quote(entry.key) +
                                                      "; " + quote(other.name) + " has");
                return false;
            }
        }
        std::vector<std::string> known;
        for_each_field(variant, [&](const Field<S>& each) { known.push_back(each.name); });
        context.report.error(entry.where,
                             "unknown key " + quote(entry.key) + context.report.suggest(entry.key, known));
        return false;
    }
    // Refused, but read all the same: its mistakes may as well be known now.
    const bool off = entry.value.kind == Node::Kind::flag && !entry.value.flag;
    if (!off && is_unfinished(Unfinished::Kind::key, key_path(entry.key)))
        context.report.error(entry.where, quote(entry.key) + std::string(unfinished_text));
    return field->read(context, entry.value, value);
}

template <class S>
std::vector<std::string> Section<S>::differences(const S& before, const S& after) const {
    std::vector<std::string> all;
    const Variant<S>* old_variant = variant_of(before);
    const Variant<S>* new_variant = variant_of(after);
    const auto unquoted = [](std::string text) {
        const bool plain = text.size() > 2 && text.front() == '"' && text.find('\\') == std::string::npos &&
                           text.find_first_of(" ,", 1) == std::string::npos;
        return plain ? text.substr(1, text.size() - 2) : text;
    };
    for_each_field(new_variant, [&](const Field<S>& field) {
        const Field<S>* old_field = find_field(old_variant, field.name);
        const auto now = field.text(after);
        const auto then = old_field == nullptr ? std::nullopt : old_field->text(before);
        if (then != now) {
            all.push_back(field.name + " " + (then ? unquoted(*then) : "unset") + " -> " +
                          (now ? unquoted(*now) : "unset"));
        } else if (old_field != nullptr && old_variant == new_variant && !field.equal(before, after)) {
            all.push_back(field.name + " has a new value");
        }
    });
    for_each_field(old_variant, [&](const Field<S>& field) {
        if (find_field(new_variant, field.name) != nullptr) return;
        if (const auto then = field.text(before))
            all.push_back(field.name + " " + unquoted(*then) + " -> unset");
    });
    return all;
}

/// JSON of an object with these properties and nothing else.
struct Property {
    std::string name, schema, help, default_json;
    bool required = false;
};
[[nodiscard]] std::string object_schema(const std::vector<Property>& properties);
/// The same for a table whose further properties depend on `tag`.
struct VariantProperties {
    std::string name;
    std::vector<Property> properties;
};
[[nodiscard]] std::string variant_schema(const std::string& tag, const std::vector<Property>& common,
                                         const std::vector<VariantProperties>& variants);

template <class S>
std::string Section<S>::schema() const {
    const auto properties = [](const std::vector<Field<S>>& fields, const S& fresh) {
        std::vector<Property> all;
        for (const Field<S>& field : fields) {
            // Literals that TOML and JSON share; inline tables have none, their keys have their own.
            std::string literal = field.write(fresh).value_or("");
            if (field.required || !field.default_note.empty() || literal.starts_with('{')) literal.clear();
            all.push_back({field.name, field.schema(), field.help, std::move(literal), field.required});
        }
        return all;
    };
    if (tag_.empty()) return object_schema(properties(fields_, S{}));
    std::vector<VariantProperties> variants;
    for (const Variant<S>& variant : variants_) {
        S fresh{};
        variant.begin(fresh);
        variants.push_back({variant.name, properties(variant.fields, fresh)});
    }
    return variant_schema(tag_, properties(fields_, S{}), variants);
}

template <class S>
void Section<S>::describe(const std::string& section, const std::string& prefix,
                          std::vector<KeyInfo>& out) const {
    const auto add = [&](const Field<S>& field, const S& fresh, const std::string& variant) {
        KeyInfo info{section, prefix + field.name, variant, field.type(),
                     {},      field.required,      false,   field.help};
        if (!field.required)
            info.default_text =
                field.default_note.empty() ? field.write(fresh).value_or("") : field.default_note;
        info.unfinished = is_unfinished(Unfinished::Kind::key, key_path(field.name));
        if (!field.help.empty()) out.push_back(std::move(info));
        if (!field.nested) return;
        const size_t first = out.size();
        field.nested(prefix + field.name, out);
        for (size_t i = first; i < out.size(); ++i) {
            if (out[i].section.empty()) out[i].section = section;
            if (out[i].only_for.empty()) out[i].only_for = variant;
        }
    };
    for (const Field<S>& field : fields_) add(field, S{}, "");
    for (const Variant<S>& variant : variants_) {
        S fresh{};
        variant.begin(fresh);
        for (const Field<S>& field : variant.fields) add(field, fresh, variant.name);
    }
}

}  // namespace fairway::config
