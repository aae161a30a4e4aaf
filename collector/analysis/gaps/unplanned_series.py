"""unplanned-series: something is measured, and no point of the plan wants it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from collector.analysis.derived import beside
from collector.analysis.gaps.report import Gap, gap_verdict, other_verdict, query
from collector.analysis.gaps.words import Words, number
from collector.analysis.review import Review
from collector.store.base import SeriesSeen
from setpoint.finding import Evidence, Verdict
from setpoint.plan import Plan
from setpoint.reading import Subject

KIND: Final = "unplanned-series"

# Setpoint's own: what it says of itself, and the thresholds that it reads to compare them with the plan.
_OWN_PREFIX = "setpoint_"
_OWN = frozenset({"threshold", "threshold_none", "threshold_source"})
_METRICS_KEPT: Final = 100

_HEADLINE = {
    "en": "{measurement} is measured, and the plan wants {share} of it",
    "zh": "{measurement} 已被测量，但计划{share}",
}
_NONE = {"en": "none", "zh": "未涉及"}
_A_PART = {"en": "only a part", "zh": "只涉及其中一部分"}
_STORY = {
    "en": "{period} {total} series of `{measurement}` arrived, and no point of {plan} wants {count} of "
    "them: {metrics}.",
    "zh": "{period}，`{measurement}` 的 {total} 个序列中，有 {count} 个不属于{plan}的任何测量点：{metrics}。",
}
_METRIC = {"en": "{field} ({count})", "zh": "{field}（{count}）"}
_ACTION = {
    "en": "Plan what is of use, and stop measuring the rest: it costs storage, and nobody looks at it",
    "zh": "将有用的纳入计划，停止采集其余数据：其占用存储且无人查看",
}
_MENDED = {
    "en": "every series of {measurement} that arrives is wanted by a point of the plan",
    "zh": "收到的 {measurement} 序列均属于计划中的某个测量点",
}


def check(review: Review) -> list[Verdict]:
    """One verdict per measurement of which anything was seen in the window."""
    wants = _wanted_by(review.plan)
    seen: dict[str, list[SeriesSeen]] = {}
    for series in review.series:
        measurement = series.key.measurement
        own = measurement.startswith(_OWN_PREFIX) or measurement in _OWN
        if not own and series.first_ms < review.window.end_ms:
            seen.setdefault(measurement, []).append(series)
    return [_judge(review, name, series, wants) for name, series in sorted(seen.items())]


def _wanted_by(plan: Plan) -> Callable[[SeriesSeen], bool]:
    points: dict[tuple[str, str], list[Callable[[Mapping[str, str]], bool]]] = {}
    for point in plan.points:
        points.setdefault((point.measurement, point.field), []).append(point.wants)
        for asked in beside(point):
            points.setdefault(asked.metric, []).append(asked.where)

    def wanted(series: SeriesSeen) -> bool:
        tags = dict(series.key.tags)
        return any(wants(tags) for wants in points.get((series.key.measurement, series.key.field), ()))

    return wanted


def _judge(
    review: Review, measurement: str, series: Sequence[SeriesSeen], wanted: Callable[[SeriesSeen], bool]
) -> Verdict:
    subject: Subject = (("measurement", measurement),)
    fields = Counter(one.key.field for one in series if not wanted(one))
    count = fields.total()
    if not count:
        return other_verdict(KIND, measurement, None, subject, "no gap", "all of its series are planned")
    share = _NONE if count == len(series) else _A_PART
    ordered = sorted(fields.items(), key=lambda pair: (-pair[1], pair[0]))

    def story(words: Words) -> str:
        metrics = [words.say(_METRIC, field=field, count=number(n)) for field, n in ordered]
        return words.say(
            _STORY,
            period=words.period(review.window),
            count=number(count),
            total=number(len(series)),
            measurement=measurement,
            plan=words.plan_revision(review.plan.revision),
            metrics=words.listing(metrics),
        )

    return gap_verdict(
        review,
        Gap(
            kind=KIND,
            key=measurement,
            subject=subject,
            point=None,
            points=(),
            severity="info",
            reasons=["it is measured, and nothing in the plan says what for"],
            headline=lambda words: words.say(_HEADLINE, measurement=measurement, share=words.say(share)),
            story=story,
            action=lambda words: words.say(_ACTION),
            mended_when=lambda words: words.say(_MENDED, measurement=measurement),
            evidence=Evidence(
                start_ms=review.window.start_ms,
                end_ms=review.window.end_ms,
                statistics={"series": len(series), "unplanned": count},
                members=[f"{measurement}.{field} ({n})" for field, n in ordered[:_METRICS_KEPT]],
                query=query((), measurement=measurement),
            ),
            measured=count,
            target=0,
            unit="series",
        ),
    )
