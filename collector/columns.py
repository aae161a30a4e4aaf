"""The fast path: simple lines that were seen before, to columns, without a loop over lines in Python.

Monitoring sends the same lines again and again, with other numbers. A line is recognised by its bytes up to
the first space and by its fields with the numbers' characters taken out; together they name an entry of a
cache, which holds the numbers of the line's series. Splitting, looking up, comparing and converting are each
one call for all lines together.

An agent's batches often have the same lines in the same order, too. Such a body is recognised as a whole
(`bodies`), which spares the look at each of its lines.

What is not recognised goes to the strict parser, and so does what is recognised but not surely what the
strict parser would make of it: the two never differ.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from itertools import compress
from operator import add, itemgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from collector.bodies import BodyCache, Columns, Entry, Layout, body_name, layout_of
from collector.numbers import NUMBER_BYTES, has_plain_keys, skeleton, split_values
from collector.tokens import Tokens
from setpoint.line_protocol import NS_PER_MS

# Fewer than these cost the strict parser less than another attempt at all of them costs here.
_FEW_LINES = 8
_MAX_FORMS = 1_000


class _Form(NamedTuple):
    """Fields apart from their values: what an `Entry` has of them, their names, and the end of its name."""

    names: dict[str, None]
    keys: bytes
    integers: bytes
    skeleton: bytes | None
    kinds: bytes


def _form_of(fields: bytes) -> _Form | None:
    parts = fields.replace(b"=", b",").split(b",")
    keys = parts[::2]
    kinds = [value.translate(None, NUMBER_BYTES) for value in parts[1::2]]
    if any(kind not in (b"", b"i") for kind in kinds):
        return None
    joined_keys = b",".join(keys)
    return _Form(
        names=dict.fromkeys(key.decode() for key in keys),
        keys=joined_keys,
        integers=bytes(kind == b"i" for kind in kinds),
        skeleton=b",".join(key + b"=" + kind for key, kind in zip(keys, kinds, strict=True))
        if has_plain_keys(joined_keys)
        else None,
        kinds=fields.translate(None, NUMBER_BYTES),
    )


class LineCache:
    """What is known about the lines of one publisher. Past ``max_lines`` it starts anew."""

    def __init__(self, max_lines: int = 65_536) -> None:
        self._max_lines = max_lines
        self._entries: dict[bytes, Entry | None] = {}
        self._forms: dict[bytes, _Form] = {}
        self._bodies = BodyCache()

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()
        self._forms.clear()
        self._bodies.clear()

    def remember(self, line: bytes, numbers: Mapping[str, int]) -> None:
        """Lets lines like this be recognised; ``numbers`` are the series of its fields.

        The strict parser must have taken the line. Nothing happens when it is not of the simple kind: three
        tokens, no quote, no backslash, only floats and integers.
        """
        tokens = line.split(b" ")
        if len(tokens) != 3 or b'"' in line or b"\\" in line:
            return
        prefix, fields, _ = tokens
        form = self._form(fields, numbers)
        if form is None:
            return
        series = array("i", map(numbers.__getitem__, form.names)).tobytes()
        entry = Entry(series, form.keys, form.integers, form.skeleton)
        name = b"\n" + prefix + form.kinds
        if name in self._entries:
            # Two lines that differ in the digits of a field key (load1, load5) have the same name. They
            # would replace each other all the time; neither is recognised.
            if self._entries[name] != entry:
                self._entries[name] = None
            return
        if len(self._entries) >= self._max_lines:
            self._entries.clear()
        self._entries[name] = entry

    def _form(self, fields: bytes, numbers: Mapping[str, int]) -> _Form | None:
        """What the fields are; None when they are not of the simple kind. Most lines are of few forms."""
        bare = skeleton(fields)
        known = self._forms.get(bare)
        # Keys without a number are in the skeleton as they are, in their order: with the same names it is
        # the same form.
        if known is not None and known.names.keys() == numbers.keys():
            return known
        form = _form_of(fields)
        if form is not None and form.skeleton is not None:
            if len(self._forms) >= _MAX_FORMS:
                self._forms.clear()
            self._forms[bare] = form
        return form

    def columns(
        self, tokens: Tokens, earliest_ns: int, latest_ns: int, max_line_bytes: int
    ) -> tuple[list[Columns], list[int]]:
        """The readings of the recognised lines, and the positions of all other lines, ascending.

        A line is not recognised when its time is outside ``earliest_ns`` to ``latest_ns`` or when it is
        longer than ``max_line_bytes``.
        """
        if not tokens.prefixes:
            return [], []
        joined = b" ".join(tokens.fields)
        ms_of = {time: _time_ms(time, earliest_ns, latest_ns) for time in set(tokens.times)}
        times_ms = list(map(ms_of.__getitem__, tokens.times))
        too_long = tokens.longer_than(max_line_bytes)
        if too_long or None in ms_of.values():
            found, others, _ = self._line_by_line(tokens, joined, times_ms, too_long)
            return found, others
        name = body_name(tokens, joined)
        layout = self._bodies.find(name)
        if layout is not None:
            value = layout.values(tokens.fields, joined)
            if value is not None:
                return [_columns(range(len(times_ms)), layout, times_ms, value)], []
        found, others, layout = self._line_by_line(tokens, joined, times_ms)
        if layout is not None and not others:
            self._bodies.remember(name, layout)
        return found, others

    def _line_by_line(
        self, tokens: Tokens, joined: bytes, times_ms: list[int | None], too_long: Sequence[int] = ()
    ) -> tuple[list[Columns], list[int], Layout | None]:
        """The same, and the layout of the recognised lines."""
        kinds = joined.translate(None, NUMBER_BYTES).split(b" ")
        entries = list(map(self._entries.get, map(add, tokens.prefixes, kinds)))
        for position in too_long:
            entries[position] = None
        lines: tuple[Sequence[Any], ...] = (range(len(entries)), entries, tokens.fields, times_ms)
        others: list[int] = []
        if None in entries or None in times_ms:
            known = [e is not None and t is not None for e, t in zip(entries, times_ms, strict=True)]
            others = [i for i, is_known in enumerate(known) if not is_known]
            lines = tuple(list(compress(column, known)) for column in lines)
        found: list[Columns] = []
        layout = _convert(_Lines(*lines), found, others)
        return found, sorted(others), layout


class _Lines(NamedTuple):
    """Recognised lines, in four lists of the same length."""

    positions: Sequence[int]
    entries: Sequence[Entry]
    fields: Sequence[bytes]
    times_ms: Sequence[int]

    def part(self, part: slice) -> _Lines:
        return _Lines(self.positions[part], self.entries[part], self.fields[part], self.times_ms[part])


def _time_ms(text: bytes, earliest_ns: int, latest_ns: int) -> int | None:
    if not text.isdigit() or len(text) > 19:
        return None
    time_ns = int(text)
    return time_ns // NS_PER_MS if earliest_ns <= time_ns <= latest_ns else None


def _convert(lines: _Lines, found: list[Columns], others: list[int]) -> Layout | None:
    """Converts all lines at once; where that fails, one half and then the other, down to a few lines.

    Returns the layout of the lines when they may be recognised by it the next time.
    """
    if not lines.positions:
        return None
    layout, expected = layout_of(lines.entries)
    joined = b" ".join(lines.fields)
    plain = b" ".join(compress(lines.fields, layout.plain)) if layout.plain else joined
    value = layout.values(lines.fields, joined) if skeleton(plain) == expected else None
    if value is not None:
        found.append(_columns(lines.positions, layout, lines.times_ms, value))
        return layout
    # Numbers with an exponent, say.
    value = split_values(joined, b",".join(map(itemgetter(1), lines.entries)), layout.integers)
    if value is not None:
        found.append(_columns(lines.positions, layout, lines.times_ms, value))
    elif len(lines.positions) <= _FEW_LINES:
        others.extend(lines.positions)
    else:
        half = len(lines.positions) // 2
        _convert(lines.part(slice(half)), found, others)
        _convert(lines.part(slice(half, None)), found, others)
    return None


def _columns(
    positions: Sequence[int],
    layout: Layout,
    times_ms: Sequence[int | None],
    value: npt.NDArray[np.float64],
) -> Columns:
    return Columns(
        lines=positions,
        counts=layout.counts,
        series=layout.series,
        time_ms=np.array(times_ms, np.int64).repeat(layout.counts),
        value=value,
    )
