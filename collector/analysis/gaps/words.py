"""Numbers, times and names as people read them, in one language; the other half is the language itself."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from string import Formatter
from typing import ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from collector.analysis.review import Window
from setpoint.codes import code_name
from setpoint.limits import Comparison
from setpoint.reading import Subject

PERCENT = ("percent", "%")
_DURATION_MS = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000))
_LABEL = re.compile(r"(\d{4})(?:-(?:W(?P<week>\d+)|Q(?P<quarter>\d)|(?P<month>\d+)(?:-(?P<day>\d+))?))?")
_PLAIN = re.compile(r"(?:[^\W_]|[./:@+,=?&%-])*")
# The thing that is looked after is named first. An agent that only looks on from outside is named last.
_PRINCIPALS = ("device", "tool", "host")
_SCALED_UNITS = {"bytes": "B", "byte": "B", "B": "B", "bps": "bit/s", "bit/s": "bit/s"}
_SHOWN_NAMES = 5
_DIGITS = 3
_ALL_DIGITS = 12


class PeriodParts(NamedTuple):
    """A window's label, taken apart; ``year`` is None where the label is not one of a review period."""

    year: int | None
    quarter: int | None = None
    month: int | None = None
    week: int | None = None
    day: int | None = None


class Words(ABC):
    """One language. Texts hold Markdown: names of hosts stand in backticks."""

    code: ClassVar[str]
    nouns: ClassVar[Mapping[str, str]]
    """What a tag is called; "" where its value speaks for itself. ``measurement.tag`` goes before ``tag``."""
    units: ClassVar[Mapping[str, str]]
    separator: ClassVar[str]
    between_sentences: ClassVar[str]
    stop: ClassVar[str]
    via: ClassVar[str]
    everything: ClassVar[str]
    """Everything that the plan has measured, where a sentence begins."""
    and_more: ClassVar[str]

    def say(self, texts: Mapping[str, str], **facts: str) -> str:
        """The text of this language, with the facts put in; ``{thing}`` stands for the fact of that name."""
        pieces = []
        for text, key, _, _ in Formatter().parse(texts[self.code]):
            pieces += [text, facts[key] if key else ""]
        return self.join([piece for piece in pieces if piece])

    def join(self, pieces: Sequence[str]) -> str:
        """The pieces of a text as one."""
        return "".join(pieces)

    def paragraph(self, headline: str, *sentences: str) -> str:
        """The headline in bold, then the sentences."""
        body = self.between_sentences.join(sentence for sentence in sentences if sentence)
        return f"**{headline}{self.stop}** {body}"

    # -- quantities --------------------------------------------------------------------------------

    def quantity(self, value: float, unit: str, digits: int = _DIGITS) -> str:
        """The value with its unit: ``96.8 %``, ``1.2 Gbit/s``, ``3 h 42 min``."""
        if unit in PERCENT:
            return f"{number(value, digits)} %"
        if unit in ("s", "seconds") and abs(value) >= 120 and digits <= _DIGITS:
            return self.duration(round(value * 1000))
        if unit in _SCALED_UNITS:
            factor, prefix = _prefix(value)
            return f"{number(value / factor, digits)} {prefix}{_SCALED_UNITS[unit]}"
        return f"{number(value, digits)} {self.units.get(unit, unit)}".rstrip()

    def exact(self, value: float, unit: str) -> str:
        """The value as the plan gives it."""
        return self.quantity(value, unit, _ALL_DIGITS)

    def coded(self, value: float, unit: str, metric: str) -> str:
        """The value as the plan gives it, and what it means where the metric's numbers are codes."""
        meaning = code_name(metric, value, self.code)
        return f"{self.exact(value, unit)} ({meaning})" if meaning else self.exact(value, unit)

    def apart(self, value: float, bound: float, unit: str) -> str:
        """The value with as many digits as it takes to see that it is not the bound."""
        for digits in range(_DIGITS, _ALL_DIGITS):
            text = self.quantity(value, unit, digits)
            if text not in (self.quantity(bound, unit, digits), self.exact(bound, unit)):
                return text
        return self.exact(value, unit)

    def duration(self, length_ms: float, parts: int = 2) -> str:
        """The length of time in its largest units, rounded down: ``3 h 42 min``."""
        if abs(length_ms) < 1000:
            return self.duration_part(number(length_ms / 1000), "s", alone=True)
        found: list[tuple[int, str]] = []
        rest = abs(int(length_ms))
        for unit, size in _DURATION_MS:
            count, rest = divmod(rest, size)
            if count or found:
                found.append((count, unit))
        shown = [(count, unit) for count, unit in found[:parts] if count]
        alone = len(shown) == 1
        return " ".join(self.duration_part(str(count), unit, alone=alone) for count, unit in shown)

    def duration_apart(self, length_ms: float, bound_ms: float) -> str:
        """The length of time with as many units as it takes to see that it is not the bound."""
        texts = (self.duration(length_ms, parts) for parts in (2, 3, 4))
        return next((t for t in texts if t != self.duration(bound_ms, 4)), self.duration(length_ms, 4))

    def share(self, share: float) -> str:
        """A part of a whole in per cent."""
        return self.quantity(share * 100, "%")

    def moment(self, time_ms: int, zone: str) -> str:
        """A point in time in the plan's time zone, which is also how people note it: 2026-10-02 14:05."""
        return datetime.fromtimestamp(time_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")

    @staticmethod
    def begin(text: str) -> str:
        """The text as the beginning of a sentence."""
        return text[:1].upper() + text[1:]

    # -- names -------------------------------------------------------------------------------------

    def name(self, subject: Subject, measurement: str = "", *, marked: bool = True) -> str:
        """The subject as people call it: ``sw-core-1`` port Te1/1/1 via mon-01. Without marks, for a
        headline, it has no backticks and leaves out the agent that looks on from outside.
        """
        tags = dict(subject)
        principal = next((key for key in _PRINCIPALS if key in tags), None)
        parts = []
        if principal:
            value = tags.pop(principal)
            parts.append(_code(value) if marked else value)
        via = tags.pop("host", None)
        for key, value in tags.items():
            noun = self.nouns.get(f"{measurement}.{key}", self.nouns.get(key, key))
            parts.append(f"{noun} {_plain(value) if marked else value}".lstrip())
        if via and marked:
            parts.append(f"{self.via} {_plain(via)}")
        return " ".join(parts)

    def listing(self, names: Sequence[str]) -> str:
        """The first few names, and how many more there are."""
        shown = self.separator.join(names[:_SHOWN_NAMES])
        more = len(names) - _SHOWN_NAMES
        return shown + (self.and_more.format(more) if more > 0 else "")

    # -- what only a language knows ----------------------------------------------------------------

    @abstractmethod
    def duration_part(self, count: str, unit: str, *, alone: bool) -> str:
        """A count of ``d``, ``h``, ``min`` or ``s``; ``alone`` when nothing else is said with it."""

    @abstractmethod
    def period(self, window: Window) -> str:
        """The window as a sentence begins with it: "In October 2026 so far"."""

    @abstractmethod
    def until(self, window: Window, zone: str) -> str:
        """The window's end, as that up to which something is told."""

    @abstractmethod
    def review_period(self, period: str) -> str:
        """One period of the plan's review: "a month"."""

    @abstractmethod
    def subjects(self, count: int) -> str:
        """So many subjects."""

    @abstractmethod
    def together(self, name: str, count: int, titles: str) -> str:
        """Several subjects under the name of what they share, with the titles of their points."""

    @abstractmethod
    def plan_revision(self, revision: int) -> str:
        """The plan that the finding was judged by: "plan revision 14"."""

    @abstractmethod
    def comparison(self, comparison: Comparison, unit: str, metric: str = "") -> str:
        """The condition, without its ``for``: "above 95 %"; of a ``metric`` whose numbers are codes, with
        what they mean.
        """

    @abstractmethod
    def statistic(self, name: str) -> str:
        """A target's statistic: "95th percentile"."""

    @abstractmethod
    def bound(self, bound: str, *, at_most: bool) -> str:
        """A target's bound: "at most 70 %"."""

    @abstractmethod
    def off_by(self, value: str, *, too_high: bool) -> str:
        """By how much a bound is missed: "8.3 ms too high"."""

    @abstractmethod
    def points_of_percent(self, value: str) -> str:
        """A difference between two percentages: "8.3 percentage points"."""

    @abstractmethod
    def thing(self, title: str, name: str, count: int = 1) -> str:
        """What a point measures of whom, and of how many where that is not one."""

    @abstractmethod
    def tail(
        self, *, coverage: str, serves: Sequence[str], action: str, mended_when: str, owner: str
    ) -> list[str]:
        """The sentences that every finding ends with; those that have nothing to say are left out."""


def number(value: float, digits: int = _DIGITS) -> str:
    """The number with that many significant digits, never fewer than its whole part has."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}".lstrip("-")
    if not 1e-6 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def period_parts(label: str) -> PeriodParts:
    """The label of a window, taken apart."""
    match = _LABEL.fullmatch(label)
    if match is None:
        return PeriodParts(None)
    parts = {name: int(text) for name, text in match.groupdict().items() if text}
    if not 1 <= parts.get("month", 1) <= 12:
        return PeriodParts(None)
    return PeriodParts(int(match[1]), **parts)


def sentence_end(text: str) -> str:
    """The text without the stop that its writer may have put."""
    return text.strip().rstrip(".。;；")


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39))}`"


def _plain(text: str) -> str:
    # Tags come from outside: what Markdown could take for more than a name is put in backticks.
    return text if _PLAIN.fullmatch(text) else _code(text)


def _prefix(value: float) -> tuple[float, str]:
    for exponent, prefix in ((12, "T"), (9, "G"), (6, "M"), (3, "k")):
        if abs(value) >= 10**exponent:
            return 10.0**exponent, prefix
    return 1.0, ""
