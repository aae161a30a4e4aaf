"""agent-dropping: an agent lost readings, so that what the period shows of it is not all there was."""

from __future__ import annotations

from typing import Final

from collector.analysis.gaps.fleet import verdicts_of_agents
from collector.analysis.gaps.report import Gap, other_verdict, query
from collector.analysis.gaps.words import Words, number
from collector.analysis.review import AgentLosses, Review
from setpoint.finding import Answer, Evidence, Severity, Verdict
from setpoint.reading import Subject

KIND: Final = "agent-dropping"

_UNTOLD_SHARE: Final = 0.1
"""So much of the period may pass at either end before and after an agent says what it lost."""

_HEADLINE = {"en": "{name} lost {count} readings", "zh": "{name} 丢失了 {count} 个读数"}
_STORY = {
    "en": "{period} the agent on {agent} lost {count} readings for good: {dropped} were dropped from its "
    "full outbox, oldest first, and {refused} were refused by the collector.",
    "zh": "{period}，{agent} 上的代理永久丢失了 {count} 个读数："
    "{dropped} 个因发件箱已满被丢弃（最旧的先丢），{refused} 个被采集端拒收。",
}
_WHAT = {"en": "lost readings", "zh": "丢失了读数"}
_ACTION_DROPPED = {
    "en": "See what kept it from delivering for so long (broker, network, collector), and give its outbox "
    "room for that: outbox.max_size and max_age in its agent.yaml",
    "zh": "查明长时间无法送达的原因（消息代理、网络、采集端），并在 agent.yaml 中用 outbox.max_size 与 "
    "max_age 为发件箱留出余量",
}
_ACTION_REFUSED = {
    "en": "See what was refused and why: /api/rejected, and the folder `rejected` in the collector's data",
    "zh": "查看拒收的内容及原因：/api/rejected，以及采集端数据目录中的 `rejected` 文件夹",
}
_MENDED = {"en": "{review} passes in which it loses none", "zh": "{review}内没有丢失读数"}


def check(review: Review) -> list[Verdict]:
    """One verdict per agent that said in the window what it lost, and one for all of them."""
    gaps: dict[str, Gap] = {}
    others = []
    for name, losses in sorted(review.losses.items()):
        subject: Subject = (("host", name),)
        if losses.dropped or losses.refused:
            gaps[name] = _gap(review, subject, losses)
        else:
            others.append(other_verdict(KIND, "", None, subject, *_other(review, losses)))
    dropped = any(losses.dropped for losses in review.losses.values())
    action = _ACTION_DROPPED if dropped else _ACTION_REFUSED
    return verdicts_of_agents(review, KIND, gaps, others, _WHAT, action)


def _other(review: Review, losses: AgentLosses) -> tuple[Answer, str]:
    window = review.window
    untold_ms = _UNTOLD_SHARE * (window.end_ms - window.start_ms)
    if not window.complete:
        return "cannot tell", "the period is not over"
    if losses.first_ms - window.start_ms > untold_ms or window.end_ms - losses.last_ms > untold_ms:
        return "cannot tell", "it was heard of for only a part of the period"
    return "no gap", "it lost nothing"


def _gap(review: Review, subject: Subject, losses: AgentLosses) -> Gap:
    severity, reasons = _severity(losses)
    lost = losses.dropped + losses.refused

    def facts(words: Words) -> dict[str, str]:
        return {
            "name": subject[0][1],
            "agent": words.name(subject),
            "count": number(lost),
            "dropped": number(losses.dropped),
            "refused": number(losses.refused),
            "period": words.period(review.window),
            "review": words.review_period(review.plan.review),
        }

    return Gap(
        kind=KIND,
        key="",
        subject=subject,
        point=None,
        points=[],
        severity=severity,
        reasons=reasons,
        headline=lambda words: words.say(_HEADLINE, **facts(words)),
        story=lambda words: words.say(_STORY, **facts(words)),
        action=lambda words: words.say(_ACTION_DROPPED if losses.dropped else _ACTION_REFUSED),
        mended_when=lambda words: words.say(_MENDED, **facts(words)),
        evidence=Evidence(
            start_ms=review.window.start_ms,
            end_ms=review.window.end_ms,
            statistics={"dropped_readings": losses.dropped, "refused_readings": losses.refused},
            query=query(subject, measurement="setpoint_agent"),
        ),
        measured=lost,
        target=0,
        unit="readings",
    )


def _severity(losses: AgentLosses) -> tuple[Severity, list[str]]:
    if losses.dropped:
        return "warning", [f"{number(losses.dropped)} readings were dropped before they were delivered"]
    return "info", ["nothing was dropped, but what was refused is not measured either"]
