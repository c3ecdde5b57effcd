// SPDX-License-Identifier: Apache-2.0
#include "dns/tsig.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "dns/message.h"
#include "dns/types.h"

namespace fairway::dns {
namespace {

// The record, RFC 8945 section 4.2:
//
//     NAME     key          TYPE 250   CLASS ANY   TTL 0   RDLENGTH
//     name     algorithm, not compressed
//     48 bits  time signed
//     16 bits  fudge
//     16 bits  MAC size, then the MAC
//     16 bits  original ID
//     16 bits  error
//     16 bits  other length, then other data (BADTIME: our time, 48 bits)

constexpr size_t record_head = 10;  // TYPE, CLASS, TTL, RDLENGTH
constexpr size_t fixed_data = 16;   // all numbers of the data
constexpr size_t time_size = 6;
constexpr size_t additional_count = 10;  // offset in the header
constexpr size_t least_mac = 10;         // section 5.2.2.1

struct Algorithm {
    TsigAlgorithm id;
    std::string_view name;
    const char* digest;
    size_t mac_size;
};
constexpr std::array algorithms{
    Algorithm{TsigAlgorithm::hmac_sha224, "hmac-sha224", "SHA224", 28},
    Algorithm{TsigAlgorithm::hmac_sha256, "hmac-sha256", "SHA256", 32},
    Algorithm{TsigAlgorithm::hmac_sha384, "hmac-sha384", "SHA384", 48},
    Algorithm{TsigAlgorithm::hmac_sha512, "hmac-sha512", "SHA512", 64},
};

const Algorithm& algorithm_of(TsigAlgorithm id) noexcept {
    return algorithms[static_cast<size_t>(id)];
}

Name name_of(TsigAlgorithm id) noexcept {
    const auto name = Name::parse(algorithm_of(id).name);
    return name ? *name : Name();
}

void write_u48(Writer& writer, uint64_t value) noexcept {
    writer.u16(static_cast<uint16_t>(value >> 32));
    writer.u32(static_cast<uint32_t>(value));
}

struct FreeMac {
    void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};
struct FreeMacContext {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

/// HMAC over pieces.
class Hmac {
  public:
    explicit Hmac(const TsigKey& key) noexcept {
        const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
        if (mac == nullptr) return;
        context_.reset(EVP_MAC_CTX_new(mac.get()));
        // The library only reads the name.
        const std::array parameters{
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                             const_cast<char*>(algorithm_of(key.algorithm).digest), 0),
            OSSL_PARAM_construct_end()};
        // A null pointer would mean "the key of before".
        static constexpr uint8_t nothing = 0;
        ok_ = context_ != nullptr &&
              EVP_MAC_init(context_.get(), key.secret.empty() ? &nothing : key.secret.data(),
                           key.secret.size(), parameters.data()) == 1;
    }
    void add(ByteSpan bytes) noexcept {
        ok_ = ok_ && EVP_MAC_update(context_.get(), bytes.data(), bytes.size()) == 1;
    }
    /// The size of the MAC; 0 when the library failed.
    size_t finish(std::array<uint8_t, TsigSigner::max_mac>& mac) noexcept {
        size_t size = 0;
        ok_ = ok_ && EVP_MAC_final(context_.get(), mac.data(), &size, mac.size()) == 1;
        return ok_ ? size : 0;
    }

  private:
    std::unique_ptr<EVP_MAC_CTX, FreeMacContext> context_;
    bool ok_ = false;
};

/// What is signed beside the message (section 4.3).
struct Variables {
    const Name& key;
    const Name& algorithm;
    uint64_t time_signed;
    uint16_t fudge;
    uint16_t error;
    ByteSpan other;
};

enum class Part : uint8_t { first, later };

/// `message` is without its TSIG; its header says so too.
size_t compute_mac(const TsigKey& key, ByteSpan prior_mac, ByteSpan header, ByteSpan rest,
                   const Variables& variables, Part part,
                   std::array<uint8_t, TsigSigner::max_mac>& mac) noexcept {
    Hmac hmac(key);
    if (!prior_mac.empty()) {
        std::array<uint8_t, 2> length{};
        Writer(length).u16(static_cast<uint16_t>(prior_mac.size()));
        hmac.add(length);
        hmac.add(prior_mac);
    }
    hmac.add(header);
    hmac.add(rest);
    std::array<uint8_t, 2 * Name::max_size + 32> buffer{};
    Writer writer(buffer);
    if (part == Part::first) {
        writer.bytes(variables.key.lowered().wire());
        writer.u16(static_cast<uint16_t>(RecordClass::any));
        writer.u32(0);
        writer.bytes(variables.algorithm.lowered().wire());
    }
    write_u48(writer, variables.time_signed);
    writer.u16(variables.fudge);
    if (part == Part::first) {
        writer.u16(variables.error);
        writer.u16(static_cast<uint16_t>(variables.other.size()));
    }
    hmac.add(writer.written());
    if (part == Part::first) hmac.add(variables.other);
    return hmac.finish(mac);
}

TsigError check(ByteSpan message, const TsigRecord& record, const TsigKey* key, ByteSpan prior_mac,
                uint64_t now) noexcept {
    if (key == nullptr || record.key != key->name || record.algorithm != name_of(key->algorithm))
        return TsigError::badkey;
    const size_t whole = algorithm_of(key->algorithm).mac_size;
    if (record.mac.size() > whole || record.mac.size() < std::max(least_mac, whole / 2))
        return TsigError::formerr;
    // As it was signed: with its first ID and without the TSIG.
    std::array<uint8_t, header_size> header{};
    std::copy_n(message.begin(), header_size, header.begin());
    Writer writer(header);
    writer.u16(record.original_id);
    Reader count(message.subspan(additional_count));
    writer.rewind(header_size);
    writer.patch_u16(additional_count, static_cast<uint16_t>(count.u16() - 1));
    std::array<uint8_t, TsigSigner::max_mac> mac{};
    const size_t size = compute_mac(
        *key, prior_mac, header, message.subspan(header_size, record.at - header_size),
        {record.key, record.algorithm, record.time_signed, record.fudge, record.error, record.other},
        Part::first, mac);
    if (size == 0 || CRYPTO_memcmp(mac.data(), record.mac.data(), record.mac.size()) != 0)
        return TsigError::badsig;
    const uint64_t apart = now > record.time_signed ? now - record.time_signed : record.time_signed - now;
    if (apart > record.fudge) return TsigError::badtime;
    return record.mac.size() < whole ? TsigError::badtrunc : TsigError::none;
}

}  // namespace

std::string_view to_string(TsigAlgorithm algorithm) noexcept {
    return algorithm_of(algorithm).name;
}

std::optional<TsigAlgorithm> parse_tsig_algorithm(std::string_view text) noexcept {
    for (const Algorithm& algorithm : algorithms)
        if (algorithm.name == text) return algorithm.id;
    return std::nullopt;
}

const TsigKey* find_key(std::span<const TsigKey> keys, const Name& name) noexcept {
    const auto found =
        std::find_if(keys.begin(), keys.end(), [&name](const TsigKey& key) { return key.name == name; });
    return found == keys.end() ? nullptr : &*found;
}

std::optional<size_t> find_tsig(ByteSpan message) noexcept {
    Reader reader(message);
    reader.skip(4);
    const uint16_t questions = reader.u16();
    size_t records = reader.u16();
    records += reader.u16();
    const uint16_t additional = reader.u16();
    records += additional;
    for (uint16_t i = 0; i < questions && reader.ok(); ++i) {
        skip_name(reader);
        reader.skip(4);
    }
    size_t found = 0;
    for (size_t i = 0; i < records && reader.ok(); ++i) {
        const size_t at = reader.position();
        skip_name(reader);
        const auto type = static_cast<RecordType>(reader.u16());
        reader.skip(6);
        reader.skip(reader.u16());
        if (type != RecordType::tsig) continue;
        if (additional == 0 || i + 1 != records) return std::nullopt;
        found = at;
    }
    if (!reader.ok() || !reader.at_end()) return std::nullopt;
    return found;
}

std::optional<TsigRecord> read_tsig(ByteSpan message, size_t at) noexcept {
    if (at < header_size || at > message.size()) return std::nullopt;
    TsigRecord record;
    record.at = at;
    Reader reader(message);
    reader.skip(at);
    record.key = Name::read(reader);
    const auto type = static_cast<RecordType>(reader.u16());
    const auto klass = static_cast<RecordClass>(reader.u16());
    const uint32_t ttl = reader.u32();
    Reader data = reader.sub(reader.u16());
    record.algorithm = Name::read_uncompressed(data);
    record.time_signed = uint64_t{data.u16()} << 32;
    record.time_signed |= data.u32();
    record.fudge = data.u16();
    record.mac = data.take(data.u16());
    record.original_id = data.u16();
    record.error = data.u16();
    record.other = data.take(data.u16());
    const bool good = reader.ok() && reader.at_end() && data.ok() && data.at_end() &&
                      type == RecordType::tsig && klass == RecordClass::any && ttl == 0;
    Reader count(message.subspan(additional_count));
    if (!good || count.u16() == 0) return std::nullopt;
    return record;
}

TsigError check_request(ByteSpan message, const TsigRecord& record, const TsigKey* key,
                        uint64_t unix_seconds) noexcept {
    return check(message, record, key, {}, unix_seconds);
}

TsigError check_response(ByteSpan message, const TsigRecord& record, const TsigKey& key, ByteSpan request_mac,
                         uint64_t unix_seconds) noexcept {
    const TsigError verdict = check(message, record, &key, request_mac, unix_seconds);
    return verdict == TsigError::none ? static_cast<TsigError>(record.error) : verdict;
}

TsigSigner::TsigSigner(const TsigKey& key) noexcept
    : key_(&key), key_name_(key.name), algorithm_(name_of(key.algorithm)) {}

TsigSigner::TsigSigner(const TsigRecord& request, const TsigKey* key, TsigError error) noexcept
    : key_name_(request.key),
      algorithm_(request.algorithm),
      error_(error),
      request_time_(request.time_signed) {
    if (error == TsigError::badkey || error == TsigError::badsig) return;
    key_ = key;
    mac_size_ = std::min(request.mac.size(), max_mac);
    std::copy_n(request.mac.begin(), mac_size_, mac_.begin());
}

size_t TsigSigner::room() const noexcept {
    const size_t mac = key_ == nullptr ? 0 : algorithm_of(key_->algorithm).mac_size;
    return key_name_.size() + record_head + algorithm_.size() + fixed_data + mac + time_size;
}

size_t TsigSigner::sign(std::span<uint8_t> out, size_t size, uint64_t unix_seconds) noexcept {
    if (size < header_size || size > out.size()) return 0;
    const Part part = signed_ == 0 ? Part::first : Part::later;
    ++signed_;
    std::array<uint8_t, time_size> our_time{};
    Writer time_writer(our_time);
    write_u48(time_writer, unix_seconds);
    // A client with a wrong clock can only check a response that has its own time.
    const bool tell_time = error_ == TsigError::badtime;
    const Variables variables{key_name_,
                              algorithm_,
                              tell_time ? request_time_ : unix_seconds,
                              fudge,
                              static_cast<uint16_t>(error_),
                              tell_time ? ByteSpan(our_time) : ByteSpan()};
    if (key_ != nullptr) {
        const ByteSpan message = ByteSpan(out).first(size);
        std::array<uint8_t, max_mac> mac{};
        const size_t mac_size = compute_mac(*key_, this->mac(), message.first(header_size),
                                            message.subspan(header_size), variables, part, mac);
        if (mac_size == 0) return 0;
        mac_ = mac;
        mac_size_ = mac_size;
    }
    Reader header(ByteSpan(out).first(header_size));
    const uint16_t id = header.u16();
    header.skip(additional_count - 2);
    const uint16_t additional = header.u16();

    Writer writer(out);
    writer.rewind(size);
    writer.bytes(key_name_.wire());
    writer.u16(static_cast<uint16_t>(RecordType::tsig));
    writer.u16(static_cast<uint16_t>(RecordClass::any));
    writer.u32(0);
    writer.u16(static_cast<uint16_t>(algorithm_.size() + fixed_data + mac_size_ + variables.other.size()));
    writer.bytes(algorithm_.wire());
    write_u48(writer, variables.time_signed);
    writer.u16(variables.fudge);
    writer.u16(static_cast<uint16_t>(mac_size_));
    writer.bytes(mac());
    writer.u16(id);
    writer.u16(variables.error);
    writer.u16(static_cast<uint16_t>(variables.other.size()));
    writer.bytes(variables.other);
    writer.patch_u16(additional_count, static_cast<uint16_t>(additional + 1));
    return writer.ok() ? writer.position() : 0;
}

}  // namespace fairway::dns
