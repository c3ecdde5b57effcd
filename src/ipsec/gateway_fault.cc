// SPDX-License-Identifier: Apache-2.0
#include "ipsec/gateway_fault.h"

#include <algorithm>

#include "base/duration.h"
#include "base/text.h"

namespace fairway::ipsec {

namespace {

struct FlawName {
    std::string_view name;
    CertificateFlaw flaw;
};
constexpr FlawName flaw_names[] = {
    {"expired", CertificateFlaw::expired},
    {"self-signed", CertificateFlaw::self_signed},
    {"wrong-host", CertificateFlaw::wrong_host},
};

}  // namespace

const std::vector<FaultName>& fault_names() {
    static const std::vector<FaultName> names{
        {"none", FaultKind::none, "healthy"},
        {"refuse", FaultKind::refuse, "nothing listens: TCP reset, ICMP port unreachable"},
        {"silent", FaultKind::silent, "no answer to anything, not even to connect"},
        {"slow", FaultKind::slow, "answers late: slow:DURATION, default the gateway's `slow`"},
        {"reset", FaultKind::reset, "TCP connections are accepted, then reset"},
        {"bad-certificate", FaultKind::bad_certificate, ":expired (default), :self-signed or :wrong-host"},
        {"http-503", FaultKind::http_503, "HTTP answers 503"},
        {"ike-cookie", FaultKind::ike_cookie, "IKE asks for a cookie first"},
        {"ike-no-proposal", FaultKind::ike_no_proposal, "IKE answers NO_PROPOSAL_CHOSEN"},
        {"ike-garbage", FaultKind::ike_garbage, "IKE answers with noise"},
        {"ike-redirect", FaultKind::ike_redirect, "IKE sends clients to another gateway"},
    };
    return names;
}

Result<Fault> Fault::parse(std::string_view text) {
    const size_t colon = text.find(':');
    const std::string_view name = text.substr(0, colon);
    const auto& names = fault_names();
    const auto found =
        std::find_if(names.begin(), names.end(), [&](const FaultName& f) { return f.name == name; });
    if (found == names.end()) {
        std::vector<std::string> candidates;
        for (const FaultName& f : names) candidates.emplace_back(f.name);
        const std::string near = nearest_name(name, candidates);
        return fail("unknown fault \"" + std::string(name) + "\"" +
                    (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
    }
    Fault fault;
    fault.kind = found->kind;
    if (colon == std::string_view::npos) return fault;
    const std::string_view argument = text.substr(colon + 1);
    if (fault.kind == FaultKind::slow) {
        const auto delay = parse_duration(argument);
        if (!delay) return tl::unexpected<Error>(delay.error());
        if (*delay > std::chrono::minutes(5)) return fail("a delay of more than 5 minutes");
        fault.delay = *delay;
        return fault;
    }
    if (fault.kind == FaultKind::bad_certificate) {
        for (const FlawName& flaw : flaw_names) {
            if (flaw.name != argument) continue;
            fault.flaw = flaw.flaw;
            return fault;
        }
        return fail("unknown flaw \"" + std::string(argument) +
                    "\" of a certificate: expired, self-signed or wrong-host");
    }
    return fail("the fault \"" + std::string(name) + "\" takes no argument");
}

std::string Fault::to_string() const {
    const auto& names = fault_names();
    const auto found =
        std::find_if(names.begin(), names.end(), [&](const FaultName& f) { return f.kind == kind; });
    std::string text(found->name);
    if (delay) text += ":" + format_duration(*delay);
    if (kind == FaultKind::bad_certificate) {
        for (const FlawName& name : flaw_names) {
            if (name.flaw == flaw) text += ":" + std::string(name.name);
        }
    }
    return text;
}

}  // namespace fairway::ipsec
