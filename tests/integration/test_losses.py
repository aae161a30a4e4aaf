"""What agents lost, from their counters in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from collector.analysis.review import AgentLosses, Window
from collector.losses import Losses
from collector.series import SeriesTable
from collector.store.base import Batch, SeriesKey
from collector.store.duckdb import DuckDBStore

START = 1_790_553_600_000
MINUTE = 60_000


class Site:
    def __init__(self, folder: Path) -> None:
        self.series = SeriesTable()
        self.store = DuckDBStore(folder / "store.duckdb", self.series)
        self.losses = Losses(self.store)

    def said(self, host: str, field: str, counts: dict[int, float]) -> None:
        """Counter values, by minute after START."""
        key = SeriesKey("setpoint_agent", (("host", host),), field)
        times = START + MINUTE * np.array(list(counts), np.int64)
        number = self.series.find(key)
        if number is None:
            number = self.series.add(key, "int", int(times[0]), host)
        values = np.array(list(counts.values()), np.float64)
        numbers = np.full(len(values), number, np.int32)
        batch = Batch("hq", host, None, None, numbers, times, values, [], b"", int(times[-1]))
        asyncio.run(self.store.write([batch]))

    def of(self, until: int, since: int = 0) -> dict[str, AgentLosses]:
        window = Window(START + since * MINUTE, START + until * MINUTE, complete=False, label="now")
        return self.losses.of(window)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.store.close()


def test_growth_counts_and_what_was_counted_before_does_not(site: Site) -> None:
    site.said("mon-01", "dropped_readings", {-5: 90, -1: 100, 1: 103, 2: 103, 3: 110})
    site.said("mon-01", "rejected_readings", {1: 7, 3: 8})
    assert site.of(10) == {"mon-01": AgentLosses(10, 1, START, START + 3 * MINUTE)}


def test_a_counter_that_falls_began_anew(site: Site) -> None:
    site.said("mon-01", "dropped_readings", {0: 100, 1: 104, 2: 3, 3: 5})
    assert site.of(10)["mon-01"].dropped == 4 + 3 + 2


def test_what_was_read_is_not_read_again_and_nothing_is_missed(site: Site) -> None:
    once = Losses(site.store)
    found = []
    for minute, count in enumerate([0, 5, 5, 9, 2, 2, 4]):
        site.said("mon-01", "dropped_readings", {minute: count})
        site.said("mon-02", "dropped_readings", {minute: 0})
        found.append(site.of(minute + 1)["mon-01"].dropped)
    assert found == [0, 5, 5, 9, 11, 11, 13]
    window = Window(START, START + 7 * MINUTE, complete=False, label="now")
    assert once.of(window) == site.of(7)


def test_a_late_counter_brings_all_that_it_counted(site: Site) -> None:
    site.said("mon-01", "dropped_readings", {0: 0})
    assert site.of(5)["mon-01"].dropped == 0
    # These arrive when their time was read already; the next one has counted them too.
    site.said("mon-01", "dropped_readings", {2: 40, 4: 50})
    assert site.of(6)["mon-01"].dropped == 0
    site.said("mon-01", "dropped_readings", {7: 60})
    assert site.of(8)["mon-01"].dropped == 60


def test_two_windows_are_kept_apart(site: Site) -> None:
    site.said("mon-01", "dropped_readings", {0: 0, 10: 5, 20: 6, 30: 9})
    assert site.of(15)["mon-01"].dropped == 5
    assert site.of(40, since=15)["mon-01"].dropped == 4
    assert site.of(15)["mon-01"].dropped == 5


def test_who_says_nothing_is_not_there(site: Site) -> None:
    assert site.of(10) == {}
