"""The reading: what flows from agents to the collector, and which tags name its subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FieldValue = float | int | bool | str


class Point(NamedTuple):
    """One line of line protocol: several fields of one measurement, at one time.

    ``time_ms`` is UTC in whole milliseconds since 1970; None means "the time of this gathering", which
    the agent's scheduler fills in, together with the tag ``host``.
    """

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, FieldValue]
    time_ms: int | None = None


Subject = tuple[tuple[str, str], ...]
"""What a reading is about: identity tags as (key, value) pairs, in the order of the identity table."""

# The identity tags of every measurement that Setpoint knows. Tags that describe a state or that get
# renumbered (result, status_code, index, alias) are left out: a probe that fails is still the same probe.
IDENTITY: Mapping[str, tuple[str, ...]] = {
    "cpu": ("host", "cpu"),
    "mem": ("host",),
    "swap": ("host",),
    "disk": ("host", "path"),
    "diskio": ("host", "name"),
    "setpoint_mount": ("host", "path"),
    "net": ("host", "interface"),
    "system": ("host",),
    "processes": ("host",),
    "temp": ("host", "sensor"),
    "procstat": ("host", "process_name", "pidfile", "systemd_unit", "exe", "pattern", "user"),
    "procstat_lookup": ("host", "pidfile", "systemd_unit", "exe", "pattern", "user"),
    "http_response": ("host", "server", "method"),
    "net_response": ("host", "server", "port", "protocol"),
    "x509_cert": ("host", "source", "common_name"),
    "snmp_device": ("host", "device"),
    "snmp_port": ("host", "device", "name"),
    "snmp_cpu": ("host", "device", "name"),
    "snmp_memory": ("host", "device", "name"),
    "snmp_storage": ("host", "device", "name"),
    "snmp_sensor": ("host", "device", "class", "name"),
    "snmp_trap": ("host", "device", "trap"),
    "snmp_trap_receiver": ("host", "port"),
    "tool": ("host", "tool"),
    "threshold": ("host", "source", "rule", "subject", "metric", "comparison", "severity", "role"),
    "threshold_none": ("host", "source", "rule", "reason", "severity"),
    "threshold_source": ("host", "source"),
    "setpoint_agent": ("host", "input"),
    "setpoint_collector": ("host",),
    "setpoint_gap": ("point", "subject"),
    "setpoint_finding": ("id",),
}

# Of a measurement that the table does not know, every tag is identity but these.
STATE_TAGS = frozenset({"result", "status_code", "result_code", "index", "alias", "status", "state"})


def subject_of(measurement: str, tags: Mapping[str, str], by: tuple[str, ...] | None = None) -> Subject:
    """The subject that these tags name; ``by`` replaces the identity table for this call.

    A tag that the line does not carry is left out of the subject.
    """
    keys = by or IDENTITY.get(measurement)
    if keys is None:
        return tuple((k, v) for k, v in sorted(tags.items()) if k not in STATE_TAGS)
    return tuple((k, tags[k]) for k in keys if k in tags)


def subject_text(subject: Subject) -> str:
    """The subject as people read it: ``host=mon-01 path=/var``."""
    return " ".join(f"{k}={v}" for k, v in subject)
