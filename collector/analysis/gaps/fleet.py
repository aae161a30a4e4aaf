"""Many agents with the same gap are one finding: a broker that was away for a day made them all drop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from collector.analysis.gaps.alike import MANY
from collector.analysis.gaps.report import LANGUAGES, MEMBERS_KEPT, Gap, gap_verdict, other_verdict, query
from collector.analysis.gaps.words import Words, number
from collector.analysis.review import Review
from setpoint.finding import Answer, Evidence, Verdict

_HEADLINE: Final = {"en": "{count} agents {what}", "zh": "{count} 个代理{what}"}
_STORY: Final = {
    "en": "{period} this holds for {count} of {all} agents. The worst: {worst}.",
    "zh": "{period}，{all} 个代理中有 {count} 个存在此问题。最严重的：{worst}。",
}
_ORDER: Final = {"critical": 0, "warning": 1, "info": 2}


def verdicts_of_agents(
    review: Review,
    kind: str,
    gaps: Mapping[str, Gap],
    others: Sequence[Verdict],
    what: Mapping[str, str],
    action: Mapping[str, str],
) -> list[Verdict]:
    """The verdicts on agents: ``gaps`` by name, and the others. Of more than MANY gaps there is one finding,
    under the subject (), and each of their agents answers "cannot tell".
    """
    if not gaps and not others:
        return []
    if len(gaps) <= MANY:
        # "No gap" is for the common finding only: each agent is judged by itself.
        answer: Answer = "no gap" if all(verdict.answer == "no gap" for verdict in others) else "cannot tell"
        together = other_verdict(kind, "", None, (), answer, "each agent is judged by itself")
        return [*(gap_verdict(review, gap) for gap in gaps.values()), *others, together]
    members = [
        other_verdict(kind, "", None, gap.subject, "cannot tell", "it is said of all such agents together")
        for gap in gaps.values()
    ]
    worst = sorted(
        gaps.items(), key=lambda each: (_ORDER[each[1].severity], -(each[1].measured or 0), each[0])
    )
    return [*members, *others, gap_verdict(review, _together(review, kind, worst, len(others), what, action))]


def _together(
    review: Review,
    kind: str,
    worst: Sequence[tuple[str, Gap]],
    others: int,
    what: Mapping[str, str],
    action: Mapping[str, str],
) -> Gap:
    first = worst[0][1]

    def facts(words: Words) -> dict[str, str]:
        shown = [
            f"{words.name(gap.subject)} ({words.quantity(gap.measured or 0, gap.unit)})" for _, gap in worst
        ]
        return {
            "count": number(len(worst)),
            "all": number(len(worst) + others),
            "what": words.say(what),
            "period": words.period(review.window),
            "worst": words.listing(shown),
        }

    english = LANGUAGES[0]
    return Gap(
        kind=kind,
        key="",
        subject=(),
        point=None,
        points=[],
        severity=first.severity,
        reasons=first.reasons,
        headline=lambda words: words.say(_HEADLINE, **facts(words)),
        story=lambda words: words.say(_STORY, **facts(words)),
        action=lambda words: words.say(action),
        mended_when=first.mended_when,
        evidence=Evidence(
            start_ms=review.window.start_ms,
            end_ms=review.window.end_ms,
            statistics={"agents": len(worst), "judged": len(worst) + others},
            members=[
                f"host={name}: {english.quantity(gap.measured or 0, gap.unit)}"
                for name, gap in worst[:MEMBERS_KEPT]
            ],
            query=query((), measurement="setpoint_agent"),
        ),
        measured=len(worst),
        target=0,
        unit="agents",
    )
