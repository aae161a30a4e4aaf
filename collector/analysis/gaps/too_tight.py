"""too-tight: a level that is breached again and again in ordinary operation."""

from __future__ import annotations

from typing import Final

from collector.analysis.gaps.breached_often import check_breached_often, wording
from collector.analysis.review import Review
from setpoint.finding import Verdict

KIND: Final = "too-tight"

_WORDING = wording(
    KIND,
    headline={
        "en": "{thing}: {count} episodes {level}, the {name} level is too tight",
        "zh": "{thing}：{level}达 {count} 次，{name}阈值过严",
    },
    what={"en": "the level is too tight", "zh": "阈值过严"},
    action={
        "en": "Raise the level beyond what ordinary days reach, or mend what reaches it",
        "zh": "将阈值调整到日常取值之外，或消除造成超限的原因",
    },
)


def check(review: Review) -> list[Verdict]:
    """One verdict per subject that has a level, and one per point for what many have in common."""
    return check_breached_often(review, _WORDING)
