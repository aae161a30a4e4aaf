"""Gaps: how far what was measured is from what was planned, hour by hour."""

from __future__ import annotations

from grafana.frame import Frame, Row, Text, Variable
from grafana.panels import REVIEWED, Panel
from grafana.queries import DAY, Query, latest, over_time, window
from grafana.selectors import Selector, influx_group, influx_name, prom_by

_POINT = {"point": "$point"}
_SUBJECT = ("point", "subject")
_FINDING = ("id", "severity", "kind", "point")
_TO_FINDING = ("Finding", "${collector}/findings/${__data.fields.id}")


def _gap(field: str, column: str) -> Query:
    return latest(Selector(f"setpoint_gap.{field}", _POINT), _SUBJECT, column=column, within=DAY)


def _graph(title: str, field: str, unit: str, *, high: float | None = None) -> Panel:
    query = over_time(Selector(f"setpoint_gap.{field}", _POINT), _SUBJECT, "{point} {subject}")
    return Panel(kind="timeseries", title=title, queries=(query,), unit=unit, high=high, interval=REVIEWED)


def _open_finding(field: str, column: str) -> Query:
    """The field of those findings whose newest ``open`` is 1."""
    state, value = Selector("setpoint_finding.open", _POINT), Selector(f"setpoint_finding.{field}", _POINT)
    influxql = (
        f'SELECT "v" AS {influx_name(column)} FROM (SELECT last({state.column}) AS "open", '
        f'last({value.column}) AS "v" FROM {state.source} WHERE {state.influx_where(window(DAY))}'
        f'{influx_group(_FINDING)}) WHERE "open" = 1{influx_group(_FINDING)}'
    )
    by = prom_by(_FINDING)
    promql = (
        f"max {by} (last_over_time({value.prom}[{DAY}])) "
        f"and on (id) (max by (id) (last_over_time({state.prom}[{DAY}])) == 1)"
    )
    return Query(influxql, promql, column=column, instant=True)


GAPS = Frame(
    uid="setpoint-gaps",
    title="Gaps",
    help="How far what was measured is from what was planned.",
    range="now-7d",
    refresh="15m",
    variables=(Variable("point", "Point", "setpoint_gap.coverage"),),
    texts=(Text("collector", "Address of the collector's page", "http://127.0.0.1:8480"),),
    rows=(
        Row(
            "Open findings",
            (
                Panel(
                    kind="table",
                    title="Open findings",
                    queries=(
                        _open_finding("measured", "Measured"),
                        _open_finding("target", "Target"),
                        _open_finding("gap", "Gap"),
                    ),
                    help="A click on a row opens the finding on the collector's page.",
                    link=_TO_FINDING,
                    width=24,
                    height=9,
                    interval=REVIEWED,
                    none="no open findings",
                ),
            ),
        ),
        Row(
            "Points of the plan",
            (
                Panel(
                    kind="table",
                    title="Newest hour",
                    queries=(
                        _gap("measured", "Measured"),
                        _gap("target", "Target"),
                        _gap("breach_share", "Beyond a threshold"),
                        _gap("coverage", "Coverage"),
                    ),
                    units={"Beyond a threshold": "percentunit", "Coverage": "percentunit"},
                    width=24,
                    height=9,
                    interval=REVIEWED,
                ),
                _graph("Coverage", "coverage", "percentunit", high=1),
                _graph("Time beyond a threshold", "breach_share", "percentunit"),
                _graph("Measured", "measured", "short"),
                _graph("Target", "target", "short"),
            ),
        ),
    ),
)
