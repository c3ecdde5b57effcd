// SPDX-License-Identifier: Apache-2.0
#include "api/event_feed.h"

#include <nlohmann/json.hpp>

#include "api/describe.h"

namespace fairway::api {

EventFeed::EventFeed(Store& store, Follow follow, std::function<void()> ready)
    : follow_(std::move(follow)), ready_(std::move(ready)), self_(std::make_shared<EventFeed*>(this)) {
    beat();
    caught_up_ = !follow_.after_id;
    // Listening begins before the backlog is asked for, so that nothing falls between the two.
    subscription_ = store.subscribe([this](const Event& event) {
        if (!caught_up_) {
            meanwhile_.push_back(event);
            return;
        }
        add(event);
        if (!text_.empty()) ready_();
    });
    if (caught_up_) return;
    EventQuery query;
    query.after_id = *follow_.after_id;
    query.subject = follow_.subject;
    query.limit = 10'000;
    store.events(query, [self = std::weak_ptr<EventFeed*>(self_)](StoreResult<std::vector<Event>> events) {
        const auto feed = self.lock();
        if (!feed) return;
        EventFeed& it = **feed;
        it.caught_up_ = true;
        if (events)
            for (const Event& event : *events) it.add(event);
        for (const Event& event : std::exchange(it.meanwhile_, {})) it.add(event);
        if (!it.text_.empty()) it.ready_();
    });
}

void EventFeed::add(const Event& event) {
    if (event.id <= last_ || (follow_.subject && event.subject != *follow_.subject)) return;
    last_ = event.id;
    if (text_.size() > max_waiting) overflowed_ = true;
    if (overflowed_) return;
    text_ += "id: " + std::to_string(event.id) + "\ndata: " + text_of(describe_event(event)) + "\n\n";
}

std::string EventFeed::take() {
    return std::exchange(text_, {});
}

void EventFeed::beat() {
    if (text_.empty()) text_ = ": here\n\n";
}

}  // namespace fairway::api
