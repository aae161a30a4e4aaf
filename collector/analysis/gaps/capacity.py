"""capacity: the trend reaches a level within the point's horizon."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from collector.analysis.gaps.alike import Found, Judged, verdicts_of_point
from collector.analysis.gaps.misfits import LEVEL_NAMES
from collector.analysis.gaps.report import Gap, action_of, evidence_of
from collector.analysis.gaps.words import PERCENT, Words, number
from collector.analysis.level_fit import LevelName, levels
from collector.analysis.review import Review, SubjectReview
from collector.analysis.trend import Reached, Trend, reaches
from setpoint.finding import Severity, Verdict, round12
from setpoint.limits import Comparison
from setpoint.plan import PlanPoint

KIND: Final = "capacity"

SOON_DAYS: Final = 30
STALE_DAYS: Final = 3
_DAY_MS: Final = 86_400_000
_FARTHEST: Final = 3_650_000
"""Days that no calendar has."""

_HEADLINE = {
    "en": "{thing} will be {level} about {likely}",
    "zh": "{thing}预计 {likely} 前后{level}",
}
_STORY = {
    "en": "By the trend of {days} days{step} {thing} stands at {value} and {moves} by {rate} a day. At this "
    "rate it is {level} on {likely}, in {left}; with 95 % confidence {between}. {plan} looks {horizon} "
    "ahead.",
    "zh": "按 {days} 天的趋势{step}，{thing}目前为 {value}，每天{moves} {rate}。照此将于 {likely}（{left}后）"
    "{level}；95 % 置信区间为{between}。{plan}的预测期为 {horizon}。",
}
_GROWS = {"en": "grows", "zh": "上升"}
_FALLS = {"en": "falls", "zh": "下降"}
_STEP = {"en": " since the step on {day}", "zh": "（自 {day} 的阶跃之后）"}
_BETWEEN = {"en": "between {earliest} and {latest}", "zh": " {earliest} 至 {latest}"}
_FROM = {"en": "not before {earliest}", "zh": "不早于 {earliest}"}
_WHAT = {"en": "heading for its level", "zh": "趋势将达到阈值"}
_AMOUNT = {"en": "{value}, {level} about {likely}", "zh": "{value}，{likely} 前后{level}"}
_ACTION = {
    "en": "Add capacity, clean up, or stop what grows, before that day",
    "zh": "在此日期之前扩容、清理，或遏制增长",
}
_MENDED = {
    "en": "the trend does not make it {level} within {horizon} any more, nor could it with 95 % confidence",
    "zh": "按趋势（含 95 % 置信区间）在 {horizon}内不再{level}",
}


@dataclass(frozen=True, slots=True)
class _Forecast:
    """``today`` and the trend's days are ordinals; ``reached`` counts from the trend's last day."""

    level: LevelName
    comparison: Comparison
    trend: Trend
    reached: Reached
    today: int

    @property
    def left(self) -> float:
        """Days from today."""
        return self._from_today(self.reached.likely)

    @property
    def earliest(self) -> float:
        return self._from_today(self.reached.earliest)

    def _from_today(self, days: float) -> float:
        return max(0.0, self.trend.last_day + days - self.today)

    def day(self, days: float) -> str:
        """The date so many days after the trend's last one; "" where no calendar has it."""
        if self.trend.last_day + days > _FARTHEST:
            return ""
        return date.fromordinal(round(self.trend.last_day + days)).isoformat()


def check(review: Review) -> list[Verdict]:
    """One verdict per subject of a point with a horizon that has a level above or below, and one per point
    for what many have in common.
    """
    verdicts = []
    for reviewed in review.points:
        point = reviewed.point
        if point.horizon_ms is None:
            continue
        judged = []
        for subject in reviewed.subjects:
            found = next(levels(subject), None)
            if found is not None and (found[1].high is None) != (found[1].low is None):
                judged.append(_judge(review, point, subject, *found, horizon=point.horizon_ms / _DAY_MS))
        verdicts += verdicts_of_point(review, KIND, point.id, point, judged, lambda words: words.say(_WHAT))
    return verdicts


def _judge(
    review: Review,
    point: PlanPoint,
    reviewed: SubjectReview,
    name: LevelName,
    comparison: Comparison,
    *,
    horizon: float,
) -> Judged:
    trend = reviewed.trend
    if trend is None:
        return Judged(reviewed, "cannot tell", "its days have not been read yet")
    if isinstance(trend, str):
        return Judged(reviewed, "cannot tell", trend)
    zone = ZoneInfo(review.plan.timezone)
    today = datetime.fromtimestamp(review.window.end_ms / 1000, zone).date().toordinal()
    if today - trend.last_day > STALE_DAYS:
        return Judged(reviewed, "cannot tell", f"it has not been measured for {today - trend.last_day} days")
    bound = comparison.high if comparison.high is not None else comparison.low
    assert bound is not None
    if comparison.breached(trend.level):
        return Judged(reviewed, "cannot tell", "it is beyond its level already")
    reached = reaches(trend, bound, above=comparison.high is not None)
    if reached is None:
        return Judged(reviewed, "no gap", "it is not heading for its level")
    forecast = _Forecast(name, comparison, trend, reached, today)
    if forecast.left <= horizon:
        return Judged(reviewed, "gap", "", _found(review, point, reviewed, forecast))
    if forecast.earliest <= horizon:
        return Judged(reviewed, "cannot tell", "it may reach its level, and more likely does not")
    return Judged(reviewed, "no gap", "it does not reach its level within the horizon")


def _found(review: Review, point: PlanPoint, reviewed: SubjectReview, forecast: _Forecast) -> Found:
    trend, reached = forecast.trend, forecast.reached
    horizon_ms = point.horizon_ms or 0
    severity, reasons = _severity(forecast)

    def facts(words: Words, *, marked: bool = True) -> dict[str, str]:
        latest = forecast.day(reached.latest)
        earliest = forecast.day(reached.earliest)
        step, rate = trend.step_day, abs(trend.slope)
        return {
            "thing": words.thing(point.title, words.name(reviewed.subject, point.measurement, marked=marked)),
            "level": words.comparison(forecast.comparison, point.unit),
            "days": number(trend.days),
            "step": words.say(_STEP, day=date.fromordinal(step).isoformat()) if step else "",
            "value": words.quantity(trend.level, point.unit),
            "moves": words.say(_GROWS if trend.slope > 0 else _FALLS),
            "rate": words.points_of_percent(number(rate))
            if point.unit in PERCENT
            else words.quantity(rate, point.unit),
            "likely": forecast.day(reached.likely),
            "left": words.duration(max(forecast.left, 1) * _DAY_MS, 1),
            "between": words.say(_BETWEEN if latest else _FROM, earliest=earliest, latest=latest),
            "plan": words.begin(words.plan_revision(review.plan.revision)),
            "horizon": words.duration(horizon_ms, 1),
        }

    evidence = evidence_of(review, point, reviewed)
    numbers: dict[str, float | int | None] = {
        "trend_days": trend.days,
        "trend_level": round12(trend.level),
        "slope_per_day": round12(trend.slope),
        "slope_low": round12(trend.slope_low),
        "slope_high": round12(trend.slope_high),
        "days_left": round12(forecast.left),
        "days_left_earliest": round12(forecast.earliest),
    }
    return Found(
        Gap(
            kind=KIND,
            key=point.id,
            subject=reviewed.subject,
            point=point,
            points=[point],
            severity=severity,
            reasons=reasons,
            headline=lambda words: words.say(_HEADLINE, **facts(words, marked=False)),
            story=lambda words: words.say(_STORY, **facts(words)),
            action=action_of(point, _ACTION),
            mended_when=lambda words: words.say(_MENDED, **facts(words)),
            evidence=msgspec.structs.replace(evidence, statistics={**evidence.statistics, **numbers}),
            measured=forecast.left,
            target=horizon_ms / _DAY_MS,
            unit="days",
        ),
        weight=-forecast.left,
        amount=lambda words: words.say(_AMOUNT, **facts(words)),
    )


def _severity(forecast: _Forecast) -> tuple[Severity, list[str]]:
    name = LEVEL_NAMES[forecast.level]["en"]
    soon = forecast.left <= SOON_DAYS
    reason = f"the {name} level is reached {'within' if soon else 'in more than'} {SOON_DAYS} days"
    return ("warning" if soon and forecast.level == "critical" else "info"), [reason]
