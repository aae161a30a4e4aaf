"""The words of findings in Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from collector.analysis.gaps.words import Words, number, period_parts, sentence_end
from collector.analysis.review import Window
from setpoint.limits import Comparison

_CHINESE_BESIDE_LATIN = re.compile(r"[\u4e00-\u9fff][!-~]|[!-~][\u4e00-\u9fff]")
_DURATION_UNITS = {"d": "天", "h": "小时", "min": "分", "s": "秒"}
_PERIODS = {"day": "一天", "week": "一周", "month": "一个月", "quarter": "一个季度", "year": "一年"}
_STATISTICS = {
    "mean": "均值",
    "min": "最小值",
    "max": "最大值",
    "p50": "中位数",
    "p95": "95 百分位数",
    "p99": "99 百分位数",
    "availability": "可用率",
    "breach_share": "超限时间占比",
    "breach_time": "超限时间",
}


class Chinese(Words):
    code = "zh"
    nouns: ClassVar = {
        "cpu": "",
        "method": "",
        "class": "",
        "name": "",
        "diskio.name": "磁盘",
        "interface": "接口",
        "path": "路径",
        "port": "端口",
        "sensor": "传感器",
        "server": "服务器",
        "snmp_port.name": "端口",
        "snmp_sensor.name": "传感器",
        "snmp_storage.name": "存储",
    }
    units: ClassVar = {
        "s": "秒",
        "seconds": "秒",
        "ms": "毫秒",
        "minutes": "分钟",
        "hours": "小时",
        "days": "天",
        "samples": "个样本",
        "series": "个序列",
        "readings": "个读数",
    }
    separator = "、"
    between_sentences = ""
    stop = "。"
    via = "经"
    everything = "计划中的全部对象"
    and_more = " 等（另有 {} 个）"

    def join(self, pieces: Sequence[str]) -> str:
        """With a space between Chinese and Latin writing."""
        text = ""
        for piece in pieces:
            text += (" " if _CHINESE_BESIDE_LATIN.search(text[-1:] + piece[:1]) else "") + piece
        return text

    def duration_part(self, count: str, unit: str, *, alone: bool) -> str:
        return f"{count} {'分钟' if alone and unit == 'min' else _DURATION_UNITS[unit]}"

    def period(self, window: Window) -> str:
        parts = period_parts(window.label)
        text = f"{parts.year} 年"
        if parts.year is None:
            text = f"{window.label} 期间"
        elif parts.month:
            text += f" {parts.month} 月" + (f" {parts.day} 日" if parts.day else "")
        elif parts.week:
            text += f"第 {parts.week} 周"
        elif parts.quarter:
            text += f"第 {parts.quarter} 季度"
        return text if window.complete else f"{text}截至目前"

    def until(self, window: Window, zone: str) -> str:
        return self.moment(window.end_ms, zone)

    def review_period(self, period: str) -> str:
        return _PERIODS.get(period, period)

    def subjects(self, count: int) -> str:
        return f"{number(count)} 个对象"

    def together(self, name: str, count: int, titles: str) -> str:
        return f"{name}（{self.subjects(count)}：{titles}）"

    def plan_revision(self, revision: int) -> str:
        return f"计划修订 {revision}"

    def comparison(self, comparison: Comparison, unit: str, metric: str = "") -> str:
        if comparison.high is not None and comparison.low is not None:
            return f"超出 {self.exact(comparison.low, unit)} 至 {self.exact(comparison.high, unit)} 的范围"
        if comparison.high is not None:
            return f"高于 {self.exact(comparison.high, unit)}"
        if comparison.low is not None:
            return f"低于 {self.exact(comparison.low, unit)}"
        if comparison.equal is not None:
            return f"等于 {self.coded(comparison.equal, unit, metric)}"
        assert comparison.unequal is not None
        return f"不等于 {self.coded(comparison.unequal, unit, metric)}"

    def statistic(self, name: str) -> str:
        return _STATISTICS[name]

    def bound(self, bound: str, *, at_most: bool) -> str:
        return f"{'不高于' if at_most else '不低于'} {bound}"

    def off_by(self, value: str, *, too_high: bool) -> str:
        return f"{'偏高' if too_high else '偏低'} {value}"

    def points_of_percent(self, value: str) -> str:
        return f"{value} 个百分点"

    def thing(self, title: str, name: str, count: int = 1) -> str:
        text = self.join([name, "的", title]) if name else title
        return f"{text}（{self.subjects(count)}）" if count > 1 else text

    def tail(
        self, *, coverage: str, serves: Sequence[str], action: str, mended_when: str, owner: str
    ) -> list[str]:
        return [
            sentence
            for said, sentence in (
                (coverage, f"测量覆盖率 {coverage}。"),
                (serves, f"涉及服务：{'、'.join(serves)}。"),
                (action, f"建议：{sentence_end(action)}。"),
                (mended_when, f"验收：{sentence_end(mended_when)}。"),
                (owner, f"责任：{owner}。"),
            )
            if said
        ]
