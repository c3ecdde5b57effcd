// SPDX-License-Identifier: Apache-2.0
#pragma once
// The certificates that fairway-gateway shows: a small authority of its own, a certificate for each gateway,
// and broken ones. For drills on the operator's own machines, never for real clients.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "ipsec/gateway_fault.h"

struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

namespace fairway::ipsec {

struct X509Free {
    void operator()(x509_st* certificate) const noexcept;
};
using Certificate = std::unique_ptr<x509_st, X509Free>;
struct PrivateKeyFree {
    void operator()(evp_pkey_st* key) const noexcept;
};
using PrivateKey = std::unique_ptr<evp_pkey_st, PrivateKeyFree>;
struct SslContextFree {
    void operator()(ssl_ctx_st* context) const noexcept;
};
using SslContext = std::unique_ptr<ssl_ctx_st, SslContextFree>;

/// Whom a certificate is for.
struct CertificateSubject {
    std::string name;                // common name
    std::vector<std::string> hosts;  // DNS names
    std::vector<IpAddress> addresses;
};

/// Issues certificates. All of a process share one key pair beside the authority's: what clients check is the
/// certificate.
class Authority {
  public:
    /// With a path: takes over the authority that `path` and `path`.key hold, so that clients keep trusting
    /// it over a restart; otherwise makes a new one and writes both (the key with mode 0600). Without a path
    /// the authority lives in memory only.
    static Result<Authority> open(const std::filesystem::path& path);

    [[nodiscard]] Result<Certificate> issue(const CertificateSubject& subject,
                                            std::optional<CertificateFlaw> flaw) const;
    [[nodiscard]] evp_pkey_st* leaf_key() const noexcept { return leaf_key_.get(); }

  private:
    Authority() = default;
    Certificate certificate_;
    PrivateKey key_;
    PrivateKey leaf_key_;
};

/// The server side of TLS that all gateways share; certificates are set per connection.
[[nodiscard]] Result<SslContext> make_server_context();
/// The same with a given certificate chain and key, PEM files.
[[nodiscard]] Result<SslContext> make_server_context(const std::filesystem::path& cert,
                                                     const std::filesystem::path& key);

}  // namespace fairway::ipsec
