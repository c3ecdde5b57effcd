# SPDX-License-Identifier: Apache-2.0
"""Starts the real programs for a scenario and asks them as their users do.

Every scenario has loopback addresses of its own (127.64.0.0/10, by process id and counter), so that ports never
collide between runs. Nothing sleeps for a guessed time: `eventually` polls until a deadline.
"""
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

BUILD = pathlib.Path(os.environ.get("FAIRWAY_BUILD") or
                     pathlib.Path(__file__).resolve().parents[2] / "build" / "debug")
BIN = BUILD / "bin"
ROOT = pathlib.Path(__file__).resolve().parents[2]
_counter = itertools.count()


def loopback() -> str:
    """An IPv4 loopback address that no other running scenario uses."""
    n = os.getpid() * 61 + next(_counter)
    return f"127.{64 + (n >> 14) % 64}.{(n >> 7) % 128}.{1 + n % 127}"


def eventually(what, check, deadline: float = 15.0, pause: float = 0.02):
    """Calls `check` until it returns something true, and returns that; fails naming `what` after `deadline` s."""
    end = time.monotonic() + deadline
    last = None
    while time.monotonic() < end:
        try:
            value = check()
            if value:
                return value
            last = value
        except (OSError, AssertionError, dns.exception.DNSException, subprocess.CalledProcessError, ValueError,
                KeyError, IndexError) as error:
            last = error
        time.sleep(pause)
    raise AssertionError(f"not within {deadline} s: {what}; last: {last!r}")


class Listener:
    """A TCP service that accepts and closes; `close` makes its port refuse."""

    def __init__(self, address: str, port: int):
        self.socket = socket.create_server((address, port), backlog=64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Process:
    """A program under test: its output goes to a file, and it is ended by its pid."""

    def __init__(self, name: str, argv, folder: pathlib.Path, env=None):
        self.name = name
        self.argv = [str(a) for a in argv]
        self.log = folder / f"{name}.log"
        self.env = {**os.environ, **(env or {})}
        self.popen = None

    def start(self):
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(self.argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=self.env)
        return self

    @property
    def pid(self) -> int:
        return self.popen.pid

    def running(self) -> bool:
        if self.popen.poll() is None:
            return True
        raise RuntimeError(f"{self.name} ended with {self.popen.returncode}:\n{self.output()[-4000:]}")

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def signal(self, number: int):
        self.popen.send_signal(number)

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def stop(self, deadline: float = 10.0) -> int:
        """SIGTERM and its exit status; a program that does not obey is a failure."""
        if self.popen is None or self.popen.poll() is not None:
            return 0 if self.popen is None else self.popen.returncode
        self.popen.send_signal(signal.SIGCONT)
        self.popen.terminate()
        try:
            return self.popen.wait(deadline)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {deadline} s of SIGTERM:\n{self.output()[-4000:]}")


class Scenario:
    """A temporary folder and the programs that run in it; ends and removes all of them."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fairway-"))
        self.programs = []
        self.control = self.folder / "control.sock"
        self.gateway_control = self.folder / "gateway.sock"
        self.address = loopback()  # fairwayd's own
        self.port = 5300

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        problems = []
        for program in reversed(self.programs):
            try:
                program.stop()
            except AssertionError as error:
                problems.append(str(error))
        if kind is not None:
            for program in self.programs:
                print(f"--- {program.name}\n{program.output()[-6000:]}")
        shutil.rmtree(self.folder, ignore_errors=True)
        if problems and kind is None:
            raise AssertionError("\n".join(problems))

    # Programs

    def run(self, name: str, argv, env=None) -> Process:
        program = Process(name, argv, self.folder, env)
        self.programs.append(program)
        return program.start()

    def start_gateways(self, toml: str) -> Process:
        config = self.folder / "gateways.toml"
        config.write_text(toml)
        program = self.run("fairway-gateway", [BIN / "fairway-gateway", "run", "--config", config, "--control",
                                               self.gateway_control, "--ca", self.folder / "ca.pem"])
        eventually("fairway-gateway answers its control socket", lambda: program.running() and self.gateway("status"))
        return program

    def start_fairwayd(self, toml: str, wait: bool = True, env=None) -> Process:
        """Adds [server] and [api] for this scenario to `toml` and starts fairwayd on it."""
        self.write_config(toml)
        program = self.run("fairwayd", [BIN / "fairwayd", "--config", self.folder / "fairway.toml"], env)
        if wait:
            eventually("fairwayd answers DNS", lambda: program.running() and self.ready())
        return program

    def write_config(self, toml: str):
        (self.folder / "fairway.toml").write_text(f"""
[server]
listen = ["{self.address}:{self.port}"]
state = "{self.folder}/state"
nsid = "test"
threads = 1
[api]
unix = "{self.control}"
{toml}
""")

    def ready(self) -> bool:
        query = dns.message.make_query("version.bind", "TXT", "CH")
        dns.query.udp(query, self.address, port=self.port, timeout=1)
        return True

    # The command line

    def fairway(self, *arguments, check: int = 0) -> str:
        """Runs `fairway`; fails unless its exit status is `check`. Returns its standard output."""
        done = self.fairway_raw(*arguments)
        assert done.returncode == check, f"fairway {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def fairway_raw(self, *arguments) -> subprocess.CompletedProcess:
        return subprocess.run([str(BIN / "fairway"), *map(str, arguments)], capture_output=True, text=True, timeout=30,
                              env={**os.environ, "FAIRWAY_SERVER": str(self.control), "NO_COLOR": "1",
                                   "LC_ALL": "C.UTF-8"})

    def fairway_json(self, *arguments, check: int = 0):
        return json.loads(self.fairway(*arguments, "--json", check=check))

    def gateway(self, *arguments) -> str:
        return subprocess.run([str(BIN / "fairway-gateway"), *arguments, "--control", str(self.gateway_control)],
                              capture_output=True, text=True, timeout=30, check=True).stdout

    def fault(self, target: str, fault: str):
        self.gateway("fault", target, fault)

    # DNS

    def query(self, name: str, kind: str = "A", subnet: str = "", tcp: bool = False, port: int = 0,
              address: str = "", source: str = "", **options) -> dns.message.Message:
        edns_options = []
        if subnet:
            network, length = subnet.split("/")
            edns_options.append(dns.edns.ECSOption(network, int(length)))
        message = dns.message.make_query(name, kind, use_edns=0, options=edns_options, **options)
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(message, address or self.address, port=port or self.port, timeout=3, source=source or None)

    def addresses(self, name: str, kind: str = "A", subnet: str = "", **options) -> list:
        """The addresses of a NOERROR answer, in the order given."""
        reply = self.query(name, kind, subnet, **options)
        assert reply.rcode() == dns.rcode.NOERROR, reply
        return [record.address for rrset in reply.answer if rrset.rdtype == dns.rdatatype.from_text(kind)
                for record in rrset]
