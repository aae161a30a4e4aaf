"""What such an input finds, and how that becomes points.

Every rule of a source gives at least one of the two: a threshold, or the reason why it has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import NamedTuple

from setpoint.finding import round12
from setpoint.reading import FieldValue, Point
from setpoint.threshold import (
    THRESHOLD,
    THRESHOLD_NONE,
    THRESHOLD_SOURCE,
    Comparison,
    Matcher,
    Reason,
    Role,
    write_subject,
)

# Tags are kept in memory for every series, on both sides.
_LONGEST_TAG = 500
_LONGEST_TEXT = 2_000
_UNNAMED = "(unnamed)"
# A label's value may hold what a tag's cannot; JSON has escaped the others.
_CONTROL = {127: " "}


class FoundThreshold(NamedTuple):
    """One threshold, in the source's words and units.

    ``rule``: what the source calls the rule. ``subject``: what it asks of labels. ``severity``: as the source
    writes it. ``window_s``: the time that the metric is taken over, of a rate or a mean. ``conditions``: how
    many other comparisons the same rule makes.
    """

    rule: str
    metric: str
    comparison: Comparison
    level: float
    subject: Sequence[Matcher] = ()
    severity: str = ""
    for_s: float = 0.0
    enabled: bool = True
    role: Role = "raises"
    window_s: float | None = None
    conditions: int = 0
    expression: str = ""


class NoThreshold(NamedTuple):
    """A rule, or a part of one, that has no threshold. ``detail`` says what was found instead."""

    rule: str
    reason: Reason
    detail: str = ""
    severity: str = ""
    enabled: bool = True


Found = FoundThreshold | NoThreshold


def to_points(
    source: str, found: Iterable[Found], *, every_s: float, rules: int, failed_parts: int = 0
) -> list[Point]:
    """The points of one gathering; the last is the source's own.

    ``every_s``: how often the source is read. ``rules``: how many rules it has. ``failed_parts``: how many
    files or pages of it could not be read, so that thresholds may be missing here which it has.
    """
    points: list[Point] = []
    counts: Counter[str] = Counter()
    names: Counter[tuple[str, ...]] = Counter()
    for one in found:
        if isinstance(one, FoundThreshold) and not isfinite(one.level):
            reason: Reason = "never" if one.level == one.level else "no number"
            detail = f"the level is {one.level}"
            one = NoThreshold(one.rule, reason, detail, one.severity, one.enabled)
        point = _threshold(source, one) if isinstance(one, FoundThreshold) else _none(source, one)
        counts[point.measurement] += 1
        counts["unreadable"] += isinstance(one, NoThreshold) and one.reason == "unreadable"
        key = (point.measurement, *point.tags.values())
        names[key] += 1
        if names[key] > 1:
            # Two rules may share a name and all else; as one series they would overwrite each other.
            point = point._replace(tags={**point.tags, "rule": f"{point.tags['rule']} #{names[key]}"})
        points.append(point)
    fields: dict[str, FieldValue] = {
        "rules": rules,
        "thresholds": counts[THRESHOLD],
        "without": counts[THRESHOLD_NONE] - counts["unreadable"],
        "unreadable": counts["unreadable"],
        "failed_parts": failed_parts,
        "every_s": float(every_s),
    }
    return [*points, Point(THRESHOLD_SOURCE, {"source": source}, fields)]


def _threshold(source: str, one: FoundThreshold) -> Point:
    tags = {
        "source": source,
        "rule": _tag(one.rule) or _UNNAMED,
        "subject": write_subject(one.subject).translate(_CONTROL)[:_LONGEST_TEXT],
        "metric": _tag(one.metric),
        "comparison": one.comparison,
        "severity": _tag(one.severity),
        "role": "" if one.role == "raises" else one.role,
    }
    fields: dict[str, FieldValue] = {
        "level": round12(one.level),
        "for_s": float(one.for_s),
        "enabled": int(one.enabled),
        "conditions": one.conditions,
    }
    if one.window_s is not None:
        fields["window_s"] = float(one.window_s)
    if one.expression:
        fields["expression"] = one.expression[:_LONGEST_TEXT]
    return Point(THRESHOLD, {key: value for key, value in tags.items() if value}, fields)


def _none(source: str, one: NoThreshold) -> Point:
    tags = {
        "source": source,
        "rule": _tag(one.rule) or _UNNAMED,
        "reason": one.reason,
        "severity": _tag(one.severity),
    }
    fields: dict[str, FieldValue] = {"rules": 1, "enabled": int(one.enabled)}
    if one.detail:
        fields["detail"] = one.detail[:_LONGEST_TEXT]
    return Point(THRESHOLD_NONE, {key: value for key, value in tags.items() if value}, fields)


def _tag(text: str) -> str:
    """The text as a tag: on one line, without the backslashes at its end that no tag can carry."""
    plain = " ".join(text.split()).rstrip("\\")
    if len(plain) > _LONGEST_TAG:
        plain = plain[: _LONGEST_TAG - 1] + "…"
    return plain
