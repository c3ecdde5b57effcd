# SPDX-License-Identifier: Apache-2.0
"""DNS messages as bytes: built octet by octet, and whole replies rendered as text that a test can compare. Only names
and record data are left to dnspython; what its parser would forgive (counts, octets left over) is judged here."""
import socket
import struct

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH",
          16: "BADVERS", 23: "BADCOOKIE"}
OPTIONS = {3: "nsid", 8: "subnet", 10: "cookie", 11: "keepalive", 12: "padding", 15: "error"}
FLAGS = ((0x8000, "qr"), (0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0040, "z"),
         (0x0020, "ad"), (0x0010, "cd"))
A, NS, CNAME, SOA, MX, TXT, AAAA, SRV, OPT = 1, 2, 5, 6, 15, 16, 28, 33, 41
DS, RRSIG, NSEC, DNSKEY, TLSA, SVCB, HTTPS, CAA = 43, 46, 47, 48, 52, 64, 65, 257
TKEY, TSIG, IXFR, AXFR, MAILB, MAILA, ANY = 249, 250, 251, 252, 253, 254, 255
IN, CH, HS, NONE = 1, 3, 4, 254
PATIENCE = 5.0


def name(text: str) -> bytes:
    return dns.name.from_text(text).to_wire()


def header(ident=0x1234, flags=0, questions=1, answers=0, authorities=0, additionals=0) -> bytes:
    return struct.pack("!6H", ident, flags, questions, answers, authorities, additionals)


def option(code: int, body: bytes = b"") -> bytes:
    return struct.pack("!HH", code, len(body)) + body


def opt(size=1232, ttl=0, options=b"", owner=b"\0") -> bytes:
    return owner + struct.pack("!HHIH", OPT, size, ttl, len(options)) + options


def query(qname, qtype=A, qclass=IN, ident=0x1234, flags=0, edns=None, options=None) -> bytes:
    """`edns` is a whole OPT record; `options` alone make one."""
    if options is not None:
        edns = opt(options=options)
    wire = qname if isinstance(qname, bytes) else name(qname)
    return header(ident, flags, additionals=0 if edns is None else 1) + wire + struct.pack("!HH", qtype, qclass) + \
        (edns or b"")


def subnet(address: str, source: int, scope: int = 0) -> bytes:
    """Of RFC 7871, with as many octets of the address as SOURCE needs."""
    family = 2 if ":" in address else 1
    octets = socket.inet_pton(socket.AF_INET6 if family == 2 else socket.AF_INET, address)
    return option(8, struct.pack("!HBB", family, source, scope) + octets[:(source + 7) // 8])


def render(message: bytes) -> str:
    """One line for the header, one for each question, record and the OPT: "4660 NOERROR qr aa" ..."""
    ident, flags, *counts = struct.unpack("!6H", message[:12])
    lines, at, edns, rcode = [], 12, None, flags & 0xf

    def read_name():
        nonlocal at
        parsed, used = dns.name.from_wire(message, at)
        at += used
        return parsed
    for _ in range(counts[0]):
        qname = read_name()
        qtype, qclass = struct.unpack("!HH", message[at:at + 4])
        at += 4
        lines.append(f"question {qname} {dns.rdataclass.to_text(qclass)} {dns.rdatatype.to_text(qtype)}")
    for section, count in zip(("answer", "authority", "additional"), counts[1:]):
        for _ in range(count):
            owner = read_name()
            rtype, rclass, ttl, size = struct.unpack("!HHIH", message[at:at + 10])
            at += 10
            data = message[at:at + size]
            assert len(data) == size, "a record runs past the end"
            if rtype == OPT:
                assert edns is None and section == "additional" and owner == dns.name.root, "an OPT too many"
                rcode |= ttl >> 24 << 4
                edns = f"edns {rclass}" + (f" version={ttl >> 16 & 255}" if ttl >> 16 & 255 else "")
                edns += (" do" if ttl & 0x8000 else "") + (f" flags={ttl & 0x7fff:x}" if ttl & 0x7fff else "")
                for code, body in options_of(data):
                    shown = body.decode() if code == 3 else body.hex()
                    if code == 15:
                        shown = f"{struct.unpack('!H', body[:2])[0]}:{body[2:].decode()}"
                    edns += f" {OPTIONS.get(code, code)}={shown}"
            else:
                rdata = dns.rdata.from_wire(rclass, rtype, message, at, size)
                lines.append(f"{section} {owner} {ttl} {dns.rdataclass.to_text(rclass)} "
                             f"{dns.rdatatype.to_text(rtype)} {rdata.to_text()}")
            at += size
    assert at == len(message), f"{len(message) - at} octets are left over"
    opcode = flags >> 11 & 0xf
    shown = [str(ident)] + ([f"opcode={opcode}"] if opcode else []) + [RCODES.get(rcode, str(rcode))]
    shown += [word for bit, word in FLAGS if flags & bit]
    return "\n".join([" ".join(shown)] + lines + ([edns] if edns else []))


def options_of(data: bytes) -> list:
    """(code, body) of each option in the data of an OPT."""
    found, at = [], 0
    while at < len(data):
        code, size = struct.unpack("!HH", data[at:at + 4])
        body = data[at + 4:at + 4 + size]
        assert len(body) == size, "an option runs past the end"
        found.append((code, body))
        at += 4 + size
    return found


class Stream:
    """One TCP connection that speaks DNS."""

    def __init__(self, address: str, port: int, wrap=lambda connection: connection):
        self.socket = wrap(socket.create_connection((address, port), timeout=PATIENCE))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *messages: bytes):
        self.socket.sendall(b"".join(struct.pack("!H", len(message)) + message for message in messages))

    def receive(self):
        """The next message; None when the peer closes instead."""
        while True:
            if len(self.buffer) >= 2:
                size = 2 + struct.unpack("!H", self.buffer[:2])[0]
                if len(self.buffer) >= size:
                    message, self.buffer = self.buffer[2:size], self.buffer[size:]
                    return message
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                assert not self.buffer, "closed within a message"
                return None
            self.buffer += more


class Asker:
    """Asks over one transport: "udp4", "udp6", "tcp4", "tcp6"."""

    def __init__(self, transport: str, address: str, port: int, wrap=lambda connection: connection):
        self.transport, self.address, self.port, self.wrap = transport, address, port, wrap
        self.is_udp = transport.startswith("udp")

    def stream(self) -> Stream:
        return Stream(self.address, self.port, self.wrap)

    def datagram(self) -> socket.socket:
        made = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM)
        made.settimeout(PATIENCE)
        made.connect((self.address, self.port))
        return made

    def reply(self, message: bytes):
        """The raw reply; None when there is none: over TCP the connection was closed instead; over UDP a question sent
        after the message on the same socket, which the same worker reads next, was answered first."""
        if not self.is_udp:
            with self.stream() as stream:
                stream.send(message)
                return stream.receive()
        with self.datagram() as sender:
            follow = query("version.bind", TXT, CH, ident=0x7e57)
            assert message[:2] != follow[:2]
            sender.send(message)
            sender.send(follow)
            first = sender.recv(65536)
            if first[:2] == follow[:2]:
                return None
            assert sender.recv(65536)[:2] == follow[:2]
            return first

    def ask(self, message: bytes) -> str:
        """The rendered reply, or "nothing"."""
        raw = self.reply(message)
        return "nothing" if raw is None else render(raw)


def server_cookie(secret: bytes, client: bytes, source: str, seconds: int, reserved: bytes = bytes(3)) -> bytes:
    """The interoperable one of RFC 9018 section 4.2."""
    start = b"\1" + reserved + struct.pack("!I", seconds)
    octets = socket.inet_pton(socket.AF_INET6 if ":" in source else socket.AF_INET, source)
    return start + struct.pack("<Q", siphash24(secret, client + start + octets))


def siphash24(key: bytes, data: bytes) -> int:
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def turn(x, bits):
        return (x << bits | x >> 64 - bits) & mask

    def rounds(count):
        for _ in range(count):
            v[0] = v[0] + v[1] & mask
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = v[2] + v[3] & mask
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = v[0] + v[3] & mask
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = v[2] + v[1] & mask
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)
    tail = data[len(data) // 8 * 8:]
    words = [*struct.unpack(f"<{len(data) // 8}Q", data[:len(data) // 8 * 8]),
             int.from_bytes(tail, "little") | (len(data) & 255) << 56]
    for word in words:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 255
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]
