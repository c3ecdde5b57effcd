# SPDX-License-Identifier: Apache-2.0
"""What the wire shows when things are not as usual: records that follow gateways as they fail, extended errors that say
why, floods that get little, and cookies whose secret changes under way."""
import struct
import time

import pytest
import wire
from harness import Listener, Scenario, eventually, loopback
from wire import CH, HTTPS, SRV, TXT, opt, option, query

ASKED = "\nquestion _vpn._tcp.gslb.test. IN "


class Wire(Scenario):
    def __init__(self):
        super().__init__()
        self.near, self.far = loopback(), loopback()
        self.portals = [Listener(self.near, 7000), Listener(self.far, 7000)]
        (self.folder / "gslb.test.zone").write_text("near.gw A 192.0.2.1\nfar.gw AAAA 2001:db8::2\n")

    def start(self, server: str = "", service: str = ""):
        self.server = server
        self.start_fairwayd(self.config(service))
        self.asker = wire.Asker("udp4", self.address, self.port)
        return self

    def write_config(self, toml: str):
        super().write_config(toml)
        file = self.folder / "fairway.toml"
        file.write_text(file.read_text().replace("[api]", self.server + "\n[api]", 1))

    def config(self, service: str = "") -> str:
        return f"""
[health]
isolation = false
[zone."gslb.test"]
ns = {{ "ns.gslb.test" = ["192.0.2.53"] }}
file = "gslb.test.zone"
[monitor.tcp]
type = "tcp"
port = 7000
interval = "200ms"
timeout = "100ms"
recheck = "50ms"
[region.north]
location = {{ latitude = 60, longitude = 10 }}
[gateway.near]
region = "north"
endpoints = [{{ address = "{self.near}", weight = 5 }}]
monitors = ["tcp"]
[gateway.far]
region = "north"
endpoints = ["{self.far}"]
monitors = ["tcp"]
[service.vpn]
name = "_vpn._tcp.gslb.test"
gateways = ["near", "far"]
policy = ["healthy", "failover"]
records = {{ SRV = "{{rank}} {{weight}} 443 {{gateway}}.gw.gslb.test", HTTPS = "1 . ipv4hint={{addresses}}" }}
{service}
"""

    def counter(self, name: str) -> int:
        return dict(self.fairway_json("status")["node"]["dns_counters"])[name]


@pytest.fixture
def scenario():
    with Wire() as running:
        yield running


def test_made_records_follow_the_gateways(scenario):
    scenario.start()
    start = f"\nanswer _vpn._tcp.gslb.test. "
    whole = "4660 NOERROR qr aa" + ASKED + "SRV" + start + "30 IN SRV 1 5 443 near.gw.gslb.test." + start + \
        "30 IN SRV 2 1 443 far.gw.gslb.test.\nadditional near.gw.gslb.test. 3600 IN A 192.0.2.1\n" \
        "additional far.gw.gslb.test. 3600 IN AAAA 2001:db8::2"
    for transport in ("udp4", "tcp4"):
        asker = wire.Asker(transport, scenario.address, scenario.port)
        assert asker.ask(query("_vpn._tcp.gslb.test", SRV)) == whole
        assert asker.ask(query("_vpn._tcp.gslb.test", HTTPS)) == \
            "4660 NOERROR qr aa" + ASKED + "HTTPS" + start + \
            f'30 IN HTTPS 1 . ipv4hint="{scenario.near},{scenario.far}"'
    scenario.portals[0].close()
    moved = "4660 NOERROR qr aa" + ASKED + "SRV" + start + "{} IN SRV 1 1 443 far.gw.gslb.test.\n" \
        "additional far.gw.gslb.test. 3600 IN AAAA 2001:db8::2"
    eventually("only the far gateway is given", lambda: scenario.asker.ask(query("_vpn._tcp.gslb.test", SRV)) in
               (moved.format(5), moved.format(30)))
    eventually("the hint has its address alone", lambda: scenario.asker.ask(
        query("_vpn._tcp.gslb.test", HTTPS)).endswith(f'IN HTTPS 1 . ipv4hint="{scenario.far}"'))


def test_a_template_that_cannot_be_refuses_the_configuration(scenario):
    scenario.start()
    good = scenario.asker.ask(query("_vpn._tcp.gslb.test", SRV))
    scenario.write_config(scenario.config().replace("{gateway}.gw", "{gatway}.gw"))
    refused = scenario.fairway_raw("reload")
    assert refused.returncode == 2 and "{gatway}" in refused.stdout + refused.stderr
    assert scenario.asker.ask(query("_vpn._tcp.gslb.test", SRV)) == good


def test_extended_errors_say_what_is_not_as_usual(scenario):
    scenario.start(service='all_down = "serve-all"')

    def told() -> str:
        return scenario.asker.ask(query("_vpn._tcp.gslb.test", edns=opt())).split("\nedns 1232")[1]
    assert told() == ""
    scenario.fairway("up", "near", "--reason", "test", "--for", "1h")
    eventually("forced up", lambda: told() == " error=0:forced up by an operator")
    scenario.fairway("clear", "near")
    eventually("as usual", lambda: told() == "")
    for portal in scenario.portals:
        portal.close()
    eventually("the last resort", lambda: told() == " error=0:no healthy gateway")
    scenario.write_config(scenario.config('all_down = "servfail"'))
    scenario.fairway("reload")
    eventually("no answer", lambda: scenario.asker.ask(query("_vpn._tcp.gslb.test", edns=opt())) ==
               "4660 SERVFAIL qr" + ASKED + "A\nedns 1232 error=0:no healthy gateway")


def test_a_flood_gets_its_rate_and_a_truncated_answer_now_and_then(scenario):
    scenario.start(server='rate_limit = { responses = 50, slip = 2 }')
    message = query("ns.gslb.test")
    with scenario.asker.datagram() as sender:
        sent, answers = 0, []
        begin = time.monotonic()
        # In batches, so that no socket buffer overflows; what does not come within a moment is not sent.
        sender.settimeout(0.1)
        for _ in range(10):
            for _ in range(100):
                sender.send(message)
                sent += 1
            try:
                while True:
                    answers.append(sender.recv(4096))
            except TimeoutError:
                pass
        lasted = time.monotonic() - begin
    whole = "4660 NOERROR qr aa\nquestion ns.gslb.test. IN A\nanswer ns.gslb.test. 3600 IN A 192.0.2.53"
    truncated = "4660 NOERROR qr aa tc\nquestion ns.gslb.test. IN A"
    received = {text: sum(wire.render(each) == text for each in answers) for text in (whole, truncated)}
    assert sum(received.values()) == len(answers)
    assert 50 <= received[whole] <= 50 * (lasted + 2)
    limited = sent - received[whole]
    assert received[truncated] == limited // 2
    assert scenario.counter("limited_dropped") == limited - limited // 2
    assert scenario.counter("limited_truncated") == limited // 2
    # Over TCP, with a good cookie, and of another kind there is no limit.
    tcp = wire.Asker("tcp4", scenario.address, scenario.port)
    with tcp.stream() as stream:
        stream.send(*[message] * 200)
        assert all(wire.render(stream.receive()) == whole for _ in range(200))
    client = bytes(8)
    given = bytes.fromhex(tcp.ask(query("ns.gslb.test", options=option(10, client))).rpartition("cookie=")[2])
    with scenario.asker.datagram() as sender:
        for _ in range(100):
            sender.send(query("ns.gslb.test", options=option(10, given)))
            assert wire.render(sender.recv(4096)).startswith(whole)
    assert scenario.asker.ask(query("version.bind", TXT, CH)) == "4660 REFUSED qr\nquestion version.bind. CH TXT"


def test_a_shared_cookie_secret_is_rolled_by_reloads_without_a_bad_cookie(scenario):
    secrets = [bytes([i] * 16) for i in range(3)]
    file = scenario.folder / "cookie.secret"

    def use(*these: bytes):
        file.write_text("\n".join(each.hex() for each in these) + "\n")
        file.chmod(0o600)

    def accepts(secret: bytes) -> bool:
        with scenario.asker.datagram() as connected:
            source = connected.getsockname()[0]
        server = wire.server_cookie(secret, bytes(8), source, int(time.time()))
        message = wire.header(questions=0, additionals=1) + opt(options=option(10, bytes(8) + server))
        text = scenario.asker.ask(message)
        assert text.split()[1] in ("NOERROR", "BADCOOKIE")
        return text.split()[1] == "NOERROR"
    use(secrets[0])
    scenario.start(server='cookie_secret = "file:cookie.secret"')
    assert [accepts(each) for each in secrets] == [True, False, False]
    # RFC 9018 section 5: the next one is accepted everywhere before anybody makes cookies with it.
    for these, expected in ((secrets[0:2], [True, True, False]), (secrets[1::-1], [True, True, False]),
                            (secrets[1:2], [False, True, False]), (secrets[1:3], [False, True, True])):
        use(*these)
        scenario.fairway("reload")
        assert [accepts(each) for each in secrets] == expected
    file.write_text("secret\n")
    refused = scenario.fairway_raw("reload")
    assert refused.returncode == 2 and "32 hexadecimal digits" in refused.stdout + refused.stderr
    assert [accepts(each) for each in secrets] == [False, True, True]
