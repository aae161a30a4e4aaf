"""An expression as a tree of plain nodes, whichever language it was written in; PromQL's words serve for all.

https://prometheus.io/docs/prometheus/latest/querying/basics/ and, for operators, .../querying/operators/
"""

from __future__ import annotations

from dataclasses import dataclass

from setpoint.threshold import Matcher


class Unreadable(ValueError):
    """The expression cannot be understood; the text says why."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """``range_s`` is None for an instant vector. ``moved``: offset and @, as PromQL writes them."""

    name: str
    matchers: frozenset[Matcher]
    range_s: float | None = None
    moved: str = ""


@dataclass(frozen=True, slots=True)
class Subquery:
    """``range_s`` is None where it is not to be told: the range that counts is further in."""

    inner: Node
    range_s: float | None
    moved: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``grouping`` is "by", "without" or "", where there is none."""

    operator: str
    inner: Node
    parameter: Node | None = None
    grouping: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """``matching`` is "on", "ignoring" or ""; ``labels`` are those it names."""

    operator: str
    left: Node
    right: Node
    gives_bool: bool = False
    matching: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Negated:
    inner: Node


Node = Number | Text | Selector | Subquery | Call | Aggregate | Binary | Negated
