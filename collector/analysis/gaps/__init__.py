"""The gap checks: each answers, for everything it looks at, "gap", "no gap" or "cannot tell".

A check is a pure function of a review. A new one is a module here, its line in the table, and its page in
``docs/gaps/``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from collector.analysis.gaps import (
    agent_dropping,
    capacity,
    clock_skew,
    flapping,
    never_near,
    no_threshold,
    not_measured,
    target_missed,
    thin_coverage,
    threshold_breached,
    threshold_drift,
    threshold_missing,
    threshold_orphan,
    too_tight,
    unplanned_series,
    went_silent,
)
from collector.analysis.review import Review
from setpoint.finding import Verdict

Check = Callable[[Review], list[Verdict]]

CHECKS: Final[Mapping[str, Check]] = {
    target_missed.KIND: target_missed.check,
    threshold_breached.KIND: threshold_breached.check,
    not_measured.KIND: not_measured.check,
    went_silent.KIND: went_silent.check,
    thin_coverage.KIND: thin_coverage.check,
    no_threshold.KIND: no_threshold.check,
    unplanned_series.KIND: unplanned_series.check,
    never_near.KIND: never_near.check,
    too_tight.KIND: too_tight.check,
    flapping.KIND: flapping.check,
    capacity.KIND: capacity.check,
    clock_skew.KIND: clock_skew.check,
    agent_dropping.KIND: agent_dropping.check,
    threshold_drift.KIND: threshold_drift.check,
    threshold_missing.KIND: threshold_missing.check,
    threshold_orphan.KIND: threshold_orphan.check,
}
"""Every check, by the kind of finding that it makes."""


def run_checks(review: Review) -> list[Verdict]:
    """The verdicts of all checks on one review; no two have the same id."""
    return [verdict for check in CHECKS.values() for verdict in check(review)]


__all__ = ["CHECKS", "Check", "run_checks"]
