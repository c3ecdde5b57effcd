// SPDX-License-Identifier: Apache-2.0
// The man page's list of keys is the tables' list: every key, its type, its default, its words.
//
// After changing a table: unit_config '[write-man-page]'

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/tables.h"

using namespace fairway;
using namespace fairway::config;

namespace {

const std::filesystem::path page = std::filesystem::path(FAIRWAY_SOURCE_DIR) / "packaging/man/fairway.toml.5";
constexpr std::string_view begin_mark = ".\\\" The keys, as the tables of src/config have them.\n";
constexpr std::string_view end_mark = ".\\\" End of the keys.\n";

std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\e";
        } else if (c == '-') {
            out += "\\-";
        } else if (c == '"') {
            out += "\\(dq";
        } else {
            out += c;
        }
    }
    return out;
}

std::string entry(const KeyInfo& key) {
    std::string text = ".TP\n\\fB" + roff(key.path) + "\\fP = \\fI" + roff(key.type) + "\\fP";
    if (key.required) text += ", required";
    if (!key.default_text.empty()) text += ", default \\fB" + roff(key.default_text) + "\\fP";
    return text + "\n" + roff(key.help) + (key.unfinished ? " Not available in this version." : "") + "\n";
}

std::string types() {
    std::string text;
    for (const auto& variant : monitor_table().variants()) {
        text += ".RS\n.IP \"\\fB" + roff(variant.name) + "\\fP\" 12\n" + roff(variant.help);
        if (is_unfinished(Unfinished::Kind::monitor_type, variant.name))
            text += "; not available in this version";
        text += "\n.RE\n";
    }
    return text;
}

std::string reference() {
    std::string text, heading;
    for (const KeyInfo& key : all_keys()) {
        if (key.section.empty()) {
            const bool named = key.type != "table";
            heading = key.path;
            text += ".SS \"[" + roff(key.path) + (named ? ".NAME" : "") + "]\"\n" + roff(key.help) +
                    (key.unfinished ? " Not available in this version." : "") + "\n";
            continue;
        }
        const std::string wanted = key.section + (key.only_for.empty() ? "" : " of type " + key.only_for);
        if (!key.only_for.empty() && heading != wanted)
            text += ".SS \"[" + roff(key.section) + "] of type " + roff(key.only_for) + "\"\n";
        heading = wanted;
        text += entry(key);
        if (key.section == "monitor.NAME" && key.path == "type") text += types();
    }
    return text;
}

std::string read_page() {
    std::ifstream in(page);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

/// Where the keys stand in the page.
std::pair<size_t, size_t> keys_in(const std::string& text) {
    const size_t begin = text.find(begin_mark);
    const size_t end = text.find(end_mark);
    REQUIRE(begin != std::string::npos);
    REQUIRE(end != std::string::npos);
    return {begin + begin_mark.size(), end};
}

}  // namespace

TEST_CASE("the man page lists every key with its type, its default and its words") {
    const std::string text = read_page();
    const auto [begin, end] = keys_in(text);
    CHECK(text.substr(begin, end - begin) == reference());
}

TEST_CASE("the man page names every policy filter and says which are not there yet") {
    const std::string text = read_page();
    for (const std::string& name : filter_names()) {
        const size_t at = text.find("\n\\fB" + name + "\\fP");
        INFO(name);
        REQUIRE(at != std::string::npos);
        const std::string paragraph = text.substr(at, text.find("\n.TP", at + 1) - at);
        CHECK((paragraph.find("Not available in this version.") != std::string::npos) ==
              is_unfinished(Unfinished::Kind::filter, name));
    }
}

TEST_CASE("every key has words of its own, and none is listed twice") {
    std::vector<std::string> seen;
    for (const KeyInfo& key : all_keys()) {
        INFO(key.section << " " << key.path << " " << key.only_for);
        CHECK(key.help.size() > 3);
        CHECK(key.help.back() == '.');
        seen.push_back(key.section + " " + key.path + " " + key.only_for);
    }
    CHECK(seen.size() > 100);
    std::sort(seen.begin(), seen.end());
    CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}

TEST_CASE("what is unfinished is something the configuration knows") {
    for (const Unfinished& item : unfinished) {
        INFO(item.name);
        bool found = false;
        if (item.kind == Unfinished::Kind::filter) {
            found =
                std::find(filter_names().begin(), filter_names().end(), item.name) != filter_names().end();
        } else if (item.kind == Unfinished::Kind::monitor_type) {
            for (const auto& variant : monitor_table().variants()) found = found || variant.name == item.name;
        } else {
            for (const KeyInfo& key : all_keys())
                found = found || (key.section.empty() ? "" : key.section + ".") + key.path == item.name;
        }
        CHECK(found);
    }
}

TEST_CASE("the man page's keys are written anew", "[.][write-man-page]") {
    std::string text = read_page();
    const auto [begin, end] = keys_in(text);
    text.replace(begin, end - begin, reference());
    std::ofstream(page) << text;
}
