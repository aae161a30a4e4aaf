"""What a period shows about each subject: the same arithmetic, in DuckDB's SQL, for every store.

``docs/statistics.md`` defines the terms.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from collector.analysis.derived import PLAIN, Derivation
from collector.analysis.episodes import Breaches, read_breaches
from collector.analysis.histogram import Bins, Histogram, bins_for, percentile
from collector.analysis.segments import PIECES, SAMPLES, load_samples
from collector.analysis.windows import (
    LEVEL_NAMES,
    SPANS,
    WINDOWS,
    LevelName,
    Levels,
    SubjectWindow,
    condition_sql,
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
        unknown_spacing = any(window.every_ms is None for window in windows)
        load_samples(
            train,
            rate=rate,
            scale=float(scale),
            unknown_spacing=unknown_spacing,
            derivation=derivation,
        )
        totals = _read_totals(train.connection, windows, is_ratio=derivation.second == "ratio")
        histograms = _read_histograms(train.connection, bins)
        breaches = read_breaches(train.connection, windows, asked, max_episodes)
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


@dataclass(frozen=True, slots=True)
class _Totals:
    every_ms: int | None
    samples: int
    first_ms: int | None
    last_ms: int | None
    last: float | None
    measured_ms: int
    good_ms: int
    min: float | None
    max: float | None
    share_sum: float
    """The sum of the values, each weighted with its part of the window's length."""
    ratio_part: float | None
    ratio_whole: float | None


# Weights below 1 keep the sum of the largest floats finite; divided by a power of two they are exact. fsum
# is Kahan's summation: the order of the rows, which differs from run to run, then stays out of the 12 digits
# that are shown.
_TOTALS = f"""
SELECT
    window_id,
    every_ms,
    coalesce(samples, 0),
    first_ms,
    last_ms,
    last_value,
    coalesce(measured_ms, 0),
    coalesce(good_ms, 0),
    low,
    high,
    coalesce(share_sum * ({{longest_ms}} / (end_ms - start_ms)), 0),
    {{ratio}}
FROM {WINDOWS} LEFT JOIN (
    SELECT
        window_id,
        count(*) FILTER (inside) AS samples,
        min(t) FILTER (inside) AS first_ms,
        max(t) FILTER (inside) AS last_ms,
        arg_max_null(value, t) FILTER (inside) AS last_value,
        sum(length_ms)::BIGINT AS measured_ms,
        {{good}} AS good_ms,
        min(value) FILTER (length_ms > 0) AS low,
        max(value) FILTER (length_ms > 0) AS high,
        fsum(value * (length_ms / {{longest_ms}})) FILTER (length_ms > 0) AS share_sum
        {{sums}}
    FROM (SELECT *, CASE WHEN ends > begins THEN ends - begins END AS length_ms FROM {SAMPLES}) {{judged}}
    GROUP BY window_id
) USING (window_id)
"""


def _read_totals(
    connection: duckdb.DuckDBPyConnection, windows: Sequence[SubjectWindow], *, is_ratio: bool
) -> dict[int, _Totals]:
    judges = any(window.good is not None for window in windows)
    longest_ms = max(window.end_ms - window.start_ms for window in windows)
    statement = _TOTALS.format(
        ratio="coalesce(part_sum, 0), coalesce(whole_sum, 0)" if is_ratio else "NULL, NULL",
        sums=", fsum(part) AS part_sum, fsum(whole) AS whole_sum" if is_ratio else "",
        good=f"sum(length_ms) FILTER {condition_sql('good', windows)}::BIGINT" if judges else "0",
        judged=f"JOIN {WINDOWS} USING (window_id)" if judges else "",
        longest_ms=f"'{2 ** longest_ms.bit_length()}'::DOUBLE",
    )
    return {row[0]: _Totals(*row[1:]) for row in connection.execute(statement).fetchall()}


def _read_histograms(connection: duckdb.DuckDBPyConnection, bins: Bins) -> dict[int, Histogram]:
    # Two thousand subjects have some 400,000 bins: as arrays, these are read three times as fast as rows.
    columns = connection.execute(
        f"SELECT window_id, {bins.key_sql('value')} AS bin, sum(ends - begins)::BIGINT AS length_ms"
        f" FROM {SAMPLES} WHERE ends > begins AND value IS NOT NULL"
        " GROUP BY window_id, bin ORDER BY window_id, bin"
    ).fetchnumpy()
    window_ids, starts = np.unique(columns["window_id"], return_index=True)
    return {
        int(window_id): dict(zip(keys.tolist(), lengths_ms.tolist(), strict=True))
        for window_id, keys, lengths_ms in zip(
            window_ids,
            np.split(columns["bin"], starts[1:]),
            np.split(columns["length_ms"], starts[1:]),
            strict=False,  # of nothing, np.split still makes one part
        )
    }


def _statistics(
    window: SubjectWindow,
    totals: _Totals,
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
