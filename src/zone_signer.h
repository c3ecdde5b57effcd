// SPDX-License-Identifier: Apache-2.0
#pragma once
// Keeps the zones signed while the server runs: makes the first keys, lets rollovers go on, renews validity
// windows, obeys operators. Decides nothing about keys itself (dns/dnssec_keyring.h does) and writes their
// files on the background thread. Lives on the loop's thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "background.h"
#include "base/clock.h"
#include "base/result.h"
#include "dns/signing_keys.h"
#include "model/event.h"

namespace fairway {

class ZoneSigner {
  public:
    struct Handlers {
        /// signing() is another one now: publish it.
        std::function<void()> changed;
        std::function<void(Severity, const std::string& zone, const std::string& what,
                           const std::string& actor)>
            tell;
    };
    /// Keys are below `folder`.
    ZoneSigner(Background& background, std::filesystem::path folder, Handlers handlers);

    /// Before anything is answered: makes the keys that are missing, here and now, and calls no handler. What
    /// happened is told by the first tick.
    void start(dns::ZoneKeyrings keyrings, std::shared_ptr<const dns::Authority> authority, WallTime now);
    /// Another configuration is in force, whose keys were just read. The caller publishes signing() with it.
    void adopt(dns::ZoneKeyrings keyrings, std::shared_ptr<const dns::Authority> authority, WallTime now);
    /// About every second.
    void tick(WallTime now);

    /// For the Serving; null when nothing is signed.
    [[nodiscard]] const std::shared_ptr<const dns::ZoneSigning>& signing() const noexcept { return signing_; }
    [[nodiscard]] const dns::ZoneKeyrings& keyrings() const noexcept { return keyrings_; }

    /// Plans a change of a zone's keys and carries it out in the background. `done` is called later, exactly
    /// once, with what was done, for people.
    using Plan = std::function<Result<dns::KeyChange>(const dns::ZoneKeyring&, int64_t now)>;
    using Done = std::function<void(Result<std::vector<std::string>>)>;
    void change(const std::string& zone, WallTime now, const std::string& actor, Plan plan, Done done);

  private:
    void refresh(int64_t now);
    void do_due_work(int64_t now);
    void read_again(int64_t now);
    void tell_notes(const std::string& zone, const std::vector<std::string>& notes, const std::string& actor);
    void tell_trouble(const std::string& zone, const std::string& trouble);

    Background& background_;
    const std::filesystem::path folder_;
    const Handlers handlers_;
    std::shared_ptr<dns::SignatureCaches> caches_ = std::make_shared<dns::SignatureCaches>();
    dns::ZoneKeyrings keyrings_;
    std::shared_ptr<const dns::Authority> authority_;
    std::shared_ptr<const dns::ZoneSigning> signing_;
    int64_t next_ = 0;        // when signing_ is to be made anew, Unix seconds
    int64_t next_retry_ = 0;  // of what failed
    bool working_ = false;    // background work of this object is on its way
    std::vector<std::function<void()>> untold_;
};

}  // namespace fairway
