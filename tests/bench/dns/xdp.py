#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers per second over a veth pair: Fairway by sockets and by AF_XDP, Knot DNS by sockets and by XDP.

    tests/bench/dns/xdp.py [--build build/release] [--rounds 5] [--seconds 3] [--rate 1500000] [--only NAME,NAME]

Needs root, and the packages knot and knot-dnsutils (kxdpgun). Makes two network namespaces with a veth pair between
them and removes them; nothing else is touched. The server has core 0, the load core 1. All four answer the same
questions from the same zone file; rounds are interleaved, and the medians are what counts. The load is more than any
of them answers: what is lost is lost before a server sees it, so the replies counted are what the server's core
can do. Every mode is asked once by a normal client first, and the answers must be the same.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
SERVER, CLIENT, NAMES = "10.213.0.1", "10.213.0.2", 1000
MODES = ("fairway-sockets", "fairway-xdp", "knot-sockets", "knot-xdp")


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, **options)


class Net:
    def __init__(self):
        self.server, self.client = f"fairway-bs{os.getpid()}", f"fairway-bc{os.getpid()}"

    def __enter__(self):
        for name in (self.server, self.client):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "link", "add", "dns0", "netns", self.server, "type", "veth", "peer", "name", "cl0", "netns", self.client)
        for name, device, address in ((self.server, "dns0", SERVER), (self.client, "cl0", CLIENT)):
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        return self

    def __exit__(self, *_):
        for name in (self.server, self.client):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def write_files(folder: pathlib.Path):
    records = "\n".join(f"n{i} A 198.51.100.{i % 250 + 1}\nn{i} A 203.0.113.{i % 250 + 1}" for i in range(NAMES))
    (folder / "bench.test.zone").write_text(f"$ORIGIN bench.test.\n$TTL 60\n{records}\n")
    head = "@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n"
    (folder / "knot.zone").write_text(f"$ORIGIN bench.test.\n$TTL 60\n{head}{records}\n")
    (folder / "questions").write_text("".join(f"n{i}.bench.test A\n" for i in range(NAMES)))
    for mode in MODES:
        xdp = mode.endswith("-xdp")
        if mode.startswith("fairway"):
            (folder / f"{mode}.toml").write_text(f"""
[server]
listen = ["{SERVER}:53"]
threads = 1
state = "{folder}/{mode}"
{'xdp = { interfaces = ["dns0"] }' if xdp else ""}
[api]
unix = "{folder}/{mode}.sock"
[zone."bench.test"]
ns = {{ "ns1.bench.test" = ["192.0.2.53"] }}
file = "bench.test.zone"
[monitor.tcp]
type = "tcp"
port = 9
interval = "60s"
timeout = "100ms"
[region.here]
location = {{ latitude = 50.1, longitude = 8.7 }}
[gateway.one]
region = "here"
endpoints = ["127.0.0.2"]
monitors = ["tcp"]
[service.vpn]
name = "vpn.bench.test"
gateways = ["one"]
""")
        else:
            (folder / mode).mkdir()
            (folder / f"{mode}.conf").write_text(f"""
server:
    rundir: "{folder}/{mode}"
    listen: {SERVER}@{5353 if xdp else 53}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
{"xdp:" if xdp else ""}
{"    listen: dns0@53" if xdp else ""}
database:
    storage: "{folder}/{mode}"
zone:
  - domain: bench.test
    file: "{folder}/knot.zone"
    zonefile-sync: -1
    journal-content: none
""")


def inside(namespace: str, core: int, *command) -> list:
    return ["ip", "netns", "exec", namespace, "taskset", "-c", str(core), *[str(part) for part in command]]


def ask(net: Net) -> list:
    """What a normal client gets, without the header's ID; empty while there is no answer."""
    done = subprocess.run(inside(net.client, 1, "kdig", "+short", "+timeout=1", "+retry=0", f"@{SERVER}",
                                 "n7.bench.test", "A"), capture_output=True, text=True)
    return sorted(line for line in done.stdout.split("\n") if re.fullmatch(r"[0-9.]+", line))


def has_program(net: Net) -> bool:
    return "xdp" in json.loads(run("ip", "-n", net.server, "-json", "link", "show", "dev", "dns0").stdout)[0]


def measure(net: Net, folder: pathlib.Path, mode: str, options) -> dict:
    if mode.startswith("fairway"):
        command = [options.build / "bin" / "fairwayd", "--config", folder / f"{mode}.toml"]
    else:
        command = [shutil.which("knotd") or "/usr/sbin/knotd", "-c", folder / f"{mode}.conf"]
    with open(folder / f"{mode}.log", "ab") as log:
        server = subprocess.Popen(inside(net.server, 0, *command), stdout=log, stderr=log)
    try:
        end = time.monotonic() + 20
        while ask(net) != ["198.51.100.8", "203.0.113.8"] or has_program(net) != mode.endswith("-xdp"):
            if server.poll() is not None or time.monotonic() > end:
                sys.exit(f"{mode} does not answer:\n{(folder / f'{mode}.log').read_text()[-2000:]}")
            time.sleep(0.05)
        stat = pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
        out = run(*inside(net.client, 1, "kxdpgun", "-t", options.seconds, "-Q", options.rate, "-b", 64, "-F", 1, "-i",
                          folder / "questions", "-I", "cl0", SERVER)).stdout
        after = pathlib.Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)
        # Knot may leave its program behind.
        subprocess.run(["ip", "-n", net.server, "link", "set", "dns0", "xdp", "off"], capture_output=True)
    replies = int(re.search(r"total replies:\s+(\d+)", out)[1])
    sent = int(re.search(r"total queries:\s+(\d+)", out)[1])
    right = int((re.search(r"responded NOERROR:\s+(\d+)", out) or [0, 0])[1])
    ticks = os.sysconf("SC_CLK_TCK")
    user, system = ((int(after[i]) - int(stat[i])) / ticks for i in (11, 12))
    return {"rate": replies / options.seconds, "sent": sent / options.seconds, "wrong": replies - right,
            "user_ns": user / max(replies, 1) * 1e9, "cpu_ns": (user + system) / max(replies, 1) * 1e9}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=lambda text: pathlib.Path(text).resolve(), default=ROOT / "build" / "release")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=1_500_000, help="questions per second that are tried")
    parser.add_argument("--only", type=lambda text: tuple(text.split(",")), default=MODES)
    options = parser.parse_args()
    results = {mode: [] for mode in options.only}
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fairway-xdp-"))
    try:
        write_files(folder)
        with Net() as net:
            for number in range(options.rounds):
                for mode in options.only:
                    result = measure(net, folder, mode, options)
                    results[mode].append(result)
                    print(f"round {number + 1} {mode:16} {result['rate']:>9,.0f}/s of {result['sent']:>9,.0f}/s  "
                          f"user {result['user_ns']:>5.0f} ns  CPU {result['cpu_ns']:>5.0f} ns", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print()
    median = {}
    for mode, rounds in results.items():
        median[mode] = statistics.median(each["rate"] for each in rounds)
        print(f"{mode:16} {median[mode]:>9,.0f}/s  asked {statistics.median(each['sent'] for each in rounds):>9,.0f}/s  "
              f"user {statistics.median(each['user_ns'] for each in rounds):>5.0f} ns  "
              f"CPU {statistics.median(each['cpu_ns'] for each in rounds):>5.0f} ns  "
              f"wrong {sum(each['wrong'] for each in rounds)}")
    for one, other in (("fairway-xdp", "fairway-sockets"), ("fairway-xdp", "knot-xdp"), ("knot-xdp", "knot-sockets")):
        if one in median and other in median:
            print(f"{one} / {other}: {median[one] / median[other]:.2f}")
    return 1 if any(each["wrong"] for rounds in results.values() for each in rounds) else 0


sys.exit(main())
