"""Thresholds of every kind, and the report that they give beside a plan."""

from __future__ import annotations

from agent.inputs.thresholds.found import NoThreshold
from collector.analysis.review import Review, Window
from collector.thresholds.report import ThresholdReport, build_report
from tests.unit.review_factory import CPU, CPU_TAGS, HOUR, LOAD, RUNNING, plan, review, statistics, subject
from tests.unit.threshold_factory import IDLE, found, knowing, read

FOUND = (
    found("Good", IDLE, "below", 0.2, 'mode="idle"', severity="warning", for_s=300),
    found("Late", IDLE, "below", 0.01, 'instance="mon-01",mode="idle"', severity="critical", for_s=300),
    found("Orphan", "node_load1", "above", 3),
    found("Off", "node_load5", "above", 3, enabled=False),
    found("Condition", "node_load5", "above", 3, role="requires"),
    found("Info", IDLE, "below", 0.5, 'mode="idle"', severity="info"),
    found("Which", IDLE, "below", 0.5, 'env="x",instance="jump-01",mode="idle"', severity="critical"),
    found("Odd", "what_is_this", "above", 3),
    NoThreshold("Gone", "absence", "absent(up)"),
)


def site(window: Window = RUNNING) -> Review:
    """A review of two hosts, of which one reports late, that counts on thresholds of Prometheus."""
    one = plan(CPU + "    raised_by: [prometheus]\n", LOAD)
    hosts = ("mon-01", "jump-01")
    cpu = [subject(one, "host-cpu", {**CPU_TAGS, "host": host}, statistics(window)) for host in hosts]
    late = statistics(window, last_ms=window.end_ms - 5 * HOUR)
    return review(one, window, *cpu, subject(one, "host-load", {"host": "mon-01"}, late))


def report(window: Window = RUNNING) -> ThresholdReport:
    """What is said of FOUND beside the plan of that site."""
    return build_report(knowing(site(window), read(*FOUND, at_ms=window.end_ms)))
