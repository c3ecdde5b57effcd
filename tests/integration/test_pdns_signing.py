# SPDX-License-Identifier: Apache-2.0
"""PowerDNS signs Fairway's zones live with Fairway's keys, and transfers them with Fairway's TSIG keys."""
import base64
import subprocess
import urllib.request

import dns.dnssec
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.zone
import pytest

from harness import eventually
from pdns_backend import PLACES, Backend

SECRET = base64.b64encode(b"a secret of thirty-two octets...").decode()
TSIG = '[tsig."transfer.example"]\nalgorithm = "hmac-sha256"\nsecret = "file:secret"\n'


class Signed(Backend):
    def __init__(self, dnssec: str = "true", **options):
        super().__init__(["unix"], zone_options=f"dnssec = {dnssec}", **options)

    def anchors(self):
        keys = self.fairway_json("zone", "keys", "gslb.test")["keys"]
        return [key["dnskey"].split() for key in keys if key["role"] in ("csk", "ksk")]

    def delv(self, connector: str, name: str, kind: str) -> str:
        """What a validator with the zone's key as trust anchor says of PowerDNS' answer."""
        lines = [f'  gslb.test. static-key {a[0]} {a[1]} {a[2]} "{"".join(a[3:])}";' for a in self.anchors()]
        (self.folder / "anchor").write_text("trust-anchors {\n" + "\n".join(lines) + "\n};\n")
        done = subprocess.run(["delv", f"@{self.pdns[connector][1]}", "-p", "5300", "-a", str(self.folder / "anchor"),
                               "+root=gslb.test", name, kind], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr


@pytest.mark.parametrize("dnssec", ["true", '{ algorithm = "ed25519", keys = "ksk-zsk" }'])
def test_both_servers_have_the_same_keys_and_validators_take_every_answer(dnssec):
    with Signed(dnssec) as backend:
        backend.start()
        own = backend.query("gslb.test", "DNSKEY", want_dnssec=True, tcp=True)
        theirs = backend.ask("unix", "gslb.test", "DNSKEY", want_dnssec=True, tcp=True)
        sets = [{record.to_text() for rrset in reply.answer if rrset.rdtype == dns.rdatatype.DNSKEY for record in rrset}
                for reply in (own, theirs)]
        assert sets[0] and sets[0] == sets[1]

        for name, kind in [("vpn", "A"), ("mail", "MX"), ("x.wild", "TXT"), ("a.b.ent", "A"), ("gslb.test.", "SOA"),
                           ("gslb.test.", "NS"), ("gslb.test.", "DNSKEY"), ("fra", "A")]:
            text = backend.delv("unix", name if name.endswith(".") else f"{name}.gslb.test.", kind)
            assert "; fully validated" in text, (name, kind, text)
        for name, kind in [("vpn", "AAAA"), ("mail", "A"), ("ent", "A"), ("x.wild", "A"), ("nope", "A"),
                           ("deleg", "DS"), ("deep.er.nope", "A")]:
            text = backend.delv("unix", f"{name}.gslb.test.", kind)
            assert "; negative response, fully validated" in text, (name, kind, text)

        # Whatever gateways do, answers stay good.
        backend.fault("fra", "refuse")
        eventually("Frankfurt is out", lambda: backend.nearest("unix", "fra") == "iad")
        assert "; fully validated" in backend.delv("unix", "vpn.gslb.test.", "A")
        for place, (prefix, _, _) in PLACES.items():
            reply = backend.ask("unix", "vpn.gslb.test", subnet=prefix, want_dnssec=True)
            keys = {dns.name.from_text("gslb.test"): next(rrset for rrset in theirs.answer
                                                        if rrset.rdtype == dns.rdatatype.DNSKEY)}
            answer = next(rrset for rrset in reply.answer if rrset.rdtype == dns.rdatatype.A)
            signature = next(rrset for rrset in reply.answer if rrset.rdtype == dns.rdatatype.RRSIG)
            dns.dnssec.validate(answer, signature, keys)
            assert answer[0].address == backend.gateways["iad" if place == "fra" else place]


def test_keys_do_not_leave_over_tcp_unless_that_is_wanted():
    def get_domain_keys(backend):
        with urllib.request.urlopen(f"http://{backend.http}/getDomainKeys/gslb%2etest%2e", timeout=10) as reply:
            return reply.read().decode()

    with Signed() as backend:
        backend.start()
        assert "PrivateKey" not in get_domain_keys(backend) and "secrets_over_tcp" in get_domain_keys(backend)
        backend.daemon.stop()
        backend.write_config(backend.config().replace("[pdns]\n", "[pdns]\nsecrets_over_tcp = true\n"))
        backend.daemon.start()
        eventually("fairwayd answers", lambda: backend.addresses("vpn.gslb.test"))
        assert "PrivateKey" in get_domain_keys(backend)


def test_pdnsutil_shows_the_keys_and_cannot_change_them():
    with Signed() as backend:
        backend.start()
        shown = backend.pdnsutil("unix", "show-zone", "gslb.test").stdout
        for anchor in backend.anchors():
            assert "".join(anchor[3:]) in shown.replace(" ", ""), shown
        assert "NSEC3" in shown
        before = backend.fairway_json("zone", "keys", "gslb.test")["keys"]
        for command in (["add-zone-key", "gslb.test", "zsk", "active", "ecdsa256"], ["disable-dnssec", "gslb.test"]):
            backend.pdnsutil("unix", *command)
        assert backend.fairway_json("zone", "keys", "gslb.test")["keys"] == before


def test_powerdns_transfers_a_zone_to_whoever_has_the_key():
    with Backend([], zone_options='transfer = { allow = ["key:transfer.example"] }', more=TSIG) as backend:
        (backend.folder / "secret").write_text(SECRET + "\n")
        backend.start()
        backend.start_pdns("unix", "transfers", disable_axfr="no", allow_axfr_ips="")

        def transfer(secret):
            keyring = dns.tsigkeyring.from_text({"transfer.example": secret}) if secret else None
            return dns.zone.from_xfr(dns.query.xfr(backend.pdns["transfers"][1], "gslb.test", port=5300, keyring=keyring,
                                                   keyname="transfer.example" if secret else None,
                                                   keyalgorithm=dns.tsig.HMAC_SHA256, relativize=False, timeout=5),
                                     relativize=False)

        zone = transfer(SECRET)
        assert {record.address for record in zone.find_rdataset("vpn.gslb.test.", "A")} == set(backend.gateways.values())
        with pytest.raises(Exception):
            transfer(base64.b64encode(b"another secret of 32 octets.....").decode())
        with pytest.raises(Exception):
            transfer(None)
