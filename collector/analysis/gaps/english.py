"""The words of findings in English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from collector.analysis.gaps.words import Words, number, period_parts, sentence_end
from collector.analysis.review import Window
from setpoint.limits import Comparison

_MONTHS = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_ORDINALS = ("1st", "2nd", "3rd", "4th")
_STATISTICS = {
    "mean": "mean",
    "min": "minimum",
    "max": "maximum",
    "p50": "median",
    "p95": "95th percentile",
    "p99": "99th percentile",
    "availability": "availability",
    "breach_share": "share of time in breach",
    "breach_time": "time in breach",
}


class English(Words):
    code = "en"
    nouns: ClassVar = {
        "cpu": "",
        "method": "",
        "class": "",
        "name": "",
        "diskio.name": "disk",
        "snmp_port.name": "port",
        "snmp_sensor.name": "sensor",
        "snmp_storage.name": "storage",
    }
    units: ClassVar = {"seconds": "s"}
    separator = "; "
    between_sentences = " "
    stop = "."
    via = "via"
    everything = "everything in the plan"
    and_more = " and {} more"

    def duration_part(self, count: str, unit: str, *, alone: bool) -> str:  # noqa: ARG002
        return f"{count} {unit}"

    def period(self, window: Window) -> str:
        parts = period_parts(window.label)
        if parts.day and parts.month:
            text = f"On {parts.day} {_MONTHS[parts.month - 1]} {parts.year}"
        elif parts.month:
            text = f"In {_MONTHS[parts.month - 1]} {parts.year}"
        elif parts.week:
            text = f"In week {parts.week} of {parts.year}"
        elif parts.quarter:
            text = f"In the {_ORDINALS[parts.quarter - 1]} quarter of {parts.year}"
        else:
            text = f"In {window.label}"
        return text if window.complete else f"{text} so far"

    def until(self, window: Window, zone: str) -> str:
        return f"by {self.moment(window.end_ms, zone)}"

    def review_period(self, period: str) -> str:
        return f"a {period}"

    def subjects(self, count: int) -> str:
        return "1 subject" if count == 1 else f"{number(count)} subjects"

    def together(self, name: str, count: int, titles: str) -> str:
        return f"{name} ({self.subjects(count)}: {titles})"

    def plan_revision(self, revision: int) -> str:
        return f"plan revision {revision}"

    def comparison(self, comparison: Comparison, unit: str, metric: str = "") -> str:
        if comparison.high is not None and comparison.low is not None:
            return f"outside {self.exact(comparison.low, unit)} to {self.exact(comparison.high, unit)}"
        if comparison.high is not None:
            return f"above {self.exact(comparison.high, unit)}"
        if comparison.low is not None:
            return f"below {self.exact(comparison.low, unit)}"
        if comparison.equal is not None:
            return f"equal to {self.coded(comparison.equal, unit, metric)}"
        assert comparison.unequal is not None
        return f"not equal to {self.coded(comparison.unequal, unit, metric)}"

    def statistic(self, name: str) -> str:
        return _STATISTICS[name]

    def bound(self, bound: str, *, at_most: bool) -> str:
        return f"at {'most' if at_most else 'least'} {bound}"

    def off_by(self, value: str, *, too_high: bool) -> str:
        return f"{value} too {'high' if too_high else 'low'}"

    def points_of_percent(self, value: str) -> str:
        return f"{value} percentage {'point' if value == '1' else 'points'}"

    def thing(self, title: str, name: str, count: int = 1) -> str:
        text = f"{title} on {name}" if name else title
        return f"{text} ({self.subjects(count)})" if count > 1 else text

    def tail(
        self, *, coverage: str, serves: Sequence[str], action: str, mended_when: str, owner: str
    ) -> list[str]:
        return [
            sentence
            for said, sentence in (
                (coverage, f"Coverage {coverage}."),
                (serves, f"Serves: {', '.join(serves)}."),
                (action, f"Proposed: {sentence_end(action)}."),
                (mended_when, f"Mended when: {sentence_end(mended_when)}."),
                (owner, f"Owner: {owner}."),
            )
            if said
        ]
