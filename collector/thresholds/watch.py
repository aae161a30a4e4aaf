"""Knows, from review to review, what is configured elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from collector.analysis.review import PointReview, Review
from collector.series import SeriesTable
from collector.thresholds.history import History
from collector.thresholds.match import match_thresholds
from collector.thresholds.matched import MatchedThresholds
from collector.thresholds.names import Names
from collector.thresholds.read import read_thresholds
from collector.thresholds.report import ThresholdReport, build_report, counts_of, with_change


class ThresholdWatch:
    """Used by one thread; ``report`` may be read by any."""

    def __init__(self, series: SeriesTable, names: Names, history: History | None = None) -> None:
        self._series = series
        self._names = names
        self._history = history
        self.report: ThresholdReport | None = None
        """Of the newest review of a running period; None before the first one."""

    def matched(self, points: Sequence[PointReview]) -> MatchedThresholds:
        """The thresholds that are known now, matched with these points."""
        return match_thresholds(read_thresholds(self._series), self._names, points)

    def note(self, review: Review) -> None:
        """Makes the report of a running period."""
        if review.window.complete:
            return
        report = build_report(review)
        if self._history is not None:
            self._history.keep(review.window.label, review.window.start_ms, counts_of(report))
            previous, before = self._history.before(review.window.start_ms)
            if previous:
                report = with_change(report, previous, before)
        self.report = report
