#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From the failure of a gateway to the first changed DNS answer: fairwayd beside gdnsd at its fastest legal settings.

Each trial lets one of two TCP listeners on loopback fail at a random phase of the probe interval, either refused (the
listener is closed) or silent (its accept queue is full, so that the kernel drops SYNs), and asks for the name every
millisecond until the failed address is gone from the answer. Trials of all servers are interleaved.

    tests/bench/failover.py [--build build/release] [--trials 7] [--out FILE]
"""
import argparse
import contextlib
import json
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Target:
    """A TCP listener that can be made to refuse or to fall silent."""

    def __init__(self, address: str, port: int):
        self.place = (address, port)
        self.listener = None
        self.fillers = []
        self.revive()

    def revive(self):
        for filler in self.fillers:
            filler.close()
        self.fillers = []
        if self.listener:
            self.listener.close()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(self.place)
        self.listener.listen(128)
        self.listener.setblocking(False)
        self.silent = False

    def accept_all(self):
        if self.listener is None or self.silent:
            return
        with contextlib.suppress(BlockingIOError):
            while True:
                self.listener.accept()[0].close()

    def refuse(self):
        self.listener.close()
        self.listener = None

    def fall_silent(self):
        self.silent = True
        self.listener.listen(0)
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(self.place)
            self.fillers.append(filler)


def question(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"


class Peer:
    """A running DNS server with its two targets."""

    def __init__(self, name, address, port, query_name, bound, argv, folder):
        self.name, self.bound, self.where, self.question = name, bound, (address, port), question(query_name)
        self.targets = []
        self.argv = argv
        self.log = open(folder / f"{name}.log", "wb")
        self.process = None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(0.2)

    def start(self):
        self.process = subprocess.Popen(self.argv, stdout=self.log, stderr=self.log)

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def answer(self) -> set:
        try:
            self.socket.sendto(self.question, self.where)
            reply = self.socket.recv(2048)
        except OSError:
            return set()
        # Addresses are the last four octets of records "type A, class IN, TTL, length 4".
        found, at = set(), reply.find(b"\x00\x01\x00\x01", 12) + 4
        while (at := reply.find(b"\x00\x01\x00\x01", at)) >= 0 and reply[at + 8:at + 10] == b"\x00\x04":
            found.add(socket.inet_ntoa(reply[at + 10:at + 14]))
            at += 14
        return found


def fairway(folder, build, base, name, interval, timeout, recheck, bound):
    state = folder / name
    state.mkdir()
    (state / "fairway.toml").write_text(f"""
[server]
listen = ["{base}.1:5300"]
state = "{state}/state"
threads = 1
[api]
unix = "{state}/control.sock"
[health]
damping = false
[zone."bench.test"]
ns = {{ "ns.bench.test" = ["{base}.1"] }}
[monitor.tcp]
type = "tcp"
port = 7000
interval = "{interval}"
timeout = "{timeout}"
recheck = "{recheck}"
fall = 3
rise = 1
[region.here]
location = {{ latitude = 50, longitude = 8 }}
[gateway.a]
region = "here"
endpoints = ["{base}.10"]
monitors = ["tcp"]
[gateway.b]
region = "here"
endpoints = ["{base}.11"]
monitors = ["tcp"]
[service.www]
name = "www.bench.test"
gateways = ["a", "b"]
policy = ["healthy", "failover", "all"]
""")
    return Peer(name, f"{base}.1", 5300, "www.bench.test", bound,
                [build / "bin" / "fairwayd", "--config", state / "fairway.toml"], folder)


def gdnsd(folder, base):
    state = folder / "gdnsd"
    for sub in ("etc/zones", "run", "state"):
        (state / sub).mkdir(parents=True)
    (state / "etc" / "config").write_text(f"""
options => {{ listen => [ "{base}.1:5300" ], run_dir => "{state}/run", state_dir => "{state}/state", acme_challenge_ttl => 600 }}
service_types => {{ fast => {{ plugin => tcp_connect, port => 7000, interval => 2, timeout => 1,
    up_thresh => 1, ok_thresh => 1, down_thresh => 1 }} }}
plugins => {{ multifo => {{ up_thresh => 0.1, www => {{ service_types => fast, a => "{base}.10", b => "{base}.11" }} }} }}
""")
    (state / "etc" / "zones" / "bench.test").write_text(
        "@ 60 SOA ns hostmaster 1 7200 1800 259200 60\n@ NS ns\nns A 127.0.0.1\nwww 10/5 DYNA multifo!www\n")
    return Peer("gdnsd", f"{base}.1", 5300, "www.bench.test", None,
                ["gdnsd", "-c", str(state / "etc"), "start"], folder)


def wait_for(peer, wanted, deadline):
    """Seconds until the answer satisfies `wanted`, keeping the targets accepting; or None."""
    begin = time.monotonic()
    while time.monotonic() - begin < deadline:
        for target in peer.targets:
            target.accept_all()
        if wanted(peer.answer()):
            return time.monotonic() - begin
        time.sleep(0.001)
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=ROOT / "build" / "release", type=pathlib.Path)
    parser.add_argument("--trials", type=int, default=7)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--no-gdnsd", action="store_true", help="measure fairwayd alone")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fairway-bench-"))
    base = f"127.{random.randint(140, 220)}"
    # Bounds as promised: interval + 2 rechecks + 50 ms, and for silence the three timeouts on top.
    peers = [fairway(folder, arguments.build, f"{base}.1", "fairway 1s", "1s", "400ms", "100ms",
                     {"refused": 1.25, "silent": 1.25 + 3 * 0.4}),
             fairway(folder, arguments.build, f"{base}.2", "fairway 200ms", "200ms", "100ms", "50ms",
                     {"refused": 0.35, "silent": 0.35 + 3 * 0.1})]
    if not arguments.no_gdnsd:
        if not shutil.which("gdnsd"):
            sys.exit("gdnsd is not installed (apt-get install gdnsd); --no-gdnsd measures fairwayd alone")
        peers.append(gdnsd(folder, f"{base}.3"))
    results = {}
    try:
        for i, peer in enumerate(peers, 1):
            peer.targets = [Target(f"{base}.{i}.{n}", 7000) for n in (10, 11)]
            peer.start()
        for peer in peers:
            both = {target.place[0] for target in peer.targets}
            if wait_for(peer, lambda answer: answer == both, 30) is None:
                sys.exit(f"{peer.name} does not answer both addresses; see {folder}")
        for trial in range(arguments.trials):
            for peer in peers:
                for kind in ("refused", "silent"):
                    target = peer.targets[trial % 2]
                    both = {t.place[0] for t in peer.targets}
                    phase = time.monotonic() + random.uniform(0, 2.0)
                    wait_for(peer, lambda answer: time.monotonic() > phase, 5)
                    target.refuse() if kind == "refused" else target.fall_silent()
                    took = wait_for(peer, lambda answer: answer and target.place[0] not in answer, 30)
                    target.revive()
                    back = wait_for(peer, lambda answer: answer == both, 60)
                    results.setdefault((peer.name, kind), []).append((took, back))
                    if took is None or back is None:
                        sys.exit(f"{peer.name}: {kind} was never noticed or never recovered; see {folder}")
    finally:
        for peer in peers:
            peer.stop()
    lines = [f"{'server':16} {'fault':8} {'median s':>9} {'max s':>7} {'bound s':>8} {'back median s':>14}"]
    table = []
    for (name, kind), trials in results.items():
        took = [t for t, _ in trials]
        bound = next(p for p in peers if p.name == name).bound
        row = {"server": name, "fault": kind, "median": statistics.median(took), "max": max(took),
               "bound": bound[kind] if bound else None, "back": statistics.median(b for _, b in trials)}
        table.append(row)
        lines.append(f"{name:16} {kind:8} {row['median']:9.3f} {row['max']:7.3f} "
                     f"{row['bound'] if row['bound'] else '-':>8} {row['back']:14.3f}")
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text(json.dumps(table, indent=1) + "\n")
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
