"""Since when and until when the embedded store has samples of a series, whatever was written and deleted."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.series import SeriesTable
from collector.store.base import Batch, SeriesKey
from collector.store.duckdb import DuckDBStore

SERIES = 5
TEXT = 4
"""The number of the series that holds text."""
HOURS = 300
HOUR_MS = 3_600_000

_Sample = tuple[int, int]
samples = st.lists(st.tuples(st.integers(0, SERIES - 1), st.integers(0, HOURS)), min_size=1, max_size=6)
hours = st.integers(0, HOURS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), samples),
        st.tuples(st.just("ask"), hours),
        st.tuples(st.just("expire"), hours),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=12,
)
asked_again = st.lists(hours, min_size=1, max_size=6)


class Site:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "store.duckdb"
        self.kept: set[_Sample] = set()
        self.open()

    def open(self) -> None:
        self.series = SeriesTable()
        self.store = DuckDBStore(self.path, self.series, threads=1)

    def write(self, found: list[_Sample]) -> None:
        for number in range(len(self.series), SERIES):
            self.series.add(SeriesKey("m", (("n", str(number)),), "value"), "unknown", 0, "")
        numbers = [(n, hour * HOUR_MS) for n, hour in found if n != TEXT]
        series, times = (np.array([each[i] for each in numbers], np.int64) for i in (0, 1))
        texts = [(n, hour * HOUR_MS, "x") for n, hour in found if n == TEXT]
        batch = Batch("", "", None, None, series.astype(np.int32), times, np.zeros(len(times)), texts, b"", 0)
        asyncio.run(self.store.write([batch]))
        self.kept |= set(found)

    def expire(self, hour: int) -> None:
        asyncio.run(self.store.expire(hour * HOUR_MS))
        self.kept = {one for one in self.kept if one[1] >= hour}

    def seen(self, since: int) -> list[tuple[int, int, int]]:
        found = self.store.series(since * HOUR_MS)
        return [(int(one.key.tags[0][1]), one.first_ms // HOUR_MS, one.last_ms // HOUR_MS) for one in found]

    def expected(self, since: int) -> list[tuple[int, int, int]]:
        found: dict[int, list[int]] = {}
        for number, hour in sorted(self.kept):
            if hour >= since:
                found.setdefault(number, []).append(hour)
        return [(number, min(times), max(times)) for number, times in found.items()]


@settings(max_examples=15, deadline=None)
@given(steps=steps, asked=asked_again)
def test_first_and_last_times_are_those_of_what_is_stored(
    steps: list[tuple[str, object]], asked: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        for what, argument in steps:
            if what == "write":
                site.write(argument)  # type: ignore[arg-type]
            elif what == "expire":
                site.expire(argument)  # type: ignore[arg-type]
            elif what == "reopen":
                site.store.close()
                site.open()
            else:
                asked.append(argument)  # type: ignore[arg-type]
            # What was asked before is answered from memory.
            for since in asked:
                assert site.seen(since) == site.expected(since)
        site.store.close()
