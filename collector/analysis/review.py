"""What a check is given: a plan, a window, statistics for every planned subject, and what was seen at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from collector.analysis.expected import NOTHING_LEFT_OUT, LeftOut
from collector.analysis.proposals import Proposal
from collector.analysis.statistics import Statistics
from collector.analysis.trend import Trend
from collector.store.base import SeriesSeen
from collector.thresholds.matched import NO_THRESHOLDS, MatchedThresholds
from setpoint.limits import Limits
from setpoint.plan import Plan, PlanPoint
from setpoint.reading import Subject
from setpoint.spans import Spans


@dataclass(frozen=True, slots=True)
class Window:
    """The reviewed time [start, end), UTC milliseconds. ``complete``: the whole review period is over and
    inside; a running period can show a gap, but never that there is none.
    """

    start_ms: int
    end_ms: int
    complete: bool
    label: str
    """The period as people name it: ``2026-10``, ``2026-W41``, ``2026-10-03``, ``2026-Q4``, ``2026``."""


@dataclass(frozen=True, slots=True)
class SubjectReview:
    """One subject of a plan point. ``tags`` are those the plan's ``where`` and overrides were matched with.

    ``named``: the plan names it, so it must exist even if nothing ever reported it. ``since_ms``: from when
    on it is expected, at least the window's start. ``last_ms``: its newest sample, also before the window.
    ``spans``: when it is expected; None for all of the time since then, and ``left_out`` is what that lacks.
    """

    subject: Subject
    tags: Mapping[str, str]
    limits: Limits
    statistics: Statistics
    named: bool
    since_ms: int
    last_ms: int | None
    spans: Spans | None = None
    left_out: LeftOut = NOTHING_LEFT_OUT
    trend: Trend | str | None = None
    """Where it is heading, or why that cannot be told; None where nobody asks, or its days are still to be
    read. Days are proleptic Gregorian ordinals in the plan's time zone.
    """
    proposal: Proposal | None = None
    """A setting that fits its history, where its levels look wrong. It is made of more than the window, and
    not at once for everybody: None says nothing.
    """


@dataclass(frozen=True, slots=True)
class PointReview:
    point: PlanPoint
    subjects: Sequence[SubjectReview]


@dataclass(frozen=True, slots=True)
class AgentClock:
    """What is known of an agent's clock since the start of the collector, UTC milliseconds.

    ``ahead_ms``: of the collector's clock, by its newest batches. ``refused``: so many readings were refused
    because of their time, the last one at ``refused_ms``, of which a time was ``off_ms`` off.
    """

    heard_ms: int
    ahead_ms: int | None
    refused: int = 0
    refused_ms: int | None = None
    off_ms: int = 0


@dataclass(frozen=True, slots=True)
class AgentLosses:
    """How many readings an agent says it lost in the window: ``dropped`` from its full outbox, and
    ``refused`` by the collector; and the times of the first and the last sample that say so.
    """

    dropped: int
    refused: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Review:
    """``series`` are all that were seen in the window, planned or not; ``agents`` maps the name of every
    known agent to the time of its newest reading. ``masks`` maps hosts and devices that were silent to those
    behind them, which were masked meanwhile. ``thresholds`` are those configured elsewhere, as they are now.
    """

    plan: Plan
    window: Window
    points: Sequence[PointReview]
    series: Sequence[SeriesSeen]
    agents: Mapping[str, int]
    masks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    clocks: Mapping[str, AgentClock] = field(default_factory=dict)
    """Of the agents that were heard of since the start of the collector."""
    losses: Mapping[str, AgentLosses] = field(default_factory=dict)
    """Of the agents that said what they lost in the window."""
    thresholds: MatchedThresholds = NO_THRESHOLDS
