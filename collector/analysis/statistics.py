"""What a period shows about each subject: the same arithmetic for every store.

``docs/statistics.md`` defines the terms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from collector.analysis.derived import PLAIN, Derivation
from collector.analysis.episodes import Breaches, read_breaches
from collector.analysis.histogram import Bins, Histogram, bins_for, percentile
from collector.analysis.segments import PIECES, SAMPLES, find_spacings, load_samples
from collector.analysis.tally import tally
from collector.analysis.totals import Totals, read_histograms, read_totals
from collector.analysis.windows import (
    LEVEL_NAMES,
    SPANS,
    WINDOWS,
    LevelName,
    Levels,
    SubjectWindow,
    load_windows,
)
from setpoint.finding import round12

if TYPE_CHECKING:
    import duckdb

    from collector.store.base import Train

StatisticName = Literal[
    "mean", "min", "max", "p50", "p95", "p99", "availability", "breach_share", "breach_time"
]
STATISTIC_NAMES: Final[tuple[StatisticName, ...]] = get_args(StatisticName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What one window shows about its subject.

    Times are whole milliseconds, points in time UTC since 1970. Floats have 12 significant digits, save
    ``weighted_sum``. What nothing was measured for is None.
    """

    subject: int
    start_ms: int
    end_ms: int
    every_ms: int | None
    """The spacing that was used: the planned one or, without a plan, the subject's median."""
    samples: int = 0
    """Samples in the window."""
    first_ms: int | None = None
    last_ms: int | None = None
    last: float | None = None
    """The value at ``last_ms``; of a rate, None when the interval that ends there is a hole."""
    measured_ms: int = 0
    coverage: float = 0.0
    """Between 0 and 1: how much of the expected time was measured as planned."""
    good_ms: int | None = None
    """None where nothing says what is good."""
    availability: float | None = None
    """Between 0 and 1."""
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    weighted_sum: float = 0.0
    """Value times seconds, unrounded: it is for adding up, not for showing."""
    histogram: Histogram = field(default_factory=dict)
    """Milliseconds per bin of ``bins_for(bounds)``."""
    warning: Breaches | None = None
    """None where the window has no such level."""
    critical: Breaches | None = None
    excluded_ms: int = 0
    """How much of the window is outside its spans: neither expected nor judged."""
    ratio_part: float | None = None
    """Of a ratio, the sum of what is divided, unscaled and unrounded, as it is for adding up. None when the
    point is no ratio.
    """
    ratio_whole: float | None = None
    """Of a ratio, the sum of what it is divided by."""

    @property
    def expected_ms(self) -> int:
        return self.end_ms - self.start_ms - self.excluded_ms

    def value(self, statistic: str) -> float | None:
        """The statistic of that name, or None when there is no answer.

        ``breach_time`` is the seconds spent in episodes at critical, or at warning where there is no
        critical level; ``breach_share`` is the part of the measured time that this makes. ValueError
        when there is no such statistic.
        """
        if statistic not in STATISTIC_NAMES:
            raise ValueError(f"expected one of {', '.join(STATISTIC_NAMES)}, got {statistic!r}")
        if statistic not in ("breach_time", "breach_share"):
            answer: float | None = getattr(self, statistic)
            return answer
        breaches = self.critical or self.warning
        if breaches is None or self.measured_ms == 0:
            return None
        if statistic == "breach_time":
            return round12(breaches.episode_ms / 1000)
        return round12(breaches.episode_ms / self.measured_ms)


def period_statistics(
    train: Train,
    windows: Sequence[SubjectWindow],
    *,
    rate: bool,
    scale: float,
    bounds: tuple[float, float] | None,
    missing_bad: bool,
    max_episodes: int = 50,
    derivation: Derivation = PLAIN,
) -> list[Statistics]:
    """One Statistics per window, in the order of the windows; several windows may share a subject.

    The train has to reach from 2 × ``every_ms`` before the earliest window, because a sample stands into
    it, and for a rate to 2 × ``every_ms`` after the last one, because the interval that crosses its end
    belongs to the sample that follows. What the train holds beyond that changes nothing.

    ``rate`` makes a growing counter its increase per second; ``scale`` multiplies the value, of a rate
    the rate. ``bounds`` are those of the unit, if it has any, in scaled values. ``missing_bad`` makes
    unmeasured time bad time, in the availability only. At most ``max_episodes`` episodes are listed per
    window and level; all are counted.

    ``derivation`` says what the trains beside the train are for. Of a ratio, the mean is the ratio of the
    sums, and there are no other statistics of the value.

    Runs on the train's connection, in temporary tables that it drops again. ValueError when the scale or
    the bounds are not finite or out of order, or a train is missing.
    """
    if not math.isfinite(scale):
        raise ValueError(f"expected a finite scale, got {scale}")
    bins = bins_for(bounds)
    if not windows:
        return []
    asked: list[LevelName] = [
        name
        for name in LEVEL_NAMES
        if name != "good" and any(window.levels(name) is not None for window in windows)
    ]
    with _temporary_tables(train.connection, derivation):
        load_windows(train.connection, windows)
        known = [window.every_ms for window in windows]
        if derivation != PLAIN:
            load_samples(
                train, rate=rate, scale=float(scale), unknown_spacing=None in known, derivation=derivation
            )
            totals = read_totals(train.connection, windows, is_ratio=derivation.second == "ratio")
            histograms = read_histograms(train.connection, bins)
            breaches = read_breaches(train.connection, windows, asked, max_episodes)
        else:
            every_ms = find_spacings(train, rate=rate, scale=float(scale)) if None in known else known
            totals, histograms, breaches = tally(
                train,
                windows,
                every_ms,
                asked,
                rate=rate,
                scale=float(scale),
                bins=bins,
                max_episodes=max_episodes,
            )
    return [
        _statistics(
            window,
            totals[window_id],
            histograms.get(window_id, {}),
            bins,
            {
                name: breaches.get((window_id, name), Breaches())
                for name in asked
                if window.levels(name) is not None
            },
            missing_bad=missing_bad,
            scale=scale,
        )
        for window_id, window in enumerate(windows)
    ]


def _statistics(
    window: SubjectWindow,
    totals: Totals,
    histogram: Histogram,
    bins: Bins,
    breaches: Mapping[LevelName, Breaches],
    *,
    missing_bad: bool,
    scale: float,
) -> Statistics:
    expected_ms = window.expected_ms
    window_ms = window.end_ms - window.start_ms
    measured_ms = totals.measured_ms
    good_ms = None
    if window.good is not None:
        good_ms = totals.good_ms
    elif window.critical is not None:
        good_ms = measured_ms - breaches["critical"].breach_ms
    statistics = Statistics(
        subject=window.subject,
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        every_ms=totals.every_ms,
        samples=totals.samples,
        first_ms=totals.first_ms,
        last_ms=totals.last_ms,
        last=_rounded(totals.last),
        measured_ms=measured_ms,
        coverage=_coverage(measured_ms, totals.samples, totals.every_ms, expected_ms),
        good_ms=good_ms,
        availability=_availability(good_ms, expected_ms if missing_bad else measured_ms),
        histogram=histogram,
        warning=breaches.get("warning"),
        critical=breaches.get("critical"),
        excluded_ms=window_ms - expected_ms,
        ratio_part=totals.ratio_part,
        ratio_whole=totals.ratio_whole,
    )
    if totals.ratio_part is not None and totals.ratio_whole is not None:
        return replace(statistics, mean=ratio_of_sums(totals.ratio_part, totals.ratio_whole, scale))
    if totals.min is None or totals.max is None:
        return statistics
    low, high = totals.min, totals.max
    mean = min(max(totals.share_sum * (window_ms / measured_ms), low), high)
    p50, p95, p99 = (percentile(histogram, percent, bins, low, high) for percent in (50, 95, 99))
    return replace(
        statistics,
        mean=round12(mean),
        min=round12(low),
        max=round12(high),
        p50=_rounded(p50),
        p95=_rounded(p95),
        p99=_rounded(p99),
        weighted_sum=totals.share_sum * (window_ms / 1000),
    )


def ratio_of_sums(part: float, whole: float, scale: float) -> float | None:
    """The ratio that two sums make, rounded; None where there is nothing to divide by."""
    ratio = part / whole * scale if whole else math.nan
    return round12(ratio) if math.isfinite(ratio) else None


def _coverage(measured_ms: int, samples: int, every_ms: int | None, expected_ms: int) -> float:
    if every_ms is None or expected_ms == 0:
        return 0.0
    return round12(min(measured_ms, samples * every_ms, expected_ms) / expected_ms)


def _availability(good_ms: int | None, judged_ms: int) -> float | None:
    if good_ms is None or judged_ms == 0:
        return None
    return round12(good_ms / judged_ms)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round12(value)


@contextmanager
def _temporary_tables(connection: duckdb.DuckDBPyConnection, derivation: Derivation) -> Iterator[None]:
    try:
        yield
    finally:
        for table in (SAMPLES, PIECES, SPANS, WINDOWS, *derivation.tables):
            connection.execute(f"DROP TABLE IF EXISTS {table}")


__all__ = [
    "STATISTIC_NAMES",
    "Breaches",
    "Levels",
    "StatisticName",
    "Statistics",
    "SubjectWindow",
    "period_statistics",
]
