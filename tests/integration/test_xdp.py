# SPDX-License-Identifier: Apache-2.0
"""AF_XDP between two network namespaces that a test makes for itself: what is answered by it, what is left to the
kernel, and what happens where it cannot be had. Needs root, as whoever makes network namespaces does."""
import contextlib
import ctypes
import itertools
import json
import os
import shutil
import socket
import struct
import subprocess
import threading

import dns.edns
import dns.exception
import dns.message
import dns.query
import pytest

from harness import BIN, Scenario, eventually

CONFIG = """
[zone."gslb.test"]
ns = { "ns1.gslb.test" = ["192.0.2.53"] }
[monitor.tcp]
type = "tcp"
port = 9
interval = "60s"
timeout = "100ms"
[region.here]
location = { latitude = 50.1, longitude = 8.7 }
[gateway.one]
region = "here"
endpoints = ["127.0.0.2"]
monitors = ["tcp"]
[service.vpn]
name = "vpn.gslb.test"
gateways = ["one"]
policy = ["all"]
"""
SERVER4, SERVER6, CLIENT4, CLIENT6 = "10.213.0.1", "fd00:213::1", "10.213.0.2", "fd00:213::2"
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
_counter = itertools.count()


def ip(*arguments):
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


class Net:
    """A namespace for the server and one for its clients, with a veth pair between them."""

    def __init__(self, queues: int = 1):
        tag = f"{os.getpid()}-{next(_counter)}"
        self.server, self.client = f"fairway-s{tag}", f"fairway-c{tag}"
        self.queues = queues

    def __enter__(self):
        try:
            for name in (self.server, self.client):
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
            self.connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def connect(self):
        """Makes the pair, or makes it again after it was deleted."""
        ip("link", "add", "dns0", "netns", self.server, "numrxqueues", str(self.queues), "numtxqueues",
           str(self.queues), "type", "veth", "peer", "name", "cl0", "netns", self.client, "numrxqueues",
           str(self.queues), "numtxqueues", str(self.queues))
        for name, device, four, six in ((self.server, "dns0", SERVER4, SERVER6), (self.client, "cl0", CLIENT4, CLIENT6)):
            ip("-n", name, "addr", "add", f"{four}/24", "dev", device)
            ip("-n", name, "addr", "add", f"{six}/64", "dev", device, "nodad")
            ip("-n", name, "link", "set", device, "up")

    def __exit__(self, *_):
        for name in (self.server, self.client):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    @contextlib.contextmanager
    def within(self, name: str):
        """The calling thread is in namespace `name`."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{name}") as there:
            enter(there)
            try:
                yield
            finally:
                enter(home)

    def programs(self) -> list:
        """The XDP programs on the server's interface."""
        link = json.loads(ip("-n", self.server, "-json", "link", "show", "dev", "dns0"))[0]
        return [link["xdp"]["prog"]["id"]] if "xdp" in link else []


def enter(namespace):
    if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class XdpScenario(Scenario):
    def __init__(self, net: Net):
        super().__init__()
        self.net = net
        self.address = SERVER4

    def start(self, xdp: str, listen=None, prefix=(), wait_for_xdp: bool = True, threads: int = 1, port: int = 53,
              binary=BIN / "fairwayd"):
        """Runs fairwayd in the server's namespace, through the command `prefix` if there is one."""
        self.write(xdp, listen, threads)
        program = self.run("fairwayd", ["ip", "netns", "exec", self.net.server, *prefix, binary, "--config",
                                        self.folder / "fairway.toml"])
        eventually("fairwayd answers DNS", lambda: program.running() and self.ask("vpn.gslb.test", port=port))
        if wait_for_xdp:
            eventually("XDP answers", lambda: self.counters()["xdp_interfaces"] == 1)
        return program

    def write(self, xdp: str, listen=None, threads: int = 1):
        listens = ", ".join(f'"{each}"' for each in listen or (f"{SERVER4}:53", f"[{SERVER6}]:53"))
        (self.folder / "fairway.toml").write_text(f"""
[server]
listen = [{listens}]
state = "{self.folder}/state"
nsid = "test"
threads = {threads}
{f"xdp = {xdp}" if xdp else ""}
[api]
unix = "{self.control}"
{CONFIG}
""")

    def ask(self, name: str, kind: str = "A", to: str = SERVER4, tcp: bool = False, port: int = 53, **options):
        with self.net.within(self.net.client):
            message = dns.message.make_query(name, kind, **options)
            return (dns.query.tcp if tcp else dns.query.udp)(message, to, port=port, timeout=3)

    def exchange(self, message: bytes, to: str = SERVER4, options: bool = False) -> bytes:
        """The answer to a message as it is; with IP options, which do nothing, the kernel takes it, not XDP."""
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        with self.net.within(self.net.client), socket.socket(family, socket.SOCK_DGRAM) as client:
            client.settimeout(3)
            if options and family == socket.AF_INET6:
                client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, bytes([0, 0, 1, 4, 0, 0, 0, 0]))
            elif options:
                client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([1, 1, 1, 0]))
            client.connect((to, 53))
            client.send(message)
            return client.recv(65535)

    def counters(self) -> dict:
        return self.fairway_json("status")["node"]["dns_counters"]

    def log(self) -> str:
        return self.programs[-1].output()


    def received(self) -> int:
        """Questions that came by XDP."""
        return self.counters()["xdp_received"]

    @contextlib.contextmanager
    def by_xdp(self, questions: int):
        """Exactly so many questions come by XDP meanwhile."""
        before = self.received()
        yield
        assert self.received() - before == questions


XDP = '{ interfaces = ["dns0"] }'


@pytest.fixture
def net():
    with Net() as made:
        yield made


@pytest.fixture
def scenario(net):
    with XdpScenario(net) as made:
        yield made


def questions() -> list:
    """Messages of many kinds, whose answers depend on nothing but the tables."""
    ecs = dns.edns.ECSOption("198.51.100.0", 24)
    made = [dns.message.make_query("vpn.gslb.test", kind) for kind in ("A", "AAAA", "ANY", "TXT")]
    made += [dns.message.make_query(name, "A") for name in ("missing.gslb.test", "VpN.gSlB.tEsT", "example.net", ".")]
    made += [dns.message.make_query("gslb.test", kind) for kind in ("SOA", "NS")]
    made += [dns.message.make_query("vpn.gslb.test", "A", use_edns=0, payload=size, options=[ecs])
             for size in (512, 1232, 4096)]
    made += [dns.message.make_query("vpn.gslb.test", "A", use_edns=1),
             dns.message.make_query("version.bind", "TXT", "CH")]
    wire = [message.to_wire() for message in made]
    return wire + [wire[0] + b"trailing", wire[0][:20], wire[0][:12]]


def test_answers_by_xdp_are_those_of_the_sockets_octet_by_octet(scenario):
    scenario.start(XDP)
    asked = questions()
    with scenario.by_xdp(2 * len(asked)):
        fast = [scenario.exchange(message, to) for to in (SERVER4, SERVER6) for message in asked]
    counters = scenario.counters()
    assert counters["xdp_answered"] == counters["xdp_received"]
    assert counters["xdp_dropped"] == counters["xdp_transmit_full"] == counters["xdp_lost"] == 0

    with scenario.by_xdp(0):
        slow = [scenario.exchange(message, to, options=True) for to in (SERVER4, SERVER6) for message in asked]
    assert fast == slow


def test_tcp_options_fragments_and_extension_headers_take_the_way_of_the_kernel(scenario):
    scenario.start(XDP)
    message = dns.message.make_query("vpn.gslb.test", "A", use_edns=0, pad=128)
    wire = message.to_wire()
    with scenario.by_xdp(1):
        expected = scenario.exchange(wire)
    passed = scenario.counters()["xdp_passed"]
    with scenario.by_xdp(0), scenario.net.within(scenario.net.client):
        assert dns.query.tcp(message, SERVER4, timeout=3).answer == dns.message.from_wire(expected).answer

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, \
                socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            client.settimeout(3)
            client.bind((CLIENT4, 0))
            datagram = struct.pack("!HHHH", client.getsockname()[1], 53, 8 + len(wire), 0) + wire
            for offset, part, more in ((0, datagram[:48], 0x2000), (6, datagram[48:], 0)):
                header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(part), 4711, more | offset, 64, 17, 0,
                                     socket.inet_aton(CLIENT4), socket.inet_aton(SERVER4))
                raw.sendto(header + part, (SERVER4, 0))
            assert client.recv(4096) == expected
    with scenario.by_xdp(0):
        for to in (SERVER4, SERVER6):
            assert scenario.exchange(wire, to, options=True) == expected
    assert scenario.counters()["xdp_passed"] >= passed + 5


def test_damaged_frames_are_dropped_and_those_for_other_stations_passed(scenario):
    scenario.start(XDP)
    wire = dns.message.make_query("vpn.gslb.test", "A").to_wire()
    station = {name: json.loads(ip("-n", space, "-json", "link", "show", "dev", name))[0]["address"]
               for space, name in ((scenario.net.server, "dns0"), (scenario.net.client, "cl0"))}

    def octets(address: str) -> bytes:
        return bytes(int(part, 16) for part in address.split(":"))

    def total(data: bytes) -> int:
        data += b"\0" * (len(data) % 2)
        value = sum(struct.unpack(f"!{len(data) // 2}H", data))
        while value >> 16:
            value = (value & 0xffff) + (value >> 16)
        return value

    with scenario.net.within(scenario.net.client), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, \
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        client.settimeout(3)
        client.bind((CLIENT4, 0))
        raw.bind(("cl0", 0))

        def send(to: str, error: int):
            length = 8 + len(wire)
            addresses = socket.inet_aton(CLIENT4) + socket.inet_aton(SERVER4)
            udp = struct.pack("!HHHH", client.getsockname()[1], 53, length, 0) + wire
            checksum = 0xffff ^ total(addresses + struct.pack("!HH", 17, length) + udp)
            header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 64, 17, 0) + addresses
            header = header[:10] + struct.pack("!H", 0xffff ^ total(header)) + header[12:]
            raw.send(octets(to) + octets(station["cl0"]) + b"\x08\0" + header + udp[:6] +
                     struct.pack("!H", checksum ^ error) + udp[8:])

        before = scenario.counters()
        send(station["dns0"], 0)
        assert client.recv(4096)[:2] == wire[:2]
        send(station["dns0"], 0x0100)
        eventually("it is dropped", lambda: scenario.counters()["xdp_dropped"] == before["xdp_dropped"] + 1)
        send("02:00:00:00:00:99", 0)
        eventually("it is passed", lambda: scenario.counters()["xdp_passed"] > before["xdp_passed"])
        assert scenario.received() == before["xdp_received"] + 2
        assert scenario.counters()["udp_queries"] == before["udp_queries"] + 1


def test_a_wildcard_address_means_this_machines_but_not_those_of_interfaces_on_top(scenario):
    net = scenario.net
    ip("-n", net.server, "link", "add", "link", "dns0", "name", "upper", "type", "macvlan")
    ip("-n", net.server, "link", "set", "upper", "up")
    for space, device, address in ((net.server, "upper", "10.214.0.1/24"), (net.client, "cl0", "10.214.0.2/24"),
                                   (net.server, "lo", "10.215.0.1/32")):
        ip("-n", space, "addr", "add", address, "dev", device)
    ip("-n", net.client, "route", "add", "10.215.0.0/24", "via", SERVER4)
    scenario.start(XDP, listen=["0.0.0.0:53", "[::]:53"])
    with scenario.by_xdp(3):
        for to in (SERVER4, SERVER6, "10.215.0.1"):
            assert scenario.ask("vpn.gslb.test", to=to).answer
    with scenario.by_xdp(0):
        assert scenario.ask("vpn.gslb.test", to="10.214.0.1").answer
    # An address that comes later is the sockets' until it is noticed.
    ip("-n", net.server, "addr", "add", "10.215.0.9/32", "dev", "lo")
    before = scenario.received()
    eventually("the new address is answered by XDP",
               lambda: scenario.ask("vpn.gslb.test", to="10.215.0.9").answer and scenario.received() > before)


def test_every_queue_has_a_worker(scenario):
    with Net(queues=2) as net, XdpScenario(net) as two:
        two.start(XDP, threads=2)
        assert "2 queues" in two.log()
        wire = dns.message.make_query("vpn.gslb.test", "A").to_wire()
        with two.by_xdp(100):
            for _ in range(100):
                assert two.exchange(wire)[:2] == wire[:2]


@pytest.mark.parametrize("prefix, xdp, reason", [
    ((), '{ interfaces = ["dns9"] }', "no XDP on dns9, the sockets answer: there is no such interface"),
    ((), '{ interfaces = ["lo"] }', "no XDP on lo, the sockets answer: it is not an Ethernet interface"),
    ((), '{ interfaces = ["plain"], mode = "native" }',
     "no XDP on plain, the sockets answer: its driver has no native XDP"),
    (("setpriv", "--bounding-set", "-bpf,-net_admin,-net_raw,-sys_admin"), XDP,
     "no XDP on dns0, the sockets answer: cannot load the XDP program: Operation not permitted (CAP_BPF, "
     "CAP_NET_ADMIN and CAP_NET_RAW are needed)")])
def test_where_it_cannot_be_had_the_sockets_answer_and_the_reason_is_told_once(scenario, prefix, xdp, reason):
    ip("-n", scenario.net.server, "link", "add", "plain", "type", "bridge")
    scenario.start(xdp, prefix=prefix, wait_for_xdp=False)
    eventually("the reason is told", lambda: reason in scenario.log())
    with scenario.by_xdp(0):
        for to in (SERVER4, SERVER6):
            assert scenario.ask("vpn.gslb.test", to=to).answer
    eventually("it was tried again", lambda: scenario.fairway_json("status")["node"]["uptime_seconds"] >= 4)
    assert scenario.log().count("the sockets answer") == 1


def test_a_user_with_the_documented_capabilities_has_it(scenario):
    capabilities = "+net_bind_service,+net_raw,+net_admin,+bpf"
    # The build may lie where only its owner may go.
    binary = shutil.copy(BIN / "fairwayd", scenario.folder)
    scenario.folder.chmod(0o777)
    scenario.start(XDP, binary=binary,
                   prefix=("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set",
                           "-all," + capabilities, "--inh-caps", "-all," + capabilities, "--ambient-caps",
                           "-all," + capabilities))
    with scenario.by_xdp(1):
        assert scenario.ask("vpn.gslb.test").answer


def test_generic_mode_answers_where_the_driver_cannot(scenario):
    scenario.start('{ interfaces = ["dns0"], mode = "generic" }')
    assert "XDP answers on dns0: generic" in scenario.log()
    with scenario.by_xdp(2):
        for to in (SERVER4, SERVER6):
            assert scenario.ask("vpn.gslb.test", to=to).answer


def test_a_crash_leaves_no_program_behind_and_the_next_start_has_it_again(scenario):
    program = scenario.start(XDP)
    assert len(scenario.net.programs()) == 1
    program.kill()
    eventually("the program is gone", lambda: scenario.net.programs() == [])
    program.start()
    eventually("XDP answers again", lambda: program.running() and scenario.counters()["xdp_interfaces"] == 1)
    with scenario.by_xdp(1):
        assert scenario.ask("vpn.gslb.test").answer
    program.stop()
    assert scenario.net.programs() == []


def test_an_interface_that_another_has_is_taken_when_it_becomes_free(scenario):
    first = scenario.start(XDP)
    with XdpScenario(scenario.net) as second:
        second.start(XDP, listen=[f"{SERVER4}:5353"], wait_for_xdp=False, port=5353)
        eventually("it is told", lambda: "another XDP program runs on it" in second.log() or
                   "another program has it" in second.log())
        first.stop()
        eventually("it is free", lambda: second.counters()["xdp_interfaces"] == 1)


def test_an_interface_may_vanish_and_come_back(scenario):
    scenario.start(XDP)
    ip("-n", scenario.net.server, "link", "del", "dns0")
    eventually("it is told", lambda: "no XDP on dns0, the sockets answer: there is no such interface" in scenario.log())
    scenario.net.connect()
    eventually("XDP answers again", lambda: scenario.counters()["xdp_interfaces"] == 1)
    with scenario.by_xdp(2):
        for to in (SERVER4, SERVER6):
            assert scenario.ask("vpn.gslb.test", to=to).answer


def test_reloads_switch_between_xdp_and_sockets_under_questions_and_every_answer_is_right(scenario):
    scenario.start(XDP)
    wire = dns.message.make_query("vpn.gslb.test", "A").to_wire()
    expected = scenario.exchange(wire)
    done = threading.Event()
    answers, wrong = [0], []

    def ask():
        while not done.is_set():
            # As a resolver would: a driver that is being reconfigured may lose a packet.
            for attempt in range(3):
                with contextlib.suppress(TimeoutError):
                    reply = scenario.exchange(wire)
                    break
            else:
                reply = b"none"
            answers[0] += 1
            if reply != expected:
                wrong.append(reply)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        for xdp, interfaces in (("", 0), (XDP, 1), ('{ interfaces = ["dns0"], mode = "generic" }', 1), (XDP, 1)):
            scenario.write(xdp)
            scenario.fairway("reload")
            mode = "generic" if "generic" in xdp else "native"
            eventually("it is so", lambda: scenario.counters()["xdp_interfaces"] == interfaces and
                       (not interfaces or f"XDP answers on dns0: {mode}" in scenario.log().splitlines()[-1]))
            seen = answers[0]
            eventually("questions went on", lambda: answers[0] > seen + 20)
    finally:
        done.set()
        asker.join()
    assert wrong == []
