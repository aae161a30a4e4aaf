"""The fast path: simple lines that were seen before, to columns, without a loop over lines in Python.

Monitoring sends the same lines again and again, with other numbers. A line is recognised by its bytes up to
the first space and by its fields with the numbers' characters taken out; together they name an entry of a
cache, which holds the numbers of the line's series. Splitting, looking up, comparing and converting are each
one call for all lines together.

What is not recognised goes to the strict parser, and so does what is recognised but not surely what the
strict parser would make of it: the two never differ.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence
from itertools import compress
from math import isfinite
from operator import add
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from collector.lines import SMALLEST_FLOAT
from setpoint.line_protocol import NS_PER_MS

_NUMBER_BYTES = b"0123456789.+-eE"
_BARE_PLUS = re.compile(rb"(?<![eE])\+")
# Fewer than these cost the strict parser less than another attempt at all of them costs here.
_FEW_LINES = 8
_INT64_END = 2.0**63
# Numbers of JSON are a part of those of line protocol, and msgspec reads them correctly rounded and, with 17
# digits, seven times as fast as float() does.
_decode_json = msgspec.json.Decoder(list[float]).decode


class Tokens(NamedTuple):
    """Lines of three tokens each. A prefix (measurement and tags) begins with the newline before it."""

    prefixes: list[bytes]
    fields: list[bytes]
    times: list[bytes]
    size: int
    """Of all lines together, in bytes."""

    def longer_than(self, size: int) -> list[int]:
        """The positions of the lines that have more bytes than ``size``."""
        if self.size <= size:
            return []
        lengths = zip(map(len, self.prefixes), map(len, self.fields), map(len, self.times), strict=True)
        return [i for i, length in enumerate(lengths) if sum(length) + 1 > size]


class Columns(NamedTuple):
    """Readings of recognised lines. ``lines``: the positions of those lines, ascending; ``counts``: how
    many readings each of them has; the other arrays have one element for each reading, in their order.
    """

    lines: Sequence[int]
    counts: npt.NDArray[np.int64]
    series: npt.NDArray[np.int32]
    time_ms: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]


class _Entry(NamedTuple):
    """One element for each field: ``series`` int32 numbers as bytes, ``keys`` joined by commas,
    ``integers`` one byte, 1 for an integer.
    """

    series: bytes
    keys: bytes
    integers: bytes


def split_body(body: bytes) -> Tokens | None:
    """The tokens of a body in which every line has exactly two spaces; None when any has not."""
    text = body.rstrip(b"\n")
    # The newline stays with the token behind it, so that a line of one space and a line of three are told
    # from two of two.
    tokens = (b" \n" + text.replace(b"\n", b" \n")).split(b" ")
    prefixes = tokens[1::3]
    lines = text.count(b"\n") + 1
    if len(tokens) != 3 * lines + 1 or b"".join(prefixes).count(b"\n") != lines:
        return None
    return Tokens(prefixes, tokens[2::3], tokens[3::3], len(text))


def split_simple_lines(lines: Sequence[bytes]) -> Tokens:
    """The tokens of lines that have exactly two spaces each and no newline."""
    tokens = split_body(b"\n".join(lines)) if lines else None
    return tokens or Tokens([], [], [], 0)


class LineCache:
    """What is known about the lines of one publisher. Past ``max_lines`` it starts anew."""

    def __init__(self, max_lines: int = 65_536) -> None:
        self._max_lines = max_lines
        self._entries: dict[bytes, _Entry | None] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()

    def remember(self, line: bytes, numbers: Mapping[str, int]) -> None:
        """Lets lines like this be recognised; ``numbers`` are the series of its fields.

        The strict parser must have taken the line. Nothing happens when it is not of the simple kind: three
        tokens, no quote, no backslash, only floats and integers.
        """
        tokens = line.split(b" ")
        if len(tokens) != 3 or b'"' in line or b"\\" in line:
            return
        prefix, fields, _ = tokens
        parts = fields.replace(b"=", b",").split(b",")
        keys, values = parts[::2], parts[1::2]
        kinds = [value.translate(None, _NUMBER_BYTES) for value in values]
        if any(kind not in (b"", b"i") for kind in kinds):
            return
        entry = _Entry(
            series=array("i", [numbers[key.decode()] for key in keys]).tobytes(),
            keys=b",".join(keys),
            integers=bytes(kind == b"i" for kind in kinds),
        )
        name = b"\n" + prefix + fields.translate(None, _NUMBER_BYTES)
        if name in self._entries:
            # Two lines that differ in the digits of a field key (load1, load5) have the same name. They
            # would replace each other all the time; neither is recognised.
            if self._entries[name] != entry:
                self._entries[name] = None
            return
        if len(self._entries) >= self._max_lines:
            self._entries.clear()
        self._entries[name] = entry

    def columns(
        self, tokens: Tokens, earliest_ns: int, latest_ns: int, max_line_bytes: int
    ) -> tuple[list[Columns], list[int]]:
        """The readings of the recognised lines, and the positions of all other lines, ascending.

        A line is not recognised when its time is outside ``earliest_ns`` to ``latest_ns`` or when it is
        longer than ``max_line_bytes``.
        """
        prefixes, fields, times, _ = tokens
        if not prefixes:
            return [], []
        kinds = b" ".join(fields).translate(None, _NUMBER_BYTES).split(b" ")
        entries = list(map(self._entries.get, map(add, prefixes, kinds)))
        for position in tokens.longer_than(max_line_bytes):
            entries[position] = None
        if times.count(times[0]) == len(times):
            times_ms = [_time_ms(times[0], earliest_ns, latest_ns)] * len(times)
        else:
            ms_of = {time: _time_ms(time, earliest_ns, latest_ns) for time in set(times)}
            times_ms = list(map(ms_of.get, times))
        positions: Sequence[int] = range(len(prefixes))
        others: list[int] = []
        if None in entries or None in times_ms:
            known = [e is not None and t is not None for e, t in zip(entries, times_ms, strict=True)]
            others = [i for i in positions if not known[i]]
            positions = list(compress(positions, known))
            entries, fields = list(compress(entries, known)), list(compress(fields, known))
            times_ms = list(compress(times_ms, known))
        found: list[Columns] = []
        _convert(positions, entries, fields, times_ms, found, others)  # type: ignore[arg-type]
        return found, sorted(others)


def _time_ms(text: bytes, earliest_ns: int, latest_ns: int) -> int | None:
    if not text.isdigit() or len(text) > 19:
        return None
    time_ns = int(text)
    return time_ns // NS_PER_MS if earliest_ns <= time_ns <= latest_ns else None


def _convert(
    positions: Sequence[int],
    entries: Sequence[_Entry],
    fields: Sequence[bytes],
    times_ms: Sequence[int],
    found: list[Columns],
    others: list[int],
) -> None:
    """Converts all lines at once; where that fails, one half and then the other, down to a few lines."""
    if not positions:
        return
    columns = _columns(positions, entries, fields, times_ms)
    if columns is not None:
        found.append(columns)
    elif len(positions) <= _FEW_LINES:
        others.extend(positions)
    else:
        half = len(positions) // 2
        for part in (slice(half), slice(half, None)):
            _convert(positions[part], entries[part], fields[part], times_ms[part], found, others)


def _columns(
    positions: Sequence[int], entries: Sequence[_Entry], fields: Sequence[bytes], times_ms: Sequence[int]
) -> Columns | None:
    """The readings of these lines; None when any of their values or keys is not surely what it seems."""
    series_bytes, keys, integer_bytes = zip(*entries, strict=True)
    parts = b",".join(fields).replace(b"=", b",").split(b",")
    if b",".join(parts[::2]) != b",".join(keys):
        return None
    value = _values(parts[1::2], b"".join(integer_bytes))
    if value is None:
        return None
    counts = np.fromiter(map(len, integer_bytes), np.int64, len(integer_bytes))
    return Columns(
        lines=positions,
        counts=counts,
        series=np.frombuffer(bytearray().join(series_bytes), np.int32),
        time_ms=np.repeat(np.array(times_ms, np.int64), counts),
        value=value,
    )


def _values(texts: list[bytes], integers: bytes) -> npt.NDArray[np.float64] | None:
    """The numbers as floats; None when one is not a number of line protocol or might not be one.

    The caller knows that without its number characters each text is empty, or ``i`` where ``integers`` has
    a 1.
    """
    joined = b",".join(texts)
    any_integers = b"i" in joined
    if any_integers:
        if b"".join(compress(texts, integers)).translate(None, b"0123456789-i"):
            return None
        joined = joined.replace(b"i,", b",").removesuffix(b"i")
    try:
        floats = _decode_json(b"[" + joined + b"]")
    except msgspec.DecodeError:
        floats = _parse_floats(joined)
    if len(floats) != len(texts):
        return None
    value = np.fromiter(floats, np.float64, len(floats))
    size = np.abs(value)
    if any_integers and (size[np.frombuffer(integers, np.bool_)] >= _INT64_END).any():
        return None
    value[size < SMALLEST_FLOAT] = 0.0
    return value


def _parse_floats(joined: bytes) -> list[float]:
    """The same for what JSON does not take and line protocol does: ``1.``, ``.5``, ``007``.

    Empty when that does not help.
    """
    # Of what float() takes, the caller has kept out everything that line protocol does not, but for these.
    if _BARE_PLUS.search(joined):
        return []
    try:
        floats = list(map(float, joined.split(b",")))
    except ValueError:
        return []
    return floats if all(map(isfinite, floats)) else []
