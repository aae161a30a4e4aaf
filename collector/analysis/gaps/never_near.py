"""never-near: a level so far from everything that was seen that it guards nothing."""

from __future__ import annotations

from typing import Final

from collector.analysis.gaps.misfits import Wording, check_misfits
from collector.analysis.gaps.words import Words, number
from collector.analysis.level_fit import Misfit
from collector.analysis.review import Review, SubjectReview
from setpoint.finding import Severity, Verdict
from setpoint.plan import PlanPoint

KIND: Final = "never-near"

_WORDING = Wording(
    kind=KIND,
    headline={
        "en": "{thing} never comes near its {name} level",
        "zh": "{thing}从未接近{name}阈值",
    },
    story={
        "en": "{period} {thing} lay between {low} and {high}; {plan} sets the {name} level {level}.{beyond}",
        "zh": "{period}，{thing}介于 {low} 与 {high} 之间；{plan}的{name}阈值为{level}。{beyond}",
    },
    what={"en": "never near its level", "zh": "从未接近阈值"},
    amount={"en": "{low} to {high}, {name} {level}", "zh": "{low} 至 {high}，{name}阈值{level}"},
    action={
        "en": "Set a level that tells the unusual from the usual, or take it out of the plan",
        "zh": "设置能区分异常与正常的阈值，或将其移出计划",
    },
    mended={
        "en": "the plan has a level that lies no farther from what {review} shows than ten times its range",
        "zh": "计划中的阈值与{review}内实测值的距离不超过实测范围的十倍",
    },
)
_BEYOND = {
    "en": " That is {times} times the whole range beyond anything seen, so it would tell only of a disaster.",
    "zh": "该阈值超出实测极值的距离为整个实测范围的 {times} 倍，只有灾难性变化才会触发。",
}
_IMPOSSIBLE = {
    "en": " The unit has no such values, so it can never be breached.",
    "zh": "该单位不存在这样的取值，因此永远不会触发。",
}


def check(review: Review) -> list[Verdict]:
    """One verdict per subject that has a level, and one per point for what many have in common."""
    return check_misfits(review, _WORDING, _severity, _facts)


def _severity(wrong: Misfit, _: SubjectReview) -> tuple[Severity, list[str]]:
    if wrong.beyond is None:
        return "warning", ["no value can ever breach the level"]
    return "info", ["no value came near the level, and none breached it"]


def _facts(words: Words, point: PlanPoint, reviewed: SubjectReview, wrong: Misfit) -> dict[str, str]:
    shown = reviewed.statistics
    assert shown.min is not None
    assert shown.max is not None
    beyond = words.say(_IMPOSSIBLE)
    if wrong.beyond is not None and wrong.ranged:
        beyond = words.say(_BEYOND, times=number(wrong.beyond / wrong.ranged))
    return {
        "low": words.quantity(shown.min, point.unit),
        "high": words.quantity(shown.max, point.unit),
        "beyond": beyond,
    }
