"""Numbers with units and times as people read them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

_PREFIXES: Final = ("", "k", "M", "G", "T", "P", "E")
_SCALED: Final = {
    "bytes": "B",
    "byte": "B",
    "B": "B",
    "bytes/s": "B/s",
    "B/s": "B/s",
    "bits": "bit",
    "bit": "bit",
    "bits/s": "bit/s",
    "bit/s": "bit/s",
    "bps": "bit/s",
    "hertz": "Hz",
    "Hz": "Hz",
}
_SECONDS: Final = {"s": 1.0, "seconds": 1.0, "second": 1.0, "ms": 0.001, "milliseconds": 0.001}
_POINTS: Final = {"en": "pp", "zh": "个百分点"}
_TIME_WORDS: Final = {
    "en": (" d", " h", " min", " s"),
    "zh": (" 天", " 小时", " 分钟", " 秒"),
}
_TIME_SIZES: Final = (86_400, 3_600, 60, 1)
_AGO: Final = {"en": ("{} ago", "in {}", "just now"), "zh": ("{}前", "{}后", "刚刚")}


def quantity(value: float | None, unit: str = "", language: str = "en", *, signed: bool = False) -> str:
    """The value with its unit, to three digits: ``93.2 %``, ``1.5 GB``, ``3 h 42 min``; "" for None.

    Bytes and bits take decimal prefixes (SI). ``signed`` is for differences: it puts a plus before what is
    not negative, and a difference of percentages is in percentage points.
    """
    if value is None:
        return ""
    sign = "-" if value < 0 else "+" if signed else ""
    if not math.isfinite(value):
        return f"{value:+}" if signed else str(value)
    size = abs(value)
    if unit in _SECONDS:
        return sign + duration(size * _SECONDS[unit], language)
    if unit in ("percent", "%"):
        return f"{sign}{_digits(size)} {_POINTS.get(language, _POINTS['en']) if signed else '%'}"
    if unit in _SCALED:
        power = 0
        while size >= 999.5 and power < len(_PREFIXES) - 1:
            size, power = size / 1000, power + 1
        return f"{sign}{_digits(size)} {_PREFIXES[power]}{_SCALED[unit]}"
    return f"{sign}{_digits(size)} {unit}".rstrip()


def duration(seconds: float, language: str = "en") -> str:
    """A length of time by its two largest units, rounded down: ``0.35 s``, ``3 h 42 min``, ``12 d 1 h``."""
    words = _TIME_WORDS.get(language, _TIME_WORDS["en"])
    if seconds < 120:
        return f"{_digits(seconds)}{words[-1]}"
    rest, parts = int(seconds), list[str]()
    for size, word in zip(_TIME_SIZES, words, strict=True):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{word}")
        elif parts:
            break
    return " ".join(parts[:2])


def time_text(time_ms: int | None) -> str:
    """ISO 8601 in UTC, to the second: ``2026-10-03T08:15:00Z``; "" for None."""
    if time_ms is None:
        return ""
    try:
        return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(time_ms)


def age_text(time_ms: int | None, now_ms: int, language: str = "en") -> str:
    """How long ago: ``12 s ago``, ``3 h ago``; "" for None."""
    if time_ms is None:
        return ""
    ago, ahead, just_now = _AGO.get(language, _AGO["en"])
    seconds = (now_ms - time_ms) / 1000
    if abs(seconds) < 1:
        return just_now
    words = _TIME_WORDS.get(language, _TIME_WORDS["en"])
    for size, word in zip(_TIME_SIZES, words, strict=True):
        if abs(seconds) >= size:
            return (ago if seconds > 0 else ahead).format(f"{int(abs(seconds) // size)}{word}")
    return just_now


def _digits(size: float) -> str:
    """Three digits, or as many as its whole part has."""
    if size >= 999.5:
        return f"{size:,.0f}"
    return f"{size:.3g}"
