// SPDX-License-Identifier: Apache-2.0
#include "dns/answer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include "dns/answer_cache.h"
#include "dns/answer_debug.h"
#include "dns/authority.h"
#include "dns/dnssec_denial.h"
#include "dns/message.h"
#include "dns/quick_query.h"
#include "dns/signing.h"
#include "dns/transfer.h"
#include "dns/tsig.h"
#include "dns/zone_overlay.h"
#include "health/snapshot.h"
#include "steering/steering.h"

namespace fairway::dns {
namespace {

using Section = ResponseWriter::Section;

constexpr size_t max_chain = 16;       // CNAMEs followed for one question
constexpr size_t max_additional = 32;  // hosts whose addresses are added to one answer
constexpr size_t least_udp = 512;      // RFC 1035 section 4.2.1, RFC 6891 section 6.2.3
constexpr uint32_t hinfo_ttl = 3600;
constexpr std::array<uint8_t, 9> hinfo_data{7, 'R', 'F', 'C', '8', '4', '8', '2', 0};  // RFC 8482 section 4.2

bool is_transfer(RecordType type) {
    return type == RecordType::axfr || type == RecordType::ixfr;
}

// RFC 6895 section 3.1: QTYPEs and meta types, whose answers may be anything but records of the name. ANY has
// records.
bool is_meta(RecordType type) {
    const auto number = static_cast<uint16_t>(type);
    return type == RecordType::opt || (number >= 128 && number < static_cast<uint16_t>(RecordType::any));
}

// Types that are no data: an answer to them could only be a misunderstanding (RFC 6895 section 3.1).
Rcode fault_of(RecordType type) {
    switch (type) {
        case RecordType::opt:
        case RecordType::tsig:
            return Rcode::formerr;
        case RecordType::tkey:
        case RecordType::maila:
        case RecordType::mailb:
            return Rcode::notimp;
        default:
            return Rcode::noerror;
    }
}

ByteSpan address_bytes(const std::optional<IpAddress>& address, RecordType type) {
    const IpFamily wanted = type == RecordType::a ? IpFamily::v4 : IpFamily::v6;
    return address && address->family() == wanted ? address->bytes() : ByteSpan();
}

}  // namespace

class Answerer::Impl {
  public:
    explicit Impl(size_t cached_answers) {
        if (cached_answers > 0) cache_.emplace(cached_answers);
        selection_.endpoints.reserve(Selection::max_endpoints);
        records_.reserve(Selection::max_endpoints);
    }

    void set_version(uint64_t version) noexcept;
    size_t answer(const Serving& serving, const Request& request, std::span<uint8_t> out);
    [[nodiscard]] const Outcome& outcome() const noexcept { return outcome_; }
    std::unique_ptr<ResponseStream> take_stream(std::shared_ptr<const Serving> same);

  private:
    // The name that is being looked up: the question's, then the target of each CNAME. The bytes are the
    // table's or lowered_; `owner` is what to write as owner, with the client's case as long as it is the
    // question's.
    struct Subject {
        ByteSpan lowered;
        ByteSpan owner;
        size_t labels = 0;
        size_t chain = 0;
    };
    enum class Next : uint8_t { done, follow };

    // What the client is in some maps of the steering.
    struct Classes {
        uint8_t maps = 0;
        uint64_t key = 0;  // the classes, 32 bits each
        Steering::Decider decider;
        std::array<std::pair<uint8_t, uint8_t>, AnswerCache::max_maps> scopes{};  // bit of the map, scope
    };

    // What every record of an RRset shares.
    struct Rrset {
        ByteSpan owner;
        RecordType type{};
        uint32_t ttl = 0;      // as answered now, seconds
        uint32_t max_ttl = 0;  // the most that it is ever answered with
        // The zone whose authoritative data this is; null for glue and for a delegation's NS.
        const ServedZone* zone = nullptr;
    };

    bool check_signature();
    // What a negative answer denies something of.
    struct Denied {
        ByteSpan owner;              // as it is written
        ByteSpan lowered;            // the same, in lower case
        const Node* node = nullptr;  // the name, or the wildcard that stands in for it; null: neither exists
        bool at_parent = false;      // the parent's side of a zone that is served here too
        // Made for this one name, which may never come again.
        bool is_expanded = false;
    };

    void prepare_edns(const Request& request);
    [[nodiscard]] ResponseKind kind_of_response() const;
    void tell_circumstances();
    void fail_unhealthy(Rcode rcode);
    [[nodiscard]] size_t limit(const Request& request, std::span<uint8_t> out) const;
    [[nodiscard]] size_t limit_of_transport(const Request& request) const;
    void answer_again();
    void keep(AnswerCache::Known* known, const AnswerCache::Question& question, uint64_t hash,
              Classes& classes);
    [[nodiscard]] uint64_t cache_key() const;
    [[nodiscard]] Client client() const;
    [[nodiscard]] Steering::Decider decider() const;
    void classify(uint8_t maps, Classes& classes) const;
    [[nodiscard]] uint8_t echoed_scope(uint8_t scope) const;
    void untailor() {
        edns_.scope = 0;
        tailored_ = false;
    }
    /// Whatever makes an answer one that may not be given to the next client who asks the same says so here.
    void forbid_reuse() { reusable_until_ = 0; }
    void resolve();
    void answer_chaos();
    Next answer_name(Subject& subject);
    Next answer_node(const Node& node, Subject& subject);
    void answer_steered(const Node& node, const Subject& subject);
    void answer_addresses(const Node& node, const Subject& subject);
    void answer_made(const Node& node, const Subject& subject);
    void answer_debug(const Node& node, const Subject& subject);
    bool answer_challenge(const ZoneOverlay::Entry& entry, const Node* node, const ServedZone& zone,
                          const Subject& subject);
    void answer_transfer(const ServedZone& zone);
    void answer_ds_of_child(const Node& apex, const Subject& subject);
    void refer(const Node& cut);
    void nodata(const ServedZone& zone, uint32_t ttl_cap = UINT32_MAX);
    void nxdomain(const ServedZone& zone);
    void fail(Rcode rcode, ExtendedError error, std::string_view text);
    bool put(Section section, const Rrset& rrset, std::span<const ByteSpan> records);
    bool put_signatures(Section section, const Rrset& rrset, std::span<const ByteSpan> records);
    [[nodiscard]] const SignedZone* signed_zone(const ServedZone& zone) const;
    bool answer_from_signing(const Node* node, const Subject& subject, const ServedZone& zone);
    void collect_types(const ServedZone& zone);
    bool put_nsec(const ServedZone& zone, uint32_t ttl);
    bool add_set(Section section, ByteSpan owner, const StaticSet& set, const ServedZone* zone,
                 uint32_t ttl_cap = UINT32_MAX);
    void add_hinfo(const Subject& subject, const ServedZone& zone);
    void add_additional(const StaticSet& set);
    bool add_host(uint32_t node);
    bool add_alias(const Subject& subject, const ServedZone& zone, uint32_t ttl, uint32_t max_ttl,
                   ByteSpan target);
    void select(const Node& node);
    // Of the selection.
    [[nodiscard]] uint32_t steered_ttl() const {
        return static_cast<uint32_t>(std::max<int64_t>(selection_.ttl.count(), 0));
    }
    [[nodiscard]] uint32_t steered_max_ttl(const Node& node) const;
    [[nodiscard]] bool is_question(const Subject& subject) const { return subject.chain == 0; }

    Query query_;
    EdnsResponse edns_;
    ResponseWriter writer_;
    Selection selection_;
    Outcome outcome_;
    std::vector<ByteSpan> records_;  // of the RRset at work; kept for its memory
    SteeredRecords::Made made_;

    RrsetSigner rrset_signer_;
    TypeSet types_;
    std::vector<uint8_t> nsec_;

    // Of the current request.
    const Serving* serving_ = nullptr;
    const Request* request_ = nullptr;
    const ZoneTable* table_ = nullptr;
    Rcode rcode_ = Rcode::noerror;
    uint16_t flags_ = 0;
    bool truncated_ = false;
    const TsigKey* signed_by_ = nullptr;  // whose signature of the request is good; null: there is none
    std::optional<TsigSigner> signer_;    // of the response
    std::unique_ptr<TransferStream> transfer_;
    bool wants_signatures_ = false;
    bool cannot_sign_ = false;
    Denied denied_;
    std::array<uint8_t, Name::max_size> lowered_{};
    std::array<uint32_t, max_additional> added_hosts_{};
    size_t added_host_count_ = 0;

    std::optional<AnswerCache> cache_;
    uint64_t version_ = 0;
    std::array<uint8_t, Name::max_size> asked_{};  // the question's name in lower case
    // Of the answer that is being made: what to know before it is given to others.
    Dependence depends_;
    bool tailored_ = false;  // the ECS scope is that of the selection
    uint8_t selected_scope_ = 0;
    uint32_t reusable_until_ = 0;  // Unix seconds
};

void Answerer::Impl::set_version(uint64_t version) noexcept {
    if (version == version_) return;
    version_ = version;
    if (cache_) cache_->start_over();
}

size_t Answerer::Impl::answer(const Serving& serving, const Request& request, std::span<uint8_t> out) {
    outcome_ = Outcome();
    const QueryFault fault = parse_query(request.message, query_);
    if (fault == QueryFault::drop) return 0;
    serving_ = &serving;
    request_ = &request;
    table_ = &serving.authority->table();
    rcode_ = Rcode::noerror;
    flags_ = 0;
    truncated_ = false;
    added_host_count_ = 0;
    signed_by_ = nullptr;
    signer_.reset();
    transfer_.reset();
    wants_signatures_ = query_.edns.present && query_.edns.dnssec_ok;
    cannot_sign_ = false;
    outcome_.answered = true;
    outcome_.has_edns = query_.edns.present;
    outcome_.has_ecs = query_.edns.present && query_.edns.has_subnet;

    const bool signature_good = query_.tsig_at == 0 || check_signature();
    prepare_edns(request);
    // Whatever is decided about the client's subnet later, the OPT keeps its size: only an error adds to it,
    // and that is left out where there is no room.
    writer_.begin(out.first(limit(request, out)), query_, query_.edns.present ? edns_.size() : 0);
    // A bad signature is all that there is to say.
    if (signature_good) {
        switch (fault) {
            case QueryFault::formerr:
                rcode_ = Rcode::formerr;
                break;
            case QueryFault::notimp:
                rcode_ = Rcode::notimp;
                break;
            case QueryFault::badvers:
                rcode_ = Rcode::badvers;
                break;
            default:
                if (cache_ && version_ != 0 && query_.is_plain && !is_meta(query_.type))
                    answer_again();
                else
                    resolve();
                break;
        }
    }
    if (transfer_ != nullptr) {
        outcome_.transferred = true;
        return transfer_->first(out, request.unix_seconds, query_.edns.present ? &edns_ : nullptr);
    }
    if (truncated_) {
        // A partial RRset helps nobody (RFC 2181 section 9): the client comes back over TCP.
        writer_.rewind(writer_.after_question());
        flags_ |= flag::tc;
    }
    outcome_.truncated = truncated_;
    outcome_.rcode = rcode_;
    outcome_.kind = kind_of_response();
    // RFC 7830 section 6: without encryption padding hides nothing and feeds amplification.
    const bool padded = query_.edns.wants_padding && request.transport == Transport::tls;
    const size_t size = writer_.finish(query_, flags_, rcode_, query_.edns.present ? &edns_ : nullptr,
                                       padded ? ResponseWriter::padding_block : 0);
    return signer_ ? signer_->sign(out, size, request.unix_seconds) : size;
}

// RFC 8945 section 5.2. False: the answer is nothing but the error.
bool Answerer::Impl::check_signature() {
    const auto record = read_tsig(request_->message, query_.tsig_at);
    const TsigKey* key = record ? find_key(serving_->settings->keys, record->key) : nullptr;
    const TsigError error =
        record ? check_request(request_->message, *record, key, request_->unix_seconds) : TsigError::formerr;
    if (error == TsigError::formerr) {
        rcode_ = Rcode::formerr;
        return false;
    }
    signer_.emplace(*record, key, error);
    if (error != TsigError::none) {
        rcode_ = Rcode::notauth;
        return false;
    }
    signed_by_ = key;
    return true;
}

ResponseKind Answerer::Impl::kind_of_response() const {
    if (rcode_ == Rcode::nxdomain) return ResponseKind::nxdomain;
    if (rcode_ != Rcode::noerror) return ResponseKind::error;
    if (truncated_ || writer_.count(Section::answer) > 0) return ResponseKind::data;
    return (flags_ & flag::aa) != 0 ? ResponseKind::nodata : ResponseKind::referral;
}

void Answerer::Impl::prepare_edns(const Request& request) {
    edns_ = EdnsResponse();
    const Edns& asked = query_.edns;
    if (!asked.present) return;
    const AnswerSettings& settings = *serving_->settings;
    edns_.udp_size = settings.udp_limit;
    edns_.dnssec_ok = asked.dnssec_ok;
    // RFC 9824 section 5.1; where nothing is signed, nothing is compact.
    edns_.compact_ok = asked.dnssec_ok && asked.compact_ok && serving_->signing != nullptr;
    if (asked.version != 0) return;
    if (asked.wants_nsid) edns_.nsid = settings.nsid;
    if (asked.has_cookie && settings.cookies) {
        edns_.has_cookie = true;
        edns_.client_cookie = asked.client_cookie;
        edns_.server_cookie = make_server_cookie(settings.cookies->current, asked.client_cookie,
                                                 request.source, request.unix_seconds);
        if (settings.limiter)
            outcome_.good_cookie =
                check_server_cookie(*settings.cookies, asked.client_cookie, asked.server_cookie,
                                    request.source, request.unix_seconds);
    }
    // RFC 7828 section 3.3.1: the option means nothing over UDP.
    if (asked.wants_keepalive && is_stream(request.transport)) edns_.keepalive = request.keepalive;
    if (asked.has_subnet) edns_.subnet = &asked.subnet;
}

size_t Answerer::Impl::limit(const Request& request, std::span<uint8_t> out) const {
    // What a signature takes is the answer's loss, but never the question's.
    const size_t signature = signer_ ? signer_->room() : 0;
    const size_t least =
        header_size + query_.question.size() + (query_.edns.present ? edns_.size() : 0) + signature;
    return std::min(out.size(), std::max(limit_of_transport(request), least)) - signature;
}

size_t Answerer::Impl::limit_of_transport(const Request& request) const {
    if (is_stream(request.transport)) return max_tcp_answer;
    size_t offered = least_udp;
    if (query_.edns.present)
        offered = std::clamp<size_t>(query_.edns.udp_size, least_udp,
                                     std::max<size_t>(serving_->settings->udp_limit, least_udp));
    return offered;
}

// Everything of a query but its name and its client that an answer may depend on: more than it needs to be
// rather than less.
uint64_t Answerer::Impl::cache_key() const {
    constexpr uint16_t without_meaning = 0x0070;  // Z, AD, CD
    const Edns& edns = query_.edns;
    uint64_t key = query_.flags & without_meaning;
    key |= edns.present ? 1 : 0;
    key |= edns.present && edns.dnssec_ok ? 2 : 0;
    key |= edns.present && edns.has_subnet ? 4 : 0;
    key |= is_stream(request_->transport) ? 8 : 0;
    key |= edns.present && edns.compact_ok ? 0x100 : 0;
    return key << 32 | uint64_t{static_cast<uint16_t>(query_.klass)} << 16 |
           static_cast<uint16_t>(query_.type);
}

Client Answerer::Impl::client() const {
    Client client;
    client.source = request_->source;
    if (edns_.subnet != nullptr) client.ecs = edns_.subnet->prefix();
    return client;
}

// The strict reader has seen that nothing is set beyond the prefix: no need to make a prefix of it.
Steering::Decider Answerer::Impl::decider() const {
    const ClientSubnet* const subnet = edns_.subnet;
    if (subnet == nullptr || subnet->family == 0) return {request_->source, false, std::nullopt};
    std::array<uint8_t, 16> bytes{};
    std::copy(subnet->address.begin(), subnet->address.end(), bytes.begin());
    const IpAddress address =
        subnet->family == 1 ? IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}) : IpAddress::v6(bytes);
    return serving_->steering->decider(request_->source, address, subnet->source);
}

void Answerer::Impl::classify(uint8_t maps, Classes& classes) const {
    classes.maps = maps;
    classes.decider = decider();
    size_t count = 0;
    for (unsigned left = maps; left != 0; left &= left - 1) {
        const auto map = static_cast<size_t>(std::countr_zero(left));
        const ClassHit hit = serving_->steering->class_of(map, classes.decider.address);
        classes.key = classes.key << 32 | hit.value;
        classes.scopes[count++] = {static_cast<uint8_t>(1U << map), hit.scope};
    }
}

uint8_t Answerer::Impl::echoed_scope(uint8_t scope) const {
    const uint8_t bits = edns_.subnet->family == 1 ? 32 : 128;
    // RFC 7871 section 7.1.2: nothing was told, so nothing was tailored to it.
    return edns_.subnet->source == 0 ? uint8_t{0} : std::min(scope, bits);
}

// As resolve(), from what was answered before if that can be.
void Answerer::Impl::answer_again() {
    const ByteSpan wire = query_.name.wire();
    const AnswerCache::Question question{ByteSpan(asked_).first(wire.size()), cache_key()};
    const uint64_t hash = AnswerCache::lower_and_hash(wire, question.rest, asked_.data());
    AnswerCache::Known* const known = cache_->find_question(question, hash);
    Classes classes;
    if (known != nullptr) {
        if (known->maps != 0) classify(known->maps, classes);
        const CachedAnswer* kept = cache_->find_answer(*known, classes.key, request_->unix_seconds);
        if (kept != nullptr && writer_.append(kept->records, kept->counts)) {
            flags_ = kept->flags;
            rcode_ = kept->rcode;
            if (kept->has_error) {
                edns_.error = kept->error;
                edns_.error_text = kept->error_text;
            }
            outcome_.service = kept->service;
            outcome_.endpoint = kept->endpoint;
            outcome_.last_resort = kept->last_resort;
            if (!kept->tailored || edns_.subnet == nullptr) return;
            uint8_t scope = 0;
            for (const auto& [bit, of_map] : classes.scopes)
                if ((bit & kept->depends.maps) != 0) scope = std::max(scope, of_map);
            edns_.scope = echoed_scope(Steering::scope_of(classes.decider, scope));
            return;
        }
    }
    depends_ = {};
    tailored_ = false;
    reusable_until_ = AnswerCache::for_ever;
    resolve();
    keep(known, question, hash, classes);
}

void Answerer::Impl::keep(AnswerCache::Known* known, const AnswerCache::Question& question, uint64_t hash,
                          Classes& classes) {
    if (reusable_until_ <= request_->unix_seconds || depends_.block || writer_.lacked_room()) return;
    // Whoever changed the scope behind our back had a reason that is not known here.
    const uint8_t expected =
        tailored_ && edns_.subnet != nullptr ? echoed_scope(selected_scope_) : uint8_t{0};
    if (edns_.scope != expected) return;
    const auto maps = static_cast<uint8_t>(depends_.maps | classes.maps);
    if (static_cast<size_t>(std::popcount(maps)) > AnswerCache::max_maps) return;
    if (known == nullptr) known = cache_->add_question(question, hash, maps);
    if (known == nullptr) return;
    if (maps != classes.maps) {
        cache_->widen(*known, maps);
        classes = Classes();
        classify(maps, classes);
    }
    CachedAnswer answer;
    answer.records = writer_.records_written();
    answer.counts = writer_.counts();
    answer.flags = flags_;
    answer.rcode = rcode_;
    answer.has_error = edns_.error.has_value();
    if (answer.has_error) answer.error = *edns_.error;
    answer.error_text = edns_.error_text;
    answer.tailored = tailored_;
    answer.depends = depends_;
    answer.last_resort = outcome_.last_resort;
    answer.service = outcome_.service;
    answer.endpoint = outcome_.endpoint;
    cache_->add_answer(*known, classes.key, answer, reusable_until_);
}

void Answerer::Impl::fail(Rcode rcode, ExtendedError error, std::string_view text) {
    writer_.rewind(writer_.after_question());
    rcode_ = rcode;
    flags_ = 0;
    untailor();
    edns_.error = error;
    edns_.error_text = text;
}

void Answerer::Impl::resolve() {
    if (!query_.has_question) {
        // RFC 7873 section 5.4: a client only wants a cookie, or asks whether its own is good.
        const AnswerSettings& settings = *serving_->settings;
        const bool wrong =
            !query_.edns.server_cookie.empty() &&
            !(settings.cookies &&
              check_server_cookie(*settings.cookies, query_.edns.client_cookie, query_.edns.server_cookie,
                                  request_->source, request_->unix_seconds));
        if (!settings.cookies)
            rcode_ = Rcode::formerr;
        else if (wrong)
            rcode_ = Rcode::badcookie;
        return;
    }
    if (query_.klass == RecordClass::chaos) {
        answer_chaos();
        return;
    }
    if (query_.klass != RecordClass::in) {
        fail(Rcode::refused, ExtendedError::not_supported, "only class IN is served");
        return;
    }
    if (query_.type == RecordType::nxname) {
        // RFC 9824 section 3.5.
        fail(Rcode::formerr, ExtendedError::invalid_query_type, {});
        return;
    }
    rcode_ = fault_of(query_.type);
    if (rcode_ != Rcode::noerror) return;

    lower_wire(query_.name.wire(), lowered_.data());
    Subject subject;
    subject.lowered = ByteSpan(lowered_).first(query_.name.size());
    subject.owner = query_.name.wire();
    subject.labels = query_.name.labels();
    while (answer_name(subject) == Next::follow) {
    }
    if (!cannot_sign_) return;
    // Whoever asked for signatures must not get an answer that looks as if the zone had none.
    truncated_ = false;
    forbid_reuse();
    fail(Rcode::servfail, ExtendedError::other, "the answer cannot be signed");
}

void Answerer::Impl::answer_chaos() {
    static constexpr std::array<uint8_t, 11> id_server{2, 'i', 'd', 6, 's', 'e', 'r', 'v', 'e', 'r', 0};
    static constexpr std::array<uint8_t, 15> hostname_bind{8,   'h', 'o', 's', 't', 'n', 'a', 'm',
                                                           'e', 4,   'b', 'i', 'n', 'd', 0};
    const std::string& id = serving_->settings->nsid;
    const ByteSpan wire = query_.name.wire();
    lower_wire(wire, lowered_.data());
    const ByteSpan asked = ByteSpan(lowered_).first(wire.size());
    const bool known = std::ranges::equal(asked, id_server) || std::ranges::equal(asked, hostname_bind);
    // The version is nobody's business (RFC 4892 leaves it to the operator).
    if (!known || id.empty() || (query_.type != RecordType::txt && query_.type != RecordType::any)) {
        fail(Rcode::refused, ExtendedError::prohibited, {});
        return;
    }
    std::array<uint8_t, 256> data{};
    Writer text(data);
    const auto shown = std::string_view(id).substr(0, 255);
    text.u8(static_cast<uint8_t>(shown.size()));
    text.text(shown);
    flags_ |= flag::aa;
    truncated_ =
        !writer_.record(Section::answer, wire, RecordType::txt, 0, text.written(), RecordClass::chaos);
}

// RFC 1034 section 4.3.2, step 2 and 3.
Answerer::Impl::Next Answerer::Impl::answer_name(Subject& subject) {
    bool exact = false;
    const uint32_t found = table_->find_encloser(subject.lowered, subject.labels, exact);
    if (found == no_index) {
        // The end of a chain that leaves our zones is the client's to follow.
        if (is_question(subject))
            fail(is_transfer(query_.type) ? Rcode::notauth : Rcode::refused, ExtendedError::not_authoritative,
                 {});
        return Next::done;
    }
    const Node& encloser = table_->node(found);
    const ServedZone& zone = serving_->authority->zones()[encloser.zone];
    const bool is_apex = exact && found == zone.first_node;
    if (is_question(subject) && is_transfer(query_.type)) {
        if (is_apex)
            answer_transfer(zone);
        else
            fail(Rcode::notauth, ExtendedError::not_authoritative, {});
        return Next::done;
    }
    denied_ = {subject.owner, subject.lowered, exact ? &encloser : nullptr, false, !exact};
    // RFC 4035 section 3.1.4.1: DS is the one type that lives above the zone cut.
    if (is_apex && query_.type == RecordType::ds && encloser.parent_zone != no_index) {
        answer_ds_of_child(encloser, subject);
        return Next::done;
    }
    if (encloser.cut != no_index) {
        const bool ds_at_cut = exact && found == encloser.cut && query_.type == RecordType::ds;
        if (!ds_at_cut) {
            refer(table_->node(encloser.cut));
            return Next::done;
        }
    }
    flags_ |= flag::aa;
    const ZoneOverlay* overlay = serving_->overlay.get();
    if (overlay != nullptr && overlay->has_challenges()) {
        const ZoneOverlay::Entry* entry = overlay->find(subject.lowered);
        if (entry != nullptr && answer_challenge(*entry, exact ? &encloser : nullptr, zone, subject))
            return Next::done;
        if (!exact && encloser.wildcard != no_index &&
            overlay->hides_wildcard(subject.lowered, encloser.labels)) {
            nxdomain(zone);
            return Next::done;
        }
    }
    const Node* node = exact ? &encloser : nullptr;
    // Signed as the name that was asked for and not as the wildcard (RFC 9824 section 3.3): that takes one
    // signature, where the wildcard's would need the proof that nothing closer exists, which is one as well.
    if (!exact && encloser.wildcard != no_index) node = &table_->node(encloser.wildcard);
    denied_.node = node;
    if (signed_zone(zone) != nullptr && answer_from_signing(node, subject, zone)) return Next::done;
    if (node != nullptr) return answer_node(*node, subject);
    nxdomain(zone);
    return Next::done;
}

Answerer::Impl::Next Answerer::Impl::answer_node(const Node& node, Subject& subject) {
    const ServedZone& zone = serving_->authority->zones()[node.zone];
    if (node.debug_of.valid()) {
        answer_debug(node, subject);
        return Next::done;
    }
    if (node.service.valid()) {
        answer_steered(node, subject);
        return Next::done;
    }
    const StaticSet* alias = table_->find_set(node, RecordType::cname);
    if (alias != nullptr) {
        const ByteSpan target = table_->data(table_->records(*alias).front());
        if (!add_set(Section::answer, subject.owner, *alias, &zone)) {
            truncated_ = true;
            return Next::done;
        }
        // ANY gets what is here (RFC 8482 section 4.1), not where it leads.
        if (query_.type == RecordType::cname || query_.type == RecordType::any ||
            subject.chain + 1 >= max_chain)
            return Next::done;
        lower_wire(target, lowered_.data());
        subject.lowered = ByteSpan(lowered_).first(target.size());
        subject.owner = target;
        subject.labels = 0;
        for (size_t at = 0; target[at] != 0; at += target[at] + 1U) ++subject.labels;
        ++subject.chain;
        // Only within the zone: another zone's data has another owner, even if both are served here.
        bool exact = false;
        const uint32_t next = table_->find_encloser(subject.lowered, subject.labels, exact);
        if (next == no_index || table_->node(next).zone != node.zone) return Next::done;
        return Next::follow;
    }
    if (query_.type == RecordType::any) {
        if (node.set_count == 0)
            nodata(zone);
        else
            add_hinfo(subject, zone);
        return Next::done;
    }
    const StaticSet* set = table_->find_set(node, query_.type);
    if (set == nullptr) {
        nodata(zone);
        return Next::done;
    }
    if (!add_set(Section::answer, subject.owner, *set, &zone))
        truncated_ = true;
    else
        add_additional(*set);
    return Next::done;
}

// At `node`, or, where that is null, at a name that the table does not have. False: the node alone answers.
bool Answerer::Impl::answer_challenge(const ZoneOverlay::Entry& entry, const Node* node,
                                      const ServedZone& zone, const Subject& subject) {
    const bool has_texts = !entry.texts.empty();
    if (node == nullptr && has_texts && query_.type == RecordType::any) {
        add_hinfo(subject, zone);
        return true;
    }
    if (!has_texts || query_.type != RecordType::txt) {
        if (node == nullptr) nodata(zone);
        return node == nullptr;
    }
    records_.clear();
    uint32_t ttl = ZoneOverlay::challenge_ttl;
    if (node != nullptr) {
        if (node->debug_of.valid() || table_->find_set(*node, RecordType::cname) != nullptr) return false;
        if (const StaticSet* set = table_->find_set(*node, RecordType::txt)) {
            ttl = std::min(ttl, set->ttl);
            for (const StaticRecord& record : table_->records(*set)) records_.push_back(table_->data(record));
        }
    }
    for (const std::vector<uint8_t>& text : entry.texts) {
        const bool known = std::any_of(records_.begin(), records_.end(),
                                       [&](ByteSpan other) { return std::ranges::equal(other, text); });
        if (!known) records_.push_back(text);
    }
    truncated_ = !put(Section::answer, {subject.owner, RecordType::txt, ttl, ttl, &zone}, records_);
    return true;
}

void Answerer::Impl::select(const Node& node) {
    const ServiceId service = node.debug_of.valid() ? node.debug_of : node.service;
    serving_->steering->select(service, *serving_->health, client(), selection_);
    outcome_.service = service;
    outcome_.last_resort = selection_.last_resort;
    depends_.maps = static_cast<uint8_t>(depends_.maps | selection_.depends.maps);
    depends_.block = depends_.block || selection_.depends.block;
    selected_scope_ = selection_.scope;
    tailored_ = true;
    tell_circumstances();
    if (edns_.subnet != nullptr) edns_.scope = echoed_scope(selection_.scope);
}

// What an operator who looks at the answer wants to know of how it came about (RFC 8914). No code but "other"
// fits what is not an error.
void Answerer::Impl::tell_circumstances() {
    const HealthSnapshot& health = *serving_->health;
    const auto tell = [this](ExtendedError error, std::string_view text) {
        edns_.error = error;
        edns_.error_text = text;
    };
    const EndpointStatus* first = selection_.kind == SelectionKind::endpoints && !selection_.endpoints.empty()
                                      ? &health[selection_.endpoints.front()]
                                      : nullptr;
    if (selection_.last_resort)
        tell(ExtendedError::other, "no healthy gateway");
    else if (health.isolated)
        tell(ExtendedError::stale_answer, "health checks reach nothing; as before");
    else if (first != nullptr && first->admin == AdminState::forced_up)
        tell(ExtendedError::other, "forced up by an operator");
}

// Blocked where operators withhold every member: then it is policy, not failure.
void Answerer::Impl::fail_unhealthy(Rcode rcode) {
    const Model& model = serving_->authority->model();
    const HealthSnapshot& health = *serving_->health;
    const auto is_withheld = [&](GatewayId gateway) {
        const auto& endpoints = model[gateway].endpoints;
        return std::all_of(endpoints.begin(), endpoints.end(),
                           [&health](EndpointId id) { return health[id].withheld; });
    };
    const auto& members = model[selection_.service].gateways;
    if (std::all_of(members.begin(), members.end(), is_withheld))
        fail(rcode, ExtendedError::blocked, "all gateways are withheld by operators");
    else
        fail(rcode, ExtendedError::other, "no healthy gateway");
}

// The name's own service or the one that it falls back to may have decided.
uint32_t Answerer::Impl::steered_max_ttl(const Node& node) const {
    const Model& model = serving_->authority->model();
    const seconds most = std::max(model[node.service].ttl_max, model[selection_.service].ttl_max);
    return std::max(static_cast<uint32_t>(most.count()), steered_ttl());
}

void Answerer::Impl::answer_steered(const Node& node, const Subject& subject) {
    const ServedZone& zone = serving_->authority->zones()[node.zone];
    const SteeredName& steered = serving_->authority->steered(node.service);
    const Service& service = serving_->authority->model()[node.service];
    const bool wants_address = query_.type == RecordType::a || query_.type == RecordType::aaaa;
    const bool is_alias = service.answer == AnswerKind::cname;
    const bool is_made =
        !wants_address && serving_->authority->steered_records().has(node.service, query_.type);
    if (!wants_address && !is_alias && !is_made) {
        // Anything else is static, whatever health says; only a CNAME to elsewhere could be in its place.
        if (query_.type == RecordType::any) {
            add_hinfo(subject, zone);
            return;
        }
        if (query_.type != RecordType::cname || steered.fallback.empty()) {
            const StaticSet* set = table_->find_set(node, query_.type);
            if (set == nullptr)
                nodata(zone);
            else if (!add_set(Section::answer, subject.owner, *set, &zone))
                truncated_ = true;
            else
                add_additional(*set);
            return;
        }
    }
    // RFC 7871 section 7.2.1: of a chain that ends in a tailored answer only the start is given, so that each
    // part is cached for whom it holds. The client asks again for the rest.
    if (subject.chain > 0 && edns_.subnet != nullptr) return;
    if (!serving_->health->first_round_done) {
        fail(Rcode::servfail, ExtendedError::not_ready, "the first health checks have not finished");
        return;
    }
    select(node);
    const uint32_t ttl = steered_ttl();
    switch (selection_.kind) {
        case SelectionKind::endpoints:
            answer_addresses(node, subject);
            return;
        case SelectionKind::name: {
            const ByteSpan target = serving_->authority->steered(selection_.service).fallback;
            if (target.empty())
                nodata(zone, ttl);
            else
                truncated_ = !add_alias(subject, zone, ttl, steered_max_ttl(node), target);
            return;
        }
        case SelectionKind::nodata:
            untailor();
            nodata(zone, ttl);
            return;
        case SelectionKind::servfail:
            fail_unhealthy(Rcode::servfail);
            return;
        case SelectionKind::refuse:
            fail_unhealthy(Rcode::refused);
            return;
    }
}

void Answerer::Impl::answer_addresses(const Node& node, const Subject& subject) {
    const Authority& authority = *serving_->authority;
    const ServedZone& zone = authority.zones()[node.zone];
    const uint32_t ttl = steered_ttl();
    if (authority.model()[selection_.service].answer == AnswerKind::cname) {
        for (const EndpointId endpoint : selection_.endpoints) {
            const ByteSpan host = authority.host_of(endpoint);
            if (host.empty()) continue;
            truncated_ = !add_alias(subject, zone, ttl, steered_max_ttl(node), host);
            outcome_.endpoint = endpoint;
            return;
        }
        nodata(zone, ttl);
        return;
    }
    if (authority.steered_records().has(node.service, query_.type)) {
        answer_made(node, subject);
        return;
    }
    if (query_.type != RecordType::a && query_.type != RecordType::aaaa) {
        untailor();
        nodata(zone);
        return;
    }
    records_.clear();
    for (const EndpointId endpoint : selection_.endpoints) {
        const ByteSpan data = address_bytes((*serving_->health)[endpoint].address, query_.type);
        if (data.empty()) continue;
        records_.push_back(data);
        if (!outcome_.endpoint.valid()) outcome_.endpoint = endpoint;
    }
    if (!records_.empty()) {
        truncated_ =
            !put(Section::answer, {subject.owner, query_.type, ttl, steered_max_ttl(node), &zone}, records_);
        return;
    }
    // Negative answers are for everybody (RFC 7871 section 7.4) where no client could get this family. Where
    // others get addresses, a scope of 0 would take those away from them until the TTL ends.
    const SteeredName& steered = authority.steered(node.service);
    const bool family = query_.type == RecordType::a ? steered.may_have_v4 : steered.may_have_v6;
    if (!family) untailor();
    nodata(zone, family ? ttl : UINT32_MAX);
}

// Records that the service makes for its endpoints.
void Answerer::Impl::answer_made(const Node& node, const Subject& subject) {
    const Authority& authority = *serving_->authority;
    const ServedZone& zone = authority.zones()[node.zone];
    authority.steered_records().make(node.service, query_.type, selection_.endpoints, *serving_->health,
                                     made_);
    if (made_.records.empty()) {
        nodata(zone, steered_ttl());
        return;
    }
    outcome_.endpoint = selection_.endpoints.front();
    const Rrset rrset{subject.owner, query_.type, steered_ttl(), steered_max_ttl(node), &zone};
    truncated_ = !put(Section::answer, rrset, made_.records);
    if (truncated_) return;
    for (const ByteSpan data : made_.records) {
        const ByteSpan target = target_of(query_.type, data);
        if (target.empty()) continue;
        std::array<uint8_t, Name::max_size> lowered{};
        lower_wire(target, lowered.data());
        const uint32_t host = table_->find(ByteSpan(lowered).first(target.size()));
        if (host != no_index && !add_host(host)) return;
    }
}

void Answerer::Impl::answer_debug(const Node& node, const Subject& subject) {
    const ServedZone& zone = serving_->authority->zones()[node.zone];
    const Service& service = serving_->authority->model()[node.debug_of];
    const bool allowed =
        std::any_of(service.txt_allow.begin(), service.txt_allow.end(),
                    [this](const IpPrefix& prefix) { return prefix.contains(request_->source); });
    forbid_reuse();
    if (!allowed) {
        // Not NXDOMAIN: a resolver would keep that for clients that may ask.
        fail(Rcode::refused, ExtendedError::prohibited, {});
        return;
    }
    if (query_.type != RecordType::txt && query_.type != RecordType::any) {
        nodata(zone);
        return;
    }
    select(node);
    // For people: here memory is taken as needed.
    std::vector<std::vector<uint8_t>> texts;
    describe_service(*serving_, node.debug_of, selection_, [&](ByteSpan text) {
        texts.emplace_back(text.begin(), text.end());
        return true;
    });
    records_.assign(texts.begin(), texts.end());
    denied_.is_expanded = true;  // as far as its signature goes
    truncated_ = !put(Section::answer, {subject.owner, RecordType::txt, 0, 0, &zone}, records_);
}

void Answerer::Impl::answer_transfer(const ServedZone& zone) {
    const Authority& authority = *serving_->authority;
    if (!may_transfer(authority.model().zones[index_of(authority, zone)].transfer, request_->source,
                      signed_by_)) {
        fail(Rcode::refused, ExtendedError::prohibited, {});
        return;
    }
    const bool over_tcp = is_stream(request_->transport);
    std::optional<uint32_t> has;
    if (query_.type == RecordType::ixfr) {
        has = ixfr_serial(request_->message);
        if (!has) {
            rcode_ = Rcode::formerr;
            return;
        }
    } else if (!over_tcp) {
        // RFC 5936 section 4.2.
        fail(Rcode::refused, ExtendedError::not_supported, "a transfer needs TCP");
        return;
    }
    // RFC 1995 section 2: over UDP our SOA says that there is more to come for over TCP.
    if (has && (!over_tcp || !is_later(serial_of(*serving_, zone), *has))) {
        flags_ |= flag::aa;
        if (!add_set(Section::answer, query_.name.wire(), table_->set(zone.soa_set), &zone))
            truncated_ = true;
        return;
    }
    if (request_->streams_left == 0) {
        fail(Rcode::servfail, ExtendedError::other, "too many transfers at once");
        return;
    }
    transfer_ = std::make_unique<TransferStream>(*serving_, zone, query_, signer_);
}

void Answerer::Impl::answer_ds_of_child(const Node& apex, const Subject& subject) {
    flags_ |= flag::aa;
    const ServedZone& parent = serving_->authority->zones()[apex.parent_zone];
    for (const StaticSet& set : table_->parent_sets(apex)) {
        if (set.type != RecordType::ds) continue;
        truncated_ = !add_set(Section::answer, subject.owner, set, &parent);
        return;
    }
    denied_.at_parent = true;
    nodata(parent);
}

void Answerer::Impl::refer(const Node& cut) {
    const StaticSet* ns = table_->find_set(cut, RecordType::ns);
    if (!add_set(Section::authority, table_->name(cut), *ns, nullptr)) {
        truncated_ = true;
        return;
    }
    const ServedZone& zone = serving_->authority->zones()[cut.zone];
    if (wants_signatures_ && signed_zone(zone) != nullptr) {
        // RFC 4035 section 3.1.4: whether the child is signed is the parent's to say.
        const StaticSet* ds = table_->find_set(cut, RecordType::ds);
        denied_ = {table_->name(cut), table_->name(cut), &cut, false, false};
        collect_types(zone);
        const bool fits = ds != nullptr ? add_set(Section::authority, table_->name(cut), *ds, &zone)
                                        : put_nsec(zone, zone.negative_ttl);
        if (!fits) {
            truncated_ = true;
            return;
        }
    }
    // RFC 9471: addresses of servers inside the delegation must be there, or the client must come back over
    // TCP.
    const auto records = table_->records(*ns);
    const auto is_inside = [&](const StaticRecord& record) {
        return record.target != no_index && table_->node(record.target).cut != no_index &&
               &table_->node(table_->node(record.target).cut) == &cut;
    };
    for (const StaticRecord& record : records)
        if (is_inside(record) && !add_host(record.target)) {
            truncated_ = true;
            return;
        }
    for (const StaticRecord& record : records)
        if (record.target != no_index && !is_inside(record) && !add_host(record.target)) return;
}

void Answerer::Impl::nodata(const ServedZone& zone, uint32_t ttl_cap) {
    // RFC 2308 section 3: the TTL of this SOA is that of the negative answer.
    const StaticSet& soa = table_->set(zone.soa_set);
    const uint32_t ttl = std::min(zone.negative_ttl, ttl_cap);
    if (!add_set(Section::authority, zone.apex.wire(), soa, &zone, ttl)) truncated_ = true;
    if (truncated_ || !wants_signatures_ || signed_zone(zone) == nullptr) return;
    collect_types(zone);
    // What was asked for is not there just now, and a CNAME would have been the answer.
    types_.remove(RecordType::cname);
    if (query_.type != RecordType::nsec && query_.type != RecordType::rrsig) types_.remove(query_.type);
    truncated_ = !put_nsec(zone, ttl);
}

void Answerer::Impl::nxdomain(const ServedZone& zone) {
    // RFC 9824 section 3.1 and 5: a compact answer says it in the NSEC, and in the header only to who asks
    // for that. Older validators would miss the proof of a wildcard's absence that goes with NXDOMAIN.
    const bool is_compact = wants_signatures_ && signed_zone(zone) != nullptr;
    if (!is_compact || edns_.compact_ok) rcode_ = Rcode::nxdomain;
    nodata(zone);
}

const SignedZone* Answerer::Impl::signed_zone(const ServedZone& zone) const {
    if (serving_->signing == nullptr) return nullptr;
    return serving_->signing->zone(static_cast<size_t>(&zone - serving_->authority->zones().data()));
}

// What signing adds to a name: its keys, its NSEC, and its failures. False: the question is about the zone's
// own data.
bool Answerer::Impl::answer_from_signing(const Node* node, const Subject& subject, const ServedZone& zone) {
    const SignedZone& signing = *signed_zone(zone);
    const RecordType type = query_.type;
    const bool is_about_signing = type == RecordType::dnskey || type == RecordType::cds ||
                                  type == RecordType::cdnskey || type == RecordType::nsec ||
                                  type == RecordType::rrsig;
    if (!signing.trouble.empty() && (wants_signatures_ || is_about_signing)) {
        forbid_reuse();
        fail(Rcode::servfail, ExtendedError::other, "the zone's keys cannot be used");
        return true;
    }
    if (!is_about_signing || node == nullptr) return false;
    if (node == &table_->node(zone.first_node)) {
        if (const ApexSet* set = signing.apex_set(type)) {
            records_.assign(set->records.begin(), set->records.end());
            truncated_ = !put(Section::answer, {subject.owner, type, set->ttl, set->ttl, &zone}, records_);
            return true;
        }
    }
    if (type != RecordType::nsec && type != RecordType::rrsig) return false;
    collect_types(zone);
    const ByteSpan data = nsec_data(denied_.lowered, types_, nsec_);
    const Rrset nsec{subject.owner, RecordType::nsec, zone.negative_ttl, zone.negative_ttl, &zone};
    // RFC 8482 section 7: of all signatures that there could be, some.
    truncated_ = type == RecordType::nsec ? !put(Section::answer, nsec, {&data, 1})
                                          : !put_signatures(Section::answer, nsec, {&data, 1});
    return true;
}

// Every type that the name may have for anyone. A record that some client could get must not be denied to
// others: resolvers may make answers from an NSEC (RFC 8198).
void Answerer::Impl::collect_types(const ServedZone& zone) {
    types_.clear();
    types_.add(RecordType::rrsig);
    types_.add(RecordType::nsec);
    // A challenge that is set for a while, or a name above one.
    const ZoneOverlay* overlay = serving_->overlay.get();
    const ZoneOverlay::Entry* entry =
        overlay != nullptr && overlay->has_challenges() ? overlay->find(denied_.lowered) : nullptr;
    if (entry != nullptr && !entry->texts.empty()) types_.add(RecordType::txt);
    if (denied_.node == nullptr) {
        if (entry == nullptr) types_.add(RecordType::nxname);
        return;
    }
    const Node& node = *denied_.node;
    const bool is_cut = node.cut != no_index || denied_.at_parent;
    // At a delegation only what is the parent's (RFC 4035 section 2.3); always NS, or the child would seem to
    // be part of this zone.
    if (is_cut) types_.add(RecordType::ns);
    for (const StaticSet& set : denied_.at_parent ? table_->parent_sets(node) : table_->sets(node))
        if (!is_cut || set.type == RecordType::ds) types_.add(set.type);
    if (is_cut) return;
    if (node.debug_of.valid()) types_.add(RecordType::txt);
    if (node.service.valid()) {
        const SteeredName& steered = serving_->authority->steered(node.service);
        if (serving_->authority->model()[node.service].answer == AnswerKind::cname) {
            types_.add(RecordType::cname);
        } else {
            if (steered.may_have_v4) types_.add(RecordType::a);
            if (steered.may_have_v6) types_.add(RecordType::aaaa);
            serving_->authority->steered_records().for_each_type(
                node.service, [this](RecordType type) { types_.add(type); });
        }
    }
    if (&node == &table_->node(zone.first_node))
        for (const ApexSet& set : signed_zone(zone)->apex_sets) types_.add(set.type);
}

bool Answerer::Impl::put_nsec(const ServedZone& zone, uint32_t ttl) {
    const ByteSpan data = nsec_data(denied_.lowered, types_, nsec_);
    return put(Section::authority, {denied_.owner, RecordType::nsec, ttl, zone.negative_ttl, &zone},
               {&data, 1});
}

bool Answerer::Impl::add_alias(const Subject& subject, const ServedZone& zone, uint32_t ttl, uint32_t max_ttl,
                               ByteSpan target) {
    return put(Section::answer, {subject.owner, RecordType::cname, ttl, max_ttl, &zone}, {&target, 1});
}

// RFC 8482 section 4.2.
void Answerer::Impl::add_hinfo(const Subject& subject, const ServedZone& zone) {
    const ByteSpan data(hinfo_data);
    truncated_ =
        !put(Section::answer, {subject.owner, RecordType::hinfo, hinfo_ttl, hinfo_ttl, &zone}, {&data, 1});
}

bool Answerer::Impl::add_set(Section section, ByteSpan owner, const StaticSet& set, const ServedZone* zone,
                             uint32_t ttl_cap) {
    records_.clear();
    if (set.type == RecordType::soa && serving_->overlay != nullptr && zone != nullptr)
        records_.push_back(serving_->overlay->soa_data(index_of(*serving_->authority, *zone)));
    else
        for (const StaticRecord& record : table_->records(set)) records_.push_back(table_->data(record));
    return put(section, {owner, set.type, std::min(set.ttl, ttl_cap), set.ttl, zone}, records_);
}

// Every RRset of every response in class IN goes through here, as a whole or not at all.
bool Answerer::Impl::put(Section section, const Rrset& rrset, std::span<const ByteSpan> records) {
    // The commonest records under the question's own name need no search for something to compress with.
    const bool plain = rrset.owner.data() == query_.name.wire().data() &&
                       (rrset.type == RecordType::a || rrset.type == RecordType::aaaa);
    const ResponseWriter::Mark before = writer_.mark();
    for (const ByteSpan data : records) {
        const bool fits = plain ? writer_.record_at_question(section, rrset.type, rrset.ttl, data)
                                : writer_.record(section, rrset.owner, rrset.type, rrset.ttl, data);
        if (!fits) {
            writer_.rewind(before);
            return false;
        }
    }
    if (!wants_signatures_ || rrset.zone == nullptr || signed_zone(*rrset.zone) == nullptr) return true;
    if (put_signatures(section, rrset, records)) return true;
    writer_.rewind(before);
    return false;
}

bool Answerer::Impl::put_signatures(Section section, const Rrset& rrset, std::span<const ByteSpan> records) {
    const SignedZone& zone = *signed_zone(*rrset.zone);
    // What is added for convenience may come from another zone, whose troubles are not this answer's.
    if (section == Section::additional && !zone.trouble.empty()) return false;
    const bool is_passing = denied_.is_expanded && rrset.owner.data() == denied_.owner.data();
    const auto signatures =
        zone.trouble.empty()
            ? rrset_signer_.sign(*serving_->signing, zone, rrset.owner, rrset.type, rrset.max_ttl, records,
                                 is_passing ? Recurrence::passing : Recurrence::lasting)
            : std::span<const ByteSpan>();
    if (signatures.empty()) {
        cannot_sign_ = true;
        return false;
    }
    for (const ByteSpan data : signatures)
        if (!writer_.record(section, rrset.owner, RecordType::rrsig, rrset.ttl, data)) return false;
    return true;
}

void Answerer::Impl::add_additional(const StaticSet& set) {
    for (const StaticRecord& record : table_->records(set))
        if (record.target != no_index && !add_host(record.target)) return;
}

bool Answerer::Impl::add_host(uint32_t node) {
    const auto end = added_hosts_.begin() + static_cast<std::ptrdiff_t>(added_host_count_);
    if (std::find(added_hosts_.begin(), end, node) != end) return true;
    if (added_host_count_ == max_additional) return false;
    added_hosts_[added_host_count_++] = node;
    const Node& host = table_->node(node);
    // Glue is nobody's authoritative data.
    const ServedZone* zone = host.cut == no_index ? &serving_->authority->zones()[host.zone] : nullptr;
    const ResponseWriter::Mark before = writer_.mark();
    for (const StaticSet& set : table_->sets(host)) {
        if (set.type != RecordType::a && set.type != RecordType::aaaa) continue;
        if (add_set(Section::additional, table_->name(host), set, zone)) continue;
        writer_.rewind(before);
        return false;
    }
    return true;
}

std::unique_ptr<ResponseStream> Answerer::Impl::take_stream(std::shared_ptr<const Serving> same) {
    if (transfer_ == nullptr || transfer_->done()) return nullptr;
    transfer_->hold(std::move(same));
    return std::move(transfer_);
}

Answerer::Answerer() : Answerer(0) {}
Answerer::Answerer(size_t cached_answers) : impl_(std::make_unique<Impl>(cached_answers)) {}
Answerer::~Answerer() = default;
Answerer::Answerer(Answerer&&) noexcept = default;
Answerer& Answerer::operator=(Answerer&&) noexcept = default;

void Answerer::set_version(uint64_t version) noexcept {
    impl_->set_version(version);
}

size_t Answerer::answer(const Serving& serving, const Request& request, std::span<uint8_t> out) {
    return impl_->answer(serving, request, out);
}

void Answerer::expect(const Serving& serving, std::span<const Request> requests) noexcept {
    std::array<uint32_t, max_expected> addresses;
    size_t count = 0;
    for (const Request& request : requests.first(std::min(requests.size(), max_expected))) {
        uint32_t address = peek_subnet(request.message);
        if (address == 0 && request.source.is_v4()) address = request.source.v4_host_order();
        if (address != 0) addresses[count++] = address;
    }
    serving.steering->prefetch(std::span(addresses).first(count));
}

const Outcome& Answerer::outcome() const noexcept {
    return impl_->outcome();
}

std::unique_ptr<ResponseStream> Answerer::take_stream(std::shared_ptr<const Serving> same) {
    return impl_->take_stream(std::move(same));
}

}  // namespace fairway::dns
