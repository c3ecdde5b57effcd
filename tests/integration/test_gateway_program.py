# SPDX-License-Identifier: Apache-2.0
"""fairway-gateway as its users see it: its services on real sockets, every fault, the control socket, start and end."""
import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from harness import BIN, Scenario, eventually

PROGRAM = BIN / "fairway-gateway"
# IKE_SA_INIT of an independent client: AES-GCM with x25519.
INIT = bytes.fromhex(
    "f889020f34647d6100000000000000002120220800000000000000fc2200004400000040010100060300000c01000014800e0100"
    "0300000c01000014800e0080030000080200000703000008020000060300000802000005000000080400001f28000028001f0000"
    "17d5a594693e943363c1d78ea0c604364e7fb2df9d1a7d30525103757b813a5729000024288fdb2ded99b8dd8824dcb09a82bb1c"
    "73fe48df67eebad4b74dd925616a18732900001c000040044c387cb87554c0eb20e45f86f34650b3ea50276e2900001c00004005"
    "4489b2ae04435a1619cd9efc81bc34b139ed8507290000080000402e000000100000402f0002000300040005")
NOTIFY = {14: "NO_PROPOSAL_CHOSEN", 16390: "COOKIE", 16407: "REDIRECT"}


@pytest.fixture(scope="module")
def scenario():
    with Scenario() as running:
        running.start_gateways(f"""
            [defaults]
            tcp = 0
            tls = 0
            http = 0
            https = 0
            ike = 0
            ike_nat = 0
            server_names = ["portal.example.com"]
            [gateway.one]
            addresses = ["127.0.0.1", "127.0.0.2"]
            [gateway.two]
            addresses = ["127.0.0.3"]
        """)
        yield running


@pytest.fixture
def gateway(scenario):
    """Ports of one/127.0.0.1; healthy before and after."""
    scenario.fault("*", "none")
    yield scenario, status(scenario)["one/127.0.0.1"]["ports"]
    scenario.fault("*", "none")


def status(scenario) -> dict:
    shown = json.loads(scenario.gateway("status", "--json"))
    assert shown["schema"] == "fairway-gateway.status/1"
    return {f"{a['gateway']}/{a['address']}": a for a in shown["addresses"]}


def connect(port: int, address: str = "127.0.0.1", timeout: float = 5) -> socket.socket:
    return socket.create_connection((address, port), timeout=timeout)


def echo(stream) -> bytes:
    with stream:
        stream.sendall(b"hello")
        return stream.recv(100)


def tls(scenario, port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(scenario.folder / "ca.pem"))
    return context.wrap_socket(connect(port), server_hostname="portal.example.com")


def get(stream, path: str = "/healthz") -> tuple:
    with stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: portal.example.com\r\n\r\n".encode())
        reply = b""
        while piece := stream.recv(4096):
            reply += piece
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def ike(port: int, request: bytes = INIT, timeout: float = 5):
    """What the gateway answers to IKE_SA_INIT: "SA", the name of a notification, or "noise"."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.connect(("127.0.0.1", port))
        sock.send(bytes(4) + request)
        answer = sock.recv(4096)
    if answer[:12] != bytes(4) + request[:8] or struct.unpack(">I", answer[28:32])[0] != len(answer) - 4:
        return "noise"
    if answer[20] == 33:
        return "SA" if struct.unpack(">H", answer[34:36])[0] < len(answer) - 32 else "noise"
    return NOTIFY[struct.unpack(">H", answer[38:40])[0]] if answer[20] == 41 else "noise"


def fresh(number: int) -> bytes:
    """The request under another SPI: not a retransmission."""
    return struct.pack(">Q", number) + INIT[8:]


def all_healthy(scenario, ports) -> bool:
    assert echo(connect(ports["tcp"])) == b"hello"
    assert echo(tls(scenario, ports["tls"])) == b"hello"
    assert get(connect(ports["http"])) == (200, "ready\n")
    assert get(tls(scenario, ports["https"])) == (200, "ready\n")
    assert ike(ports["ike"], fresh(time.monotonic_ns())) == "SA"
    assert ike(ports["ike_nat"], fresh(time.monotonic_ns())) == "SA"
    return True


def test_a_healthy_gateway_serves_everything(gateway):
    scenario, ports = gateway
    assert all_healthy(scenario, ports)
    assert get(connect(ports["http"]), "/") == (200, "gateway one\n")
    assert get(connect(ports["http"]), "/nothing")[0] == 404


def test_refuse_closes_all_ports_and_healing_opens_the_same_again(gateway):
    scenario, ports = gateway
    scenario.fault("one/127.0.0.1", "refuse")
    for service in ("tcp", "tls", "http", "https"):
        with pytest.raises(ConnectionRefusedError):
            connect(ports[service])
    for service in ("ike", "ike_nat"):
        with pytest.raises(ConnectionRefusedError):
            ike(ports[service])
    # The gateway's other address goes on.
    other = status(scenario)["one/127.0.0.2"]["ports"]
    assert get(connect(other["http"], "127.0.0.2")) == (200, "ready\n")
    scenario.fault("one", "none")
    assert all_healthy(scenario, ports)


def test_silent_lets_not_even_connect(gateway):
    scenario, ports = gateway
    standing = connect(ports["tcp"])
    scenario.fault("one", "silent")
    for service in ("tcp", "tls", "http", "https"):
        with pytest.raises(TimeoutError):
            connect(ports[service], timeout=0.3)
    with pytest.raises(TimeoutError):
        ike(ports["ike"], timeout=0.3)
    standing.settimeout(0.3)
    standing.sendall(b"anyone?")
    with pytest.raises(TimeoutError):
        standing.recv(10)
    standing.close()
    scenario.fault("one", "none")
    assert all_healthy(scenario, ports)


def test_slow_answers_late_but_rightly(gateway):
    scenario, ports = gateway
    scenario.fault("one", "slow:250ms")
    for ask, expected in ((lambda: echo(connect(ports["tcp"])), b"hello"),
                          (lambda: get(tls(scenario, ports["https"])), (200, "ready\n")),
                          (lambda: ike(ports["ike"], fresh(7)), "SA")):
        start = time.monotonic()
        assert ask() == expected
        assert time.monotonic() - start >= 0.25


def test_reset_ends_connections_with_rst(gateway):
    scenario, ports = gateway
    scenario.fault("one", "reset")
    with pytest.raises(ConnectionResetError):
        with connect(ports["tcp"]) as stream:
            while stream.recv(10):
                pass
    assert ike(ports["ike"], fresh(8)) == "SA"


@pytest.mark.parametrize("flaw,expected", [("expired", "certificate has expired"),
                                           ("self-signed", "self-signed certificate"),
                                           ("wrong-host", "Hostname mismatch")])
def test_bad_certificates_are_refused_for_the_right_reason(gateway, flaw, expected):
    scenario, ports = gateway
    scenario.fault("one", f"bad-certificate:{flaw}")
    for service in ("tls", "https"):
        with pytest.raises(ssl.SSLCertVerificationError) as refused:
            tls(scenario, ports[service])
        assert expected in str(refused.value)
    assert get(connect(ports["http"])) == (200, "ready\n")


def test_http_503(gateway):
    scenario, ports = gateway
    scenario.fault("one", "http-503")
    assert get(connect(ports["http"]))[0] == 503
    assert get(tls(scenario, ports["https"]))[0] == 503


@pytest.mark.parametrize("fault,expected", [("ike-cookie", "COOKIE"), ("ike-no-proposal", "NO_PROPOSAL_CHOSEN"),
                                            ("ike-garbage", "noise"), ("ike-redirect", "REDIRECT")])
def test_ike_faults(gateway, fault, expected):
    scenario, ports = gateway
    scenario.fault("one", fault)
    assert ike(ports["ike"], fresh(time.monotonic_ns())) == expected
    assert ike(ports["ike_nat"], fresh(time.monotonic_ns())) == expected
    assert get(connect(ports["http"])) == (200, "ready\n")


def test_clients_that_send_nonsense_or_nothing_harm_nobody(gateway):
    scenario, ports = gateway
    idle = [connect(ports[service]) for service in ("tcp", "tls", "http", "https") for _ in range(20)]
    with connect(ports["http"]) as endless:
        endless.sendall(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 3000)
        assert endless.recv(100).startswith(b"HTTP/1.1 431")
    with connect(ports["tls"]) as confused, contextlib.suppress(ConnectionResetError):
        confused.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert confused.recv(100)[:1] in (b"", b"\x15")  # closed, or an alert first
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for size in (0, 1, 4, 27, 28, 32, 1400):
            sock.sendto(os.urandom(size), ("127.0.0.1", ports["ike"]))
        sock.sendto(b"\xff", ("127.0.0.1", ports["ike_nat"]))
    assert all_healthy(scenario, ports)
    for stream in idle:
        stream.close()


def test_a_control_client_that_stalls_or_talks_nonsense_harms_nobody(gateway):
    scenario, ports = gateway
    stalled = []
    for _ in range(5):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(scenario.gateway_control))
        client.sendall(b'{"command":')
        stalled.append(client)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(scenario.gateway_control))
        client.sendall(b"nonsense\n")
        assert json.loads(client.recv(4096)) == {"ok": False, "error": "usage", "message": "not a JSON object"}
        client.sendall(b"x" * 70_000)
        assert json.loads(client.recv(4096))["message"] == "line too long"
    assert all_healthy(scenario, ports)
    for client in stalled:
        client.close()


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=30)


def test_exit_statuses_tell_what_went_wrong(scenario, tmp_path):
    control = ["--control", scenario.gateway_control]
    assert run("fault", "one", "none", *control).returncode == 0
    unknown = run("fault", "on", "none", *control)
    assert (unknown.returncode, unknown.stdout) == (4, "")
    assert unknown.stderr == 'fairway-gateway: no gateway "on" (did you mean "one"?)\n'
    assert run("fault", "one", "nope", *control).returncode == 2
    assert run("fault", "one").returncode == 2
    assert run("status", "--control", tmp_path / "none.sock").returncode == 3
    assert run().returncode == 2
    assert run("--help").returncode == 0
    (tmp_path / "bad.toml").write_text("[gateway.a]\nadresses = []\n")
    bad = run("run", "--config", tmp_path / "bad.toml")
    assert bad.returncode == 2
    assert 'bad.toml:2:1: unknown key "adresses" (did you mean "addresses"?)' in bad.stderr


def test_the_control_socket_is_its_owners_alone(scenario):
    assert os.stat(scenario.gateway_control).st_mode & 0o777 == 0o600


def test_status_for_people(scenario):
    lines = scenario.gateway("status").splitlines()
    assert lines[0].split() == ["GATEWAY", "ADDRESS", "FAULT", "PORTS"]
    assert len(lines) == 4


def test_a_thousand_gateways_start_and_end(tmp_path):
    fleet = "[defaults]\nhttps = 0\nike = 0\nike_nat = 0\n" + "".join(
        f'[gateway.g{n}]\naddresses = ["127.100.{n // 250}.{n % 250 + 1}"]\n' for n in range(1000))
    with Scenario() as scenario:
        program = scenario.start_gateways(fleet)
        addresses = status(scenario)
        assert len(addresses) == 1000
        ports = addresses["g999/127.100.3.250"]["ports"]
        context = ssl.create_default_context(cafile=str(scenario.folder / "ca.pem"))
        with context.wrap_socket(connect(ports["https"], "127.100.3.250"), server_hostname="127.100.3.250") as stream:
            assert stream.version() == "TLSv1.3"
        assert len(os.listdir(f"/proc/{program.pid}/fd")) < 3100
        scenario.fault("*", "silent")
        assert len(os.listdir(f"/proc/{program.pid}/fd")) < 5200
        scenario.fault("*", "none")
        eventually("descriptors are given back", lambda: len(os.listdir(f"/proc/{program.pid}/fd")) < 3100)
        assert program.stop() == 0
        assert not scenario.gateway_control.exists()


def test_after_a_kill_it_starts_again_with_the_same_authority():
    with Scenario() as scenario:
        toml = '[gateway.a]\naddresses = ["127.0.0.1"]\nhttps = 0\n'
        first = scenario.start_gateways(toml)
        authority = (scenario.folder / "ca.pem").read_bytes()
        first.signal(signal.SIGKILL)
        first.popen.wait()
        scenario.start_gateways(toml)
        assert (scenario.folder / "ca.pem").read_bytes() == authority
        with tls_stream(scenario) as stream:
            assert stream.version() == "TLSv1.3"


def tls_stream(scenario) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(scenario.folder / "ca.pem"))
    port = status(scenario)["a/127.0.0.1"]["ports"]["https"]
    return context.wrap_socket(connect(port), server_hostname="127.0.0.1")
