# SPDX-License-Identifier: Apache-2.0
"""fairwayd with all connectors of its PowerDNS backend, and real pdns-servers on the configuration of conf/pdns."""
import re
import shutil
import subprocess

import dns.message
import dns.rcode

from harness import BIN, ROOT, Scenario, eventually, loopback

# Where the clients are, by documentation prefix, and which gateway is there.
PLACES = {
    "fra": ("192.0.2.0/24", 50.11, 8.68),
    "iad": ("198.51.100.0/24", 38.95, -77.45),
    "sin": ("203.0.113.0/24", 1.35, 103.82),
    "syd": ("2001:db8:5::/48", -33.87, 151.21),
}
ZONE = """$TTL 300
mail    MX 10 mx.example.net.
a.b.ent A 192.0.2.81
*.wild  TXT "any of them"
deleg   NS ns.example.net.
"""
# How PowerDNS reaches fairwayd: the file of conf/pdns, and the connection string instead of its own.
CONNECTORS = {
    "unix": ("pdns.conf", None),
    "http": ("pdns-http.conf", None),
    "http-post": ("pdns-http.conf", "http:url=http://127.0.0.1:8054/pdns,post,timeout=2000"),
    "http-rest": ("pdns-http.conf", "http:url=http://127.0.0.1:8054/pdns,url-suffix=.json,timeout=2000"),
    "pipe": ("pdns.conf", "pipe:command=FAIRWAY_PIPE /run/fairway/pdns.sock,timeout=2000"),
}


class Backend(Scenario):
    """Four gateways, fairwayd with all connectors, and a pdns-server for each of `connectors`."""

    def __init__(self, connectors, zone_options: str = "", more: str = "", pdns_options: str = ""):
        super().__init__()
        self.gateways = {name: loopback() for name in PLACES}
        self.sources = {name: loopback() for name in PLACES}  # of clients there that send no subnet
        self.http = f"{self.address}:8054"
        self.socket = self.folder / "pdns.sock"
        self.zeromq = self.folder / "pdns.zmq"
        self.connectors = connectors
        self.zone_options = zone_options
        self.more = more
        self.pdns_options = pdns_options
        self.pdns = {}
        self.daemon = None

    def start(self):
        self.start_gateways("[defaults]\ntcp = 7100\n" + "".join(
            f'[gateway.{name}]\naddresses = ["{address}"]\n' for name, address in self.gateways.items()))
        (self.folder / "gslb.test.zone").write_text(ZONE)
        self.daemon = self.start_fairwayd(self.config())
        eventually("every gateway is up", lambda: all(
            self.addresses(f"{name}.gslb.test") == [address] for name, address in self.gateways.items()))
        for connector in self.connectors:
            self.start_pdns(connector)
        return self

    def config(self) -> str:
        text = f"""
[pdns]
unix = "{self.socket}"
http = "{self.http}"
zeromq = "ipc://{self.zeromq}"
[zone."gslb.test"]
ns = {{ "ns1.gslb.test" = ["192.0.2.53"] }}
file = "gslb.test.zone"
{self.zone_options}
[monitor.tcp]
type = "tcp"
port = 7100
interval = "200ms"
timeout = "150ms"
recheck = "50ms"
[service.vpn]
name = "vpn.gslb.test"
gateways = ["*"]
policy = ["healthy", "nearest", "first 1"]
[service.order]
name = "order.gslb.test"
gateways = ["fra", "iad", "sin", "syd"]
policy = ["healthy", "failover", "first 1"]
[service.closed]
name = "closed.gslb.test"
gateways = ["fra"]
policy = ["healthy"]
all_down = "servfail"
[service.quiet]
name = "quiet.gslb.test"
gateways = ["fra"]
policy = ["healthy"]
all_down = "nodata"
[health]
damping = false
{self.more}
"""
        for name, (prefix, latitude, longitude) in PLACES.items():
            text += f"""
[[geoip.override]]
prefixes = ["{prefix}", "{self.sources[name]}"]
location = {{ latitude = {latitude}, longitude = {longitude} }}
[region.{name}]
location = {{ latitude = {latitude}, longitude = {longitude} }}
[gateway.{name}]
region = "{name}"
endpoints = ["{self.gateways[name]}"]
monitors = ["tcp"]
[service.{name}]
name = "{name}.gslb.test"
gateways = ["{name}"]
policy = ["healthy"]
"""
        return text

    def start_pdns(self, connector: str, name: str = "", **changes):
        """On the committed configuration; only where things are is different, and what `changes` say."""
        name = name or connector
        file, connection = CONNECTORS[connector]
        folder = self.folder / f"pdns-{name}"
        folder.mkdir(exist_ok=True)
        text = (ROOT / "conf" / "pdns" / file).read_text()
        if connection:
            text, count = re.subn(r"(?m)^remote-connection-string=.*$", f"remote-connection-string={connection}", text)
            assert count == 1
        moved = text.replace("/run/fairway/pdns.sock", str(self.socket)).replace("127.0.0.1:8054", self.http).replace(
            "FAIRWAY_PIPE", str(BIN / "fairway-pdns-pipe"))
        assert moved != text
        for key, value in changes.items():
            key = key.replace("_", "-")
            moved, count = re.subn(rf"(?m)^{key}=.*$", f"{key}={value}", moved)
            if count == 0:
                moved += f"\n{key}={value}\n"
        address = loopback()
        (folder / "pdns.conf").write_text(
            f"{moved}\nlocal-address={address}\nlocal-port=5300\nsocket-dir={folder}\ndisable-syslog=yes\n"
            f"{self.pdns_options}")
        program = self.run(f"pdns-{name}", [shutil.which("pdns_server", path="/usr/sbin:/usr/bin"),
                                            f"--config-dir={folder}", "--daemon=no", "--guardian=no"])
        self.pdns[name] = (program, address)
        eventually(f"pdns-server over {name} answers",
                   lambda: program.running() and self.ask(name, "gslb.test", "SOA").answer)

    def pdnsutil(self, connector: str, *arguments) -> subprocess.CompletedProcess:
        return subprocess.run(["pdnsutil", f"--config-dir={self.folder / f'pdns-{connector}'}", *map(str, arguments)],
                              capture_output=True, text=True, timeout=30)

    def ask(self, connector: str, name: str, kind: str = "A", subnet: str = "", **options) -> dns.message.Message:
        return self.query(name, kind, subnet, address=self.pdns[connector][1], **options)

    def place_of(self, reply: dns.message.Message) -> str:
        """The one gateway that the reply holds."""
        assert reply.rcode() == dns.rcode.NOERROR, reply
        (record,) = [record for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A for record in rrset]
        return {address: name for name, address in self.gateways.items()}[record.address]

    def nearest(self, connector: str, place: str) -> str:
        """The gateway that a client at `place` gets."""
        return self.place_of(self.ask(connector, "vpn.gslb.test", subnet=PLACES[place][0]))

    def pdns_log(self, connector: str) -> str:
        return self.pdns[connector][0].output()
