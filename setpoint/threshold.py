"""Thresholds as readings: how the tags of a `threshold` say what it is about, for both sides of the wire.

One point per threshold, with the tags ``source`` (the tool or device that holds it), ``rule`` (its name
there), ``subject`` (what it is about, see `write_subject`), ``metric`` (in the source's own words),
``comparison`` and, where they are known, ``severity`` and ``role``; and the fields ``level`` (in the source's
unit), ``for_s``, ``enabled`` (1 or 0) and, where there is one, ``window_s`` (what a rate or mean is taken
over) and ``expression``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, get_args

THRESHOLD: Final = "threshold"
"""One point per threshold."""
THRESHOLD_NONE: Final = "threshold_none"
"""One point per rule that has no threshold; its tag ``reason`` is one of `Reason`."""
THRESHOLD_SOURCE: Final = "threshold_source"
"""One point per source and gathering, with what it came to. Its time is that of the others: what is older
than the newest of these is no longer configured."""

Comparison = Literal["above", "at_least", "below", "at_most", "equals", "not_equals"]
COMPARISONS: Final[tuple[Comparison, ...]] = get_args(Comparison)

Role = Literal["raises", "requires", "suppresses"]
"""``requires``: must hold too, beside what raises the alarm. ``suppresses``: no alarm while it holds."""
ROLES: Final[tuple[Role, ...]] = get_args(Role)

Reason = Literal[
    "absence", "always", "never", "no comparison", "two series", "no number", "no data", "unreadable"
]
"""Why a rule has no threshold. ``unreadable``: it may have one, and could not be understood."""

Operator = Literal["=", "!=", "=~", "!~"]
_OPERATORS: Final[tuple[Operator, ...]] = get_args(Operator)
_MATCHER = re.compile(r'([^=!~"{},\s]+)(=~|!~|!=|=)("(?:[^"\\]|\\.)*")(,|$)')
EVERYTHING: Final = "*"
"""The subject of a threshold that is about everything that has the metric."""

_MIRRORED: Final[Mapping[Comparison, Comparison]] = {
    "above": "below",
    "at_least": "at_most",
    "below": "above",
    "at_most": "at_least",
    "equals": "equals",
    "not_equals": "not_equals",
}


class Matcher(NamedTuple):
    """What a threshold asks of one label; ``=~`` and ``!~`` take a regular expression for the whole value."""

    label: str
    operator: Operator
    value: str


def mirrored(comparison: Comparison) -> Comparison:
    """The comparison with its sides exchanged, or both sides negated: above becomes below."""
    return _MIRRORED[comparison]


def write_subject(matchers: Iterable[Matcher]) -> str:
    """The tag ``subject``: matchers as PromQL writes them, sorted, without braces; "*" for none."""
    texts = {f"{one.label}{one.operator}{json.dumps(one.value, ensure_ascii=False)}" for one in matchers}
    return ",".join(sorted(texts)) or EVERYTHING


def read_subject(text: str) -> tuple[Matcher, ...]:
    """The matchers that the tag ``subject`` says. ValueError when it is not such a text."""
    if text == EVERYTHING:
        return ()
    found: list[Matcher] = []
    end = 0
    while end < len(text) or not found:
        match = _MATCHER.match(text, end)
        if match is None:
            raise ValueError(f'expected matchers such as host="mon-01",path!="/", got {text!r}')
        label, written, value, more = match.groups()
        operator = next(one for one in _OPERATORS if one == written)
        found.append(Matcher(label, operator, json.loads(value, strict=False)))
        end = match.end()
        if more and end == len(text):
            raise ValueError(f"expected another matcher after the comma of {text!r}")
    return tuple(found)
