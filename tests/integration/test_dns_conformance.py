# SPDX-License-Identifier: Apache-2.0
"""What an authoritative server owes to the wire, one test a rule: its name says how binding the rule is, which RFC and
section it comes from, and what must hold. Raw packets to one fairwayd, over every transport, and replies compared whole.
That idle and trickling connections are closed in time is shown with shorter times by the server's own unit tests.
"""
import random
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
import wire
from harness import Scenario, eventually, loopback
from wire import (A, AAAA, ANY, AXFR, CAA, CH, CNAME, DNSKEY, DS, HS, HTTPS, IXFR, MAILA, MAILB, MX, NONE, NS, NSEC,
                  RRSIG, SOA, SVCB, TKEY, TLSA, TSIG, TXT, header, name, opt, option, query, render, subnet)

SECRET, OLD_SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf"), bytes(range(16))
OTHER = 65280  # of the range for private use: no type at all
ZONE = """$TTL 300
@        CAA 0 issue "ca.example.net"
mail     MX 10 mx1
         MX 20 mx.example.net.
mx1      A 192.0.2.25
         AAAA 2001:db8::25
toward   CNAME host
host     60 A 192.0.2.70
host     60 AAAA 2001:db8::70
only4    A 192.0.2.71
dangling CNAME missing
outside  CNAME www.example.net.
alias    CNAME vpn
*.wild   A 192.0.2.80
*.wild   TXT "any of them"
a.b.ent  A 192.0.2.81
deleg    NS ns.deleg
         NS ns.example.net.
ns.deleg A 192.0.2.90
_sip._udp SRV 1 2 5060 host
""" + "".join(f'big TXT "{letter * 250}"\n' for letter in "abc") + \
    "".join(f'large TXT "{i:02} {"x" * 200}"\n' for i in range(20))

HOST = "\nquestion host.gslb.test. IN A\nanswer host.gslb.test. 60 IN A 192.0.2.70"
NEGATIVE = "\nauthority gslb.test. 30 IN SOA ns1.gslb.test. hostmaster.gslb.test. SERIAL 3600 600 1209600 30"
NORTH = "\nanswer vpn.gslb.test. 30 IN A 203.0.113.10\nanswer vpn.gslb.test. 30 IN A 203.0.113.11"
SOUTH = "\nanswer vpn.gslb.test. 30 IN A 198.51.100.20\nanswer vpn.gslb.test. 30 IN A 203.0.113.10"
ASKED = "\nquestion vpn.gslb.test. IN A"


class World:
    """fairwayd with static and steered names; its gateways are probed at a listener of the test's own."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        listener = socket.create_server((loopback(), 7000), backlog=64)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        (scenario.folder / "gslb.test.zone").write_text(ZONE)
        (scenario.folder / "cookie.secret").write_text(f"{SECRET.hex()}\n{OLD_SECRET.hex()}\n")
        (scenario.folder / "cookie.secret").chmod(0o600)
        many = ", ".join(f'"10.9.0.{i + 1}"' for i in range(90))
        scenario.start_fairwayd(f"""
[zone."gslb.test"]
ns = {{ "ns1.gslb.test" = ["192.0.2.53", "2001:db8::53"] }}
file = "gslb.test.zone"
[[geoip.override]]
prefixes = ["198.51.100.0/22", "2001:db8:2::/48"]
location = {{ country = "ZA", latitude = -30, longitude = 20 }}
[[geoip.override]]
prefixes = ["192.0.2.0/24", "2001:db8:1::/48"]
location = {{ country = "NO", latitude = 60, longitude = 10 }}
[monitor.tcp]
type = "tcp"
address = "{listener.getsockname()[0]}"
port = 7000
[region.north]
location = {{ latitude = 60, longitude = 10 }}
[region.south]
location = {{ latitude = -30, longitude = 20 }}
[gateway.north]
region = "north"
endpoints = ["203.0.113.10", "203.0.113.11"]
monitors = ["tcp"]
[gateway.south]
region = "south"
endpoints = ["198.51.100.20", "2001:db8:2::20"]
monitors = ["tcp"]
[gateway.many]
region = "north"
endpoints = [{many}]
monitors = ["tcp"]
[gateway.four]
region = "north"
endpoints = ["203.0.113.44"]
monitors = ["tcp"]
[service.vpn]
name = "vpn.gslb.test"
gateways = ["north", "south"]
policy = ["healthy", "nearest", "first 2"]
[service.four]
name = "four.gslb.test"
gateways = ["four"]
policy = ["healthy"]
[service.many]
name = "many.gslb.test"
gateways = ["many"]
policy = ["healthy"]
""")
        listening = scenario.fairway_json("status")["node"]["dns"]
        self.port6 = int(next(each for each in listening if each.startswith("[")).rpartition(":")[2])
        soa = self.asker("udp4").reply(query("gslb.test", SOA))
        self.serial = render(soa).split()[-5]
        self.context = ssl.create_default_context(cafile=scenario.folder / "dot.pem")
        self.context.set_alpn_protocols(["dot"])

    @staticmethod
    def _accept(listener):
        while True:
            listener.accept()[0].close()

    def asker(self, transport: str) -> wire.Asker:
        if transport.startswith("tls"):
            return wire.Asker(transport, *self.scenario.dot[transport], self.wrap)
        if transport.endswith("6"):
            return wire.Asker(transport, "::1", self.port6)
        return wire.Asker(transport, self.scenario.address, self.scenario.port)

    def wrap(self, connection: socket.socket) -> ssl.SSLSocket:
        return self.context.wrap_socket(connection, server_hostname="dns.gslb.test")


class TwoFamilies(Scenario):
    """Listens on a loopback address of its own and on [::1], where the kernel picks the port; also over TLS."""

    def __init__(self):
        super().__init__()
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as free:
            self.dot = {"tls4": (self.address, 8530), "tls6": ("::1", free.getsockname()[1])}
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=dns.gslb.test", "-addext", "subjectAltName=DNS:dns.gslb.test",
                        "-keyout", self.folder / "dot.key", "-out", self.folder / "dot.pem"],
                       check=True, capture_output=True)

    def write_config(self, toml: str):
        super().write_config(toml)
        listen = ", ".join(f'"[{host}]:{port}"' if ":" in host else f'"{host}:{port}"'
                           for host, port in self.dot.values())
        file = self.folder / "fairway.toml"
        file.write_text(file.read_text().replace(
            f'listen = ["{self.address}:{self.port}"]',
            f'listen = ["{self.address}:{self.port}", "[::1]:0"]\ncookie_secret = "file:cookie.secret"\n'
            f'tls = {{ listen = [{listen}], cert = "dot.pem", key = "dot.key" }}', 1))


@pytest.fixture(scope="module")
def world():
    with TwoFamilies() as scenario:
        yield World(scenario)


EVERY = ["udp4", "udp6", "tcp4", "tcp6", "tls4", "tls6"]
UDP = [each for each in EVERY if each.startswith("udp")]
TCP = [each for each in EVERY if not each.startswith("udp")]
over_udp = pytest.mark.parametrize("asker", UDP, indirect=True)
over_tls = pytest.mark.parametrize("asker", ["tls4", "tls6"], indirect=True)
over_tcp = pytest.mark.parametrize("asker", TCP, indirect=True)


def pytest_generate_tests(metafunc):
    marked = any(mark.name == "parametrize" and mark.args[0] == "asker" for mark in metafunc.definition.iter_markers())
    if "asker" in metafunc.fixturenames and not marked:
        metafunc.parametrize("asker", EVERY, indirect=True)


@pytest.fixture
def asker(world, request):
    made = world.asker(request.param)
    made.negative = NEGATIVE.replace("SERIAL", world.serial)
    return made


def fault(asker, message: bytes, *allowed: str):
    """The reply to what is malformed: one of these codes without data, or none at all; and the server lives on."""
    text = asker.ask(message)
    if text != "nothing":
        assert text.split()[1] in (allowed or ("FORMERR",)), text
        assert not any(line.startswith(("answer", "authority", "additional")) for line in text.split("\n")), text
        assert " aa" not in text.split("\n")[0]
    assert asker.ask(query("host.gslb.test")) == "4660 NOERROR qr aa" + HOST


# The header

def test_must_rfc1035_4_1_1_a_plain_query_gets_an_authoritative_answer_without_ra(asker):
    assert asker.ask(query("host.gslb.test")) == "4660 NOERROR qr aa" + HOST
    assert asker.ask(query("vpn.gslb.test")) == "4660 NOERROR qr aa" + ASKED + NORTH


def test_must_rfc1035_4_1_1_rd_is_copied_and_ra_stays_0(asker):
    assert asker.ask(query("host.gslb.test", flags=0x0100)) == "4660 NOERROR qr aa rd" + HOST


def test_must_rfc1035_4_1_1_rd_0_stays_0(asker):
    assert asker.ask(query("host.gslb.test", flags=0)) == "4660 NOERROR qr aa" + HOST


def test_must_rfc8906_8_1_3_the_reserved_z_bit_is_ignored_and_cleared(asker):
    assert asker.ask(query("host.gslb.test", flags=0x0040)) == "4660 NOERROR qr aa" + HOST


def test_must_rfc8906_8_1_3_cd_and_ad_are_answered_normally(asker):
    assert asker.ask(query("host.gslb.test", flags=0x0010)) == "4660 NOERROR qr aa" + HOST
    assert asker.ask(query("host.gslb.test", flags=0x0020)) == "4660 NOERROR qr aa" + HOST


def test_must_rfc8906_8_1_3_aa_and_ra_in_a_query_are_ignored(asker):
    assert asker.ask(query("missing.gslb.test", flags=0x0480)) == \
        "4660 NXDOMAIN qr aa\nquestion missing.gslb.test. IN A" + asker.negative
    assert asker.ask(query("example.net", flags=0x0480)) == "4660 REFUSED qr\nquestion example.net. IN A"


def test_should_rfc8906_8_1_3_tc_in_a_query_is_ignored(asker):
    assert asker.ask(query("host.gslb.test", flags=0x0200)) == "4660 NOERROR qr aa" + HOST


def test_should_rfc1035_4_1_1_rcode_bits_in_a_query_are_ignored(asker):
    assert asker.ask(query("host.gslb.test", flags=0x000f)) == "4660 NOERROR qr aa" + HOST


def test_must_rfc1035_4_1_1_a_response_gets_no_reply(asker):
    assert asker.ask(query("host.gslb.test", flags=0x8000)) == "nothing"
    assert asker.ask(query("host.gslb.test", flags=0x8180, edns=opt())) == "nothing"


def test_must_rfc1035_4_1_1_less_than_a_header_gets_no_reply(asker):
    for size in range(12):
        assert asker.ask(query("host.gslb.test")[:size]) == "nothing"


def test_must_rfc7873_5_4_no_question_and_no_cookie_is_a_format_error(asker):
    assert asker.ask(header(questions=0)) == "4660 FORMERR qr"
    assert asker.ask(header(questions=0, additionals=1) + opt()) == "4660 FORMERR qr\nedns 1232"


def test_must_rfc9619_4_two_questions_are_a_format_error(asker):
    one = name("host.gslb.test") + struct.pack("!HH", A, 1)
    assert asker.ask(header(questions=2) + one + one) == "4660 FORMERR qr"
    assert asker.ask(header(questions=3) + one * 3) == "4660 FORMERR qr"


def test_must_rfc1035_4_1_1_no_question_or_half_of_one_is_a_format_error(asker):
    whole = query("host.gslb.test")
    for size in range(12, len(whole)):
        assert asker.ask(whole[:size]) == "4660 FORMERR qr"


def test_must_rfc8906_8_1_4_an_unknown_opcode_is_not_implemented(asker):
    for opcode in (1, 2, 3, 7, 8, 14, 15):
        assert asker.ask(query("host.gslb.test", flags=opcode << 11)) == f"4660 opcode={opcode} NOTIMP qr"


def test_must_rfc8906_8_1_4_an_unknown_opcode_in_a_bare_header_is_not_implemented(asker):
    assert asker.ask(header(flags=15 << 11, questions=0)) == "4660 opcode=15 NOTIMP qr"


def test_must_rfc8490_5_1_stateful_operations_are_not_implemented(asker):
    assert asker.ask(header(flags=6 << 11, questions=0)) == "4660 opcode=6 NOTIMP qr"
    assert asker.ask(header(flags=6 << 11, questions=0) + struct.pack("!HHII", 1, 8, 1000, 1000)) == \
        "4660 opcode=6 NOTIMP qr"


def test_should_rfc1996_3_10_a_stranger_s_notify_is_not_accepted(asker):
    text = asker.ask(query("gslb.test", SOA, flags=4 << 11 | 0x0400))
    assert text.split("\n")[0] in [f"4660 opcode=4 {code} qr" for code in ("NOTIMP", "REFUSED", "NOTAUTH")], text


def test_must_rfc2136_3_3_an_update_is_not_performed(asker):
    record = name("new.gslb.test") + struct.pack("!HHIH", A, 1, 60, 4) + bytes(4)
    update = header(flags=5 << 11, answers=0, authorities=1) + name("gslb.test") + struct.pack("!HH", SOA, 1) + record
    text = asker.ask(update)
    assert text.split("\n")[0] in [f"4660 opcode=5 {code} qr" for code in ("NOTIMP", "REFUSED", "NOTAUTH")], text
    assert asker.ask(query("new.gslb.test")) == \
        "4660 NXDOMAIN qr aa\nquestion new.gslb.test. IN A" + asker.negative


def test_must_rfc1035_4_1_1_any_id_comes_back(asker):
    for ident in (0, 1, 0xff, 0xff00, 65535):
        assert asker.ask(query("host.gslb.test", ident=ident)) == f"{ident} NOERROR qr aa" + HOST


def test_should_robustness_octets_after_the_last_record_are_a_format_error(asker):
    assert asker.ask(query("host.gslb.test") + b"\0") == "4660 FORMERR qr\nquestion host.gslb.test. IN A"
    assert asker.ask(query("host.gslb.test", edns=opt()) + bytes(100)) == \
        "4660 FORMERR qr\nquestion host.gslb.test. IN A\nedns 1232"


def test_must_robustness_counts_beyond_the_data_are_a_format_error(asker):
    question = name("host.gslb.test") + struct.pack("!HH", A, 1)
    for counts in ({"answers": 65535}, {"authorities": 65535}, {"additionals": 65535}, {"additionals": 1}):
        assert asker.ask(header(**counts) + question) == "4660 FORMERR qr\nquestion host.gslb.test. IN A"
    assert asker.ask(header(questions=65535) + question) == "4660 FORMERR qr"


# Names

def test_must_rfc4343_case_does_not_matter_and_the_question_comes_back_as_sent(asker):
    for asked in ("hOsT.GsLb.TeST", "HOST.GSLB.TEST"):
        message = query(asked)
        raw = asker.reply(message)
        assert raw[12:len(message)] == message[12:]
        assert render(raw) == "4660 NOERROR qr aa" + HOST.replace("host.gslb.test", asked)


def test_must_rfc1035_4_1_4_compression_pointers_in_the_question_go_nowhere(asker):
    tail = struct.pack("!HH", A, 1)
    for qname in (b"\xc0\x0c", b"\xc0\x0e", b"\xc0\x0e\xc0\x0c", b"\xc0\x00", b"\xff\xff", b"\x01a\xc0\x0c",
                  b"\x04host\xc0\x1e"):
        fault(asker, header() + qname + tail)


def test_must_rfc6891_5_reserved_label_types_are_a_format_error(asker):
    for label in (b"\x40", b"\x41", b"\x7f", b"\x80", b"\xbf"):
        fault(asker, header() + label + bytes(20) + struct.pack("!HH", A, 1))


def test_must_rfc1035_2_3_4_a_label_of_63_octets_is_legal(asker):
    label = "x" * 63
    assert asker.ask(query(f"{label}.gslb.test")) == \
        f"4660 NXDOMAIN qr aa\nquestion {label}.gslb.test. IN A" + asker.negative


def test_must_rfc1035_2_3_4_a_name_of_255_octets_is_legal_and_one_of_256_is_not(asker):
    def long(last: int) -> bytes:
        return (b"\x3f" + b"y" * 63) * 3 + bytes([last]) + b"z" * last + name("gslb.test")
    assert len(long(51)) == 255
    assert asker.ask(query(long(51))).startswith("4660 NXDOMAIN qr aa\n")
    assert asker.ask(query(long(52))) == "4660 FORMERR qr"
    fault(asker, query((b"\x3f" + b"y" * 63) * 8 + b"\0"))


def test_must_rfc1035_4_1_2_a_name_without_its_end_is_a_format_error(asker):
    assert asker.ask(header() + b"\x04host\x04gslb\x04test") == "4660 FORMERR qr"
    assert asker.ask(header() + b"\x04host\x04gs") == "4660 FORMERR qr"


def test_must_rfc2181_11_binary_labels_are_legal_and_match_nothing_else(asker):
    for label in (b"\0", b"\xff", b"ho\0st", b"host.gslb", b"\x00\xff\x80"):
        qname = bytes([len(label)]) + label + name("gslb.test")
        raw = asker.reply(query(qname))
        assert raw[12:12 + len(qname)] == qname
        text = render(raw)
        assert text.startswith("4660 NXDOMAIN qr aa\nquestion ") and text.endswith(asker.negative), text


# What exists and what does not

def test_must_rfc1034_4_3_2_a_name_of_others_is_refused_without_a_hint(asker):
    for outside in ("example.net", "xgslb.test", "gslb.test.example", "slb.test"):
        assert asker.ask(query(outside)) == f"4660 REFUSED qr\nquestion {outside}. IN A"


def test_must_rfc1034_4_3_2_the_root_and_the_parent_are_refused(asker):
    assert asker.ask(query(".", NS)) == "4660 REFUSED qr\nquestion . IN NS"
    assert asker.ask(query("test", SOA)) == "4660 REFUSED qr\nquestion test. IN SOA"


def test_must_rfc2308_2_1_a_name_that_does_not_exist_gets_nxdomain_with_the_soa(asker):
    for missing in ("missing.gslb.test", "x.host.gslb.test", "hos.gslb.test"):
        assert asker.ask(query(missing)) == f"4660 NXDOMAIN qr aa\nquestion {missing}. IN A" + asker.negative


def test_must_rfc2308_5_the_negative_ttl_is_the_lesser_of_the_soa_s_ttl_and_minimum(asker):
    soa = asker.ask(query("gslb.test", SOA)).split("\n")[2].split()
    negative = asker.ask(query("missing.gslb.test")).split("\n")[2].split()
    assert (int(soa[2]), int(soa[-1])) == (3600, 30)
    assert int(negative[2]) == 30 and negative[5:] == soa[5:]


def test_must_rfc2308_2_2_a_name_without_the_type_gets_no_data_with_the_soa(asker):
    for asked in ("host.gslb.test", "vpn.gslb.test"):
        assert asker.ask(query(asked, TXT)) == f"4660 NOERROR qr aa\nquestion {asked}. IN TXT" + asker.negative


def test_must_rfc4074_4_aaaa_at_a_name_with_only_a_is_no_data(asker):
    for asked in ("only4.gslb.test", "four.gslb.test"):
        assert asker.ask(query(asked, AAAA)) == f"4660 NOERROR qr aa\nquestion {asked}. IN AAAA" + asker.negative


def test_must_rfc8020_an_empty_non_terminal_is_no_data(asker):
    for asked in ("b.ent.gslb.test", "ent.gslb.test", "wild.gslb.test", "_udp.gslb.test"):
        assert asker.ask(query(asked)) == f"4660 NOERROR qr aa\nquestion {asked}. IN A" + asker.negative


def test_must_rfc3597_3_an_unknown_type_at_a_name_is_no_data(asker):
    for asked in ("host.gslb.test", "vpn.gslb.test"):
        assert asker.ask(query(asked, OTHER)) == \
            f"4660 NOERROR qr aa\nquestion {asked}. IN TYPE65280" + asker.negative


def test_must_rfc8020_an_unknown_type_at_no_name_is_nxdomain(asker):
    assert asker.ask(query("missing.gslb.test", OTHER)) == \
        "4660 NXDOMAIN qr aa\nquestion missing.gslb.test. IN TYPE65280" + asker.negative


@pytest.mark.parametrize("kind, text", [(HTTPS, "HTTPS"), (SVCB, "SVCB"), (CAA, "CAA"), (TLSA, "TLSA"), (DS, "DS"),
                                        (DNSKEY, "DNSKEY")])
def test_must_rfc8906_8_1_2_new_types_are_no_data_and_never_an_error(asker, kind, text):
    for asked in ("host.gslb.test", "vpn.gslb.test"):
        assert asker.ask(query(asked, kind)) == f"4660 NOERROR qr aa\nquestion {asked}. IN {text}" + asker.negative


def test_must_rfc1034_4_3_2_soa_at_the_apex_is_one_record(asker):
    assert asker.ask(query("gslb.test", SOA)) == \
        "4660 NOERROR qr aa\nquestion gslb.test. IN SOA" + \
        asker.negative.replace("authority gslb.test. 30", "answer gslb.test. 3600")


def test_must_rfc1034_4_2_2_ns_at_the_apex_has_the_servers_and_their_addresses(asker):
    assert asker.ask(query("gslb.test", NS)) == \
        "4660 NOERROR qr aa\nquestion gslb.test. IN NS\nanswer gslb.test. 3600 IN NS ns1.gslb.test.\n" \
        "additional ns1.gslb.test. 3600 IN A 192.0.2.53\nadditional ns1.gslb.test. 3600 IN AAAA 2001:db8::53"


def test_must_rfc1034_3_6_2_cname_at_an_alias_is_only_the_cname(asker):
    assert asker.ask(query("toward.gslb.test", CNAME)) == \
        "4660 NOERROR qr aa\nquestion toward.gslb.test. IN CNAME\n" \
        "answer toward.gslb.test. 300 IN CNAME host.gslb.test."


def test_must_rfc1034_4_3_2_an_alias_within_the_zone_is_followed(asker):
    assert asker.ask(query("toward.gslb.test")) == \
        "4660 NOERROR qr aa\nquestion toward.gslb.test. IN A\n" \
        "answer toward.gslb.test. 300 IN CNAME host.gslb.test.\nanswer host.gslb.test. 60 IN A 192.0.2.70"
    assert asker.ask(query("alias.gslb.test")) == \
        "4660 NOERROR qr aa\nquestion alias.gslb.test. IN A\n" \
        "answer alias.gslb.test. 300 IN CNAME vpn.gslb.test." + NORTH


def test_should_rfc6604_3_an_alias_of_a_name_that_does_not_exist_is_nxdomain(asker):
    assert asker.ask(query("dangling.gslb.test")) == \
        "4660 NXDOMAIN qr aa\nquestion dangling.gslb.test. IN A\n" \
        "answer dangling.gslb.test. 300 IN CNAME missing.gslb.test." + asker.negative


def test_must_rfc1034_4_3_2_an_alias_out_of_the_zone_is_given_alone(asker):
    assert asker.ask(query("outside.gslb.test")) == \
        "4660 NOERROR qr aa\nquestion outside.gslb.test. IN A\n" \
        "answer outside.gslb.test. 300 IN CNAME www.example.net."


def test_must_rfc1034_4_3_2_below_a_delegation_there_is_a_referral_with_glue(asker):
    assert asker.ask(query("www.deleg.gslb.test")) == \
        "4660 NOERROR qr\nquestion www.deleg.gslb.test. IN A\n" \
        "authority deleg.gslb.test. 300 IN NS ns.deleg.gslb.test.\n" \
        "authority deleg.gslb.test. 300 IN NS ns.example.net.\nadditional ns.deleg.gslb.test. 300 IN A 192.0.2.90"


def test_must_rfc4592_3_3_a_wildcard_answers_as_the_name_asked_for_at_any_depth(asker):
    for asked in ("x.wild.gslb.test", "y.x.wild.gslb.test", "*.wild.gslb.test"):
        assert asker.ask(query(asked)) == \
            f"4660 NOERROR qr aa\nquestion {asked}. IN A\nanswer {asked}. 300 IN A 192.0.2.80"


def test_must_rfc4592_3_3_1_a_wildcard_without_the_type_is_no_data(asker):
    assert asker.ask(query("x.wild.gslb.test", MX)) == \
        "4660 NOERROR qr aa\nquestion x.wild.gslb.test. IN MX" + asker.negative


def test_should_rfc8482_4_any_gets_little_but_something(asker):
    for asked in ("host.gslb.test", "vpn.gslb.test", "gslb.test", "x.wild.gslb.test"):
        assert asker.ask(query(asked, ANY)) == \
            f'4660 NOERROR qr aa\nquestion {asked}. IN ANY\nanswer {asked}. 3600 IN HINFO "RFC8482" ""'
    assert asker.ask(query("toward.gslb.test", ANY)) == \
        "4660 NOERROR qr aa\nquestion toward.gslb.test. IN ANY\n" \
        "answer toward.gslb.test. 300 IN CNAME host.gslb.test."


@over_udp
def test_should_rfc8482_any_at_the_apex_is_no_amplifier(asker):
    message = query("gslb.test", ANY)
    assert len(asker.reply(message)) < 2 * len(message)


def test_must_rfc2308_an_answer_is_minimal_and_adds_the_addresses_of_hosts_it_names(asker):
    assert asker.ask(query("mail.gslb.test", MX)) == \
        "4660 NOERROR qr aa\nquestion mail.gslb.test. IN MX\nanswer mail.gslb.test. 300 IN MX 10 mx1.gslb.test.\n" \
        "answer mail.gslb.test. 300 IN MX 20 mx.example.net.\nadditional mx1.gslb.test. 300 IN A 192.0.2.25\n" \
        "additional mx1.gslb.test. 300 IN AAAA 2001:db8::25"
    assert asker.ask(query("_sip._udp.gslb.test", wire.SRV)) == \
        "4660 NOERROR qr aa\nquestion _sip._udp.gslb.test. IN SRV\n" \
        "answer _sip._udp.gslb.test. 300 IN SRV 1 2 5060 host.gslb.test.\n" \
        "additional host.gslb.test. 60 IN A 192.0.2.70\nadditional host.gslb.test. 60 IN AAAA 2001:db8::70"


# Classes and types that are not data

def test_must_rfc4892_chaos_tells_the_identity_and_never_the_version(asker):
    assert asker.ask(query("id.server", TXT, CH)) == \
        '4660 NOERROR qr aa\nquestion id.server. CH TXT\nanswer id.server. 0 CH TXT "test"'
    assert asker.ask(query("hostname.bind", TXT, CH)) == \
        '4660 NOERROR qr aa\nquestion hostname.bind. CH TXT\nanswer hostname.bind. 0 CH TXT "test"'
    for unknown in ("version.bind", "version.server", "authors.bind"):
        assert asker.ask(query(unknown, TXT, CH)) == f"4660 REFUSED qr\nquestion {unknown}. CH TXT"


def test_should_rfc8906_our_names_in_another_class_are_refused(asker):
    assert asker.ask(query("host.gslb.test", A, CH)) == "4660 REFUSED qr\nquestion host.gslb.test. CH A"
    assert asker.ask(query("host.gslb.test", A, HS)) == "4660 REFUSED qr\nquestion host.gslb.test. HS A"
    assert asker.ask(query("host.gslb.test", A, 999)) == "4660 REFUSED qr\nquestion host.gslb.test. CLASS999 A"


def test_should_rfc2136_class_any_and_none_are_refused(asker):
    assert asker.ask(query("host.gslb.test", A, ANY)) == "4660 REFUSED qr\nquestion host.gslb.test. ANY A"
    assert asker.ask(query("host.gslb.test", A, NONE)) == "4660 REFUSED qr\nquestion host.gslb.test. NONE A"


def test_must_rfc5936_5_a_stranger_s_transfer_is_refused(asker):
    assert asker.ask(query("gslb.test", AXFR)) == "4660 REFUSED qr\nquestion gslb.test. IN AXFR"


def test_must_rfc1995_2_an_incremental_transfer_gives_no_content(asker):
    soa = name("gslb.test") + struct.pack("!HHIH", SOA, 1, 0, 22) + bytes(22)
    message = header(authorities=1) + name("gslb.test") + struct.pack("!HH", IXFR, 1) + soa
    assert asker.ask(message) == "4660 REFUSED qr\nquestion gslb.test. IN IXFR"


@pytest.mark.parametrize("kind, code", [(0, "NOERROR"), (wire.OPT, "FORMERR"), (TSIG, "FORMERR"), (TKEY, "NOTIMP"),
                                        (MAILB, "NOTIMP"), (MAILA, "NOTIMP")])
def test_must_rfc6895_3_1_types_that_are_no_data_are_errors_or_no_data(asker, kind, code):
    text = asker.ask(query("host.gslb.test", kind))
    assert text.split()[1] == code and "answer" not in text, text


def test_must_rfc2181_5_2_a_set_has_one_ttl_and_no_record_twice(asker):
    for asked, kind in (("vpn.gslb.test", A), ("many.gslb.test", A), ("mail.gslb.test", MX), ("big.gslb.test", TXT)):
        lines = [line for line in asker.ask(query(asked, kind, edns=opt(4096))).split("\n")
                 if line.startswith("answer")]
        assert lines and len({line.split()[2] for line in lines}) == 1 and len(set(lines)) == len(lines)


@pytest.mark.parametrize("kind, text", [(RRSIG, "RRSIG"), (NSEC, "NSEC"), (DNSKEY, "DNSKEY")])
def test_must_rfc4035_3_1_security_types_on_an_unsigned_zone_are_no_data(asker, kind, text):
    assert asker.ask(query("gslb.test", kind, edns=opt(ttl=0x8000))) == \
        f"4660 NOERROR qr aa\nquestion gslb.test. IN {text}" + asker.negative + "\nedns 1232 do"


# EDNS

def test_must_rfc6891_7_an_opt_is_answered_with_an_opt_and_nothing_with_nothing(asker):
    for asked in ("host.gslb.test", "missing.gslb.test", "example.net", "www.deleg.gslb.test", "ent.gslb.test"):
        assert "edns" not in asker.ask(query(asked))
        assert asker.ask(query(asked, edns=opt())).count("\nedns 1232") == 1


def test_must_rfc6891_6_1_3_another_edns_version_is_badvers_without_data(asker):
    assert asker.ask(query("host.gslb.test", edns=opt(ttl=1 << 16))) == \
        "4660 BADVERS qr\nquestion host.gslb.test. IN A\nedns 1232"


def test_must_rfc8906_8_2_6_version_255_with_an_unknown_option_and_do_is_badvers(asker):
    assert asker.ask(query("host.gslb.test", edns=opt(ttl=255 << 16 | 0x8000, options=option(65001, b"ab")))) == \
        "4660 BADVERS qr\nquestion host.gslb.test. IN A\nedns 1232 do"


def test_must_rfc8906_8_2_3_unknown_options_are_ignored_and_not_echoed(asker):
    assert asker.ask(query("host.gslb.test", options=option(100) + option(65001, bytes(40)) + option(0))) == \
        "4660 NOERROR qr aa" + HOST + "\nedns 1232"


def test_must_rfc8906_8_2_4_unknown_flags_are_ignored_and_cleared(asker):
    assert asker.ask(query("host.gslb.test", edns=opt(ttl=0x7fff))) == "4660 NOERROR qr aa" + HOST + "\nedns 1232"


def test_should_rfc6891_6_1_2_an_opt_that_is_not_the_root_s_is_a_format_error(asker):
    fault(asker, query("host.gslb.test", edns=opt(owner=b"\x01a\0")))
    fault(asker, query("host.gslb.test", edns=opt(owner=b"\xc0\x0c")))


def test_must_rfc6891_6_1_2_an_opt_that_runs_past_the_message_is_a_format_error(asker):
    fault(asker, query("host.gslb.test", edns=opt()[:-1] + b"\x05"))
    fault(asker, query("host.gslb.test", edns=opt()[:-2]))
    fault(asker, query("host.gslb.test", edns=opt()[:3]))


def test_must_rfc6891_6_1_2_an_option_that_runs_past_its_opt_is_a_format_error(asker):
    formerr = "4660 FORMERR qr\nquestion host.gslb.test. IN A\nedns 1232"
    for options in (struct.pack("!HH", 65001, 4) + b"abc", b"\0\x03", b"\0", b"\0\x03\0",
                    struct.pack("!HH", 10, 65535)):
        assert asker.ask(query("host.gslb.test", options=options)) == formerr


def test_must_rfc6891_6_1_1_two_opts_or_one_in_a_wrong_place_are_format_errors(asker):
    question = name("host.gslb.test") + struct.pack("!HH", A, 1)
    fault(asker, header(additionals=2) + question + opt() + opt())
    fault(asker, header(answers=1) + question + opt())
    fault(asker, header(authorities=1) + question + opt())
    # Before another record it is where it may be.
    extra = name("x.test") + struct.pack("!HHIH", A, 1, 0, 4) + bytes(4)
    for records in (opt() + extra, extra + opt()):
        assert asker.ask(header(additionals=2) + question + records) == "4660 NOERROR qr aa" + HOST + "\nedns 1232"


@over_udp
def test_must_rfc6891_6_2_3_a_size_below_512_counts_as_512(asker):
    for size in (0, 100, 511, 512):
        assert asker.ask(query("big.gslb.test", TXT, edns=opt(size))) == \
            "4660 NOERROR qr aa tc\nquestion big.gslb.test. IN TXT\nedns 1232"
        text = asker.ask(query("mail.gslb.test", MX, edns=opt(size)))
        assert "tc" not in text.split("\n")[0] and text.count("answer") == 2


def test_must_rfc3225_3_do_is_copied_and_changes_nothing_else_here(asker):
    assert asker.ask(query("host.gslb.test", edns=opt(ttl=0x8000))) == "4660 NOERROR qr aa" + HOST + "\nedns 1232 do"


def test_must_rfc5001_2_1_nsid_is_sent_when_asked_for(asker):
    assert asker.ask(query("host.gslb.test", options=option(3))) == \
        "4660 NOERROR qr aa" + HOST + "\nedns 1232 nsid=test"
    assert asker.ask(query("host.gslb.test", edns=opt())) == "4660 NOERROR qr aa" + HOST + "\nedns 1232"


def test_must_rfc8914_other_registered_options_are_answered(asker):
    # EXPIRE, CHAIN, KEY-TAG, EDE, LLQ, DAU, REPORT-CHANNEL, ZONEVERSION.
    for code in (9, 13, 14, 15, 1, 5, 18, 19):
        for size in (0, 1, 2, 4, 18):
            assert asker.ask(query("host.gslb.test", options=option(code, bytes(size)))) == \
                "4660 NOERROR qr aa" + HOST + "\nedns 1232"


# Padding and keepalive

@over_udp
def test_must_rfc7830_padding_over_udp_is_answered_without_any(asker):
    for size in (0, 1, 100):
        assert asker.ask(query("host.gslb.test", options=option(12, bytes(size)))) == \
            "4660 NOERROR qr aa" + HOST + "\nedns 1232"


@pytest.mark.parametrize("asker", ["tcp4", "tcp6"], indirect=True)
def test_must_rfc7830_6_padding_is_not_sent_in_the_clear(asker):
    assert asker.ask(query("host.gslb.test", options=option(12, bytes(100)))) == \
        "4660 NOERROR qr aa" + HOST + "\nedns 1232"


@over_tls
def test_should_rfc8467_4_1_an_encrypted_answer_is_padded_to_468_octets_when_padding_was_asked_for(asker):
    for qname, qtype in (("host.gslb.test", A), ("missing.gslb.test", A), ("big.gslb.test", TXT),
                         ("large.gslb.test", TXT)):
        bare = asker.reply(query(qname, qtype, edns=opt()))
        padded = asker.reply(query(qname, qtype, options=option(12, bytes(7))))
        assert len(padded) == -(-(len(bare) + 4) // 468) * 468
        assert render(padded) == render(bare) + " padding=" + "00" * (len(padded) - len(bare) - 4)


@over_udp
def test_must_rfc7828_3_3_1_keepalive_over_udp_is_ignored(asker):
    for body in (b"", b"\0\x64"):
        assert asker.ask(query("host.gslb.test", options=option(11, body))) == \
            "4660 NOERROR qr aa" + HOST + "\nedns 1232"


@over_tcp
def test_must_rfc7828_3_3_2_keepalive_over_tcp_is_told_in_two_octets(asker):
    assert asker.ask(query("host.gslb.test", options=option(11))) == \
        "4660 NOERROR qr aa" + HOST + "\nedns 1232 keepalive=0064"


# Cookies

CLIENT = bytes.fromhex("2464c4abcf10c957")


def cookie_of(text: str) -> bytes:
    return bytes.fromhex(text.rpartition("cookie=")[2].split()[0])


def source_of(asker) -> str:
    """The address that our questions come from."""
    with asker.datagram() as connected:
        return connected.getsockname()[0]


def ours(asker, secret: bytes, age: int = 0) -> bytes:
    return wire.server_cookie(secret, CLIENT, source_of(asker), int(time.time()) - age)


def without_question(cookie: bytes) -> bytes:
    return header(questions=0, additionals=1) + opt(options=option(10, cookie))


def test_must_rfc7873_5_2_3_a_client_s_cookie_comes_back_with_the_server_s(asker):
    text = asker.ask(query("host.gslb.test", options=option(10, CLIENT)))
    cookie = cookie_of(text)
    assert text == "4660 NOERROR qr aa" + HOST + f"\nedns 1232 cookie={cookie.hex()}"
    assert cookie[:8] == CLIENT and len(cookie) == 24


def test_should_rfc9018_4_the_server_s_cookie_is_the_interoperable_one_of_the_configured_secret(asker):
    cookie = cookie_of(asker.ask(query("host.gslb.test", options=option(10, CLIENT))))
    made = struct.unpack("!I", cookie[12:16])[0]
    assert abs(made - time.time()) < 300
    assert cookie[8:] == wire.server_cookie(SECRET, CLIENT, source_of(asker), made)


def test_must_rfc7873_5_2_5_a_returned_cookie_gets_the_normal_answer_and_a_fresh_one(asker):
    old = ours(asker, SECRET, age=1800)
    text = asker.ask(query("host.gslb.test", options=option(10, CLIENT + old)))
    assert text == "4660 NOERROR qr aa" + HOST + f"\nedns 1232 cookie={cookie_of(text).hex()}"
    assert cookie_of(text)[:8] == CLIENT and cookie_of(text)[8:] != old


def test_must_rfc7873_5_2_2_a_cookie_of_a_wrong_size_is_a_format_error(asker):
    for size in (0, 1, 7, 9, 15, 41, 100):
        assert asker.ask(query("host.gslb.test", options=option(10, bytes(size)))) == \
            "4660 FORMERR qr\nquestion host.gslb.test. IN A\nedns 1232"


def test_must_rfc7873_5_2_4_a_wrong_cookie_gets_a_normal_answer_and_a_fresh_one(asker):
    for server in (bytes(8), bytes(16), bytes(32), ours(asker, bytes(16)), ours(asker, SECRET, age=7200)):
        text = asker.ask(query("host.gslb.test", options=option(10, CLIENT + server)))
        cookie = cookie_of(text)
        assert text == "4660 NOERROR qr aa" + HOST + f"\nedns 1232 cookie={cookie.hex()}"
        assert cookie[8:] == wire.server_cookie(SECRET, CLIENT, source_of(asker), struct.unpack("!I", cookie[12:16])[0])


def test_should_rfc7873_5_4_without_a_question_a_cookie_is_judged(asker):
    def judge(server: bytes) -> str:
        text = asker.ask(without_question(CLIENT + server))
        assert cookie_of(text)[:8] == CLIENT
        assert text.endswith(f"\nedns 1232 cookie={cookie_of(text).hex()}")
        return text.split("\n")[0]
    assert judge(b"") == judge(ours(asker, SECRET)) == judge(ours(asker, SECRET, age=3500)) == "4660 NOERROR qr"
    assert judge(ours(asker, SECRET, age=-200)) == "4660 NOERROR qr"
    for bad in (bytes(16), ours(asker, bytes(15) + b"x"), ours(asker, SECRET, age=3700), ours(asker, SECRET, age=-400),
                wire.server_cookie(SECRET, CLIENT, "198.51.100.1", int(time.time()))):
        assert judge(bad) == "4660 BADCOOKIE qr"


def test_should_rfc9018_5_a_cookie_of_the_old_secret_is_still_accepted(asker):
    assert asker.ask(without_question(CLIENT + ours(asker, OLD_SECRET))).startswith("4660 NOERROR qr\n")


# Client subnets

def ecs(asker, address: str, source: int, qname="vpn.gslb.test", qtype=A, size=1232) -> str:
    return asker.ask(query(qname, qtype, edns=opt(size, options=subnet(address, source))))


def echo(address: str, source: int, scope: int) -> str:
    return "\nedns 1232 subnet=" + subnet(address, source, scope)[4:].hex()


def test_must_rfc7871_7_2_1_an_ipv4_subnet_steers_and_is_echoed_with_a_scope(asker):
    assert ecs(asker, "198.51.100.0", 24) == "4660 NOERROR qr aa" + ASKED + SOUTH + echo("198.51.100.0", 24, 22)
    assert ecs(asker, "192.0.2.0", 24) == "4660 NOERROR qr aa" + ASKED + NORTH + echo("192.0.2.0", 24, 24)


def test_must_rfc7871_7_2_1_an_ipv6_subnet_steers_and_is_echoed_with_a_scope(asker):
    assert ecs(asker, "2001:db8:2::", 56) == "4660 NOERROR qr aa" + ASKED + SOUTH + echo("2001:db8:2::", 56, 48)
    assert ecs(asker, "2001:db8:1::", 56) == "4660 NOERROR qr aa" + ASKED + NORTH + echo("2001:db8:1::", 56, 48)


def test_must_rfc7871_7_1_2_a_subnet_of_nothing_is_answered_and_echoed_with_scope_0(asker):
    for address in ("0.0.0.0", "::"):
        assert ecs(asker, address, 0) == "4660 NOERROR qr aa" + ASKED + NORTH + echo(address, 0, 0)


def test_must_rfc7871_7_2_1_without_a_subnet_there_is_none_in_the_response(asker):
    assert asker.ask(query("vpn.gslb.test", edns=opt())) == "4660 NOERROR qr aa" + ASKED + NORTH + "\nedns 1232"


FORMERR = "4660 FORMERR qr" + ASKED + "\nedns 1232"


def malformed(asker, body: bytes):
    assert asker.ask(query("vpn.gslb.test", options=option(8, body))) == FORMERR


def test_must_rfc7871_7_2_1_an_unknown_family_is_a_format_error(asker):
    malformed(asker, struct.pack("!HBB", 3, 0, 0))
    malformed(asker, struct.pack("!HBB", 0xffff, 24, 0) + bytes(3))
    malformed(asker, struct.pack("!HBB", 0, 8, 0) + b"\x0a")


def test_should_rfc7871_6_bits_beyond_the_source_are_a_format_error(asker):
    malformed(asker, struct.pack("!HBB", 1, 23, 0) + bytes([198, 51, 101]))
    malformed(asker, struct.pack("!HBB", 2, 47, 0) + bytes.fromhex("20010db80001"))


def test_must_rfc7871_6_a_source_beyond_the_family_is_a_format_error(asker):
    malformed(asker, struct.pack("!HBB", 1, 33, 0) + bytes(5))
    malformed(asker, struct.pack("!HBB", 2, 129, 0) + bytes(17))


def test_should_rfc7871_6_a_scope_in_a_query_is_a_format_error(asker):
    malformed(asker, struct.pack("!HBB", 1, 24, 24) + bytes([198, 51, 100]))


def test_must_rfc7871_6_an_option_of_another_length_than_its_source_needs_is_a_format_error(asker):
    for body in (b"", b"\0", b"\0\1", b"\0\1\x18", b"\0\1\x18\0" + bytes(2), b"\0\1\x18\0" + bytes(4), b"\0\1\0\0\0",
                 b"\0\2\x38\0" + bytes(6)):
        malformed(asker, body)


def test_must_rfc7871_12_1_what_is_not_tailored_is_echoed_with_scope_0(asker):
    for address, source in (("198.51.100.0", 24), ("2001:db8:2::", 56)):
        for qname, qtype in (("gslb.test", SOA), ("host.gslb.test", A), ("missing.gslb.test", A),
                             ("vpn.gslb.test", TXT), ("four.gslb.test", AAAA), ("www.deleg.gslb.test", A)):
            assert ecs(asker, address, source, qname, qtype).endswith(echo(address, source, 0)), qname


def test_must_rfc7871_7_2_1_all_within_a_scope_get_the_same_answer(asker):
    first = ecs(asker, "198.51.100.0", 24)
    assert first.endswith(echo("198.51.100.0", 24, 22))
    for address, source in (("198.51.100.255", 32), ("198.51.103.0", 24), ("198.51.102.128", 25)):
        text = ecs(asker, address, source)
        assert text.split("\nedns")[0] == first.split("\nedns")[0]
        assert text.endswith(echo(address, source, 22))


def test_should_rfc7871_10_a_private_subnet_is_passed_over_for_the_source(asker):
    plain = asker.ask(query("vpn.gslb.test"))
    for address, source in (("10.1.2.0", 24), ("127.0.0.0", 8), ("192.168.0.0", 16), ("fd00::", 48)):
        assert ecs(asker, address, source).split("\nedns")[0] == plain


def test_must_rfc7871_over_tcp_is_as_over_udp(world):
    answers = {transport: [ecs(world.asker(transport), *each) for each in
                           (("198.51.100.0", 24), ("2001:db8:2::", 56), ("192.0.2.0", 24))] for transport in EVERY}
    assert len({tuple(texts) for texts in answers.values()}) == 1


def test_must_rfc7871_7_2_1_of_a_chain_that_is_tailored_only_the_start_is_given(asker):
    assert ecs(asker, "198.51.100.0", 24, "alias.gslb.test") == \
        "4660 NOERROR qr aa\nquestion alias.gslb.test. IN A\n" \
        "answer alias.gslb.test. 300 IN CNAME vpn.gslb.test." + echo("198.51.100.0", 24, 0)


def test_must_rfc6891_6_1_2_two_subnets_are_a_format_error(asker):
    both = subnet("198.51.100.0", 24) + subnet("192.0.2.0", 24)
    assert asker.ask(query("vpn.gslb.test", options=both)) == FORMERR


def test_must_rfc7871_6_a_random_subnet_is_a_format_error_or_echoed_as_it_came(asker):
    seed = random.Random(7871)
    for _ in range(200):
        body = bytes(seed.randrange(4) if seed.random() < 0.5 else seed.randrange(256)
                     for _ in range(seed.randrange(24)))
        text = asker.ask(query("vpn.gslb.test", options=option(8, body)))
        if text == FORMERR:
            continue
        assert text.startswith("4660 NOERROR qr aa" + ASKED + "\nanswer")
        echoed = bytes.fromhex(text.rpartition("subnet=")[2])
        assert echoed[:3] + b"\0" + echoed[4:] == body


# Sizes

@over_udp
def test_must_rfc6891_6_2_3_what_does_not_fit_1232_octets_is_truncated_with_its_opt(asker):
    assert asker.ask(query("large.gslb.test", TXT, edns=opt(1232, options=option(3)))) == \
        "4660 NOERROR qr aa tc\nquestion large.gslb.test. IN TXT\nedns 1232 nsid=test"
    whole = asker.reply(query("big.gslb.test", TXT, edns=opt(1232)))
    assert 512 < len(whole) <= 1232 and render(whole).count("answer") == 3
    assert asker.ask(query("big.gslb.test", TXT)) == "4660 NOERROR qr aa tc\nquestion big.gslb.test. IN TXT"


@over_udp
def test_should_rfc9715_3_answers_stay_within_1232_octets_whatever_is_offered(asker):
    for size in (1233, 4096, 65535):
        assert asker.ask(query("large.gslb.test", TXT, edns=opt(size))) == \
            "4660 NOERROR qr aa tc\nquestion large.gslb.test. IN TXT\nedns 1232"


@over_tcp
def test_must_rfc7766_5_over_tcp_the_answer_is_whole(asker):
    for edns in (None, opt(512), opt(4096)):
        text = asker.ask(query("large.gslb.test", TXT, edns=edns))
        assert text.startswith("4660 NOERROR qr aa\n") and text.count("\nanswer") == 20


def test_must_rfc2181_9_an_answer_that_is_not_truncated_holds_the_whole_set(world):
    udp, tcp = world.asker("udp4"), world.asker("tcp4")
    for size in range(512, 1400, 7):
        message = query("many.gslb.test", edns=opt(size))
        text = udp.ask(message)
        if " tc" in text.split("\n")[0]:
            assert text == "4660 NOERROR qr aa tc\nquestion many.gslb.test. IN A\nedns 1232"
        else:
            assert sorted(text.split("\n")) == sorted(tcp.ask(message).split("\n"))


@over_tcp
def test_must_bind_100_a_set_has_less_than_100_records(asker):
    # Others refuse sets with more, as servers and as resolvers.
    assert asker.ask(query("many.gslb.test")).count("\nanswer many.gslb.test. 30 IN A 10.9.0.") == 64


# Streams

@over_tcp
def test_must_rfc7766_8_a_question_may_come_octet_by_octet(asker):
    message = query("host.gslb.test")
    with asker.stream() as stream:
        for octet in struct.pack("!H", len(message)) + message:
            stream.socket.sendall(bytes([octet]))
        assert render(stream.receive()) == "4660 NOERROR qr aa" + HOST


@over_tcp
def test_must_rfc7766_6_2_1_1_twenty_questions_in_one_write_get_twenty_answers(asker):
    with asker.stream() as stream:
        stream.send(*[query("host.gslb.test", ident=i) for i in range(20)])
        assert sorted(render(stream.receive()) for _ in range(20)) == \
            sorted(f"{i} NOERROR qr aa" + HOST for i in range(20))


@over_tcp
def test_must_rfc7766_6_2_1_a_connection_stays_open_for_the_next_question(asker):
    with asker.stream() as stream:
        for i in range(5):
            stream.send(query("host.gslb.test", ident=i))
            assert render(stream.receive()) == f"{i} NOERROR qr aa" + HOST


@pytest.mark.parametrize("asker", ["tcp4", "tcp6"], indirect=True)
def test_must_rfc7766_6_2_4_a_half_closed_client_gets_its_answer(asker):
    with asker.stream() as stream:
        stream.send(query("host.gslb.test"), query("large.gslb.test", TXT, ident=2))
        stream.socket.shutdown(socket.SHUT_WR)
        assert render(stream.receive()) == "4660 NOERROR qr aa" + HOST
        assert render(stream.receive()).startswith("2 NOERROR qr aa\n")
        assert stream.receive() is None


@over_tcp
def test_should_rfc7766_6_2_3_150_idle_connections_keep_nobody_out(world, asker):
    idle = [asker.stream() for _ in range(150)]
    start = time.monotonic()
    assert asker.ask(query("host.gslb.test")) == "4660 NOERROR qr aa" + HOST
    assert world.asker("udp4").ask(query("host.gslb.test")) == "4660 NOERROR qr aa" + HOST
    assert time.monotonic() - start < 2
    for each in idle:
        each.send(query("host.gslb.test"))
    assert all(render(each.receive()) == "4660 NOERROR qr aa" + HOST for each in idle)
    for each in idle:
        each.socket.close()


@over_tcp
def test_should_rfc7766_6_2_1_1_300_short_connections_do_no_harm(asker):
    for _ in range(300 if asker.transport.startswith("tcp") else 30):
        asker.stream().socket.close()
    assert asker.ask(query("host.gslb.test")) == "4660 NOERROR qr aa" + HOST


@over_tcp
def test_must_robustness_mutated_questions_over_a_stream_do_no_harm(asker):
    seed = random.Random(1035)
    for _ in range(100):
        message = bytearray(query("host.gslb.test", options=option(10, CLIENT) + subnet("198.51.100.0", 24)))
        for _ in range(seed.randrange(1, 6)):
            message[seed.randrange(len(message))] = seed.randrange(256)
        raw = asker.reply(bytes(message))
        assert raw is None or render(raw)
    assert asker.ask(query("host.gslb.test")) == "4660 NOERROR qr aa" + HOST


@over_udp
def test_must_robustness_mutated_questions_in_datagrams_do_no_harm(asker):
    seed = random.Random(768)
    for _ in range(200):
        message = bytearray(query("host.gslb.test", options=option(10, CLIENT) + subnet("198.51.100.0", 24)))
        for _ in range(seed.randrange(1, 6)):
            message[seed.randrange(2, len(message))] = seed.randrange(256)
        raw = asker.reply(bytes(message[:seed.randrange(len(message))] if seed.random() < 0.3 else message))
        assert raw is None or render(raw)


def test_must_stability_the_same_question_always_gets_the_same_answer(asker):
    assert {asker.ask(query("vpn.gslb.test")) for _ in range(100)} == {"4660 NOERROR qr aa" + ASKED + NORTH}
