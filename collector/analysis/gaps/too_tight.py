"""too-tight: a level that is breached again and again in ordinary operation."""

from __future__ import annotations

from typing import Final

from collector.analysis.gaps.misfits import Wording, breaches_of, check_misfits
from collector.analysis.gaps.words import Words
from collector.analysis.level_fit import Misfit
from collector.analysis.review import Review, SubjectReview
from setpoint.finding import Severity, Verdict
from setpoint.plan import PlanPoint

KIND: Final = "too-tight"

STORY: Final = {
    "en": "{period} {thing} was {level} in {count} episodes, {total} altogether; the longest lasted "
    "{longest}, the average {average}. What comes so often is no longer heeded.",
    "zh": "{period}，{thing}{level}共 {count} 次，累计 {total}；最长 {longest}，平均 {average}。"
    "如此频繁的告警，终将无人理会。",
}
AMOUNT: Final = {"en": "{count} episodes", "zh": "{count} 次"}
MENDED: Final = {
    "en": "{review} with at least {coverage} coverage has fewer than ten episodes {level}, or fewer than "
    "one a day",
    "zh": "覆盖率不低于 {coverage} 的{review}内，{level}少于十次，或平均每天不到一次",
}
_WORDING = Wording(
    kind=KIND,
    headline={
        "en": "{thing}: {count} episodes {level}, the {name} level is too tight",
        "zh": "{thing}：{level}达 {count} 次，{name}阈值过严",
    },
    story=STORY,
    what={"en": "the level is too tight", "zh": "阈值过严"},
    amount=AMOUNT,
    action={
        "en": "Raise the level beyond what ordinary days reach, or mend what reaches it",
        "zh": "将阈值调整到日常取值之外，或消除造成超限的原因",
    },
    mended=MENDED,
)


def check(review: Review) -> list[Verdict]:
    """One verdict per subject that has a level, and one per point for what many have in common."""
    return check_misfits(review, _WORDING, severity, facts)


def severity(wrong: Misfit, reviewed: SubjectReview) -> tuple[Severity, list[str]]:
    """How bad it is to be called so often, and why."""
    count = breaches_of(reviewed, wrong.level).episodes
    if wrong.level == "critical":
        return "warning", [f"the critical level was breached {count} times, and is no longer taken seriously"]
    return "info", [f"the warning level was breached {count} times"]


def facts(words: Words, _: PlanPoint, reviewed: SubjectReview, wrong: Misfit) -> dict[str, str]:
    """What the texts say of the episodes."""
    breaches = breaches_of(reviewed, wrong.level)
    return {
        "count": str(breaches.episodes),
        "total": words.duration(breaches.episode_ms),
        "longest": words.duration(breaches.longest_ms),
        "average": words.duration(breaches.episode_ms / breaches.episodes),
    }
