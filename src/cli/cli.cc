// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>

#include "base/text.h"
#include "cli/commands.h"

namespace fairway::cli {
namespace {

/// The parser and what it fills in. Options refer to members, so it stays where it was made.
class Tree {
  public:
    Tree();
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    CLI::App app{"Asks and steers a running fairwayd.", "fairway"};
    Globals globals;
    /// The command that was given.
    std::function<Exit(Session&)> chosen;
    std::string shell;  // of `completion`

  private:
    CLI::App* command(CLI::App& parent, const std::string& name, const std::string& summary,
                      std::function<Exit(Session&)> action = nullptr);
    void add_state();
    void add_overrides();
    void add_zones();
    void add_events();
    void add_config();
    void add_end(CLI::App& to, std::string& duration, std::string& until, bool& permanent,
                 bool may_be_permanent);

    std::string name_, file_, address_, service_, target_;
    int64_t id_ = 0;
    ProbeArguments probe_;
    ExplainArguments explain_;
    OverrideArguments override_;
    ClearArguments clear_;
    ExtendArguments extend_;
    ChallengeArguments challenge_;
    ZoneArguments zone_;
    EventArguments events_, audit_;
};

CLI::App* Tree::command(CLI::App& parent, const std::string& name, const std::string& summary,
                        std::function<Exit(Session&)> action) {
    CLI::App* made = parent.add_subcommand(name, summary);
    made->fallthrough();
    if (action)
        made->callback([this, action = std::move(action)] { chosen = action; });
    else
        made->require_subcommand(1);
    return made;
}

Tree::Tree() {
    app.require_subcommand(1);
    app.fallthrough();
    app.set_help_flag("-h,--help", "Show help");
    app.add_flag("--json", globals.json, "Write a JSON document with a \"schema\" member");
    app.add_option("--server", globals.server,
                   "Control socket, or http://host:port (FAIRWAY_SERVER; /run/fairway/control.sock)")
        ->type_name("WHERE");
    app.add_option("--token-file", globals.token_file,
                   "File with the API token for http:// (or FAIRWAY_TOKEN)")
        ->type_name("FILE");
    app.add_option("--timeout", globals.timeout, "How long to wait for fairwayd (10s)")->type_name("D");
    app.add_flag("--quiet", globals.quiet, "Write no data and no remarks, only errors");
    app.add_flag("--no-color", globals.no_color, "No colours (NO_COLOR does the same)");
    add_state();
    add_overrides();
    add_zones();
    add_events();
    add_config();
    command(app, "version", "The version of this program", version);
    CLI::App* completion = command(app, "completion", "Write a completion script for a shell", [](Session&) {
        return Exit::done;  // run() writes it: the script describes this very tree
    });
    completion->add_option("SHELL", shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

void Tree::add_state() {
    command(app, "status", "Services, regions, gateways, overrides and the node on one page", status);

    CLI::App* gateway = command(app, "gateway", "Gateways and their endpoints");
    command(*gateway, "list", "All gateways", gateway_list);
    command(*gateway, "show", "One gateway with its endpoints and monitors",
            [this](Session& session) { return gateway_show(session, name_); })
        ->add_option("NAME", name_, "The gateway")
        ->required();
    CLI::App* probe = command(*gateway, "probe", "Probe now and show each step; health is not touched",
                              [this](Session& session) { return gateway_probe(session, probe_); });
    probe->add_option("NAME", probe_.gateway, "The gateway, or gateway/endpoint")->required();
    probe->add_option("--monitor", probe_.monitor, "Only this monitor")->type_name("NAME");

    CLI::App* explain_command =
        command(app, "explain", "What a client gets for a name, and why, step by step",
                [this](Session& session) { return explain(session, explain_); });
    explain_command->add_option("NAME", explain_.name, "The DNS name, or the service")->required();
    explain_command->add_option("--client", explain_.client, "The address that asks")->type_name("IP");
    explain_command->add_option("--ecs", explain_.ecs, "The client subnet it sends along")
        ->type_name("PREFIX");
    explain_command->add_option("--without", explain_.without, "As if this target were down")
        ->type_name("TARGET");

    command(app, "check", "State for monitoring systems: 0 ok, 1 warning, 2 critical, 3 unknown",
            [this](Session& session) { return check(session, target_); })
        ->add_option("TARGET", target_, "A target or service:NAME; without one, the node and all services");

    CLI::App* geoip = command(app, "geoip", "Where addresses are");
    command(*geoip, "lookup", "Where an address is, as steering sees it",
            [this](Session& session) { return geoip_lookup(session, address_); })
        ->add_option("IP", address_, "The address")
        ->required();
    command(*geoip, "info", "The databases in use and their age", geoip_info);
    command(*geoip, "reload", "Open the databases again", geoip_reload);
}

void Tree::add_end(CLI::App& to, std::string& duration, std::string& until, bool& permanent,
                   bool may_be_permanent) {
    to.add_option("--for", duration, "How long: 30m, 2h, 1d12h")->type_name("D");
    to.add_option("--until", until, "Until when: 2026-01-31T18:00:00Z")->type_name("T");
    if (may_be_permanent) to.add_flag("--permanent", permanent, "Until it is cleared");
}

void Tree::add_overrides() {
    const auto add = [this](const std::string& state, const std::string& summary) {
        CLI::App* made = command(app, state, summary, [this, state](Session& session) {
            override_.state = state;
            return set_override(session, override_);
        });
        made->add_option("TARGET", override_.targets,
                         "fra1, fra1/203.0.113.10, region:NAME, zone:NAME, label:KEY=VALUE, or a glob")
            ->required();
        made->add_option("--reason", override_.reason, "Why, for the others and for the audit trail")
            ->required()
            ->type_name("R");
        add_end(*made, override_.duration, override_.until, override_.permanent, state != "up");
        made->add_option("--ref", override_.ticket, "A ticket")->type_name("TICKET");
        made->add_flag("--dry-run", override_.dry_run, "Show which answers would change, change nothing");
        made->add_flag("--force", override_.force, "Even if a service is left without any gateway");
    };
    add("drain", "Give no new answers with the target; says when it is clear of DNS");
    add("down", "Count the target as failed");
    add("up", "Count the target as healthy, whatever probes say; must end");

    CLI::App* clear = command(app, "clear", "End overrides",
                              [this](Session& session) { return clear_override(session, clear_); });
    clear->add_option("TARGET", clear_.targets,
                      "As it was written when the override was set, or a glob over those");
    clear->add_option("--id", clear_.ids, "By number")->type_name("ID");

    CLI::App* overrides = command(app, "override", "Overrides in force");
    command(*overrides, "list", "All overrides", override_list);
    command(*overrides, "show", "One override",
            [this](Session& session) { return override_show(session, id_); })
        ->add_option("ID", id_, "Its number")
        ->required();
    CLI::App* extend = command(*overrides, "extend", "Change when an override ends",
                               [this](Session& session) { return override_extend(session, extend_); });
    extend->add_option("ID", extend_.id, "Its number")->required();
    add_end(*extend, extend_.duration, extend_.until, extend_.permanent, true);

    command(app, "confirm", "Let a failover happen that waits for a person",
            [this](Session& session) { return confirm(session, service_); })
        ->add_option("SERVICE", service_, "The service")
        ->required();
}

void Tree::add_events() {
    const auto add = [this](const std::string& name, const std::string& summary, EventArguments& arguments,
                            Exit (*action)(Session&, const EventArguments&)) {
        CLI::App* made = command(app, name, summary, [&arguments, action](Session& session) {
            return action(session, arguments);
        });
        made->add_option("--since", arguments.since, "Only later than this long ago (2h), or than an instant")
            ->type_name("D");
        made->add_option("--subject", arguments.subject, "Only about this")->type_name("NAME");
        made->add_option("--limit", arguments.limit, "The newest so many (100)")
            ->type_name("N")
            ->check(CLI::Range(1, 10'000));
        return made;
    };
    add("events", "What happened", events_, events)
        ->add_flag("--follow", events_.follow, "And what happens, until interrupted");
    add("audit", "Who changed what", audit_, audit);
}

void Tree::add_zones() {
    CLI::App* zone = command(app, "zone", "Zones that are served, and the keys of those that are signed");
    command(*zone, "list", "All zones", zone_list);
    const auto named = [this](CLI::App* made) {
        made->add_option("ZONE", zone_.zone, "The zone")->required();
        return made;
    };
    named(command(*zone, "keys", "Its keys, what they do, and what comes next",
                  [this](Session& session) { return zone_keys(session, zone_.zone); }));
    named(command(*zone, "ds", "The DS records for the parent, and whether it should have them",
                  [this](Session& session) { return zone_ds(session, zone_); }))
        ->add_flag("--sha384", zone_.sha384, "With SHA-384 too");
    CLI::App* roll = named(command(*zone, "roll", "Start a key rollover",
                                   [this](Session& session) { return zone_roll(session, zone_); }));
    roll->add_flag("--zsk", zone_.zsk, "Of the key that signs the zone; goes on by itself");
    roll->add_flag("--ksk", zone_.ksk, "Of the key that signs the keys; waits for ds-seen");
    roll->add_flag("--csk", zone_.csk, "Of the combined key; waits for ds-seen");
    named(command(*zone, "ds-seen", "The parent has the new DS: the rollover goes on",
                  [this](Session& session) { return zone_ds_seen(session, zone_.zone); }));

    CLI::App* challenge = command(*zone, "challenge", "TXT records for ACME (DNS-01)");
    command(*challenge, "list", "All that stand", challenge_list);
    CLI::App* set = command(*challenge, "set", "Answer a value at _acme-challenge.NAME",
                            [this](Session& session) { return challenge_set(session, challenge_); });
    set->add_option("NAME", challenge_.name, "The name that the certificate is for")->required();
    set->add_option("VALUE", challenge_.value, "What the ACME client says")->required();
    set->add_option("--for", challenge_.duration, "How long, a day at most (1h)")->type_name("D");
    CLI::App* clear = command(*challenge, "clear", "End one value, or all at the name",
                              [this](Session& session) { return challenge_clear(session, challenge_); });
    clear->add_option("NAME", challenge_.name, "As it was set")->required();
    clear->add_option("VALUE", challenge_.value, "Only this one");
}

void Tree::add_config() {
    CLI::App* config = command(app, "config", "The configuration");
    const auto file = [this](CLI::App* to, const std::string& what) { to->add_option("FILE", file_, what); };
    file(command(*config, "check", "Every mistake at once",
                 [this](Session& session) { return config_check(session, file_); }),
         "Check this file here, without fairwayd; else fairwayd checks its own");
    file(command(*config, "show", "The configuration with all defaults, as TOML",
                 [this](Session& session) { return config_show(session, file_); }),
         "Of this file, without fairwayd; else what is in force");
    command(*config, "diff", "What a reload would change", config_diff);
    command(*config, "schema", "JSON Schema of the configuration", config_schema);
    command(app, "reload", "Read the configuration again; refused, it changes nothing", reload);
}

void describe(const CLI::App& app, const std::string& path, std::vector<CommandHelp>& all) {
    CommandHelp help;
    help.path = path;
    help.summary = app.get_description();
    for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; }))
        help.commands.push_back(below->get_name());
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames())
            if (name != "help" || path == "fairway") help.options.push_back("--" + name);
    all.push_back(std::move(help));
    for (const CLI::App* below : app.get_subcommands([](const CLI::App*) { return true; }))
        describe(*below, path + " " + below->get_name(), all);
}

}  // namespace

std::vector<CommandHelp> describe_commands() {
    const Tree tree;
    std::vector<CommandHelp> all;
    describe(tree.app, "fairway", all);
    return all;
}

/// What to say of the first word that stands where a command should and is none; empty when there is no such.
static std::string misspelt_command(const std::vector<std::string>& arguments) {
    const std::vector<CommandHelp> all = describe_commands();
    auto at = all.begin();
    for (const std::string& word : arguments) {
        if (word.empty() || word.front() == '-') continue;
        if (at->commands.empty()) return {};
        const std::string path = at->path + " " + word;
        const auto below = std::find_if(all.begin(), all.end(),
                                        [&](const CommandHelp& command) { return command.path == path; });
        if (below == all.end()) {
            const std::string near = nearest_name(word, at->commands);
            return "there is no command \"" + path.substr(8) + "\"" +
                   (near.empty() ? ""
                                 : " (did you mean \"" + path.substr(8, path.size() - 8 - word.size()) +
                                       near + "\"?)");
        }
        at = below;
    }
    return {};
}

int run(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& error,
        const Transport& transport) {
    Tree tree;
    try {
        // CLI11 takes them from the back.
        tree.app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::ParseError& problem) {
        if (problem.get_exit_code() == 0) return tree.app.exit(problem, out, error);
        const std::string meant = misspelt_command(arguments);
        error << "fairway: " << (meant.empty() ? problem.what() : meant)
              << "\nRun with --help for more information.\n";
        // To a monitoring system 2 would be "critical".
        const bool monitoring = std::find(arguments.begin(), arguments.end(), "check") == arguments.begin();
        return monitoring && !arguments.empty() ? 3 : static_cast<int>(Exit::usage);
    }
    if (!tree.shell.empty()) {
        out << completion_script(tree.shell);
        return 0;
    }
    Session session(tree.globals, out, error, transport);
    return static_cast<int>(tree.chosen(session));
}

}  // namespace fairway::cli
