"""Levels that do not fit, from samples in the store to a finding with a proposal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from collector.agents import Agents
from collector.analysis.review import Review, Window
from collector.register import Register, Revision
from collector.reviewer import Reviewer
from collector.second_look import MOST_EACH_REVIEW
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


class Site:
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


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.store.close()
    site.register.close()


def daily(seed: int = 1) -> Values:
    n = np.arange(DAYS * PER_DAY)
    noise = np.random.default_rng(seed).normal(0, 1, len(n)).clip(-2, 2)
    return np.asarray(50 - 20 * np.cos(2 * np.pi * n / PER_DAY) + noise, np.float64)


def test_a_level_that_every_day_breaches_is_proposed_higher(site: Site) -> None:
    values = daily()
    values[12 * PER_DAY : 12 * PER_DAY + 6] = 130
    site.measured("web-1", values)
    site.plan("critical: {above: 65}")
    (finding,) = site.found("too-tight")
    assert "Set the critical level to above" in finding.action
    numbers = finding.evidence.statistics
    assert 72 < (numbers["proposed_level"] or 0) < 130
    assert numbers["history_episodes"] == numbers["episodes"]
    assert numbers["history_episodes_proposed"] == 1
    assert finding.evidence.episodes == [(START + 12 * DAY, START + 12 * DAY + 60 * MINUTE)]


def test_a_value_that_crosses_its_level_and_comes_back_is_given_a_for(site: Site) -> None:
    values = daily().clip(max=60)
    values[::50] = 90
    values[12 * PER_DAY : 12 * PER_DAY + 6] = 90
    site.measured("web-1", values)
    site.plan("critical: {above: 80}")
    (finding,) = site.found("flapping")
    assert "above 80 ms for 20 min" in finding.action
    assert finding.evidence.statistics["history_episodes_proposed"] == 1


def test_a_level_out_of_reach_is_proposed_within_it(site: Site) -> None:
    site.measured("web-1", daily())
    site.plan("critical: {above: 5000}")
    (finding,) = site.found("never-near")
    assert 60 < (finding.evidence.statistics["proposed_level"] or 0) < 90


def test_no_level_is_proposed_that_the_plan_could_not_have(site: Site) -> None:
    site.measured("web-1", daily())
    site.plan("warning: {above: 65}")
    assert [subject.proposal for subject in site.build().points[0].subjects] != [None]
    # A warning that leaves ordinary days alone would be beyond this critical level.
    site.plan("warning: {above: 65}, critical: {above: 66, for: 12h}")
    assert [subject.proposal for subject in site.build().points[0].subjects] == [None]


def test_each_review_reads_a_few_histories_and_keeps_what_it_found(site: Site) -> None:
    for number in range(MOST_EACH_REVIEW + 3):
        site.measured(f"web-{number}", daily(number))
    site.plan("critical: {above: 65}")

    def proposals() -> int:
        return sum(subject.proposal is not None for subject in site.build().points[0].subjects)

    assert proposals() == MOST_EACH_REVIEW
    assert proposals() == MOST_EACH_REVIEW + 3


def test_levels_that_fit_are_not_looked_at_again(site: Site) -> None:
    values = daily()
    values[12 * PER_DAY : 12 * PER_DAY + 6] = 130
    site.measured("web-1", values)
    site.plan("critical: {above: 100}")
    assert site.found("too-tight") == site.found("flapping") == site.found("never-near") == []
    assert [subject.proposal for subject in site.build().points[0].subjects] == [None]
