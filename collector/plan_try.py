"""Replays a setting over history: the episodes that it would have had, beside those of the present one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from collector.agents import Agents
from collector.analysis.expected import ExpectedTimes
from collector.analysis.statistics import Breaches, Statistics
from collector.planned_subjects import PlannedSubjects
from collector.point_statistics import raw_statistics, window_of
from collector.register import Register
from collector.series import SeriesTable
from collector.store.base import Store
from setpoint.finding import round12
from setpoint.limits import Comparison, disorder
from setpoint.plan import Plan

MOST_SAMPLES: Final = 20_000_000
"""So many may have to be read for an answer, at the planned spacing: some seconds' work."""
MOST_SUBJECTS: Final = 1_000
_SPACING_MS: Final = 10_000


class TryQuery(NamedTuple):
    """Which setting to replay on which subjects of the point, in [start_ms, end_ms). A level that is None
    stays as it is. ``tags``: only subjects that carry all of these.
    """

    point: str
    warning: Comparison | None
    critical: Comparison | None
    tags: Mapping[str, str]
    start_ms: int
    end_ms: int


class Replayed(msgspec.Struct, frozen=True):
    """What one level said. ``longest`` are the longest episodes, 50 at most, in order of time."""

    level: str
    episodes: int
    total_ms: int
    longest_ms: int
    longest: list[tuple[int, int]]


class TriedSubject(msgspec.Struct, frozen=True):
    """``present`` and ``tried`` by name of the level, ``warning`` and ``critical``; the value lay between
    ``low`` and ``high``.
    """

    subject: dict[str, str]
    coverage: float
    low: float | None
    high: float | None
    present: dict[str, Replayed]
    tried: dict[str, Replayed]


class Tried(msgspec.Struct, frozen=True):
    point: str
    title: str
    unit: str
    timezone: str
    start_ms: int
    end_ms: int
    subjects: list[TriedSubject]


class CannotTry(Exception):
    """What was asked for is wrong, or too much; the text says what."""


class UnknownPoint(CannotTry):
    """The plan has no such point."""


class PlanTry:
    """Its method may be called from any thread."""

    def __init__(
        self, plan: Plan, store: Store, series: SeriesTable, agents: Agents, register: Register
    ) -> None:
        self._plan = plan
        self._store = store
        self._series = series
        self._agents = agents
        self._register = register

    def replay(self, query: TryQuery) -> Tried:
        """The episodes under the present and the tried setting. CannotTry; and what the store may raise."""
        point = next((point for point in self._plan.points if point.id == query.point), None)
        if point is None:
            raise UnknownPoint(f'the plan has no point "{query.point}"')
        if point.ratio_to is not None:
            raise CannotTry(f'"{point.id}" is a ratio over a period, and has no levels')
        planned = PlannedSubjects(self._series, self._agents, self._register.planned_since())
        # History counts from before the point was planned, too.
        subjects = [
            replace(one, since_ms=0)
            for one in planned.of(point, 0)
            if all(one.tags.get(key) == value for key, value in query.tags.items())
        ]
        if not subjects:
            raise CannotTry(f'no subject of "{point.id}" has these tags')
        every_ms = [one.limits.every_ms or _SPACING_MS for one in subjects]
        samples = sum((query.end_ms - query.start_ms) // each for each in every_ms)
        if samples > MOST_SAMPLES or len(subjects) > MOST_SUBJECTS:
            raise CannotTry(
                f"that is about {samples:,} samples of {len(subjects):,} subjects, and at most "
                f"{MOST_SAMPLES:,} of {MOST_SUBJECTS:,} are replayed: ask for a shorter period or for fewer "
                "subjects"
            )
        changes = {name: level for name in ("warning", "critical") if (level := getattr(query, name))}
        changed = [msgspec.structs.replace(one.limits, **changes) for one in subjects]
        for limits in changed:
            if limits.warning and limits.critical and disorder(limits.warning, limits.critical):
                raise CannotTry("the warning level would be beyond the critical one")
        tried = [replace(one, limits=limits) for one, limits in zip(subjects, changed, strict=True)]
        maintenance = [
            *self._plan.maintenance,
            *(one.maintenance() for one in self._register.maintenance()),
        ]
        expected = ExpectedTimes(query.start_ms, query.end_ms, maintenance)
        windows = []
        for settings in (subjects, tried):
            for n, one in enumerate(settings):
                spans, _ = expected.of(point.calendar, one.tags, query.start_ms, query.end_ms)
                windows.append(replace(window_of(n, one, query.start_ms, query.end_ms), spans=spans))
        statistics = raw_statistics(self._store, point, subjects, windows)
        rows = [
            TriedSubject(
                subject=dict(one.subject),
                coverage=round12(before.coverage),
                low=before.min,
                high=before.max,
                present=_replayed(before, one.limits.warning, one.limits.critical, point.unit),
                tried=_replayed(after, new.limits.warning, new.limits.critical, point.unit),
            )
            for one, new, before, after in zip(
                subjects, tried, statistics[: len(subjects)], statistics[len(subjects) :], strict=True
            )
        ]
        return Tried(
            point=point.id,
            title=point.title,
            unit=point.unit,
            timezone=self._plan.timezone,
            start_ms=query.start_ms,
            end_ms=query.end_ms,
            subjects=sorted(rows, key=_most_episodes),
        )


def _most_episodes(row: TriedSubject) -> tuple[int, int, Sequence[tuple[str, str]]]:
    present, tried = (sum(one.episodes for one in side.values()) for side in (row.present, row.tried))
    return -present, -tried, list(row.subject.items())


def _replayed(
    shown: Statistics, warning: Comparison | None, critical: Comparison | None, unit: str
) -> dict[str, Replayed]:
    found = {}
    for name, comparison, breaches in (
        ("warning", warning, shown.warning),
        ("critical", critical, shown.critical),
    ):
        if comparison is not None:
            found[name] = _told(comparison.describe(unit), breaches or Breaches())
    return found


def _told(level: str, breaches: Breaches) -> Replayed:
    return Replayed(
        level=level,
        episodes=breaches.episodes,
        total_ms=breaches.episode_ms,
        longest_ms=breaches.longest_ms,
        longest=list(breaches.longest),
    )
