"""The plan that a simulated fleet is measured by."""

from __future__ import annotations

from typing import Any

SITE = "simulated"
LABEL = "SIMULATED fleet, not real"


def fleet_plan(hosts: list[str], devices: list[str], tools: list[str]) -> dict[str, Any]:
    """The plan, as its file would hold it."""

    def of_hosts(every: str = "1m") -> dict[str, Any]:
        return {"host": {"group": "all-hosts"}, "every": every}

    def of_devices() -> dict[str, Any]:
        return {"device": {"group": "switches"}, "every": "5m"}

    technical = {"class": "technical", "element": "resource", "owner": "platform"}
    service = {"class": "service", "element": "resource", "owner": "tools"}
    return {
        "plan": LABEL,
        "revision": 1,
        "site": SITE,
        "timezone": "Asia/Shanghai",
        "review": "month",
        "objectives": [{"id": "work", "title": "The team can work", "service": "Operations"}],
        "calendars": {"office-hours": {"weekly": "Mon-Fri 08:00-18:00"}},
        "maintenance": [],
        "hosts": {},
        "groups": {"all-hosts": hosts, "switches": devices, "all-tools": tools},
        "points": [
            {
                "id": "host-cpu",
                "title": "CPU busy",
                "metric": "cpu.usage_active",
                "where": {"cpu": "cpu-total"},
                "expect": of_hosts(),
                "unit": "percent",
                **technical,
                "warning": {"above": 80, "for": "10m"},
                "critical": {"above": 95, "for": "5m"},
                "target": {"p95": {"at_most": 75}},
            },
            {
                "id": "host-memory",
                "title": "Memory used",
                "metric": "mem.used_percent",
                "expect": of_hosts(),
                "unit": "percent",
                **technical,
                "critical": {"above": 90, "for": "10m"},
            },
            {
                "id": "host-disk",
                "title": "File system used",
                "metric": "disk.used_percent",
                "expect": of_hosts(),
                "unit": "percent",
                **technical,
                "warning": {"above": 85},
                "critical": {"above": 95},
            },
            {
                "id": "host-load",
                "title": "Load, 5 minutes",
                "metric": "system.load5",
                "expect": of_hosts(),
                "when": "office-hours",
                **technical,
                "warning": {"above": 8, "for": "15m"},
            },
            {
                "id": "host-traffic",
                "title": "Traffic received",
                "metric": "net.bytes_recv",
                "where": {"interface": "eth0"},
                "expect": of_hosts(),
                "as": "rate",
                "scale": 8,
                "unit": "bps",
                **technical,
                "warning": {"above": 6e7, "for": "10m"},
            },
            {
                "id": "device-up",
                "title": "Device answers",
                "for": ["work"],
                "metric": "snmp_device.up",
                "expect": of_devices(),
                **technical,
                "critical": {"below": 1, "for": "10m"},
                "target": {"availability": {"at_least": 0.99}},
            },
            {
                "id": "device-restarts",
                "title": "Device uptime",
                "metric": "snmp_device.uptime_s",
                "expect": of_devices(),
                "unit": "s",
                **technical,
                "warning": {"below": 60},
            },
            {
                "id": "port-load",
                "title": "Port load",
                "metric": "snmp_port.in_octets",
                "expect": of_devices(),
                "as": "rate",
                "scale": 8,
                "percent_of": "snmp_port.speed_bps",
                "unit": "percent",
                **technical,
                "warning": {"above": 80, "for": "15m"},
                "critical": {"above": 95, "for": "15m"},
            },
            {
                "id": "port-state",
                "title": "Port state",
                "metric": "snmp_port.oper_status",
                "expect": of_devices(),
                **technical,
                "critical": {"not_equals": 1, "for": "10m"},
            },
            {
                "id": "port-speed",
                "title": "Port speed",
                "metric": "snmp_port.speed_bps",
                "expect": of_devices(),
                "unit": "bps",
                **technical,
                "warning": {"below": 1e9},
            },
            {
                "id": "device-cpu",
                "title": "Device CPU busy",
                "metric": "snmp_cpu.usage_percent",
                "expect": of_devices(),
                "unit": "percent",
                **technical,
                "warning": {"above": 70, "for": "15m"},
            },
            {
                "id": "device-temperature",
                "title": "Device temperature",
                "metric": "snmp_sensor.value",
                "where": {"class": "temperature"},
                "expect": of_devices(),
                "unit": "celsius",
                **technical,
                "warning": {"above": 60, "for": "15m"},
            },
            {
                "id": "tool-answers",
                "title": "Tool answers",
                "for": ["work"],
                "metric": "http_response.result_code",
                "expect": {"server": {"group": "all-tools"}, "every": "1m"},
                **service,
                "critical": {"not_equals": 0, "for": "3m"},
                "target": {"availability": {"at_least": 0.995}},
            },
            {
                "id": "tool-speed",
                "title": "Answer time",
                "metric": "http_response.response_time",
                "expect": {"server": {"group": "all-tools"}, "every": "1m"},
                "unit": "s",
                **service,
                "critical": {"above": 3, "for": "5m"},
                "target": {"p95": {"at_most": 1}},
            },
        ],
    }
