"""The statistics of a period in plain loops: slow, and written to be believed at a glance."""

from __future__ import annotations

import math
from itertools import pairwise

from collector.analysis.windows import Levels, SubjectWindow

Sample = tuple[int, float]
Segment = tuple[int, int, float]
"""begins, ends, value"""


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


def rates(samples: list[Sample], every_ms: int, scale: float) -> list[Segment]:
    """Each interval between two samples has its rate, but for holes and decreases."""
    segments = []
    for (former_t, former), (t, value) in pairwise(samples):
        if t - former_t > 2 * every_ms:
            continue
        if value < former:
            continue
        rate = (value - former) / ((t - former_t) / 1000) * scale
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
) -> dict[str, object]:
    """The fields of a Statistics by name; ``p50`` and its like are exact, not from a histogram."""
    samples = samples_of(rows, window.subject)
    if not rate:
        samples = [(t, value * scale) for t, value in samples if math.isfinite(value * scale)]
    every_ms = spacing(samples, window)
    inside = samples_inside(samples, window)
    expected = total(spans_of(window))

    if every_ms is None:
        unclipped = []
    elif rate:
        unclipped = rates(samples, every_ms, scale)
    else:
        unclipped = standing(samples, every_ms)
    segments = clipped(unclipped, window)
    measured = total([(begins, ends) for begins, ends, _ in segments])

    last: float | None = None
    if inside:
        last_ms, last = inside[-1]
        if rate:
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

    if measured > 0:
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
