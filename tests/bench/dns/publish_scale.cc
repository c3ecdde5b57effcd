// SPDX-License-Identifier: Apache-2.0
// 10,000 services with 1,000 gateways: what loading them costs (names, steering, health), and from there
// every health change: judging it, the snapshot, publishing it, and the first answer made from it. Beside the
// floor of a publication, copying the states. Medians.
//
//     bench_publish_scale [GATEWAYS_PER_SERVICE [SERVICES [GATEWAYS]]]    1000 of 1000 for each of 10000

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "base/published.h"
#include "base/random.h"
#include "dns/answer.h"
#include "dns/authority.h"
#include "health/engine.h"
#include "sim/results.h"
#include "steering/steering.h"

using namespace fairway;
using namespace fairway::dns;

namespace {

constexpr size_t regions = 20;
constexpr int rounds = 101;

double milliseconds_of(const auto& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

std::shared_ptr<const Model> make_model(size_t services, size_t gateways, size_t of_each) {
    auto model = std::make_shared<Model>();
    Monitor monitor;
    monitor.id = MonitorId(0);
    monitor.name = "tcp";
    monitor.interval = seconds{2};
    monitor.timeout = milliseconds{800};
    monitor.fall = 1;
    monitor.rise = 1;
    monitor.port = 500;
    model->monitors.push_back(monitor);
    Random random(1);
    for (size_t r = 0; r < regions; ++r)
        model->regions.push_back({RegionId(r), "r" + std::to_string(r),
                                  Coordinates{random.fraction() * 120 - 60, random.fraction() * 360 - 180}});
    for (size_t g = 0; g < gateways; ++g) {
        Gateway gateway;
        gateway.id = GatewayId(g);
        gateway.name = "g" + std::to_string(g);
        gateway.region = RegionId(g % regions);
        gateway.monitors = {MonitorId(0)};
        gateway.health = HealthExpression::all_of(1);
        Endpoint endpoint;
        endpoint.id = EndpointId(g);
        endpoint.gateway = gateway.id;
        endpoint.address = IpAddress::v4(0x0a000001U + static_cast<uint32_t>(g));
        endpoint.host = endpoint.name = endpoint.address->to_string();
        gateway.endpoints.push_back(endpoint.id);
        model->gateways.push_back(std::move(gateway));
        model->endpoints.push_back(std::move(endpoint));
    }
    std::vector<FilterSpec> policy;
    for (const char* filter : {"healthy", "nearest", "first 2"})
        policy.push_back(FilterSpec::parse(filter).value());
    for (size_t s = 0; s < services; ++s) {
        Service service;
        service.id = ServiceId(s);
        service.key = "s" + std::to_string(s);
        service.name = service.key + ".gslb.example.com";
        service.policy = policy;
        for (size_t i = 0; i < of_each; ++i) service.gateways.push_back(GatewayId((s * 7 + i) % gateways));
        std::sort(service.gateways.begin(), service.gateways.end());
        model->services.push_back(std::move(service));
    }
    Zone zone;
    zone.name = "gslb.example.com";
    zone.ns = {{"ns1.gslb.example.com", {IpAddress::v4(0xc0000235U)}}};
    model->zones.push_back(std::move(zone));
    return model;
}

std::vector<uint8_t> question(const std::string& name) {
    std::vector<uint8_t> bytes(300);
    Writer writer(bytes);
    for (const int field : {1, 0x0100, 1, 0, 0, 0}) writer.u16(static_cast<uint16_t>(field));
    writer.bytes(Name::parse(name)->wire());
    writer.u16(1);
    writer.u16(1);
    bytes.resize(writer.position());
    return bytes;
}

}  // namespace

int main(int argc, char** argv) {
    const auto number = [&](int at, size_t otherwise) {
        return argc > at ? static_cast<size_t>(std::atol(argv[at])) : otherwise;
    };
    const size_t of_each = number(1, 1000);
    const size_t services = number(2, 10'000);
    const size_t gateways = number(3, 1000);
    const auto model = make_model(services, gateways, std::min(of_each, gateways));

    Serving first;
    HealthEngine engine;
    MonotonicTime now{seconds{1000}};
    const double names = milliseconds_of([&] { first.authority = Authority::build(model, 1).authority; });
    const double steering = milliseconds_of([&] { first.steering = Steering::compile(model, nullptr); });
    const double health = milliseconds_of([&] {
        (void)engine.configure(model, now);
        for (const Endpoint& endpoint : model->endpoints)
            (void)engine.record(endpoint.id, 0, sim::pass(), now);
        engine.finish_first_round(now);
        (void)engine.take_transitions();
        first.health = engine.snapshot();
    });
    first.settings = std::make_shared<AnswerSettings>();
    std::printf("%zu services, %zu of %zu gateways each: names %.0f ms, steering %.0f ms, health %.0f ms\n",
                services, std::min(of_each, gateways), gateways, names, steering, health);

    Published<Serving> published(std::make_shared<Serving>(first));
    Published<Serving>::Reader reader(published);
    Answerer answerer(4096);
    std::vector<uint8_t> out(Answerer::max_udp_answer);
    const std::vector<uint8_t> asked = question("s0.gslb.example.com");
    const auto answer = [&] {
        Request request;
        request.message = asked;
        request.source = IpAddress::v4(0x7f000001);
        const Serving& serving = reader.get();
        answerer.set_version(reader.version());
        if (answerer.answer(serving, request, out) == 0) std::abort();
    };
    answer();
    std::vector<double> changes;
    std::vector<double> floors;
    std::vector<double> afresh;
    std::vector<double> again;
    for (int round = 0; round < rounds; ++round) {
        now += seconds{2};
        const EndpointId id(static_cast<size_t>(round / 2) % gateways);
        std::shared_ptr<const HealthSnapshot> made;
        changes.push_back(milliseconds_of([&] {
            (void)engine.record(id, 0, round % 2 == 0 ? sim::silence() : sim::pass(), now);
            (void)engine.take_transitions();
            auto next = std::make_shared<Serving>(first);
            made = next->health = engine.snapshot();
            published.publish(std::move(next));
        }));
        floors.push_back(milliseconds_of([&] { (void)HealthSnapshot(*made); }));
        afresh.push_back(milliseconds_of(answer) * 1000);
        again.push_back(milliseconds_of(answer) * 1000);
    }
    std::printf(
        "one health change until published: %.3f ms, longest %.3f ms (copying the states: %.3f ms, ratio "
        "%.2f)\n",
        median(changes), *std::max_element(changes.begin(), changes.end()), median(floors),
        median(changes) / median(floors));
    std::printf("first answer after it %.1f us, the next %.1f us\n", median(afresh), median(again));
    return 0;
}
