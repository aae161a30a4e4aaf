"""Which series a plan point is about, as conditions of a query in InfluxQL and in PromQL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from grafana.selectors import influx_name, prom_name, prom_text
from setpoint.plan_match import Matcher, Where


class NotExpressible(ValueError):
    """A condition that the query language has no words for."""


def influx_condition(where: Where) -> str:
    """Of all tags, joined by AND; empty where everything is meant."""
    parts = [_influx_matcher(influx_name(tag), matcher.definition()) for tag, matcher in where]
    return " AND ".join(part for part in parts if part)


def influx_negation(where: Where) -> str:
    """Everything but what the ``where`` means."""
    parts = [_influx_negation(influx_name(tag), matcher.definition()) for tag, matcher in where]
    return "(" + " OR ".join(part for part in parts if part) + ")"


def prom_selector(name: str, where: Where) -> str:
    """The series of that name that the ``where`` means. NotExpressible for a group that leaves out some of
    what the list beside it names.
    """
    labels = [label for tag, matcher in where for label in _prom_labels(prom_name(tag), matcher)]
    return f"{prom_name(name)}{{{', '.join(labels)}}}"


def pattern(texts: Sequence[str]) -> str:
    """A regular expression, as RE2 reads it, of literals and globs."""
    return "|".join(_glob(text) for text in texts)


def _glob(text: str) -> str:
    if set(text) == {"*"}:
        # In both languages a series without the tag has an empty one, and that is not meant.
        return ".+"
    return "".join(_glob_part(part) for part in re.split(r"(\*|\?|\[!?[^\]]+\])", text))


def _glob_part(part: str) -> str:
    if part in ("*", "?"):
        return ".*" if part == "*" else "."
    if part.startswith("[") and part.endswith("]"):
        return f"[^{part[2:]}" if part[1] == "!" else part
    return _quoted(part)


def _quoted(text: str) -> str:
    # Only what RE2 and both query languages take escaped; re.escape also escapes "-" and blanks.
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


def _influx_matcher(tag: str, definition: Mapping[str, Any]) -> str:
    chosen = _influx_chosen(tag, definition)
    left_out = [_influx_negation(tag, excluded) for excluded in definition["not"]]
    parts = [part for part in (chosen, *left_out) if part]
    return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})" if parts else ""


def _influx_chosen(tag: str, definition: Mapping[str, Any]) -> str:
    parts = [_influx_matcher(tag, group) for group in definition["groups"]]
    if definition["listed"]:
        parts.insert(0, f"{tag} =~ /^({_slashes(pattern(definition['listed']))})$/")
    if "" in parts:
        return ""
    return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})" if parts else ""


def _influx_negation(tag: str, definition: Mapping[str, Any]) -> str:
    """Not (chosen and none of the excluded) is: not chosen, or one of the excluded."""
    parts = [_influx_matcher(tag, excluded) for excluded in definition["not"]]
    if definition["listed"] or definition["groups"]:
        outside = [_influx_negation(tag, group) for group in definition["groups"]]
        if definition["listed"]:
            outside.insert(0, f"{tag} !~ /^({_slashes(pattern(definition['listed']))})$/")
        parts.append(outside[0] if len(outside) == 1 else f"({' AND '.join(outside)})")
    return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"


def _slashes(expression: str) -> str:
    return expression.replace("/", r"\/")


def _prom_labels(label: str, matcher: Matcher) -> list[str]:
    listed, excluded = _flat(matcher.definition())
    labels = []
    if listed is not None:
        labels.append(f"{label}=~{prom_text(pattern(listed))}")
    labels += [f"{label}!~{prom_text(pattern(texts))}" for texts in excluded]
    return labels


def _flat(definition: Mapping[str, Any]) -> tuple[list[str] | None, list[list[str]]]:
    """What is listed (None: anything), and what is left out of it."""
    groups = [_flat(group) for group in definition["groups"]]
    listed: list[str] | None = list(definition["listed"])
    left_out: list[list[str]] = []
    if len(groups) == 1 and not listed:
        listed, left_out = groups[0]
    elif any(excluded for _, excluded in groups):
        raise NotExpressible("a list with a group that leaves something out")
    else:
        assert listed is not None
        for members, _ in groups:
            listed = None if members is None or listed is None else [*listed, *members]
    if not definition["listed"] and not definition["groups"]:
        listed = None
    for excluded in definition["not"]:
        members, but = _flat(excluded)
        if members is None or but:
            raise NotExpressible("an exclusion within an exclusion")
        left_out = [*left_out, members]
    return listed, left_out
