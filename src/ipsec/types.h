// SPDX-License-Identifier: Apache-2.0
#pragma once
// The numbers of IKE (RFC 7296 and the IANA registries "IKEv2 Parameters") as types, with the names that
// people read in logs and results. Values outside the enumerators are legal: they come from the network.

#include <cstdint>
#include <string>
#include <tl/expected.hpp>

namespace fairway::ipsec {

enum class ExchangeType : uint8_t {
    v1_identity_protection = 2,  // "main mode", RFC 2408 4.5
    v1_aggressive = 4,
    v1_informational = 5,
    ike_sa_init = 34,
    ike_auth = 35,
    create_child_sa = 36,
    informational = 37,
    ike_intermediate = 43,  // RFC 9242
    ike_followup_ke = 44    // RFC 9370
};

/// RFC 7296 3.2.
enum class PayloadType : uint8_t {
    none = 0,
    sa = 33,
    ke = 34,
    id_initiator = 35,
    id_responder = 36,
    cert = 37,
    cert_request = 38,
    auth = 39,
    nonce = 40,
    notify = 41,
    delete_sa = 42,
    vendor_id = 43,
    ts_initiator = 44,
    ts_responder = 45,
    encrypted = 46,  // SK
    configuration = 47,
    eap = 48,
    encrypted_fragment = 53  // SKF, RFC 7383
};

/// RFC 7296 3.10.1; below 16384 an error, from there on a status.
enum class NotifyType : uint16_t {
    unsupported_critical_payload = 1,
    invalid_ike_spi = 4,
    invalid_major_version = 5,
    invalid_syntax = 7,
    invalid_message_id = 9,
    invalid_spi = 11,
    no_proposal_chosen = 14,
    invalid_ke_payload = 17,
    authentication_failed = 24,
    single_pair_required = 34,
    no_additional_sas = 35,
    internal_address_failure = 36,
    failed_cp_required = 37,
    ts_unacceptable = 38,
    invalid_selectors = 39,
    temporary_failure = 43,
    child_sa_not_found = 44,
    initial_contact = 16384,
    set_window_size = 16385,
    additional_ts_possible = 16386,
    ipcomp_supported = 16387,
    nat_detection_source_ip = 16388,
    nat_detection_destination_ip = 16389,
    cookie = 16390,
    use_transport_mode = 16391,
    http_cert_lookup_supported = 16392,
    rekey_sa = 16393,
    esp_tfc_padding_not_supported = 16394,
    redirect_supported = 16406,  // RFC 5685
    redirect = 16407,
    redirected_from = 16408,
    childless_supported = 16418,      // RFC 6023
    fragmentation_supported = 16430,  // RFC 7383
    signature_hash_algorithms = 16431
};
[[nodiscard]] constexpr bool is_error(NotifyType type) noexcept {
    return static_cast<uint16_t>(type) < 16384;
}

enum class ProtocolId : uint8_t { none = 0, ike = 1, ah = 2, esp = 3 };

/// RFC 7296 3.3.2. Types 6 to 12 are the additional key exchanges of RFC 9370.
enum class TransformType : uint8_t { encryption = 1, prf = 2, integrity = 3, key_exchange = 4, esn = 5 };

enum class Encryption : uint16_t { des3 = 3, aes_cbc = 12, aes_gcm_16 = 20, chacha20_poly1305 = 28 };
enum class Prf : uint16_t { hmac_sha1 = 2, hmac_sha2_256 = 5, hmac_sha2_384 = 6, hmac_sha2_512 = 7 };
enum class Integrity : uint16_t {
    none = 0,
    hmac_sha1_96 = 2,
    hmac_sha2_256_128 = 12,
    hmac_sha2_384_192 = 13,
    hmac_sha2_512_256 = 14
};
/// Key exchange methods, formerly Diffie-Hellman groups.
enum class DhGroup : uint16_t {
    none = 0,
    modp_1024 = 2,  // legacy: default policies of some clouds know nothing else
    modp_2048 = 14,
    modp_3072 = 15,
    modp_4096 = 16,
    p256 = 19,
    p384 = 20,
    p521 = 21,
    x25519 = 31
};

/// "IKE_SA_INIT"; "exchange 99" for a number without a name.
[[nodiscard]] std::string to_string(ExchangeType type);
/// "NO_PROPOSAL_CHOSEN"; "notify 12345" for a number without a name.
[[nodiscard]] std::string to_string(NotifyType type);
/// "group 14": the number is what operators know from their configurations.
[[nodiscard]] std::string to_string(DhGroup group);

/// Why bytes are not a message we accept, in the words with which a responder may answer them.
struct DecodeError {
    NotifyType notify = NotifyType::invalid_syntax;
    uint8_t payload = 0;    // the offending type, for UNSUPPORTED_CRITICAL_PAYLOAD
    const char* what = "";  // static text for tests and logs
};
template <class T>
using Decoded = tl::expected<T, DecodeError>;

[[nodiscard]] inline tl::unexpected<DecodeError> invalid_syntax(const char* what) {
    return tl::unexpected<DecodeError>(DecodeError{NotifyType::invalid_syntax, 0, what});
}

}  // namespace fairway::ipsec
