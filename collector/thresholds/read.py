"""Finds the configured thresholds among the series that the collector knows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import get_args

from collector.series import SeriesTable
from collector.store.base import SeriesKey
from collector.thresholds.found import Configured, FoundThresholds, SourceRead, Without
from setpoint.threshold import (
    COMPARISONS,
    ROLES,
    THRESHOLD,
    THRESHOLD_NONE,
    THRESHOLD_SOURCE,
    Matcher,
    Operator,
    read_subject,
)

# Tags that say what a threshold is about beside its subject. Others are an agent's (`room`, `site`), on all
# that it reads, and plans do not tell subjects apart by them.
_ABOUT = ("device",)
_PAIR = re.compile(r"(?:^|\s)([A-Za-z_]\w*)=")
# A device sends its thresholds one by one; those that come within this time are of one reading.
_ONE_READING_MS = 900_000
_TURNS = 1.5
_EQUALS: Operator = get_args(Operator)[0]


def read_thresholds(series: SeriesTable) -> FoundThresholds:
    """All thresholds, rules without one, and sources, as their newest readings say."""
    sources, gone_before = _sources(series)
    seen: dict[tuple[str, str, str], int] = {}
    listed: list[tuple[int, SeriesKey, dict[str, str]]] = []
    for number, key in series.of_metric(THRESHOLD, "level"):
        tags = dict(key.tags)
        last = series.last_ms(number)
        if last is None or tags.get("comparison") not in COMPARISONS:
            continue
        listed.append((number, key, tags))
        reader = _reader(tags)
        seen[reader] = max(seen.get(reader, last), last)
    thresholds = []
    for number, key, tags in listed:
        last = series.last_ms(number) or 0
        reader = _reader(tags)
        since = gone_before.get((tags.get("host", ""), tags.get("source", "")))
        present = last >= (seen[reader] - _ONE_READING_MS if since is None else since)
        thresholds.append(_configured(series, number, key, tags, present=present))
    quiet: dict[tuple[str, str], int] = {}
    for (agent, name, _), last in seen.items():
        if (agent, name) not in gone_before:
            quiet[agent, name] = max(last, quiet.get((agent, name), last))
    sources += [
        SourceRead(name, agent, last, None, 0, complete=True) for (agent, name), last in quiet.items()
    ]
    return FoundThresholds(
        sorted(thresholds, key=lambda one: (one.source, one.rule, one.metric, one.subject, one.agent)),
        _without(series, gone_before),
        sorted(sources, key=lambda one: (one.name, one.agent)),
    )


def _reader(tags: Mapping[str, str]) -> tuple[str, str, str]:
    """Who read it where: of devices, each is read by itself."""
    return tags.get("host", ""), tags.get("source", ""), tags.get("device", "")


def _sources(series: SeriesTable) -> tuple[list[SourceRead], dict[tuple[str, str], int]]:
    """The sources that tell what reading them came to and, by agent and name, how old a threshold of theirs
    has to be to be gone.

    One gathering may come in several batches, and those in any order: what the newest one lacks is gone only
    when it was not in the one before either. Where another agent reads a source now, the one that did so
    before counts no more.
    """
    found = [_source(series, number, key) for number, key in series.of_metric(THRESHOLD_SOURCE, "rules")]
    read = [one for one in found if one is not None]
    newest: dict[str, int] = {}
    for one in read:
        newest[one.name] = max(one.last_ms, newest.get(one.name, one.last_ms))
    gone_before = {}
    current = []
    for one in read:
        if one.is_fresh(newest[one.name]):
            current.append(one)
            gone_before[one.agent, one.name] = one.last_ms - round(_TURNS * (one.every_ms or 0))
        else:
            gone_before[one.agent, one.name] = newest[one.name]
    return current, gone_before


def _source(series: SeriesTable, number: int, key: SeriesKey) -> SourceRead | None:
    last = series.last_ms(number)
    if last is None:
        return None
    tags = dict(key.tags)
    every_s = _value(series, key, "every_s")
    lacking = (_value(series, key, "failed_parts") or 0) + (_value(series, key, "unreadable") or 0)
    return SourceRead(
        name=tags.get("source", ""),
        agent=tags.get("host", ""),
        last_ms=last,
        every_ms=None if every_s is None else round(every_s * 1000),
        rules=int(_number(series, number) or 0),
        complete=lacking == 0,
    )


def _configured(
    series: SeriesTable, number: int, key: SeriesKey, tags: Mapping[str, str], *, present: bool
) -> Configured:
    role = tags.get("role", "raises")
    enabled = _value(series, key, "enabled")
    level = _number(series, number)
    return Configured(
        source=tags.get("source", ""),
        agent=tags.get("host", ""),
        rule=tags.get("rule", ""),
        metric=tags.get("metric", ""),
        subject=tags.get("subject", "*"),
        matchers=_matchers(tags),
        comparison=next(one for one in COMPARISONS if one == tags["comparison"]),
        severity=tags.get("severity", ""),
        role=next((one for one in ROLES if one == role), "raises"),
        level=math.nan if level is None else level,
        for_s=_value(series, key, "for_s") or 0.0,
        enabled=enabled is None or enabled != 0,
        present=present,
        first_ms=series.entry(number).first_ms,
        last_ms=series.last_ms(number) or 0,
    )


def _matchers(tags: Mapping[str, str]) -> tuple[Matcher, ...] | None:
    """What the threshold asks of labels. Devices write their subject as ``class=temperature name=CPU``."""
    others = tuple(Matcher(key, _EQUALS, tags[key]) for key in _ABOUT if key in tags)
    subject = tags.get("subject", "*")
    try:
        return (*read_subject(subject), *others)
    except ValueError:
        pieces = _PAIR.split(subject)
        if len(pieces) < 3 or pieces[0].strip():
            return None
    pairs = zip(pieces[1::2], pieces[2::2], strict=True)
    return (*(Matcher(key, _EQUALS, value.strip()) for key, value in pairs), *others)


def _without(series: SeriesTable, gone_before: Mapping[tuple[str, str], int]) -> list[Without]:
    found = []
    for number, key in series.of_metric(THRESHOLD_NONE, "rules"):
        tags = dict(key.tags)
        agent, source = tags.get("host", ""), tags.get("source", "")
        last = series.last_ms(number) or 0
        found.append(
            Without(
                source=source,
                agent=agent,
                rule=tags.get("rule", ""),
                reason=tags.get("reason", ""),
                severity=tags.get("severity", ""),
                present=last >= gone_before.get((agent, source), 0),
            )
        )
    return sorted(found, key=lambda one: (one.source, one.rule, one.reason, one.agent))


def _value(series: SeriesTable, key: SeriesKey, field: str) -> float | None:
    """The newest value of another field of the same line."""
    number = series.find(key._replace(field=field))
    return None if number is None else _number(series, number)


def _number(series: SeriesTable, number: int) -> float | None:
    value = float(series.last_value[number])
    return None if math.isnan(value) else value
