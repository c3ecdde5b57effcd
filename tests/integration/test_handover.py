# SPDX-License-Identifier: Apache-2.0
"""One fairwayd takes over from another under load: no query is lost, and whoever fails on the way changes nothing."""
import array
import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import dns.message
import dns.rcode
import pytest

from harness import BIN, Process, Scenario, eventually, loopback
from pdns_backend import Backend

F_ADD_SEALS, ALL_SEALS = 1033, 0xF
DGRAM, STREAM = socket.SOCK_DGRAM, socket.SOCK_STREAM


def free_port(address: str) -> int:
    """A port that is free for UDP and TCP on an IPv6 address that other scenarios use as well."""
    while True:
        with socket.socket(socket.AF_INET6, DGRAM) as udp, socket.socket(socket.AF_INET6, STREAM) as tcp:
            udp.bind((address, 0))
            with contextlib.suppress(OSError):
                tcp.bind((address, udp.getsockname()[1]))
                return udp.getsockname()[1]


class World(Scenario):
    """A steered name with two endpoints, of which one is down: whoever has not looked yet would give both."""

    def __init__(self):
        super().__init__()
        self.up, self.down = loopback(), loopback()
        self.listener = socket.create_server((self.up, 7100), backlog=64)
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()
        self.port6 = free_port("::1")
        self.threads = 2
        self.extra_listen = []
        self.daemons = []

    def __exit__(self, kind, value, trace):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        super().__exit__(kind, value, trace)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                self.listener.accept()[0].close()

    def config(self, more: str = "") -> str:
        listen = [f"{self.address}:{self.port}", f"[::1]:{self.port6}", *self.extra_listen]
        return f"""
[server]
listen = {json.dumps(listen)}
state = "{self.folder}/state"
nsid = "test"
threads = {self.threads}
[api]
unix = "{self.control}"
[zone."gslb.test"]
ns = {{ "ns1.gslb.test" = ["192.0.2.53"] }}
[monitor.tcp]
type = "tcp"
port = 7100
interval = "500ms"
timeout = "300ms"
recheck = "50ms"
[region.eu]
location = {{ latitude = 50.11, longitude = 8.68 }}
[gateway.fra1]
region = "eu"
endpoints = ["{self.up}", "{self.down}"]
monitors = ["tcp"]
[service.vpn]
name = "vpn.gslb.test"
gateways = ["fra1"]
policy = ["healthy"]
[health]
damping = false
isolation = false
{more}
"""

    def write_config(self, toml: str):
        (self.folder / "fairway.toml").write_text(toml)

    def launch(self, *options, env=None) -> Process:
        program = self.run(f"fairwayd-{len(self.daemons)}",
                           [BIN / "fairwayd", "--config", self.folder / "fairway.toml", *options], env)
        self.daemons.append(program)
        return program

    def start(self, more: str = "") -> Process:
        self.write_config(self.config(more))
        program = self.launch()
        eventually("only the healthy endpoint is answered",
                   lambda: program.running() and self.addresses("vpn.gslb.test") == [self.up])
        return program

    def replace(self, more: str = "") -> Process:
        """Starts a successor, and waits until it is in charge and the one before has ended."""
        before = self.daemons[-1]
        self.write_config(self.config(more))
        program = self.launch("--replace")
        eventually("the successor is in charge", lambda: program.running() and self.pid_in_charge() == program.pid, 60)
        assert before.popen.wait(20) == 0, before.output()
        return program

    def node(self) -> dict:
        return self.fairway_json("status")["node"]

    def pid_in_charge(self) -> int:
        return self.node()["pid"]


class Load:
    """Asks without pause over UDP and TCP, IPv4 and IPv6; every question must get its one right answer."""

    def __init__(self, world: World, workers: int = 6):
        self.targets = [(world.address, world.port), ("::1", world.port6)]
        self.expected = [world.up]
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.answered = {"udp": 0, "tcp": 0}
        self.problems = []
        self.threads = [threading.Thread(target=self.udp, args=(self.targets[n % 2],)) for n in range(workers)]
        self.threads += [threading.Thread(target=self.tcp, args=(self.targets[n % 2], n < 2)) for n in range(4)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def question(self, number: int) -> bytes:
        return struct.pack("!HHHHHH", number & 0xFFFF, 0, 1, 0, 0, 0) + b"\3vpn\4gslb\4test\0\0\1\0\1"

    def check(self, kind: str, wire: bytes, number: int):
        reply = dns.message.from_wire(wire)
        got = [record.address for rrset in reply.answer for record in rrset]
        with self.lock:
            self.answered[kind] += 1
            if reply.id != number & 0xFFFF or reply.rcode() != dns.rcode.NOERROR or got != self.expected:
                self.problems.append(f"{kind}: {reply}")

    def problem(self, what: str):
        with self.lock:
            self.problems.append(what)

    def udp(self, target):
        """Several questions at once on each of several sockets, so that some always wait in the kernel."""
        number = 0
        while not self.stopping.is_set():
            sockets = [socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET, DGRAM) for _ in range(4)]
            for _ in range(25):
                due = []
                for one in sockets:
                    one.settimeout(5)
                    one.connect(target)
                    for _ in range(2):
                        number += 1
                        one.send(self.question(number))
                        due.append((one, number))
                missing = {(one, n & 0xFFFF) for one, n in due}
                for one, _ in due:
                    try:
                        wire = one.recv(4096)
                    except OSError as error:
                        self.problem(f"udp to {target}: {error!r}")
                        continue
                    answered = struct.unpack("!H", wire[:2])[0]
                    if (one, answered) not in missing:
                        self.problem(f"udp: answer {answered} was not asked for, or came twice")
                    missing.discard((one, answered))
                    self.check("udp", wire, answered)
                if self.stopping.is_set():
                    break
            for one in sockets:
                one.close()

    def tcp(self, target, persistent: bool):
        """One connection for all, or one for each question."""
        number = 0
        connection = None
        while not self.stopping.is_set():
            try:
                if connection is None:
                    connection = socket.create_connection(target, timeout=5)
                number += 1
                message = self.question(number)
                framed = struct.pack("!H", len(message)) + message
                connection.sendall(framed[:9])
                if number % 7 == 0:
                    time.sleep(0.002)  # the rest of a question comes later
                connection.sendall(framed[9:])
                self.check("tcp", self.read(connection), number)
                if not persistent:
                    connection.close()
                    connection = None
            except OSError as error:
                self.problem(f"tcp to {target} ({'one for all' if persistent else 'one each'}): {error!r}")
                connection = None
        if connection is not None:
            connection.close()

    def read(self, connection) -> bytes:
        def exactly(count: int) -> bytes:
            data = b""
            while len(data) < count:
                part = connection.recv(count - len(data))
                if not part:
                    raise ConnectionError("closed in the middle")
                data += part
            return data
        return exactly(struct.unpack("!H", exactly(2))[0])

    def more(self, count: int = 400):
        """Waits until that many more have been answered by both."""
        with self.lock:
            start = dict(self.answered)
        eventually("the load goes on", lambda: self.problems or all(
            self.answered[kind] >= start[kind] + (count if kind == "udp" else count // 20) for kind in start), 60)
        assert not self.problems, self.problems[:5]


def test_no_query_is_lost_in_handovers_with_any_number_of_threads():
    with World() as world:
        world.start()
        with Load(world) as load:
            load.more()
            for count, threads in enumerate([2, 1, 4, 3, 2, 2], 1):
                world.threads = threads
                previous = world.daemons[-1].pid
                program = world.replace()
                node = world.node()
                assert (node["took_over_from"], node["takeovers"], node["ready"]) == (previous, count, True)
                load.more()
                assert f"took over from process {previous}" in program.output()
        assert not load.problems, load.problems[:5]
        # What was being measured goes on: the states are as old as the first process.
        assert "first probe round done" not in world.daemons[-1].output().split("took over")[0]


def test_another_configuration_takes_over_what_still_exists():
    with World() as world:
        world.start()
        world.fairway("drain", "fra1", "--reason", "test", "--for", "1h", "--force")
        world.fairway("clear", "fra1")
        extra = loopback()
        with Load(world) as load:
            load.more()
            world.extra_listen = [f"{extra}:{world.port}"]
            world.replace('[service.also]\nname = "also.gslb.test"\ngateways = ["fra1"]\npolicy = ["healthy"]')
            load.more()
            # Known from the first answer on, though the service is new.
            assert world.addresses("also.gslb.test") == [world.up]
            assert world.addresses("also.gslb.test", address=extra) == [world.up]
            world.fairway("down", f"fra1/{world.down}", "--reason", "kept", "--for", "1h")
            world.extra_listen = []
            world.replace()
            load.more()
            reasons = [item["reason"] for item in world.fairway_json("override", "list")["overrides"]]
            assert reasons == ["kept"]
            with socket.socket(socket.AF_INET, DGRAM) as gone:
                gone.settimeout(5)
                gone.connect((extra, world.port))
                gone.send(load.question(1))
                with pytest.raises(ConnectionRefusedError):
                    gone.recv(4096)


def test_a_second_daemon_on_the_same_folder_is_refused_with_a_sentence():
    with World() as world:
        first = world.start()
        second = world.launch()
        assert second.popen.wait(30) == 1
        assert (f"another fairwayd, process {first.pid} works on {world.folder}/state already; --replace takes over "
                "from it without losing a query") in second.output()
        assert world.pid_in_charge() == first.pid
        # The lock ends with whoever holds it, however that ends; and replacing nobody is a plain start.
        first.kill()
        world.programs.remove(first)
        third = world.launch("--replace")
        eventually("it answers", lambda: third.running() and world.addresses("vpn.gslb.test") == [world.up])
        assert "there is no fairwayd to replace" in third.output()


class Successor:
    """Speaks the handover by hand, as far as it likes."""

    def __init__(self, world: World):
        self.connection = socket.socket(socket.AF_UNIX, STREAM)
        self.connection.settimeout(10)
        self.connection.connect(str(world.folder / "state" / "handover.sock"))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.connection.close()

    def say(self, kind: int, body: dict = None, version: int = 1):
        fds = []
        if body is not None:
            fds = [os.memfd_create("body", os.MFD_ALLOW_SEALING)]
            os.write(fds[0], json.dumps(body).encode())
            fcntl.fcntl(fds[0], F_ADD_SEALS, ALL_SEALS)
        frame = struct.pack("!4sBBBBI", b"FWHO", version, kind, 2 if fds else 0, 0, len(fds))
        self.connection.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
        for fd in fds:
            os.close(fd)

    def hear(self):
        """The type and the body of the next message; what comes with it is closed."""
        kind, body, more = None, None, True
        while more:
            frame, fds, _, _ = socket.recv_fds(self.connection, 12, 253)
            if not frame:
                return None
            _, _, kind, flags, _, count = struct.unpack("!4sBBBBI", frame)
            assert count == len(fds)
            if flags & 2:
                with os.fdopen(os.dup(fds[0]), "rb") as file:
                    body = json.loads(os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0))
            for fd in fds:
                os.close(fd)
            more = bool(flags & 1)
        return kind, body

    def hello(self):
        self.say(1, {"pid": os.getpid(), "program": "a test"})


def test_a_successor_that_fails_on_the_way_changes_nothing():
    with World() as world:
        first = world.start()
        with Load(world) as load:
            load.more(100)
            for steps in range(4):
                with Successor(world) as other:
                    if steps >= 1:
                        other.hello()
                        assert other.hear()[0] == 2
                    if steps >= 2:
                        other.say(3)
                        kind, state = other.hear()
                        assert kind == 4 and state["ready"]
                    if steps >= 3:
                        other.say(9, {"reason": "no courage"})
                        assert other.hear()[0] == 8
                load.more(50)
                # The store is open again: a change is kept.
                world.fairway("down", f"fra1/{world.down}", "--reason", f"step {steps}", "--for", "1h")
                world.fairway("clear", f"fra1/{world.down}")
            with Successor(world) as other:  # out of turn
                other.say(5)
                assert other.hear()[0] == 8
            with Successor(world) as other:
                other.say(1, {"pid": 1, "program": "x"}, version=9)
                kind, body = other.hear()
                assert kind == 8 and "version 9 of the handover" in body["reason"]
            with Successor(world) as other:  # one at a time
                other.hello()
                other.hear()
                with Successor(world) as another:
                    kind, body = another.hear()  # at once: it need not even say hello
                    assert kind == 8 and "under way" in body["reason"]
            # A real one that cannot have what it wants, early or late.
            late = world.folder / "late"
            world.write_config(world.config() + f'[pdns]\nunix = "{late}/pdns.sock"\n')  # no such folder
            second = world.launch("--replace")
            assert second.popen.wait(30) == 1
            world.daemons.remove(second)
            load.more(50)
            assert world.pid_in_charge() == first.pid  # and its sockets have kept their names
            taken = socket.create_server((loopback(), 7200))
            world.extra_listen = ["%s:%d" % taken.getsockname()]
            world.write_config(world.config())
            second = world.launch("--replace")
            assert second.popen.wait(30) == 1
            assert "Address already in use" in second.output()
            taken.close()
            load.more(100)
            assert world.pid_in_charge() == first.pid
            eventually("it is told", lambda: "was to take over and failed: cannot listen on" in first.output())
            assert "no courage" in first.output()
            world.extra_listen = []
            world.daemons.remove(second)
            world.replace()
            load.more(100)


def test_a_signal_starts_the_program_that_is_there_now():
    with World() as world:
        first = world.start()
        with Load(world) as load:
            # A successor that does not come up is told, and nothing else happens.
            good = (world.folder / "fairway.toml").read_text()
            world.write_config(good + "\n[nonsense]\n")
            first.signal(signal.SIGUSR2)
            eventually("its end is told", lambda: "ended with status 2; this one goes on" in first.output(), 30)
            world.write_config(good)
            first.signal(signal.SIGUSR2)
            pid = eventually("another is in charge", lambda: (world.pid_in_charge() != first.pid
                                                               and world.pid_in_charge()), 60)
            assert first.popen.wait(20) == 0
            load.more(100)
        world.programs.remove(first)
        os.kill(pid, signal.SIGTERM)
        eventually("it has ended", lambda: not os.path.exists(f"/proc/{pid}"))


class Manager:
    """What a service manager does: binds the sockets, starts the service on them, hears its notes."""

    def __init__(self, world: World):
        self.world = world
        self.sockets = []
        for family, address in ((socket.AF_INET, (world.address, world.port)),
                                (socket.AF_INET6, ("::1", world.port6))):
            for kind in (DGRAM, STREAM):
                one = socket.socket(family, kind)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind(address)
                if kind == STREAM:
                    one.listen(128)
                self.sockets.append(one)
        control = socket.socket(socket.AF_UNIX, STREAM)
        control.bind(str(world.control))
        control.listen(16)
        self.sockets.append(control)
        self.notes = socket.socket(socket.AF_UNIX, DGRAM)
        self.notes.bind(str(world.folder / "notify.sock"))
        self.notes.settimeout(20)

    def start(self) -> Process:
        # Numbers that cannot be in the way of each other, then those that the service expects.
        high = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 200) for one in self.sockets]

        def preexec():
            for position, fd in enumerate(high):
                os.dup2(fd, 3 + position)
        program = Process(f"fairwayd-{len(self.world.daemons)}", [
            "sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', BIN / "fairwayd", "--config",
            self.world.folder / "fairway.toml"], self.world.folder, {
                "LISTEN_FDS": str(len(high)), "NOTIFY_SOCKET": str(self.world.folder / "notify.sock"),
                "WATCHDOG_USEC": "400000"})
        with open(program.log, "ab") as out:
            program.popen = subprocess.Popen(program.argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                             env=program.env, close_fds=False, preexec_fn=preexec)
        for fd in high:
            os.close(fd)
        self.world.programs.append(program)
        self.world.daemons.append(program)
        return program

    def hear(self, wanted: str) -> str:
        """The next note that has the line."""
        while True:
            note = self.notes.recv(4096).decode()
            if wanted in note.split("\n"):
                return note

    def close(self):
        for one in [*self.sockets, self.notes]:
            one.close()


def test_with_sockets_of_a_service_manager_even_a_restart_loses_nothing():
    with World() as world:
        world.threads = 3
        world.write_config(world.config())
        manager = Manager(world)
        program = manager.start()
        assert "answering on" in manager.hear("READY=1")
        eventually("only the healthy endpoint is answered", lambda: world.addresses("vpn.gslb.test") == [world.up])
        manager.hear("WATCHDOG=1")
        with Load(world) as load:
            load.expected = [world.up]
            load.more(100)
            # A handover keeps the manager's sockets, and tells it who is the service now.
            world.write_config(world.config())
            program.signal(signal.SIGUSR2)
            note = eventually("the manager hears of the successor", lambda: next(
                (line for line in manager.notes.recv(4096).decode().split("\n") if line.startswith("MAINPID=")), None))
            pid = int(note.split("=")[1])
            manager.hear("READY=1")
            assert program.popen.wait(20) == 0
            load.more(100)
        assert world.pid_in_charge() == pid
        os.kill(pid, signal.SIGHUP)
        assert "MONOTONIC_USEC=" in manager.hear("RELOADING=1")
        manager.hear("READY=1")

        # Persistent connections end with a process; datagrams and new connections wait for the next one.
        clients = []
        os.kill(pid, signal.SIGTERM)
        manager.hear("STOPPING=1")
        eventually("it has ended", lambda: not os.path.exists(f"/proc/{pid}"))
        question = load.question(7)
        for target in [(world.address, world.port), ("::1", world.port6)]:
            for _ in range(20):
                udp = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET, DGRAM)
                udp.settimeout(30)
                udp.connect(target)
                udp.send(question)
                clients.append(udp)
            tcp = socket.create_connection(target, timeout=30)
            tcp.sendall(struct.pack("!H", len(question)) + question)
            clients.append(tcp)
        manager.start()
        manager.hear("READY=1")
        for client in clients:
            wire = client.recv(4096) if client.type == DGRAM else load.read(client)
            assert dns.message.from_wire(wire).id == 7
            client.close()
        assert world.control.exists()
        manager.close()


class PdnsLoad:
    """Asks a pdns-server without pause; any answer but the right one is a problem."""

    def __init__(self, targets, question, expected):
        self.targets, self.question, self.expected = targets, question, expected
        self.stopping = threading.Event()
        self.problems, self.answered = [], 0
        self.threads = [threading.Thread(target=self.ask, args=(target,)) for target in targets for _ in range(4)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def ask(self, target):
        with socket.socket(socket.AF_INET, DGRAM) as udp:
            udp.settimeout(8)
            udp.connect(target)
            while not self.stopping.is_set():
                query = dns.message.make_query(self.question, "A")
                try:
                    udp.send(query.to_wire())
                    reply = dns.message.from_wire(udp.recv(4096))
                except OSError as error:
                    self.problems.append(f"{target}: {error!r}")
                    continue
                got = [record.address for rrset in reply.answer for record in rrset]
                if reply.id != query.id or reply.rcode() != dns.rcode.NOERROR or got != self.expected:
                    self.problems.append(f"{target}: {reply}")
                self.answered += 1

    def more(self, count: int = 150):
        goal = self.answered + count
        eventually("the load goes on", lambda: self.problems or self.answered >= goal, 60)
        assert not self.problems, self.problems[:3]


def connections_of(pid: int) -> set:
    """The sockets of a process, by inode."""
    links = set()
    for entry in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            links.add(os.readlink(f"/proc/{pid}/fd/{entry}"))
    return {link for link in links if link.startswith("socket:")}


def test_powerdns_notices_nothing_of_handovers_and_keeps_its_connections():
    connectors = ["unix", "http", "pipe"]
    with Backend(connectors) as backend:
        backend.start()
        expected = [backend.gateways["fra"]]
        targets = [(backend.pdns[connector][1], 5300) for connector in connectors]
        with PdnsLoad(targets, "fra.gslb.test", expected) as load:
            load.more(300)
            before = {name: connections_of(backend.pdns[name][0].pid) for name in connectors}
            for count in range(1, 6):
                previous = backend.daemon
                backend.daemon = backend.run(f"fairwayd-{count}", [
                    *previous.argv, *([] if "--replace" in previous.argv else ["--replace"])])
                assert previous.popen.wait(60) == 0, previous.output()
                eventually("the successor is in charge",
                           lambda: backend.fairway_json("status")["node"]["pid"] == backend.daemon.pid)
                load.more()
                counters = backend.fairway_json("status")["node"]["dns_counters"]
                assert counters["pdns_connections"] > 0 and counters["pdns_junk"] == 0
            after = {name: connections_of(backend.pdns[name][0].pid) for name in connectors}
        assert not load.problems, load.problems[:3]
        for name in connectors:
            assert before[name] <= after[name]
