# SPDX-License-Identifier: Apache-2.0
"""What PowerDNS' tools, transfers, API and caches make of Fairway's backend."""
import contextlib
import json
import os
import socket
import stat
import subprocess
import urllib.error
import urllib.request

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest
import zmq

from harness import BIN, eventually, loopback
from pdns_backend import PLACES, ZONE, Backend


@pytest.fixture(scope="module")
def backend():
    with Backend(["unix"]) as running:
        running.start()
        running.start_pdns("unix", "transfers", disable_axfr="no", allow_axfr_ips="127.0.0.0/8")
        running.start_pdns("http-rest", "rest-transfers", disable_axfr="no", allow_axfr_ips="127.0.0.0/8")
        running.web = loopback()
        running.start_pdns("http-rest", "web", webserver="yes", api="yes", api_key="key",
                           webserver_address=running.web, webserver_port="8081")
        yield running


@pytest.fixture(autouse=True)
def everything_up(backend):
    backend.fault("*", "none")
    eventually("everything is up", lambda: all(backend.nearest("unix", place) == place for place in PLACES))
    yield
    backend.fault("*", "none")


# Transfers

def transfer(backend, name: str) -> dns.zone.Zone:
    return dns.zone.from_xfr(dns.query.xfr(backend.pdns[name][1], "gslb.test", port=5300, relativize=False, timeout=5),
                             relativize=False)


@pytest.mark.parametrize("name", ["transfers", "rest-transfers"])
def test_a_transfer_has_static_records_and_each_steered_name_as_if_all_were_healthy(backend, name):
    backend.fault("fra", "refuse")
    eventually("Frankfurt is out", lambda: backend.nearest("unix", "fra") == "iad")
    zone = transfer(backend, name)
    steered = {record.address for record in zone.find_rdataset("vpn.gslb.test.", "A")}
    assert steered == set(backend.gateways.values())
    assert [str(record) for record in zone.find_rdataset("mail.gslb.test.", "MX")] == ["10 mx.example.net."]
    assert [str(record) for record in zone.find_rdataset("*.wild.gslb.test.", "TXT")] == ['"any of them"']
    assert [str(record) for record in zone.find_rdataset("deleg.gslb.test.", "NS")] == ["ns.example.net."]
    assert zone.get_rdataset("a.b.ent.gslb.test.", "A") is not None
    soa = backend.query("gslb.test", "SOA").answer[0][0]
    assert zone.find_rdataset("gslb.test.", "SOA")[0] == soa


def test_a_transfer_is_refused_where_powerdns_is_told_to(backend):
    with pytest.raises(dns.query.TransferError):
        list(dns.query.xfr(backend.pdns["unix"][1], "gslb.test", port=5300, timeout=5))


# pdnsutil

def test_pdnsutil_shows_zones_and_their_content(backend):
    assert backend.pdnsutil("unix", "list-all-zones").stdout.split() == ["gslb.test"]
    listed = backend.pdnsutil("unix", "list-zone", "gslb.test").stdout.splitlines()
    vpn = sorted(line.split("\t")[-1] for line in listed if line.startswith("vpn.gslb.test"))
    assert vpn == sorted(backend.gateways.values())
    checked = backend.pdnsutil("unix", "check-zone", "gslb.test")
    assert "0 errors" in checked.stdout, checked.stdout + checked.stderr


def test_what_would_change_a_zone_is_refused_and_the_log_says_why(backend):
    before = transfer(backend, "transfers")
    refused = [("add-record", "gslb.test", "new", "A", "192.0.2.99"),
               ("replace-rrset", "gslb.test", "mail", "A", "192.0.2.99"),
               ("add-zone-key", "gslb.test", "ksk", "active", "ecdsa256"),
               ("set-meta", "gslb.test", "ALLOW-AXFR-FROM", "0.0.0.0/0"),
               ("import-tsig-key", "new", "hmac-sha256", "c2VjcmV0")]
    for command in refused:
        backend.pdnsutil("unix", *command)
    assert transfer(backend, "transfers") == before
    log = backend.daemon.output()
    for method in ("addDomainKey", "setDomainMetadata", "setTSIGKey"):
        assert f"pdns: {method} of " in log, log[-3000:]


def test_an_operator_s_commands_go_through_pdnsutil(backend):
    def command(text: str) -> str:
        done = backend.pdnsutil("unix", "backend-cmd", "remote", text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    status = command("status")
    for name in PLACES:
        assert name in status
    assert command("version").strip().startswith("fairway")
    explained = command(f"explain vpn.gslb.test {PLACES['sin'][0].split('/')[0]}")
    assert backend.gateways["sin"] in explained

    assert "would leave no gateway for sin" in command("drain sin for 1h reason moved to another rack")
    assert "sin: drain" in command("drain sin for 1h force reason moved to another rack")
    eventually("Singapore is drained", lambda: backend.nearest("unix", "sin") != "sin")
    (entry,) = [item for item in backend.fairway_json("override", "list")["overrides"]]
    assert (entry["actor"], entry["reason"], entry["state"]) == ("pdnsutil", "moved to another rack", "drain")
    assert "pdnsutil" in backend.fairway("audit")
    assert "no longer drain" in command("clear sin")
    eventually("Singapore is back", lambda: backend.nearest("unix", "sin") == "sin")

    assert "there is no override" in command("clear sin")
    assert "did you mean" in command("drian sin")
    assert "only \"config diff\"" in command("config show /etc/passwd")
    assert "exactly one of" in command("drain sin reason forgot the end")


# PowerDNS' own API

def web(backend, path: str, method: str = "GET", body=None):
    request = urllib.request.Request(f"http://{backend.web}:8081/api/v1/servers/localhost{path}", method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"X-API-Key": "key", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        text = reply.read()
        return json.loads(text) if text else None


def test_powerdns_api_searches_and_shows_zones(backend):
    found = web(backend, "/search-data?q=vpn*&max=10&object_type=record")
    assert sorted(item["content"] for item in found) == sorted(backend.gateways.values())
    found = web(backend, "/search-data?q=*mx.example.net*&max=10")
    assert [(item["name"], item["type"]) for item in found] == [("mail.gslb.test.", "MX")]
    assert len(web(backend, "/search-data?q=*&max=3&object_type=record")) == 3
    zone = web(backend, "/zones/gslb.test")
    rrsets = {(item["name"], item["type"]): [record["content"] for record in item["records"]] for item in zone["rrsets"]}
    assert sorted(rrsets["vpn.gslb.test.", "A"]) == sorted(backend.gateways.values())


def test_powerdns_api_cannot_change_a_zone(backend):
    before = transfer(backend, "transfers")
    with pytest.raises(urllib.error.HTTPError):
        web(backend, "/zones/gslb.test", "PATCH", {"rrsets": [{
            "name": "new.gslb.test.", "type": "A", "ttl": 60, "changetype": "REPLACE",
            "records": [{"content": "192.0.2.99", "disabled": False}]}]})
    assert transfer(backend, "transfers") == before


# Commands and secrets over TCP

def over_http(backend, method: str, path: str, body: bytes = b"") -> dict:
    request = urllib.request.Request(f"http://{backend.http}{path}", method=method, data=body or None)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.loads(reply.read())


def test_over_tcp_operators_may_look_but_not_change(backend):
    assert "fra" in over_http(backend, "POST", "/directBackendCmd", b"query=status")["result"]
    said = over_http(backend, "POST", "/directBackendCmd", b"query=drain%20fra%20for%201h%20reason%20x")["result"]
    assert said.startswith("fairway: ") and "drain" not in backend.fairway("override", "list")
    with pytest.raises(urllib.error.HTTPError) as refused:
        over_http(backend, "GET", "/directBackendCmd?query=status")
    assert refused.value.code == 405


# ZeroMQ: Debian's PowerDNS is built without it, so its REQ socket is played here.

class PowerDnsOverZeromq:
    def __init__(self, backend, terminator: bytes):
        self.context = zmq.Context()
        self.terminator = terminator
        self.socket = self.context.socket(zmq.REQ)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RCVTIMEO, 5000)
        self.socket.connect(f"ipc://{backend.zeromq}")
        assert self.call("initialize", endpoint=f"ipc://{backend.zeromq}", timeout="2000") is True

    def call(self, method: str, **parameters):
        self.socket.send(json.dumps({"method": method, "parameters": parameters}).encode() + self.terminator)
        reply = self.socket.recv()
        assert not reply.endswith(b"\0")
        return json.loads(reply)["result"]

    def close(self):
        self.socket.close()
        self.context.term()


@pytest.mark.parametrize("terminator", [b"\0", b""], ids=["4.7", "5.0"])
def test_the_zeromq_connector_steers_as_the_others_do(backend, terminator):
    assert stat.S_IMODE(os.stat(backend.zeromq).st_mode) == 0o660
    with contextlib.closing(PowerDnsOverZeromq(backend, terminator)) as pdns:
        assert [zone["zone"] for zone in pdns.call("getAllDomains", include_disabled=True)] == ["gslb.test."]
        for place, (prefix, _, _) in PLACES.items():
            (record,) = pdns.call("lookup", **{"qname": "vpn.gslb.test.", "qtype": "ANY", "zone-id": -1,
                                               "remote": "192.0.2.53", "real-remote": prefix})
            assert record["content"] == backend.gateways[place]
        assert "fra" in pdns.call("directBackendCmd", query="status")


def test_the_zeromq_connector_survives_a_restart_of_fairwayd():
    with Backend([]) as alone:
        alone.start()
        with contextlib.closing(PowerDnsOverZeromq(alone, b"")) as pdns:
            alone.daemon.stop()
            alone.daemon.start()
            eventually("fairwayd answers", lambda: alone.addresses("vpn.gslb.test"))
            # The socket connects again by itself.
            assert [zone["zone"] for zone in pdns.call("getAllDomains", include_disabled=True)] == ["gslb.test."]


# Caches: what conf/pdns says of them is true.

def test_a_packet_cache_answers_with_gateways_that_are_gone(backend):
    """Why cache-ttl is 0: a name whose answer does not depend on the client has no scope, and is kept."""
    backend.start_pdns("unix", "cached", cache_ttl="60", query_cache_ttl="60")
    assert backend.place_of(backend.ask("cached", "order.gslb.test")) == "fra"
    assert backend.place_of(backend.ask("unix", "order.gslb.test")) == "fra"
    backend.fault("fra", "refuse")
    eventually("the next in order is given", lambda: backend.place_of(backend.ask("unix", "order.gslb.test")) == "iad")
    assert backend.place_of(backend.ask("cached", "order.gslb.test")) == "fra"


def test_a_service_that_has_come_back_is_seen_at_once(backend):
    """Even by a negative cache: an existing name without an answer is told as a record of no type."""
    backend.start_pdns("unix", "negative", negquery_cache_ttl="60")
    for name in ("unix", "negative"):
        backend.fault("fra", "refuse")
        eventually("nothing is answered", lambda: not backend.ask(name, "quiet.gslb.test").answer)
        backend.fault("fra", "none")
        eventually("the service is back in Fairway", lambda: backend.query("quiet.gslb.test").answer)
        assert backend.ask(name, "quiet.gslb.test").answer


def test_a_negative_cache_hides_a_name_that_a_reload_has_added(backend):
    """Why negquery-cache-ttl is 0."""
    backend.start_pdns("unix", "hides", negquery_cache_ttl="60")
    for name in ("unix", "hides"):
        assert backend.ask(name, "fresh.gslb.test").rcode() == dns.rcode.NXDOMAIN
    (backend.folder / "gslb.test.zone").write_text(ZONE + "fresh A 192.0.2.7\n")
    backend.fairway("reload")
    assert backend.ask("unix", "fresh.gslb.test").answer
    assert backend.ask("hides", "fresh.gslb.test").rcode() == dns.rcode.NXDOMAIN
    (backend.folder / "gslb.test.zone").write_text(ZONE)
    backend.fairway("reload")


def test_without_the_client_subnet_everybody_behind_a_resolver_is_where_the_resolver_is(backend):
    """Why edns-subnet-processing is yes."""
    backend.start_pdns("unix", "blind", edns_subnet_processing="no")
    for place in PLACES:
        reply = backend.ask("blind", "vpn.gslb.test", subnet=PLACES[place][0], source=backend.sources["sin"])
        assert backend.place_of(reply) == "sin"


# The helper of the pipe connector, by itself

def test_the_pipe_helper_ends_when_nobody_answers_and_says_why(tmp_path):
    done = subprocess.run([str(BIN / "fairway-pdns-pipe"), str(tmp_path / "absent.sock")], input=b'{"method":"x"}\n',
                          capture_output=True, timeout=30)
    assert done.returncode == 1 and done.stdout == b""
    assert b"absent.sock: No such file or directory" in done.stderr
    assert subprocess.run([str(BIN / "fairway-pdns-pipe")], capture_output=True, timeout=30).returncode == 2


def test_the_pipe_helper_carries_lines_and_ends_with_its_input(backend):
    asked = b'{"method":"initialize","parameters":{}}\n{"method":"getAllDomains","parameters":{}}\n'
    done = subprocess.run([str(BIN / "fairway-pdns-pipe"), str(backend.socket)], input=asked, capture_output=True,
                          timeout=30)
    first, second = done.stdout.splitlines()
    assert done.returncode == 0 and json.loads(first) == {"result": True}
    assert json.loads(second)["result"][0]["zone"] == "gslb.test."


def test_a_flood_of_junk_does_not_fill_the_log(backend):
    before = len(backend.daemon.output())
    for _ in range(300):
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as peer:
            peer.settimeout(10)
            peer.connect(str(backend.socket))
            peer.sendall(b"junk\n")
            assert json.loads(peer.recv(1000)) == {"result": False}
    assert backend.daemon.output()[before:].count("not the remote backend protocol") <= 10
