"""Matches configured thresholds with the points of a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from collector.thresholds.found import Configured, FoundThresholds
from collector.thresholds.labels import host_passes, value_passes
from collector.thresholds.matched import Matched, MatchedThresholds, Outcome, Pairing, PlannedSeverity
from collector.thresholds.names import Meaning, Name, Names
from collector.thresholds.normal import Normal, normal_form
from setpoint.finding import round12
from setpoint.limits import Comparison, Limits
from setpoint.plan import PlanPoint
from setpoint.reading import IDENTITY
from setpoint.threshold import Matcher

if TYPE_CHECKING:
    from collector.analysis.review import PointReview, SubjectReview

_HOST_TAGS = frozenset({"device", "host"})
_USUAL_HOSTS = frozenset({"instance", "host"})
_RATE = re.compile(r"(?:rate|non_negative_derivative)\(([\w.]+)(?:, [^()]*)?\)")
_FIELD = re.compile(r"\w+\.\w+")
_HIGH = frozenset({"above", "at_least"})
_LOW = frozenset({"below", "at_most"})
_SEVERITIES: Sequence[PlannedSeverity] = ("critical", "warning")


class _Candidate(NamedTuple):
    reviews: Sequence[PointReview]
    meaning: Meaning


def match_thresholds(
    found: FoundThresholds, names: Names, points: Sequence[PointReview]
) -> MatchedThresholds:
    """Every threshold that was read, with the planned subjects that it is about, or why there are none."""
    by_metric: dict[str, list[PointReview]] = {}
    for reviewed in points:
        by_metric.setdefault(reviewed.point.metric, []).append(reviewed)
    matcher = _Matching(names, by_metric)
    return MatchedThresholds(found, [matcher.match(one) for one in found.thresholds])


class _Matching:
    def __init__(self, names: Names, points: Mapping[str, list[PointReview]]) -> None:
        self._names = names
        self._points = points
        # VictoriaMetrics and Telegraf's exporters join the two parts of a name in another way.
        self._own = {metric.replace(".", "_", 1): metric for metric in points} | {m: m for m in points}

    def match(self, one: Configured) -> Matched:
        if one.matchers is None:
            return Matched(one, "not comparable", why="what it is about cannot be read from its subject")
        normal = normal_form(one.metric)
        asked = [(meaning, by) for meaning, by in self._meanings(normal) if _asks(one.matchers, meaning.name)]
        if not asked:
            return Matched(one, "unknown name", why=f'no name is known here for "{normal.metric}"')
        allowed = [
            (meaning, problem) for meaning, needs in asked for problem in [self._grouped(normal, needs)]
        ]
        usable = [meaning for meaning, problem in allowed if not problem]
        if not usable:
            meaning, problem = allowed[0]
            return Matched(one, "not comparable", meaning.name.ours, problem)
        planned = [
            (meaning, review)
            for meaning in usable
            for review in self._points.get(meaning.name.ours, ())
            if _same_form(meaning.name, review.point)
        ]
        ours = usable[0].name.ours
        if not planned:
            return Matched(one, "not planned", ours, f"no point of the plan measures {ours} in this form")
        pairings = [
            pairing
            for meaning, review in planned
            for subject in review.subjects
            for pairing in self._pair(one, meaning, review.point, subject)
        ]
        ours = planned[0][1].point.metric
        if not pairings:
            return Matched(one, "no subject", ours, "it is about nothing that the plan wants")
        return Matched(one, "matched", ours, pairings=pairings)

    def _meanings(self, normal: Normal) -> Iterator[tuple[Meaning, frozenset[str]]]:
        """What the metric can be, and which labels must be left for that."""
        for meaning in self._names.meanings(normal.metric):
            yield meaning, frozenset(meaning.name.labels)
        if name := self._own_name(normal.metric):
            yield Meaning(name, {}), frozenset()
        if not normal.inner:
            return
        # An aggregation of what is one series per subject changes nothing.
        for meaning in self._names.meanings(normal.inner):
            yield meaning, frozenset({*meaning.name.labels, *meaning.name.where})
        if name := self._own_name(normal.inner):
            identity = IDENTITY.get(name.ours.partition(".")[0], ())
            yield Meaning(name, {}), frozenset(identity) - {"host"}

    def _own_name(self, metric: str) -> Name | None:
        """The entry that a name of our own needs no table for: plain, or as a rate."""
        rate = _RATE.fullmatch(metric)
        plain = rate[1] if rate else metric
        ours = self._own.get(plain)
        if ours is None and plain.partition(".")[0] in IDENTITY and _FIELD.fullmatch(plain):
            ours = plain
        return Name(metric=metric, ours=ours, rate=rate is not None) if ours else None

    def _grouped(self, normal: Normal, needed: frozenset[str]) -> str:
        """Why what remains of the labels is too little to tell subjects apart, or ""."""
        hosts = self._names.hosts | {"host", "device"}
        if normal.by is not None and not normal.by & hosts:
            return "it is about several hosts together"
        if normal.dropped & _USUAL_HOSTS:
            return "it is about several hosts together"
        lost = needed - normal.by if normal.by is not None else needed & normal.dropped
        if lost:
            return f"it is about everything together that has another {', '.join(sorted(lost))}"
        return ""

    def _pair(
        self, one: Configured, meaning: Meaning, point: PlanPoint, subject: SubjectReview
    ) -> Iterator[Pairing]:
        tags, name = subject.tags, meaning.name
        if any(tags.get(tag) != value for tag, value in (*name.tags.items(), *meaning.captured.items())):
            return
        # What was measured through an agent is the device, and not the agent; a disk has a device too.
        identity = point.by or IDENTITY.get(point.measurement, ())
        principal = tags.get("device" if "device" in identity and "device" in tags else "host")
        unresolved = []
        for matcher in one.matchers or ():
            answer = self._passes(matcher, name, tags, principal)
            if answer is False:
                return
            if answer is None:
                unresolved.append(matcher.label)
        scale = name.scale * point.scale
        level = round12(point.scale * name.offset + scale * one.level)
        high = one.comparison in _HIGH if one.comparison in _HIGH | _LOW else None
        if high is not None and scale < 0:
            high = not high
        said = self._names.severity(one.severity)
        severity, planned = _planned(subject.limits, said, one, level, high)
        outcome, why = _compare(planned, level, round(one.for_s * 1000), one, high)
        if unresolved and outcome == "differs":
            labels = ", ".join(sorted(set(unresolved)))
            outcome, why = "cannot tell", f"whether it is meant depends on the label {labels}"
        yield Pairing(point, subject, level, high, severity, planned, outcome, why, said is None)

    def _passes(
        self, matcher: Matcher, name: Name, tags: Mapping[str, str], principal: str | None
    ) -> bool | None:
        label = matcher.label
        if label in name.where or label in self._names.ignored:
            return True
        if label in name.labels:
            return value_passes(matcher, tags.get(name.labels[label], ""))
        if label in tags:
            if label in _HOST_TAGS:
                return host_passes(matcher, [tags[label]])
            return value_passes(matcher, tags[label])
        if label in self._names.hosts:
            return None if principal is None else host_passes(matcher, [principal])
        return None


def _asks(matchers: Sequence[Matcher], name: Name) -> bool:
    """Whether the threshold asks for what the entry is about."""
    for label, value in name.where.items():
        asked = [one for one in matchers if one.label == label]
        positive = [one for one in asked if one.operator in ("=", "=~")]
        if not positive or not all(value_passes(one, value) for one in asked):
            return False
    return True


def _same_form(name: Name, point: PlanPoint) -> bool:
    """Whether the point judges the same quantity that the entry speaks of."""
    percent_of = ".".join(point.percent_of) if point.percent_of else None
    return name.rate == point.rate and name.percent_of == percent_of and point.ratio_to is None


def _planned(
    limits: Limits, severity: str | None, one: Configured, level: float, high: bool | None
) -> tuple[PlannedSeverity | None, Comparison | None]:
    """What the plan has for the threshold: of its severity or, where that says nothing here, the nearest."""
    there: list[tuple[PlannedSeverity, Comparison]] = []
    for each in _SEVERITIES:
        comparison = limits.critical if each == "critical" else limits.warning
        if comparison is not None and severity in (None, each):
            there.append((each, comparison))
    comparable = [pair for pair in there if _planned_level(pair[1], one, high) is not None]

    def distance(pair: tuple[PlannedSeverity, Comparison]) -> tuple[float, float]:
        at = _planned_level(pair[1], one, high)
        return (abs((at or 0.0) - level), abs(pair[1].for_ms - one.for_s * 1000))

    if comparable:
        return min(comparable, key=distance)
    return there[0] if there else (None, None)


def _planned_level(planned: Comparison, one: Configured, high: bool | None) -> float | None:
    if high is not None:
        return planned.high if high else planned.low
    return planned.equal if one.comparison == "equals" else planned.unequal


def _compare(
    planned: Comparison | None, level: float, for_ms: int, one: Configured, high: bool | None
) -> tuple[Outcome, str]:
    if planned is None:
        return "no such level", "the plan has no level of this severity"
    at = _planned_level(planned, one, high)
    if at is None:
        return "no such level", "the plan compares in another way"
    if round12(at) == level and planned.for_ms == for_ms:
        return "agrees", ""
    return "differs", ""
