"""NOC overview: is everybody there, and who is worst off. To be read from across the room."""

from __future__ import annotations

from grafana.frame import HOST, SITE, Frame, Row
from grafana.panels import NONE_IS_GOOD, ONE_IS_GOOD, PERCENT_USED, PLAIN, SOME_IS_ODD, Panel
from grafana.queries import DAY, Query, latest, number_reporting, number_silent, number_where, worst
from grafana.selectors import Selector

_AGENT = Selector("setpoint_agent.outbox_batches", {"host": "$host"})
_HTTP = Selector("http_response.result_code", {"host": "$host"})
_TCP = Selector("net_response.result_code", {"host": "$host"})
_DEVICE = Selector("snmp_device.up", {"host": "$host"})
_HTTP_SUBJECT = ("host", "server", "method")
_TCP_SUBJECT = ("host", "server", "port")
_DEVICE_SUBJECT = ("host", "device")
# An agent reports about itself every 10 s; the limit leaves room for a store that acks late.
_SILENT = "2m"

_TO_HOST = (
    "Host",
    "/d/setpoint-host?var-host=${__data.fields.host}&${datasource:queryparam}&${__url_time_range}",
)


def _tile(title: str, queries: tuple[Query, ...], good: bool, help_text: str) -> Panel:
    return Panel(
        kind="stat",
        title=title,
        queries=queries,
        help=help_text,
        width=4,
        height=5,
        steps=ONE_IS_GOOD if good else NONE_IS_GOOD,
        unit="none",
    )


def _findings(severity: str, title: str) -> Panel:
    selector = Selector("setpoint_finding.open", {"severity": severity})
    return Panel(
        kind="stat",
        title=title,
        queries=(number_where(selector, ("id",), "= 1", within=DAY),),
        help="As of the last review of the last 24 hours.",
        width=6,
        height=5,
        unit="none",
        steps={"critical": NONE_IS_GOOD, "warning": SOME_IS_ODD}.get(severity, PLAIN),
    )


def _episodes() -> Panel:
    influxql = (
        'SELECT sum("episodes") AS "value" FROM "setpoint_gap" '
        "WHERE time > ${__to}ms - 1d AND time <= ${__to}ms"
    )
    promql = "sum(sum_over_time(setpoint_gap_episodes[1d]))"
    return Panel(
        kind="stat",
        title="Episodes, last 24 hours",
        queries=(Query(influxql, promql, instant=True),),
        help="Times that a value stayed beyond a threshold of the plan for as long as it says.",
        width=6,
        height=5,
        unit="none",
        steps=SOME_IS_ODD,
    )


def _worst(title: str, metric: str, by: tuple[str, ...], where: dict[str, str], column: str) -> Panel:
    selector = Selector(metric, {"host": "$host", **where})
    return Panel(
        kind="table",
        title=title,
        queries=(worst(selector, by, column=column),),
        help="Means of the last 5 minutes.",
        width=8,
        height=9,
        unit="percent",
        steps=PERCENT_USED,
        link=_TO_HOST,
        sort=column,
    )


NOC = Frame(
    uid="setpoint-noc",
    title="NOC overview",
    help="Is everybody there, and who is worst off.",
    range="now-1h",
    refresh="30s",
    variables=(SITE, HOST),
    rows=(
        Row(
            "Who is there",
            (
                _tile(
                    "Agents up",
                    (number_reporting(_AGENT, ("host",), within=_SILENT),),
                    True,
                    "Agents that reported in the last 2 minutes.",
                ),
                _tile(
                    "Agents silent",
                    (number_silent(_AGENT, ("host",), within=_SILENT),),
                    False,
                    "Agents that reported in the last 24 hours, but not in the last 2 minutes.",
                ),
                _tile(
                    "Tools up",
                    (
                        number_where(_HTTP, _HTTP_SUBJECT, "= 0", legend="HTTP"),
                        number_where(_TCP, _TCP_SUBJECT, "= 0", legend="TCP"),
                    ),
                    True,
                    "Probes whose newest result is a success.",
                ),
                _tile(
                    "Tools down",
                    (
                        number_where(_HTTP, _HTTP_SUBJECT, "<> 0", legend="HTTP"),
                        number_where(_TCP, _TCP_SUBJECT, "<> 0", legend="TCP"),
                    ),
                    False,
                    "Probes whose newest result is a failure.",
                ),
                _tile(
                    "Devices up",
                    (number_where(_DEVICE, _DEVICE_SUBJECT, "= 1"),),
                    True,
                    "Devices that answered the newest poll.",
                ),
                _tile(
                    "Devices down",
                    (number_where(_DEVICE, _DEVICE_SUBJECT, "<> 1"),),
                    False,
                    "Devices that did not answer the newest poll.",
                ),
            ),
        ),
        Row(
            "What the reviews found",
            (
                _findings("critical", "Open findings: critical"),
                _findings("warning", "Open findings: warning"),
                _findings("info", "Open findings: info"),
                _episodes(),
            ),
        ),
        Row(
            "Worst off",
            (
                _worst("Busiest processors", "cpu.usage_active", ("host",), {"cpu": "cpu-total"}, "CPU busy"),
                _worst("Fullest memory", "mem.used_percent", ("host",), {}, "Memory used"),
                _worst("Fullest file systems", "disk.used_percent", ("host", "path"), {}, "Used"),
                Panel(
                    kind="table",
                    title="Agents of the last 24 hours",
                    queries=(
                        latest(_AGENT, ("host",), column="Batches waiting", within=DAY),
                        latest(
                            Selector("setpoint_agent.outbox_age_s", {"host": "$host"}),
                            ("host",),
                            column="Oldest waiting",
                            within=DAY,
                        ),
                        latest(
                            Selector("system.uptime", {"host": "$host"}),
                            ("host",),
                            column="Uptime",
                            within=DAY,
                        ),
                    ),
                    units={"Oldest waiting": "s", "Uptime": "dtdurations"},
                    width=24,
                    height=9,
                    link=_TO_HOST,
                    sort="Oldest waiting",
                ),
            ),
        ),
    ),
)
