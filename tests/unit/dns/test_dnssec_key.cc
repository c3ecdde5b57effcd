// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "dns/dnssec_canonical.h"
#include "dns/dnssec_denial.h"
#include "dns/dnssec_key.h"
#include "dns/dnssec_key_file.h"
#include "dns/dnssec_key_folder.h"
#include "dns/dnssec_text.h"

// Last, for it defines bool as a macro.
#include <ldns/ldns.h>
#undef bool
#undef true
#undef false

using namespace fairway;
using namespace fairway::dns;

namespace {

struct Example {
    DnssecAlgorithm algorithm;
    std::string zone, secret, dnskey;
    uint16_t tag;
    std::string ds;
    std::string rrset, rrsig;  // presentation form
};
// RFC 8080 section 6, RFC 6605 section 6.1.
const std::vector<Example> examples{
    {DnssecAlgorithm::ed25519, "example.com",
     "ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=", "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=", 3613,
     "3AA5AB37EFCE57F737FC1627013FEE07BDF241BD10F3B1964AB55C78E79A304B",
     "example.com. 3600 IN MX 10 mail.example.com.",
     "example.com. 3600 IN RRSIG MX 15 2 3600 20150819220000 20150729220000 3613 example.com. "
     "oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg=="},
    {DnssecAlgorithm::ed25519, "example.com",
     "DSSF3o0s0f+ElWzj9E/Osxw8hLpk55chkmx0LYN5WiY=", "zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=", 35217,
     "401781B934E392DE492EC77AE2E15D70F6575A1C0BC59C5275C04EBE80C6614C",
     "example.com. 3600 IN MX 10 mail.example.com.",
     "example.com. 3600 IN RRSIG MX 15 2 3600 20150819220000 20150729220000 35217 example.com. "
     "zXQ0bkYgQTEFyfLyi9QoiY6D8ZdYo4wyUhVioYZXFdT410QPRITQSqJSnzQoSm5poJ7gD7AQR0O7KuI5k2pcBg=="},
    {DnssecAlgorithm::ecdsa_p256, "example.net", "GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=",
     "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==", 55648,
     "B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17",
     "www.example.net. 3600 IN A 192.0.2.1",
     "www.example.net. 3600 IN RRSIG A 13 3 3600 20100909100439 20100812100439 55648 example.net. "
     "qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw=="},
};

Name name(const std::string& text) {
    return Name::parse(text).value();
}

std::string private_of(const Example& example) {
    return "Private-key-format: v1.2\nAlgorithm: " + std::to_string(static_cast<int>(example.algorithm)) +
           " (" + std::string(mnemonic(example.algorithm)) + ")\nPrivateKey: " + example.secret + "\n";
}

std::string public_of(const Example& example) {
    return example.zone + ". 3600 IN DNSKEY 257 3 " + std::to_string(static_cast<int>(example.algorithm)) +
           " " + example.dnskey + "\n";
}

struct RrFree {
    void operator()(ldns_rr* rr) const { ldns_rr_free(rr); }
};
struct ListFree {
    void operator()(ldns_rr_list* list) const { ldns_rr_list_deep_free(list); }
};
using Rr = std::unique_ptr<ldns_rr, RrFree>;
using RrList = std::unique_ptr<ldns_rr_list, ListFree>;

Rr rr_of(const std::string& text) {
    ldns_rr* rr = nullptr;
    REQUIRE(ldns_rr_new_frm_str(&rr, text.c_str(), 0, nullptr, nullptr) == LDNS_STATUS_OK);
    return Rr(rr);
}

std::vector<uint8_t> data_of(const ldns_rr* rr) {
    std::vector<uint8_t> data;
    for (size_t i = 0; i < ldns_rr_rd_count(rr); ++i) {
        const ldns_rdf* field = ldns_rr_rdf(rr, i);
        data.insert(data.end(), ldns_rdf_data(field), ldns_rdf_data(field) + ldns_rdf_size(field));
    }
    return data;
}

// A record from its parts, as a message would carry it.
Rr rr_from(const Name& owner, RecordType type, uint32_t ttl, ByteSpan data) {
    std::vector<uint8_t> wire(owner.size() + 10 + data.size());
    Writer writer(wire);
    writer.bytes(owner.wire());
    writer.u16(static_cast<uint16_t>(type));
    writer.u16(1);
    writer.u32(ttl);
    writer.u16(static_cast<uint16_t>(data.size()));
    writer.bytes(data);
    ldns_rr* rr = nullptr;
    size_t position = 0;
    REQUIRE(ldns_wire2rr(&rr, wire.data(), wire.size(), &position, LDNS_SECTION_ANSWER) == LDNS_STATUS_OK);
    return Rr(rr);
}

class Folder {
  public:
    Folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "fairway-keys-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

std::string content(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("Keys of RFC 6605 and RFC 8080 have the DNSKEY, tag and DS that are printed there", "[dnssec]") {
    for (const Example& example : examples) {
        const auto key = parse_key_files(name(example.zone), private_of(example), public_of(example));
        REQUIRE(key);
        CHECK(key->key.dnskey_text() ==
              "257 3 " + std::to_string(static_cast<int>(example.algorithm)) + " " + example.dnskey);
        CHECK(key->key.tag() == example.tag);
        CHECK(key->key.private_text() == private_of(example));
        const auto ds = ds_data(name(example.zone), key->key.dnskey(), DsDigest::sha256);
        REQUIRE(ds.size() == 36);
        CHECK((ds[0] << 8 | ds[1]) == example.tag);
        CHECK(ds[2] == static_cast<uint8_t>(example.algorithm));
        CHECK(ds[3] == 2);
        CHECK(to_hex(ByteSpan(ds).subspan(4)) == example.ds);
    }
}

TEST_CASE("Signatures of RFC 6605 and RFC 8080 are good over our canonical form, and Ed25519's are the same",
          "[dnssec]") {
    for (const Example& example : examples) {
        const auto key = parse_key_files(name(example.zone), private_of(example), public_of(example));
        REQUIRE(key);
        const Rr record = rr_of(example.rrset);
        const Rr rrsig = rr_of(example.rrsig);
        const std::vector<uint8_t> fields = data_of(rrsig.get());
        const std::vector<uint8_t> data = data_of(record.get());
        Reader reader(fields);
        SignatureFields signature;
        signature.covered = static_cast<RecordType>(reader.u16());
        signature.algorithm = reader.u8();
        signature.labels = reader.u8();
        signature.original_ttl = reader.u32();
        signature.expiration = reader.u32();
        signature.inception = reader.u32();
        signature.key_tag = reader.u16();
        const Name signer = Name::read_uncompressed(reader);
        signature.signer = signer.wire();
        const ByteSpan printed = reader.rest();
        const Name owner = name(example.rrset.substr(0, example.rrset.find(' ')));
        CHECK(signature.labels == rrsig_labels(owner.wire()));

        CanonicalForm form;
        const std::vector<ByteSpan> records{data};
        const ByteSpan input = form.signed_data(signature, owner.wire(), records);
        CHECK(verify_signature(key->key.dnskey(), input, printed));
        const auto made = key->key.sign(input);
        REQUIRE(made.has_value());
        CHECK(verify_signature(key->key.dnskey(), input, *made));
        if (example.algorithm == DnssecAlgorithm::ed25519) CHECK(std::ranges::equal(*made, printed));
        // A changed octet anywhere is noticed.
        auto forged = *made;
        forged[5] ^= 1;
        CHECK_FALSE(verify_signature(key->key.dnskey(), input, forged));
        std::vector<uint8_t> other(input.begin(), input.end());
        other.back() ^= 1;
        CHECK_FALSE(verify_signature(key->key.dnskey(), other, *made));
    }
}

TEST_CASE("ldns verifies what we sign, for types with names inside, in any order and case", "[dnssec]") {
    const std::vector<std::vector<std::string>> sets{
        {"www.Example.COM. 300 IN A 192.0.2.9", "www.Example.COM. 300 IN A 192.0.2.1"},
        {"example.com. 300 IN NS ns2.Example.com.", "example.com. 300 IN NS NS1.example.com."},
        {"example.com. 300 IN SOA Ns1.Example.com. HostMaster.example.com. 1 2 3 4 5"},
        {"a.example.com. 300 IN CNAME WWW.Example.com."},
        {"example.com. 300 IN MX 20 Mail2.Example.com.", "example.com. 300 IN MX 10 mail.example.com."},
        {"_ike._udp.example.com. 300 IN SRV 1 2 500 GW.example.com."},
        {"example.com. 300 IN NAPTR 1 2 \"s\" \"SIP+D2T\" \"\" _Sip._tcp.Example.com."},
        {"1.example.com. 300 IN PTR Host.Example.com."},
        {"example.com. 300 IN TXT \"Mixed Case stays\"", "example.com. 300 IN TXT \"b\" \"c\""},
        {"example.com. 300 IN CAA 0 issue \"CA.example.net\""},
        {"example.com. 300 IN RP Mail.Example.com. Txt.example.com."},
        {"*.w.example.com. 300 IN AAAA 2001:db8::1"},
    };
    for (const auto algorithm : {DnssecAlgorithm::ecdsa_p256, DnssecAlgorithm::ed25519}) {
        const auto key = DnssecKey::generate(algorithm, 257);
        REQUIRE(key);
        const Name zone = name("example.com");
        const Rr dnskey = rr_from(zone, RecordType::dnskey, 3600, key->dnskey());
        CanonicalForm form;
        for (const auto& set : sets) {
            INFO(set.front());
            const RrList list(ldns_rr_list_new());
            std::vector<std::vector<uint8_t>> datas;
            for (const std::string& text : set) {
                ldns_rr* rr = rr_of(text).release();
                ldns_rr_list_push_rr(list.get(), rr);
                datas.push_back(data_of(rr));
            }
            const Name owner = name(set.front().substr(0, set.front().find(' ')));
            SignatureFields fields;
            fields.covered = static_cast<RecordType>(ldns_rr_get_type(ldns_rr_list_rr(list.get(), 0)));
            fields.algorithm = static_cast<uint8_t>(algorithm);
            fields.labels = rrsig_labels(owner.wire());
            fields.original_ttl = 300;
            fields.inception = 1'700'000'000;
            fields.expiration = 1'800'000'000;
            fields.key_tag = key->tag();
            fields.signer = zone.wire();
            const std::vector<ByteSpan> records(datas.begin(), datas.end());
            const auto signature = key->sign(form.signed_data(fields, owner.wire(), records));
            REQUIRE(signature.has_value());
            std::vector<uint8_t> data(rrsig_fixed_size + zone.size() + 64);
            Writer writer(data);
            write_rrsig_fields(writer, fields);
            writer.bytes(*signature);
            REQUIRE(writer.remaining() == 0);
            const Rr rrsig = rr_from(owner, RecordType::rrsig, 300, data);
            CHECK(ldns_verify_rrsig_time(list.get(), rrsig.get(), dnskey.get(), 1'750'000'000) ==
                  LDNS_STATUS_OK);
        }
    }
}

TEST_CASE("A key and its times survive the way through their files", "[dnssec]") {
    const Folder folder;
    const Name zone = name("GSLB.example.com");
    const KeyFolder keys(folder.path / "keys", zone);
    CHECK(keys.load()->empty());
    KeyTimes times;
    times.created = 1'700'000'000;
    times.publish = 1'700'000'001;
    times.activate = 1'700'000'002;
    times.sync_publish = 1'700'003'600;
    times.ds_seen = 1'700'003'700;
    const auto key = DnssecKey::generate(DnssecAlgorithm::ecdsa_p256, 257);
    const auto other = DnssecKey::generate(DnssecAlgorithm::ed25519, 256);
    REQUIRE(key);
    REQUIRE(other);
    REQUIRE(keys.save(*key, times, 3600));
    REQUIRE(keys.save(*other, {}, 3600));
    times.inactive = 1'700'100'000;
    times.remove = 1'700'200'000;
    times.sync_delete = 1'700'150'000;
    REQUIRE(keys.save(*key, times, 3600));

    CHECK(keys.path() == folder.path / "keys" / "gslb.example.com");
    const auto stem = key_file_stem(zone, key->algorithm(), key->tag());
    CHECK(stem.starts_with("Kgslb.example.com.+013+"));
    struct stat status {};
    REQUIRE(::stat((keys.path() / (stem + ".private")).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    REQUIRE(::stat(keys.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);

    const auto loaded = keys.load();
    REQUIRE(loaded);
    REQUIRE(loaded->size() == 2);
    const DatedKey& again = loaded->at(0).key.tag() == key->tag() ? loaded->at(0) : loaded->at(1);
    CHECK(again.times == times);
    CHECK(again.key.dnskey_text() == key->dnskey_text());
    CHECK(again.key.private_text() == key->private_text());
    CHECK(again.key.identity() == key->identity());

    // ldns reads the same key out of the file.
    FILE* file = std::fopen((keys.path() / (stem + ".private")).c_str(), "r");
    REQUIRE(file != nullptr);
    ldns_key* theirs = nullptr;
    CHECK(ldns_key_new_frm_fp(&theirs, file) == LDNS_STATUS_OK);
    std::fclose(file);
    ldns_key_set_flags(theirs, 257);
    const Rr public_key(ldns_key2rr(theirs));
    CHECK(std::ranges::equal(data_of(public_key.get()), key->dnskey()));
    ldns_key_deep_free(theirs);

    REQUIRE(keys.forget(key->algorithm(), key->tag()));
    CHECK(keys.load()->size() == 1);
}

TEST_CASE("A damaged key file is an error that names it, and no key is loaded", "[dnssec]") {
    const Folder folder;
    const Name zone = name("example.com");
    const KeyFolder keys(folder.path / "keys", zone);
    const auto key = DnssecKey::generate(DnssecAlgorithm::ecdsa_p256, 257);
    REQUIRE(keys.save(*key, {}, 3600));
    const auto stem = keys.path() / key_file_stem(zone, key->algorithm(), key->tag());
    const std::string private_file = stem.string() + ".private";
    const std::string public_file = stem.string() + ".key";
    const std::string good_private = content(private_file);
    const std::string good_public = content(public_file);
    const auto put = [](const std::string& file, const std::string& text) {
        std::ofstream(file, std::ios::binary | std::ios::trunc) << text;
    };
    const auto replaced = [](std::string text, const std::string& from, const std::string& to) {
        const size_t at = text.find(from);
        REQUIRE(at != std::string::npos);
        return text.replace(at, from.size(), to);
    };
    const auto refuses = [&](const std::string& why) {
        const auto loaded = keys.load();
        REQUIRE_FALSE(loaded);
        CHECK_THAT(loaded.error().message, Catch::Contains(private_file) && Catch::Contains(why));
    };
    put(private_file, good_private.substr(0, good_private.find("PrivateKey")));
    refuses("there is no private key");
    put(private_file, "");
    refuses("it is empty");
    put(private_file, replaced(good_private, "v1.3", "v1.4"));
    refuses("the format is neither v1.2 nor v1.3");
    put(private_file, replaced(good_private, "Algorithm: 13", "Algorithm: 8"));
    refuses("line 2: the algorithm is neither 13 nor 15");
    put(private_file, good_private + "Revoke: 20300101000000\n");
    refuses("the field \"Revoke\" is not known");
    put(private_file, good_private + "Activate: 20301301000000\n");
    refuses("this is no time");
    put(private_file, good_private + "Created: 20300101000000\n");
    refuses("the field is here twice");
    const auto stranger = DnssecKey::generate(DnssecAlgorithm::ecdsa_p256, 257);
    put(private_file, private_key_file(*stranger, {}));
    refuses("the two files do not belong together");
    put(private_file, good_private);
    put(public_file, replaced(good_public, " 257 ", " 385 "));
    refuses("the flags are neither 256 nor 257");
    put(public_file, replaced(good_public, "example.com. 3600", "example.org. 3600"));
    refuses("the record is of another zone");
    put(public_file, good_public + good_public);
    refuses("there is a second record");
    std::filesystem::remove(public_file);
    refuses("No such file or directory");
    put(public_file, good_public);
    CHECK(keys.load());
    const std::string elsewhere = (keys.path() / "Kexample.com.+013+00000").string();
    std::filesystem::rename(private_file, elsewhere + ".private");
    std::filesystem::rename(public_file, elsewhere + ".key");
    CHECK_THAT(keys.load().error().message, Catch::Contains("its name should be"));
}

TEST_CASE("Times and base64 have one spelling each", "[dnssec]") {
    CHECK(to_time_text(0) == "19700101000000");
    CHECK(to_time_text(1'440'021'600) == "20150819220000");
    CHECK(from_time_text("20150819220000").value() == 1'440'021'600);
    for (const char* wrong : {"", "2015081922000", "20150230000000", "20150819240000", "2015081922000x",
                              "19691231235959", "21100101000000", "201508192200000"})
        CHECK_FALSE(from_time_text(wrong).has_value());
    Random random(7);
    for (size_t size = 0; size < 70; ++size) {
        std::vector<uint8_t> data(size);
        for (uint8_t& byte : data) byte = static_cast<uint8_t>(random.next());
        CHECK(from_base64(to_base64(data)).value() == data);
    }
    for (const char* wrong : {"A", "AA", "AAA", "A===", "AA=A", "AB==", "AAB=", "AA==AAAA", "AA A", "AAA\n"})
        CHECK_FALSE(from_base64(wrong).has_value());
}

TEST_CASE("The successor of a name is the next in canonical order, however long the name is", "[dnssec]") {
    Random random(11);
    const auto successor = [](const Name& of) {
        std::vector<uint8_t> out;
        append_successor(of.lowered().wire(), out);
        return Name::from_wire(out).value();
    };
    CHECK(successor(name("b.example.com")).to_text() == "\\000.b.example.com");
    const std::string label(63, 'x');
    const std::string tail = "." + label + "." + label + "." + label;
    // 255 octets on the wire: the last label octet grows; 254: it gets one more.
    const Name full = name(std::string(61, 'x') + tail);
    REQUIRE(full.size() == 255);
    CHECK(successor(full).to_text() == std::string(60, 'x') + "y" + tail);
    const Name almost = name(std::string(60, 'x') + tail);
    CHECK(successor(almost).to_text() == std::string(60, 'x') + "\\000" + tail);
    CHECK(successor(name(std::string(60, 'x') + "@" + tail)).to_text() == std::string(60, 'x') + "[" + tail);
    CHECK(successor(name(std::string(60, 'x') + "\\255" + tail)).to_text() ==
          std::string(59, 'x') + "y" + tail);
    for (int round = 0; round < 2000; ++round) {
        std::vector<uint8_t> wire;
        const size_t wanted = round % 2 == 0 ? 1 + random.below(254) : 253 + random.below(3);
        while (wire.size() + 2 <= wanted - 1) {
            const size_t size = std::min<size_t>(1 + random.below(63), wanted - 2 - wire.size());
            if (size == 0) break;
            wire.push_back(static_cast<uint8_t>(size));
            for (size_t i = 0; i < size; ++i)
                wire.push_back(random.below(4) == 0 ? 0xff : static_cast<uint8_t>(random.next()));
        }
        wire.push_back(0);
        const Name from = Name::from_wire(wire).value();
        const Name to = successor(from);
        if (from.is_root()) continue;
        CHECK(from < to);
    }
}

TEST_CASE("The bitmap of an NSEC is what ldns makes of the types", "[dnssec]") {
    TypeSet types;
    for (const RecordType type : {RecordType::caa, RecordType::nsec, RecordType::a, RecordType::rrsig,
                                  RecordType::aaaa, RecordType::a, RecordType::nxname})
        types.add(type);
    types.remove(RecordType::aaaa);
    CHECK(types.has(RecordType::a));
    CHECK_FALSE(types.has(RecordType::aaaa));
    std::vector<uint8_t> data;
    (void)nsec_data(name("a.example.com").wire(), types, data);
    const Rr nsec = rr_of("a.example.com. 30 IN NSEC \\000.a.example.com. A RRSIG NSEC TYPE128 CAA");
    CHECK(data == data_of(nsec.get()));
}
