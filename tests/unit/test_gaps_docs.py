"""The pages of the gap checks: every check has one, and their examples are what the code says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from collector.analysis.gaps import CHECKS
from collector.analysis.review import AgentClock, AgentLosses, Review, SubjectReview
from collector.analysis.trend import Trend
from setpoint.finding import Finding
from setpoint.plan import Plan
from tests.unit.review_factory import (
    ANSWER_TIME,
    CPU,
    CPU_TAGS,
    DISK,
    ERP,
    HOUR,
    LOAD,
    MINUTE,
    MONTH,
    PORT,
    RUNNING,
    SECOND,
    absent,
    breaches,
    gaps,
    plan,
    proposed,
    review,
    seen,
    statistics,
    subject,
)
from tests.unit.threshold_factory import IDLE, knowing, read
from tests.unit.threshold_factory import found as configured

DOCS = Path(__file__).parents[2] / "docs" / "gaps"


def target_missed() -> Review:
    one = plan(ERP)
    shown = statistics(MONTH, every=30 * SECOND, coverage=0.997, availability=0.99476)
    good = round(shown.measured_ms * 0.99476)
    shown = statistics(MONTH, every=30 * SECOND, coverage=0.997, availability=0.99476, good_ms=good)
    tags = {"host": "mon-01", "server": "https://erp.example/", "method": "GET"}
    return review(one, MONTH, subject(one, "erp-answers", tags, shown))


def threshold_breached() -> Review:
    allowing = "    for: [erp-uptime]\n    target: {breach_time: {at_most: 1h}}\n"
    one = plan(PORT.replace("critical: {above: 90}", "critical: {above: 90, for: 5m}") + allowing)
    shown = statistics(
        MONTH,
        every=MINUTE,
        coverage=0.992,
        max=96.84,
        critical=breaches(3 * HOUR + 42 * MINUTE, count=7, longest_ms=65 * MINUTE),
    )
    tags = {"host": "mon-01", "device": "sw-1", "name": "Te1/1/1"}
    return review(one, MONTH, subject(one, "port-load", tags, shown))


def not_measured() -> Review:
    one = plan(CPU, DISK, LOAD)
    return review(
        one,
        RUNNING,
        subject(one, "host-cpu", {"host": "jump-01", "cpu": "cpu-total"}, absent(RUNNING)),
        subject(one, "host-disk", {"host": "jump-01"}, absent(RUNNING)),
        subject(one, "host-load", {"host": "jump-01"}, absent(RUNNING)),
        subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING)),
        subject(one, "host-disk", {"host": "mon-01", "path": "/"}, statistics(RUNNING, every=MINUTE)),
        subject(one, "host-load", {"host": "mon-01"}, statistics(RUNNING)),
    )


def went_silent() -> Review:
    one = plan(PORT)
    last = RUNNING.end_ms - 3 * HOUR - 12 * MINUTE
    return review(
        one,
        RUNNING,
        *(
            subject(
                one,
                "port-load",
                {"host": "mon-01", "device": "sw-1", "name": f"Te1/1/{n}"},
                statistics(RUNNING, every=MINUTE, last_ms=last),
            )
            for n in range(1, 49)
        ),
    )


def thin_coverage() -> Review:
    one = plan(DISK)
    root = statistics(MONTH, every=MINUTE, coverage=0.713)
    return review(
        one,
        MONTH,
        subject(one, "host-disk", {"host": "mon-01", "path": "/backup"}, root),
        subject(one, "host-disk", {"host": "mon-01", "path": "/"}, statistics(MONTH, every=MINUTE)),
    )


def no_threshold() -> Review:
    one = plan(LOAD)
    shown = statistics(MONTH, min=0.02, max=3.234)
    return review(one, MONTH, *(subject(one, "host-load", {"host": h}, shown) for h in ("mon-01", "jump-01")))


def unplanned_series() -> Review:
    idle = [seen(f"cpu.usage_{what}", CPU_TAGS, MONTH) for what in ("active", "idle", "iowait", "steal")]
    cores = [seen("cpu.usage_active", {"host": "mon-01", "cpu": f"cpu{n}"}, MONTH) for n in range(8)]
    return review(plan(CPU), MONTH, series=[*idle, *cores])


def never_near() -> Review:
    one = plan(ANSWER_TIME)
    shown = statistics(MONTH, every=30 * SECOND, min=0.021, max=0.348, critical=breaches(0, count=0))
    tags = {"host": "mon-01", "server": "https://erp.example/", "method": "GET"}
    return review(one, MONTH, proposed(subject(one, "erp-time", tags, shown), 0.45, 2 * MINUTE, 0, 1))


def too_tight() -> Review:
    one = plan(CPU)
    shown = statistics(MONTH, warning=breaches(15 * HOUR, count=90, longest_ms=HOUR))
    return review(one, MONTH, proposed(subject(one, "host-cpu", CPU_TAGS, shown), 92, 10 * MINUTE, 88, 3))


def flapping() -> Review:
    one = plan(DISK)
    shown = statistics(MONTH, every=MINUTE, warning=breaches(200 * MINUTE, count=124, longest_ms=40 * MINUTE))
    tags = {"host": "mon-01", "path": "/var"}
    return review(one, MONTH, proposed(subject(one, "host-disk", tags, shown), 80, 5 * MINUTE, 121, 2))


def two_hosts(one: Plan) -> list[tuple[str, SubjectReview]]:
    tags = [{**CPU_TAGS, "host": host} for host in ("mon-01", "jump-01")]
    return [subject(one, "host-cpu", each, statistics(MONTH)) for each in tags]


def threshold_drift() -> Review:
    one = plan(CPU)
    busy = configured("HostHighCpuLoad", IDLE, "below", 0.1, 'mode="idle"', for_s=600, severity="warning")
    hosts = [
        subject(one, "host-cpu", {**CPU_TAGS, "host": h}, statistics(MONTH)) for h in ("mon-01", "jump-01")
    ]
    return knowing(review(one, MONTH, *hosts), read(busy, at_ms=MONTH.end_ms))


def threshold_missing() -> Review:
    one = plan(CPU + "    raised_by: [prometheus]\n")
    busy = configured("HostHighCpuLoad", IDLE, "below", 0.2, 'mode="idle"', for_s=300, severity="warning")
    hosts = [
        subject(one, "host-cpu", {**CPU_TAGS, "host": h}, statistics(MONTH)) for h in ("mon-01", "jump-01")
    ]
    return knowing(review(one, MONTH, *hosts), read(busy, at_ms=MONTH.end_ms))


def threshold_orphan() -> Review:
    one = plan(CPU)
    known = [
        configured("HostHighCpuLoad", IDLE, "below", 0.2, 'mode="idle"', for_s=300, severity="warning"),
        configured("HostHighLoad", "node_load5", "above", 8, severity="warning"),
        configured("OldHostBusy", IDLE, "below", 0.1, 'instance="old-01:9100",mode="idle"'),
    ]
    shown = subject(one, "host-cpu", CPU_TAGS, statistics(MONTH))
    return knowing(review(one, MONTH, shown), read(*known, at_ms=MONTH.end_ms))


def capacity() -> Review:
    one = plan(DISK.replace("owner", "element: resource\n    owner"))
    tags = {"host": "mon-01", "path": "/var"}
    last = date(2026, 10, 31).toordinal()
    trend = Trend(last - 60, last, 61, 71.4, 0.312, 0.284, 0.337, last - 60)
    shown = subject(one, "host-disk", tags, statistics(MONTH, every=MINUTE, coverage=0.998, max=72.3))
    return review(one, MONTH, (shown[0], replace(shown[1], trend=trend)))


def clock_skew() -> Review:
    now = RUNNING.end_ms
    clock = AgentClock(now - 5 * SECOND, 412_000, 1840, now - 5 * SECOND, 412_000)
    return review(plan(CPU), RUNNING, clocks={"mon-01": clock})


def agent_dropping() -> Review:
    losses = AgentLosses(184_300, 12, RUNNING.start_ms, RUNNING.end_ms)
    return review(plan(CPU), RUNNING, losses={"mon-01": losses})


EXAMPLES: dict[str, Callable[[], Review]] = {
    "target-missed": target_missed,
    "threshold-breached": threshold_breached,
    "not-measured": not_measured,
    "went-silent": went_silent,
    "thin-coverage": thin_coverage,
    "no-threshold": no_threshold,
    "unplanned-series": unplanned_series,
    "never-near": never_near,
    "too-tight": too_tight,
    "flapping": flapping,
    "capacity": capacity,
    "clock-skew": clock_skew,
    "agent-dropping": agent_dropping,
    "threshold-drift": threshold_drift,
    "threshold-missing": threshold_missing,
    "threshold-orphan": threshold_orphan,
}


def example(kind: str) -> Finding:
    """The finding that the page of this kind shows."""
    (finding,) = gaps(CHECKS[kind](EXAMPLES[kind]()))
    return finding


def quoted(finding: Finding) -> str:
    """The example as the page has it."""
    reasons = ", ".join(finding.reasons)
    return f"> {finding.text['en']}\n>\n> {finding.text['zh']}\n\nSeverity {finding.severity}: {reasons}.\n"


@pytest.mark.parametrize("kind", CHECKS)
def test_every_check_has_its_page_and_its_line_in_the_index(kind: str) -> None:
    assert (DOCS / f"{kind}.md").read_text().startswith(f"# {kind}\n")
    assert f"[`{kind}`]({kind}.md)" in (DOCS / "README.md").read_text()


@pytest.mark.parametrize("kind", CHECKS)
def test_the_example_on_the_page_is_what_the_check_says(kind: str) -> None:
    page = (DOCS / f"{kind}.md").read_text()
    expected = quoted(example(kind))
    assert page.partition("## Example\n\n")[2] == expected, (
        f"docs/gaps/{kind}.md has to end with:\n{expected}"
    )
