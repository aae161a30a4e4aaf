"""Whether what a threshold asks of a label is so for a subject of the plan."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from setpoint.threshold import Matcher

_LONGEST = 1_000
# Rules come from outside. Without a repeated group, and with few repetitions, matching takes no longer than
# the text's length to the power of these.
_MOST_REPETITIONS = 4
_REPEATED_GROUP = re.compile(r"(?<!\\)\)[*+{]")
_REPETITION = re.compile(r"(?<!\\)[*+{]")
_HOST_AND_PORT = re.compile(r"(?:\[([^\]]+)\]|([^:]+)):\d+")
_USUAL_PORT = ":9100"


def value_passes(matcher: Matcher, value: str) -> bool | None:
    """Whether the label may have the value; None where that cannot be told."""
    if matcher.operator in ("=", "!="):
        return (matcher.value == value) == (matcher.operator == "=")
    pattern = _compiled(matcher.value)
    if pattern is None or len(value) > _LONGEST:
        return None
    return (pattern.fullmatch(value) is not None) == (matcher.operator == "=~")


def host_passes(matcher: Matcher, names: Iterable[str]) -> bool | None:
    """Whether a label that names a host may have one of these names: with or without a port, and by the
    short name where one side has no domain.
    """
    answers = [_one_host(matcher, name) for name in names]
    wanted = matcher.operator in ("=", "=~")
    if wanted in answers:
        return wanted
    return None if None in answers or not answers else not wanted


def _one_host(matcher: Matcher, name: str) -> bool | None:
    if matcher.operator in ("=", "!="):
        same = any(_same_host(one, name) for one in (matcher.value, _without_port(matcher.value)))
        return same == (matcher.operator == "=")
    answers = {value_passes(matcher, text) for text in (name, name + _USUAL_PORT)}
    wanted = matcher.operator == "=~"
    return wanted if wanted in answers else (None if None in answers else not wanted)


def _same_host(theirs: str, ours: str) -> bool:
    if theirs.lower() == ours.lower():
        return True
    if re.fullmatch(r"[\d.]+|.*:.*", theirs) or ("." in theirs) == ("." in ours):
        return False
    return theirs.lower().partition(".")[0] == ours.lower().partition(".")[0]


def _without_port(value: str) -> str:
    match = _HOST_AND_PORT.fullmatch(value)
    return (match[1] or match[2]) if match else value


@functools.lru_cache(maxsize=1_000)
def _compiled(expression: str) -> re.Pattern[str] | None:
    if len(expression) > _LONGEST or _REPEATED_GROUP.search(expression):
        return None
    if len(_REPETITION.findall(expression)) > _MOST_REPETITIONS:
        return None
    try:
        return re.compile(expression)
    except (re.error, RecursionError, OverflowError):
        return None
