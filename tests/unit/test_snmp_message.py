"""Headers of SNMP messages: what an encoder wrote is read, and nothing else is believed."""

from __future__ import annotations

import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.snmp.message import NotSnmp, belongs, read_header, varbind_tags
from agent.inputs.snmp.opaque import opaque_float
from tests import misbehaving_snmp as snmp
from tests.misbehaving_snmp import Request

INT32 = st.integers(-(2**31), 2**31 - 1)
NAMES = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20).map(
    lambda parts: ".".join(map(str, [1, 3, *parts]))
)
VALUES = st.sampled_from([snmp.NULL, snmp.NO_SUCH_OBJECT, snmp.END_OF_MIB_VIEW, snmp.octets(bytes(300))])
BINDINGS = st.lists(st.tuples(NAMES, VALUES), max_size=5)


@given(st.sampled_from([0, 1]), st.binary(max_size=300), INT32, INT32, INT32, BINDINGS)
def test_the_header_of_a_response_is_read(
    version: int,
    community: bytes,
    request_id: int,
    status: int,
    index: int,
    bindings: list[tuple[str, bytes]],
) -> None:
    request = Request(version, community, snmp.GET, request_id or 1, 0, 0, [])
    datagram = request.response(bindings, status=status, index=index)
    header = read_header(datagram)
    assert (header.version, header.community, header.pdu) == (version, community, snmp.RESPONSE)
    assert (header.request_id, header.error_status, header.error_index) == (request_id or 1, status, index)
    assert list(varbind_tags(datagram, header)) == [(name, value[0]) for name, value in bindings]


def v3(data: bytes, *, flags: bytes = b"\x01", digest: bytes = bytes(12), message_id: int = 9) -> bytes:
    engine = snmp.octets(b"engine") + snmp.integer(1) + snmp.integer(2)
    usm = snmp.tlv(0x30, engine + snmp.octets(b"user") + snmp.octets(digest) + snmp.octets(b""))
    head = snmp.integer(message_id) + snmp.integer(65_507) + snmp.octets(flags) + snmp.integer(3)
    return snmp.tlv(0x30, snmp.integer(3) + snmp.tlv(0x30, head) + snmp.octets(usm) + data)


def scoped(pdu: int, request_id: int = 5) -> bytes:
    content = snmp.integer(request_id) + snmp.integer(0) + snmp.integer(0) + snmp.varbinds([])
    return snmp.tlv(0x30, snmp.octets(b"engine") + snmp.octets(b"") + snmp.tlv(pdu, content))


def test_the_header_of_a_v3_message_is_read() -> None:
    datagram = v3(scoped(snmp.RESPONSE), digest=b"abcdefghijkl")
    header = read_header(datagram)
    assert (header.version, header.message_id, header.flags, header.engine_id) == (3, 9, 1, b"engine")
    assert datagram[header.auth_at : header.auth_end] == b"abcdefghijkl"
    assert (header.pdu, header.request_id, header.encrypted) == (snmp.RESPONSE, 5, False)
    assert read_header(v3(snmp.octets(b"\0" * 40))).encrypted


def test_what_answers_a_request_and_what_does_not() -> None:
    asked = read_header(v3(scoped(snmp.GET)))
    assert belongs(read_header(v3(scoped(snmp.RESPONSE))), asked)
    assert belongs(read_header(v3(scoped(snmp.REPORT, request_id=0))), asked)
    for other in (
        v3(scoped(snmp.RESPONSE, request_id=6)),
        v3(scoped(snmp.RESPONSE), message_id=8),
        v3(scoped(snmp.GET)),
        v3(snmp.octets(b"\0" * 40)),
    ):
        assert not belongs(read_header(other), asked)
    encrypted = read_header(v3(snmp.octets(b"\0" * 40)))
    # What was asked for in secret is not believed in clear, but reports may have to be.
    assert not belongs(read_header(v3(scoped(snmp.RESPONSE))), encrypted)
    assert belongs(read_header(v3(scoped(snmp.REPORT))), encrypted)


@given(st.binary(max_size=200))
def test_bytes_are_a_message_or_are_told_to_be_none(data: bytes) -> None:
    with contextlib.suppress(NotSnmp):
        header = read_header(data)
        list(varbind_tags(data, header))


@given(st.data())
def test_a_message_that_is_cut_off_or_changed_is_read_or_told_to_be_none(data: st.DataObject) -> None:
    request = Request(1, b"public", snmp.GET, 7, 0, 0, [])
    whole = request.response([("1.3.6.1.2.1.1.3.0", snmp.timeticks(7))])
    for end in range(len(whole)):
        with pytest.raises(NotSnmp):
            read_header(whole[:end])
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    with contextlib.suppress(NotSnmp):
        list(varbind_tags(changed, read_header(changed)))


@given(st.floats(width=32), st.floats())
def test_floats_in_an_opaque(short: float, long: float) -> None:
    for octets, number in (
        (b"\x9f\x78\x04" + struct.pack(">f", short), short),
        (b"\x9f\x79\x08" + struct.pack(">d", long), long),
    ):
        assert opaque_float(octets) == (number if math.isfinite(number) else None)
        assert opaque_float(octets + b"\0") is None
    assert opaque_float(b"") is None
