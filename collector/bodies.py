"""Where the readings of known lines belong, and bodies that are known as a whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import compress
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collector.numbers import plain_values, skeleton, split_values
from collector.tokens import Tokens

_MAX_BODIES = 8
_MAX_READINGS = 65_536


class Columns(NamedTuple):
    """Readings of recognised lines. ``lines``: the positions of those lines, ascending; ``counts``: how
    many readings each of them has; the other arrays have one element for each reading, in their order.
    """

    lines: Sequence[int]
    counts: npt.NDArray[np.int64]
    series: npt.NDArray[np.int32]
    time_ms: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]


class Entry(NamedTuple):
    """What is known of a line. ``series``: int32 numbers as bytes, ``keys`` joined by commas, ``integers``
    one byte for each field, 1 for an integer; ``skeleton`` that of its fields, None where a key is not plain.
    """

    series: bytes
    keys: bytes
    integers: bytes
    skeleton: bytes | None


class Layout(NamedTuple):
    """Where the readings of lines belong: their series, how many each line has, and which are integers.

    ``plain`` and ``other`` have one byte for each line, 1 where all its keys are plain and where not;
    ``keys`` are those of the others, joined by commas. All lines are plain where ``plain`` is empty.
    """

    series: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]
    integers: npt.NDArray[np.bool_]
    plain: bytes
    other: bytes
    keys: bytes

    def values(self, fields: Sequence[bytes], joined: bytes) -> npt.NDArray[np.float64] | None:
        """The values of such lines, whose fields are also given joined by spaces; None when any of them is
        not surely what it seems.

        The caller knows that the lines have the skeletons of those that the layout was made of.
        """
        if not self.plain:
            return plain_values(joined, self.integers)
        is_plain = np.repeat(np.frombuffer(self.plain, np.bool_), self.counts)
        value = np.empty(len(self.integers))
        other = split_values(b" ".join(compress(fields, self.other)), self.keys, self.integers[~is_plain])
        if other is None:
            return None
        value[~is_plain] = other
        if is_plain.any():
            plain = plain_values(b" ".join(compress(fields, self.plain)), self.integers[is_plain])
            if plain is None:
                return None
            value[is_plain] = plain
        return value


def layout_of(entries: Sequence[Entry]) -> tuple[Layout, bytes]:
    """The layout of the lines, and the skeleton of those with plain keys, joined by spaces."""
    # Transposing with zip() would make an object for each line that the garbage collector counts.
    integers = list(map(itemgetter(2), entries))
    skeletons = list(map(itemgetter(3), entries))
    plain = other = keys = b""
    if None in skeletons:
        other = bytes([text is None for text in skeletons])
        plain = bytes([text is not None for text in skeletons])
        keys = b",".join(map(itemgetter(1), compress(entries, other)))
    layout = Layout(
        series=np.frombuffer(b"".join(map(itemgetter(0), entries)), np.int32),
        counts=np.fromiter(map(len, integers), np.int64, len(integers)),
        integers=np.frombuffer(b"".join(integers), np.bool_),
        plain=plain,
        other=other,
        keys=keys,
    )
    return layout, b" ".join(filter(None, skeletons))


class BodyCache:
    """Bodies of one publisher whose lines were all recognised: those that came last, a few of them."""

    def __init__(self) -> None:
        self._layouts: dict[bytes, Layout] = {}
        self._readings = 0

    def clear(self) -> None:
        """Forgets everything."""
        self._layouts.clear()
        self._readings = 0

    def find(self, name: bytes) -> Layout | None:
        """The layout of the body with this name."""
        layout = self._layouts.pop(name, None)
        if layout is not None:
            self._layouts[name] = layout  # as the newest
        return layout

    def remember(self, name: bytes, layout: Layout) -> None:
        """Lets the body be found, in the place of the oldest where there are too many."""
        size = len(layout.series)
        if size > _MAX_READINGS or name in self._layouts:
            return
        while len(self._layouts) >= _MAX_BODIES or self._readings + size > _MAX_READINGS:
            oldest = self._layouts.pop(next(iter(self._layouts)))
            self._readings -= len(oldest.series)
        self._layouts[name] = layout
        self._readings += size


def body_name(tokens: Tokens, joined: bytes) -> bytes:
    """What tells a body from those with other lines, or the same in another order; not by the digits of its
    values and its times. ``joined``: the fields of all lines, by spaces.
    """
    # Not to be guessed, and by far the fastest of those where the processor has instructions for it.
    digest = hashlib.sha256(tokens.joined_prefixes)
    # No prefix has a space, so it is clear where they end.
    digest.update(b" ")
    digest.update(skeleton(joined))
    return digest.digest()
