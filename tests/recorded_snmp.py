"""A device that answers from a recording, in memory: a session without a network.

Recordings are files of lines ``OID|tag|value`` (snmpsim's .snmprec): the tag is the BER number of the type,
with ``x`` after it when the value is written in hexadecimal, and with ``:…`` for simulated variation.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from agent.inputs.snmp.session import Cost, Missing, Rows, Value

_INTEGERS = {"2", "65", "66", "67", "70", "71"}
_OPAQUE_FLOAT, _OPAQUE_DOUBLE = b"\x9f\x78\x04", b"\x9f\x79\x08"


class RecordedSession:
    """A Session over the rows of a recording."""

    def __init__(self, rows: Iterable[tuple[str, Value]]) -> None:
        ordered = sorted({_numbers(oid): (oid, value) for oid, value in rows}.items())
        self._keys = [key for key, _ in ordered]
        self._rows = [row for _, row in ordered]
        self.cost = Cost()

    @property
    def complaints(self) -> Sequence[str]:
        return ()

    async def get(self, oids: Sequence[str]) -> Mapping[str, Value | Missing]:
        self.cost.requests += 1
        return {oid: self._value(oid) for oid in oids}

    async def walk(self, base: str) -> Rows:
        self.cost.requests += 1
        key = _numbers(base)
        found: Rows = []
        for position in range(bisect_left(self._keys, key), len(self._keys)):
            if self._keys[position][: len(key)] != key:
                break
            if self._keys[position] != key:
                found.append(self._rows[position])
        return found

    async def close(self) -> None:
        pass

    def _value(self, oid: str) -> Value | Missing:
        key = _numbers(oid)
        position = bisect_left(self._keys, key)
        if position < len(self._keys) and self._keys[position] == key:
            return self._rows[position][1]
        return Missing.NO_SUCH_INSTANCE


def read_recording(path: Path) -> RecordedSession:
    """The device that was recorded in the file."""
    return parse_recording(path.read_text(encoding="utf-8", errors="surrogateescape"))


def parse_recording(text: str) -> RecordedSession:
    """The device whose recording this is; lines that are none are left out."""
    rows: list[tuple[str, Value]] = []
    for line in text.split("\n"):
        parts = line.rstrip("\r").split("|", 2)
        if len(parts) == 3 and parts[0] and not parts[0].startswith("#"):
            tag, _, simulated = parts[1].partition(":")
            value = _decode(tag, _first_value(parts[2]) if simulated else parts[2])
            if value is not None:
                rows.append((parts[0].lstrip("."), value))
    return RecordedSession(rows)


def _first_value(text: str) -> str:
    """What a value that snmpsim would vary (``value=1,changes=2``) begins with."""
    options = dict(part.partition("=")[::2] for part in text.split(","))
    return options.get("value", options.get("initial", ""))


def _decode(tag: str, text: str) -> Value | None:
    in_hex = tag.endswith("x")
    kind = tag.rstrip("x")
    octets = bytes.fromhex(text) if in_hex else text.encode("utf-8", "surrogateescape")
    if kind in _INTEGERS:
        try:
            return int(octets)
        except ValueError:
            return None
    if kind == "6":
        return text.lstrip(".")
    if kind == "64":
        return ".".join(map(str, octets)) if in_hex else text
    if kind == "68":
        if octets.startswith(_OPAQUE_FLOAT):
            return float(struct.unpack(">f", octets[3:7])[0])
        return float(struct.unpack(">d", octets[3:11])[0]) if octets.startswith(_OPAQUE_DOUBLE) else octets
    return octets if kind == "4" else None


def _numbers(oid: str) -> tuple[int, ...]:
    return tuple(int(number) for number in oid.split(".") if number)
