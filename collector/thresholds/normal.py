"""The normal form of a foreign metric: what several ways to write the same thing have in common."""

from __future__ import annotations

import re
from typing import NamedTuple

_CLAUSE = re.compile(r" (by|without) \(([^()]*)\) (?=\()")
_SMOOTHED = re.compile(r"\b(?:avg|min|max|last)_over_time\(")
_UNGROUPED = re.compile(
    r"\b(?:sum|avg|min|max|count|stddev|stdvar|topk|bottomk|quantile|group|count_values)\("
)
_AGGREGATE = re.compile(r"(?:avg|min|max|sum|last)\(")


class Normal(NamedTuple):
    """``metric``: without groupings, without means over time, ``irate`` as ``rate``. ``by``: what remains of
    the labels after all groupings that say what remains; None where none does. ``dropped``: the labels that a
    grouping takes away. ``inner``: what the outermost aggregation is of, or "".
    """

    metric: str
    by: frozenset[str] | None
    dropped: frozenset[str]
    inner: str


def normal_form(metric: str) -> Normal:
    """The normal form of the tag ``metric``. A name that is no expression is its own."""
    by: frozenset[str] | None = None
    dropped: frozenset[str] = frozenset()
    for kind, listed in _CLAUSE.findall(metric):
        labels = frozenset(label.strip() for label in listed.split(",") if label.strip())
        if kind == "by":
            by = labels if by is None else by & labels
        else:
            dropped |= labels
    if _UNGROUPED.search(metric):
        by = frozenset()
    text = _CLAUSE.sub("", metric).replace("irate(", "rate(")
    while match := _SMOOTHED.search(text):
        end = _closing(text, match.end())
        if end is None:
            break
        text = text[: match.start()] + text[match.end() : end] + text[end + 1 :]
    inner = ""
    if match := _AGGREGATE.match(text):
        end = _closing(text, match.end())
        if end == len(text) - 1:
            inner = text[match.end() : end]
    return Normal(text, by, dropped, inner)


def _closing(text: str, start: int) -> int | None:
    """Where the bracket that was opened before ``start`` is closed. What is quoted closes nothing."""
    depth, quoted = 1, False
    for index in range(start, len(text)):
        character = text[index]
        if character == '"' and text[index - 1] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (character == "(") - (character == ")")
            if not depth:
                return index
    return None
