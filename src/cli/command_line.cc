// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace fairway::cli {
namespace {

constexpr size_t longest_line = 4096;

struct Word {
    std::string text;
    bool quoted = false;
};

Result<std::vector<Word>> words_of(std::string_view line) {
    if (line.size() > longest_line) return fail("a command has at most 4096 characters");
    std::vector<Word> words;
    bool inside = false;
    char quote = 0;
    for (const char c : line) {
        if (static_cast<uint8_t>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return fail("a command has no control characters");
        if (quote != 0) {
            if (c == quote)
                quote = 0;
            else
                words.back().text += c;
            continue;
        }
        const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (!blank && !inside) words.emplace_back();
        inside = !blank;
        if (blank) continue;
        if (c == '"' || c == '\'') {
            quote = c;
            words.back().quoted = true;
        } else {
            words.back().text += c;
        }
    }
    if (quote != 0) return fail("a quote is not closed");
    return words;
}

/// The words of a command that stand for its options, apart with blanks.
struct Keywords {
    std::string_view command;
    std::string_view with_value;  // followed by one word
    std::string_view flags;
    std::string_view with_rest;  // followed by everything that is left
    /// What a second plain word is, if there may be one.
    std::string_view second;
};

constexpr std::array keywords{
    Keywords{"drain", "for until ref", "permanent force dry-run", "reason", ""},
    Keywords{"down", "for until ref", "permanent force dry-run", "reason", ""},
    Keywords{"up", "for until ref", "force dry-run", "reason", ""},
    Keywords{"clear", "id", "", "", ""},
    Keywords{"override", "for until", "permanent", "", ""},
    Keywords{"explain", "client ecs without", "", "", "client"},
    Keywords{"events", "since subject limit", "", "", ""},
    Keywords{"audit", "since subject limit", "", "", ""},
    Keywords{"gateway", "monitor", "", "", ""},
    Keywords{"status", "", "", "", ""},
    Keywords{"check", "", "", "", ""},
    Keywords{"geoip", "", "", "", ""},
    Keywords{"confirm", "", "", "", ""},
    Keywords{"reload", "", "", "", ""},
    Keywords{"version", "", "", "", ""},
};

bool has_word(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const size_t end = std::min(list.find(' '), list.size());
        if (list.substr(0, end) == word) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

std::string rest_of(const std::vector<Word>& words, size_t first) {
    std::string rest;
    for (size_t i = first; i < words.size(); ++i) rest += (i == first ? "" : " ") + words[i].text;
    return rest;
}

}  // namespace

Result<std::vector<std::string>> arguments_of_line(std::string_view line) {
    const auto parted = words_of(line);
    if (!parted) return tl::unexpected(parted.error());
    const std::vector<Word>& words = *parted;
    if (words.empty() || words.front().text == "help" || words.front().text == "--help")
        return std::vector<std::string>{"--help"};
    const std::string& command = words.front().text;
    const bool is_diff = words.size() == 2 && command == "config" && words[1].text == "diff";
    if (is_diff) return std::vector<std::string>{"config", "diff"};
    // The others read a file, and that would be one of the server's.
    if (command == "config") return fail("of config, only \"config diff\" is a command here");
    const auto* rule = std::find_if(keywords.begin(), keywords.end(),
                                    [&](const Keywords& known) { return known.command == command; });
    if (rule == keywords.end()) {
        std::vector<std::string> known{"config diff"};
        for (const Keywords& each : keywords) known.emplace_back(each.command);
        const std::string near = nearest_name(command, known);
        return fail("there is no command \"" + escape_text(command, 64) + "\" here" +
                    (near.empty() ? " (help lists them)" : " (did you mean \"" + near + "\"?)"));
    }

    std::vector<std::string> arguments{command};
    size_t plain = 0;  // words behind the command that are no options
    for (size_t i = 1; i < words.size(); ++i) {
        const auto& [word, quoted] = words[i];
        const bool may_be_option = !quoted && plain > 0;
        if (may_be_option && has_word(rule->with_rest, word)) {
            if (i + 1 == words.size()) return fail(word + " says nothing");
            arguments.push_back("--" + word);
            arguments.push_back(rest_of(words, i + 1));
            break;
        }
        const bool is_since = plain == 0 && !quoted && (command == "events" || command == "audit");
        const bool is_id = plain == 0 && !quoted && command == "clear";
        if ((may_be_option || is_since || is_id) && has_word(rule->with_value, word)) {
            if (i + 1 == words.size()) return fail(word + " of what?");
            arguments.push_back("--" + word);
            arguments.push_back(words[++i].text);
            ++plain;
        } else if (may_be_option && has_word(rule->flags, word)) {
            arguments.push_back("--" + word);
        } else if (!quoted && word.rfind("--", 0) == 0) {
            arguments.push_back(word);
        } else {
            if (plain == 1 && !rule->second.empty()) arguments.push_back("--" + std::string(rule->second));
            arguments.push_back(word);
            ++plain;
        }
    }
    return arguments;
}

}  // namespace fairway::cli
