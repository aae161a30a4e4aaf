"""Tools: do the tools that a team works with answer, how fast, for how long yet, and how reliably."""

from __future__ import annotations

from collections.abc import Mapping

from grafana.frame import SITE, Frame, Row, Variable
from grafana.panels import NONE_IS_GOOD, POLLED, Panel, coded
from grafana.queries import Query, latest, over_time, share_of_samples
from grafana.selectors import Selector
from grafana.thresholds import Step

_WEEK = "7d"
_DAY_S = 86_400
_HOST = {"host": "$host"}
_HTTP = ("host", "server", "method")
_TCP = ("host", "server", "port")

_HTTP_COLOURS = {0: "green", 1: "orange", 2: "orange", 3: "red", 4: "red", 5: "red", 6: "orange"}
_TCP_COLOURS = {0: "green", 1: "red", 2: "red", 3: "orange", 4: "orange"}
_DAYS_LEFT = (Step(None, "red"), Step(7 * _DAY_S, "orange"), Step(30 * _DAY_S, "green"))
_AVAILABLE = (Step(None, "red"), Step(99, "orange"), Step(99.9, "green"))


def _results(title: str, metric: str, by: tuple[str, ...], legend: str, colours: Mapping[int, str]) -> Panel:
    return Panel(
        kind="state-timeline",
        title=title,
        queries=(over_time(Selector(metric, _HOST), by, legend, function="max"),),
        states=coded(metric, colours),
        steps=NONE_IS_GOOD,
        unit="none",
        interval=POLLED,
    )


def _graph(title: str, *queries: Query, unit: str) -> Panel:
    return Panel(kind="timeseries", title=title, queries=queries, unit=unit, interval=POLLED)


def _line(metric: str, by: tuple[str, ...], legend: str) -> Query:
    return over_time(Selector(metric, _HOST), by, legend)


def _available(title: str, metric: str, by: tuple[str, ...]) -> Panel:
    return Panel(
        kind="table",
        title=title,
        queries=(share_of_samples(Selector(metric, _HOST), by, 0, within=_WEEK, column="Available"),),
        help="Share of the probes that succeeded. A finding's availability is weighted by time.",
        unit="percent",
        steps=_AVAILABLE,
        sort="Available",
        smallest_first=True,
    )


TOOLS = Frame(
    uid="setpoint-tools",
    title="Tools",
    help="Do the tools that a team works with answer, how fast, and how reliably.",
    variables=(SITE, Variable("host", "Probed from", "setpoint_agent.outbox_batches", ("site",))),
    rows=(
        Row(
            "Do they answer",
            (
                _results("Web", "http_response.result_code", _HTTP, "{server} from {host}", _HTTP_COLOURS),
                _results(
                    "TCP", "net_response.result_code", _TCP, "{server}:{port} from {host}", _TCP_COLOURS
                ),
                _graph(
                    "Web: time to answer",
                    _line("http_response.response_time", _HTTP, "{server} from {host}"),
                    unit="s",
                ),
                _graph(
                    "TCP: time to answer",
                    _line("net_response.response_time", _TCP, "{server}:{port} from {host}"),
                    unit="s",
                ),
                _available("Web: available, last 7 days", "http_response.result_code", _HTTP),
                _available("TCP: available, last 7 days", "net_response.result_code", _TCP),
            ),
        ),
        Row(
            "Certificates",
            (
                Panel(
                    kind="table",
                    title="Certificates",
                    queries=(
                        latest(
                            Selector("x509_cert.expiry", _HOST),
                            ("host", "source", "common_name"),
                            column="Expires in",
                            within="1d",
                        ),
                    ),
                    unit="dtdurations",
                    steps=_DAYS_LEFT,
                    width=24,
                ),
            ),
        ),
        Row(
            "Processes",
            (
                Panel(
                    kind="table",
                    title="Processes that run",
                    queries=(
                        latest(
                            Selector("procstat_lookup.running", _HOST),
                            ("host", "systemd_unit", "pattern", "exe", "pidfile", "user"),
                            column="Running",
                        ),
                    ),
                    unit="none",
                    steps=(Step(None, "red"), Step(1, "green")),
                    # As many columns as there are ways to name a process.
                    width=24,
                ),
                _graph(
                    "Processor",
                    _line("procstat.cpu_usage", ("host", "process_name"), "{process_name} on {host}"),
                    unit="percent",
                ),
                _graph(
                    "Memory",
                    _line("procstat.memory_rss", ("host", "process_name"), "{process_name} on {host}"),
                    unit="bytes",
                ),
                _graph(
                    "Open files",
                    _line("procstat.num_fds", ("host", "process_name"), "{process_name} on {host}"),
                    unit="short",
                ),
            ),
        ),
    ),
)
