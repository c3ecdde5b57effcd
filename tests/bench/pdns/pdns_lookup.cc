// SPDX-License-Identifier: Apache-2.0
// What one `lookup` of PowerDNS costs, from the text of the call to the text of the reply, beside what a
// general JSON library needs to read the same call and write the same reply without deciding anything.
// Medians of interleaved rounds.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <vector>

#include "pdns/responder.h"
#include "unit/dns/world.h"

using namespace fairway;

namespace {

constexpr int per_round = 2000;

double cpu_nanoseconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

template <class Work>
double nanoseconds_each(Work work) {
    const double begin = cpu_nanoseconds();
    for (int i = 0; i < per_round; ++i) work();
    return (cpu_nanoseconds() - begin) / per_round;
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2),
                     values.end());
    return values[values.size() / 2];
}

}  // namespace

int main() {
    const dns::Serving serving = dns::test::make_world().serving();
    const std::string call_text =
        R"({"method": "lookup", "parameters": {"local": "127.0.0.1", "qname": "vpn.gslb.test.", "qtype": "ANY", )"
        R"("real-remote": "198.51.100.0/24", "remote": "192.0.2.53", "zone-id": -1}})";
    pdns::Call call;
    pdns::Responder responder;
    std::string reply;
    size_t octets = 0;
    const auto ours = [&] {
        reply.clear();
        if (!pdns::parse_call(call_text, call)) return;
        if (responder.respond(serving, call, reply) == pdns::Responder::Outcome::answered)
            octets += reply.size();
    };
    ours();
    const nlohmann::json answer = nlohmann::json::parse(reply);
    const auto library = [&] { octets += nlohmann::json::parse(call_text).size() + answer.dump().size(); };

    std::vector<double> our_times, library_times;
    for (int round = 0; round < 101; ++round) {
        our_times.push_back(nanoseconds_each(ours));
        library_times.push_back(nanoseconds_each(library));
    }
    std::printf(
        "lookup of 4 records (%zu octets): %.0f ns of CPU; a JSON library's reading and writing alone %.0f "
        "ns; "
        "ratio %.2f\n",
        reply.size(), median(our_times), median(library_times), median(our_times) / median(library_times));
    return octets == 0;
}
