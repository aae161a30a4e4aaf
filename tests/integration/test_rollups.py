"""Rollups over simulated time: reviews from them are those from samples, whatever comes late or breaks."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from collector.agents import Agents
from collector.analysis.statistics import Statistics
from collector.attempts import Attempts
from collector.decode import Decoder, Limits
from collector.inbox import Incoming
from collector.intake import Intake, Origin
from collector.planned_subjects import PlannedSubjects
from collector.point_statistics import metrics_of, raw_statistics, window_of
from collector.register import Register, Revision
from collector.rejected import RejectedFolder
from collector.rollups.file import DAY_MS, HOUR_MS, RollupFile, RollupFileError
from collector.rollups.late import LateSamples
from collector.rollups.progress import rollup_progress
from collector.rollups.reading import RollupReader
from collector.rollups.rolling import Rolling
from collector.rollups.writer import RollupWriter
from collector.series import SeriesTable
from collector.settings import CollectorSettings
from collector.store.base import Batch, Metric, SeriesKey, StoreUnavailable
from collector.store.duckdb import DuckDBStore
from setpoint.plan import PlanPoint
from setpoint.plan_load import parse_plan

MINUTE = 60_000
START = 1_790_000_000_000 - 1_790_000_000_000 % DAY_MS
HOSTS = ("mon-01", "mon-02", "web-01")
PLAN = """
plan: Test
revision: 1
timezone: UTC
review: month
points:
  - {id: memory, title: Memory, metric: mem.used_percent, unit: percent, expect: {host: "*", every: 1m},
     warning: {above: 80, for: 5m}, critical: {above: 95, for: 90m}, target: {p95: {at_most: 70}}}
  - {id: traffic, title: Traffic, metric: net.bytes_recv, as: rate, scale: 8, unit: bps,
     expect: {host: "*", every: 5m}, missing: bad, critical: {above: 500000, for: 10m}}
  - {id: load, title: Load, metric: system.load1, critical: {above: 4}}
"""


class Site:
    def __init__(self, folder: Path, plan: str = PLAN) -> None:
        self.folder = folder
        self.series = SeriesTable()
        self.store = DuckDBStore(folder / "store.duckdb", self.series, threads=1)
        self.register = Register(folder / "register.db")
        self.agents = Agents()
        self.told: list[bytes] = []
        self.start(plan)

    def start(self, plan: str = PLAN) -> None:
        """As a collector does that was stopped, or that gets another plan."""
        self.plan = parse_plan(plan)
        self.register.activate(
            Revision(self.plan.hash, self.plan.revision, "", "", "", START),
            {p.id: p.definition_hash for p in self.plan.points},
        )
        self.file = RollupFile(self.folder / "rollups.db")
        metrics = {metric for point in self.plan.points for metric in metrics_of(point)}
        self.late = LateSamples(self.file, self.series, metrics)
        self.reader = RollupReader(self.store, self.file, self.late)
        self.writer = RollupWriter(
            self.plan,
            self.store,
            self.series,
            self.agents,
            self.register,
            self.file,
            self.late,
            collector="collector",
        )

    def close(self) -> None:
        self.file.close()
        self.store.close()
        self.register.close()

    def measured(self, metric: str, host: str, samples: Sequence[tuple[int, float]]) -> None:
        """(UTC milliseconds, value), taken as the collector does."""
        measurement, _, field = metric.partition(".")
        key = SeriesKey(measurement, (("host", host),), field)
        times = np.array([t for t, _ in samples], np.int64)
        number = self.series.find(key)
        if number is None:
            number = self.series.add(key, "float", int(times[0]), host)
        numbers, values = np.full(len(samples), number, np.int32), np.array([v for _, v in samples])
        batch = Batch("hq", host, None, None, numbers, times, values, [], b"", int(times[-1]))
        asyncio.run(self.store.write([batch]))
        self.late.note([batch])
        self.series.observe(numbers, times, values)

    def roll_up(self, now_ms: int, raw_from_ms: int = 0) -> None:
        """Everything that there is to do."""
        while (told := self.writer.step(now_ms, raw_from_ms)) is not None:
            self.told += told.lines
            self.file.tell(told.point, told.hours)

    def agree(self, start_ms: int, end_ms: int, raw_from_ms: int = 0) -> None:
        """Asserts that the period's statistics are those of the samples."""
        for point in self.plan.points:
            self.agree_on(point, start_ms, end_ms, raw_from_ms)

    def agree_on(self, point: PlanPoint, start_ms: int, end_ms: int, raw_from_ms: int = 0) -> None:
        """The same for one point."""
        planned = PlannedSubjects(self.series, self.agents, self.register.planned_since())
        subjects = planned.of(point, start_ms)
        windows = [window_of(n, subject, start_ms, end_ms) for n, subject in enumerate(subjects)]
        expected = raw_statistics(self.store, point, subjects, windows)
        got = self.reader.statistics(point, subjects, windows, raw_from_ms)
        assert expected
        for one, other in zip(got, expected, strict=True):
            same(one, other)


def same(got: Statistics, expected: Statistics) -> None:
    for each in fields(Statistics):
        mine, theirs = getattr(got, each.name), getattr(expected, each.name)
        if isinstance(theirs, float) and each.name in ("mean", "weighted_sum"):
            theirs = pytest.approx(theirs, rel=1e-11)
        assert mine == theirs, each.name


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


def fill(site: Site, hosts: Sequence[str], start_ms: int, end_ms: int, seed: int = 1) -> None:
    """Waves with breaches of minutes and hours, and holes."""
    dice = random.Random(f"{seed} {start_ms}")
    for host in hosts:
        memory, load, traffic = [], [], []
        level, counter = 50.0, 0
        for t in range(start_ms, end_ms, MINUTE):
            if dice.random() < 0.01:
                level = dice.choice([30.0, 60.0, 85.0, 97.0])
            if dice.random() < 0.97:
                memory.append((t + dice.randrange(1000), level + dice.random()))
            load.append((t + dice.randrange(100), level / 20))
            counter += dice.randrange(5_000_000)
            if t % (5 * MINUTE) == 0 and dice.random() < 0.95:
                traffic.append((t + dice.randrange(100), float(counter)))
        site.measured("mem.used_percent", host, memory)
        site.measured("system.load1", host, load)
        site.measured("net.bytes_recv", host, traffic)


def test_a_period_from_rollups_is_the_one_from_samples(site: Site) -> None:
    fill(site, HOSTS[:1], START, START + 3 * DAY_MS)
    fill(site, HOSTS[2:], START + DAY_MS + 25 * MINUTE, START + 3 * DAY_MS)
    now = START + 3 * DAY_MS - 20 * MINUTE
    site.roll_up(now)
    number, done_ms = site.file.point("memory", site.plan.points[0].definition_hash)
    assert done_ms == START + 3 * DAY_MS - HOUR_MS
    assert len(site.file.days(number, (("host", "mon-01"),), START, now)) == 2
    for start, end in ((0, 72 * 60 - 20), (30, 47 * 60 + 1), (-8 * 60, 16 * 60), (70 * 60, 71 * 60)):
        site.agree(START + start * MINUTE, START + end * MINUTE)


def test_how_far_it_is_can_be_told(site: Site) -> None:
    fill(site, HOSTS[:1], START, START + 2 * DAY_MS)
    before = rollup_progress(site.plan, site.file, START + DAY_MS)
    assert [(one.from_ms, one.until_ms, one.hours_left) for one in before.points] == [(None, None, 0)] * 3
    site.roll_up(START + DAY_MS + HOUR_MS)
    # A day later; of the day that is done the hours are one row.
    fill(site, HOSTS[2:], START + 30 * MINUTE, START + 40 * MINUTE)
    now = rollup_progress(site.plan, site.file, START + 2 * DAY_MS + 10 * MINUTE)
    assert {(one.from_ms, one.until_ms, one.hours_left) for one in now.points} == {
        (START, START + DAY_MS, 24)
    }
    assert (now.hours_left, now.late_hours) == (72, 3)


def test_a_ratio_is_told_to_come_from_samples(tmp_path: Path) -> None:
    ratio = PLAN + "  - {id: hits, title: Hits, ratio: {of: parts.hits, to: parts.requests}}\n"
    site = Site(tmp_path, ratio)
    try:
        [hits] = [one for one in rollup_progress(site.plan, site.file, START).points if one.point == "hits"]
        assert (hits.kept, hits.until_ms, hits.hours_left) == (False, None, 0)
    finally:
        site.close()


def test_what_comes_late_is_rolled_up_again(site: Site) -> None:
    fill(site, HOSTS[:1], START, START + 2 * DAY_MS)
    now = START + 2 * DAY_MS + HOUR_MS
    site.roll_up(now)
    lines = len(site.told)
    # An agent that was cut off delivers its outbox, newest first.
    fill(site, HOSTS[2:], START + DAY_MS, START + DAY_MS + 5 * HOUR_MS)
    fill(site, HOSTS[2:], START + 2 * HOUR_MS, START + DAY_MS)
    assert site.late.hours(metrics_of(site.plan.points[0]))
    site.agree(START, now)
    site.roll_up(now)
    assert not site.late.hours(metrics_of(site.plan.points[0]))
    assert site.file.late() == []
    site.agree(START, now)
    # The others' hours are as they were: the store is not told of them again.
    assert {line.split(b"subject=")[1].split(b" ")[0] for line in site.told[lines:]} == {b"host\\=web-01"}


def test_a_late_sample_that_stands_into_the_next_hour_changes_both(site: Site) -> None:
    hole = range(4 * 60 + 50, 5 * 60 + 20)
    samples = [(START + m * MINUTE, 50.0) for m in range(1440) if m not in hole]
    site.measured("mem.used_percent", "mon-01", samples)
    now = START + DAY_MS + HOUR_MS
    site.roll_up(now)
    site.measured("mem.used_percent", "mon-01", [(START + 5 * HOUR_MS - 30_000, 97.0)])
    site.agree_on(site.plan.points[0], START, START + DAY_MS)
    site.roll_up(now)
    site.agree_on(site.plan.points[0], START, START + DAY_MS)


def test_late_samples_outlive_the_process(site: Site) -> None:
    fill(site, HOSTS[:2], START, START + DAY_MS)
    site.roll_up(START + DAY_MS + HOUR_MS)
    fill(site, HOSTS[2:], START, START + 3 * HOUR_MS)
    site.file.close()
    site.start()
    site.roll_up(START + DAY_MS + HOUR_MS)
    number, _ = site.file.point("memory", site.plan.points[0].definition_hash)
    assert len(site.file.hours(number, START, START + DAY_MS)[("host", "web-01"),]) == 24
    site.agree(START, START + DAY_MS)


def test_samples_that_come_while_their_hours_are_rolled_up_again_are_not_forgotten(site: Site) -> None:
    fill(site, HOSTS[:1], START, START + DAY_MS)
    now = START + DAY_MS + HOUR_MS
    site.roll_up(now)
    site.measured("mem.used_percent", "mon-01", [(START + 90_500, 99.0)])
    site.writer.step(now, 0)
    site.measured("mem.used_percent", "mon-01", [(START + 91_500, 98.0)])
    site.roll_up(now)
    site.agree(START, START + DAY_MS)


def test_an_hour_whose_samples_have_partly_expired_stays_as_it_is(site: Site) -> None:
    fill(site, HOSTS[:1], START, START + DAY_MS)
    now = START + DAY_MS + HOUR_MS
    site.roll_up(now)
    number, _ = site.file.point("memory", site.plan.points[0].definition_hash)
    before = site.file.hours(number, START, START + 12 * HOUR_MS)
    raw_from_ms = START + 11 * HOUR_MS + 30 * MINUTE
    asyncio.run(site.store.expire(raw_from_ms))
    site.measured("mem.used_percent", "mon-01", [(START + 5 * HOUR_MS + 1, 1.0)])
    site.roll_up(now, raw_from_ms)
    assert site.file.hours(number, START, START + 12 * HOUR_MS) == before


def test_a_period_longer_than_the_samples_are_kept_comes_from_rollups(site: Site) -> None:
    fill(site, HOSTS, START, START + 2 * DAY_MS)
    planned = PlannedSubjects(site.series, site.agents, site.register.planned_since())
    now = START + 2 * DAY_MS + HOUR_MS
    point = site.plan.points[0]
    subjects = planned.of(point, START)
    windows = [window_of(n, one, START, START + 2 * DAY_MS) for n, one in enumerate(subjects)]
    expected = raw_statistics(site.store, point, subjects, windows)
    site.roll_up(now)
    asyncio.run(site.store.expire(START + 2 * DAY_MS))
    for got, wanted in zip(
        site.reader.statistics(point, subjects, windows, START + 2 * DAY_MS), expected, strict=True
    ):
        same(got, wanted)


def test_a_subject_without_a_planned_spacing_keeps_its_hours(site: Site) -> None:
    fill(site, HOSTS[:1], START, START + 2 * DAY_MS)
    site.roll_up(START + 2 * DAY_MS + HOUR_MS)
    asyncio.run(site.store.expire(START + 2 * DAY_MS))
    point = site.plan.points[2]
    subjects = PlannedSubjects(site.series, site.agents, {}).of(point, START)
    windows = [window_of(n, one, START, START + 2 * DAY_MS) for n, one in enumerate(subjects)]
    (got,) = site.reader.statistics(point, subjects, windows, START + 2 * DAY_MS)
    assert got.samples == 2 * 24 * 60
    assert got.coverage > 0.999


def test_another_definition_is_another_rollup(site: Site) -> None:
    fill(site, HOSTS[:1], START, START + DAY_MS)
    now = START + DAY_MS + HOUR_MS
    site.roll_up(now)
    site.file.close()
    site.start(PLAN.replace("above: 80", "above: 40").replace("revision: 1", "revision: 2"))
    site.agree(START, now)
    site.roll_up(now)
    site.agree(START, now)


def test_maintenance_that_is_entered_afterwards_is_rolled_up(site: Site) -> None:
    fill(site, HOSTS[:2], START, START + DAY_MS)
    now = START + DAY_MS + HOUR_MS
    site.roll_up(now)
    maintained = START + 3 * HOUR_MS + 20 * MINUTE, START + 5 * HOUR_MS
    site.register.add_maintenance("mon-01", "new disks", *maintained, now)
    # Until it is rolled up, the samples are asked.
    (before, other) = asked_in_maintenance(site, START + DAY_MS, *maintained)
    site.roll_up(now)
    number, _ = site.file.point("memory", site.plan.points[0].definition_hash)
    assert len(site.file.days(number, (("host", "mon-01"),), START, now)) == 1
    asyncio.run(site.store.expire(START + DAY_MS))
    (after, _) = asked_in_maintenance(site, START + DAY_MS, *maintained)
    same(after, before)
    assert (before.excluded_ms, other.excluded_ms) == (100 * MINUTE, 0)


def asked_in_maintenance(site: Site, end_ms: int, from_ms: int, to_ms: int) -> list[Statistics]:
    """The memory of the first day, when that of the first host is not judged in the given time."""
    point = site.plan.points[0]
    subjects = PlannedSubjects(site.series, site.agents, {}).of(point, START)
    windows = [window_of(n, one, START, end_ms) for n, one in enumerate(subjects)]
    windows[0] = replace(windows[0], spans=((windows[0].start_ms, from_ms), (to_ms, end_ms)))
    return site.reader.statistics(point, subjects, windows, 0)


def test_ratios_and_shares_of_another_field_add_up_too(site: Site) -> None:
    site.file.close()
    site.start(
        "plan: Test\nrevision: 2\ntimezone: UTC\nreview: month\npoints:\n"
        "  - {id: hits, title: Hit rate, ratio: {of: parts.hits, to: parts.requests}, scale: 100,\n"
        "     unit: percent, expect: {host: mon-01, every: 1m}}\n"
        "  - {id: busy, title: Port load, metric: net.bytes_recv, as: rate, scale: 8, unit: percent,\n"
        "     percent_of: net.speed_bps, expect: {host: mon-01, every: 5m}, warning: {above: 20}}\n"
    )
    dice = random.Random(3)
    requests = [(START + n * MINUTE, float(dice.randrange(4))) for n in range(2 * 1440)]
    site.measured("parts.requests", "mon-01", requests)
    site.measured("parts.hits", "mon-01", [(t, dice.randrange(int(n) + 1)) for t, n in requests])
    site.measured("net.speed_bps", "mon-01", [(t, 1e6) for t, _ in requests[::15]])
    counter = [(t, 1e7 * n + dice.randrange(10**6)) for n, (t, _) in enumerate(requests[::5])]
    site.measured("net.bytes_recv", "mon-01", counter)
    now = START + 2 * DAY_MS
    site.roll_up(now)
    site.agree(START, now - 20 * MINUTE)
    # The divisor of hours that are rolled up comes late, and with it other shares.
    site.measured("net.speed_bps", "mon-01", [(START + 5 * HOUR_MS + 60_001, 5e5)])
    site.agree(START, now)
    site.roll_up(now)
    site.agree(START, now)


def test_a_store_that_is_away_costs_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(site, HOSTS[:1], START, START + DAY_MS)
    now = START + DAY_MS + HOUR_MS
    train, calls = site.store.train, iter(range(1000))

    def now_and_then(*arguments: object, **named: object) -> object:
        if next(calls) % 3 == 0:
            raise StoreUnavailable("away")
        return train(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(site.store, "train", now_and_then)
    for _ in range(12):
        try:
            if site.writer.step(now, 0) is None:
                break
        except StoreUnavailable:
            continue
    monkeypatch.undo()
    site.roll_up(now)
    site.agree(START, now)


def test_episodes_of_the_hours_add_up_to_those_of_the_day(site: Site) -> None:
    beyond = range(50, 290)
    site.measured(
        "mem.used_percent",
        "mon-01",
        [(START + m * MINUTE, 99.0 if m in beyond or m in range(600, 700) else 1.0) for m in range(1440)],
    )
    site.roll_up(START + DAY_MS + HOUR_MS)
    told = [line for line in site.told if b"point=memory" in line]
    episodes = {int(line.split(b"episodes=")[1].split(b"i")[0]) for line in told}
    total = sum(int(line.split(b"episodes=")[1].split(b"i")[0]) for line in told)
    # Two runs of 90 minutes and more, each of which leads over borders of hours.
    assert (episodes, total) == ({0, 1}, 2)
    # Those with an episode tell their own time, for marks that shade the hour.
    ends = [
        (line.split(b"end_ms=")[1].split(b"i")[0] + b"000000", line) for line in told if b"end_ms" in line
    ]
    assert len(ends) == 2
    assert all(b"episodes=1i" in line and line.strip().endswith(end) for end, line in ends)


def test_the_store_is_told_nothing_of_hours_that_nobody_judges(site: Site) -> None:
    site.file.close()
    calendar = 'calendars: {office: {weekly: "Mon-Sun 08:00-18:00"}}\npoints:'
    site.start(PLAN.replace("points:", calendar).replace("title: Memory,", "title: Memory, when: office,"))
    fill(site, HOSTS[:1], START, START + DAY_MS)
    site.roll_up(START + DAY_MS + HOUR_MS)
    assert len([line for line in site.told if b"point=memory" in line]) == 10


def test_what_the_store_was_not_told_of_before_a_stop_it_is_told_after_it(site: Site) -> None:
    fill(site, HOSTS[:1], START, START + 5 * HOUR_MS)
    now = START + 5 * HOUR_MS + 10 * MINUTE
    while site.writer.step(now, 0) is not None:
        pass
    site.file.close()
    site.start()
    site.roll_up(now)
    assert len([line for line in site.told if b"point=memory" in line]) == 5


def test_rollups_older_than_they_are_kept_are_deleted(site: Site) -> None:
    fill(site, HOSTS[:1], START, START + 2 * DAY_MS)
    site.roll_up(START + 2 * DAY_MS + HOUR_MS)
    site.file.expire(START + DAY_MS)
    number, _ = site.file.point("memory", site.plan.points[0].definition_hash)
    assert min(site.file.hours(number, 0, START + 3 * DAY_MS)[("host", "mon-01"),]) == START + DAY_MS
    assert list(site.file.days(number, (("host", "mon-01"),), 0, START + 3 * DAY_MS)) == [START + DAY_MS]


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    RollupFile(tmp_path / "rollups.db").close()
    with sqlite3.connect(tmp_path / "rollups.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(RollupFileError, match="schema version 99"):
        RollupFile(tmp_path / "rollups.db")


def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "rollups.db").write_bytes(b"something else" * 100)
    with pytest.raises(RollupFileError, match=r"rollups\.db"):
        RollupFile(tmp_path / "rollups.db")


def test_a_backup_holds_what_is_kept(site: Site, tmp_path: Path) -> None:
    fill(site, HOSTS[:1], START, START + 5 * HOUR_MS)
    site.roll_up(START + 6 * HOUR_MS)
    site.file.backup(tmp_path / "copy.db")
    copy = RollupFile(tmp_path / "copy.db")
    number, done_ms = copy.point("memory", site.plan.points[0].definition_hash)
    assert done_ms == START + 5 * HOUR_MS
    assert copy.hours(number, 0, START + DAY_MS) == site.file.hours(number, 0, START + DAY_MS)
    copy.close()


def test_what_is_received_is_rolled_up_and_the_store_told(tmp_path: Path) -> None:
    settings = CollectorSettings()
    plan = parse_plan(PLAN)
    end_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS
    start_ms = end_ms - 4 * HOUR_MS
    series, agents = SeriesTable(), Agents()
    store = DuckDBStore(tmp_path / "store.duckdb", series, threads=1)
    register = Register(tmp_path / "register.db")
    revision = Revision(plan.hash, 1, "", "", "", start_ms)
    register.activate(revision, {p.id: p.definition_hash for p in plan.points})
    now = [end_ms + 10 * MINUTE]
    rolling = Rolling(settings, plan, tmp_path, store, series, agents, register, now_ms=lambda: now[0])
    intake = Intake(
        decode=Decoder(series, Limits()),
        store=store,
        series=series,
        rejected=RejectedFolder(tmp_path / "rejected", max_bytes=10**6),
        attempts=Attempts(tmp_path / "attempts.json"),
        agents=agents,
        stored=rolling.late.note,
    )

    async def take(body: bytes) -> None:
        await intake.take([(Origin("hq", "", enrolled=False), Incoming("", body, now[0]))])

    async def rolled_up() -> None:
        analysing = asyncio.Lock()
        while await rolling.step(take, analysing) < 60:
            pass
        assert rolling.error == ""

    def told() -> list[tuple[int, float]]:
        with store.train(Metric("setpoint_gap", "coverage"), lambda _: True, 0, now[0]) as train:
            return sorted(train.relation.project("t, value").fetchall())

    def memory(minutes: Sequence[int]) -> bytes:
        times = (start_ms + m * MINUTE for m in minutes)
        return "".join(f"mem,host=mon-01 used_percent=50 {t}000000\n" for t in times).encode()

    async def play() -> None:
        await take(memory([m for m in range(240) if m not in range(70, 100)]))
        await rolled_up()
        first = told()
        assert [t for t, _ in first] == [start_ms + n * HOUR_MS for n in (1, 2, 3, 4)]
        assert [value for _, value in first] == [1, 0.5, 1, 1]
        await take(memory(range(70, 100)))
        assert rolling.late.hours([Metric("mem", "used_percent")])
        await rolled_up()
        # The same time again, with what is true now.
        assert sorted(set(told()) - set(first)) == [(start_ms + 2 * HOUR_MS, 1.0)]

    asyncio.run(play())
    assert intake.counters.rejected_readings == 0
    rolling.file.close()
    store.close()
    register.close()
