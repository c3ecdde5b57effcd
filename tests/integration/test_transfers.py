# SPDX-License-Identifier: Apache-2.0
"""Zones leave for secondaries: a real Knot and a real NSD copy one with TSIG, hear of changes by NOTIFY and serve them;
strangers get nothing; a slow reader delays nobody; ACME challenges come, reach the secondary and go by themselves."""
import base64
import socket
import struct
import threading

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.zone
import pytest
from harness import Scenario, eventually, loopback

ZONE = "gslb.example.com"
NAME = f"vpn.{ZONE}"
SECRET = base64.b64encode(bytes(range(32))).decode()
KEY = "transfer.example.com"


class Primary(Scenario):
    """fairwayd with one steered name and a zone file, and a listener that its probe finds healthy."""

    def __init__(self):
        super().__init__()
        self.target, self.silent = loopback(), loopback()
        self.listener = socket.create_server((self.target, 4433))
        self.secondary = loopback()
        self.secondary_port = 5301
        (self.folder / "secret").write_text(SECRET)
        (self.folder / "secret").chmod(0o600)

    def __exit__(self, *what):
        self.listener.close()
        super().__exit__(*what)

    def zone_file(self, text: str):
        (self.folder / "static.zone").write_text("$TTL 300\n" + text)

    def config(self, algorithm: str = "hmac-sha256", allow: str = f'"key:{KEY}"') -> str:
        return f"""
[tsig."{KEY}"]
algorithm = "{algorithm}"
secret = "file:secret"
[zone."{ZONE}"]
ns = {{ "ns1.{ZONE}" = ["192.0.2.53"] }}
file = "static.zone"
transfer = {{ allow = [{allow}], notify = ["{self.secondary}:{self.secondary_port} key:{KEY}"] }}
[monitor.port]
type = "tcp"
port = 4433
interval = "1s"
timeout = "500ms"
[region.here]
location = {{ latitude = 50, longitude = 8 }}
[gateway.one]
region = "here"
endpoints = ["{self.target}", "{self.silent}"]
monitors = ["port"]
[service.vpn]
name = "{NAME}"
gateways = ["one"]
policy = ["healthy", "first 1"]
"""

    def serial(self, address: str = "", port: int = 0) -> int:
        reply = self.query(ZONE, "SOA", address=address, port=port)
        return reply.answer[0][0].serial

    def texts(self, name: str, address: str = "", port: int = 0) -> set:
        reply = self.query(name, "TXT", address=address, port=port)
        return {b"".join(record.strings).decode() for rrset in reply.answer for record in rrset}

    def xfr(self, key: str = KEY, secret: str = SECRET, algorithm=dns.tsig.HMAC_SHA256) -> dns.zone.Zone:
        keyring = dns.tsigkeyring.from_text({key: secret}) if key else None
        return dns.zone.from_xfr(dns.query.xfr(self.address, ZONE, port=self.port, keyring=keyring, keyname=key or None,
                                               keyalgorithm=algorithm, lifetime=20, relativize=False),
                                 relativize=False, check_origin=True)

    def start_knot(self):
        folder = self.folder / "knot"
        folder.mkdir()
        (folder / "knot.conf").write_text(f"""
server:
    rundir: "{folder}"
    listen: {self.secondary}@{self.secondary_port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stdout
    any: info
database:
    storage: "{folder}"
key:
  - id: {KEY}
    algorithm: hmac-sha256
    secret: {SECRET}
remote:
  - id: primary
    address: {self.address}@{self.port}
    key: {KEY}
acl:
  - id: primary_says
    key: {KEY}
    action: notify
template:
  - id: default
    storage: "{folder}"
zone:
  - domain: {ZONE}
    master: primary
    acl: primary_says
""")
        return self.run("knotd", ["/usr/sbin/knotd", "-c", folder / "knot.conf"])

    def start_nsd(self):
        folder = self.folder / "nsd"
        folder.mkdir()
        (folder / "nsd.conf").write_text(f"""
server:
    ip-address: {self.secondary}@{self.secondary_port}
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    server-count: 1
    verbosity: 2
    rrl-ratelimit: 0
remote-control:
    control-enable: no
key:
    name: "{KEY}"
    algorithm: hmac-sha256
    secret: "{SECRET}"
zone:
    name: "{ZONE}"
    zonefile: "{folder}/zone"
    request-xfr: AXFR {self.address}@{self.port} {KEY}
    allow-notify: 127.0.0.0/8 {KEY}
""")
        return self.run("nsd", ["/usr/sbin/nsd", "-d", "-c", folder / "nsd.conf"])

    def from_secondary(self, name: str, kind: str = "A") -> list:
        return sorted(self.addresses(name, kind, address=self.secondary, port=self.secondary_port))


@pytest.fixture
def primary():
    with Primary() as scenario:
        scenario.zone_file("www A 192.0.2.80\n")
        yield scenario


@pytest.mark.parametrize("secondary", ["knot", "nsd"])
def test_a_secondary_copies_the_zone_and_follows_its_changes(primary, secondary):
    program = primary.start_knot() if secondary == "knot" else primary.start_nsd()
    primary.start_fairwayd(primary.config())
    eventually(f"{secondary} has the zone", lambda: program.running() and primary.from_secondary(f"www.{ZONE}"), 40)
    # The steered name as if all were healthy, although the second endpoint is not and only one is ever answered.
    assert len(primary.from_secondary(NAME)) == 2
    assert len(primary.addresses(NAME)) == 1
    before = primary.serial()
    assert primary.serial(primary.secondary, primary.secondary_port) == before

    primary.zone_file("www A 192.0.2.80\nwww A 192.0.2.81\n")
    primary.fairway("reload")
    assert primary.serial() > before
    # Its own refresh would come in an hour: only the NOTIFY can tell it.
    eventually(f"{secondary} serves the change",
               lambda: primary.from_secondary(f"www.{ZONE}") == ["192.0.2.80", "192.0.2.81"], 40)
    eventually("the success is told", lambda: f"has been told of serial {primary.serial()}" in primary.fairway("events"))


@pytest.mark.parametrize("algorithm", ["hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"])
def test_an_independent_client_verifies_every_message(primary, algorithm):
    primary.zone_file("".join(f"host{i} A 192.0.2.1\n" for i in range(3000)))
    primary.start_fairwayd(primary.config(algorithm))
    zone = primary.xfr(algorithm=dns.name.from_text(algorithm))
    assert len(zone.nodes) == 3000 + 3
    reply = dns.message.make_query(f"host1.{ZONE}", "A")
    reply.use_tsig(dns.tsigkeyring.from_text({KEY: SECRET}), KEY, algorithm=dns.name.from_text(algorithm))
    answer = dns.query.udp(reply, primary.address, port=primary.port, timeout=3)
    assert answer.had_tsig and answer.rcode() == dns.rcode.NOERROR


def test_strangers_get_nothing(primary):
    primary.start_fairwayd(primary.config())
    with pytest.raises(dns.query.TransferError, match="REFUSED"):
        primary.xfr(key="")
    with pytest.raises(dns.tsig.PeerBadKey):
        primary.xfr(key="other.example.com")
    with pytest.raises(dns.tsig.PeerBadSignature):
        primary.xfr(secret=base64.b64encode(bytes(32)).decode())
    with pytest.raises(dns.tsig.PeerBadKey):
        primary.xfr(algorithm=dns.tsig.HMAC_SHA512)
    assert len(primary.xfr().nodes) == 4
    # An address alone, where that is the rule.
    primary.write_config(primary.config(allow='"127.0.0.0/8"'))
    primary.fairway("reload")
    assert len(primary.xfr(key="").nodes) == 4


def test_a_slow_reader_delays_nobody_and_gets_the_whole_zone_in_the_end(primary):
    count = 40_000
    primary.zone_file("".join(f"host-{i} TXT \"{'x' * 120}\"\n" for i in range(count)))
    program = primary.start_fairwayd(primary.config(allow='"127.0.0.0/8"'), wait=False)
    eventually("fairwayd has read the large zone", lambda: program.running() and primary.ready(), 90)
    question = dns.message.make_query(ZONE, "AXFR").to_wire()
    received = bytearray()
    hurry = threading.Event()

    def read_slowly(connection: socket.socket):
        """A little every now and then, as who takes nothing at all is left after ten seconds; then all that comes."""
        while not hurry.wait(0.2):
            received.extend(connection.recv(2048))
        while chunk := connection.recv(1 << 20):
            received.extend(chunk)

    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(30)
        slow.connect((primary.address, primary.port))
        slow.sendall(struct.pack(">H", len(question)) + question)
        reader = threading.Thread(target=read_slowly, args=(slow,))
        reader.start()
        try:
            for _ in range(300):
                assert len(primary.addresses(NAME)) == 1
            # Nobody else's transfer waits either, and what the slow one has not taken is not kept ready for it.
            assert len(primary.xfr(key="").nodes) == count + 3
            resident = next(int(line.split()[1]) for line in open(f"/proc/{program.pid}/status")
                            if line.startswith("VmRSS"))
            assert resident < 400_000
            assert len(received) < 2_000_000
        finally:
            hurry.set()
            # Ends the reader: all questions are answered, and then the server closes.
            slow.shutdown(socket.SHUT_WR)
            reader.join(60)
    messages, at = [], 0
    while at < len(received):
        length = int.from_bytes(received[at:at + 2], "big")
        messages.append(dns.message.from_wire(bytes(received[at + 2:at + 2 + length]), xfr=True, one_rr_per_rrset=True))
        at += 2 + length
    records = [rrset for message in messages for rrset in message.answer]
    assert len(records) == count + 6
    assert records[0] == records[-1] and records[0].rdtype == dns.rdatatype.SOA


def test_serials_grow_with_the_content_and_only_then(primary):
    program = primary.start_fairwayd(primary.config())
    first = primary.serial()
    primary.fairway("reload")
    assert primary.serial() == first
    program.stop()
    primary.programs.remove(program)
    primary.start_fairwayd(primary.config())
    assert primary.serial() == first
    primary.zone_file("www A 192.0.2.99\n")
    primary.fairway("reload")
    second = primary.serial()
    assert second > first
    # A file's own serial is taken when it is later, and overtaken when it was forgotten.
    soa = f"@ SOA ns1.{ZONE}. admin.{ZONE}. %d 3600 600 86400 30\n@ NS ns1.{ZONE}.\n"
    primary.zone_file(soa % (second + 100) + "www A 192.0.2.99\n")
    primary.fairway("reload")
    assert primary.serial() == second + 100
    primary.zone_file(soa % (second + 100) + "www A 192.0.2.100\n")
    primary.fairway("reload")
    assert primary.serial() == second + 101
    assert "is not later than" in primary.fairway("events")


def test_challenges_stand_for_their_time_here_and_at_the_secondary(primary):
    knot = primary.start_knot()
    program = primary.start_fairwayd(primary.config())
    eventually("knot has the zone", lambda: knot.running() and primary.from_secondary(f"www.{ZONE}"), 40)
    name = f"_acme-challenge.{NAME}"
    before = primary.serial()
    primary.fairway("zone", "challenge", "set", NAME, "first-value")
    primary.fairway("zone", "challenge", "set", f"*.{NAME}", "second-value", "--for", "2h")
    assert primary.texts(name) == {"first-value", "second-value"}
    assert primary.serial() == before + 2
    assert primary.query(name, "A").rcode() == dns.rcode.NOERROR
    assert primary.query(f"_acme-challengf.{NAME}", "TXT").rcode() == dns.rcode.NXDOMAIN
    eventually("knot has the challenges", lambda: primary.texts(name, primary.secondary, primary.secondary_port)
               == {"first-value", "second-value"}, 40)
    listed = primary.fairway_json("zone", "challenge", "list")["challenges"]
    assert [item["value"] for item in listed] == ["first-value", "second-value"]

    # A name that did not exist: it and its parents do while the challenge stands.
    primary.fairway("zone", "challenge", "set", f"deep.new.{ZONE}", "third", "--for", "3s")
    for parent in (f"new.{ZONE}", f"deep.new.{ZONE}"):
        assert primary.query(parent, "A").rcode() == dns.rcode.NOERROR
    eventually("it ends by itself", lambda: primary.query(f"deep.new.{ZONE}", "A").rcode() == dns.rcode.NXDOMAIN)

    program.stop()
    primary.programs.remove(program)
    primary.start_fairwayd(primary.config())
    assert primary.texts(name) == {"first-value", "second-value"}
    primary.fairway("zone", "challenge", "clear", NAME, "first-value")
    assert primary.texts(name) == {"second-value"}
    primary.fairway("zone", "challenge", "clear", NAME)
    assert primary.query(name, "TXT").rcode() == dns.rcode.NXDOMAIN
    primary.fairway("zone", "challenge", "clear", NAME, check=4)
    primary.fairway("zone", "challenge", "set", "www.example.net", "x", check=4)
    primary.fairway("zone", "challenge", "set", NAME, "x", "--for", "25h", check=2)
    assert {entry["action"] for entry in primary.fairway_json("audit")["entries"]} >= {"challenge.set",
                                                                                     "challenge.clear"}
