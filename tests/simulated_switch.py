"""The tables of a small switch for ``MisbehavingAgent``: ports, a filesystem (slow), a sensor (slow)."""

from __future__ import annotations

from collections.abc import Mapping

from tests import misbehaving_snmp as snmp

UPTIME = "1.3.6.1.2.1.1.3.0"
IF_NUMBER = "1.3.6.1.2.1.2.1.0"
STORAGE_USED = "1.3.6.1.2.1.25.2.3.1.6.31"
_IF, _IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
_STORAGE = "1.3.6.1.2.1.25.2.3.1"


def switch(
    ports: Mapping[int, str] | int = 2, *, uptime_s: int = 1_000, name: str = "sw-01"
) -> dict[str, bytes]:
    """The rows of a switch whose ports (ifIndex to ifName) count 1,000 octets for each letter's number."""
    if isinstance(ports, int):
        ports = {index: f"eth{index}" for index in range(1, ports + 1)}
    rows = {
        "1.3.6.1.2.1.1.1.0": snmp.octets(b"simulated switch"),
        "1.3.6.1.2.1.1.2.0": snmp.oid("1.3.6.1.4.1.99999.1"),
        UPTIME: snmp.timeticks(uptime_s * 100),
        "1.3.6.1.2.1.1.5.0": snmp.octets(name.encode()),
        IF_NUMBER: snmp.integer(len(ports)),
        f"{_STORAGE}.2.31": snmp.oid("1.3.6.1.2.1.25.2.1.4"),
        f"{_STORAGE}.3.31": snmp.octets(b"/flash"),
        f"{_STORAGE}.4.31": snmp.integer(1_024),
        f"{_STORAGE}.5.31": snmp.integer(1_000),
        STORAGE_USED: snmp.integer(250),
    }
    for index, port in ports.items():
        octets = in_octets(port)
        rows |= {
            f"{_IF}.1.{index}": snmp.integer(index),
            f"{_IF}.2.{index}": snmp.octets(port.encode()),
            f"{_IF}.3.{index}": snmp.integer(6),
            f"{_IF}.4.{index}": snmp.integer(1_500),
            f"{_IF}.5.{index}": snmp.gauge32(1_000_000_000),
            f"{_IF}.7.{index}": snmp.integer(1),
            f"{_IF}.8.{index}": snmp.integer(1),
            f"{_IF}.10.{index}": snmp.counter32(octets % 2**32),
            f"{_IF}.16.{index}": snmp.counter32(7),
            f"{_IFX}.1.{index}": snmp.octets(port.encode()),
            f"{_IFX}.6.{index}": snmp.counter64(octets),
            f"{_IFX}.10.{index}": snmp.counter64(7),
            f"{_IFX}.15.{index}": snmp.gauge32(1_000),
        }
    return rows


def in_octets(port: str) -> int:
    """What ``switch`` has counted on a port of this name."""
    return sum(map(ord, port)) * 10**9
