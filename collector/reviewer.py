"""Brings plan and store together: builds what the checks are given, takes their verdicts to the register."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from collector.agents import Agents
from collector.analysis.expected import ExpectedTimes
from collector.analysis.gaps import run_checks
from collector.analysis.review import PointReview, Review, SubjectReview, Window
from collector.dependencies import masks
from collector.losses import Losses, clocks_of
from collector.outlook import Outlook
from collector.planned_subjects import PlannedSubjects
from collector.point_statistics import PeriodStatistics, raw_statistics, window_of
from collector.register import Changes, Register
from collector.second_look import SecondLook
from collector.series import SeriesTable
from collector.store.base import Store
from collector.thresholds.names import load_names
from collector.thresholds.watch import ThresholdWatch
from setpoint.plan import Plan, PlanPoint

log = logging.getLogger(__name__)


class Reviewer:
    """Runs in one thread; one review at a time."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        series: SeriesTable,
        agents: Agents,
        register: Register,
        statistics: PeriodStatistics | None = None,
        thresholds: ThresholdWatch | None = None,
    ) -> None:
        """``statistics``: where those of a period come from; from samples, unless given. ``thresholds``: what
        is configured elsewhere; with the usual names and without a past, unless given.
        """
        self._plan = plan
        self._store = store
        self._series = series
        self._agents = agents
        self._register = register
        self._statistics = statistics or partial(raw_statistics, store)
        self._definitions = {p.id: p.definition_hash for p in plan.points}
        self.thresholds = thresholds or ThresholdWatch(series, load_names())
        self._second_look = SecondLook(plan, store)
        self._outlook = Outlook(plan, self._statistics)
        self._losses = Losses(store)

    @property
    def waiting(self) -> int:
        """How much of the past is still to be read in further reviews: what the last one had no time for."""
        return self._second_look.waiting + self._outlook.waiting

    def review(self, window: Window, now_ms: int) -> Changes:
        """Judges one window and takes the verdicts to the register; returns what that changed."""
        review = self.build(window)
        self.thresholds.note(review)
        verdicts = run_checks(review)
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
        planned = PlannedSubjects(self._series, self._agents, self._register.planned_since())
        announced = [one.maintenance() for one in self._register.maintenance()]
        maintenance = [*self._plan.maintenance, *announced]
        found = masks(self._plan, self._store, planned, window)
        expected = ExpectedTimes(window.start_ms, window.end_ms, maintenance, found.masked)
        points = [self._review_point(point, window, planned, expected) for point in self._plan.points]
        points = self._outlook.with_trends(points, window, maintenance)
        return Review(
            plan=self._plan,
            window=window,
            points=self._second_look.with_proposals(points, window, maintenance),
            series=sorted(self._store.series(window.start_ms)),
            agents=planned.agents,
            clocks=clocks_of(self._agents.all()),
            losses=self._losses.of(window),
            thresholds=self.thresholds.matched(points),
            masks=found.behind,
        )

    def _review_point(
        self, point: PlanPoint, window: Window, planned: PlannedSubjects, expected: ExpectedTimes
    ) -> PointReview:
        subjects = planned.of(point, window.start_ms)
        windows = [window_of(n, one, window.start_ms, window.end_ms) for n, one in enumerate(subjects)]
        times = [
            expected.of(point.calendar, one.tags, asked.start_ms, asked.end_ms)
            for one, asked in zip(subjects, windows, strict=True)
        ]
        windows = [replace(asked, spans=spans) for asked, (spans, _) in zip(windows, times, strict=True)]
        statistics = self._statistics(point, subjects, windows)
        return PointReview(
            point,
            [
                SubjectReview(
                    subject=one.subject,
                    tags=one.tags,
                    limits=one.limits,
                    statistics=shown,
                    named=one.named,
                    since_ms=shown.start_ms,
                    last_ms=one.last_ms,
                    spans=spans,
                    left_out=left_out,
                )
                for one, shown, (spans, left_out) in zip(subjects, statistics, times, strict=True)
            ],
        )


__all__: Sequence[str] = ("Reviewer",)
