// SPDX-License-Identifier: Apache-2.0
#pragma once
// The codecs of schema.h, and field(), which binds one to a member. Internal to src/config.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "base/duration.h"
#include "base/ip.h"
#include "config/schema.h"

namespace fairway::config {

/// Says what is wrong with a text, or nothing: "must begin with a slash".
using TextCheck = std::string (*)(std::string_view);

struct Text {
    using Value = std::string;
    std::string what = "string";
    TextCheck check = nullptr;
    std::vector<std::string> one_of{};
    size_t longest = 4096;

    bool read(Context& context, const Node& node, std::string& value) const;
    [[nodiscard]] std::string write(const std::string& value) const { return quote(value); }
    [[nodiscard]] std::string schema() const;
    [[nodiscard]] std::string type() const;
};

struct Flag {
    using Value = bool;
    bool read(Context& context, const Node& node, bool& value) const {
        if (node.kind != Node::Kind::flag) return context.wrong_kind(node, "true or false");
        value = node.flag;
        return true;
    }
    [[nodiscard]] std::string write(bool value) const { return value ? "true" : "false"; }
    [[nodiscard]] std::string schema() const { return R"({"type":"boolean"})"; }
    [[nodiscard]] std::string type() const { return "boolean"; }
};

/// Whole numbers within [least, most].
template <class T>
struct Integer {
    using Value = T;
    int64_t least = 0;
    int64_t most = 0;

    bool read(Context& context, const Node& node, T& value) const {
        if (node.kind != Node::Kind::integer) return context.wrong_kind(node, "an integer");
        if (node.integer < least || node.integer > most) {
            context.error(node, std::to_string(node.integer) + " is not from " + std::to_string(least) +
                                    " to " + std::to_string(most));
            return false;
        }
        value = static_cast<T>(node.integer);
        return true;
    }
    [[nodiscard]] std::string write(T value) const { return std::to_string(value); }
    [[nodiscard]] std::string schema() const {
        return R"({"type":"integer","minimum":)" + std::to_string(least) + R"(,"maximum":)" +
               std::to_string(most) + "}";
    }
    [[nodiscard]] std::string type() const {
        return "integer " + std::to_string(least) + " to " + std::to_string(most);
    }
};

/// Finite numbers within [least, most]; integers count.
struct Number {
    using Value = double;
    double least = 0;
    double most = 0;

    bool read(Context& context, const Node& node, double& value) const;
    [[nodiscard]] std::string write(double value) const;
    [[nodiscard]] std::string schema() const;
    [[nodiscard]] std::string type() const;
};

struct Duration {
    using Value = nanoseconds;
    nanoseconds least{0};
    nanoseconds most{0};

    bool read(Context& context, const Node& node, nanoseconds& value) const;
    [[nodiscard]] std::string write(nanoseconds value) const { return quote(format_duration(value)); }
    [[nodiscard]] std::string schema() const;
    [[nodiscard]] std::string type() const { return "duration"; }
};

/// A DNS TTL: seconds as an integer, or a duration of whole seconds.
struct Ttl {
    using Value = seconds;
    int64_t least = 0;
    int64_t most = 0;

    bool read(Context& context, const Node& node, seconds& value) const;
    [[nodiscard]] std::string write(seconds value) const { return std::to_string(value.count()); }
    [[nodiscard]] std::string schema() const;
    [[nodiscard]] std::string type() const { return "TTL"; }
};

template <class E, size_t N>
struct Enumeration {
    using Value = E;
    std::array<std::pair<std::string_view, E>, N> names;

    bool read(Context& context, const Node& node, E& value) const {
        std::string text;
        if (!texts().read(context, node, text)) return false;
        for (const auto& [name, each] : names) {
            if (name == text) value = each;
        }
        return true;
    }
    [[nodiscard]] std::string write(E value) const {
        for (const auto& [name, each] : names) {
            if (each == value) return quote(name);
        }
        return {};
    }
    [[nodiscard]] std::string schema() const { return texts().schema(); }
    [[nodiscard]] std::string type() const { return texts().type(); }

  private:
    [[nodiscard]] Text texts() const {
        Text text;
        for (const auto& [name, each] : names) text.one_of.emplace_back(name);
        return text;
    }
};

/// A string that `parse` understands and `format` writes.
template <class V>
struct Parsed {
    using Value = V;
    std::string what;  // "address", for people
    Result<V> (*parse)(std::string_view);
    std::string (*format)(const V&);

    bool read(Context& context, const Node& node, V& value) const {
        if (node.kind != Node::Kind::text) return context.wrong_kind(node, "a string (" + what + ")");
        auto parsed = parse(node.text);
        if (!parsed) {
            context.error(node, parsed.error().message);
            return false;
        }
        value = std::move(*parsed);
        return true;
    }
    [[nodiscard]] std::string write(const V& value) const { return quote(format(value)); }
    [[nodiscard]] std::string schema() const { return R"({"type":"string"})"; }
    [[nodiscard]] std::string type() const { return what; }
};

[[nodiscard]] Parsed<IpAddress> ip_address();
[[nodiscard]] Parsed<IpPrefix> ip_prefix();
/// Address and port; without a port it is 53, or an error.
[[nodiscard]] Parsed<SocketAddress> dns_socket();
/// The same with 853 (RFC 7858 section 3.1).
[[nodiscard]] Parsed<SocketAddress> dns_tls_socket();
[[nodiscard]] Parsed<SocketAddress> socket_address();
/// "ipc:///absolute/path", "tcp://192.0.2.1:5354".
[[nodiscard]] Parsed<std::variant<SocketAddress, std::filesystem::path>> zeromq_endpoint();
/// An absolute name in lower case without its trailing dot.
[[nodiscard]] Parsed<std::string> domain_name();
/// Canonical form of a domain name; the error says which rule it breaks (RFC 1035 2.3.4).
[[nodiscard]] Result<std::string> canonical_domain(std::string_view text);

/// A path, resolved against the folder of the configuration.
template <class V>
struct Path {
    using Value = V;
    size_t longest = 4095;

    bool read(Context& context, const Node& node, V& value) const {
        std::string text;
        if (!Text{.what = "path", .longest = longest}.read(context, node, text)) return false;
        if (text.empty() || text.find('\0') != std::string::npos) {
            context.error(node, "a path cannot be empty or hold a NUL");
            return false;
        }
        const std::string whole = (context.folder / text).lexically_normal().string();
        if (whole.size() > longest) {
            context.error(node, "the path is longer than " + std::to_string(longest) + " characters");
            return false;
        }
        value = whole;
        return true;
    }
    [[nodiscard]] std::string write(const V& value) const {
        return quote(std::filesystem::path(value).string());
    }
    [[nodiscard]] std::string schema() const { return R"({"type":"string","minLength":1})"; }
    [[nodiscard]] std::string type() const { return "path"; }
};
using FilePath = Path<std::filesystem::path>;
using FileName = Path<std::string>;
/// sun_path holds 107 characters and a terminator.
[[nodiscard]] inline FilePath unix_socket() {
    return {.longest = 107};
}

struct SecretText {
    using Value = Secret;
    bool read(Context& context, const Node& node, Secret& value) const;
    [[nodiscard]] std::string write(const Secret& value) const { return quote(value.source); }
    [[nodiscard]] std::string schema() const { return R"({"type":"string","pattern":"^(file|env):.+$"})"; }
    [[nodiscard]] std::string type() const { return "secret"; }
};

/// Any codec whose value should remember its place.
template <class C>
struct At {
    using Value = Located<typename C::Value>;
    C codec;

    bool read(Context& context, const Node& node, Value& value) const {
        if (!codec.read(context, node, value.value)) return false;
        value.where = node.where;
        return true;
    }
    [[nodiscard]] std::string write(const Value& value) const { return codec.write(value.value); }
    [[nodiscard]] std::string schema() const { return codec.schema(); }
    [[nodiscard]] std::string type() const { return codec.type(); }
};
template <class C>
At(C) -> At<C>;

enum class Repeats : uint8_t { refused, allowed };

/// An array; a bad item does not hide the others' mistakes.
template <class C>
struct List {
    using Value = std::vector<typename C::Value>;
    C codec;
    size_t least = 0;
    size_t most = 1000;
    Repeats repeats = Repeats::refused;

    bool read(Context& context, const Node& node, Value& value) const {
        if (node.kind != Node::Kind::array) return context.wrong_kind(node, "an array");
        if (node.items.size() < least || node.items.size() > most) {
            context.error(node, node.items.size() < least ? "it needs at least " + std::to_string(least)
                                                          : "it takes at most " + std::to_string(most));
            return false;
        }
        Value items;
        std::set<std::string> seen;
        bool good = true;
        for (const Node& node_item : node.items) {
            typename C::Value item{};
            if (!codec.read(context, node_item, item)) {
                good = false;
                continue;
            }
            if (repeats == Repeats::refused && !seen.insert(codec.write(item)).second) {
                context.error(node_item, codec.write(item) + " is in the list twice");
                good = false;
                continue;
            }
            items.push_back(std::move(item));
        }
        value = std::move(items);
        return good;
    }
    [[nodiscard]] std::string write(const Value& value) const {
        std::string text;
        for (const auto& item : value) text += (text.empty() ? "" : ", ") + codec.write(item);
        return "[" + text + "]";
    }
    [[nodiscard]] std::string schema() const {
        return R"({"type":"array","items":)" + codec.schema() + R"(,"minItems":)" + std::to_string(least) +
               R"(,"maxItems":)" + std::to_string(most) + "}";
    }
    [[nodiscard]] std::string type() const { return "list of " + codec.type(); }
    void describe(const std::string& section, const std::string& prefix,
                  std::vector<KeyInfo>& out) const requires requires {
        codec.describe(section, prefix, out);
    }
    { codec.describe(section, prefix, out); }
};
template <class C>
List(C) -> List<C>;
template <class C>
List(C, size_t) -> List<C>;
template <class C>
List(C, size_t, size_t) -> List<C>;
template <class C>
List(C, size_t, size_t, Repeats) -> List<C>;

/// A table from free keys to strings: labels, headers.
template <class V>
struct TextMap {
    using Value = V;
    Text key_text;
    Text value_text;

    bool read(Context& context, const Node& node, V& value) const {
        if (node.kind != Node::Kind::table) return context.wrong_kind(node, "a table");
        V map;
        bool good = true;
        for (const Entry& entry : node.entries) {
            const std::string complaint = key_text.check(entry.key);
            std::string text;
            if (!complaint.empty()) {
                context.report.error(entry.where, context.subject + quote(entry.key) + " " + complaint);
                good = false;
            } else if (value_text.read(context, entry.value, text)) {
                map.insert(map.end(), {entry.key, std::move(text)});
            } else {
                good = false;
            }
        }
        value = std::move(map);
        return good;
    }
    [[nodiscard]] std::string write(const V& value) const {
        std::string text;
        for (const auto& [key, each] : value)
            text += (text.empty() ? "{ " : ", ") + toml_key(key) + " = " + quote(each);
        return text.empty() ? "{}" : text + " }";
    }
    [[nodiscard]] std::string schema() const {
        return R"({"type":"object","additionalProperties":)" + value_text.schema() + "}";
    }
    [[nodiscard]] std::string type() const { return "table of strings"; }
};

/// One member of a table of named tables: [monitor.NAME].
template <class S>
struct Named {
    std::string name;
    Position where;
    S value;
};

template <class V>
struct is_optional : std::false_type {};
template <class V>
struct is_optional<std::optional<V>> : std::true_type {};

/// Binds the key `name` to a member of S: the codec's value, or an optional of it. A member that is empty by
/// default (a string, a list) is written only when it is not.
template <class S, class M, class C>
Field<S> field(std::string name, M S::*member, C codec, std::string help) {
    Field<S> made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.read = [member, codec](Context& context, const Node& node, S& owner) {
        if constexpr (is_optional<M>::value) {
            typename C::Value value{};
            if (!codec.read(context, node, value)) return false;
            owner.*member = std::move(value);
            return true;
        } else {
            return codec.read(context, node, owner.*member);
        }
    };
    made.write = [member, codec](const S& owner) -> std::optional<std::string> {
        const M& value = owner.*member;
        if constexpr (is_optional<M>::value) {
            if (!value) return std::nullopt;
            return codec.write(*value);
        } else {
            if constexpr (requires { value.empty(); }) {
                if (value.empty() && (S{}.*member).empty()) return std::nullopt;
            }
            if constexpr (requires { value.value.empty(); }) {
                if (value.value.empty()) return std::nullopt;
            }
            return codec.write(value);
        }
    };
    made.equal = [member](const S& a, const S& b) { return a.*member == b.*member; };
    made.schema = [codec] { return codec.schema(); };
    made.type = [codec] { return codec.type(); };
    if constexpr (requires(std::vector<KeyInfo> & out) { codec.describe("", "", out); }) {
        made.nested = [codec](const std::string& path, std::vector<KeyInfo>& out) {
            codec.describe("", path + ".", out);
        };
    }
    return made;
}

/// A table under a heading of its own, [server]: S, or an optional of it.
template <class O, class M, class S>
Field<O> table_field(std::string name, M O::*member, const Section<S>& (*table)(), std::string help) {
    Field<O> made;
    made.name = name;
    made.help = std::move(help);
    made.read = [member, table](Context& context, const Node& node, O& owner) {
        if constexpr (is_optional<M>::value) {
            return table().read(context, node, (owner.*member).emplace());
        } else {
            return table().read(context, node, owner.*member);
        }
    };
    made.write = [](const O&) { return std::nullopt; };
    made.equal = [member](const O& a, const O& b) { return a.*member == b.*member; };
    made.schema = [table] { return table().schema(); };
    made.type = [] { return std::string("table"); };
    made.nested = [table](const std::string&, std::vector<KeyInfo>& out) {
        table().describe(std::string(table().path()), "", out);
    };
    made.show = [member, table, name](const O& owner, std::string& out) {
        if constexpr (is_optional<M>::value) {
            if (owner.*member) table().show(*(owner.*member), "[" + name + "]", out);
        } else {
            table().show(owner.*member, "[" + name + "]", out);
        }
    };
    made.changes = [member, table, name](const O& before, const O& after, std::vector<std::string>& out) {
        if constexpr (is_optional<M>::value) {
            if ((before.*member).has_value() != (after.*member).has_value())
                out.push_back((after.*member ? "+ " : "- ") + name);
            if (!(before.*member) || !(after.*member)) return;
            for (const std::string& each : table().differences(*(before.*member), *(after.*member)))
                out.push_back("~ " + name + ": " + each);
        } else {
            for (const std::string& each : table().differences(before.*member, after.*member))
                out.push_back("~ " + name + ": " + each);
        }
    };
    return made;
}

/// Tables by name, [monitor.NAME]; `canonical` checks the name and brings it into the form that is kept.
template <class O, class S>
Field<O> named_field(std::string name, std::vector<Named<S>> O::*member, const Section<S>& (*table)(),
                     Result<std::string> (*canonical)(std::string_view), std::string help) {
    Field<O> made;
    made.name = name;
    made.help = std::move(help);
    made.read = [member, table, canonical, name](Context& context, const Node& node, O& owner) {
        if (node.kind != Node::Kind::table) return context.wrong_kind(node, "a table of named tables");
        std::map<std::string, Position> seen;
        bool good = true;
        for (const Entry& entry : node.entries) {
            const auto key = canonical(entry.key);
            if (!key) {
                context.report.error(entry.where, key.error().message);
                good = false;
                continue;
            }
            const auto [first, fresh] = seen.emplace(*key, entry.where);
            if (!fresh)
                context.report.error(entry.where, name + " " + quote(*key) + " is given twice; first at " +
                                                      context.report.place(first->second));
            Named<S> item{*key, entry.where, {}};
            context.subject = name + " " + quote(*key) + ": ";
            context.key = {};
            good = table().read(context, entry.value, item.value) && fresh && good;
            context.subject.clear();
            (owner.*member).push_back(std::move(item));
        }
        return good;
    };
    made.write = [](const O&) { return std::nullopt; };
    made.schema = [table] { return R"({"type":"object","additionalProperties":)" + table().schema() + "}"; };
    made.type = [] { return std::string("tables by name"); };
    made.nested = [table](const std::string&, std::vector<KeyInfo>& out) {
        table().describe(std::string(table().path()), "", out);
    };
    made.show = [member, table, name](const O& owner, std::string& out) {
        for (const Named<S>& item : owner.*member)
            table().show(item.value, "[" + name + "." + toml_key(item.name) + "]", out);
    };
    made.changes = [member, table, name](const O& before, const O& after, std::vector<std::string>& out) {
        std::map<std::string_view, const S*> then;
        for (const Named<S>& item : before.*member) then.emplace(item.name, &item.value);
        std::set<std::string_view> kept;
        for (const Named<S>& item : after.*member) {
            const auto old = then.find(item.name);
            if (old == then.end()) {
                out.push_back("+ " + name + " " + item.name);
                continue;
            }
            kept.insert(item.name);
            for (const std::string& each : table().differences(*old->second, item.value))
                out.push_back("~ " + name + " " + item.name + ": " + each);
        }
        for (const Named<S>& item : before.*member) {
            if (!kept.contains(item.name)) out.push_back("- " + name + " " + item.name);
        }
    };
    return made;
}

/// An array of tables under headings of their own, [[geoip.override]].
template <class O, class S>
Field<O> table_array_field(std::string name, std::vector<S> O::*member, const Section<S>& (*table)(),
                           std::string help) {
    Field<O> made =
        field(name, member, List<Section<S>>{table(), 0, 100'000, Repeats::allowed}, std::move(help));
    made.show = [member, table](const O& owner, std::string& out) {
        for (const S& item : owner.*member)
            table().show(item, "[[" + std::string(table().path()) + "]]", out);
    };
    return made;
}

/// A key that is checked and then forgotten: it belongs to a part that is not finished.
template <class S, class C>
Field<S> known(std::string name, C codec, std::string help) {
    Field<S> made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.read = [codec](Context& context, const Node& node, S&) {
        typename C::Value value{};
        return codec.read(context, node, value);
    };
    made.write = [](const S&) { return std::nullopt; };
    made.equal = [](const S&, const S&) { return true; };
    made.schema = [codec] { return codec.schema(); };
    made.type = [codec] { return codec.type(); };
    return made;
}

}  // namespace fairway::config
