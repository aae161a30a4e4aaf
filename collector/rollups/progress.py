"""How far hours are rolled up."""

from __future__ import annotations

import msgspec

from collector.rollups.file import HOUR_MS, RollupFile
from setpoint.plan import Plan


class PointProgress(msgspec.Struct, frozen=True):
    """One plan point: its hours in [``from_ms``, ``until_ms``) are rolled up, ``hours_left`` are to follow.

    Times are UTC milliseconds; None before the first hour. ``kept`` is False for a point that is computed
    from samples alone.
    """

    point: str
    title: str
    from_ms: int | None
    until_ms: int | None
    hours_left: int
    kept: bool = True


class RollupProgress(msgspec.Struct, frozen=True, kw_only=True):
    """``late_hours``: how many hours of metrics wait to be rolled up again, since samples came late.
    ``error``: why nothing is rolled up at present; else empty.
    """

    hours_left: int
    late_hours: int
    points: list[PointProgress]
    error: str = ""


def rollup_progress(plan: Plan, file: RollupFile, settled_ms: int, error: str = "") -> RollupProgress:
    """How far the plan's points are rolled up, where hours are due that ended until ``settled_ms``.
    May raise sqlite3.Error.
    """
    points = [
        _of_point(file, point.id, point.title, point.definition_hash, settled_ms)
        if point.ratio_to is None
        else PointProgress(point.id, point.title, None, None, 0, kept=False)
        for point in plan.points
    ]
    left = sum(one.hours_left for one in points)
    return RollupProgress(hours_left=left, late_hours=file.late_hours(), points=points, error=error)


def _of_point(file: RollupFile, id_: str, title: str, definition: str, settled_ms: int) -> PointProgress:
    number, done_ms = file.point(id_, definition)
    if done_ms is None:
        return PointProgress(id_, title, None, None, 0)
    return PointProgress(id_, title, file.oldest_ms(number), done_ms, max(0, settled_ms - done_ms) // HOUR_MS)
