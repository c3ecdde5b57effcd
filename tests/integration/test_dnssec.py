# SPDX-License-Identifier: Apache-2.0
"""Signed answers as real validators see them: delv and unbound, with nothing but the zone's key as trust anchor, take
every kind of answer, also while gateways fail and while keys are rolled over; and they notice a wrong anchor."""
import re
import subprocess
import threading
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest
from harness import eventually, loopback
from test_main_path import AMERICA, GERMANY, NAME, Demo

ZONE = "gslb.example.com"
STATIC = """$TTL 30
host    A 192.0.2.70
        AAAA 2001:db8::70
alias   CNAME host
steered CNAME vpn
outside CNAME www.example.net.
mail    MX 10 host
_ike._udp SRV 1 2 500 host
text    TXT "one" "two"
*.wild  A 192.0.2.80
*.cwild CNAME host
a.b.ent A 192.0.2.81
plain   NS ns.plain
ns.plain A 192.0.2.90
child   NS ns.child
ns.child A 192.0.2.91
secure  NS ns.secure
        DS 12345 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
ns.secure A 192.0.2.92
"""
# Name below the zone, type, and whether there is data.
POSITIVE = [("vpn", "A"), ("steered", "A"), ("host", "A"), ("host", "AAAA"), ("alias", "A"), ("mail", "MX"),
            ("_ike._udp", "SRV"), ("text", "TXT"), ("x.wild", "A"), ("a.b.wild", "A"), ("x.cwild", "AAAA"),
            ("a.b.ent", "A"), ("", "SOA"), ("", "NS"), ("", "DNSKEY"), ("alias", "CNAME"), ("secure", "DS"), ("vpn", "NSEC")]
NEGATIVE = [("vpn", "AAAA"), ("vpn", "TXT"), ("host", "MX"), ("b.ent", "A"), ("ent", "TXT"), ("x.wild", "MX"),
            ("", "MX"), ("plain", "DS"), ("child", "DS"), ("alias", "TXT"), ("x.cwild", "SRV")]
MISSING = [("nope", "A"), ("a.b.c.nope", "AAAA"), ("nope.host", "A"), ("_tcp", "SRV")]


def full(name: str) -> str:
    return f"{name}.{ZONE}." if name else f"{ZONE}."


class Signed(Demo):
    """The demo with a signed zone, an unsigned child of it, and static records of all kinds."""

    def start_signed(self, dnssec: str = "true", **changes):
        self.dnssec = dnssec
        (self.folder / "zone").write_text(STATIC)
        (self.folder / "child").write_text("$TTL 30\n@ NS ns\nns A 192.0.2.91\nhost A 192.0.2.95\n")
        return self.start(**changes)

    def demo_config(self, extra: str = "", **replace) -> str:
        text = super().demo_config(extra, **replace)
        heading = f'[zone."{ZONE}"]\n'
        assert heading in text
        return text.replace(heading, f'{heading}dnssec = {self.dnssec}\nfile = "{self.folder}/zone"\n') + f"""
[zone."child.{ZONE}"]
file = "{self.folder}/child"
"""

    def key_files(self):
        return sorted((self.folder / "state" / "keys" / ZONE).glob("*.private"))

    def anchors(self, *tags):
        """DNSKEYs of the SEP keys as (flags, protocol, algorithm, key); of these tags, or of all."""
        keys = self.fairway_json("zone", "keys", ZONE)["keys"]
        return [key["dnskey"].split() for key in keys
                if key["role"] in ("csk", "ksk") and (not tags or key["tag"] in tags)]

    def tags(self, role: str):
        return [key["tag"] for key in self.fairway_json("zone", "keys", ZONE)["keys"] if key["role"] == role]

    # delv

    def delv(self, name: str, kind: str, anchors=None) -> str:
        anchor_file = self.folder / "anchor"
        lines = [f'  {ZONE}. static-key {a[0]} {a[1]} {a[2]} "{a[3]}";' for a in anchors or self.anchors()]
        anchor_file.write_text("trust-anchors {\n" + "\n".join(lines) + "\n};\n")
        done = subprocess.run(["delv", f"@{self.address}", "-p", str(self.port), "-a", str(anchor_file),
                               f"+root={ZONE}", "+nocrypto", name, kind], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    # unbound

    def start_unbound(self, name: str, anchors=None):
        """A validating resolver that knows the zone's keys and where it is; returns its address."""
        address = loopback()
        port = 5353
        anchor_lines = "\n".join(f'  trust-anchor: "{ZONE}. DNSKEY {" ".join(a)}"' for a in anchors or self.anchors())
        config = self.folder / f"{name}.conf"
        config.write_text(f"""
server:
  interface: {address}
  port: {port}
  do-daemonize: no
  chroot: ""
  username: ""
  directory: "{self.folder}"
  pidfile: "{self.folder}/{name}.pid"
  use-syslog: no
  logfile: ""
  verbosity: 1
  num-threads: 1
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no
  do-ip6: no
  module-config: "validator iterator"
  val-log-level: 2
  harden-algo-downgrade: yes
  harden-dnssec-stripped: yes
  aggressive-nsec: yes
  qname-minimisation: yes
  cache-max-ttl: 1
  cache-max-negative-ttl: 1
  val-bogus-ttl: 0
  infra-host-ttl: 1
{anchor_lines}
stub-zone:
  name: "{ZONE}"
  stub-addr: {self.address}@{self.port}
remote-control:
  control-enable: no
""")
        program = self.run(name, ["unbound", "-d", "-c", config])
        eventually(f"{name} answers", lambda: program.running() and self.resolve(address, full(""), "SOA"), 30)
        return address

    def resolve(self, resolver: str, name: str, kind: str) -> dns.message.Message:
        query = dns.message.make_query(name, kind, want_dnssec=True)
        query.flags |= dns.flags.AD
        return dns.query.udp(query, resolver, port=5353, timeout=10)


def is_secure(reply) -> bool:
    return reply.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN) and bool(reply.flags & dns.flags.AD)


@pytest.mark.parametrize("dnssec", ["true", '{ algorithm = "ed25519", keys = "ksk-zsk" }'])
def test_delv_and_unbound_validate_every_kind_of_answer(dnssec):
    with Signed() as world:
        world.start_signed(dnssec)
        resolver = world.start_unbound("unbound")
        for name, kind in POSITIVE:
            reply = world.resolve(resolver, full(name), kind)
            assert is_secure(reply) and reply.answer, (name, kind, reply.to_text())
        for name, kind in NEGATIVE:
            reply = world.resolve(resolver, full(name), kind)
            assert is_secure(reply) and reply.rcode() == dns.rcode.NOERROR, (name, kind, reply.to_text())
            assert not [rrset for rrset in reply.answer if rrset.rdtype == dns.rdatatype.from_text(kind)], (name, kind)
        for name, kind in MISSING:
            reply = world.resolve(resolver, full(name), kind)
            assert is_secure(reply) and not reply.answer, (name, kind, reply.to_text())
        # The child is not signed, and its parent proves that it need not be.
        reply = world.resolve(resolver, f"host.child.{ZONE}", "A")
        assert reply.rcode() == dns.rcode.NOERROR and reply.answer and not reply.flags & dns.flags.AD, reply.to_text()

        # delv says the same in words.
        for name, kind in [("vpn", "A"), ("steered", "A"), ("x.wild", "A"), ("mail", "MX"), ("", "DNSKEY")]:
            text = world.delv(full(name), kind)
            assert "; fully validated" in text, (name, kind, text)
        for name, kind in [("vpn", "AAAA"), ("b.ent", "A"), ("nope", "A"), ("x.wild", "MX"), ("plain", "DS")]:
            text = world.delv(full(name), kind)
            assert "; negative response, fully validated" in text, (name, kind, text)

        # Who asks without DO notices nothing.
        assert world.query(full("nope")).rcode() == dns.rcode.NXDOMAIN
        assert len(world.query(NAME).answer) == 1


def test_a_wrong_anchor_and_a_changed_signature_are_noticed():
    with Signed() as world:
        world.start_signed()
        right = world.anchors()
        # The right length, another key.
        key = right[0][3]
        wrong = [[*right[0][:3], key[:10] + ("A" if key[10] != "A" else "B") + key[11:]]]
        assert "; fully validated" in world.delv(full("vpn"), "A", right)
        text = world.delv(full("vpn"), "A", wrong)
        assert "fully validated" not in text and "resolution failed" in text, text
        # dnspython verifies the real answer, and not one with another address.
        reply = world.query(full("vpn"), "A", want_dnssec=True)
        rrset = next(r for r in reply.answer if r.rdtype == dns.rdatatype.A)
        rrsig = next(r for r in reply.answer if r.rdtype == dns.rdatatype.RRSIG)
        keys = next(r for r in world.query(full(""), "DNSKEY").answer if r.rdtype == dns.rdatatype.DNSKEY)
        dns.dnssec.validate(rrset, rrsig, {dns.name.from_text(ZONE): keys})
        rrset.add(dns.rdata.from_text("IN", "A", "192.0.2.66"))
        with pytest.raises(dns.dnssec.ValidationFailure):
            dns.dnssec.validate(rrset, rrsig, {dns.name.from_text(ZONE): keys})


class Watch:
    """Asks a resolver again and again in a thread and keeps every answer that did not validate."""

    def __init__(self, world, resolvers, questions):
        self.world, self.resolvers, self.questions = world, resolvers, questions
        self.wrong, self.right = [], 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.done.is_set():
            for resolver in self.resolvers:
                for name, kind in self.questions:
                    try:
                        reply = self.world.resolve(resolver, full(name), kind)
                    except dns.exception.Timeout:
                        continue  # a machine under load; an answer that is wrong would have come
                    if is_secure(reply):
                        self.right += 1
                    else:
                        self.wrong.append((time.monotonic(), name, kind, reply.to_text()))
            self.done.wait(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def test_answers_validate_while_gateways_flap():
    with Signed() as world:
        world.start_signed()
        resolver = world.start_unbound("unbound")
        fra1 = {world.at("1.10"), world.at("1.11")}
        with Watch(world, [resolver], [("vpn", "A"), ("steered", "A"), ("vpn", "AAAA")]) as watch:
            for _ in range(2):
                world.fault("fra1", "refuse")
                eventually("answers leave fra1", lambda: not set(world.nearest(GERMANY)) & fra1)
                eventually("the resolver sees it", lambda: not fra1 & {
                    r.address for s in world.resolve(resolver, NAME, "A").answer if s.rdtype == dns.rdatatype.A for r in s})
                world.fault("fra1", "none")
                eventually("answers return to fra1", lambda: set(world.nearest(GERMANY)) == fra1, 30)
            # Clients elsewhere have other answers, with signatures of their own.
            for subnet in (GERMANY, AMERICA):
                reply = world.query(full("vpn"), "A", subnet, want_dnssec=True)
                keys = next(r for r in world.query(full(""), "DNSKEY").answer if r.rdtype == dns.rdatatype.DNSKEY)
                dns.dnssec.validate(next(r for r in reply.answer if r.rdtype == dns.rdatatype.A),
                                    next(r for r in reply.answer if r.rdtype == dns.rdatatype.RRSIG),
                                    {dns.name.from_text(ZONE): keys})
            eventually("enough was seen", lambda: watch.right > 100, 60)
        assert not watch.wrong, watch.wrong[0]


SHORT = '{{ keys = "{}", dnskey_ttl = 1, parent_ds_ttl = 1, propagation = 1 }}'


def test_a_zsk_rolls_over_while_a_resolver_validates():
    with Signed() as world:
        world.start_signed(SHORT.format("ksk-zsk"))
        resolver = world.start_unbound("unbound")
        old = world.tags("zsk")
        with Watch(world, [resolver], [("vpn", "A"), ("host", "A"), ("nope", "A")]) as watch:
            assert "made" in world.fairway("zone", "roll", ZONE, "--zsk")
            world.fairway("zone", "roll", ZONE, "--zsk", check=5)  # one at a time
            new = [tag for tag in world.tags("zsk") if tag not in old]
            assert len(new) == 1

            def signer():
                reply = world.query(full("host"), "A", want_dnssec=True)
                return {r.key_tag for s in reply.answer if s.rdtype == dns.rdatatype.RRSIG for r in s}
            eventually("the new key signs", lambda: signer() == set(new), 30)
            seen = watch.right
            eventually("the resolver goes on", lambda: watch.right > seen + 10, 30)
        assert not watch.wrong, watch.wrong[0]
        audit = world.fairway("audit")
        assert "zone.roll" in audit and ZONE in audit


def test_a_combined_key_rolls_over_through_cds_and_the_operators_word():
    with Signed() as world:
        program = world.start_signed(SHORT.format("csk"))
        assert "do not give this to the parent before" in world.fairway("zone", "ds", ZONE)
        world.fairway("zone", "ds-seen", ZONE, check=5)  # too early
        assert not world.query(full(""), "CDS").answer
        # An operator who knows that nobody has the zone cached moves the time in the key's file.
        assert program.stop() == 0
        (key,) = world.key_files()
        key.write_text(re.sub(r"SyncPublish: \d+", "SyncPublish: 20240101000000", key.read_text()))
        world.start_fairwayd(world.config)
        first = world.tags("csk")
        (cds,) = [s for s in world.query(full(""), "CDS").answer if s.rdtype == dns.rdatatype.CDS]
        line = next(l for l in world.fairway("zone", "ds", ZONE).splitlines() if " IN DS " in l)
        assert cds[0].to_text().upper() == line.split(" IN DS ")[1].upper()
        assert "has the DS" in world.fairway("zone", "ds-seen", ZONE)
        world.fairway("zone", "ds-seen", ZONE, check=5)  # nothing waits any more

        old_anchor = world.anchors()
        resolvers = [world.start_unbound("unbound-old", old_anchor)]
        with Watch(world, resolvers, [("vpn", "A"), ("nope", "A"), ("", "CDS")]) as watch:
            world.fairway("zone", "roll", ZONE, "--csk")
            (new,) = [tag for tag in world.tags("csk") if tag not in first]

            def announced():
                return {r.key_tag for s in world.query(full(""), "CDS").answer if s.rdtype == dns.rdatatype.CDS for r in s}
            eventually("CDS asks for the new key", lambda: announced() == {new}, 30)
            # The parent has both or either: both chains hold.
            resolvers.append(world.start_unbound("unbound-new", world.anchors(new)))
            world.fairway("zone", "ds-seen", ZONE)
            seen = watch.right
            eventually("both resolvers go on", lambda: watch.right > seen + 20, 30)
        assert not watch.wrong, watch.wrong[0]
        states = {key["tag"]: key["times"] for key in world.fairway_json("zone", "keys", ZONE)["keys"]}
        assert "remove" in states[first[0]] and "remove" not in states[new]


def test_a_damaged_key_never_unsigns_the_zone():
    with Signed() as world:
        program = world.start_signed()
        (key,) = world.key_files()
        good = key.read_text()
        assert program.stop() == 0
        key.write_text(good.replace("PrivateKey: ", "PrivateKey: AAAA"))
        world.start_fairwayd(world.config)
        assert world.query(NAME, "A").rcode() == dns.rcode.NOERROR
        for name, kind in [("vpn", "A"), ("nope", "A"), ("", "SOA"), ("", "DNSKEY")]:
            assert world.query(full(name), kind, want_dnssec=True).rcode() == dns.rcode.SERVFAIL
        # The child has no keys that could be damaged.
        assert world.query(f"host.child.{ZONE}", "A", want_dnssec=True).rcode() == dns.rcode.NOERROR
        assert "cannot be used" in world.fairway("zone", "keys", ZONE)
        refused = world.fairway_raw("reload")
        assert refused.returncode != 0 and key.name in refused.stdout + refused.stderr
        key.write_text(good)
        world.fairway("reload")
        eventually("it signs again", lambda: [s for s in world.query(full("vpn"), "A", want_dnssec=True).answer
                                              if s.rdtype == dns.rdatatype.RRSIG])
        assert "; fully validated" in world.delv(full("vpn"), "A")
