// SPDX-License-Identifier: Apache-2.0
// Completion scripts, generated from the commands themselves. Names of gateways and the like come from the
// running server at the moment of completing; without one there are just none.

#include <sstream>

#include "cli/cli.h"

namespace fairway::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

/// A case for each command that has something below it or options of its own: the words after it.
std::string bash_script() {
    const std::vector<CommandHelp> all = describe_commands();
    std::ostringstream script;
    script << "# bash completion for fairway\n"
              "_fairway() {\n"
              "    local word=${COMP_WORDS[COMP_CWORD]} path=fairway i\n"
              "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
              "        case \"$path ${COMP_WORDS[i]}\" in\n";
    for (size_t i = 1; i < all.size(); ++i)
        script << "            \"" << all[i].path << "\") path=\"" << all[i].path << "\" ;;\n";
    script << "        esac\n"
              "    done\n"
              "    local words=\n"
              "    case \"$path\" in\n";
    for (const CommandHelp& command : all)
        script << "        \"" << command.path << "\") words=\"" << joined(command.commands)
               << (command.commands.empty() || command.options.empty() ? "" : " ")
               << (command.path == "fairway" ? std::string() : joined(command.options)) << "\" ;;\n";
    script << "    esac\n"
              "    [[ $word == -* ]] && words+=\" "
           << joined(all.front().options)
           << "\"\n"
              "    case \"$path\" in\n"
              "        \"fairway completion\") words+=\" bash zsh fish\" ;;\n"
              "        \"fairway gateway show\"|\"fairway gateway probe\"|\"fairway drain\"|\"fairway "
              "down\"|\"fairway "
              "up\"|\"fairway check\")\n"
              "            words+=\" $(fairway gateway list --timeout 1s --no-color 2>/dev/null | cut -d' ' "
              "-f1)\" ;;\n"
              "        \"fairway config check\"|\"fairway config show\")\n"
              "            words+=\" $(compgen -f -- \"$word\")\" ;;\n"
              "    esac\n"
              "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
              "}\n"
              "complete -F _fairway fairway\n";
    return script.str();
}

std::string fish_script() {
    const std::vector<CommandHelp> all = describe_commands();
    std::ostringstream script;
    script << "# fish completion for fairway\ncomplete -c fairway -f\n";
    const auto quoted = [](const std::string& text) {
        std::string quote = "'";
        for (const char c : text) quote += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        return quote + "'";
    };
    const auto summary_of = [&](const std::string& path) {
        for (const CommandHelp& command : all)
            if (command.path == path) return command.summary;
        return std::string();
    };
    for (const CommandHelp& command : all) {
        std::string condition = "__fish_use_subcommand";
        if (command.path != "fairway") {
            // "fairway override extend": both words were given, and none of those below.
            condition.clear();
            std::istringstream words(command.path.substr(8));
            for (std::string word; words >> word;)
                condition += (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
            if (!command.commands.empty())
                condition += "; and not __fish_seen_subcommand_from " + joined(command.commands);
        }
        for (const std::string& below : command.commands)
            script << "complete -c fairway -n " << quoted(condition) << " -a " << below << " -d "
                   << quoted(summary_of(command.path + " " + below)) << "\n";
        for (const std::string& option : command.options)
            script << "complete -c fairway" << (command.path == "fairway" ? "" : " -n " + quoted(condition))
                   << " -l " << option.substr(2) << "\n";
    }
    script << "complete -c fairway -n '__fish_seen_subcommand_from show probe drain down up check' -a "
              "'(fairway gateway list --timeout 1s --no-color 2>/dev/null | string split -f1 \" \")'\n"
              "complete -c fairway -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n";
    return script.str();
}

}  // namespace

std::string completion_script(const std::string& shell) {
    if (shell == "bash") return bash_script();
    if (shell == "zsh")
        return "#compdef fairway\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script();
    if (shell == "fish") return fish_script();
    return {};
}

}  // namespace fairway::cli
