"""Plan, store, checks and register together, over simulated time."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from collector.agents import Agents
from collector.analysis.review import Window
from collector.register import Register, Revision
from collector.reviewer import Reviewer
from collector.series import SeriesTable
from collector.store.base import Batch, SeriesKey
from collector.store.duckdb import DuckDBStore
from setpoint.plan_load import parse_plan

HOUR = 3_600_000
START = 1_790_000_000_000 - 1_790_000_000_000 % (24 * HOUR)
DAY = Window(START, START + 24 * HOUR, complete=True, label="a day")


class Site:
    """A store and a register in which a test puts what was measured and what was planned."""

    def __init__(self, folder: Path) -> None:
        self.series = SeriesTable()
        self.store = DuckDBStore(folder / "store.duckdb", self.series)
        self.register = Register(folder / "register.db")
        self.agents = Agents()

    def measured(self, host: str, values: Sequence[tuple[int, float]]) -> None:
        """(minute, value) of mem.used_percent"""
        key = SeriesKey("mem", (("host", host),), "used_percent")
        number = self.series.find(key)
        times = np.array([START + minute * 60_000 for minute, _ in values], np.int64)
        if number is None:
            number = self.series.add(key, "float", int(times[0]), host)
        numbers, levels = np.full(len(values), number, np.int32), np.array([v for _, v in values])
        batch = Batch("hq", host, None, None, numbers, times, levels, [], b"", int(times[-1]))
        asyncio.run(self.store.write([batch]))
        self.series.observe(numbers, times, levels)
        agent = self.agents.get("hq", host)
        agent.first_ms = min(agent.first_ms or int(times[0]), int(times[0]))
        agent.last_ms = int(times[-1])

    def review(
        self, point: str, *, revision: int = 1, window: Window = DAY, head: str = ""
    ) -> dict[tuple[str, str], str]:
        """(kind, host) → state of every finding after a review by this plan."""
        plan = parse_plan(
            f"plan: Test\nrevision: {revision}\nsite: hq\ntimezone: UTC\nreview: day\n{head}\npoints:\n"
            f"  - {{id: memory, title: Memory, metric: mem.used_percent, unit: percent, {point}}}\n"
        )
        approved = Revision(plan.hash, revision, "", "", plan.text, START)
        self.register.activate(approved, {p.id: p.definition_hash for p in plan.points})
        Reviewer(plan, self.store, self.series, self.agents, self.register).review(window, window.end_ms)
        return {(f.kind, f.subject.get("host", "")): f.state for f in self.register.findings()}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.store.close()
    site.register.close()


def every_minute(first: int = 0, last: int = 24 * 60, value: float = 50.0) -> list[tuple[int, float]]:
    return [(minute, value) for minute in range(first, last)]


def test_a_quiet_day_has_no_findings(site: Site) -> None:
    site.measured("mon-01", every_minute())
    assert site.review('expect: {host: "*", every: 1m}, critical: {above: 90}') == {}


def test_a_breach_is_found_and_a_better_day_closes_it(site: Site) -> None:
    site.measured("mon-01", [(m, 95.0 if 600 <= m < 660 else 50.0) for m in range(2 * 24 * 60)])
    point = 'expect: {host: "*", every: 1m}, critical: {above: 90, for: 5m}'
    assert site.review(point) == {("threshold-breached", "mon-01"): "open"}
    (finding,) = site.register.findings("open")
    assert (finding.measured, finding.target, finding.gap, finding.unit) == (3600.0, 0.0, 3600.0, "s")
    assert finding.evidence.coverage == 1.0
    after = Window(DAY.end_ms, DAY.end_ms + 24 * HOUR, complete=True, label="the next day")
    assert site.review(point, window=after) == {("threshold-breached", "mon-01"): "closed"}


def test_a_loosened_threshold_supersedes_and_does_not_close(site: Site) -> None:
    site.measured("mon-01", [(m, 95.0 if 600 <= m < 660 else 50.0) for m in range(24 * 60)])
    site.review('expect: {host: "*", every: 1m}, critical: {above: 90}')
    states = site.review('expect: {host: "*", every: 1m}, critical: {above: 99}', revision=2)
    assert states == {("threshold-breached", "mon-01"): "superseded"}
    (finding,) = site.register.findings()
    assert (finding.plan_revision, finding.superseded_by) == (1, 2)


def test_a_threshold_that_was_missing_closes_the_finding_that_said_so(site: Site) -> None:
    site.measured("mon-01", every_minute())
    assert set(site.review('expect: {host: "*", every: 1m}').values()) == {"open"}
    states = site.review('expect: {host: "*", every: 1m}, critical: {above: 99}', revision=2)
    assert set(states.values()) == {"closed"}


def test_a_silent_host_closes_nothing(site: Site) -> None:
    site.measured("mon-01", [(m, 95.0 if 600 <= m < 660 else 50.0) for m in range(24 * 60)])
    site.measured("mon-02", every_minute(last=48 * 60))
    point = 'expect: {host: "*", every: 1m}, critical: {above: 90}'
    site.review(point)
    after = Window(DAY.end_ms, DAY.end_ms + 24 * HOUR, complete=True, label="the next day")
    states = site.review(point, window=after)
    assert states == {("threshold-breached", "mon-01"): "open", ("went-silent", "mon-01"): "open"}


def test_a_host_that_came_at_noon_is_not_thin_before(site: Site) -> None:
    site.measured("mon-01", every_minute())
    site.measured("late", every_minute(first=12 * 60))
    assert site.review('expect: {host: "*", every: 1m}, critical: {above: 90}') == {}


def test_a_host_that_the_plan_names_is_expected_from_the_beginning(site: Site) -> None:
    site.measured("late", every_minute(first=12 * 60))
    states = site.review("expect: {host: late, every: 1m}, critical: {above: 90}")
    assert states == {("thin-coverage", "late"): "open"}


def test_a_named_host_that_never_reported_is_not_measured(site: Site) -> None:
    site.measured("mon-01", every_minute())
    states = site.review("expect: {host: [mon-01, mon-02], every: 1m}, critical: {above: 90}")
    assert states == {("not-measured", "mon-02"): "open"}
    states = site.review("expect: {host: [mon-01], every: 1m}, critical: {above: 90}", revision=2)
    assert states == {("not-measured", "mon-02"): "superseded"}


# -- time that is not judged -----------------------------------------------------------------------

HELD = 'expect: {host: "*", every: 1m}, critical: {above: 90}'


def test_outside_its_calendar_nothing_is_missing_or_wrong(site: Site) -> None:
    office = "calendars: {office: {weekly: 'Mon-Sun 08:00-18:00'}}"
    site.measured("mon-01", [*every_minute(0, 60, 99.0), *every_minute(8 * 60, 18 * 60)])
    assert site.review(f"{HELD}, when: office", head=office) == {}
    assert site.review(HELD, revision=2) != {}


def test_maintenance_takes_its_time_out_and_says_so(site: Site) -> None:
    values = [*every_minute(0, 600), *every_minute(900, 1380), *every_minute(1380, 1440, 95.0)]
    site.measured("mon-01", values)
    site.register.add_maintenance(
        "mon-*", "New disks", START + 10 * HOUR, START + 15 * HOUR, START + 12 * HOUR
    )
    assert site.review(HELD) == {("threshold-breached", "mon-01"): "open"}
    (finding,) = site.register.findings("open")
    assert finding.evidence.coverage == 1.0
    assert finding.evidence.statistics["maintenance_ms"] == 5 * HOUR
    assert finding.evidence.statistics["maintenance_late_ms"] == 2 * HOUR
    evening = "maintenance: [{hosts: mon-01, weekly: 'Mon-Sun 23:00-24:00', reason: Batch}]"
    assert site.review(HELD, revision=2, head=evening) == {("threshold-breached", "mon-01"): "closed"}


def test_what_is_behind_something_silent_is_masked_and_named_in_its_finding(site: Site) -> None:
    site.measured("sw-1", every_minute(0, 600))
    for host in ("web-1", "web-2"):
        site.measured(host, every_minute(0, 600))
    site.measured("db-1", every_minute())
    hosts = "hosts: {web-1: {depends_on: [sw-1]}, web-2: {depends_on: [web-1]}}"
    assert site.review(HELD, head=hosts) == {("went-silent", "sw-1"): "open"}
    (finding,) = site.register.findings("open")
    assert finding.evidence.members[-2:] == ["masked: web-1", "masked: web-2"]
    assert finding.evidence.statistics["masked_hosts"] == 2
    assert "What depends on it is not judged meanwhile: web-1; web-2." in finding.text["en"]
    # Without it, the three are silent for themselves.
    assert sum(state == "open" for state in site.review(HELD, revision=2).values()) > 0


def test_the_time_behind_something_that_was_silent_is_not_missing(site: Site) -> None:
    away = [*every_minute(0, 600), *every_minute(1000)]
    for host in ("sw-1", "web-1"):
        site.measured(host, away)
    hosts = "hosts: {web-1: {depends_on: [sw-1]}}"
    assert site.review(HELD, head=hosts) == {("thin-coverage", "sw-1"): "open"}
