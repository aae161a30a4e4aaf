"""Network device: ports, processors, memory and sensors of one device, as any vendor's SNMP gives them."""

from __future__ import annotations

from grafana.frame import Frame, Row, Variable
from grafana.panels import ONE_IS_GOOD, POLLED, UP_DOWN, Panel, coded
from grafana.queries import DAY, Query, graph_time, latest, over_time
from grafana.selectors import Selector, influx_group, prom_by

_DEVICE = {"host": "$host", "device": "$device"}
_PORT = {**_DEVICE, "name": "$name"}
_PORT_COLOURS = {1: "green", 2: "red", 3: "orange", 4: "orange", 5: "blue", 6: "#8e8e8e", 7: "dark-red"}
_CLASSES = (
    ("Temperatures", "temperature", "celsius"),
    ("Fans", "fanspeed", "rotrpm"),
    ("Power", "power", "watt"),
    ("Voltages", "voltage", "volt"),
)


def _graph(title: str, *queries: Query, unit: str = "short", high: float | None = None) -> Panel:
    return Panel(kind="timeseries", title=title, queries=queries, unit=unit, high=high, interval=POLLED)


def _port(field: str, legend: str, *, scale: float = 1.0) -> Query:
    return over_time(Selector(f"snmp_port.{field}", _PORT), ("name",), legend, rate=True, scale=scale)


def _load(field: str, legend: str) -> Query:
    """Percent of the port's speed."""
    octets, speed = Selector(f"snmp_port.{field}", _PORT), Selector("snmp_port.speed_bps", _PORT)
    influxql = (
        f"SELECT non_negative_derivative(last({octets.column}), 1s) * 800 / last({speed.column}) "
        f'AS "value" FROM {octets.source} WHERE {octets.influx_where(graph_time(octets))}'
        f"{influx_group(('name',), 'time($__interval)')} fill(null)"
    )
    by = prom_by(("name",))
    promql = (
        f"sum {by} (rate({octets.prom}[$__rate_interval])) * 800 "
        f"/ (sum {by} (last_over_time({speed.prom}[$__interval])) > 0)"
    )
    return Query(influxql, promql, legend)


def _used(title: str, metric: str) -> Panel:
    query = over_time(Selector(metric, _DEVICE), ("name",), "{name}")
    return _graph(title, query, unit="percent", high=100)


def _sensor(title: str, sensor_class: str, unit: str) -> Panel:
    selector = Selector("snmp_sensor.value", {**_DEVICE, "class": sensor_class})
    return _graph(title, over_time(selector, ("name",), "{name}"), unit=unit)


DEVICE = Frame(
    uid="setpoint-device",
    title="Network device",
    help="Ports, processors, memory and sensors of one device.",
    variables=(
        Variable("site", "Site", "snmp_device.up", optional=True),
        Variable("host", "Polled by", "snmp_device.up", ("site",)),
        Variable("device", "Device", "snmp_device.up", ("site", "host"), one=True),
        Variable("name", "Port", "snmp_port.oper_status", ("host", "device")),
    ),
    rows=(
        Row(
            "Now",
            (
                Panel(
                    kind="stat",
                    title="Answers",
                    queries=(latest(Selector("snmp_device.up", _DEVICE), ("device",)),),
                    states=UP_DOWN,
                    steps=ONE_IS_GOOD,
                    unit="none",
                    width=8,
                    height=4,
                ),
                Panel(
                    kind="stat",
                    title="Uptime",
                    queries=(latest(Selector("snmp_device.uptime_s", _DEVICE), ("device",)),),
                    unit="dtdurations",
                    width=8,
                    height=4,
                ),
                Panel(
                    kind="stat",
                    title="Time of a poll",
                    queries=(latest(Selector("snmp_device.poll_s", _DEVICE), ("device",)),),
                    unit="s",
                    width=8,
                    height=4,
                ),
            ),
        ),
        Row(
            "Ports",
            (
                _graph(
                    "Traffic",
                    _port("in_octets", "{name} in", scale=8),
                    _port("out_octets", "{name} out", scale=8),
                    unit="bps",
                ),
                _graph(
                    "Load",
                    _load("in_octets", "{name} in"),
                    _load("out_octets", "{name} out"),
                    unit="percent",
                ),
                _graph(
                    "Errors",
                    _port("in_errors", "{name} in"),
                    _port("out_errors", "{name} out"),
                    unit="cps",
                ),
                _graph(
                    "Discards",
                    _port("in_discards", "{name} in"),
                    _port("out_discards", "{name} out"),
                    unit="cps",
                ),
                Panel(
                    kind="state-timeline",
                    title="State of the ports",
                    queries=(
                        over_time(
                            Selector("snmp_port.oper_status", _PORT), ("name",), "{name}", function="max"
                        ),
                    ),
                    states=coded("snmp_port.oper_status", _PORT_COLOURS),
                    unit="none",
                    width=24,
                    interval=POLLED,
                ),
            ),
        ),
        Row(
            "Processors and memory",
            (
                _used("CPU busy", "snmp_cpu.usage_percent"),
                _used("Memory used", "snmp_memory.used_percent"),
                _used("Storage used", "snmp_storage.used_percent"),
            ),
        ),
        Row(
            "Sensors",
            (
                *(_sensor(title, sensor_class, unit) for title, sensor_class, unit in _CLASSES),
                Panel(
                    kind="table",
                    title="Sensors, newest values",
                    queries=(
                        latest(Selector("snmp_sensor.value", _DEVICE), ("class", "name"), column="Value"),
                    ),
                    help="In SI units: degrees Celsius, volts, amperes, watts, rpm, hertz.",
                ),
                Panel(
                    kind="table",
                    title="Limits that the device itself knows",
                    queries=(
                        latest(
                            Selector("threshold.level", {"host": "$host", "source": "$device"}),
                            ("subject", "metric", "comparison", "severity"),
                            column="Level",
                            within=DAY,
                        ),
                    ),
                    help="As they were read from the device.",
                ),
            ),
        ),
    ),
)
