# SPDX-License-Identifier: Apache-2.0
"""The IKE probe against a real strongSwan, in a network namespace of its own because charon binds all addresses.

The namespace belongs to the processes that run in it: it is gone when they are.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import BUILD, eventually

V2, V1, CLOSED = "10.213.7.1", "10.213.7.2", "10.213.7.9"
CHARON = "/usr/lib/ipsec/charon"

STRONGSWAN_CONF = """
charon {{
  install_routes = no
  install_virtual_ip = no
  piddir = {folder}
  load_modular = yes
  plugins {{
    random {{ load = yes }}
    nonce {{ load = yes }}
    openssl {{ load = yes }}
    sha1 {{ load = yes }}
    sha2 {{ load = yes }}
    hmac {{ load = yes }}
    kdf {{ load = yes }}
    kernel-netlink {{ load = yes }}
    socket-default {{ load = yes }}
    vici {{
      load = yes
      socket = unix://{folder}/vici
    }}
  }}
  filelog {{
    main {{
      path = {folder}/charon.log
      flush_line = yes
      ike = 2
    }}
  }}
}}
"""
SWANCTL_CONF = f"""
connections {{
  v2 {{
    version = 2
    local_addrs = {V2}
    proposals = aes256gcm16-prfsha384-x25519-ecp256, aes256-sha256-modp2048
    local {{ auth = psk }}
    remote {{ auth = psk }}
  }}
  v1 {{
    version = 1
    local_addrs = {V1}
    proposals = aes256-sha256-modp2048
    local {{ auth = psk }}
    remote {{ auth = psk }}
  }}
}}
"""


class StrongSwan:
    """charon with its default limits, in a namespace that holds only loopback addresses."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fairway-swan-"))
        # The holder of the namespace: everything else enters it by this pid.
        self.holder = subprocess.Popen(["unshare", "--net", "--", "sleep", "600"])
        eventually("the namespace exists", lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") !=
                   os.readlink("/proc/self/ns/net"))
        self.inside("ip", "link", "set", "lo", "up")
        for address in (V2, V1, CLOSED):
            self.inside("ip", "address", "add", f"{address}/32", "dev", "lo")
        (self.folder / "strongswan.conf").write_text(STRONGSWAN_CONF.format(folder=self.folder))
        (self.folder / "swanctl.conf").write_text(SWANCTL_CONF)
        self.charon = None

    def enter(self) -> list:
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--"]

    def inside(self, *argv) -> str:
        done = subprocess.run([*self.enter(), *map(str, argv)], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "STRONGSWAN_CONF": str(self.folder / "strongswan.conf")})
        assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def swanctl(self, *argv) -> str:
        return self.inside("swanctl", *argv, "--uri", f"unix://{self.folder}/vici")

    def start(self):
        log = open(self.folder / "charon.out", "wb")
        # nsenter replaces itself by charon: its pid is charon's.
        self.charon = subprocess.Popen([*self.enter(), CHARON], stdout=log, stderr=log,
                                       env={**os.environ, "STRONGSWAN_CONF": str(self.folder / "strongswan.conf")})
        log.close()
        eventually("charon answers", lambda: self.swanctl("--stats"))
        loaded = self.swanctl("--load-conns", "--file", self.folder / "swanctl.conf")
        assert "loaded connection 'v2'" in loaded and "loaded connection 'v1'" in loaded

    def stop(self):
        if self.charon is not None:
            self.charon.send_signal(signal.SIGTERM)
            self.charon.wait(20)
            self.charon = None

    def close(self):
        self.stop()
        self.holder.kill()
        self.holder.wait()
        shutil.rmtree(self.folder)

    def half_open(self) -> int:
        line = next(line for line in self.swanctl("--stats").splitlines() if "half-open" in line)
        return int(line.split("half-open")[0].split()[-1])

    def probe(self, count: int, monitors: str, gateways: dict) -> list:
        """The results of `count` probes; `gateways` names address and monitors of each."""
        config = self.folder / "probe.toml"
        text = (f'[zone."test"]\nns = {{ "ns.test" = ["127.0.0.1"] }}\n[region.r]\n{monitors}'
                f'[service.s]\nname = "s.test"\ngateways = {json.dumps(list(gateways))}\npolicy = ["first 1"]\n')
        for name, (address, names) in gateways.items():
            text += f'[gateway.{name}]\nregion = "r"\nendpoints = ["{address}"]\nmonitors = {json.dumps(names)}\n'
        config.write_text(text)
        lines = self.inside(BUILD / "tests" / "probe_runner", config, count).splitlines()
        assert len(lines) == count
        return [json.loads(line) for line in lines]


@pytest.fixture
def swan():
    peer = StrongSwan()
    try:
        peer.start()
        yield peer
    except BaseException:
        log = peer.folder / "charon.log"
        print(log.read_text()[-6000:] if log.exists() else (peer.folder / "charon.out").read_text()[-3000:])
        raise
    finally:
        peer.close()


def monitor(name: str, **keys) -> str:
    settings = {"type": "ike", "interval": "400ms", "timeout": "390ms", **keys}
    return f"[monitor.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())


def test_fifty_stateless_probes_in_a_row_leave_nothing_half_open(swan):
    results = swan.probe(50, monitor("ike"), {"gw": (V2, ["ike"])})
    assert {result["verdict"] for result in results} == {"pass"}
    assert "answered INVALID_KE_PAYLOAD (prefers group 31) on 500 and 4500" in results[-1]["detail"]
    assert swan.half_open() == 0
    # And it still answers a full handshake, which a gateway that counts our visits would not.
    full = swan.probe(1, monitor("full", mode="full"), {"gw": (V2, ["full"])})
    assert full[0]["detail"].startswith("answered SA on 500")
    assert swan.half_open() == 1


def test_full_mode_stays_within_its_budget_and_is_never_shut_out(swan):
    results = swan.probe(30, monitor("full", mode="full"), {"gw": (V2, ["full"])})
    assert {result["verdict"] for result in results} == {"pass"}
    assert sum("answered SA" in result["detail"] for result in results) == 2
    assert swan.half_open() == 2


def test_monitors_of_one_gateway_share_the_budget(swan):
    monitors = monitor("a", mode="full") + monitor("b", mode="full", nat_traversal=False) + monitor(
        "c", mode="full", port=4500)
    results = swan.probe(30, monitors, {"gw": (V2, ["a", "b", "c"])})
    assert {result["verdict"] for result in results} == {"pass"}
    assert sum("answered SA" in result["detail"] for result in results) == 2
    assert swan.half_open() == 2


def test_ikev1_main_mode_is_answered_without_state_and_in_full(swan):
    results = swan.probe(10, monitor("v1", version=1), {"gw": (V1, ["v1"])})
    assert {result["verdict"] for result in results} == {"pass"}
    assert "answered NO_PROPOSAL_CHOSEN on 500 and 4500" in results[-1]["detail"]
    assert swan.half_open() == 0
    full = swan.probe(1, monitor("v1", version=1, mode="full"), {"gw": (V1, ["v1"])})
    assert full[0]["detail"].startswith("answered SA on 500")


def test_a_policy_that_does_not_match_is_alive_or_degraded_as_configured(swan):
    # On this address strongSwan accepts IKEv1 only.
    lenient = swan.probe(3, monitor("ike"), {"gw": (V1, ["ike"])})
    assert {result["verdict"] for result in lenient} == {"pass"}
    strict = swan.probe(3, monitor("ike", mismatch_is_degraded=True), {"gw": (V1, ["ike"])})
    assert {(result["verdict"], result["reason"]) for result in strict} == {("degraded", "IKE: NO_PROPOSAL_CHOSEN")}
    assert swan.half_open() == 0


def test_a_stopped_charon_is_an_explicit_refusal(swan):
    assert swan.probe(1, monitor("ike"), {"gw": (V2, ["ike"])})[0]["verdict"] == "pass"
    swan.stop()
    results = swan.probe(3, monitor("ike"), {"gw": (V2, ["ike"])})
    assert {(result["verdict"], result["refused"]) for result in results} == {("fail", True)}
    assert results[0]["reason"].startswith("transport: port unreachable on ")
    swan.start()
    assert swan.probe(1, monitor("ike"), {"gw": (V2, ["ike"])})[0]["verdict"] == "pass"
