"""Who is to report for a point of the plan, since when, and by which limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector.agents import Agents
from collector.series import SeriesTable
from setpoint.limits import Limits
from setpoint.plan import PlanPoint
from setpoint.reading import Subject, subject_of

# The tags of one of a subject's series, and its first and newest time.
_Seen = tuple[Mapping[str, str], int | None, int | None]


@dataclass(frozen=True, slots=True)
class PlannedSubject:
    """``tags`` are those that ``where`` and overrides are matched with. ``named``: the plan names it, so it
    must exist even if nothing ever reported it. ``since_ms``: from when on it is expected; ``last_ms``: its
    newest sample.
    """

    subject: Subject
    tags: Mapping[str, str]
    limits: Limits
    named: bool
    since_ms: int
    last_ms: int | None


class PlannedSubjects:
    """The subjects of points, as series and agents are known now."""

    def __init__(self, series: SeriesTable, agents: Agents, planned_since: Mapping[str, int]) -> None:
        known = agents.all()
        self._series = series
        self._planned_since = planned_since
        self._enrolled = {a.name: a.first_ms for a in known}
        self.agents = {a.name: a.last_ms or 0 for a in known}
        """Name → time of the newest reading, of every known agent."""

    def planned_since(self, point: PlanPoint, default_ms: int) -> int:
        """Since when the point is planned, in any form."""
        return self._planned_since.get(point.id, default_ms)

    def of(self, point: PlanPoint, default_ms: int) -> list[PlannedSubject]:
        """The point's subjects, in order; ``default_ms`` stands for the time since when a point is planned
        that the register does not know.
        """
        seen = self._seen(point)
        literals, named = point.expected_literals(), point.expected_hosts(self.agents)
        tags: dict[Subject, Mapping[str, str]] = {s: t for s, (t, _, _) in seen.items()}
        for one in named:
            if not any(_agrees(t, one) for t in tags.values()):
                tags[subject_of(point.measurement, one, point.by)] = one
        planned_ms = self.planned_since(point, default_ms)
        unseen: _Seen = ({}, None, None)
        found: list[PlannedSubject] = []
        # Stores have an order of their own; findings are to be the same from each.
        for subject in sorted(tags):
            _, first_ms, last_ms = seen.get(subject, unseen)
            since_ms = planned_ms
            if not any(_agrees(tags[subject], one) for one in literals):
                # Nobody named it before it was there: it is expected from when it, or its host, came.
                came_ms = (
                    first_ms if first_ms is not None else self._enrolled.get(tags[subject].get("host", ""))
                )
                since_ms = max(since_ms, came_ms or 0)
            found.append(
                PlannedSubject(
                    subject=subject,
                    tags=tags[subject],
                    limits=point.settings(tags[subject]),
                    named=any(_agrees(tags[subject], one) for one in named),
                    since_ms=since_ms,
                    last_ms=last_ms,
                )
            )
        return found

    def _seen(self, point: PlanPoint) -> dict[Subject, _Seen]:
        """Every subject that has series: the tags of one of them, its first and its newest time."""
        found: dict[Subject, _Seen] = {}
        for number, key in self._series.of_metric(point.measurement, point.field):
            tags = dict(key.tags)
            if not point.wants(tags):
                continue
            subject = subject_of(point.measurement, tags, point.by)
            first: int | None = self._series.entry(number).first_ms
            last = self._series.last_ms(number)
            if subject in found:
                _, first_before, last_before = found[subject]
                first = min((t for t in (first, first_before) if t is not None), default=None)
                last = max((t for t in (last, last_before) if t is not None), default=None)
            found[subject] = (tags, first, last)
        return found


def _agrees(tags: Mapping[str, str], named: Mapping[str, str]) -> bool:
    return all(tags.get(key) == value for key, value in named.items())
