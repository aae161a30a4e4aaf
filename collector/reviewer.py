"""Brings plan and store together: builds what the checks are given, takes their verdicts to the register."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from collector.agents import Agents
from collector.analysis.gaps import run_checks
from collector.analysis.review import PointReview, Review, SubjectReview, Window
from collector.analysis.statistics import Levels, SubjectWindow, period_statistics
from collector.register import Changes, Register
from collector.series import SeriesTable
from collector.store.base import Metric, Store
from setpoint.plan import Comparison, Limits, Plan, PlanPoint
from setpoint.reading import Subject, subject_of

log = logging.getLogger(__name__)

# How far before a window samples are fetched for subjects whose spacing is not planned: a sample stands for
# twice its spacing, and nothing slower than this is expected without an `every`.
_UNPLANNED_LOOKBACK_MS = 2 * 3_600_000

# The tags of one of a subject's series, and its first and newest time.
_Seen = tuple[Mapping[str, str], int | None, int | None]


class Reviewer:
    """Runs in one thread; one review at a time."""

    def __init__(
        self, plan: Plan, store: Store, series: SeriesTable, agents: Agents, register: Register
    ) -> None:
        self._plan = plan
        self._store = store
        self._series = series
        self._agents = agents
        self._register = register
        self._definitions = {p.id: p.definition_hash for p in plan.points}

    def review(self, window: Window, now_ms: int) -> Changes:
        """Judges one window and takes the verdicts to the register; returns what that changed."""
        verdicts = run_checks(self.build(window))
        changes = self._register.apply(verdicts, self._definitions, self._plan.revision, now_ms)
        for finding in changes.opened:
            log.info("finding %s opened: %s: %s", finding.id, finding.severity, finding.title)
        for finding in changes.closed:
            log.info("finding %s closed: %s", finding.id, finding.title)
        for finding in changes.superseded:
            log.info("finding %s superseded by revision %s", finding.id, finding.superseded_by)
        return changes

    def build(self, window: Window) -> Review:
        """The review of a window: statistics of every planned subject, and all series seen."""
        since = self._register.planned_since()
        known = self._agents.all()
        agents = {a.name: a.last_ms or 0 for a in known}
        enrolled = {a.name: a.first_ms for a in known}
        points = [
            self._review_point(point, window, since.get(point.id, window.start_ms), agents, enrolled)
            for point in self._plan.points
        ]
        return Review(
            plan=self._plan,
            window=window,
            points=points,
            series=sorted(self._store.series(window.start_ms)),
            agents=agents,
        )

    def _review_point(
        self,
        point: PlanPoint,
        window: Window,
        planned_ms: int,
        agents: Mapping[str, int],
        enrolled: Mapping[str, int | None],
    ) -> PointReview:
        seen = self._seen(point)
        literals, named = point.expected_literals(), point.expected_hosts(agents)
        tags: dict[Subject, Mapping[str, str]] = {s: t for s, (t, _, _) in seen.items()}
        for one in named:
            if not any(_agrees(t, one) for t in tags.values()):
                tags[subject_of(point.measurement, one, point.by)] = one
        limits = {s: point.settings(t) for s, t in tags.items()}
        lookback = max(
            (2 * lim.every_ms if lim.every_ms else _UNPLANNED_LOOKBACK_MS for lim in limits.values()),
            default=0,
        )
        with self._store.train(
            Metric(point.measurement, point.field),
            point.wants,
            window.start_ms - lookback,
            # The interval of a rate that crosses the window's end belongs to the sample after it.
            window.end_ms + (lookback if point.rate else 0),
            point.by,
        ) as train:
            # Stores have an order of their own; findings are to be the same from each.
            order = sorted(tags)
            position = {s: n for n, s in enumerate(train.subjects)}
            spare = len(train.subjects)
            windows: list[SubjectWindow] = []
            unseen: _Seen = ({}, None, None)
            facts: list[tuple[Subject, bool, int, int | None]] = []
            for subject in order:
                is_named = any(_agrees(tags[subject], one) for one in named)
                _, first_ms, last_ms = seen.get(subject, unseen)
                expected_ms = max(window.start_ms, planned_ms)
                if not any(_agrees(tags[subject], one) for one in literals):
                    # Nobody named it before it was there: it is expected from when it, or its host, came.
                    came_ms = (
                        first_ms if first_ms is not None else enrolled.get(tags[subject].get("host", ""))
                    )
                    expected_ms = max(expected_ms, came_ms or 0)
                expected_ms = min(expected_ms, window.end_ms)
                index = position.get(subject)
                if index is None:
                    index, spare = spare, spare + 1
                windows.append(_window(index, expected_ms, window.end_ms, limits[subject]))
                facts.append((subject, is_named, expected_ms, last_ms))
            statistics = period_statistics(
                train,
                windows,
                rate=point.rate,
                scale=point.scale,
                bounds=point.bounds,
                missing_bad=point.missing_bad,
            )
        return PointReview(
            point,
            [
                SubjectReview(
                    subject=subject,
                    tags=tags[subject],
                    limits=limits[subject],
                    statistics=one,
                    named=is_named,
                    since_ms=since_ms,
                    last_ms=last_ms,
                )
                for (subject, is_named, since_ms, last_ms), one in zip(facts, statistics, strict=True)
            ],
        )

    def _seen(self, point: PlanPoint) -> dict[Subject, _Seen]:
        """Every subject that has series: the tags of one of them, its first and its newest time."""
        found: dict[Subject, _Seen] = {}
        for number, key in self._series.of_metric(point.measurement, point.field):
            tags = dict(key.tags)
            if not point.wants(tags):
                continue
            subject = subject_of(point.measurement, tags, point.by)
            first: int | None = self._series.entry(number).first_ms
            last = self._series.last_ms(number)
            if subject in found:
                _, first_before, last_before = found[subject]
                first = min((t for t in (first, first_before) if t is not None), default=None)
                last = max((t for t in (last, last_before) if t is not None), default=None)
            found[subject] = (tags, first, last)
        return found


def _agrees(tags: Mapping[str, str], named: Mapping[str, str]) -> bool:
    return all(tags.get(key) == value for key, value in named.items())


def _window(index: int, start_ms: int, end_ms: int, limits: Limits) -> SubjectWindow:
    return SubjectWindow(
        subject=index,
        start_ms=start_ms,
        end_ms=end_ms,
        every_ms=limits.every_ms,
        warning=_levels(limits.warning),
        critical=_levels(limits.critical),
        good=_levels(limits.good),
    )


def _levels(comparison: Comparison | None) -> Levels | None:
    if comparison is None:
        return None
    return Levels(
        high=comparison.high,
        low=comparison.low,
        equal=comparison.equal,
        unequal=comparison.unequal,
        for_ms=comparison.for_ms,
    )


__all__: Sequence[str] = ("Reviewer",)
