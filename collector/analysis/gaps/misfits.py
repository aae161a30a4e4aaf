"""What never-near, too-tight and flapping have in common: they judge a level, and propose another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from collector.analysis.gaps.alike import Found, Judged, verdicts_of_point
from collector.analysis.gaps.report import Gap, evidence_of
from collector.analysis.gaps.rules import not_closing, too_little_expected
from collector.analysis.gaps.words import Words, number
from collector.analysis.level_fit import (
    LEAST_DAYS_FAR,
    LEAST_DAYS_MANY,
    LevelName,
    Misfit,
    MisfitKind,
    days,
    levels,
    misfit,
)
from collector.analysis.proposals import Outcome, Proposal
from collector.analysis.review import Review, SubjectReview
from collector.analysis.statistics import Breaches
from setpoint.finding import Severity, Verdict
from setpoint.limits import Comparison
from setpoint.plan import PlanPoint

LEVEL_NAMES: Final[Mapping[LevelName, Mapping[str, str]]] = {
    "critical": {"en": "critical", "zh": "严重"},
    "warning": {"en": "warning", "zh": "警告"},
}
_FOR = {"en": "{level} for {least}", "zh": "{level}、持续 {least}"}
_PROPOSED = {
    "en": "Set the {name} level to {setting}: in the last {history} it would have had {proposed} instead of "
    "{present}",
    "zh": "将{name}阈值设为{setting}：最近 {history}内将为 {proposed}，而非 {present} 次",
}
_EPISODES = {"en": "{count} episodes", "zh": "{count} 次"}
_ONE_EPISODE = {"en": "1 episode", "zh": "1 次"}

Texts = Mapping[str, str]


class Wording(msgspec.Struct, frozen=True, kw_only=True):
    """What one of the three says. ``what`` is for many subjects together; ``amount`` for one among them."""

    kind: MisfitKind
    headline: Texts
    story: Texts
    what: Texts
    amount: Texts
    action: Texts
    mended: Texts


Severe = Callable[[Misfit, SubjectReview], tuple[Severity, list[str]]]
More = Callable[[Words, PlanPoint, SubjectReview, Misfit], dict[str, str]]
"""The facts that the texts need beyond those that all three have."""


def check_misfits(review: Review, wording: Wording, severe: Severe, more: More) -> list[Verdict]:
    """One verdict per subject that has a level, and one per point for what many subjects have in common."""
    verdicts = []
    for reviewed in review.points:
        point = reviewed.point
        judged = [
            _judge(review, point, subject, wording, severe, more)
            for subject in reviewed.subjects
            if any(True for _ in levels(subject))
        ]
        verdicts += verdicts_of_point(
            review, wording.kind, point.id, point, judged, lambda words: words.say(wording.what)
        )
    return verdicts


def breaches_of(reviewed: SubjectReview, level: LevelName) -> Breaches:
    """The breaches of that level."""
    shown = reviewed.statistics
    return (shown.critical if level == "critical" else shown.warning) or Breaches()


def setting(words: Words, comparison: Comparison, unit: str) -> str:
    """The level with its ``for``: "above 85 % for 10 min"."""
    level = words.comparison(comparison, unit)
    if not comparison.for_ms:
        return level
    return words.say(_FOR, level=level, least=words.duration(comparison.for_ms))


def proposed(words: Words, name: LevelName, proposal: Proposal, unit: str) -> str:
    """What to set, and what that would have said instead."""
    return words.say(
        _PROPOSED,
        name=words.say(LEVEL_NAMES[name]),
        setting=setting(words, proposal.comparison, unit),
        history=words.duration(proposal.end_ms - proposal.start_ms, 1),
        proposed=_episodes(words, proposal.proposed),
        present=number(proposal.present.episodes),
    )


def _episodes(words: Words, outcome: Outcome) -> str:
    if outcome.episodes == 1:
        return words.say(_ONE_EPISODE)
    return words.say(_EPISODES, count=number(outcome.episodes))


def _judge(
    review: Review,
    point: PlanPoint,
    reviewed: SubjectReview,
    wording: Wording,
    severe: Severe,
    more: More,
) -> Judged:
    least_days = LEAST_DAYS_FAR if wording.kind == "never-near" else LEAST_DAYS_MANY
    if reason := too_little_expected(reviewed):
        return Judged(reviewed, "cannot tell", reason)
    if days(reviewed.statistics) < least_days:
        return Judged(reviewed, "cannot tell", f"it was expected for less than {least_days} d")
    wrong = misfit(point, reviewed)
    # That something came near, or that it came often, was seen. That nothing did needs all of the time.
    reason = not_closing(review, point, reviewed)
    if wrong is not None and wrong.kind == wording.kind:
        if wrong.kind != "never-near" or _is_watched(point, reviewed):
            return Judged(reviewed, "gap", "", _found(review, point, reviewed, wrong, wording, severe, more))
        return Judged(reviewed, "cannot tell", "too little of it was measured to say that nothing came near")
    if reviewed.statistics.max is None:
        reason = reason or "nothing was measured that it could be judged by"
    if reason:
        return Judged(reviewed, "cannot tell", reason)
    return Judged(reviewed, "no gap", "its levels fit what was measured")


def _is_watched(point: PlanPoint, reviewed: SubjectReview) -> bool:
    return reviewed.statistics.coverage >= point.min_coverage


def _found(
    review: Review,
    point: PlanPoint,
    reviewed: SubjectReview,
    wrong: Misfit,
    wording: Wording,
    severe: Severe,
    more: More,
) -> Found:
    severity, reasons = severe(wrong, reviewed)
    breaches = breaches_of(reviewed, wrong.level)
    proposal = reviewed.proposal

    def facts(words: Words, marked: bool = True) -> dict[str, str]:
        return {
            "thing": words.thing(point.title, words.name(reviewed.subject, point.measurement, marked=marked)),
            "name": words.say(LEVEL_NAMES[wrong.level]),
            "level": setting(words, wrong.comparison, point.unit),
            "period": words.period(review.window),
            "plan": words.plan_revision(review.plan.revision),
            "review": words.review_period(review.plan.review),
            "coverage": words.share(point.min_coverage),
            **more(words, point, reviewed, wrong),
        }

    evidence = evidence_of(review, point, reviewed)
    numbers: dict[str, float | int | None] = {
        "episodes": breaches.episodes,
        "episode_ms": breaches.episode_ms,
        "longest_ms": breaches.longest_ms,
    }
    if proposal is not None:
        changed = proposal.comparison
        numbers |= {
            "proposed_level": changed.high if changed.high is not None else changed.low,
            "proposed_for_ms": changed.for_ms,
            "history_ms": proposal.end_ms - proposal.start_ms,
            "history_episodes": proposal.present.episodes,
            "history_episodes_proposed": proposal.proposed.episodes,
        }
    never = wrong.kind == "never-near"
    return Found(
        Gap(
            kind=wording.kind,
            key=point.id,
            subject=reviewed.subject,
            point=point,
            points=[point],
            severity=severity,
            reasons=reasons,
            headline=lambda words: words.say(wording.headline, **facts(words, False)),
            story=lambda words: words.say(wording.story, **facts(words)),
            # The point's own action is for a breach; here it is the level that is to be changed.
            action=lambda words: (
                proposed(words, wrong.level, proposal, point.unit)
                if proposal
                else words.say(wording.action, **facts(words))
            ),
            mended_when=lambda words: words.say(wording.mended, **facts(words)),
            evidence=msgspec.structs.replace(
                evidence,
                statistics={**evidence.statistics, **numbers},
                episodes=list(proposal.proposed.longest) if proposal else list(breaches.longest),
            ),
            coverage=reviewed.statistics.coverage,
            measured=_nearest(reviewed, wrong) if never else breaches.episodes,
            target=_level(wrong) if never else None,
            unit=point.unit if never else "",
        ),
        weight=wrong.beyond / wrong.ranged if wrong.beyond and wrong.ranged else float(breaches.episodes),
        amount=lambda words: words.say(wording.amount, **facts(words)),
    )


def _nearest(reviewed: SubjectReview, wrong: Misfit) -> float | None:
    shown = reviewed.statistics
    return shown.max if wrong.comparison.high is not None else shown.min


def _level(wrong: Misfit) -> float | None:
    return wrong.comparison.high if wrong.comparison.high is not None else wrong.comparison.low
