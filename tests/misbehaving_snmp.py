"""An SNMP agent (v1 and v2c) that does each wrong on request, with an encoder and a decoder of its own.

``MisbehavingAgent`` serves a table of OIDs to encoded values. ``answer`` decides what goes back for a
request; the default is honest, and the other functions here are wrongs to put in its place.
"""

from __future__ import annotations

import bisect
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

GET, GETNEXT, RESPONSE, GETBULK, REPORT = 0xA0, 0xA1, 0xA2, 0xA5, 0xA8
TOO_BIG, NO_SUCH_NAME, GEN_ERR, AUTHORIZATION_ERROR = 1, 2, 5, 16


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def integer(value: int, tag: int = 0x02) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value: bytes) -> bytes:
    return tlv(0x04, value)


def counter32(value: int) -> bytes:
    return integer(value, 0x41)


def gauge32(value: int) -> bytes:
    return integer(value, 0x42)


def timeticks(value: int) -> bytes:
    return integer(value, 0x43)


def counter64(value: int) -> bytes:
    return integer(value, 0x46)


def opaque_float(value: float) -> bytes:
    return tlv(0x44, b"\x9f\x78\x04" + struct.pack(">f", value))


def ip_address(text: str) -> bytes:
    return tlv(0x40, socket.inet_aton(text))


NULL, NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW = b"\x05\0", b"\x80\0", b"\x81\0", b"\x82\0"


def oid(text: str) -> bytes:
    numbers = [int(part) for part in text.split(".")]
    content = bytes([40 * numbers[0] + numbers[1]])
    for number in numbers[2:]:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return tlv(0x06, content)


Varbinds = Sequence[tuple[str, bytes]]


def varbinds(bindings: Varbinds) -> bytes:
    return tlv(0x30, b"".join(tlv(0x30, oid(name) + value) for name, value in bindings))


@dataclass(frozen=True)
class Request:
    """A decoded request; of a GETBULK, ``index`` is max-repetitions."""

    version: int
    community: bytes
    pdu: int
    request_id: int
    status: int
    index: int
    oids: list[str]

    def response(self, bindings: Varbinds, *, status: int = 0, index: int = 0, request_id: int = 0) -> bytes:
        """The encoded answer with these bindings."""
        return self.message(varbinds(bindings), status=status, index=index, request_id=request_id)

    def message(self, encoded: bytes, *, status: int = 0, index: int = 0, request_id: int = 0) -> bytes:
        head = integer(request_id or self.request_id) + integer(status) + integer(index)
        pdu = tlv(RESPONSE, head + encoded)
        return tlv(0x30, integer(self.version) + octets(self.community) + pdu)

    def error(self, status: int, index: int = 0) -> bytes:
        return self.response([(name, NULL) for name in self.oids], status=status, index=index)


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at : at + count], "big")
            at += count
        yield tag, data[at : at + size]
        at += size


def _oid_text(content: bytes) -> str:
    numbers = [content[0] // 40, content[0] % 40]
    number = 0
    for octet in content[1:]:
        number = number << 7 | octet & 0x7F
        if octet < 0x80:
            numbers.append(number)
            number = 0
    return ".".join(map(str, numbers))


def decode(datagram: bytes) -> Request:
    """The request in a datagram that a sane client sent."""
    [(_, message)] = _elements(datagram)
    (_, version), (_, community), (pdu, content) = _elements(message)
    (_, request_id), (_, status), (_, index), (_, bindings) = _elements(content)
    names = [_oid_text(next(_elements(binding))[1]) for _, binding in _elements(bindings)]
    numbers = (int.from_bytes(part, "big", signed=True) for part in (version, request_id, status, index))
    version_number, request_number, status_number, index_number = numbers
    return Request(version_number, community, pdu, request_number, status_number, index_number, names)


def key(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


class Table:
    """OIDs and their encoded values, in order."""

    def __init__(self, rows: Mapping[str, bytes]) -> None:
        self.rows = dict(sorted(rows.items(), key=lambda row: key(row[0])))
        self._names = list(self.rows)
        self._keys = [key(name) for name in self._names]

    def after(self, name: str, count: int = 1) -> list[tuple[str, bytes]]:
        """The next rows, the last of them endOfMibView where there are not so many."""
        at = bisect.bisect_right(self._keys, key(name))
        found = [(other, self.rows[other]) for other in self._names[at : at + count]]
        return found if len(found) == count else [*found, (found[-1][0] if found else name, END_OF_MIB_VIEW)]

    def get(self, name: str) -> bytes:
        if name in self.rows:
            return self.rows[name]
        known = name.rpartition(".")[0] + "."
        return NO_SUCH_INSTANCE if any(other.startswith(known) for other in self._names) else NO_SUCH_OBJECT


Answer = Callable[[Request, Table], Sequence[bytes]]


def honest(request: Request, table: Table) -> Sequence[bytes]:
    """What RFC 1157 and RFC 3416 ask for."""
    if request.pdu == GET:
        found = [(name, table.get(name)) for name in request.oids]
    elif request.pdu == GETNEXT:
        found = [row for name in request.oids for row in table.after(name)]
    else:
        found = [row for name in request.oids for row in table.after(name, request.index)]
    if request.version == 0:
        for position, (_, value) in enumerate(found):
            if value in (NO_SUCH_OBJECT, NO_SUCH_INSTANCE, END_OF_MIB_VIEW):
                return [request.error(NO_SUCH_NAME, position + 1)]
    return [request.response(found)]


@dataclass
class MisbehavingAgent:
    """Listens on a free loopback port while it is used as a context manager.

    ``requests`` are those that came, in order; ``client`` is where the last one came from.
    """

    rows: Mapping[str, bytes]
    answer: Answer = honest
    host: str = "127.0.0.1"
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    client: tuple[str, int] = ("", 0)
    problems: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = Table(self.rows)
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((self.host, self.port))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)
        assert not self.problems, self.problems

    def _serve(self) -> None:
        while True:
            try:
                datagram, sender = self._socket.recvfrom(65_535)
            except OSError:
                return
            if not datagram:
                return
            self.client = sender
            try:
                request = decode(datagram)
                self.requests.append(request)
                answers = self.answer(request, self.table)
            except Exception as error:
                self.problems.append(error)
                continue
            for one in answers:
                with contextlib.suppress(OSError):
                    self._socket.sendto(one, sender)


def only_bulk_up_to(most: int, status: int | None = None) -> Answer:
    """Answers with the status, or not at all, when more than ``most`` rows are asked for at once."""

    def answer(request: Request, table: Table) -> Sequence[bytes]:
        if request.pdu == GETBULK and request.index > most:
            return [] if status is None else [request.response([], status=status)]
        return honest(request, table)

    return answer


def only_gets_up_to(most: int, status: int | None = None) -> Answer:
    """Answers with the status, or not at all, when more than ``most`` values are asked for at once."""

    def answer(request: Request, table: Table) -> Sequence[bytes]:
        if request.pdu == GET and len(request.oids) > most:
            return [] if status is None else [request.error(status)]
        return honest(request, table)

    return answer


def first(*datagrams: bytes) -> Answer:
    """Sends these datagrams before the honest answer."""
    return lambda request, table: [*datagrams, *honest(request, table)]


def only(*datagrams: bytes) -> Answer:
    """Sends these datagrams and no answer."""
    return lambda _request, _table: list(datagrams)


def mutated(datagram: bytes, random_numbers: random.Random) -> bytes:
    """The datagram with a few bytes changed, cut out, doubled or inserted."""
    data = bytearray(datagram)
    for _ in range(random_numbers.choice((1, 1, 1, 2, 3, 8))):
        at = random_numbers.randrange(len(data)) if data else 0
        match random_numbers.randrange(7):
            case 0 | 1 if data:
                data[at] = random_numbers.randrange(256)
            case 2 if data:
                data[at] ^= 1 << random_numbers.randrange(8)
            case 3:
                del data[at : at + random_numbers.randrange(1, 9)]
            case 4:
                data[at:at] = random_numbers.randbytes(random_numbers.randrange(1, 9))
            case 5:
                data[at:at] = data[at : at + random_numbers.randrange(1, 40)]
            case _:
                del data[at:]
    return bytes(data)
