# SPDX-License-Identifier: Apache-2.0
"""A real pdns-server on the configuration of conf/pdns: what its clients get is what Fairway decides."""
import contextlib
import json
import socket

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest

from harness import Process, eventually
from pdns_backend import CONNECTORS, PLACES, Backend


@pytest.fixture(scope="module")
def backend():
    with Backend(CONNECTORS) as running:
        yield running.start()


@pytest.fixture(params=CONNECTORS)
def connector(backend, request):
    backend.fault("*", "none")
    eventually("everything is up", lambda: all(backend.nearest(request.param, place) == place for place in PLACES))
    yield request.param
    backend.fault("*", "none")


def outcome(reply) -> tuple:
    """Result code, answers, and whether the SOA for a negative answer is there."""
    return (dns.rcode.to_text(reply.rcode()), [rrset.to_text() for rrset in reply.answer],
            any(rrset.rdtype == dns.rdatatype.SOA for rrset in reply.authority))


def test_clients_in_four_regions_get_their_nearest_gateway_and_the_scope_of_their_place(backend, connector):
    for place, (prefix, _, _) in PLACES.items():
        reply = backend.ask(connector, "vPn.GSLB.test", subnet=prefix)
        assert [[record.address for record in rrset] for rrset in reply.answer] == [[backend.gateways[place]]]
        (option,) = [option for option in reply.options if isinstance(option, dns.edns.ECSOption)]
        own = backend.query("vpn.gslb.test", subnet=prefix)
        (expected,) = [option for option in own.options if isinstance(option, dns.edns.ECSOption)]
        assert (option.address, option.srclen, option.scopelen) == (expected.address, expected.srclen, expected.scopelen)
        assert 0 < option.scopelen <= int(prefix.split("/")[1])
        assert reply.answer[0].ttl == own.answer[0].ttl


def test_clients_behind_one_resolver_do_not_get_each_others_answers(backend, connector):
    for place in [*PLACES, *reversed(PLACES)] * 5:
        assert backend.nearest(connector, place) == place


def test_clients_without_a_subnet_get_the_gateway_nearest_to_their_own_address(backend, connector):
    for place in [*PLACES, *reversed(PLACES)]:
        reply = backend.ask(connector, "vpn.gslb.test", source=backend.sources[place])
        assert backend.place_of(reply) == place


def test_a_client_that_wants_no_tailoring_gets_scope_zero(backend, connector):
    reply = backend.ask(connector, "vpn.gslb.test", subnet="0.0.0.0/0")
    (option,) = [option for option in reply.options if isinstance(option, dns.edns.ECSOption)]
    assert option.scopelen == 0
    assert len(reply.answer) == 1


def test_what_is_missing_is_missing_in_the_right_way(backend, connector):
    nodata = ("NOERROR", [], True)
    assert outcome(backend.ask(connector, "vpn.gslb.test", "AAAA")) == nodata
    assert outcome(backend.ask(connector, "mail.gslb.test")) == nodata
    assert outcome(backend.ask(connector, "ent.gslb.test")) == nodata
    assert outcome(backend.ask(connector, "b.ent.gslb.test", "TXT")) == nodata
    assert outcome(backend.ask(connector, "missing.gslb.test")) == ("NXDOMAIN", [], True)
    assert outcome(backend.ask(connector, "x.vpn.gslb.test")) == ("NXDOMAIN", [], True)
    assert outcome(backend.ask(connector, "www.example.org")) == ("REFUSED", [], False)


def test_static_names_are_served_beside_steered_ones(backend, connector):
    assert outcome(backend.ask(connector, "mail.gslb.test", "MX"))[:2] == (
        "NOERROR", ["mail.gslb.test. 300 IN MX 10 mx.example.net."])
    assert outcome(backend.ask(connector, "anything.wild.gslb.test", "TXT"))[:2] == (
        "NOERROR", ['anything.wild.gslb.test. 300 IN TXT "any of them"'])
    referral = backend.ask(connector, "www.deleg.gslb.test")
    assert [rrset.to_text() for rrset in referral.authority] == ["deleg.gslb.test. 300 IN NS ns.example.net."]
    soa = backend.ask(connector, "gslb.test", "SOA").answer
    for prefix, _, _ in PLACES.values():
        assert backend.ask(connector, "gslb.test", "SOA", subnet=prefix).answer == soa
    assert soa == backend.query("gslb.test", "SOA").answer


def test_a_failed_gateway_leaves_the_answers_and_a_recovered_one_is_back_at_once(backend, connector):
    for _ in range(2):
        backend.fault("fra", "refuse")
        eventually("clients in Frankfurt go elsewhere", lambda: backend.nearest(connector, "fra") == "iad")
        assert backend.nearest(connector, "sin") == "sin"
        backend.fault("fra", "none")
        # As soon as our own server has it again, PowerDNS has it: nothing in between remembers.
        eventually("Fairway has Frankfurt again", lambda: backend.addresses(
            "vpn.gslb.test", subnet=PLACES["fra"][0]) == [backend.gateways["fra"]])
        assert backend.nearest(connector, "fra") == "fra"


def test_a_service_without_gateways_does_what_it_is_told(backend, connector):
    backend.fault("fra", "refuse")
    eventually("the service fails", lambda: outcome(backend.ask(connector, "closed.gslb.test")) == ("SERVFAIL", [], False))
    assert outcome(backend.ask(connector, "quiet.gslb.test")) == ("NOERROR", [], True)
    # All of the last resort: the addresses, whatever their state.
    assert outcome(backend.ask(connector, "fra.gslb.test"))[0] == "NOERROR"
    assert [record.address for rrset in backend.ask(connector, "fra.gslb.test").answer for record in rrset] == [
        backend.gateways["fra"]]
    # The failing service takes neither its zone nor its neighbours along.
    assert backend.nearest(connector, "sin") == "sin"
    backend.fault("fra", "none")
    eventually("the service is back", lambda: outcome(backend.ask(connector, "closed.gslb.test"))[0] == "NOERROR")


def talk(backend, connector: str, message: bytes) -> bytes:
    """What Fairway's connector says to these bytes until it closes."""
    if connector == "unix":
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address = str(backend.socket)
    else:
        peer = socket.socket()
        host, port = backend.http.split(":")
        address = (host, int(port))
    with contextlib.closing(peer):
        peer.settimeout(10)
        peer.connect(address)
        said = b""
        try:
            peer.sendall(message)
            peer.shutdown(socket.SHUT_WR)
            while part := peer.recv(65536):
                said += part
        except TimeoutError:
            raise
        except OSError:
            pass  # closed before all was said: that is an answer too
        return said


@pytest.mark.parametrize("junk", [
    b"", b"\n\n\n", b"\x00" * 5000, b"{" * 5000, b'{"method":"lookup","parameters":{"qname":', b'{"method":"lookup"}\n',
    b'{"method":"lookup","parameters":{"qname":"' + b"a" * 100_000, b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n",
    b"POST /pdns HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"\xff" * 300, b'{"method":"x","parameters":' + b"[" * 500,
], ids=lambda junk: f"{len(junk)}-octets")
@pytest.mark.parametrize("connector", ["unix", "http"], indirect=True)
def test_junk_changes_nothing(backend, connector, junk):
    said = talk(backend, connector, junk)
    assert len(said) < 1000 and b'"result":true' not in said
    assert backend.daemon.running()
    for place in PLACES:
        assert backend.nearest(connector, place) == place


def test_unknown_methods_are_refused_politely(backend):
    reply = talk(backend, "unix", b'{"method":"somethingNew","parameters":{"domain":"gslb.test."}}\n')
    assert json.loads(reply) == {"result": False}


def test_peers_that_stall_do_not_delay_others(backend, connector):
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            peer = stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)))
            peer.connect(str(backend.socket))
            peer.sendall(b'{"method":"look')
        for place in PLACES:
            assert backend.nearest(connector, place) == place


def test_a_restart_of_fairwayd_heals_by_itself(backend):
    """Each of PowerDNS' connections may fail once; then everything is as before, without touching PowerDNS."""
    for how in (Process.stop, Process.kill):
        how(backend.daemon)
        for connector in CONNECTORS:
            eventually("PowerDNS says that it cannot answer", lambda: backend.ask(
                connector, "vpn.gslb.test").rcode() == dns.rcode.SERVFAIL)
        backend.daemon.start()
        for connector in CONNECTORS:
            for place in PLACES:
                eventually("PowerDNS answers again", lambda: backend.nearest(connector, place) == place)
            # Every thread has its new connection by now, or gets it within a few questions.
            eventually("nothing fails any more", lambda: [backend.nearest(connector, place) for place in
                                                          [*PLACES] * 10] == [*PLACES] * 10)
            assert backend.pdns[connector][0].running()


def test_a_restart_of_fairwayd_costs_the_pipe_connector_nothing(backend):
    eventually("the helpers have their connections", lambda: [backend.nearest("pipe", place) for place in
                                                              [*PLACES] * 10] == [*PLACES] * 10)
    backend.daemon.stop()
    backend.daemon.start()
    eventually("fairwayd answers", lambda: backend.addresses("vpn.gslb.test"))
    for place in [*PLACES] * 10:
        assert backend.nearest("pipe", place) == place
