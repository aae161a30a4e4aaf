"""A store with four weeks of what an application answers in, and a register beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collector.agents import Agents
from collector.analysis.review import Review, Window
from collector.register import Register, Revision
from collector.reviewer import Reviewer
from collector.series import SeriesTable
from collector.store.base import Batch, SeriesKey
from collector.store.duckdb import DuckDBStore
from setpoint.finding import Finding
from setpoint.plan_load import parse_plan

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
EVERY = 10 * MINUTE
START = 1_790_553_600_000
"""2026-09-28, a Monday"""
DAYS = 30
WINDOW = Window(START, START + DAYS * DAY, complete=True, label="four weeks")
PER_DAY = DAY // EVERY
Values = npt.NDArray[np.float64]


class FourWeeks:
    """What `app.wait` was, every ten minutes, and what was planned for it."""

    def __init__(self, folder: Path) -> None:
        self.series = SeriesTable()
        self.store = DuckDBStore(folder / "store.duckdb", self.series)
        self.register = Register(folder / "register.db")
        self.reviewer: Reviewer | None = None

    def measured(self, host: str, values: Values) -> None:
        key = SeriesKey("app", (("host", host),), "wait")
        times = START + EVERY * np.arange(len(values), dtype=np.int64)
        number = self.series.add(key, "float", int(times[0]), host)
        numbers = np.full(len(values), number, np.int32)
        batch = Batch("hq", host, None, None, numbers, times, values, [], b"", int(times[-1]))
        asyncio.run(self.store.write([batch]))
        self.series.observe(numbers, times, values)

    def plan(self, levels: str, unit: str = "ms") -> None:
        plan = parse_plan(
            "plan: Test\nrevision: 1\ntimezone: UTC\npoints:\n"
            f"  - {{id: wait, title: Wait, metric: app.wait, expect: {{host: '*', every: 10m}}, "
            f"unit: {unit}, {levels}}}\n"
        )
        approved = Revision(plan.hash, 1, "", "", plan.text, START)
        self.register.activate(approved, {p.id: p.definition_hash for p in plan.points})
        self.reviewer = Reviewer(plan, self.store, self.series, Agents(), self.register)

    def build(self) -> Review:
        assert self.reviewer is not None
        return self.reviewer.build(WINDOW)

    def found(self, kind: str) -> Sequence[Finding]:
        assert self.reviewer is not None
        self.reviewer.review(WINDOW, WINDOW.end_ms)
        return [finding for finding in self.register.findings("open") if finding.kind == kind]

    def close(self) -> None:
        self.store.close()
        self.register.close()


def daily(seed: int = 1) -> Values:
    """From 30 by night to 70 by day, on every one of the days."""
    n = np.arange(DAYS * PER_DAY)
    noise = np.random.default_rng(seed).normal(0, 1, len(n)).clip(-2, 2)
    return np.asarray(50 - 20 * np.cos(2 * np.pi * n / PER_DAY) + noise, np.float64)
