// SPDX-License-Identifier: Apache-2.0
// [tsig.NAME] and the `transfer` of [zone.NAME].

#include "base/base64.h"
#include "config/tables.h"

namespace fairway::config {
namespace {

constexpr std::string_view key_prefix = "key:";
constexpr size_t short_secret = 16;  // octets; below it guessing is no longer hopeless

struct Words {
    std::string_view address;  // or empty
    std::string key;           // or empty
};

/// "ADDRESS", "key:NAME" or "ADDRESS key:NAME".
Result<Words> split(std::string_view text) {
    Words words;
    std::string_view rest = text;
    while (!rest.empty()) {
        const size_t blank = rest.find(' ');
        const std::string_view word = rest.substr(0, blank);
        rest.remove_prefix(blank == std::string_view::npos ? rest.size() : blank + 1);
        if (word.empty()) continue;
        if (!word.starts_with(key_prefix)) {
            if (!words.address.empty() || !words.key.empty())
                return fail(quote(text) + " is not of the form \"ADDRESS key:NAME\"");
            words.address = word;
            continue;
        }
        if (!words.key.empty()) return fail(quote(text) + " has two keys");
        auto name = canonical_domain(word.substr(key_prefix.size()));
        if (!name) return tl::unexpected(name.error());
        words.key = std::move(*name);
    }
    return words;
}

std::string join(const std::string& address, const std::string& key) {
    if (key.empty()) return address;
    return address + (address.empty() ? "" : " ") + std::string(key_prefix) + key;
}

Parsed<TransferRule> transfer_rule() {
    return {R"("PREFIX", "key:NAME" or "PREFIX key:NAME")",
            [](std::string_view text) -> Result<TransferRule> {
                auto words = split(text);
                if (!words) return tl::unexpected(words.error());
                TransferRule rule;
                rule.key = std::move(words->key);
                if (words->address.empty()) {
                    if (rule.key.empty()) return fail("it must name an address, a prefix or a key");
                    return rule;
                }
                const auto prefix = IpPrefix::parse(words->address);
                if (!prefix) return tl::unexpected(prefix.error());
                rule.from = *prefix;
                return rule;
            },
            [](const TransferRule& rule) { return join(rule.from ? rule.from->to_string() : "", rule.key); }};
}

Parsed<NotifyTarget> notify_target() {
    return {R"("ADDRESS", "ADDRESS:PORT", with " key:NAME" behind it where it is to be signed)",
            [](std::string_view text) -> Result<NotifyTarget> {
                auto words = split(text);
                if (!words) return tl::unexpected(words.error());
                if (words->address.empty()) return fail(quote(text) + " names no address");
                const auto address = SocketAddress::parse(words->address, uint16_t{53});
                if (!address) return tl::unexpected(address.error());
                if (address->port == 0) return fail(quote(text) + ": 0 is no port");
                return NotifyTarget{*address, std::move(words->key)};
            },
            [](const NotifyTarget& target) { return join(target.address.to_string(), target.key); }};
}

}  // namespace

const Section<TsigKeySource>& tsig_table() {
    using S = TsigKeySource;
    static const Section<S> table(
        "tsig.NAME",
        {field("algorithm", &S::algorithm,
               Text{.one_of = {"hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}},
               "How messages are signed with it."),
         field("secret", &S::secret, SecretText{}, "The secret that both sides share, in base64.").require()},
        [](Context& context, const Node& node, S& key) {
            const Position where = node.find("secret")->value.where;
            const auto octets = decode_base64(key.secret.value);
            // Never repeats the text.
            if (!octets || octets->empty())
                context.report.error(where, context.subject + "secret: what it stands for is not base64");
            else if (octets->size() < short_secret)
                context.report.warning(where, context.subject + "secret: " + std::to_string(octets->size()) +
                                                  " octets are few; 32 random ones are usual");
        });
    return table;
}

const Section<TransferSource>& transfer_table() {
    using S = TransferSource;
    static const Section<S> table(
        "zone.NAME.transfer",
        {field("allow", &S::allow, List{At{transfer_rule()}, 0, 1000},
               "Who may transfer the zone: by address, by TSIG key, or by both, if both stand in one string. "
               "One string that matches is enough."),
         field("notify", &S::notify, List{At{notify_target()}, 0, 100},
               "Secondaries that are told at once when the zone has changed (NOTIFY).")});
    return table;
}

TransferSource to_source(const ZoneTransfer& transfer) {
    TransferSource source;
    for (const TransferRule& rule : transfer.allow) source.allow.push_back({rule, {}});
    for (const NotifyTarget& target : transfer.notify) source.notify.push_back({target, {}});
    return source;
}

ZoneTransfer to_transfer(Reporter& report, const std::string& zone, const TransferSource& source,
                         const std::vector<std::string>& keys) {
    ZoneTransfer transfer;
    const auto check = [&](const std::string& key, Position where) {
        if (key.empty() || std::find(keys.begin(), keys.end(), key) != keys.end()) return;
        report.error(where, "zone " + quote(zone) + ": transfer: there is no [tsig." + toml_key(key) + "]" +
                                report.suggest(key, keys));
    };
    for (const Located<TransferRule>& rule : source.allow) {
        check(rule.value.key, rule.where);
        transfer.allow.push_back(rule.value);
    }
    for (const Located<NotifyTarget>& target : source.notify) {
        check(target.value.key, target.where);
        transfer.notify.push_back(target.value);
    }
    return transfer;
}

}  // namespace fairway::config
