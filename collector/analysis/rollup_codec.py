"""Rollups as bytes, as few as are needed: most hours have no episodes and few bins.

The bytes are MessagePack. They are kept for years: what changes here needs a migration of the rollups' file.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, chain, pairwise
from typing import Final

import msgspec

from collector.analysis.episodes import Breaches
from collector.analysis.histogram import Histogram
from collector.analysis.packed_histogram import PackedHistogram, packed
from collector.analysis.rollup import Rollup

_Level = list[int] | None
"""Empty without breaches; else six numbers, then the borders of the episodes, each from the one before."""

_NO_BREACHES: Final = Breaches()


class _Encoded(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Lengths in milliseconds, points in time as the length from ``start``."""

    start_ms: int
    length_ms: int
    every_ms: int | None
    samples: int
    first_ms: int | None
    last_ms: int | None
    last: float | None
    measured_ms: int
    due_ms: int
    good_ms: int | None
    mean: float | None
    min: float | None
    max: float | None
    keys: bytes | list[int]
    """The steps of a packed histogram; each key from the one before in older files, and where it cannot be
    packed.
    """
    lengths_ms: bytes | list[int]
    warning: _Level
    warning_for_ms: int
    critical: _Level
    critical_for_ms: int
    excluded_ms: int
    ratio_part: float | None = None
    ratio_whole: float | None = None
    first_key: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Encoded).decode


def encode_rollup(rollup: Rollup) -> bytes:
    """The rollup as bytes."""
    start = rollup.start_ms
    keys: bytes | list[int]
    lengths_ms: bytes | list[int]
    first_key, bins = 0, packed(rollup.histogram)
    if bins is not None:
        first_key, keys, lengths_ms = bins.first_key, bins.steps, bins.lengths
    else:
        plain = list(rollup.histogram)
        keys = [*plain[:1], *(latter - former for former, latter in pairwise(plain))]
        lengths_ms = list(rollup.histogram.values())
    return _encode(
        _Encoded(
            start,
            rollup.end_ms - start,
            rollup.every_ms,
            rollup.samples,
            None if rollup.first_ms is None else rollup.first_ms - start,
            None if rollup.last_ms is None else rollup.last_ms - start,
            rollup.last,
            rollup.measured_ms,
            rollup.due_ms,
            rollup.good_ms,
            rollup.mean,
            rollup.min,
            rollup.max,
            keys,
            lengths_ms,
            _encode_level(rollup.warning, start),
            rollup.warning_for_ms,
            _encode_level(rollup.critical, start),
            rollup.critical_for_ms,
            rollup.excluded_ms,
            rollup.ratio_part,
            rollup.ratio_whole,
            first_key,
        )
    )


def decode_rollup(encoded: bytes) -> Rollup:
    """The rollup that the bytes stand for. ValueError when they stand for none."""
    one = _decode(encoded)
    start = one.start_ms
    histogram: Histogram
    if isinstance(one.keys, bytes) and isinstance(one.lengths_ms, bytes):
        histogram = PackedHistogram(one.first_key, one.keys, one.lengths_ms)
    else:
        histogram = dict(zip(accumulate(one.keys), one.lengths_ms, strict=True))
    return Rollup(
        start_ms=start,
        end_ms=start + one.length_ms,
        every_ms=one.every_ms,
        samples=one.samples,
        first_ms=None if one.first_ms is None else start + one.first_ms,
        last_ms=None if one.last_ms is None else start + one.last_ms,
        last=one.last,
        measured_ms=one.measured_ms,
        due_ms=one.due_ms,
        good_ms=one.good_ms,
        mean=one.mean,
        min=one.min,
        max=one.max,
        histogram=histogram,
        warning=_decode_level(one.warning, start),
        warning_for_ms=one.warning_for_ms,
        critical=_decode_level(one.critical, start),
        critical_for_ms=one.critical_for_ms,
        excluded_ms=one.excluded_ms,
        ratio_part=one.ratio_part,
        ratio_whole=one.ratio_whole,
    )


def _encode_level(breaches: Breaches | None, start_ms: int) -> _Level:
    if breaches is None:
        return None
    if not breaches.breach_ms:
        return []
    return [
        breaches.breach_ms,
        breaches.episodes,
        breaches.episode_ms,
        breaches.longest_ms,
        breaches.open_at_start_ms,
        breaches.open_at_end_ms,
        *_differences(breaches.longest, start_ms),
    ]


def _decode_level(level: _Level, start_ms: int) -> Breaches | None:
    if level is None:
        return None
    if not level:
        return _NO_BREACHES
    breach_ms, episodes, episode_ms, longest_ms, open_at_start_ms, open_at_end_ms, *differences = level
    borders = [start_ms + passed for passed in accumulate(differences)]
    return Breaches(
        breach_ms=breach_ms,
        episodes=episodes,
        episode_ms=episode_ms,
        longest_ms=longest_ms,
        longest=tuple(zip(borders[::2], borders[1::2], strict=True)),
        open_at_start_ms=open_at_start_ms,
        open_at_end_ms=open_at_end_ms,
    )


def _differences(runs: Iterable[tuple[int, int]], start_ms: int) -> list[int]:
    return [latter - former for former, latter in pairwise([start_ms, *chain.from_iterable(runs)])]
