// SPDX-License-Identifier: Apache-2.0
#pragma once
// Certificates of every kind, good and broken, made in memory for tests and benchmarks. Their keys never
// leave the program except into a temporary folder that the test removes.

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"

namespace fairway::test {

inline void require_openssl(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("OpenSSL failed to ") + what);
}

struct FreeOpenssl {
    void operator()(X509* x) const noexcept { X509_free(x); }
    void operator()(EVP_PKEY* x) const noexcept { EVP_PKEY_free(x); }
    void operator()(BIO* x) const noexcept { BIO_free(x); }
    void operator()(X509_EXTENSION* x) const noexcept { X509_EXTENSION_free(x); }
};
using X509Ptr = std::unique_ptr<X509, FreeOpenssl>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeOpenssl>;

enum class KeyKind { p256, rsa1024, rsa2048 };

struct Certificate {
    X509Ptr x509;
    KeyPtr key;

    [[nodiscard]] std::string pem() const {
        const std::unique_ptr<BIO, FreeOpenssl> out(BIO_new(BIO_s_mem()));
        PEM_write_bio_X509(out.get(), x509.get());
        return text(out.get());
    }
    [[nodiscard]] std::string key_pem() const {
        const std::unique_ptr<BIO, FreeOpenssl> out(BIO_new(BIO_s_mem()));
        PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        return text(out.get());
    }
    /// As openssl x509 -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64
    /// prints it.
    [[nodiscard]] std::string pin() const {
        unsigned char* der = nullptr;
        const int size = i2d_PUBKEY(key.get(), &der);
        require_openssl(size > 0, "encode a public key");
        std::array<unsigned char, 32> hash{};
        EVP_Digest(der, static_cast<size_t>(size), hash.data(), nullptr, EVP_sha256(), nullptr);
        OPENSSL_free(der);
        std::array<unsigned char, 45> base64{};
        EVP_EncodeBlock(base64.data(), hash.data(), static_cast<int>(hash.size()));
        return reinterpret_cast<const char*>(base64.data());
    }

  private:
    static std::string text(BIO* bio) {
        char* data = nullptr;
        const long size = BIO_get_mem_data(bio, &data);
        return {data, static_cast<size_t>(size)};
    }
};

struct CertificateSpec {
    std::string name = "gw.example";
    std::string alternative_names = "DNS:gw.example";  // OpenSSL's syntax; empty: no extension
    WallTime not_before{}, not_after{};
    KeyKind key = KeyKind::p256;
    const EVP_MD* digest = EVP_sha256();
    std::string constraints = "CA:FALSE";
    std::string key_usage = "digitalSignature";
    std::string extended_key_usage = "serverAuth";  // empty: no extension
};

inline KeyPtr make_key(KeyKind kind) {
    EVP_PKEY* key =
        kind == KeyKind::p256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(kind == KeyKind::rsa1024 ? 1024U : 2048U);
    require_openssl(key != nullptr, "make a key");
    return KeyPtr(key);
}

/// Signed by `issuer`, or by itself when that is null.
inline Certificate make_certificate(const CertificateSpec& spec, const Certificate* issuer) {
    Certificate made{X509Ptr(X509_new()), make_key(spec.key)};
    X509* x = made.x509.get();
    static long serial = 1000;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    ASN1_TIME_set(X509_getm_notBefore(x), std::chrono::system_clock::to_time_t(spec.not_before));
    ASN1_TIME_set(X509_getm_notAfter(x), std::chrono::system_clock::to_time_t(spec.not_after));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(spec.name.data()),
                               static_cast<int>(spec.name.size()), -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer == nullptr ? x : issuer->x509.get()));
    X509_set_pubkey(x, made.key.get());
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer == nullptr ? x : issuer->x509.get(), x, nullptr, nullptr, 0);
    const auto add = [&](int kind, const std::string& value) {
        if (value.empty()) return;
        const std::unique_ptr<X509_EXTENSION, FreeOpenssl> extension(
            X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
        require_openssl(extension != nullptr && X509_add_ext(x, extension.get(), -1) == 1,
                        "add an extension");
    };
    add(NID_basic_constraints, "critical," + spec.constraints);
    add(NID_key_usage, spec.key_usage);
    add(NID_ext_key_usage, spec.extended_key_usage);
    add(NID_subject_alt_name, spec.alternative_names);
    require_openssl(X509_sign(x, issuer == nullptr ? made.key.get() : issuer->key.get(), spec.digest) > 0,
                    "sign a certificate");
    return made;
}

/// An authority that signs others; valid between the times given.
inline Certificate make_authority(const std::string& name, WallTime from, WallTime until,
                                  const Certificate* issuer = nullptr) {
    CertificateSpec spec;
    spec.name = name;
    spec.alternative_names.clear();
    spec.not_before = from;
    spec.not_after = until;
    spec.constraints = "CA:TRUE";
    spec.key_usage = "keyCertSign,cRLSign";
    spec.extended_key_usage.clear();
    return make_certificate(spec, issuer);
}

/// A folder of its own under the system's temporary one, removed with everything in it.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "fairway-test-XXXXXX").string();
        if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
        path_ = pattern;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    /// Writes a file and returns its whole path.
    std::string write(const std::string& name, const std::string& content) const {
        const std::filesystem::path file = path_ / name;
        std::ofstream out(file, std::ios::binary);
        out << content;
        out.close();
        if (!out) throw std::runtime_error("cannot write " + file.string());
        return file.string();
    }

  private:
    std::filesystem::path path_;
};

}  // namespace fairway::test
