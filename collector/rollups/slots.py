"""Hours and days of a window, and what is asked of them as a number."""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache

from collector.analysis.windows import Levels, SubjectWindow
from collector.rollups.file import HOUR_MS


def clipped(window: SubjectWindow, start_ms: int, end_ms: int) -> SubjectWindow:
    """The part of the window that lies in [start_ms, end_ms); it has to have one."""
    start, end = max(window.start_ms, start_ms), min(window.end_ms, end_ms)
    spans = window.spans
    if spans is not None:
        cut = ((max(begins, start), min(ends, end)) for begins, ends in spans)
        spans = tuple(span for span in cut if span[0] < span[1])
    # `replace` takes four times as long, and a year has 8,760 hours for each subject.
    return SubjectWindow(
        subject=window.subject,
        start_ms=start,
        end_ms=end,
        every_ms=window.every_ms,
        warning=window.warning,
        critical=window.critical,
        good=window.good,
        spans=spans,
    )


def asked_of(window: SubjectWindow, slot_ms: int) -> int:
    """A number for what is asked of the window, whoever its subject is; ``slot_ms``: when its hour or day
    begins. A rollup that was made for another number answers something else.
    """
    spans = window.spans
    start_ms, end_ms = window.start_ms - slot_ms, window.end_ms - slot_ms
    if spans is None or spans == ((window.start_ms, window.end_ms),):
        return _whole(_conditions_of(window), start_ms, end_ms)
    borders = [start_ms, end_ms, *(border - slot_ms for span in spans for border in span), -1]
    return zlib.crc32(struct.pack(f"<{len(borders)}q", *borders), _conditions_of(window))


class Questions:
    """What is asked of the parts of one window, as numbers."""

    def __init__(self, window: SubjectWindow) -> None:
        self._window = window
        self._conditions = _conditions_of(window)
        self._spans = window.spans
        self._whole = window.spans is None or window.spans == ((window.start_ms, window.end_ms),)

    def of(self, start_ms: int, end_ms: int, slot_ms: int) -> int:
        """The number of the part [start_ms, end_ms), as ``asked_of`` has it."""
        if self._whole or self._is_inside(start_ms, end_ms):
            return _whole(self._conditions, start_ms - slot_ms, end_ms - slot_ms)
        return asked_of(clipped(self._window, start_ms, end_ms), slot_ms)

    def _is_inside(self, start_ms: int, end_ms: int) -> bool:
        spans = self._spans or ()
        after = bisect_right(spans, start_ms, key=_begins)
        return after > 0 and spans[after - 1][1] >= end_ms


def _begins(span: tuple[int, int]) -> int:
    return span[0]


@lru_cache(maxsize=4096)
def _whole(conditions: int, start_ms: int, end_ms: int) -> int:
    return zlib.crc32(struct.pack("<2q", start_ms, end_ms), conditions)


def _conditions_of(window: SubjectWindow) -> int:
    return _conditions(window.every_ms, window.warning, window.critical, window.good)


def affected_hours(late: Iterable[int], before_ms: int, after_ms: int) -> set[int]:
    """The hours whose rollups a sample in one of these hours changes, when it matters that long before and
    after its time.
    """
    found: set[int] = set()
    for hour_ms in late:
        start_ms = hour_ms - before_ms
        found.update(range(start_ms - start_ms % HOUR_MS, hour_ms + HOUR_MS + after_ms, HOUR_MS))
    return found


@lru_cache(maxsize=4096)
def _conditions(
    every_ms: int | None, warning: Levels | None, critical: Levels | None, good: Levels | None
) -> int:
    return zlib.crc32(repr((every_ms, warning, critical, good)).encode())
