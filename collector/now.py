"""The present state: last value and state of every planned subject, apart from the findings about periods."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from collector.analysis.derived import REACH_MS
from collector.excused import Excuses, Seen
from collector.series import NEVER, SeriesTable
from collector.watched import STATES, State, Watched
from setpoint.limits import Comparison, Limits
from setpoint.maintenance import Maintenance
from setpoint.plan import Plan, PlanPoint
from setpoint.reading import Subject, subject_of

# A mount or a process that the plan does not name and that is gone for a day is not "silent": it is gone.
_FORGET_MS: Final = 86_400_000


class NowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One planned subject as it is now.

    ``value`` is scaled, and a rate where the point says so; None before there is one. ``time_ms`` is the
    time of the newest sample, ``since_ms`` since when the state is what it is. ``warning`` and ``critical``
    are the thresholds in words, empty where there is none.
    """

    point: str
    title: str
    metric: str
    subject: dict[str, str]
    value: float | None
    unit: str
    time_ms: int | None
    state: State
    since_ms: int | None
    warning: str
    critical: str
    metric_class: str = msgspec.field(default="", name="class")
    element: str = ""


@dataclass(slots=True)
class _Entry:
    """A subject of a point: its series, and what is known of it. ``named``: it must exist, by the plan."""

    point: PlanPoint
    subject: Subject
    tags: Mapping[str, str]
    limits: Limits
    watched: Watched
    series: list[int] = field(default_factory=list)
    named: bool = False
    others: list[int] = field(default_factory=list)
    """The series of what its value is set against."""
    excuse: State | None = None
    """The state that it has instead of its own, since ``excused_ms``."""
    excused_ms: int | None = None

    @property
    def state(self) -> State:
        return self.excuse or self.watched.state

    @property
    def since_ms(self) -> int | None:
        return self.excused_ms if self.excuse else self.watched.since_ms

    def seen(self) -> Seen:
        """What is known of it by its samples alone."""
        return Seen(self.point, self.tags, self.watched.state, self.watched.value)


class Now:
    """Knows the present state of everything that the plan wants. Call ``tick`` every few seconds.

    Its methods may be called from any thread, also while another one writes to the series table.
    """

    def __init__(self, plan: Plan, series: SeriesTable) -> None:
        self._series = series
        self._lock = threading.Lock()
        self._hosts: frozenset[str] = frozenset()
        self._now_ms = 0
        self._entries: dict[tuple[str, Subject], _Entry] = {}
        self._by_metric: dict[tuple[str, str], list[PlanPoint]] = {}
        self._missing: list[_Entry] = []
        self._others: dict[tuple[str, Subject], list[int]] = {}
        self._indexed = 0
        self._rows: dict[str, list[NowRow]] = {}
        """What ``rows`` gave since the last tick, by language: everybody who looks sees the same."""
        self.replan(plan)

    def replan(self, plan: Plan) -> None:
        """Takes another revision. Subjects of points that are defined as before keep their state."""
        by_metric: dict[tuple[str, str], list[PlanPoint]] = {}
        for point in plan.points:
            by_metric.setdefault((point.measurement, point.field), []).append(point)
            second = point.percent_of or point.ratio_to
            if second is not None:
                by_metric.setdefault(second, []).append(point)
        with self._lock:
            known = self._entries
            self._rows.clear()
            self._plan, self._by_metric, self._entries, self._indexed = plan, by_metric, {}, 0
            self._others.clear()
            self._index()
            self._find_missing()
            for key, entry in self._entries.items():
                before = known.get(key)
                if before is not None and before.point.definition_hash == entry.point.definition_hash:
                    entry.watched = before.watched

    def tick(self, now_ms: int, hosts: Collection[str] = (), maintenance: Sequence[Maintenance] = ()) -> None:
        """Looks at the newest samples. ``hosts`` are the names of all known agents; ``maintenance`` is what
        was entered beside the plan.
        """
        with self._lock:
            spacing_ms = max(0, now_ms - self._now_ms) if self._now_ms else 0
            self._now_ms = now_ms
            self._rows.clear()
            grown = len(self._series) > self._indexed
            if grown:
                self._index()
            if grown or self._hosts != frozenset(hosts):
                self._hosts = frozenset(hosts)
                self._find_missing()
            # Times first: the table sets a value before its time, so what has a new time has its new value.
            # As lists, because reading 20,000 single elements of an array takes longer than all the rest.
            times = self._series.last_time_ms[: self._indexed].tolist()
            values = self._series.last_value[: self._indexed].tolist()
            for entry in self._entries.values():
                series = entry.series
                number = series[0] if len(series) == 1 else max(series, key=times.__getitem__)
                time_ms = times[number]
                if time_ms == NEVER:
                    entry.watched.tick_unseen(now_ms)
                else:
                    factor = _factor(entry, time_ms, times, values)
                    entry.watched.tick(time_ms, values[number], now_ms, spacing_ms, factor)
            self._excuse(now_ms, maintenance)

    def _excuse(self, now_ms: int, maintenance: Sequence[Maintenance]) -> None:
        plan = self._plan
        entries = [*self._entries.values(), *self._missing]
        seen = (entry.seen() for entry in entries) if plan.depends_on else ()
        excuses = Excuses(now_ms, [*plan.maintenance, *maintenance], plan.depends_on, seen)
        for entry in entries:
            excuse = excuses.state(entry.seen())
            if excuse != entry.excuse:
                entry.excuse, entry.excused_ms = excuse, now_ms

    def rows(self, language: str = "en") -> Sequence[NowRow]:
        """The state at the last tick: worst first, then by point in the plan's order, then by subject."""
        with self._lock:
            if language not in self._rows:
                self._rows[language] = [_row(entry, language) for entry in self._worst_first()]
            return self._rows[language]

    def counts(self) -> dict[State, int]:
        """How many subjects are in each state."""
        counts = dict.fromkeys(STATES, 0)
        with self._lock:
            for entry in self._shown():
                counts[entry.state] += 1
        return counts

    def _worst_first(self) -> list[_Entry]:
        rank = {state: number for number, state in enumerate(STATES)}
        order = {point.id: number for number, point in enumerate(self._plan.points)}
        return sorted(self._shown(), key=lambda e: (rank[e.state], order[e.point.id], e.subject))

    def _shown(self) -> list[_Entry]:
        since_ms = self._now_ms - _FORGET_MS
        known = [e for e in self._entries.values() if e.named or (e.watched.time_ms or 0) >= since_ms]
        return known + self._missing

    def _index(self) -> None:
        """Takes the series that are new into the entries."""
        end = len(self._series)
        for number in range(self._indexed, end):
            key = self._series.entry(number).key
            points = self._by_metric.get((key.measurement, key.field))
            if points is None:
                continue
            tags = dict(key.tags)
            for point in points:
                if not point.wants(tags):
                    continue
                if (key.measurement, key.field) == (point.measurement, point.field):
                    self._entry(point, tags).series.append(number)
                else:
                    subject = subject_of(key.measurement, tags, point.by)
                    self._others.setdefault((point.id, subject), []).append(number)
        self._indexed = end

    def _entry(self, point: PlanPoint, tags: Mapping[str, str]) -> _Entry:
        subject = subject_of(point.measurement, tags, point.by)
        entry = self._entries.get((point.id, subject))
        if entry is None:
            entry = self._entries[point.id, subject] = _new_entry(point, subject, tags)
            entry.others = self._others.setdefault((point.id, subject), entry.others)
        return entry

    def _find_missing(self) -> None:
        """Finds what the plan names: which entries that is, and what has no entry, for want of a series."""
        self._missing = []
        entries: dict[str, list[_Entry]] = {}
        for entry in self._entries.values():
            entries.setdefault(entry.point.id, []).append(entry)
        for point in self._plan.points:
            named = point.expected_hosts(self._hosts)
            keys = tuple(named[0]) if named else ()
            wanted = {tuple(tags.values()): tags for tags in named}
            seen = set()
            for entry in entries.get(point.id, ()):
                values = tuple(entry.tags.get(key) for key in keys)
                entry.named = values in wanted
                seen.add(values)
            for values, tags in wanted.items():
                if values not in seen:
                    subject = subject_of(point.measurement, tags, point.by)
                    self._missing.append(_new_entry(point, subject, tags, named=True))


def _new_entry(point: PlanPoint, subject: Subject, tags: Mapping[str, str], *, named: bool = False) -> _Entry:
    limits = point.settings(tags)
    watched = Watched(limits, rate=point.rate, scale=point.scale)
    return _Entry(point, subject, tags, limits, watched, named=named)


def _factor(entry: _Entry, time_ms: int, times: Sequence[int], values: Sequence[float]) -> float:
    """What the value is to be multiplied with; NaN where what it is set against is not known, or 0."""
    point = entry.point
    if point.percent_of is None and point.ratio_to is None:
        return 1.0
    newest = max(entry.others, key=times.__getitem__, default=None)
    if newest is None or times[newest] == NEVER or values[newest] == 0:
        return math.nan
    if point.percent_of is not None:
        reach_ms = max(2 * (entry.limits.every_ms or 0), REACH_MS)
        return 100 / values[newest] if time_ms - times[newest] <= reach_ms else math.nan
    # Of counters, the ratio is one of increases, which two newest values do not show.
    return math.nan if point.rate or times[newest] != time_ms else 1 / values[newest]


def _row(entry: _Entry, language: str) -> NowRow:
    point, watched, limits = entry.point, entry.watched, entry.limits
    critical = _describe(limits.critical, point.unit, language, point.metric)
    if not critical and limits.good is not None:
        good = _describe(limits.good, point.unit, language, point.metric)
        critical = f"非「{good}」" if language == "zh" else f"not {good}"
    return NowRow(
        point=point.id,
        title=point.title,
        metric=point.metric,
        subject=dict(entry.subject),
        value=watched.value,
        unit=point.unit,
        time_ms=watched.time_ms,
        state=entry.state,
        since_ms=entry.since_ms,
        warning=_describe(limits.warning, point.unit, language, point.metric),
        critical=critical,
        metric_class=point.metric_class,
        element=point.element,
    )


@functools.lru_cache(maxsize=10_000)
def _describe(comparison: Comparison | None, unit: str, language: str, metric: str) -> str:
    if comparison is None:
        return ""
    return comparison.describe("%" if unit == "percent" else unit, language, metric)
