"""The Prometheus text exposition format, version 0.0.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from collector.agents import AgentState
from collector.web.presence import PRESENCES, presence
from collector.web.view import CollectorView, MetricValue
from setpoint.finding import Finding

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "setpoint_collector_"


def exposition(values: Iterable[MetricValue]) -> str:
    """The values as text; those of one name together, as the format asks, each set of labels once."""
    families: dict[str, dict[tuple[tuple[str, str], ...], MetricValue]] = {}
    for value in values:
        families.setdefault(value.name, {})[tuple(sorted(value.labels.items()))] = value
    lines = []
    for name, family in families.items():
        first = next(iter(family.values()))
        lines.append(f"# HELP {name} {_escape(first.help)}")
        lines.append(f"# TYPE {name} {first.type}")
        for labels, value in family.items():
            shown = ",".join(f'{k}="{_escape_label(v)}"' for k, v in labels)
            lines.append(
                f"{name}{{{shown}}} {_number(value.value)}" if shown else f"{name} {_number(value.value)}"
            )
    return "\n".join(lines) + "\n"


def own_metrics(view: CollectorView, open_findings: Iterable[Finding]) -> Iterator[MetricValue]:
    """What every collector tells: itself, its counters, agents, subjects and open findings."""
    yield _gauge("info", "The version that runs.", 1, version=view.version)
    yield _gauge("start_time_seconds", "When the collector started, in UTC seconds.", view.started_ms / 1000)
    for part, health in view.health().parts.items():
        yield _gauge("healthy", "Whether this part of the collector is well.", int(health.ok), part=part)
    counters = view.counters()
    for name, help_text in _COUNTERS.items():
        value = getattr(counters, name)
        yield MetricValue(f"{_PREFIX}{name}_total", help_text, "counter", {}, value)
    yield from _agents(view.agents(), view.clock_ms())
    for state, count in view.now_counts().items():
        yield _gauge("subjects", "Planned subjects by their present state.", count, state=state)
    severities = Counter(finding.severity for finding in open_findings)
    for severity in ("critical", "warning", "info"):
        yield _gauge("findings", "Open findings.", severities[severity], severity=severity)


_COUNTERS = {
    "readings_stored": "Readings that the store has made durable.",
    "batches_stored": "Batches that the store has made durable.",
    "batches_repeated": "Batches that came again after they had been stored; they were not written twice.",
    "readings_rejected": "Readings that could not be taken.",
    "batches_rejected": "Batches that could not be taken at all.",
    "messages_dropped": "Messages for which the queue had no room; their senders send them again.",
}


def _agents(agents: Iterable[AgentState], now_ms: int) -> Iterator[MetricValue]:
    counts = Counter(presence(agent, now_ms) for agent in agents)
    for name in PRESENCES:
        yield _gauge("agents", "Known agents by whether they report.", counts[name], presence=name)


def _gauge(name: str, help_text: str, value: float, **labels: str) -> MetricValue:
    return MetricValue(_PREFIX + name, help_text, "gauge", labels, value)


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _escape_label(text: str) -> str:
    return _escape(text).replace('"', r"\"")
