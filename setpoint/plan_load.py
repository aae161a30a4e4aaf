"""From the file that says the plan to the plan: what its keys say about one another is checked and resolved.

``where``, ``expect`` and ``overrides`` take for each tag a value, a glob (``*``, ``?``, ``[...]``), a list
of them, ``{not: ...}`` or ``{group: NAME}``. A bare word that is the name of a group means the group, in
any tag; any other bare word is a literal value, also when it resembles a group's name (a literal host of
that name cannot be told from a misspelt group; ``Plan.hints`` says where this looks likely). ``{group:
NAME}`` makes an unknown name an error.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from setpoint.calendars import Calendar
from setpoint.config import ConfigError, Loaded, Problem, child, item, parse, read_text, suggest
from setpoint.limits import Limits, Target, disorder
from setpoint.maintenance import HOST_TAGS
from setpoint.plan import Plan, PlanPoint
from setpoint.plan_file import RATIO_IS_OF_A_PERIOD, Capacity, Condition, Override, PlanFile, PointEntry
from setpoint.plan_hosts import dependencies, unnamed_hosts
from setpoint.plan_match import Groups, Pattern, Where, is_glob
from setpoint.plan_times import calendars_of, maintenance_of


def load_plan(path: Path) -> Plan:
    """The plan in the file. ConfigError with all that is wrong in it."""
    return parse_plan(read_text(path), str(path))


def parse_plan(text: str, name: str = "plan.yaml", *, environment: Mapping[str, str] = os.environ) -> Plan:
    """The plan that the text says; ``name`` stands for the file in problems. ConfigError as load_plan."""
    return _Resolver(parse(text, name, PlanFile, environment=environment)).plan(text)


class _Resolver:
    """Checks what the keys of a plan say about one another, and makes the Plan."""

    def __init__(self, loaded: Loaded[PlanFile]) -> None:
        self._file = loaded.value
        self._source = loaded.source
        self._problems: list[Problem] = []
        self._hints: list[Problem] = []
        self._groups = Groups(self._file.groups, self._report)
        self._listed = self._groups.members()
        self._objectives = {objective.id for objective in self._file.objectives}
        self._calendars = calendars_of(self._file)

    def plan(self, text: str) -> Plan:
        file = self._file
        self._check_unique("objectives", "objective", [objective.id for objective in file.objectives])
        self._check_unique("points", "point", [point.id for point in file.points])
        points = tuple(self._point(entry, item("points", n)) for n, entry in enumerate(file.points))
        maintenance = maintenance_of(file, self._groups)
        depends_on = dependencies(file, self._groups, self._report)
        if self._problems:
            raise ConfigError(self._problems)
        wheres = [where for point in points for where in (point.where, point.expect or ())]
        for path, message in unnamed_hosts(file, self._listed, wheres):
            self._hints.append(self._source.problem(path, message))
        return Plan(
            title=file.plan,
            revision=file.revision,
            hash=_short_hash(text),
            text=text,
            approved=file.approved,
            site=file.site,
            timezone=file.timezone,
            review=file.review,
            min_coverage=float(file.min_coverage),
            objectives=file.objectives,
            points=points,
            maintenance=maintenance,
            depends_on=depends_on,
            hints=tuple(self._hints),
        )

    def _report(self, path: str, message: str) -> None:
        self._problems.append(self._source.problem(path, message))

    def _check_unique(self, key: str, kind: str, ids: Sequence[str]) -> None:
        first: dict[str, int] = {}
        for index, id_ in enumerate(ids):
            path = child(item(key, index), "id")
            if id_ in first:
                self._report(path, f'duplicate {kind} "{id_}", first on line {first[id_]}')
            first.setdefault(id_, self._source.line(path))

    def _point(self, entry: PointEntry, path: str) -> PlanPoint:
        for index, objective in enumerate(entry.for_):
            if objective not in self._objectives:
                hint = suggest(objective, self._objectives) or "; the plan has no objectives"
                self._report(item(child(path, "for"), index), f'unknown objective "{objective}"{hint}')
        where = self._where(entry.where, child(path, "where"))
        expect = None
        if entry.expect is not None:
            tags = {tag: pattern for tag, pattern in entry.expect.items() if tag != "every"}
            expect = self._where(tags, child(path, "expect"))
        limits = _limits(entry)
        is_ratio = entry.ratio is not None
        self._check_limits(limits, path, is_ratio=is_ratio)
        overrides = tuple(
            self._override(override, limits, item(child(path, "overrides"), index), is_ratio=is_ratio)
            for index, override in enumerate(entry.overrides)
        )
        metric = entry.metric if entry.ratio is None else entry.ratio.of
        measurement, field = _split(metric or "")
        if entry.when is not None and entry.when not in self._calendars:
            hint = suggest(entry.when, self._calendars) or "; the plan has no calendars"
            self._report(child(path, "when"), f'unknown calendar "{entry.when}"{hint}')
        bounds = entry.bounded or ((0.0, 100.0) if entry.unit in ("percent", "%") else None)
        min_coverage = self._file.min_coverage if entry.min_coverage is None else entry.min_coverage
        judged: dict[str, Any] = {
            "measurement": measurement,
            "field": field,
            "rate": entry.as_ == "rate",
            "scale": entry.scale,
            "missing_bad": entry.missing == "bad",
            "bounds": bounds,
            "by": entry.by,
            "min_coverage": float(min_coverage),
        }
        later = {
            "percent_of": entry.percent_of and _split(entry.percent_of),
            "ratio_to": entry.ratio and _split(entry.ratio.to),
            "counter_bits": entry.counter,
            "calendar": self._calendars.get(entry.when or ""),
        }
        # What a point does not use does not count: the hash of a point that is as it was stays as it was.
        judged |= {key: value for key, value in later.items() if value is not None}
        asked = {}
        if entry.capacity is not msgspec.UNSET:
            asked["capacity"] = int(entry.capacity.horizon) if entry.capacity else None
        return PlanPoint(
            id=entry.id,
            title=entry.title or entry.id,
            objectives=entry.for_,
            unit=entry.unit,
            metric_class=entry.class_ or "",
            element=entry.element or "",
            owner=entry.owner,
            action=entry.action,
            where=where,
            expect=expect,
            limits=limits,
            overrides=overrides,
            definition_hash=_definition_hash({**judged, **asked}, where, expect, limits, overrides),
            raised_by=entry.raised_by,
            horizon_ms=_horizon_ms(entry, limits, bounds),
            **judged,
        )

    def _where(self, patterns: Mapping[str, Pattern], path: str) -> Where:
        for tag in frozenset(HOST_TAGS) & patterns.keys():
            pattern = patterns[tag]
            words = pattern if isinstance(pattern, list) else [pattern]
            for word in words:
                if isinstance(word, str):
                    self._hint_at_group(word, child(path, tag))
        return self._groups.where(patterns, path)

    def _hint_at_group(self, word: str, path: str) -> None:
        if word in self._file.groups or word in self._listed or is_glob(word):
            return
        near = difflib.get_close_matches(word, self._file.groups, n=1, cutoff=0.8)
        if near:
            message = f'no group is called "{word}", so this is a name; did you mean the group "{near[0]}"?'
            self._hints.append(self._source.problem(path, message))

    def _override(
        self, override: Override, base: Limits, path: str, *, is_ratio: bool
    ) -> tuple[Where, Limits]:
        limits = _limits(override, base)
        self._check_limits(limits, path, is_ratio=is_ratio)
        return self._where(override.where, child(path, "where")), limits

    def _check_limits(self, limits: Limits, path: str, *, is_ratio: bool) -> None:
        if is_ratio:
            for target in limits.targets:
                if target.statistic != "mean":
                    self._report(child(child(path, "target"), target.statistic), RATIO_IS_OF_A_PERIOD)
            for key in ("warning", "critical", "good"):
                # Of the point itself, its own keys have been said to be wrong.
                if getattr(limits, key) is not None and "overrides" in path:
                    self._report(child(path, key), RATIO_IS_OF_A_PERIOD)
            return
        if limits.warning is not None and limits.critical is not None:
            levels = disorder(limits.warning, limits.critical)
            if levels is not None:
                warning, critical = levels
                message = f"the level {warning:g} is beyond that of critical, {critical:g}"
                self._report(child(path, "warning"), message)
        for target in limits.targets:
            needed = _missing_for(target, limits)
            if needed:
                self._report(child(child(path, "target"), target.statistic), f"needs {needed}")


def _split(metric: str) -> tuple[str, str]:
    measurement, _, field = metric.partition(".")
    return measurement, field


def _missing_for(target: Target, limits: Limits) -> str:
    """What a target lacks to be judged at all, else ""."""
    if target.statistic == "availability" and limits.good is None and limits.critical is None:
        return "a critical level, or good, to say what is available"
    if target.statistic in ("breach_share", "breach_time") and limits.warning is limits.critical is None:
        return "a warning or critical level, to say what a breach is"
    return ""


def _horizon_ms(entry: PointEntry, limits: Limits, bounds: tuple[float, float] | None) -> int | None:
    """What the entry says or, where it says nothing, what a gauge of a resource has that can become full."""
    if entry.capacity is not msgspec.UNSET:
        return int(entry.capacity.horizon) if entry.capacity else None
    level = limits.critical or limits.warning
    fills = level is not None and level.high is not None and bounds is not None and level.high < bounds[1]
    is_gauge = entry.as_ is None and entry.ratio is None and entry.percent_of is None
    return int(Capacity().horizon) if fills and is_gauge and entry.element == "resource" else None


def _limits(given: PointEntry | Override, base: Limits | None = None) -> Limits:
    """What the entry gives, over the base where it gives nothing."""
    changes: dict[str, Any] = {}
    for key in ("warning", "critical", "good"):
        condition: Condition | msgspec.UnsetType | None = getattr(given, key)
        if condition is not msgspec.UNSET:
            changes[key] = condition and condition.comparison()
    if given.target is not msgspec.UNSET:
        changes["targets"] = given.target.targets() if given.target else ()
    if given.every is not msgspec.UNSET:
        changes["every_ms"] = None if given.every is None else int(given.every)
    return msgspec.structs.replace(base or Limits(), **changes)


def _definition_hash(
    judged: Mapping[str, Any],
    where: Where,
    expect: Where | None,
    limits: Limits,
    overrides: Sequence[tuple[Where, Limits]],
) -> str:
    calendar: Calendar | None = judged.get("calendar")
    definition = {
        **judged,
        **({"calendar": calendar.definition()} if calendar else {}),
        "where": _definition(where),
        "expect": None if expect is None else _definition(expect),
        "limits": msgspec.to_builtins(limits),
        "overrides": [(_definition(where), msgspec.to_builtins(limits)) for where, limits in overrides],
    }
    return _short_hash(json.dumps(definition, sort_keys=True))


def _definition(where: Where) -> list[Any]:
    return [(tag, matcher.definition()) for tag, matcher in where]


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
