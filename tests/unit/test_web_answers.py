"""What the web is answered from plan, series table and store; and who of the agents is there."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pytest

from collector.agents import AgentState
from collector.series import SeriesTable
from collector.store.base import SeriesKey, Train
from collector.web.answers import list_series, plan_summary, samples_of
from collector.web.presence import presence
from collector.web.view import SeriesQuery
from setpoint.plan_load import parse_plan
from setpoint.reading import Subject

SUBJECTS: Sequence[Subject] = ((("host", "a"),), (("host", "b"),))


def _train(rows: Sequence[tuple[int, int, float]]) -> Train:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE samples(subject INTEGER, t BIGINT, value DOUBLE)")
    for row in rows:
        connection.execute("INSERT INTO samples VALUES (?, ?, ?)", row)
    return Train(connection, connection.table("samples"), SUBJECTS)


def test_samples_are_by_subject_and_in_order_of_time() -> None:
    rows = [(1, 20, 4.0), (0, 30, 3.0), (0, 10, 1.0), (1, 9, 9.0), (0, 40, 5.0), (0, 20, float("nan"))]
    with _train(rows) as train:
        found = samples_of(train, 10, 40, 10)
    assert found.truncated is False
    assert [(s.subject, s.samples) for s in found.subjects] == [
        ({"host": "a"}, [(10, 1.0), (30, 3.0)]),
        ({"host": "b"}, [(20, 4.0)]),
    ]


def test_the_earliest_samples_are_given_and_the_rest_is_said() -> None:
    with _train([(n % 2, n, n / 3) for n in range(10)]) as train:
        found = samples_of(train, 0, 100, 4)
        assert found.truncated is True
        assert [s.samples for s in found.subjects] == [
            [(0, 0.0), (2, 0.666666666667)],
            [(1, 0.333333333333), (3, 1.0)],
        ]
        assert samples_of(train, 0, 100, 10).truncated is False


def test_of_two_values_at_one_time_one_is_given() -> None:
    with _train([(0, 10, 1.0), (0, 10, 2.0)]) as train:
        assert [s.samples for s in samples_of(train, 0, 100, 10).subjects] == [[(10, 2.0)]]


@pytest.fixture
def table() -> SeriesTable:
    table = SeriesTable()
    for host in ("a", "b"):
        for cpu in ("cpu0", "cpu1"):
            table.add(SeriesKey("cpu", (("cpu", cpu), ("host", host)), "usage_active"), "float", 5, host)
    table.add(SeriesKey("mem", (("host", "a"),), "used"), "integer", 7, "a")
    table.observe(np.array([0], np.int32), np.array([100], np.int64), np.array([0.1 + 0.2]))
    return table


def test_series_are_found_by_metric_and_tags(table: SeriesTable) -> None:
    def found(
        measurement: str | None = None, field: str | None = None, limit: int = 9, **tags: str
    ) -> list[str]:
        total, series = list_series(table, SeriesQuery(measurement, field, tags, limit))
        return [f"{total}", *(" ".join((s.measurement, *s.tags.values())) for s in series)]

    assert found() == ["5", "cpu cpu0 a", "cpu cpu1 a", "cpu cpu0 b", "cpu cpu1 b", "mem a"]
    assert found(limit=1) == ["5", "cpu cpu0 a"]
    assert found(host="a") == ["3", "cpu cpu0 a", "cpu cpu1 a", "mem a"]
    assert found("cpu", "usage_active", host="b", cpu="cpu1") == ["1", "cpu cpu1 b"]
    assert found("cpu", "other") == found("mem", host="b") == ["0"]


def test_a_series_has_its_newest_number(table: SeriesTable) -> None:
    first, second = list_series(table, SeriesQuery("cpu", None, {}, 2)).series
    assert (first.last_ms, first.last_value, first.first_ms, first.type) == (100, 0.3, 5, "float")
    assert (second.last_ms, second.last_value) == (None, None)


def test_the_plan_is_summed_up_in_words() -> None:
    plan = parse_plan(
        """
        plan: Operations
        revision: 3
        approved: {by: Lead, on: 2026-10-01}
        site: hq
        points:
          - {id: cpu, metric: cpu.usage_active, unit: percent, class: technical,
             expect: {host: a, every: 10s}, warning: {above: 80, for: 5m}, target: {p95: {at_most: 70}}}
        """,
        environment={},
    )
    summary = plan_summary(plan)
    assert (summary.title, summary.revision, summary.site) == ("Operations", 3, "hq")
    assert (summary.approved_by, summary.approved_on) == ("Lead", "2026-10-01")
    (point,) = summary.points
    assert (point.warning, point.critical, point.targets) == (
        "above 80 percent for 5m", "", ["p95 at most 70 percent"],
    )  # fmt: skip
    assert (point.metric, point.every_ms, point.metric_class) == ("cpu.usage_active", 10_000, "technical")


@pytest.mark.parametrize(
    ("state", "last_ms", "said"),
    [
        ("online", 40_000, "up"),
        ("online", 39_999, "silent"),
        ("online", None, "never"),
        ("offline", 99_999, "offline"),
        ("unknown", 39_999, "up"),
        ("unknown", -200_001, "silent"),
    ],
)
def test_an_agent_is_there_when_it_was_heard(state: str, last_ms: int | None, said: str) -> None:
    assert presence(AgentState("hq", "a", state=state, last_ms=last_ms), 100_000) == said
