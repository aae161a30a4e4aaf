"""Host: the technical metrics of one host, with the plan's thresholds where the build was given a plan."""

from __future__ import annotations

from collections.abc import Sequence

from grafana.frame import HOST, SITE, Frame, Row
from grafana.marks import EPISODES
from grafana.panels import NONE_IS_GOOD, PERCENT_USED, PLAIN, Panel
from grafana.queries import Query, latest, over_time
from grafana.selectors import Selector
from grafana.thresholds import Step


def _of(metric: str) -> Selector:
    total = {"cpu": "cpu-total"} if metric.startswith("cpu.") else {}
    return Selector(metric, {"host": "$host", **total})


def _lines(metric: str, legend: str, *by: str) -> Query:
    return over_time(_of(metric), ("host", *by), legend)


def _rate(metric: str, legend: str, *by: str, scale: float = 1.0) -> Query:
    return over_time(_of(metric), ("host", *by), legend, rate=True, scale=scale)


def _now(title: str, metric: str, unit: str, steps: Sequence[Step] = PLAIN) -> Panel:
    query = latest(_of(metric), ("host",))
    return Panel(kind="stat", title=title, queries=(query,), unit=unit, width=4, height=4, steps=steps)


def _graph(
    title: str, *queries: Query, unit: str = "short", high: float | None = None, about: str = ""
) -> Panel:
    return Panel(kind="timeseries", title=title, queries=queries, unit=unit, high=high, help=about)


_MOUNT_FAILED = Panel(
    kind="state-timeline",
    title="File systems that do not answer",
    queries=(over_time(_of("setpoint_mount.failed"), ("host", "path"), "{path}", function="max"),),
    states={0: ("answers", "green"), 1: ("does not answer", "red")},
    steps=NONE_IS_GOOD,
    unit="none",
)

HOST_DASHBOARD = Frame(
    uid="setpoint-host",
    title="Host",
    help="What one host measured of itself. Lines and shades are the thresholds of the plan.",
    variables=(SITE, HOST.alone()),
    marks=(EPISODES,),
    rows=(
        Row(
            "Now",
            (
                _now("CPU busy", "cpu.usage_active", "percent", PERCENT_USED),
                _now("Memory used", "mem.used_percent", "percent", PERCENT_USED),
                _now("Swap used", "swap.used_percent", "percent", PERCENT_USED),
                _now("Load, 5 minutes", "system.load5", "short"),
                _now("Uptime", "system.uptime", "dtdurations"),
                _now("Processors", "system.n_cpus", "none"),
            ),
        ),
        Row(
            "Processor and memory",
            (
                _graph("CPU busy", _lines("cpu.usage_active", "busy"), unit="percent", high=100),
                _graph(
                    "CPU by kind",
                    _lines("cpu.usage_user", "user"),
                    _lines("cpu.usage_system", "system"),
                    _lines("cpu.usage_iowait", "iowait"),
                    _lines("cpu.usage_steal", "steal"),
                    unit="percent",
                ),
                _graph("Memory used", _lines("mem.used_percent", "used"), unit="percent", high=100),
                _graph(
                    "Memory by kind",
                    _lines("mem.used", "used"),
                    _lines("mem.cached", "cached"),
                    _lines("mem.available", "available"),
                    unit="bytes",
                ),
                _graph("Swap used", _lines("swap.used_percent", "used"), unit="percent", high=100),
                _graph("Load, 5 minutes", _lines("system.load5", "load")),
            ),
        ),
        Row(
            "Disks",
            (
                _graph(
                    "File systems used",
                    _lines("disk.used_percent", "{path}", "path"),
                    unit="percent",
                    high=100,
                ),
                _graph(
                    "Inodes used",
                    _lines("disk.inodes_used_percent", "{path}", "path"),
                    unit="percent",
                    high=100,
                ),
                _graph(
                    "Bytes read and written",
                    _rate("diskio.read_bytes", "{name} read", "name"),
                    _rate("diskio.write_bytes", "{name} written", "name"),
                    unit="Bps",
                ),
                _graph("Disks busy", _lines("diskio.io_util", "{name}", "name"), unit="percent", high=100),
                _graph("Time per operation", _lines("diskio.io_await", "{name}", "name"), unit="ms"),
                _MOUNT_FAILED,
            ),
        ),
        Row(
            "Network",
            (
                _graph(
                    "Traffic",
                    _rate("net.bytes_recv", "{interface} in", "interface", scale=8),
                    _rate("net.bytes_sent", "{interface} out", "interface", scale=8),
                    unit="bps",
                ),
                _graph(
                    "Errors and drops",
                    _rate("net.err_in", "{interface} errors in", "interface"),
                    _rate("net.err_out", "{interface} errors out", "interface"),
                    _rate("net.drop_in", "{interface} drops in", "interface"),
                    _rate("net.drop_out", "{interface} drops out", "interface"),
                    unit="cps",
                ),
            ),
        ),
        Row(
            "Processes and sensors",
            (
                _graph(
                    "Processes",
                    _lines("processes.total", "all"),
                    _lines("processes.running", "running"),
                    _lines("processes.blocked", "blocked"),
                    _lines("processes.zombies", "zombies"),
                ),
                _graph("Temperatures", _lines("temp.temp", "{sensor}", "sensor"), unit="celsius"),
            ),
        ),
    ),
)
