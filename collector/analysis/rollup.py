"""What one stretch of time showed of a subject, such that neighbours add up to what both give together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from collector.analysis.episodes import Breaches
from collector.analysis.histogram import Histogram, bins_for, percentile
from collector.analysis.packed_histogram import sum_histograms
from collector.analysis.statistics import Levels, Statistics, SubjectWindow, ratio_of_sums
from setpoint.finding import round12

EPISODES_KEPT: Final = 50
"""As many as ``period_statistics`` lists; a run at a border is among them whenever it is among the longest
of the neighbours together, because it only grows."""


class Rollup(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Times are whole milliseconds, points in time UTC since 1970; what was not measured is None.

    Values are rounded as in ``Statistics``, but for the mean. ``due_ms``: for how long the samples would
    stand, were each as long as planned; ``every_ms``: the newest spacing that was known. Either level is
    None where nothing asks for it.
    """

    start_ms: int
    end_ms: int
    every_ms: int | None = None
    samples: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    last: float | None = None
    measured_ms: int = 0
    due_ms: int = 0
    good_ms: int | None = None
    mean: float | None = None
    min: float | None = None
    max: float | None = None
    histogram: Histogram = {}
    warning: Breaches | None = None
    warning_for_ms: int = 0
    """How long a run beyond the level has to last to be an episode."""
    critical: Breaches | None = None
    critical_for_ms: int = 0
    excluded_ms: int = 0
    """Time that is neither expected nor judged."""
    ratio_part: float | None = None
    """Of a ratio, the sum of what is divided, unscaled, and of what it is divided by."""
    ratio_whole: float | None = None

    @property
    def expected_ms(self) -> int:
        return self.end_ms - self.start_ms - self.excluded_ms


def rollup_of(statistics: Statistics, window: SubjectWindow) -> Rollup:
    """The rollup of a window, from its statistics with EPISODES_KEPT episodes or with all."""
    mean = None
    if statistics.measured_ms:
        mean = statistics.weighted_sum / (statistics.measured_ms / 1000)
        if not math.isfinite(mean):  # the sum of the largest floats is none
            mean = statistics.mean
    return Rollup(
        start_ms=statistics.start_ms,
        end_ms=statistics.end_ms,
        every_ms=statistics.every_ms,
        samples=statistics.samples,
        first_ms=statistics.first_ms,
        last_ms=statistics.last_ms,
        last=statistics.last,
        measured_ms=statistics.measured_ms,
        due_ms=statistics.samples * (statistics.every_ms or 0),
        good_ms=statistics.good_ms,
        mean=mean,
        min=statistics.min,
        max=statistics.max,
        histogram=statistics.histogram,
        warning=statistics.warning,
        warning_for_ms=_for_ms(window.warning),
        critical=statistics.critical,
        critical_for_ms=_for_ms(window.critical),
        excluded_ms=statistics.excluded_ms,
        ratio_part=statistics.ratio_part,
        ratio_whole=statistics.ratio_whole,
    )


def unmeasured(window: SubjectWindow) -> Rollup:
    """The rollup of a window without a single sample. One without length is neutral in ``merge``."""
    return Rollup(
        start_ms=window.start_ms,
        end_ms=window.end_ms,
        every_ms=window.every_ms,
        good_ms=None if window.good is window.critical is None else 0,
        warning=None if window.warning is None else Breaches(),
        warning_for_ms=_for_ms(window.warning),
        critical=None if window.critical is None else Breaches(),
        critical_for_ms=_for_ms(window.critical),
        excluded_ms=window.end_ms - window.start_ms - window.expected_ms,
    )


def merge(rollups: Sequence[Rollup]) -> Rollup:
    """The rollup of all that time.

    It is that of the samples themselves, exactly, but for rounding in the mean, and it does not matter what
    was merged before. ValueError when there are none, or they are not neighbours in order of time.
    """
    if not rollups:
        raise ValueError("expected rollups to merge, got none")
    for former, latter in pairwise(rollups):
        if former.end_ms != latter.start_ms:
            raise ValueError(f"expected neighbours, got an end at {former.end_ms}, then {latter.start_ms}")
    parts = [part for part in rollups if part.end_ms > part.start_ms] or rollups[:1]
    if len(parts) == 1:
        return parts[0]
    measured = [part for part in parts if part.measured_ms]
    measured_ms = sum(part.measured_ms for part in measured)
    newest = next((part for part in reversed(parts) if part.last_ms is not None), parts[-1])
    return Rollup(
        start_ms=parts[0].start_ms,
        end_ms=parts[-1].end_ms,
        every_ms=next((p.every_ms for p in reversed(parts) if p.every_ms is not None), None),
        samples=sum(part.samples for part in parts),
        first_ms=next((part.first_ms for part in parts if part.first_ms is not None), None),
        last_ms=newest.last_ms,
        last=newest.last,
        measured_ms=measured_ms,
        due_ms=sum(part.due_ms for part in parts),
        good_ms=_sum_good(parts),
        # Weights below 1 keep the largest floats finite.
        mean=math.fsum((part.mean or 0.0) * (part.measured_ms / measured_ms) for part in measured)
        if measured
        else None,
        min=min((part.min for part in measured if part.min is not None), default=None),
        max=max((part.max for part in measured if part.max is not None), default=None),
        histogram=sum_histograms([part.histogram for part in measured]),
        warning=_merge_breaches([(p.start_ms, p.end_ms, p.warning) for p in parts], parts[-1].warning_for_ms),
        warning_for_ms=parts[-1].warning_for_ms,
        critical=_merge_breaches(
            [(p.start_ms, p.end_ms, p.critical) for p in parts], parts[-1].critical_for_ms
        ),
        critical_for_ms=parts[-1].critical_for_ms,
        excluded_ms=sum(part.excluded_ms for part in parts),
        ratio_part=_sum_floats([part.ratio_part for part in parts]),
        ratio_whole=_sum_floats([part.ratio_whole for part in parts]),
    )


def statistics_of(
    rollup: Rollup,
    subject: int,
    *,
    bounds: tuple[float, float] | None,
    missing_bad: bool,
    scale: float = 1.0,
    percents: Collection[int] = (50, 95, 99),
) -> Statistics:
    """What ``period_statistics`` gives for the same time; ``subject`` is the number to give it. The ``scale``
    of a ratio is on the sums; every other value has it already. Percentiles that are not among ``percents``
    are left out.
    """
    expected_ms = rollup.expected_ms
    judged_ms = expected_ms if missing_bad else rollup.measured_ms
    mean = p50 = p95 = p99 = None
    if rollup.mean is not None and rollup.min is not None and rollup.max is not None:
        low, high = rollup.min, rollup.max
        mean = round12(min(max(rollup.mean, low), high))
        bins, histogram = bins_for(bounds), rollup.histogram
        p50, p95, p99 = (
            percentile(histogram, percent, bins, low, high) if percent in percents else None
            for percent in (50, 95, 99)
        )
    if rollup.ratio_part is not None and rollup.ratio_whole is not None:
        mean = ratio_of_sums(rollup.ratio_part, rollup.ratio_whole, scale)
    return Statistics(
        subject=subject,
        start_ms=rollup.start_ms,
        end_ms=rollup.end_ms,
        every_ms=rollup.every_ms,
        samples=rollup.samples,
        first_ms=rollup.first_ms,
        last_ms=rollup.last_ms,
        last=rollup.last,
        measured_ms=rollup.measured_ms,
        coverage=_share(min(rollup.measured_ms, rollup.due_ms, expected_ms), expected_ms) or 0.0,
        good_ms=rollup.good_ms,
        availability=_share(rollup.good_ms, judged_ms),
        mean=mean,
        min=rollup.min,
        max=rollup.max,
        p50=_rounded(p50),
        p95=_rounded(p95),
        p99=_rounded(p99),
        weighted_sum=(rollup.mean or 0.0) * (rollup.measured_ms / 1000),
        histogram=rollup.histogram,
        warning=rollup.warning,
        critical=rollup.critical,
        excluded_ms=rollup.excluded_ms,
        ratio_part=rollup.ratio_part,
        ratio_whole=rollup.ratio_whole,
    )


def _for_ms(levels: Levels | None) -> int:
    return levels.for_ms if levels is not None else 0


def _share(part_ms: int | None, whole_ms: int) -> float | None:
    return None if part_ms is None or whole_ms == 0 else round12(part_ms / whole_ms)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round12(value)


def _sum_good(parts: Sequence[Rollup]) -> int | None:
    known = [part.good_ms for part in parts if part.good_ms is not None]
    return sum(known) if known else None


def _sum_floats(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


_Part = tuple[int, int, Breaches | None]
_Run = tuple[int, int]


def _merge_breaches(parts: Sequence[_Part], for_ms: int) -> Breaches | None:
    if all(breaches is None for _, _, breaches in parts):
        return None
    if not any(breaches is not None and breaches.breach_ms for _, _, breaches in parts):
        return Breaches()
    start_ms, end_ms = parts[0][0], parts[-1][1]
    at_borders = list(_runs_at_borders(parts))
    across = [run for run in at_borders if run[1] - run[0] >= for_ms]
    breach_ms = episodes = episode_ms = 0
    inside: list[_Run] = []
    for part_start_ms, part_end_ms, breaches in parts:
        if breaches is None or not breaches.breach_ms:
            continue
        counted = [ms for ms in _border_runs_ms(breaches, part_end_ms - part_start_ms) if ms >= for_ms]
        breach_ms += breaches.breach_ms
        episodes += breaches.episodes - len(counted)
        episode_ms += breaches.episode_ms - sum(counted)
        inside += [run for run in breaches.longest if run[0] != part_start_ms and run[1] != part_end_ms]
    listed = sorted(inside + across, key=lambda run: (run[0] - run[1], run[0]))[:EPISODES_KEPT]
    return Breaches(
        breach_ms=breach_ms,
        episodes=episodes + len(across),
        episode_ms=episode_ms + sum(end - begin for begin, end in across),
        longest_ms=listed[0][1] - listed[0][0] if listed else 0,
        longest=tuple(sorted(listed)),
        open_at_start_ms=next((end - begin for begin, end in at_borders if begin == start_ms), 0),
        open_at_end_ms=next((end - begin for begin, end in at_borders if end == end_ms), 0),
    )


def _border_runs_ms(breaches: Breaches, length_ms: int) -> list[int]:
    """The lengths of the runs that touch the start or the end of a part; of one that fills it, once."""
    if breaches.open_at_start_ms == length_ms:
        return [length_ms]
    return [ms for ms in (breaches.open_at_start_ms, breaches.open_at_end_ms) if ms]


def _runs_at_borders(parts: Sequence[_Part]) -> Iterator[_Run]:
    """The runs that touch the start or the end of any part, whole."""
    begin: int | None = None
    for start_ms, end_ms, breaches in parts:
        lead_ms, tail_ms = (breaches.open_at_start_ms, breaches.open_at_end_ms) if breaches else (0, 0)
        if lead_ms:
            begin = start_ms if begin is None else begin
        if lead_ms == end_ms - start_ms:
            continue
        if begin is not None:
            yield begin, start_ms + lead_ms
        begin = end_ms - tail_ms if tail_ms else None
    if begin is not None:
        yield begin, parts[-1][1]
