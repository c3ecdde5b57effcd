// SPDX-License-Identifier: Apache-2.0
#pragma once
// What each command does once its arguments are known. Each returns the exit code.

#include <optional>
#include <string>
#include <vector>

#include "cli/session.h"

namespace fairway::cli {

// commands_state.cc
Exit status(Session& session);
Exit gateway_list(Session& session);
Exit gateway_show(Session& session, const std::string& name);
struct ProbeArguments {
    std::string gateway;  // or gateway/endpoint
    std::string monitor;
};
Exit gateway_probe(Session& session, const ProbeArguments& arguments);
Exit check(Session& session, const std::string& target);
Exit version(Session& session);

// commands_explain.cc
struct ExplainArguments {
    std::string name, client, ecs, without;
};
Exit explain(Session& session, const ExplainArguments& arguments);
Exit geoip_lookup(Session& session, const std::string& address);
Exit geoip_info(Session& session);
Exit geoip_reload(Session& session);

// commands_overrides.cc
struct OverrideArguments {
    std::string state;  // "drain", "down", "up"
    std::vector<std::string> targets;
    std::string reason, duration, until, ticket;
    bool permanent = false;
    bool dry_run = false;
    bool force = false;
};
Exit set_override(Session& session, const OverrideArguments& arguments);
struct ClearArguments {
    std::vector<std::string> targets;
    std::vector<int64_t> ids;
};
Exit clear_override(Session& session, const ClearArguments& arguments);
Exit override_list(Session& session);
Exit override_show(Session& session, int64_t id);
struct ExtendArguments {
    int64_t id = 0;
    std::string duration, until;
    bool permanent = false;
};
Exit override_extend(Session& session, const ExtendArguments& arguments);
Exit confirm(Session& session, const std::string& service);

// commands_challenges.cc
struct ChallengeArguments {
    std::string name, value, duration;
};
Exit challenge_set(Session& session, const ChallengeArguments& arguments);
Exit challenge_clear(Session& session, const ChallengeArguments& arguments);
Exit challenge_list(Session& session);

// commands_events.cc
struct EventArguments {
    std::string since;
    std::string subject;
    bool follow = false;
    uint64_t limit = 100;
};
Exit events(Session& session, const EventArguments& arguments);
Exit audit(Session& session, const EventArguments& arguments);

// commands_zones.cc
struct ZoneArguments {
    std::string zone;
    bool zsk = false;
    bool ksk = false;
    bool csk = false;
    bool sha384 = false;
};
Exit zone_list(Session& session);
Exit zone_keys(Session& session, const std::string& zone);
Exit zone_ds(Session& session, const ZoneArguments& arguments);
Exit zone_roll(Session& session, const ZoneArguments& arguments);
Exit zone_ds_seen(Session& session, const std::string& zone);

// commands_config.cc
Exit config_check(Session& session, const std::string& file);
Exit config_show(Session& session, const std::string& file);
Exit config_diff(Session& session);
Exit config_schema(Session& session);
Exit reload(Session& session);

}  // namespace fairway::cli
