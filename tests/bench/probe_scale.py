#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a TCP probe costs, beside gdnsd's and beside the least that one can cost.

    probe_scale.py BUILD_FOLDER [--rounds 3] [--seconds 8] [--out FILE] [--sizes 10000:2,50000:2]

In every round, interleaved: `bench_probe_scale`, gdnsd with its tcp_connect plugin (package gdnsd), and
`bench_connect_floor`, a bare epoll loop that connects and closes on the same schedule. All probe the same
listener on 127.0.0.0/8 (bound to the loopback device) from the same core; the listener runs on another. Prints
the medians and their ratios, and writes them with all samples to FILE as JSON.
"""
import argparse
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

FIRST = int(ipaddress.ip_address("127.32.0.1"))
DNS = ("127.77.0.1", 0)
TICK = os.sysconf("SC_CLK_TCK")


class Sink:
    """A process that accepts and closes, counting; it ends with this one."""

    def __init__(self, cpu):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        self.listener.bind(("0.0.0.0", 0))
        self.listener.listen(4096)
        self.port = self.listener.getsockname()[1]
        self.cpu = cpu

    def start(self, program):
        self.process = subprocess.Popen(["taskset", "-c", self.cpu, program, "sink", str(self.listener.fileno())],
                                        pass_fds=[self.listener.fileno()], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def count(self):
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def stop(self):
        self.process.kill()
        self.process.wait()


def free_udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(DNS)
        return probe.getsockname()[1]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def ours(program, cpu, endpoints, interval, seconds, sink):
    done = subprocess.run(["taskset", "-c", cpu, program, str(endpoints), str(interval * 1000), str(seconds),
                           str(sink.port)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def floor(program, cpu, endpoints, interval, seconds, sink):
    done = subprocess.run(["taskset", "-c", cpu, program, "probe", str(endpoints), str(interval * 1000),
                           str(seconds), str(sink.port)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def gdnsd(cpu, endpoints, interval, seconds, sink, folder):
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("etc/zones", "etc/geoip"):
        os.makedirs(folder / part)
    addresses = [str(ipaddress.ip_address(FIRST + k)) for k in range(endpoints)]
    resources = "\n".join(
        f"    r{i // 8} => {{ " + ", ".join(f"a{j} => {ip}" for j, ip in enumerate(addresses[i:i + 8])) + " }"
        for i in range(0, endpoints, 8))
    port = free_udp_port()
    (folder / "etc/config").write_text(
        f"options => {{ listen => {DNS[0]}:{port}, udp_threads => 1, tcp_threads => 1,"
        f" run_dir => {folder}/run, state_dir => {folder}/state }}\n"
        f"service_types => {{ tcp => {{ plugin => tcp_connect, port => {sink.port}, interval => {interval},"
        f" timeout => {max(1, interval // 2)}, up_thresh => 2, ok_thresh => 2, down_thresh => 2 }} }}\n"
        f"plugins => {{ multifo => {{ service_types => tcp\n{resources}\n}} }}\n")
    names = "".join(f"r{i} 30 DYNA multifo!r{i}\n" for i in range((endpoints + 7) // 8))
    (folder / "etc/zones/example.com").write_text(
        "@ 3600 SOA ns1 hostmaster 1 3600 900 604800 60\n@ 3600 NS ns1\nns1 3600 A 127.77.0.1\n" + names)
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(["taskset", "-c", cpu, "gdnsd", "-c", str(folder / "etc"), "start"], stdout=log,
                                   stderr=log, stdin=subprocess.DEVNULL)
    try:
        # Its first round precedes its first answer; wait until probes come at the steady rate.
        deadline = time.monotonic() + 60
        before = sink.count()
        while sink.count() - before < endpoints * 2:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("gdnsd did not start: " + (folder / "log").read_text()[-500:])
            time.sleep(0.1)
        cpu_before, count_before, begun = cpu_seconds(process.pid), sink.count(), time.monotonic()
        time.sleep(seconds)
        cpu, probes = cpu_seconds(process.pid) - cpu_before, sink.count() - count_before
        return {"probes": probes, "rate": round(probes / (time.monotonic() - begun)),
                "cpu_us_per_probe": round(cpu * 1e6 / max(1, probes), 2), "rss_kib": resident_kib(process.pid)}
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--sizes", default="10000:2,50000:2")
    parser.add_argument("--cpu", default="0")
    parser.add_argument("--sink-cpu", default="1")
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if not shutil.which("gdnsd"):
        sys.exit("needs the package gdnsd")
    (mine,) = options.build.rglob("bench_probe_scale")
    (bare,) = options.build.rglob("bench_connect_floor")
    report = []
    with tempfile.TemporaryDirectory(prefix="fairway-bench-") as scratch:
        for size in options.sizes.split(","):
            endpoints, interval = (int(part) for part in size.split(":"))
            samples = {"fairway": [], "gdnsd": [], "floor": []}
            for _ in range(options.rounds):
                sink = Sink(options.sink_cpu)
                sink.start(str(bare))
                try:
                    common = (endpoints, interval, options.seconds, sink)
                    samples["fairway"].append(ours(str(mine), options.cpu, *common))
                    samples["gdnsd"].append(gdnsd(options.cpu, *common, pathlib.Path(scratch) / "gdnsd"))
                    samples["floor"].append(floor(str(bare), options.cpu, *common))
                finally:
                    sink.stop()
            cost = {who: statistics.median(s["cpu_us_per_probe"] for s in runs) for who, runs in samples.items()}
            resident = {who: statistics.median(s["rss_kib"] for s in runs) for who, runs in samples.items()}
            on_time = statistics.median(s["on_time_50ms_pct"] for s in samples["fairway"])
            print(f"{endpoints} endpoints every {interval} s, medians of {options.rounds}: CPU us a probe "
                  + ", ".join(f"{who} {value:.1f}" for who, value in cost.items())
                  + f" (fairway/gdnsd {cost['fairway'] / cost['gdnsd']:.2f}, fairway/floor"
                  f" {cost['fairway'] / cost['floor']:.2f}); fairway on time (50 ms) {on_time:.2f} %,"
                  f" resident {resident['fairway'] / 1024:.1f} MiB (gdnsd {resident['gdnsd'] / 1024:.1f})", flush=True)
            report.append({"endpoints": endpoints, "interval_s": interval, "cpu_us_per_probe": cost,
                           "rss_kib": resident, "on_time_50ms_pct": on_time, "samples": samples})
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


main()
