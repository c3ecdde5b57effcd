// SPDX-License-Identifier: Apache-2.0
#include "net/certificate.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/ip.h"
#include "base/text.h"

namespace fairway::net {

namespace {

constexpr size_t max_name = 80;  // octets of any one name from a certificate
constexpr size_t max_names = 3;  // hosts listed before "and N more"

struct FreeNames {
    void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};

std::string escaped(const ASN1_STRING* text) {
    const size_t size = static_cast<size_t>(ASN1_STRING_length(text));
    return escape_text(as_text({ASN1_STRING_get0_data(text), size}), max_name);
}

/// Common name, else organisation: what people call an authority.
std::string short_name(const X509_NAME* name) {
    for (const int kind : {NID_commonName, NID_organizationName}) {
        const int at = X509_NAME_get_index_by_NID(name, kind, -1);
        if (at >= 0) return escaped(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    }
    return {};
}

std::string quoted_name(const X509_NAME* name) {
    const std::string text = name == nullptr ? std::string() : short_name(name);
    return text.empty() ? "without a name" : "\"" + text + "\"";
}

std::string format_utc(std::chrono::sys_seconds time) {
    const std::time_t value = time.time_since_epoch().count();
    std::tm parts{};
    gmtime_r(&value, &parts);
    char text[40];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

std::string host_problem(const X509* leaf, std::string_view peer) {
    const std::string hosts = leaf == nullptr ? std::string() : certificate_hosts(leaf);
    const std::string wanted = escape_text(peer, max_name);
    return hosts.empty() ? "certificate names no host (no subject alternative name), wanted " + wanted
                         : "certificate is for " + hosts + ", not " + wanted;
}

}  // namespace

std::optional<std::chrono::sys_seconds> certificate_time(const ASN1_TIME* time) {
    std::tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
    return std::chrono::sys_seconds(std::chrono::seconds(timegm(&parts)));
}

std::optional<std::array<uint8_t, 32>> public_key_hash(const X509* certificate) {
    uint8_t* der = nullptr;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0) return std::nullopt;
    std::array<uint8_t, 32> hash{};
    const int hashed =
        EVP_Digest(der, static_cast<size_t>(size), hash.data(), nullptr, EVP_sha256(), nullptr);
    OPENSSL_free(der);
    if (hashed != 1) return std::nullopt;
    return hash;
}

std::string certificate_hosts(const X509* certificate) {
    const std::unique_ptr<GENERAL_NAMES, FreeNames> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    std::string text;
    size_t listed = 0, more = 0;
    const auto add = [&](const std::string& host) {
        if (listed == max_names) {
            ++more;
            return;
        }
        if (listed++ > 0) text += ", ";
        text += host;
    };
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS) {
            add(escaped(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            const ASN1_OCTET_STRING* octets = name->d.iPAddress;
            Reader reader({ASN1_STRING_get0_data(octets), static_cast<size_t>(ASN1_STRING_length(octets))});
            if (reader.remaining() == 4) {
                add(IpAddress::v4(reader.u32()).to_string());
            } else if (reader.remaining() == 16) {
                std::array<uint8_t, 16> bytes{};
                for (uint8_t& byte : bytes) byte = reader.u8();
                add(IpAddress::v6(bytes).to_string());
            }
        }
    }
    if (more > 0) text += " and " + std::to_string(more) + " more";
    return text;
}

std::string describe_verification_failure(X509_STORE_CTX* chain, std::string_view peer,
                                          std::chrono::sys_seconds now) {
    const int error = X509_STORE_CTX_get_error(chain);
    const X509* certificate = X509_STORE_CTX_get_current_cert(chain);
    const bool is_leaf = X509_STORE_CTX_get_error_depth(chain) == 0;
    const STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(chain);
    // Says which certificate is meant where it is not the peer's own.
    const std::string which = is_leaf || certificate == nullptr
                                  ? "certificate"
                                  : "issuing certificate " + quoted_name(X509_get_subject_name(certificate));

    switch (error) {
        case X509_V_ERR_CERT_HAS_EXPIRED: {
            const auto end =
                certificate == nullptr ? std::nullopt : certificate_time(X509_get0_notAfter(certificate));
            if (!end || *end > now) return which + " expired";
            return which + " expired " + rough_duration(now - *end) + " ago";
        }
        case X509_V_ERR_CERT_NOT_YET_VALID: {
            const auto begin =
                certificate == nullptr ? std::nullopt : certificate_time(X509_get0_notBefore(certificate));
            return begin ? which + " is not valid until " + format_utc(*begin) : which + " is not valid yet";
        }
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return host_problem(X509_STORE_CTX_get0_cert(chain), peer);
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return "self-signed certificate";
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
            return "certificate signed by an unknown authority" +
                   (certificate == nullptr ? std::string()
                                           : " " + quoted_name(X509_get_subject_name(certificate)));
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_UNTRUSTED: {
            std::string text = "certificate signed by an unknown authority";
            if (certificate != nullptr) text += " " + quoted_name(X509_get_issuer_name(certificate));
            if (sent != nullptr && sk_X509_num(sent) <= 1) text += ", and the peer sent no intermediate one";
            return text;
        }
        case X509_V_ERR_INVALID_PURPOSE:
            return is_leaf ? "certificate is not meant for servers" : which + " may not sign for servers";
        case X509_V_ERR_INVALID_CA:
        case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
            return which + " is not an authority's";
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_KEY_TOO_SMALL:
            return which + " has a key that is too weak";
        case X509_V_ERR_CA_MD_TOO_WEAK:
            return which + " has a signature that is too weak (MD5 or SHA-1)";
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            return which + " has a signature that is wrong";
        case X509_V_ERR_CERT_CHAIN_TOO_LONG:
            return "certificate chain is too long";
        default:
            return which + " is not acceptable: " + X509_verify_cert_error_string(error);
    }
}

std::string rough_duration(std::chrono::seconds span) {
    const auto [count, unit] = [&]() -> std::pair<int64_t, const char*> {
        const int64_t total = span.count();
        if (total >= 86'400) return {total / 86'400, "day"};
        if (total >= 3'600) return {total / 3'600, "hour"};
        if (total >= 60) return {total / 60, "minute"};
        return {total, "second"};
    }();
    return std::to_string(count) + " " + unit + (count == 1 ? "" : "s");
}

}  // namespace fairway::net
