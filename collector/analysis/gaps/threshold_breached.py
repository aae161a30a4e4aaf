"""threshold-breached: a value was beyond its warning or critical level for longer than the plan allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from collector.analysis.gaps.alike import Found, Judged, verdicts_of_point
from collector.analysis.gaps.report import ENGLISH, Gap, action_of, evidence_of
from collector.analysis.gaps.rules import not_closing, too_little_expected, too_thin
from collector.analysis.gaps.target_missed import is_allowance
from collector.analysis.gaps.words import Words
from collector.analysis.review import Review, SubjectReview
from collector.analysis.statistics import Breaches
from setpoint.finding import Answer, Verdict, round12
from setpoint.limits import Comparison
from setpoint.plan import PlanPoint

KIND: Final = "threshold-breached"

_HEADLINE = {"en": "{thing} {level} for {time}", "zh": "{thing}{level}累计 {time}"}
_STORY = {
    "en": "{period} {thing} was {level} for {time} in {episodes}; {allowed}.{extreme}",
    "zh": "{period}，{thing}{level}累计 {time}（{episodes}）；{allowed}。{extreme}",
}
_EPISODES = {
    "en": "{count} episodes{lasting}, the longest {longest}",
    "zh": "{count} 次{lasting}，最长 {longest}",
}
_ONE_EPISODE = {"en": "one episode{lasting}", "zh": "1 次{lasting}"}
_LASTING = {"en": " of at least {least}", "zh": "，每次至少 {least}"}
_ALLOWED = {
    "en": "{plan} allows {allowance}, so the gap is {gap}",
    "zh": "{plan}允许 {allowance}，超出 {gap}",
}
_NOT_ALLOWED = {"en": "{plan} allows none of it", "zh": "{plan}不允许超限"}
_HIGHEST = {"en": " The highest value was {value}.", "zh": "实测最高 {value}。"}
_LOWEST = {"en": " The lowest value was {value}.", "zh": "实测最低 {value}。"}
_TOO_LONG = {"en": "beyond its level for longer than planned", "zh": "超限时间超出计划"}
_ACTION = {
    "en": "Find what drives the value beyond its level; assess capacity, or whether the level is right",
    "zh": "查明超限原因；评估容量，或核对阈值是否合理",
}
_MENDED = {
    "en": "{review} with at least {coverage} coverage stays within {allowance} {level}",
    "zh": "覆盖率不低于 {coverage} 的{review}内，{level}的时间不超过 {allowance}",
}
_MENDED_NONE = {
    "en": "{review} with at least {coverage} coverage has no episode {level}",
    "zh": "覆盖率不低于 {coverage} 的{review}内，没有{level}的情况",
}

Level = Literal["critical", "warning"]


@dataclass(frozen=True, slots=True)
class _Breach:
    level: Level
    comparison: Comparison
    breaches: Breaches
    allowed_ms: float

    @property
    def beyond_ms(self) -> float:
        return self.breaches.episode_ms - self.allowed_ms


def check(review: Review) -> list[Verdict]:
    """One verdict per subject that has a level, and one per point for what many subjects have in common."""
    verdicts = []
    for reviewed in review.points:
        judged = [
            _judge(review, reviewed.point, subject)
            for subject in reviewed.subjects
            if subject.limits.warning or subject.limits.critical
        ]
        point = reviewed.point
        verdicts += verdicts_of_point(
            review, KIND, point.id, point, judged, lambda words: words.say(_TOO_LONG)
        )
    return verdicts


def _judge(review: Review, point: PlanPoint, reviewed: SubjectReview) -> Judged:
    answer: Answer = "cannot tell"
    if not (reason := too_little_expected(reviewed)):
        # What was measured was measured: time beyond what is allowed stays so, however much is missing.
        # Only a share of the time could still shrink, so of that the whole expected time is taken.
        certain = _worst(reviewed, _allowed_ms(reviewed, thin=bool(too_thin(point, reviewed))))
        if certain is not None:
            return Judged(reviewed, "gap", "", _found(review, point, reviewed, certain))
        reason = not_closing(review, point, reviewed)
        if not reason:
            answer, reason = "no gap", "it stayed within what the plan allows"
    return Judged(reviewed, answer, reason)


def _worst(reviewed: SubjectReview, allowed_ms: float) -> _Breach | None:
    shown, limits = reviewed.statistics, reviewed.limits
    levels: tuple[tuple[Level, Comparison | None, Breaches | None], ...] = (
        ("critical", limits.critical, shown.critical),
        ("warning", limits.warning, shown.warning),
    )
    for level, comparison, breaches in levels:
        if comparison and breaches and breaches.episode_ms > allowed_ms:
            return _Breach(level, comparison, breaches, allowed_ms)
    return None


def _allowed_ms(reviewed: SubjectReview, *, thin: bool) -> float:
    """How long the plan lets the value be beyond a level; 0 where it does not say."""
    base_ms = reviewed.statistics.expected_ms if thin else reviewed.statistics.measured_ms
    allowances = [
        target.bound * (1000 if target.statistic == "breach_time" else base_ms)
        for target in reviewed.limits.targets
        if is_allowance(target)
    ]
    return min(allowances, default=0)


def _found(review: Review, point: PlanPoint, reviewed: SubjectReview, breach: _Breach) -> Found:
    breaches = breach.breaches

    def facts(words: Words, *, marked: bool = True) -> dict[str, str]:
        return {
            "thing": words.thing(point.title, words.name(reviewed.subject, point.measurement, marked=marked)),
            "level": words.comparison(breach.comparison, point.unit, point.metric),
            "time": words.duration_apart(breaches.episode_ms, breach.allowed_ms),
            "period": words.period(review.window),
            "review": words.review_period(review.plan.review),
            "coverage": words.share(point.min_coverage),
            "allowance": words.duration(breach.allowed_ms),
        }

    def story(words: Words) -> str:
        return words.say(
            _STORY,
            **facts(words),
            episodes=_episodes(words, breach),
            allowed=words.say(
                _ALLOWED if breach.allowed_ms else _NOT_ALLOWED,
                plan=words.plan_revision(review.plan.revision),
                allowance=words.duration(breach.allowed_ms),
                gap=words.duration(breach.beyond_ms),
            ),
            extreme=_extreme(words, point, reviewed, breach.comparison),
        )

    evidence = evidence_of(review, point, reviewed)
    return Found(
        Gap(
            kind=KIND,
            key=point.id,
            subject=reviewed.subject,
            point=point,
            points=[point],
            severity=breach.level,
            reasons=[_reason(breach)],
            headline=lambda words: words.say(_HEADLINE, **facts(words, marked=False)),
            story=story,
            action=action_of(point, _ACTION),
            mended_when=lambda words: words.say(
                _MENDED if breach.allowed_ms else _MENDED_NONE, **facts(words)
            ),
            evidence=msgspec.structs.replace(
                evidence,
                statistics={**evidence.statistics, **_numbers(reviewed, breach)},
                episodes=list(breaches.longest),
            ),
            coverage=reviewed.statistics.coverage,
            measured=breaches.episode_ms / 1000,
            target=breach.allowed_ms / 1000,
            unit="s",
        ),
        weight=breach.beyond_ms,
        amount=lambda words: facts(words)["time"],
    )


def _reason(breach: _Breach) -> str:
    time = f"the {breach.level} level was breached for {ENGLISH.duration(breach.breaches.episode_ms)}"
    if breach.allowed_ms:
        return f"{time}, and the plan allows {ENGLISH.duration(breach.allowed_ms)}"
    return f"{time}, and the plan allows no time"


def _episodes(words: Words, breach: _Breach) -> str:
    breaches = breach.breaches
    for_ms = breach.comparison.for_ms
    lasting = words.say(_LASTING, least=words.duration(for_ms)) if for_ms else ""
    if breaches.episodes == 1:
        return words.say(_ONE_EPISODE, lasting=lasting)
    return words.say(
        _EPISODES,
        count=str(breaches.episodes),
        longest=words.duration(breaches.longest_ms),
        lasting=lasting,
    )


def _extreme(words: Words, point: PlanPoint, reviewed: SubjectReview, comparison: Comparison) -> str:
    text = ""
    shown = reviewed.statistics
    for level, value, says in (
        (comparison.high, shown.max, _HIGHEST),
        (comparison.low, shown.min, _LOWEST),
    ):
        if level is not None and value is not None and comparison.breached(value):
            text += words.say(says, value=words.apart(value, level, point.unit))
    return text


def _numbers(reviewed: SubjectReview, breach: _Breach) -> dict[str, float | int | None]:
    breaches, shown = breach.breaches, reviewed.statistics
    return {
        "episodes": breaches.episodes,
        "episode_ms": breaches.episode_ms,
        "longest_ms": breaches.longest_ms,
        "breach_ms": breaches.breach_ms,
        "breach_share": round12(breaches.episode_ms / shown.measured_ms) if shown.measured_ms else None,
        "allowed_ms": breach.allowed_ms,
    }
