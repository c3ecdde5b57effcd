#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers per second, CPU per answer and right answers with a city database, beside other servers.

    tests/bench/geo_peers.py BUILD DATABASE [--nested DATABASE] [--seconds 3] [--rounds 5] [--check 20000]

BUILD is a build directory of the release preset with fairwayd and bench_geo_load. DATABASE is a MaxMind DB with
coordinates, of either layout. Peers are those that are installed: Knot with its geoip module (a country is answered
with the gateway nearest to its middle, for its key cannot be coordinates), and gdnsd with its geoip plug-in, which
needs --nested: a database of the GeoIP2 City layout, and may be the same file.

One core serves, another asks: rounds are interleaved, the figures are medians, and the floor turns questions around
without looking at them. Only loopback addresses are used."""

import argparse
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

NAME = "vpn.gslb.example.com"
PATIENCE = 120  # seconds until a server must have answered


def free_port() -> int:
    """A port that nothing listens on, over UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
                return udp.getsockname()[1]
            except OSError:
                continue


def question() -> bytes:
    wire = b"".join(bytes([len(label)]) + label.encode() for label in NAME.split(".")) + b"\0"
    return b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + wire + b"\0\1\0\1"


class Server:
    """A program with its files in a folder of its own, on the first core."""

    def __init__(self, name: str, folder: pathlib.Path):
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.port = free_port()
        self.process: subprocess.Popen | None = None
        self.rounds: list[list[float]] = []

    def write(self, file: str, text: str) -> pathlib.Path:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start(self, *command: str) -> float:
        """Returns after how many seconds it answered."""
        begin = time.monotonic()
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(["taskset", "-c", "0", *command], stdout=log, stderr=log,
                                        stdin=subprocess.DEVNULL)
        log.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.1)
            while time.monotonic() - begin < PATIENCE:
                if self.process.poll() is not None:
                    break
                try:
                    probe.sendto(question(), ("127.0.0.1", self.port))
                    reply = probe.recv(4096)
                    if reply[3] & 0x0F == 0:
                        return time.monotonic() - begin
                except OSError:
                    pass
                time.sleep(0.02)
        text = (self.folder / "log").read_text()[-2000:]
        self.stop()
        sys.exit(f"{self.name} does not answer:\n{text}")

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def status(self, key: str) -> float:
        """MiB."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024
        return 0


def configure_fairway(server: Server, build: pathlib.Path, database: str, gateways: list) -> list[str]:
    text = f"""
[server]
listen = ["127.0.0.1:{server.port}"]
threads = 1
state = "{server.folder}/state"
[api]
unix = "{server.folder}/control.sock"
[geoip]
databases = ["{database}"]
[zone."gslb.example.com"]
ns = {{ "ns1.gslb.example.com" = ["127.0.0.1"] }}
[monitor.tcp]
type = "tcp"
port = {server.port}
address = "127.0.0.1"
"""
    for name, address, latitude, longitude in gateways:
        text += f"""
[region.{name}]
location = {{ latitude = {latitude}, longitude = {longitude} }}
[gateway.{name}]
region = "{name}"
endpoints = ["{address}"]
monitors = ["tcp"]
"""
    names = ", ".join(f'"{gateway[0]}"' for gateway in gateways)
    text += f"""
[service.vpn]
name = "{NAME}"
gateways = [{names}]
policy = ["healthy", "nearest", "first 1"]
"""
    config = server.write("fairway.toml", text)
    return [str(build / "bin" / "fairwayd"), "--config", str(config)]


def zone_text(address: str) -> str:
    return f"""$TTL 3600
@ IN SOA ns1 hostmaster 1 3600 900 604800 60
@ IN NS ns1
ns1 IN A 127.0.0.1
{address}
"""


def configure_gdnsd(server: Server, nested: str, gateways: list) -> list[str]:
    server.write("etc/zones/gslb.example.com", zone_text("vpn 30 DYNA geoip!vpn"))
    centres = "\n".join(f"{name} => [ {latitude}, {longitude} ]" for name, _, latitude, longitude in gateways)
    addresses = "\n".join(f"{name} => {address}" for name, address, _, _ in gateways)
    (server.folder / "etc" / "geoip").mkdir()
    server.write("etc/config", f"""
options => {{
  listen => 127.0.0.1:{server.port}
  udp_threads => 1
  tcp_threads => 1
  run_dir => {server.folder}/run
  state_dir => {server.folder}/state
}}
plugins => {{ geoip => {{
  maps => {{ world => {{
    datacenters => [ {", ".join(gateway[0] for gateway in gateways)} ]
    geoip2_db => {nested}
    auto_dc_coords => {{ {centres} }}
  }} }}
  resources => {{ vpn => {{ map => world
    dcmap => {{ {addresses} }}
  }} }}
}} }}
""")
    return ["gdnsd", "-c", str(server.folder / "etc"), "start"]


def configure_knot(server: Server, load: str, database: str, is_nested: bool, gateways: list) -> list[str]:
    address_of = {gateway[0]: gateway[1] for gateway in gateways}
    geo = f"{NAME}:\n"
    for line in subprocess.check_output([load, "countries"], text=True).splitlines():
        code, name = line.split()
        geo += f'  - geo: "{code}"\n    A: {address_of[name]}\n'
    server.write("geo.conf", geo)
    server.write("gslb.example.com.zone", "$ORIGIN gslb.example.com.\n" + zone_text(f"vpn 30 IN A {gateways[0][1]}"))
    key = "country/iso_code" if is_nested else "country_code"
    config = server.write("knot.conf", f"""
server:
    rundir: "{server.folder}"
    listen: 127.0.0.1@{server.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    edns-client-subnet: on
database:
    storage: "{server.folder}"
log:
  - target: stderr
    any: warning
mod-geoip:
  - id: vpn
    config-file: "{server.folder}/geo.conf"
    ttl: 30
    mode: geodb
    geodb-file: "{database}"
    geodb-key: [ {key} ]
zone:
  - domain: gslb.example.com
    storage: "{server.folder}"
    file: gslb.example.com.zone
    zonefile-load: whole
    journal-content: none
    module: mod-geoip/vpn
""")
    return ["knotd", "-c", str(config)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("database", type=os.path.abspath)
    parser.add_argument("--nested", type=os.path.abspath, help="of the GeoIP2 City layout, for gdnsd")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", type=int, default=20000, help="prefixes to check; 0: none")
    parser.add_argument("--json", type=pathlib.Path, help="a file for the figures of all rounds")
    options = parser.parse_args()
    build = options.build.resolve()
    load = str(build / "tests" / "bench_geo_load")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    gateways = [line.split() for line in subprocess.check_output([load, "gateways"], text=True).splitlines()]

    with tempfile.TemporaryDirectory(prefix="fairway-peers-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        servers: dict[Server, list[str]] = {}
        floor = Server("floor", folder)
        servers[floor] = [load, "floor", f"127.0.0.1:{floor.port}"]
        fairway = Server("fairway", folder)
        servers[fairway] = configure_fairway(fairway, build, options.database, gateways)
        if shutil.which("gdnsd") and options.nested:
            gdnsd = Server("gdnsd", folder)
            servers[gdnsd] = configure_gdnsd(gdnsd, options.nested, gateways)
        if shutil.which("knotd"):
            knot = Server("knot", folder)
            is_nested = options.nested == options.database
            servers[knot] = configure_knot(knot, load, options.database, is_nested, gateways)
        facts = {}
        try:
            for server, command in servers.items():
                seconds = server.start(*command)
                facts[server] = [seconds]
            for _ in range(options.rounds):
                for server in servers:
                    out = subprocess.check_output(
                        ["taskset", "-c", "1", load, "load", f"127.0.0.1:{server.port}",
                         str(server.process.pid), str(options.seconds)], text=True)
                    server.rounds.append([float(field) for field in out.split()])
            base = statistics.median(round_[0] for round_ in floor.rounds)
            print(f"{'server':8} {'answers/s':>10} {'of floor':>8} {'user ns':>8} {'CPU ns':>7} {'p50 us':>7} "
                  f"{'p99 us':>7} {'wrong':>6} {'lost':>5} {'MiB now':>8} {'at most':>8} {'start s':>8}")
            for server in servers:
                rate, user, cpu, p50, p99, _, _ = (statistics.median(column) for column in zip(*server.rounds))
                wrong, lost = (int(sum(column)) for column in list(zip(*server.rounds))[5:])
                print(f"{server.name:8} {rate:10.0f} {rate / base:8.3f} {user:8.0f} {cpu:7.0f} {p50:7.0f} {p99:7.0f} "
                      f"{wrong:6} {lost:5} {server.status('VmRSS'):8.1f} {server.status('VmHWM'):8.1f} "
                      f"{facts[server][0]:8.2f}")
            for server in servers:
                if server is floor or not options.check:
                    continue
                result = subprocess.run([load, "check", f"127.0.0.1:{server.port}", options.database,
                                         str(options.check)], stdout=subprocess.PIPE, text=True, check=False)
                print(f"{server.name:8} {result.stdout.strip()}")
        finally:
            for server in servers:
                server.stop()
        if options.json:
            options.json.write_text(json.dumps({server.name: server.rounds for server in servers}))


if __name__ == "__main__":
    main()
