"""Setpoint itself: what is taken in and stored, how fast, and what is lost or refused."""

from __future__ import annotations

from grafana.frame import HOST, SITE, Frame, Row
from grafana.panels import NONE_IS_GOOD, Panel
from grafana.queries import Query, latest, over_time
from grafana.selectors import Selector
from grafana.thresholds import Step

_HOST = {"host": "$host"}
_LATENCY_STEPS = (Step(None, "green"), Step(5_000, "orange"), Step(60_000, "red"))


def _collector(field: str, legend: str, *, rate: bool = False, scale: float = 1.0) -> Query:
    return over_time(Selector(f"setpoint_collector.{field}"), ("host",), legend, rate=rate, scale=scale)


def _agent(field: str, legend: str = "{host}", *, rate: bool = False, scale: float = 1.0) -> Query:
    return over_time(Selector(f"setpoint_agent.{field}", _HOST), ("host",), legend, rate=rate, scale=scale)


def _input(field: str) -> Query:
    selector = Selector(f"setpoint_agent.{field}", _HOST)
    return over_time(selector, ("host", "input"), "{host} {input}", function="max")


def _graph(title: str, *queries: Query, unit: str = "short", about: str = "") -> Panel:
    return Panel(kind="timeseries", title=title, queries=queries, unit=unit, help=about)


def _now(title: str, field: str, unit: str, steps: tuple[Step, ...] = (Step(None, "blue"),)) -> Panel:
    query = latest(Selector(f"setpoint_collector.{field}"), ("host",), legend="{host}")
    return Panel(kind="stat", title=title, queries=(query,), unit=unit, width=6, height=4, steps=steps)


OWN = Frame(
    uid="setpoint-itself",
    title="Setpoint itself",
    help="What is taken in and stored, how fast, and what is lost or refused.",
    variables=(SITE, HOST),
    rows=(
        Row(
            "Now",
            (
                _now("Series", "series", "short"),
                _now("From measuring to stored", "latency_ms", "ms", _LATENCY_STEPS),
                _now("Messages waiting", "queue_messages", "short"),
                _now("Store failures since start", "store_failures", "short", NONE_IS_GOOD),
            ),
        ),
        Row(
            "Collector",
            (
                _graph("Readings stored", _collector("readings", "{host}", rate=True), unit="cps"),
                _graph(
                    "From measuring to stored",
                    _collector("latency_ms", "{host}"),
                    unit="ms",
                ),
                _graph(
                    "Time in the store and in decoding",
                    _collector("write_s", "{host} store", rate=True),
                    _collector("decode_s", "{host} decoding", rate=True),
                    unit="percentunit",
                    about="Share of the time that the collector spent on it.",
                ),
                _graph(
                    "Refused, dropped, failed",
                    _collector("rejected_readings", "{host} refused readings", rate=True),
                    _collector("clock_skew_readings", "{host} of a wrong clock", rate=True),
                    _collector("dropped_messages", "{host} dropped messages", rate=True),
                    _collector("store_failures", "{host} store failures", rate=True),
                    unit="cps",
                ),
                _graph(
                    "Waiting to be stored",
                    _collector("queue_bytes", "{host}"),
                    unit="bytes",
                ),
                _graph("Time of a review", _collector("review_s", "{host}"), unit="s"),
                _graph("Processor", _collector("cpu_s", "{host}", rate=True), unit="percentunit"),
                _graph("Memory", _collector("rss_bytes", "{host}"), unit="bytes"),
            ),
        ),
        Row(
            "Agents",
            (
                _graph("Outbox: batches", _agent("outbox_batches")),
                _graph("Outbox: age of the oldest", _agent("outbox_age_s"), unit="s"),
                _graph("Outbox: size", _agent("outbox_bytes"), unit="bytes"),
                _graph("From sent to acknowledged", _agent("ack_latency_ms"), unit="ms"),
                _graph(
                    "Lost and refused readings",
                    _agent("dropped_readings", "{host} dropped", rate=True),
                    _agent("rejected_readings", "{host} refused", rate=True),
                    unit="cps",
                ),
                _graph("Batches sent again", _agent("repeated_batches", rate=True), unit="cps"),
                _graph("Inputs: time of a gathering", _input("gather_ms"), unit="ms"),
                Panel(
                    kind="state-timeline",
                    title="Inputs: outcome",
                    queries=(_input("outcome"),),
                    states={
                        0: ("done", "green"),
                        1: ("error", "red"),
                        2: ("too late", "orange"),
                        3: ("hangs", "dark-red"),
                    },
                    steps=NONE_IS_GOOD,
                    unit="none",
                ),
                _graph("Agents: processor", _agent("cpu_s", rate=True), unit="percentunit"),
                _graph("Agents: memory", _agent("rss_bytes"), unit="bytes"),
            ),
        ),
    ),
)
