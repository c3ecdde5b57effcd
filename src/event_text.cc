// SPDX-License-Identifier: Apache-2.0
#include "event_text.h"

#include "base/duration.h"

namespace fairway {
namespace {

EventKind kind_of(Transition::Subject subject) {
    switch (subject) {
        case Transition::Subject::endpoint:
            return EventKind::endpoint;
        case Transition::Subject::gateway:
            return EventKind::gateway;
        case Transition::Subject::zone:
            return EventKind::zone;
        case Transition::Subject::region:
            return EventKind::region;
        case Transition::Subject::service:
            return EventKind::service;
        case Transition::Subject::node:
            return EventKind::system;
    }
    return EventKind::system;
}

}  // namespace

Event event_of(const Transition& transition, WallTime now) {
    Event event;
    event.time = now;
    event.kind = kind_of(transition.subject);
    event.severity = transition.severity;
    event.subject = transition.name;
    event.from = transition.from;
    event.to = transition.to;
    event.message = transition.reason;
    return event;
}

Event event_of(const Override& override_, std::string_view what, std::string actor, WallTime now) {
    Event event;
    event.time = now;
    event.kind = EventKind::override_;
    event.severity = Severity::info;
    event.subject = override_.target;
    const bool begins = what == "set" || what == "extended";
    (begins ? event.to : event.from) = to_string(override_.state);
    event.message = std::string(to_string(override_.state)) + " " + std::string(what);
    if (begins)
        event.message += override_.until ? " until " + format_rfc3339(*override_.until) : ", permanent";
    if (!override_.reason.empty()) event.message += ": " + override_.reason;
    if (!override_.ticket.empty()) event.message += " (" + override_.ticket + ")";
    event.actor = std::move(actor);
    return event;
}

}  // namespace fairway
