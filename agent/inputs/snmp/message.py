"""Reads as much of an SNMP message as tells whose answer it is: RFC 1157, RFC 3416, RFC 3412, RFC 3414."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

RESPONSE, REPORT = 0xA2, 0xA8
_INTEGER, _OCTETS, _OID, _SEQUENCE = 0x02, 0x04, 0x06, 0x30


class NotSnmp(ValueError):
    """A datagram that is no SNMP message, or is cut off."""


@dataclass(slots=True)
class Header:
    """What stands in front of the variable bindings.

    ``pdu`` and what follows it are 0 where the PDU is encrypted. ``auth_at`` and ``auth_end`` are the place
    of the digest in the datagram. A GETBULK has its two numbers in the place of status and index.
    """

    version: int
    community: bytes = b""
    message_id: int = 0
    flags: int = 0
    engine_id: bytes = b""
    auth_at: int = 0
    auth_end: int = 0
    pdu: int = 0
    request_id: int = 0
    error_status: int = 0
    error_index: int = 0
    varbinds_at: int = 0
    varbinds_end: int = 0

    @property
    def encrypted(self) -> bool:
        return self.pdu == 0


def read_header(data: bytes) -> Header:
    """The header of a v1, v2c or v3 message. NotSnmp where it is none."""
    try:
        at, end = _enter(data, 0, len(data), _SEQUENCE)
        version, at = _integer(data, at, end)
        header = Header(version)
        if version in (0, 1):
            community_at, at = _enter(data, at, end, _OCTETS)
            header.community = data[community_at:at]
            _read_pdu(data, at, end, header)
        elif version == 3:
            _read_v3(data, at, end, header)
        else:
            raise NotSnmp(f"version {version}")
    except IndexError:
        raise NotSnmp("it is cut off") from None
    return header


def belongs(header: Header, asked: Header) -> bool:
    """Whether it answers just this request, and not an earlier one."""
    if header.version != asked.version or header.community != asked.community:
        return False
    if header.message_id != asked.message_id:
        return False
    if header.pdu == REPORT:
        return header.version == 3
    if header.encrypted:
        return asked.encrypted
    return header.pdu == RESPONSE and not asked.encrypted and header.request_id == asked.request_id


def varbind_tags(data: bytes, header: Header) -> Iterator[tuple[str, int]]:
    """The OID of every variable binding, and the BER tag of its value. NotSnmp at the first that is none."""
    at, end = header.varbinds_at, header.varbinds_end
    try:
        while at < end:
            inner, at = _enter(data, at, end, _SEQUENCE)
            oid_at, oid_end = _enter(data, inner, at, _OID)
            if oid_end >= at:
                raise NotSnmp("a variable binding without a value")
            yield _oid_text(data[oid_at:oid_end]), data[oid_end]
    except IndexError:
        raise NotSnmp("it is cut off") from None


def _read_v3(data: bytes, at: int, end: int, header: Header) -> None:
    inner, at = _enter(data, at, end, _SEQUENCE)
    header.message_id, inner = _integer(data, inner, at)
    _, inner = _integer(data, inner, at)
    flags_at, flags_end = _enter(data, inner, at, _OCTETS)
    if flags_end - flags_at != 1:
        raise NotSnmp("flags of another length than 1")
    header.flags = data[flags_at]
    model, _ = _integer(data, flags_end, at)
    if model != 3:
        raise NotSnmp(f"security model {model}")
    inner, at = _enter(data, at, end, _OCTETS)
    inner, usm_end = _enter(data, inner, at, _SEQUENCE)
    engine_at, inner = _enter(data, inner, usm_end, _OCTETS)
    header.engine_id = data[engine_at:inner]
    _, inner = _integer(data, inner, usm_end)
    _, inner = _integer(data, inner, usm_end)
    _, inner = _enter(data, inner, usm_end, _OCTETS)
    header.auth_at, header.auth_end = _enter(data, inner, usm_end, _OCTETS)
    if data[at] == _OCTETS:
        _enter(data, at, end, _OCTETS)
        return
    inner, end = _enter(data, at, end, _SEQUENCE)
    _, inner = _enter(data, inner, end, _OCTETS)
    _, inner = _enter(data, inner, end, _OCTETS)
    _read_pdu(data, inner, end, header)


def _read_pdu(data: bytes, at: int, end: int, header: Header) -> None:
    header.pdu = data[at]
    if header.pdu & 0xE0 != 0xA0:
        raise NotSnmp(f"no PDU, but the tag 0x{header.pdu:02x}")
    at, end = _enter(data, at, end, header.pdu)
    header.request_id, at = _integer(data, at, end)
    header.error_status, at = _integer(data, at, end)
    header.error_index, at = _integer(data, at, end)
    header.varbinds_at, header.varbinds_end = _enter(data, at, end, _SEQUENCE)


def _enter(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Where the content of the element begins and ends."""
    if data[at] != tag:
        raise NotSnmp(f"the tag 0x{data[at]:02x} where 0x{tag:02x} was expected")
    length = data[at + 1]
    at += 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4:
            raise NotSnmp("a length of an unknown form")
        length = int.from_bytes(data[at : at + octets], "big")
        at += octets
    if at + length > end:
        raise NotSnmp("it is cut off")
    return at, at + length


def _integer(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The integer, and where it ends."""
    at, end = _enter(data, at, end, _INTEGER)
    if not 1 <= end - at <= 5:
        raise NotSnmp("an integer of an impossible length")
    return int.from_bytes(data[at:end], "big", signed=True), end


def _oid_text(octets: bytes) -> str:
    """X.690, section 8.19."""
    if not octets:
        return ""
    first = min(octets[0] // 40, 2)
    parts = [first, octets[0] - 40 * first]
    number = 0
    for octet in octets[1:]:
        number = number << 7 | octet & 0x7F
        if octet < 0x80:
            parts.append(number)
            number = 0
    return ".".join(map(str, parts))
