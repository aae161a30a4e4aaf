"""What too-tight and flapping have in common: a level that is breached so often that nobody heeds it."""

from __future__ import annotations

from typing import Final

from collector.analysis.gaps.misfits import Texts, Wording, breaches_of, check_misfits
from collector.analysis.gaps.words import Words
from collector.analysis.level_fit import Misfit, MisfitKind
from collector.analysis.review import Review, SubjectReview
from setpoint.finding import Severity, Verdict
from setpoint.plan import PlanPoint

_STORY: Final = {
    "en": "{period} {thing} was {level} in {count} episodes, {total} altogether; the longest lasted "
    "{longest}, the average {average}. What comes so often is no longer heeded.",
    "zh": "{period}，{thing}{level}共 {count} 次，累计 {total}；最长 {longest}，平均 {average}。"
    "如此频繁的告警，终将无人理会。",
}
_AMOUNT: Final = {"en": "{count} episodes", "zh": "{count} 次"}
_MENDED: Final = {
    "en": "{review} with at least {coverage} coverage has fewer than ten episodes {level}, or fewer than "
    "one a day",
    "zh": "覆盖率不低于 {coverage} 的{review}内，{level}少于十次，或平均每天不到一次",
}


def wording(kind: MisfitKind, *, headline: Texts, what: Texts, action: Texts) -> Wording:
    """What the check of that kind says."""
    return Wording(
        kind=kind, headline=headline, story=_STORY, what=what, amount=_AMOUNT, action=action, mended=_MENDED
    )


def check_breached_often(review: Review, said: Wording) -> list[Verdict]:
    """One verdict per subject that has a level, and one per point for what many have in common."""
    return check_misfits(review, said, _severity, _facts)


def _severity(wrong: Misfit, reviewed: SubjectReview) -> tuple[Severity, list[str]]:
    count = breaches_of(reviewed, wrong.level).episodes
    if wrong.level == "critical":
        return "warning", [f"the critical level was breached {count} times, and is no longer taken seriously"]
    return "info", [f"the warning level was breached {count} times"]


def _facts(words: Words, _: PlanPoint, reviewed: SubjectReview, wrong: Misfit) -> dict[str, str]:
    breaches = breaches_of(reviewed, wrong.level)
    return {
        "count": str(breaches.episodes),
        "total": words.duration(breaches.episode_ms),
        "longest": words.duration(breaches.longest_ms),
        "average": words.duration(breaches.episode_ms / breaches.episodes),
    }
