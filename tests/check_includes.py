#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds every #include of the sources to the directions of the architecture (src/README.md).

A folder may include itself and what its line names, nothing else of ours. src/dns is three layers: the codec, the
answers and the servers; src/ipsec is two: the core without I/O and the endpoint program.
"""
import pathlib
import re
import sys

ALLOWED = {
    "base": [],
    "model": ["base"],
    "config": ["model", "base"],
    "net": ["base"],
    "ipsec": ["base"],
    "ipsec_endpoint": ["ipsec", "net", "base"],
    "probes": ["model", "net", "ipsec", "base"],
    "health": ["model", "base"],
    "geoip": ["model", "base"],
    "steering": ["health", "geoip", "model", "base"],
    "dns": ["base"],
    "dns_answer": ["dns", "steering", "health", "geoip", "model", "base"],
    "dns_server": ["dns_answer", "dns", "steering", "health", "model", "net", "base"],
    "pdns": ["dns_answer", "dns", "steering", "health", "model", "net", "base"],
    "store": ["model", "base"],
    "api": ["config", "health", "steering", "geoip", "dns_answer", "dns", "store", "net", "model", "base"],
    "cli": ["config", "base"],
    "handover": ["net", "base"],
}
# Headers without code that a higher folder may share with a lower one, and layers inside a folder, by file name.
LAYERS = {
    "dns": {
        "dns_answer": ["answer", "authority", "zone", "serving", "steered", "response", "transfer", "challenge", "signing", "signature"],
        "dns_server": ["udp", "tcp", "server", "worker", "xdp"],
    },
    "ipsec": {"ipsec_endpoint": ["endpoint", "gateway", "main"]},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)

root = pathlib.Path(__file__).resolve().parent.parent


def layer(folder: str, stem: str) -> str:
    for name, prefixes in LAYERS.get(folder, {}).items():
        if any(stem == prefix or stem.startswith(prefix + "_") for prefix in prefixes):
            return name
    return folder


def main() -> int:
    wrong = 0
    seen = 0
    for folder, allowed_base in ((name, root / ("" if name in ("probes", "geoip") else "src") / name)
                                 for name in ALLOWED if "_" not in name):
        for path in sorted([*allowed_base.rglob("*.cc"), *allowed_base.rglob("*.h")]):
            mine = layer(folder, path.stem)
            for target in INCLUDE.findall(path.read_text()):
                seen += 1
                parts = target.split("/")
                if len(parts) < 2:
                    print(f"{path.relative_to(root)}: \"{target}\": write the folder too")
                    wrong += 1
                    continue
                theirs = layer(parts[0], pathlib.PurePath(parts[-1]).stem)
                if theirs != mine and theirs not in ALLOWED[mine]:
                    print(f"{path.relative_to(root)}: {mine} must not include {theirs} (\"{target}\")")
                    wrong += 1
    print(f"{seen} includes, {wrong} wrong")
    return 1 if wrong or not seen else 0


sys.exit(main())
