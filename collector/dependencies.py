"""Who was behind something silent in a period, from the samples in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from collector.analysis.gaps.presence import patience_ms
from collector.analysis.review import Window
from collector.analysis.silence import NO_MASKS, Masks, Signs, masks_of, silent_spans
from collector.analysis.windows import load_table
from collector.planned_subjects import PlannedSubject, PlannedSubjects
from collector.store.base import Metric, Store
from setpoint.maintenance import HOST_TAGS
from setpoint.plan import Plan, PlanPoint
from setpoint.reading import Subject
from setpoint.spans import Spans

# What an agent says of a device that does not answer is no sign of the device's life.
_NO_SIGN = ("snmp_device", "poll_s")
_SIGN_UNLESS_ZERO = ("snmp_device", "up")

_RUNS = """
SELECT subject, min(t), max(t)
FROM (
    SELECT subject, t, count(*) FILTER (begins) OVER (PARTITION BY subject ORDER BY t) AS run
    FROM (
        SELECT
            subject,
            t,
            t - lag(t) OVER (PARTITION BY subject ORDER BY t) <= patience_ms IS NOT TRUE AS begins
        FROM (SELECT DISTINCT subject, t FROM setpoint_train WHERE {sign})
        JOIN setpoint_patience USING (subject)
    )
)
GROUP BY subject, run
ORDER BY subject, min(t)
"""


def masks(plan: Plan, store: Store, planned: PlannedSubjects, window: Window) -> Masks:
    """Who is masked in the window, and by whom. As the store, it may raise StoreUnavailable."""
    upstream = {name for others in plan.depends_on.values() for name in others}
    if not upstream:
        return NO_MASKS
    found: list[tuple[PlanPoint, list[PlannedSubject]]] = []
    patience: dict[str, int] = {}
    for point in plan.points:
        if (point.measurement, point.field) == _NO_SIGN:
            continue
        subjects = [one for one in planned.of(point, window.start_ms) if _names(one.tags) & upstream]
        found.append((point, subjects))
        for one in subjects:
            for name in _names(one.tags) & upstream:
                if one.limits.every_ms:
                    waited_ms = patience_ms(one.limits.every_ms)
                    patience[name] = min(waited_ms, patience.get(name, waited_ms))
    signs: dict[str, list[Signs]] = {}
    for point, subjects in found:
        for one, sign in zip(subjects, _signs(store, point, subjects, patience, window), strict=True):
            for name in _names(one.tags) & upstream:
                signs.setdefault(name, []).append(sign)

    def silent_of(name: str) -> Spans | None:
        return silent_spans(signs[name], window.start_ms, window.end_ms) if name in signs else None

    return masks_of(plan.depends_on, silent_of)


def _names(tags: Mapping[str, str]) -> set[str]:
    return {tags[tag] for tag in HOST_TAGS if tag in tags}


def _signs(
    store: Store,
    point: PlanPoint,
    subjects: Sequence[PlannedSubject],
    patience: Mapping[str, int],
    window: Window,
) -> list[Signs]:
    """The signs of life of each of the subjects."""
    signs = {
        one.subject: Signs(patience_ms(one.limits.every_ms) if one.limits.every_ms else None, one.last_ms)
        for one in subjects
    }
    shortest: dict[Subject, int] = {}
    for one in subjects:
        known = [patience[name] for name in _names(one.tags) if name in patience]
        if known:
            shortest[one.subject] = min(known)
    if not shortest:
        return [signs[one.subject] for one in subjects]
    wanted = {name for one in subjects for name in _names(one.tags)}

    def is_one_of_them(tags: Mapping[str, str]) -> bool:
        return bool(_names(tags) & wanted) and point.wants(tags)

    longest_ms = max(one.patience_ms or 0 for one in signs.values())
    with store.train(
        Metric(point.measurement, point.field),
        is_one_of_them,
        window.start_ms - longest_ms,
        window.end_ms,
        point.by,
    ) as train:
        numbers = [n for n, subject in enumerate(train.subjects) if subject in shortest]
        columns: dict[str, npt.NDArray[np.generic]] = {
            "subject": np.array(numbers, np.int32),
            "patience_ms": np.array([shortest[train.subjects[n]] for n in numbers], np.int64),
        }
        load_table(train.connection, "setpoint_patience", columns)
        is_up = (point.measurement, point.field) == _SIGN_UNLESS_ZERO
        statement = _RUNS.format(sign="value <> 0" if is_up else "true")
        runs = train.relation.query("setpoint_train", statement)
        for number, first_ms, last_ms in runs.fetchall() if runs is not None else ():
            signs[train.subjects[number]].runs.append((first_ms, last_ms))
    return [signs[one.subject] for one in subjects]
