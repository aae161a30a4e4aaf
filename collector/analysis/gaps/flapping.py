"""flapping: a value that crosses its level and comes back, again and again."""

from __future__ import annotations

from typing import Final

from collector.analysis.gaps.breached_often import check_breached_often, wording
from collector.analysis.review import Review
from setpoint.finding import Verdict

KIND: Final = "flapping"

_WORDING = wording(
    KIND,
    headline={
        "en": "{thing} flaps: {count} episodes {level}, {average} on average",
        "zh": "{thing}反复越限：{level}共 {count} 次，平均 {average}",
    },
    what={"en": "flapping around the level", "zh": "反复越过阈值"},
    action={
        "en": "Let the level hold for longer before it counts, or move it away from where the value lives",
        "zh": "延长阈值的持续时间要求，或使其远离日常取值",
    },
)


def check(review: Review) -> list[Verdict]:
    """One verdict per subject that has a level, and one per point for what many have in common."""
    return check_breached_often(review, _WORDING)
