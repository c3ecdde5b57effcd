// SPDX-License-Identifier: Apache-2.0
#include "dns/dnssec_key_file.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>
#include <vector>

#include "base/text.h"
#include "dns/dnssec_text.h"

namespace fairway::dns {
namespace {

constexpr size_t max_file = 16'384;

struct TimeField {
    std::string_view label;
    std::optional<int64_t> KeyTimes::*member;
};
// In the order in which BIND writes them.
constexpr std::array time_fields{
    TimeField{"Publish", &KeyTimes::publish},        TimeField{"Activate", &KeyTimes::activate},
    TimeField{"Inactive", &KeyTimes::inactive},      TimeField{"Delete", &KeyTimes::remove},
    TimeField{"DSPublish", &KeyTimes::ds_seen},      TimeField{"SyncPublish", &KeyTimes::sync_publish},
    TimeField{"SyncDelete", &KeyTimes::sync_delete},
};

/// A line at a time, with its number.
class Lines {
  public:
    explicit Lines(std::string_view text) : rest_(text) {}

    bool next() {
        if (rest_.empty()) return false;
        const size_t end = rest_.find('\n');
        line_ = rest_.substr(0, end);
        if (!line_.empty() && line_.back() == '\r') line_.remove_suffix(1);
        rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end + 1);
        ++number_;
        return true;
    }
    [[nodiscard]] std::string_view line() const { return line_; }
    [[nodiscard]] size_t number() const { return number_; }

  private:
    std::string_view rest_;
    std::string_view line_;
    size_t number_ = 0;
};

std::vector<std::string_view> words_of(std::string_view line) {
    std::vector<std::string_view> words;
    size_t at = 0;
    while ((at = line.find_first_not_of(" \t", at)) != std::string_view::npos) {
        const size_t end = line.find_first_of(" \t", at);
        words.push_back(line.substr(at, end == std::string_view::npos ? end : end - at));
        if (end == std::string_view::npos) break;
        at = end;
    }
    return words;
}

template <class T>
std::optional<T> number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

tl::unexpected<Error> wrong(std::string_view file, size_t line, std::string_view why) {
    return fail(std::string(file) + " file, line " + std::to_string(line) + ": " + std::string(why));
}

struct PublicPart {
    uint16_t flags = 0;
    std::vector<uint8_t> dnskey;
};

// OWNER [TTL] [IN] DNSKEY FLAGS 3 ALGORITHM BASE64...
Result<PublicPart> parse_public(const Name& zone, std::string_view text) {
    std::optional<PublicPart> found;
    Lines lines(text);
    while (lines.next()) {
        const std::string_view line = trim(lines.line().substr(0, lines.line().find(';')));
        if (line.empty()) continue;
        if (found) return wrong("key", lines.number(), "there is a second record");
        std::vector<std::string_view> words = words_of(line);
        const auto owner = Name::parse(words.front());
        if (!owner || !(*owner == zone)) return wrong("key", lines.number(), "the record is of another zone");
        size_t at = 1;
        if (at < words.size() && number<uint32_t>(words[at])) ++at;
        if (at < words.size() && ascii_lower(words[at]) == "in") ++at;
        if (words.size() < at + 5 || ascii_lower(words[at]) != "dnskey")
            return wrong("key", lines.number(), "this is no DNSKEY record");
        const auto flags = number<uint16_t>(words[at + 1]);
        const auto protocol = number<uint8_t>(words[at + 2]);
        const auto algorithm = number<uint8_t>(words[at + 3]);
        if (!flags || (*flags != dnskey_zone && *flags != (dnskey_zone | dnskey_sep)))
            return wrong("key", lines.number(), "the flags are neither 256 nor 257");
        if (!protocol || *protocol != 3) return wrong("key", lines.number(), "the protocol is not 3");
        std::string key;
        for (size_t i = at + 4; i < words.size(); ++i) key += words[i];
        const auto public_key = from_base64(key);
        if (!algorithm || !public_key || public_key->empty())
            return wrong("key", lines.number(), "the public key is not base64");
        found = PublicPart{*flags,
                           {static_cast<uint8_t>(*flags >> 8), static_cast<uint8_t>(*flags), 3, *algorithm}};
        found->dnskey.insert(found->dnskey.end(), public_key->begin(), public_key->end());
    }
    if (!found) return fail("key file: there is no DNSKEY record");
    return std::move(*found);
}

/// Wiped when it goes.
struct Secret {
    std::vector<uint8_t> octets;
    Secret() = default;
    Secret(Secret&&) = default;
    Secret& operator=(Secret&&) = default;
    ~Secret() { OPENSSL_cleanse(octets.data(), octets.size()); }
};

struct PrivatePart {
    DnssecAlgorithm algorithm{};
    Secret secret;
    KeyTimes times;
};

Result<PrivatePart> parse_private(std::string_view text) {
    Lines lines(text);
    if (!lines.next()) return fail("private file: it is empty");
    constexpr std::string_view intro = "Private-key-format: v1.";
    const std::string_view first = trim(lines.line());
    if (!first.starts_with(intro) || (first.substr(intro.size()) != "2" && first.substr(intro.size()) != "3"))
        return wrong("private", 1, "the format is neither v1.2 nor v1.3");
    std::optional<DnssecAlgorithm> algorithm;
    PrivatePart part;
    std::vector<std::string> seen;
    while (lines.next()) {
        const std::string_view line = trim(lines.line());
        if (line.empty()) continue;
        const size_t colon = line.find(':');
        if (colon == std::string_view::npos) return wrong("private", lines.number(), "there is no colon");
        const std::string label(line.substr(0, colon));
        const std::string_view value = trim(line.substr(colon + 1));
        if (std::find(seen.begin(), seen.end(), label) != seen.end())
            return wrong("private", lines.number(), "the field is here twice");
        seen.push_back(label);
        if (label == "Algorithm") {
            const auto code = number<uint8_t>(value.substr(0, value.find(' ')));
            if (code == static_cast<uint8_t>(DnssecAlgorithm::ecdsa_p256))
                algorithm = DnssecAlgorithm::ecdsa_p256;
            else if (code == static_cast<uint8_t>(DnssecAlgorithm::ed25519))
                algorithm = DnssecAlgorithm::ed25519;
            else
                return wrong("private", lines.number(), "the algorithm is neither 13 nor 15");
        } else if (label == "PrivateKey") {
            auto secret = from_base64(value);
            if (!secret) return wrong("private", lines.number(), "the private key is not base64");
            part.secret.octets = std::move(*secret);
        } else {
            const auto time = from_time_text(value);
            if (label == "Created") {
                if (!time) return wrong("private", lines.number(), "this is no time (YYYYMMDDHHMMSS)");
                part.times.created = *time;
                continue;
            }
            const auto* const field = std::find_if(time_fields.begin(), time_fields.end(),
                                                   [&](const TimeField& f) { return f.label == label; });
            // A field that means something to others ("Revoke") would be ignored at the zone's peril.
            if (field == time_fields.end())
                return wrong("private", lines.number(),
                             "the field \"" + escape_text(label, 30) + "\" is not known");
            if (!time) return wrong("private", lines.number(), "this is no time (YYYYMMDDHHMMSS)");
            part.times.*field->member = *time;
        }
    }
    if (!algorithm) return fail("private file: there is no algorithm");
    if (part.secret.octets.empty()) return fail("private file: there is no private key");
    part.algorithm = *algorithm;
    return part;
}

}  // namespace

std::string key_file_stem(const Name& zone, DnssecAlgorithm algorithm, uint16_t tag) {
    std::string name;
    for (const char c : zone.lowered().to_string()) {
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (plain) {
            name += c;
            continue;
        }
        std::array<char, 8> escaped{};
        std::snprintf(escaped.data(), escaped.size(), "%%%02X",
                      static_cast<unsigned>(static_cast<uint8_t>(c)));
        name += escaped.data();
    }
    std::array<char, 16> numbers{};
    std::snprintf(numbers.data(), numbers.size(), "+%03u+%05u", static_cast<unsigned>(algorithm),
                  static_cast<unsigned>(tag));
    return "K" + name + numbers.data();
}

std::string private_key_file(const DnssecKey& key, const KeyTimes& times) {
    std::string text = key.private_text();
    text.replace(text.find("v1.2"), 4, "v1.3");
    text += "Created: " + to_time_text(times.created) + "\n";
    for (const TimeField& field : time_fields)
        if (times.*field.member)
            text += std::string(field.label) + ": " + to_time_text(*(times.*field.member)) + "\n";
    return text;
}

std::string public_key_file(const Name& zone, const DnssecKey& key, const KeyTimes& times, uint32_t ttl) {
    const std::string name = zone.to_string();
    std::string text = std::string("; This is a ") +
                       ((key.flags() & dnskey_sep) != 0 ? "key-signing key" : "zone-signing key") +
                       ", keyid " + std::to_string(key.tag()) + ", for " + name + "\n";
    text += "; Created: " + to_time_text(times.created) + "\n";
    for (const TimeField& field : time_fields)
        if (times.*field.member)
            text += "; " + std::string(field.label) + ": " + to_time_text(*(times.*field.member)) + "\n";
    return text + name + " " + std::to_string(ttl) + " IN DNSKEY " + key.dnskey_text() + "\n";
}

Result<DatedKey> parse_key_files(const Name& zone, std::string_view private_text,
                                 std::string_view public_text) {
    if (private_text.size() > max_file || public_text.size() > max_file)
        return fail("a key file is longer than any key");
    const auto open = parse_public(zone, public_text);
    if (!open) return tl::unexpected(open.error());
    auto closed = parse_private(private_text);
    if (!closed) return tl::unexpected(closed.error());
    auto key = DnssecKey::from_private(closed->algorithm, open->flags, closed->secret.octets);
    if (!key) return fail("private file: " + key.error().message);
    const ByteSpan made = key->dnskey();
    if (!std::equal(made.begin(), made.end(), open->dnskey.begin(), open->dnskey.end()))
        return fail("the two files do not belong together: the private key is of another public key");
    // Without times a key is simply in use.
    if (!closed->times.publish && !closed->times.activate) {
        closed->times.publish = closed->times.created;
        closed->times.activate = closed->times.created;
    }
    return DatedKey{std::move(*key), closed->times};
}

}  // namespace fairway::dns
