"""The statistics of a period in plain loops: slow, and written to be believed at a glance."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

from collector.analysis.windows import Levels, SubjectWindow

Sample = tuple[int, float]
Segment = tuple[int, int, float]
"""begins, ends, value"""


class Counters(NamedTuple):
    """Both fields of a ratio count up; ``uptime`` is None where nothing wraps."""

    uptime: list[Sample] | None


def samples_of(rows: list[tuple[int, int, float]], subject: int) -> list[Sample]:
    """The usable samples of one subject in order of time; of several at one time the greatest."""
    greatest: dict[int, float] = {}
    for row_subject, t, value in rows:
        if row_subject != subject or not math.isfinite(value):
            continue
        if t not in greatest or value > greatest[t]:
            greatest[t] = value
    return sorted(greatest.items())


def spans_of(window: SubjectWindow) -> list[tuple[int, int]]:
    return list(window.spans) if window.spans is not None else [(window.start_ms, window.end_ms)]


def samples_inside(samples: list[Sample], window: SubjectWindow) -> list[Sample]:
    return [(t, value) for t, value in samples if any(start <= t < end for start, end in spans_of(window))]


def spacing(samples: list[Sample], window: SubjectWindow) -> int | None:
    if window.every_ms is not None:
        return window.every_ms
    gaps = []
    for start, end in spans_of(window):
        inside = [t for t, _ in samples if start <= t < end]
        gaps += [t - former_t for former_t, t in pairwise(inside)]
    gaps.sort()
    if not gaps:
        return None
    return gaps[(len(gaps) - 1) // 2]


def standing(samples: list[Sample], every_ms: int) -> list[Segment]:
    """Each value stands until the next sample, at most twice the spacing."""
    segments = []
    for i, (t, value) in enumerate(samples):
        ends = t + 2 * every_ms
        if i + 1 < len(samples) and samples[i + 1][0] < ends:
            ends = samples[i + 1][0]
        segments.append((t, ends, value))
    return segments


def reach(every_ms: int) -> int:
    return max(2 * every_ms, 3_600_000)


def increase(former: Sample, sample: Sample, every_ms: int, uptime: list[Sample] | None) -> float | None:
    """How much was counted between two samples; None when that is not known."""
    (former_t, before), (t, value) = former, sample
    if t - former_t > 2 * every_ms:
        return None
    if value >= before:
        return value - before
    if uptime is None or before >= 2**32 or value < 0:
        return None
    for uptime_t, uptime_s in uptime:
        if uptime_t >= t:
            up_all_along = uptime_t - t <= reach(every_ms) and uptime_s * 1000 >= uptime_t - former_t
            return value + (2**32 - before) if up_all_along else None
    return None


def shares(segments: list[Segment], of: list[Sample], every_ms: int, *, at_end: bool) -> list[Segment]:
    """The segments as per cent of the other metric at their sample, which is at their end or start."""
    result = []
    for begins, ends, value in segments:
        t = ends if at_end else begins
        before = [sample for sample in of if sample[0] <= t]
        if not before or t - before[-1][0] > reach(every_ms) or before[-1][1] == 0:
            continue
        share = 100 * value / before[-1][1]
        if math.isfinite(share):
            result.append((begins, ends, share))
    return result


def ratio_sums(
    pairs: list[tuple[int, float, float]], window: SubjectWindow, every_ms: int, counters: Counters | None
) -> tuple[float, float, list[Segment]]:
    """Both sums, and the segments in which anything was known; the values of these mean nothing."""
    part = whole = 0.0
    known: list[Segment] = []
    if counters is None:
        known = standing([(t, 0.0) for t, _, _ in pairs], every_ms)
        for t, value, other in pairs:
            if any(start <= t < end for start, end in spans_of(window)):
                part, whole = part + value, whole + other
        return part, whole, known
    for (former_t, former, former_other), (t, value, other) in pairwise(pairs):
        of = increase((former_t, former), (t, value), every_ms, counters.uptime)
        to = increase((former_t, former_other), (t, other), every_ms, counters.uptime)
        if of is None or to is None:
            continue
        known.append((former_t, t, 0.0))
        for begins, ends, _ in clipped([(former_t, t, 0.0)], window):
            part += of * ((ends - begins) / (t - former_t))
            whole += to * ((ends - begins) / (t - former_t))
    return part, whole, known


def rates(samples: list[Sample], every_ms: int, scale: float, uptime: list[Sample] | None) -> list[Segment]:
    """Each interval between two samples has its rate, but for holes and resets."""
    segments = []
    for former, sample in pairwise(samples):
        counted = increase(former, sample, every_ms, uptime)
        if counted is None:
            continue
        former_t, t = former[0], sample[0]
        rate = counted / ((t - former_t) / 1000) * scale
        if math.isfinite(rate):
            segments.append((former_t, t, rate))
    return segments


def clipped(segments: list[Segment], window: SubjectWindow) -> list[Segment]:
    result = []
    for begins, ends, value in segments:
        for start, end in spans_of(window):
            if max(begins, start) < min(ends, end):
                result.append((max(begins, start), min(ends, end), value))
    return result


def meets(value: float, levels: Levels) -> bool:
    if levels.high is not None and value > levels.high:
        return True
    if levels.low is not None and value < levels.low:
        return True
    if levels.equal is not None and value == levels.equal:
        return True
    return levels.unequal is not None and value != levels.unequal


def runs(segments: list[Segment], levels: Levels) -> list[tuple[int, int]]:
    result: list[tuple[int, int]] = []
    for begins, ends, value in segments:
        if not meets(value, levels):
            continue
        if result and result[-1][1] == begins:
            result[-1] = (result[-1][0], ends)
        else:
            result.append((begins, ends))
    return result


def total(intervals: list[tuple[int, int]]) -> int:
    return sum(ends - begins for begins, ends in intervals)


def breaches(
    segments: list[Segment], levels: Levels, window: SubjectWindow, max_episodes: int
) -> dict[str, object]:
    all_runs = runs(segments, levels)
    episodes = [(begins, ends) for begins, ends in all_runs if ends - begins >= levels.for_ms]
    by_length = sorted(episodes, key=lambda episode: (episode[0] - episode[1], episode[0]))
    return {
        "breach_ms": total(all_runs),
        "episodes": len(episodes),
        "episode_ms": total(episodes),
        "longest_ms": max((ends - begins for begins, ends in episodes), default=0),
        "longest": tuple(sorted(by_length[:max_episodes])),
        "open_at_start_ms": total([run for run in all_runs if run[0] == window.start_ms]),
        "open_at_end_ms": total([run for run in all_runs if run[1] == window.end_ms]),
    }


def percentile(segments: list[Segment], percent: int) -> float:
    """The lowest value at or below which at least ``percent`` of the measured time was spent."""
    measured = total([(begins, ends) for begins, ends, _ in segments])
    passed = 0
    for begins, ends, value in sorted(segments, key=lambda segment: segment[2]):
        passed += ends - begins
        if 100 * passed >= percent * measured:
            return value
    raise AssertionError("nothing measured")


def reference(
    rows: list[tuple[int, int, float]],
    window: SubjectWindow,
    *,
    rate: bool,
    scale: float,
    missing_bad: bool,
    max_episodes: int,
    percent_of: list[Sample] | None = None,
    ratio_to: list[Sample] | None = None,
    uptime: list[Sample] | None = None,
) -> dict[str, object]:
    """The fields of a Statistics by name; ``p50`` and its like are exact, not from a histogram."""
    samples = samples_of(rows, window.subject)
    if ratio_to is not None:
        divisors = dict(ratio_to)
        pairs = [(t, value, divisors[t]) for t, value in samples if t in divisors]
        samples = [(t, value) for t, value, _ in pairs]
    elif not rate:
        samples = [(t, value * scale) for t, value in samples if math.isfinite(value * scale)]
    every_ms = spacing(samples, window)
    inside = samples_inside(samples, window)
    expected = total(spans_of(window))

    sums = (0.0, 0.0)
    if ratio_to is not None:
        counters = Counters(uptime) if rate else None
        part, whole, unclipped = ratio_sums(pairs, window, every_ms or 1, counters)
        if every_ms is None:
            unclipped = []
        if every_ms is not None or not rate:
            sums = (part, whole)
    elif every_ms is None:
        unclipped = []
    elif rate:
        unclipped = rates(samples, every_ms, scale, uptime)
    else:
        unclipped = standing(samples, every_ms)
    if percent_of is not None and every_ms is not None:
        unclipped = shares(unclipped, percent_of, every_ms, at_end=rate)
    segments = clipped(unclipped, window)
    measured = total([(begins, ends) for begins, ends, _ in segments])

    last: float | None = None
    if inside:
        last_ms, last = inside[-1]
        if ratio_to is not None:
            last = None
        elif percent_of is not None and not rate:
            newest = shares([(last_ms, last_ms + 1, last)], percent_of, every_ms or 0, at_end=False)
            last = newest[0][2] if newest else None
        elif rate:
            last = next((value for _, ends, value in unclipped if ends == last_ms), None)

    result: dict[str, object] = {
        "every_ms": every_ms,
        "samples": len(inside),
        "first_ms": inside[0][0] if inside else None,
        "last_ms": inside[-1][0] if inside else None,
        "last": last,
        "measured_ms": measured,
        "expected_ms": expected,
        "coverage": 0.0,
        "good_ms": None,
        "availability": None,
        "mean": None,
        "min": None,
        "max": None,
        "p50": None,
        "p95": None,
        "p99": None,
        "weighted_sum": 0.0,
        "warning": None,
        "critical": None,
        "ratio_part": None,
        "ratio_whole": None,
    }
    if every_ms is not None and expected > 0:
        result["coverage"] = min(1.0, min(measured, len(inside) * every_ms) / expected)

    if window.good is not None:
        good = [(begins, ends) for begins, ends, value in segments if meets(value, window.good)]
        result["good_ms"] = total(good)
    elif window.critical is not None:
        good = [(begins, ends) for begins, ends, value in segments if not meets(value, window.critical)]
        result["good_ms"] = total(good)
    judged = expected if missing_bad else measured
    if result["good_ms"] is not None and judged > 0:
        result["availability"] = result["good_ms"] / judged  # type: ignore[operator]

    if ratio_to is not None:
        result["ratio_part"], result["ratio_whole"] = sums
        result["mean"] = sums[0] / sums[1] * scale if sums[1] else None
    elif measured > 0:
        result["mean"] = sum(value * ((ends - begins) / measured) for begins, ends, value in segments)
        result["min"] = min(value for _, _, value in segments)
        result["max"] = max(value for _, _, value in segments)
        for percent in (50, 95, 99):
            result[f"p{percent}"] = percentile(segments, percent)
        result["weighted_sum"] = sum(value * (ends - begins) / 1000 for begins, ends, value in segments)

    for name, levels in (("warning", window.warning), ("critical", window.critical)):
        if levels is not None:
            result[name] = breaches(segments, levels, window, max_episodes)
    return result
