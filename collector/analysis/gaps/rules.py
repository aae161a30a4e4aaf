"""What checks of a period have in common: when so little was expected that nothing can be told, and what
has to be so before "no gap" may be said.
"""

from __future__ import annotations

from collector.analysis.review import Review, SubjectReview
from setpoint.plan import PlanPoint

LEAST_SPACINGS = 3
"""In a window that is shorter than so many samples, one late sample decides everything."""


def every_ms(reviewed: SubjectReview) -> int | None:
    """The spacing that is planned or, without a plan, was seen."""
    return reviewed.limits.every_ms or reviewed.statistics.every_ms


def too_little_expected(reviewed: SubjectReview, least: int = LEAST_SPACINGS) -> str:
    """Why the window is too short to judge this subject, or ""."""
    every = every_ms(reviewed)
    if every is None:
        return "it is not known how often it reports: the plan does not say, and there are too few samples"
    if reviewed.statistics.expected_ms < least * every:
        return f"it was expected for less than {least} times its spacing so far"
    return ""


def too_thin(point: PlanPoint, reviewed: SubjectReview) -> str:
    """Why too little was measured to judge this subject, or ""."""
    coverage = reviewed.statistics.coverage
    if coverage >= point.min_coverage:
        return ""
    return f"coverage is {coverage * 100:.3g} %, and below {point.min_coverage * 100:.3g} % nothing is judged"


def not_closing(review: Review, point: PlanPoint, reviewed: SubjectReview) -> str:
    """Why "no gap" cannot be said of this period though nothing amiss was measured, or ""."""
    if thin := too_thin(point, reviewed):
        return thin
    if not review.window.complete:
        return "the period is not over"
    if reviewed.since_ms > review.window.start_ms:
        return "it was expected for only a part of the period"
    return ""
