"""A small fleet's readings as line protocol: hosts, one of them silent, a network device, tools, reviews."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from setpoint.line_protocol import encode_point
from setpoint.reading import FieldValue

EVERY_MS = 30_000
LENGTH_MS = 1_800_000
SILENT_FOR_MS = 900_000
# No sample lies on the border of a window, where servers differ about whether it is inside.
BESIDE_MS = 7_000

HOSTS = ("mon-01", "web.01")
SILENT = "old-01"

Line = tuple[str, Mapping[str, str], Mapping[str, FieldValue]]


def fleet_lines(end_ms: int) -> bytes:
    """Half an hour up to ``end_ms``, times in nanoseconds as agents send them."""
    lines = []
    for number, time_ms in enumerate(range(end_ms - LENGTH_MS + BESIDE_MS, end_ms, EVERY_MS)):
        for host in HOSTS:
            lines += [(time_ms, line) for line in _everything_of(host, number)]
        if time_ms <= end_ms - SILENT_FOR_MS:
            lines += [(time_ms, line) for line in _host(SILENT, number)]
    encoded = (encode_point(name, tags, fields, time_ms) for time_ms, (name, tags, fields) in lines)
    return b"\n".join(line for line in encoded if line) + b"\n"


def _everything_of(host: str, number: int) -> Iterator[Line]:
    # One host's readings have a tag "site", as Telegraf's global tags would give them, the other's have none.
    site = {"site": "hq"} if host == HOSTS[0] else {}
    lines = [*_host(host, number), *_tools(host, number)]
    if host == HOSTS[0]:
        lines += [*_collector(host, number), *_device(host, number)]
        yield from _reviews(number)
    for name, tags, fields in lines:
        yield name, {**site, **tags}, fields


def _wave(number: int, low: float, high: float) -> float:
    return round(low + (high - low) * (1 + math.sin(number / 5)) / 2, 3)


def _host(host: str, n: int) -> Iterator[Line]:
    of_host = {"host": host}
    busy = _wave(n, 10, 97 if host == HOSTS[0] else 30)
    yield (
        "cpu",
        {**of_host, "cpu": "cpu-total"},
        {
            "usage_active": busy,
            "usage_user": busy / 2,
            "usage_system": busy / 4,
            "usage_iowait": busy / 8,
            "usage_steal": 0.0,
        },
    )
    yield "cpu", {**of_host, "cpu": "cpu0"}, {"usage_active": 100.0}
    memory: dict[str, FieldValue] = {"used": 4 << 30, "cached": 2 << 30, "available": 4 << 30}
    yield "mem", of_host, {**memory, "used_percent": _wave(n, 40, 60)}
    yield "swap", of_host, {"used_percent": 3.0}
    yield "system", of_host, {"load5": _wave(n, 0, 4), "uptime": 86_400 + 30 * n, "n_cpus": 4}
    for path in ("/", "/var"):
        yield (
            "disk",
            {**of_host, "path": path, "device": "sda1", "fstype": "ext4", "mode": "rw"},
            {"used_percent": 71.5 if path == "/" else 93.0, "inodes_used_percent": 12.0},
        )
        yield "setpoint_mount", {**of_host, "path": path}, {"failed": 0, "hung": 0}
    yield (
        "diskio",
        {**of_host, "name": "sda"},
        {"read_bytes": 40_960 * n, "write_bytes": 81_920 * n, "io_util": 12.5, "io_await": 3.25},
    )
    counted: dict[str, FieldValue] = {"err_in": n, "err_out": 0, "drop_in": n // 3, "drop_out": 0}
    octets: dict[str, FieldValue] = {"bytes_recv": 1_000_000 * n, "bytes_sent": 500_000 * n}
    yield "net", {**of_host, "interface": "eth0"}, {**octets, **counted}
    yield "processes", of_host, {"total": 210, "running": 3, "blocked": 1, "zombies": 0}
    yield "temp", {**of_host, "sensor": "coretemp_core_0"}, {"temp": _wave(n, 45, 70)}
    yield from _agent(of_host, n)


def _agent(of_host: Mapping[str, str], n: int) -> Iterator[Line]:
    yield (
        "setpoint_agent",
        of_host,
        {
            "outbox_batches": n % 3,
            "outbox_bytes": 2048,
            "outbox_age_s": 1.5,
            "dropped_readings": 0,
            "rejected_readings": n // 10,
            "repeated_batches": n // 5,
            "cpu_s": 0.3 * n,
            "rss_bytes": 29 << 20,
            "ack_latency_ms": 12.5,
        },
    )
    for label in ("host", "grafana"):
        yield (
            "setpoint_agent",
            {**of_host, "input": label},
            {"gather_ms": 8.5, "outcome": int(n % 7 == 0), "readings": 120},
        )


def _collector(host: str, n: int) -> Iterator[Line]:
    yield (
        "setpoint_collector",
        {"host": host},
        {
            "readings": 1_000 * n,
            "rejected_readings": n,
            "clock_skew_readings": 0,
            "store_failures": 0,
            "decode_s": 0.01 * n,
            "write_s": 0.05 * n,
            "queue_messages": 2,
            "queue_bytes": 16_384,
            "dropped_messages": 0,
            "series": 1_234,
            "review_s": 0.7,
            "cpu_s": 0.4 * n,
            "rss_bytes": 130 << 20,
            "latency_ms": _wave(n, 20, 90),
        },
    )


def _tools(host: str, n: int) -> Iterator[Line]:
    fails = n > 50
    yield (
        "http_response",
        {
            "host": host,
            "server": "http://127.0.0.1:3000/api/health",
            "method": "GET",
            **({"result": "connection_failed"} if fails else {"result": "success", "status_code": "200"}),
        },
        {"result_code": 3} if fails else {"result_code": 0, "response_time": _wave(n, 0.01, 0.2)},
    )
    # Answers again since less than the five minutes for which PromQL goes on showing the failure.
    failed = host == HOSTS[1] and 40 < n < 55
    yield (
        "http_response",
        {
            "host": host,
            "server": "https://tickets/",
            "method": "GET",
            "result": "timeout" if failed else "success",
        },
        {"result_code": 4} if failed else {"result_code": 0, "response_time": 0.5},
    )
    yield (
        "net_response",
        {"host": host, "server": "db-01", "port": "5432", "protocol": "tcp", "result": "success"},
        {"result_code": 0, "response_time": 0.002},
    )
    yield (
        "x509_cert",
        {"host": host, "source": "https://tickets/", "common_name": "tickets", "verification": "valid"},
        {"expiry": 86_400 * 20 - 30 * n, "verification_code": 0},
    )
    unit = {"host": host, "systemd_unit": "nginx.service"}
    yield (
        "procstat",
        {**unit, "process_name": "nginx"},
        {"cpu_usage": _wave(n, 1, 9), "memory_rss": 64 << 20, "num_threads": 12, "num_fds": 90},
    )
    yield "procstat_lookup", {**unit, "result": "success"}, {"pid_count": 5, "running": 5, "result_code": 0}


def _device(host: str, n: int) -> Iterator[Line]:
    of_device = {"host": host, "device": "sw-core-1"}
    yield "snmp_device", of_device, {"up": 1, "uptime_s": 86_400 + 30 * n, "poll_s": 0.4}
    yield "snmp_device", {"host": host, "device": "sw-edge-2"}, {"up": 0, "poll_s": 5.0}
    for index, name in enumerate(("Te1/1/1", "Te1/1/2")):
        octets = 100_000_000 * n * (index + 1)
        yield (
            "snmp_port",
            {**of_device, "index": str(index + 1), "name": name, "alias": "uplink", "type": "6"},
            {
                "in_octets": octets,
                "out_octets": octets // 2,
                "in_errors": n,
                "out_errors": 0,
                "in_discards": n // 2,
                "out_discards": 0,
                "oper_status": 1 + index,
                "admin_status": 1,
                "speed_bps": 10_000_000_000,
            },
        )
    yield "snmp_cpu", {**of_device, "index": "1", "name": "cpu1"}, {"usage_percent": _wave(n, 10, 50)}
    memory: dict[str, FieldValue] = {"used_bytes": 1 << 30, "total_bytes": 2 << 30, "used_percent": 50.0}
    yield "snmp_memory", {**of_device, "index": "1", "name": "DRAM"}, memory
    yield "snmp_storage", {**of_device, "index": "2", "name": "flash"}, memory
    for kind, value in (("temperature", 41.0), ("power", 180.0), ("fanspeed", 5_400.0), ("voltage", 12.1)):
        yield (
            "snmp_sensor",
            {**of_device, "class": kind, "index": "7", "name": f"{kind} 1"},
            {"value": _wave(n, value - 1, value + 1)},
        )
    limit = {"subject": "temperature 1", "metric": "snmp_sensor.value", "comparison": "above"}
    yield (
        "threshold",
        {"host": host, "source": "sw-core-1", "rule": "entity-sensor", "severity": "critical", **limit},
        {"level": 75.0, "enabled": 1},
    )


def _reviews(n: int) -> Iterator[Line]:
    if n % 10:
        return
    for point, subject, target in (
        ("host-cpu", "host=mon-01 cpu=cpu-total", 70.0),
        ("host-cpu", "host=web.01 cpu=cpu-total", 70.0),
        ("host-disk", "host=mon-01 path=/", 80.0),
    ):
        yield (
            "setpoint_gap",
            {"point": point, "subject": subject},
            {
                "coverage": 0.99,
                "breach_share": 0.02,
                "target": target,
                "measured": target + 5,
                "episodes": 1,
            },
        )
    for id_, severity, still in (
        ("3fa1c09b22de", "critical", 1),
        ("78abc072fe46", "info", 1),
        ("f567c54cf6f0", "warning", 0),
    ):
        yield (
            "setpoint_finding",
            {"id": id_, "severity": severity, "kind": "target-missed", "point": "host-cpu"},
            {"open": still, "measured": 75.0, "target": 70.0, "gap": 5.0},
        )
