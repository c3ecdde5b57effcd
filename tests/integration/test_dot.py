# SPDX-License-Identifier: Apache-2.0
"""DNS over TLS as its users meet it: kdig, openssl, dnspython and unbound as clients; resumption; certificates that are
renewed while connections are open; and mistakes that are told."""
import os
import re
import socket
import ssl
import subprocess

import dns.message
import dns.query
import dns.rcode
import pytest
from harness import BIN, Scenario, eventually

NAME = "www.dot.test"
ANSWER = "192.0.2.10"
DOT_PORT = 8530


def make_authority(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", folder / "ca.key", "-out", folder / "ca.pem", "-days", "30", "-subj", "/CN=Test CA"],
                   check=True, capture_output=True)


def issue(folder, name: str, into: str = "dot"):
    """A certificate for `name` in INTO.pem with its key in INTO.key, put in place as certbot does: by renaming."""
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    folder / "new.key", "-out", folder / "new.csr", "-subj", f"/CN={name}"],
                   check=True, capture_output=True)
    (folder / "san").write_text(f"subjectAltName=DNS:{name}\n")
    subprocess.run(["openssl", "x509", "-req", "-in", folder / "new.csr", "-CA", folder / "ca.pem", "-CAkey",
                    folder / "ca.key", "-CAcreateserial", "-days", "20", "-extfile", folder / "san", "-out",
                    folder / "new.pem"], check=True, capture_output=True)
    os.replace(folder / "new.pem", folder / f"{into}.pem")
    os.replace(folder / "new.key", folder / f"{into}.key")


def configuration(running, threads: int = 2, cert: str = "dot.pem", key: str = "dot.key") -> str:
    return f"""
[server]
listen = ["{running.address}:{running.port}"]
tls = {{ listen = ["{running.address}:{DOT_PORT}"], cert = "{cert}", key = "{key}" }}
state = "{running.folder}/state"
threads = {threads}
[api]
unix = "{running.control}"
[zone."dot.test"]
ns = {{ "ns.dot.test" = ["127.0.0.1"] }}
[monitor.tcp]
type = "tcp"
port = 9
interval = "1h"
timeout = "100ms"
[region.here]
location = {{ latitude = 0, longitude = 0 }}
[gateway.only]
region = "here"
endpoints = ["{ANSWER}"]
monitors = ["tcp"]
[service.www]
name = "{NAME}"
gateways = ["only"]
"""


@pytest.fixture
def running():
    with Scenario() as scenario:
        make_authority(scenario.folder)
        issue(scenario.folder, "dns.dot.test")
        scenario.config_file = scenario.folder / "fairway.toml"
        scenario.config_file.write_text(configuration(scenario))
        scenario.daemon = scenario.run("fairwayd", [BIN / "fairwayd", "--config", scenario.config_file])
        eventually("fairwayd answers over TLS", lambda: scenario.daemon.running() and ask(scenario))
        yield scenario


def context(running) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=running.folder / "ca.pem")
    made.set_alpn_protocols(["dot"])
    return made


def ask(running, name: str = "dns.dot.test"):
    query = dns.message.make_query(NAME, "A")
    reply = dns.query.tls(query, running.address, port=DOT_PORT, timeout=3, ssl_context=context(running),
                          server_hostname=name)
    assert reply.rcode() == dns.rcode.NOERROR, reply
    assert reply.answer[0][0].address == ANSWER
    return True


class Session:
    """One connection that stays open."""

    def __init__(self, running, session=None, using=None):
        self.context = using or context(running)
        raw = socket.create_connection((running.address, DOT_PORT), timeout=5)
        self.tls = self.context.wrap_socket(raw, server_hostname="dns.dot.test", session=session)

    def ask(self):
        query = dns.message.make_query(NAME, "A")
        dns.query.send_tcp(self.tls, query)
        reply, _ = dns.query.receive_tcp(self.tls)
        assert reply.id == query.id and reply.answer[0][0].address == ANSWER

    def closed(self) -> bool:
        self.tls.settimeout(0.05)
        try:
            return self.tls.recv(1) == b""
        except TimeoutError:
            return False
        finally:
            self.tls.settimeout(5)


def counters(running) -> dict:
    return running.fairway_json("status")["node"]["dns_counters"]


def test_kdig_asks_over_tls(running):
    done = subprocess.run(["kdig", f"@{running.address}", "-p", str(DOT_PORT), f"+tls-ca={running.folder}/ca.pem",
                           "+tls-hostname=dns.dot.test", "+short", "+keepopen", NAME, "A", NAME, "A"],
                          capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.split() == [ANSWER, ANSWER]
    refused = subprocess.run(["kdig", f"@{running.address}", "-p", str(DOT_PORT), f"+tls-ca={running.folder}/ca.pem",
                              "+tls-hostname=other.dot.test", "+short", "+retry=0", NAME, "A"],
                             capture_output=True, text=True, timeout=20, check=False)
    assert ANSWER not in refused.stdout


def s_client(running, *options: str) -> str:
    done = subprocess.run(["openssl", "s_client", "-connect", f"{running.address}:{DOT_PORT}", "-CAfile",
                           running.folder / "ca.pem", *options],
                          capture_output=True, text=True, timeout=20, input="", check=False)
    return done.stdout + done.stderr


def test_openssl_sees_the_policy(running):
    said = s_client(running, "-alpn", "dot")
    assert "ALPN protocol: dot" in said and "TLSv1.3" in said and "Verify return code: 0 (ok)" in said, said
    said = s_client(running, "-alpn", "dot", "-tls1_2")
    assert "Protocol  : TLSv1.2" in said and re.search(r"Cipher +: ECDHE-ECDSA-(AES|CHACHA)", said), said
    assert "Compression: NONE" in said
    said = s_client(running, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
    assert "alert protocol version" in said, said
    said = s_client(running, "-alpn", "h2")
    assert "no application protocol" in said, said


def test_sessions_are_resumed_on_every_thread(running):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        using = context(running)
        using.minimum_version = using.maximum_version = version
        first = Session(running, using=using)
        first.ask()
        before = counters(running)
        for _ in range(12):
            again = Session(running, session=first.tls.session, using=using)
            again.ask()
            assert again.tls.session_reused
        after = counters(running)
        assert after["tls_resumptions"] - before["tls_resumptions"] == 12
        assert after["tls_handshakes"] - before["tls_handshakes"] == 12


def test_a_renewed_certificate_is_used_without_a_word_and_without_dropping_connections(running):
    open_one = Session(running)
    open_one.ask()
    issue(running.folder, "new.dot.test")
    def is_shown():
        open_one.ask()  # or it would be closed as idle while this waits
        return ask(running, "new.dot.test")
    eventually("the new certificate is shown", is_shown)
    open_one.ask()
    assert any("DNS over TLS has a new certificate for new.dot.test, good for 19 days" in event["message"]
               for event in running.fairway_json("events")["events"])

    # A pair that does not belong together: told once, and nothing changes.
    issue(running.folder, "third.dot.test", into="third")
    os.replace(running.folder / "third.pem", running.folder / "dot.pem")
    text = "new certificate refused, the old one stays: the key of"
    def is_told():
        open_one.ask()
        return any(text in event["message"] and event["severity"] == "warning"
                   for event in running.fairway_json("events")["events"])
    eventually("the bad pair is told", is_told, deadline=30)
    assert ask(running, "new.dot.test")
    open_one.ask()
    refused = running.fairway_raw("reload")
    assert refused.returncode != 0
    assert "does not belong to the certificate of" in refused.stdout + refused.stderr
    assert ask(running, "new.dot.test")
    assert sum(text in event["message"] for event in running.fairway_json("events")["events"]) == 1

    # The right key arrives: reload takes it at once.
    os.replace(running.folder / "third.key", running.folder / "dot.key")
    running.fairway("reload")
    assert ask(running, "third.dot.test")
    open_one.ask()
    assert not open_one.closed()


def test_a_reload_may_name_other_files(running):
    open_one = Session(running)
    open_one.ask()
    issue(running.folder, "moved.dot.test", into="moved")
    running.config_file.write_text(configuration(running, cert="moved.pem", key="moved.key"))
    running.fairway("reload")
    assert ask(running, "moved.dot.test")
    open_one.ask()


def test_mistakes_are_told_before_they_matter(running):
    def check() -> subprocess.CompletedProcess:
        return subprocess.run([BIN / "fairwayd", "--check", running.config_file], capture_output=True, text=True,
                              timeout=30, check=False)

    assert check().returncode == 0
    running.config_file.write_text(configuration(running, cert="none.pem"))
    done = check()
    assert done.returncode == 2
    assert f"cannot use the certificate of {running.folder}/none.pem: no such file or directory" in done.stderr
    running.config_file.write_text(configuration(running, key="ca.key"))
    done = check()
    assert done.returncode == 2
    assert f"the key of {running.folder}/ca.key does not belong to the certificate of" in done.stderr


def test_a_certificate_may_come_after_the_start():
    with Scenario() as running:
        make_authority(running.folder)
        (running.folder / "fairway.toml").write_text(configuration(running))
        daemon = running.run("fairwayd", [BIN / "fairwayd", "--config", running.folder / "fairway.toml"])
        eventually("fairwayd answers UDP", lambda: daemon.running() and running.addresses(NAME) == [ANSWER])
        with socket.create_connection((running.address, DOT_PORT), timeout=5) as closed:
            assert closed.recv(1) == b""
        issue(running.folder, "dns.dot.test")
        eventually("DNS over TLS begins", lambda: ask(running))


def test_unbound_forwards_over_tls(running):
    (running.folder / "unbound.conf").write_text(f"""
server:
    interface: {running.address}
    port: 5355
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{running.folder}"
    pidfile: "{running.folder}/unbound.pid"
    use-syslog: no
    do-not-query-localhost: no
    access-control: 127.0.0.0/8 allow
    tls-cert-bundle: "{running.folder}/ca.pem"
    module-config: "iterator"
    local-zone: "test." nodefault
forward-zone:
    name: "."
    forward-tls-upstream: yes
    forward-addr: {running.address}@{DOT_PORT}#dns.dot.test
""")
    unbound = running.run("unbound", ["/usr/sbin/unbound", "-d", "-c", running.folder / "unbound.conf"])
    eventually("unbound answers through us", lambda: unbound.running() and
               running.addresses(NAME, port=5355) == [ANSWER])
    assert counters(running)["tls_queries"] > 0
    assert counters(running)["tcp_queries"] == 0


def test_udp_and_good_clients_get_answers_during_floods(running):
    """Connections that never shake hands, that stop in the middle, and that talk nonsense."""
    held = []
    for i in range(300):
        raw = socket.create_connection((running.address, DOT_PORT), timeout=5)
        if i % 3 == 1:
            raw.sendall(b"\x16\x03\x01\x02\x00\x01")
        elif i % 3 == 2:
            raw.sendall(b"GET / HTTP/1.1\r\n\r\n")
        held.append(raw)
        if i % 10 == 0:
            assert running.addresses(NAME) == [ANSWER]
            assert running.addresses(NAME, tcp=True) == [ANSWER]
            assert ask(running)
    for raw in held:
        raw.close()
    eventually("nothing is left", lambda: counters(running)["tls_connections"] == 0)
    assert ask(running)
