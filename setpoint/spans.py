"""Stretches of time: sorted, apart from one another, each [start, end) in UTC milliseconds."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]
Spans = tuple[Span, ...]
"""In order of time; none is empty, and none touches the next."""


def merged(spans: Iterable[Span]) -> Spans:
    """All the time that any of them covers."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def overlap(one: Spans, other: Spans) -> Spans:
    """The time that both cover."""
    found: list[Span] = []
    here = there = 0
    while here < len(one) and there < len(other):
        start = max(one[here][0], other[there][0])
        end = min(one[here][1], other[there][1])
        if start < end:
            found.append((start, end))
        if one[here][1] < other[there][1]:
            here += 1
        else:
            there += 1
    return tuple(found)


def without(one: Spans, other: Spans) -> Spans:
    """The time that the first covers and the second does not."""
    if not one or not other:
        return one
    start, end = one[0][0], one[-1][1]
    # What lies between the others, and before and after them.
    starts = [start, *(max(span[1], start) for span in other)]
    ends = [*(min(span[0], end) for span in other), end]
    return overlap(one, tuple(gap for gap in zip(starts, ends, strict=True) if gap[0] < gap[1]))


def length_ms(spans: Iterable[Span]) -> int:
    """How much time they cover."""
    return sum(end - start for start, end in spans)
