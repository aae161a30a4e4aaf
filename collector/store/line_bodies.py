"""Accepted line protocol, made fit for an engine, and cut into bodies of a bounded size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from collector.lines import Line, parse_line, split_lines
from collector.series import FieldType
from collector.store.base import Batch, RefusedLine
from collector.store.field_types import as_type
from setpoint.line_protocol import NS_PER_MS, encode_point

_WHOLE_MS = b"000000\n"
_UNSIGNED = re.compile(rb"=[0-9]+u[, ]")
_TIME = re.compile(rb" (-?[0-9]+)[ ]*\r?\Z")
_UNSIGNED_VALUE = re.compile(rb"(=[0-9]+)u(?=[, ])")
# What is not the one way in which most programs write line protocol.
_UNUSUAL = re.compile(rb'["#\r\\]|=-?\.|  | \n|\n |\n\n|\A ')

Mixed = Mapping[str, Mapping[str, FieldType]]


class Part(NamedTuple):
    """Whole lines of one batch, each with its newline."""

    batch: Batch
    data: bytes

    def lines(self) -> Iterator[Part]:
        """Each line by itself; comments and empty lines are left out."""
        for line in split_lines(self.data):
            if line.strip() and not line.lstrip().startswith(b"#"):
                yield Part(self.batch, line + b"\n")

    def refused(self, reason: str) -> RefusedLine:
        return RefusedLine(self.batch.id, self.batch.agent, self.data.rstrip(b"\n"), reason)


def fit(part: Part, mixed: Mixed, refused: list[RefusedLine]) -> Part:
    """The same lines with times in whole milliseconds (rounded down, as in the columns of the batch), no
    unsigned integers (InfluxDB 1 knows none), and the fields in ``mixed`` in the type that the engine has.

    What cannot be brought to that type is added to ``refused``, and the rest of its line is kept.
    """
    batch, data = part
    if data and not data.endswith(b"\n"):
        data += b"\n"
    simple = data.count(_WHOLE_MS) == data.count(b"\n") and not _UNSIGNED.search(data)
    if simple and not any(_escaped(name) in data for name in mixed):
        return Part(batch, data)
    return Part(batch, b"".join(_fit_line(line, mixed, refused) for line in Part(batch, data).lines()))


def fit_numbers(part: Part, refused: list[RefusedLine]) -> Part:
    """The same lines for VictoriaMetrics 1.79.5, which drops without a word what it does not read: a line
    with a quote in a field's name, a newline in text, or a second space somewhere. ``.5`` it takes for 0.

    Text becomes 0, as it does there anyway: its times are kept, and no more. A line with a quote in a
    field's name is added to ``refused``, and written without that field.
    """
    batch, data = part
    if data and not data.endswith(b"\n"):
        data += b"\n"
    if not _UNUSUAL.search(data):
        return Part(batch, data)
    return Part(batch, b"".join(_fit_numbers(line, refused) for line in Part(batch, data).lines()))


def _fit_numbers(part: Part, refused: list[RefusedLine]) -> bytes:
    if not _UNUSUAL.search(part.data):
        return part.data
    line = parse_line(part.data[:-1])
    if line is None:
        return b""
    assert line.time_ns is not None, "the decoder gives every line a time"
    numbers = {name: 0 if isinstance(value, str) else value for name, value in line.fields.items()}
    for name in [name for name in numbers if '"' in name]:
        reason = f"VictoriaMetrics does not read the name of field {name}, which has a quote in it"
        refused.append(part.refused(reason))
        del numbers[name]
    text = encode_point(line.measurement, dict(line.tags), numbers, line.time_ns // NS_PER_MS)
    return text + b"\n" if text else b""


def _escaped(measurement: str) -> bytes:
    return measurement.replace(",", "\\,").replace(" ", "\\ ").encode()


def _fit_line(part: Part, mixed: Mixed, refused: list[RefusedLine]) -> bytes:
    line = part.data[:-1]
    if any(line.lstrip().startswith(_escaped(name)) for name in mixed):
        parsed = parse_line(line)
        if parsed is not None and parsed.measurement in mixed:
            return _fit_types(part.batch, parsed, mixed[parsed.measurement], refused)
    if b"u" in line:
        if b'"' in line:
            parsed = parse_line(line)
            return _fit_types(part.batch, parsed, {}, refused) if parsed else b""
        line = _UNSIGNED_VALUE.sub(rb"\1i", line)
    return _TIME.sub(_whole_ms, line) + b"\n"


def _whole_ms(time: re.Match[bytes]) -> bytes:
    return b" %d" % (int(time[1]) // NS_PER_MS * NS_PER_MS)


def _fit_types(batch: Batch, line: Line, types: Mapping[str, FieldType], refused: list[RefusedLine]) -> bytes:
    assert line.time_ns is not None, "the decoder gives every line a time"
    time_ms = line.time_ns // NS_PER_MS
    kept = {}
    for name, value in line.fields.items():
        fitting = as_type(value, types[name]) if name in types else value
        if fitting is None:
            alone = encode_point(line.measurement, dict(line.tags), {name: value}, time_ms) or b""
            reason = f'field "{name}" of "{line.measurement}" is {types[name]} in the store'
            refused.append(RefusedLine(batch.id, batch.agent, alone, reason))
        else:
            kept[name] = fitting
    text = encode_point(line.measurement, dict(line.tags), kept, time_ms)
    return text + b"\n" if text else b""


def bodies(parts: Iterable[Part], max_bytes: int) -> Iterator[list[Part]]:
    """The parts in groups of at most ``max_bytes``; a part that is larger is cut between lines."""
    group: list[Part] = []
    size = 0
    for part in _cut(parts, max_bytes):
        if group and size + len(part.data) > max_bytes:
            yield group
            group, size = [], 0
        group.append(part)
        size += len(part.data)
    if group:
        yield group


def _cut(parts: Iterable[Part], max_bytes: int) -> Iterator[Part]:
    for part in parts:
        if len(part.data) <= max_bytes:
            if part.data:
                yield part
        else:
            for some in _grouped(part.lines(), max_bytes):
                yield Part(part.batch, b"".join(line.data for line in some))


def _grouped(lines: Iterable[Part], max_bytes: int) -> Iterator[Sequence[Part]]:
    some: list[Part] = []
    size = 0
    for line in lines:
        if some and size + len(line.data) > max_bytes:
            yield some
            some, size = [], 0
        some.append(line)
        size += len(line.data)
    if some:
        yield some
