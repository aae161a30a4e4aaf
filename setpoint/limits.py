"""What is held: levels that a value must not pass, and targets that a period's statistic must meet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import msgspec

from setpoint.codes import code_name
from setpoint.units import Duration

Statistic = Literal["mean", "min", "max", "p50", "p95", "p99", "availability", "breach_share", "breach_time"]
SHARES = ("availability", "breach_share")

_WORDS = {
    "en": {
        "above": "above {}",
        "below": "below {}",
        "outside": "outside {} to {}",
        "equals": "equal to {}",
        "not_equals": "not equal to {}",
        "for": "{} for {}",
        "at_most": "{} at most {}",
        "at_least": "{} at least {}",
    },
    "zh": {
        "above": "高于 {}",
        "below": "低于 {}",
        "outside": "超出 {} 至 {}",
        "equals": "等于 {}",
        "not_equals": "不等于 {}",
        "for": "{}、持续 {}",
        "at_most": "{} 不高于 {}",
        "at_least": "{} 不低于 {}",
    },
}
_STATISTICS_ZH = {
    "mean": "均值",
    "min": "最小值",
    "max": "最大值",
    "availability": "可用率",
    "breach_share": "超限时间占比",
    "breach_time": "超限时间",
}
_UNITS_ZH = {
    "percent": "%",
    "s": "秒",
    "ms": "毫秒",
    "seconds": "秒",
    "minutes": "分钟",
    "hours": "小时",
    "days": "天",
}
_DURATION_UNITS_ZH = {"w": "周", "d": "天", "h": "小时", "m": "分钟", "s": "秒", "ms": "毫秒"}


class Share(float):
    """A part of a whole, between 0 and 1, written ``0.995`` or ``99.5%``."""

    expected: ClassVar[str] = 'a share such as 0.995 or "99.5%"'

    @classmethod
    def parse(cls, text: str) -> Self:
        """The share that the text says. ValueError when it says none."""
        number, percent, rest = text.strip().partition("%")
        # Rounded, because 99.9 / 100 is 0.9990000000000001.
        share = float(f"{float(number) / 100:.12g}") if percent else float(number)
        if rest or not 0 <= share <= 1:
            raise ValueError(f"expected {cls.expected}")
        return cls(share)


class Comparison(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A condition on a value: above ``high``, below ``low``, equal to ``equal``, other than ``unequal``.

    ``high`` and ``low`` together say "outside"; else exactly one is not None. ``for_ms`` is how long the
    condition must hold to count; ``clear`` the level at which a breach is over, when that is not the level
    at which it begins.
    """

    high: float | None = None
    low: float | None = None
    equal: float | None = None
    unequal: float | None = None
    for_ms: int = 0
    clear: float | None = None

    def breached(self, value: float) -> bool:
        """Whether the condition holds for the value; ``for_ms`` and ``clear`` are the caller's part."""
        return (
            (self.high is not None and value > self.high)
            or (self.low is not None and value < self.low)
            or (self.equal is not None and value == self.equal)
            or (self.unequal is not None and value != self.unequal)
        )

    def describe(self, unit: str = "", language: str = "en", metric: str = "") -> str:
        """The condition in words: ``above 95 percent for 5m``, in Chinese ``高于 95 %、持续 5 分钟``. Of a
        ``metric`` whose numbers are codes, with what they mean: ``not equal to 0 (success)``.
        """
        words = _words(language)
        if self.high is not None and self.low is not None:
            text = words["outside"].format(f"{self.low:.12g}", _quantity(self.high, unit, language))
        else:
            levels = {"above": self.high, "below": self.low, "equals": self.equal, "not_equals": self.unequal}
            name, level = next((name, level) for name, level in levels.items() if level is not None)
            text = words[name].format(_quantity(level, unit, language))
            if meaning := code_name(metric, level, language):
                text += f"（{meaning}）" if language == "zh" else f" ({meaning})"
        if self.for_ms:
            text = words["for"].format(text, _duration(self.for_ms, language))
        return text


class Target(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a period's statistic must come to; exactly one of the two bounds is not None.

    The bound has the unit of the point; shares lie between 0 and 1, ``breach_time`` is in seconds.
    """

    statistic: Statistic
    at_most: float | None = None
    at_least: float | None = None

    @property
    def bound(self) -> float:
        bound = self.at_least if self.at_most is None else self.at_most
        assert bound is not None
        return bound

    def met(self, value: float) -> bool:
        """Whether the measured statistic meets the target; one that equals the bound does."""
        return value <= self.bound if self.at_most is not None else value >= self.bound

    def describe(self, unit: str = "", language: str = "en") -> str:
        """The target in words: ``p95 at most 70 percent``, in Chinese ``p95 不高于 70 %``."""
        if self.statistic == "breach_time":
            bound = _duration(round(self.bound * 1000), language)
        elif self.statistic in SHARES:
            bound = f"{self.bound * 100:.12g} %"
        else:
            bound = _quantity(self.bound, unit, language)
        name = self.statistic.replace("_", " ")
        if language == "zh":
            name = _STATISTICS_ZH.get(self.statistic, name)
        return _words(language)["at_least" if self.at_most is None else "at_most"].format(name, bound)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one subject, after overrides.

    ``every_ms`` is None where the plan does not say how often. ``good`` is a condition that is met by good
    values; where it is None, good is what is not critical.
    """

    every_ms: int | None = None
    warning: Comparison | None = None
    critical: Comparison | None = None
    good: Comparison | None = None
    targets: tuple[Target, ...] = ()


def disorder(warning: Comparison, critical: Comparison) -> tuple[float, float] | None:
    """The two levels (warning, critical) where critical is reached before warning is; else None."""
    if warning.high is not None and critical.high is not None and warning.high > critical.high:
        return warning.high, critical.high
    if warning.low is not None and critical.low is not None and warning.low < critical.low:
        return warning.low, critical.low
    return None


def _words(language: str) -> Mapping[str, str]:
    return _WORDS.get(language, _WORDS["en"])


def _quantity(value: float, unit: str, language: str) -> str:
    shown = _UNITS_ZH.get(unit, unit) if language == "zh" else unit
    return f"{value:.12g} {shown}".rstrip()


def _duration(milliseconds: int, language: str) -> str:
    if language != "zh":
        return str(Duration(milliseconds))
    parts = re.findall(r"(\d+)([a-z]+)", str(Duration(milliseconds)))
    return " ".join(f"{count} {_DURATION_UNITS_ZH[unit]}" for count, unit in parts)
