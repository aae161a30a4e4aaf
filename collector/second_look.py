"""A closer look at what a period's statistics make look wrong: proposals for levels that do not fit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.analysis.expected import ExpectedTimes
from collector.analysis.level_fit import Misfit, misfit
from collector.analysis.proposals import Proposal, propose_hold, propose_level
from collector.analysis.replay import History
from collector.analysis.review import PointReview, SubjectReview, Window
from collector.history import has_history, histories_of
from collector.store.base import Store
from setpoint.limits import disorder
from setpoint.maintenance import Maintenance
from setpoint.plan import Plan, PlanPoint
from setpoint.reading import Subject

_DAY_MS = 86_400_000
HISTORY_MS = 30 * _DAY_MS
# A history changes little in a day, and reading it costs.
_STANDS_MS = _DAY_MS
MOST_EACH_REVIEW = 10
# Of one point so many are read at once: the samples of a month are looked through once for all of them.
_MOST_AT_ONCE = 5
_MOST_S = 2.0

_Key = tuple[str, Subject, Misfit]


class _Asked(NamedTuple):
    key: _Key
    point: PlanPoint
    subject: SubjectReview
    every_ms: int


class _Made(NamedTuple):
    proposal: Proposal | None
    at_ms: int


class SecondLook:
    """Keeps what it found: a proposal stands for a day. Methods may raise what the store does."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan = plan
        self._store = store
        self._made: dict[_Key, _Made] = {}
        self.waiting = 0
        """How many subjects' histories are still to be read."""

    def with_proposals(
        self, points: Sequence[PointReview], window: Window, maintenance: Sequence[Maintenance]
    ) -> list[PointReview]:
        """The same points, with proposals for the subjects whose levels do not fit. At most ten histories are
        read each time, and none after two seconds; the others are read in the reviews that follow.
        """
        asked = list(self._asked(points))
        wanted = {each.key for each in asked}
        kept = {key: made for key, made in self._made.items() if key in wanted}
        due = [
            each
            for each in asked
            if each.key not in kept or abs(window.end_ms - kept[each.key].at_ms) >= _STANDS_MS
        ]
        # What has waited longest comes first, and what was never looked at before it all.
        due.sort(key=lambda each: kept[each.key].at_ms if each.key in kept else 0)
        expected = ExpectedTimes(window.end_ms - HISTORY_MS, window.end_ms, maintenance)
        began = time.monotonic()
        self.waiting = len(due)
        for together in _together(due[:MOST_EACH_REVIEW]):
            histories = self._histories(together, expected, window.end_ms)
            for each in together:
                history = histories.get(each.subject.subject)
                proposal = None if history is None else self._propose(each, history, window.end_ms)
                kept[each.key] = _Made(proposal, window.end_ms)
            self.waiting -= len(together)
            if time.monotonic() - began > _MOST_S:
                break
        self._made = kept
        found = {(each.point.id, each.subject.subject): kept.get(each.key) for each in asked}
        return [_with(reviewed, found) for reviewed in points]

    def _asked(self, points: Sequence[PointReview]) -> list[_Asked]:
        found = []
        for reviewed in points:
            point = reviewed.point
            if not has_history(point):
                continue
            for subject in reviewed.subjects:
                every_ms = subject.limits.every_ms or subject.statistics.every_ms
                wrong = misfit(point, subject)
                if wrong is not None and every_ms is not None:
                    # The numbers change from review to review; what is asked for stays the same.
                    key = point.definition_hash, subject.subject, replace(wrong, beyond=None, ranged=None)
                    found.append(_Asked(key, point, subject, every_ms))
        return found

    def _histories(
        self, asked: Sequence[_Asked], expected: ExpectedTimes, end_ms: int
    ) -> dict[Subject, History]:
        subjects = {each.subject.subject: each.subject.tags for each in asked}
        one = asked[0]
        start_ms = end_ms - HISTORY_MS
        return histories_of(self._store, one.point, subjects, one.every_ms, expected, start_ms, end_ms)

    def _propose(self, asked: _Asked, history: History, end_ms: int) -> Proposal | None:
        wrong = asked.key[2]
        moment = datetime.fromtimestamp(end_ms / 1000, ZoneInfo(self._plan.timezone))
        offset = moment.utcoffset()
        zone_ms = round(offset.total_seconds() * 1000) if offset else 0
        found = propose_hold(history, wrong.comparison) if wrong.kind == "flapping" else None
        found = found or propose_level(history, wrong.comparison, zone_ms)
        return found if found and _is_settable(found, asked, wrong) else None


def _together(due: Sequence[_Asked]) -> Iterator[list[_Asked]]:
    """The same, in parts that are read at once."""
    parts: dict[tuple[str, int], list[_Asked]] = {}
    for each in due:
        parts.setdefault((each.point.id, each.every_ms), []).append(each)
    for part in parts.values():
        for start in range(0, len(part), _MOST_AT_ONCE):
            yield part[start : start + _MOST_AT_ONCE]


def _is_settable(proposal: Proposal, asked: _Asked, wrong: Misfit) -> bool:
    """Whether the plan could have the level: inside the unit's bounds, and warning before critical."""
    changed, limits, bounds = proposal.comparison, asked.subject.limits, asked.point.bounds
    if bounds is not None and (
        (changed.high is not None and changed.high >= bounds[1])
        or (changed.low is not None and changed.low <= bounds[0])
    ):
        return False
    warning = changed if wrong.level == "warning" else limits.warning
    critical = changed if wrong.level == "critical" else limits.critical
    return warning is None or critical is None or disorder(warning, critical) is None


def _with(reviewed: PointReview, found: Mapping[tuple[str, Subject], _Made | None]) -> PointReview:
    subjects = []
    for subject in reviewed.subjects:
        made = found.get((reviewed.point.id, subject.subject))
        proposed = made is not None and made.proposal is not None
        subjects.append(replace(subject, proposal=made.proposal) if made and proposed else subject)
    return PointReview(reviewed.point, subjects)
