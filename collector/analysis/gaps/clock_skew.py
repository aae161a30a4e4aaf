"""clock-skew: an agent's clock is off, so that what it measured is dated wrongly or refused."""

from __future__ import annotations

from typing import Final

from collector.analysis.gaps.fleet import verdicts_of_agents
from collector.analysis.gaps.report import Gap, other_verdict, query
from collector.analysis.gaps.words import Words, number
from collector.analysis.review import AgentClock, Review
from setpoint.finding import Answer, Evidence, Severity, Verdict
from setpoint.reading import Subject

KIND: Final = "clock-skew"

MOST_OFF_MS: Final = 30_000
"""A batch may be some seconds on its way; what is more is the clock."""
REFUSED_FOR_MS: Final = 3_600_000
"""So long after the last reading that was refused for its time, the clock is not called right."""
HEARD_FOR_MS: Final = 600_000

_HEADLINE = {"en": "The clock of {name} is off by {off}", "zh": "{name} 的时钟偏差 {off}"}
_STORY = {
    "en": "At {moment} the clock of the agent on {agent} was {off} {side} the collector's.{refused}",
    "zh": "{moment}，{agent} 上代理的时钟比采集端{side} {off}。{refused}",
}
_REFUSED = {
    "en": " {count} readings were refused for their time since the collector was started, the last one at "
    "{last}; they are lost.",
    "zh": "采集端启动以来因时间越界拒收 {count} 个读数，最近一次为 {last}；这些读数已丢失。",
}
_AHEAD = {"en": "ahead of", "zh": "快"}
_BEHIND = {"en": "behind", "zh": "慢"}
_WHAT = {"en": "have a clock that is off", "zh": "时钟有偏差"}
_ACTION = {
    "en": "See that time is synchronised there (chronyc tracking, timedatectl), and on the collector too",
    "zh": "检查该主机及采集端的时间同步（chronyc tracking、timedatectl）",
}
_MENDED = {
    "en": "its batches are within {most} of the collector's clock, and for {quiet} no reading is refused for "
    "its time",
    "zh": "其批次与采集端时钟相差不超过 {most}，且 {quiet}内没有读数因时间被拒收",
}


def check(review: Review) -> list[Verdict]:
    """One verdict per agent that was heard of since the start of the collector, and one for all of them."""
    gaps: dict[str, Gap] = {}
    others = []
    for name, clock in sorted(review.clocks.items()):
        # An agent's clock is known as of now, whichever period is looked at.
        now_ms = max(review.window.end_ms, clock.heard_ms)
        refused = clock.refused_ms is not None and now_ms - clock.refused_ms < REFUSED_FOR_MS
        subject: Subject = (("host", name),)
        if refused or (clock.ahead_ms is not None and abs(clock.ahead_ms) > MOST_OFF_MS):
            gaps[name] = _gap(review, subject, clock, refused=refused)
        else:
            others.append(other_verdict(KIND, "", None, subject, *_other(clock, now_ms)))
    return verdicts_of_agents(review, KIND, gaps, others, _WHAT, _ACTION)


def _other(clock: AgentClock, now_ms: int) -> tuple[Answer, str]:
    if clock.ahead_ms is None:
        return "cannot tell", "no batch said when it was sent"
    if now_ms - clock.heard_ms > HEARD_FOR_MS:
        return "cannot tell", "it has not been heard of lately"
    return "no gap", "its clock agrees with the collector's"


def _gap(review: Review, subject: Subject, clock: AgentClock, *, refused: bool) -> Gap:
    zone = review.plan.timezone
    # What was refused tells more than the sending: readings may be old, or come from another clock.
    off_ms = clock.off_ms if refused and clock.off_ms else clock.ahead_ms or 0
    severity, reasons = _severity(clock, refused=refused)

    def facts(words: Words, *, marked: bool = True) -> dict[str, str]:
        told = ""
        if refused and clock.refused_ms is not None:
            last = words.moment(clock.refused_ms, zone)
            told = words.say(_REFUSED, count=number(clock.refused), last=last)
        return {
            "name": subject[0][1],
            "agent": words.name(subject, marked=marked),
            "moment": words.moment(clock.heard_ms, zone),
            "off": words.duration(abs(off_ms)),
            "side": words.say(_AHEAD if off_ms > 0 else _BEHIND),
            "refused": told,
            "most": words.duration(MOST_OFF_MS),
            "quiet": words.duration(REFUSED_FOR_MS),
        }

    return Gap(
        kind=KIND,
        key="",
        subject=subject,
        point=None,
        points=[],
        severity=severity,
        reasons=reasons,
        headline=lambda words: words.say(_HEADLINE, **facts(words, marked=False)),
        story=lambda words: words.say(_STORY, **facts(words)),
        action=lambda words: words.say(_ACTION),
        mended_when=lambda words: words.say(_MENDED, **facts(words)),
        evidence=Evidence(
            start_ms=review.window.start_ms,
            end_ms=review.window.end_ms,
            statistics={
                "clock_ahead_ms": clock.ahead_ms,
                "refused_readings": clock.refused,
                "refused_off_ms": clock.off_ms if refused else None,
            },
            query=query(subject, measurement="setpoint_agent"),
        ),
        measured=abs(off_ms) / 1000,
        target=MOST_OFF_MS / 1000,
        unit="s",
    )


def _severity(clock: AgentClock, *, refused: bool) -> tuple[Severity, list[str]]:
    if refused:
        return "critical", [f"{number(clock.refused)} readings were refused for their time"]
    return "warning", ["what it measured is dated wrongly, though still taken"]
