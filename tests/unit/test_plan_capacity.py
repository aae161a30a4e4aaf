"""Which points are asked for a trend, and how far ahead."""

from __future__ import annotations

import pytest

from setpoint.config import ConfigError
from setpoint.plan import PlanPoint
from setpoint.plan_load import parse_plan

DAY = 86_400_000
FULL = "metric: disk.used_percent, unit: percent, element: resource, critical: {above: 90}"


def point(text: str) -> PlanPoint:
    return parse_plan(f"plan: Test\nrevision: 1\npoints:\n  - {{id: disk, {text}}}\n").points[0]


def test_a_resource_that_can_become_full_is_asked_ninety_days_ahead() -> None:
    assert point(FULL).horizon_ms == 90 * DAY
    assert point(FULL.replace("critical", "warning")).horizon_ms == 90 * DAY


@pytest.mark.parametrize(
    "change",
    [
        ("element: resource", "element: people"),
        ("unit: percent", "unit: ms"),
        ("{above: 90}", "{below: 90}"),
        ("{above: 90}", "{above: 100}"),
        ("metric: disk.used_percent", "metric: net.bytes, as: rate"),
        ("metric: disk.used_percent", "metric: net.bytes, percent_of: net.speed"),
        (", critical: {above: 90}", ""),
    ],
)
def test_anything_else_is_not_asked(change: tuple[str, str]) -> None:
    assert point(FULL.replace(*change)).horizon_ms is None


def test_what_the_plan_says_goes_before() -> None:
    assert point(f"{FULL}, capacity: null").horizon_ms is None
    assert point(f"{FULL}, capacity: {{horizon: 30d}}").horizon_ms == 30 * DAY
    assert point(f"{FULL}, capacity: {{}}").horizon_ms == 90 * DAY
    asked = point("metric: ups.runtime_s, unit: s, critical: {below: 600}, capacity: {horizon: 60d}")
    assert asked.horizon_ms == 60 * DAY


def test_another_horizon_is_another_definition_and_the_default_is_none() -> None:
    hashes = [point(FULL + more).definition_hash for more in ("", ", capacity: {}", ", capacity: null")]
    assert len(set(hashes)) == 3


def test_no_horizon_is_refused() -> None:
    with pytest.raises(ConfigError, match="horizon: expected more than 0s"):
        point(f"{FULL}, capacity: {{horizon: 0s}}")
