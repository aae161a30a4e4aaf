"""What shipped profiles make of servers, storage, printers and radio links with units of their own."""

from __future__ import annotations

import asyncio

import pytest

from agent.inputs.snmp.device_plan import PARTS
from agent.inputs.snmp.discover import discover
from agent.inputs.snmp.profile_load import load_profiles
from agent.inputs.snmp.read import read
from agent.inputs.snmp.recognise import identify
from setpoint.reading import Point
from tests.recorded_snmp import parse_recording

MIXED_UNITS = """1.3.6.1.2.1.25.2.3.1.2.1|6|1.3.6.1.2.1.25.2.1.2
1.3.6.1.2.1.25.2.3.1.2.6|6|1.3.6.1.2.1.25.2.1.1
1.3.6.1.2.1.25.2.3.1.2.7|6|1.3.6.1.2.1.25.2.1.1
1.3.6.1.2.1.25.2.3.1.3.1|4|Physical memory
1.3.6.1.2.1.25.2.3.1.3.6|4|Memory buffers
1.3.6.1.2.1.25.2.3.1.3.7|4|Cached memory
1.3.6.1.2.1.25.2.3.1.4.1|2|4096
1.3.6.1.2.1.25.2.3.1.4.6|2|1024
1.3.6.1.2.1.25.2.3.1.4.7|2|4096
1.3.6.1.2.1.25.2.3.1.5.1|2|1000
1.3.6.1.2.1.25.2.3.1.6.1|2|900
1.3.6.1.2.1.25.2.3.1.6.6|2|400
1.3.6.1.2.1.25.2.3.1.6.7|2|300
"""
LARGE_DISK = """1.3.6.1.2.1.25.2.3.1.2.31|6|1.3.6.1.2.1.25.2.1.4
1.3.6.1.2.1.25.2.3.1.3.31|4|/srv
1.3.6.1.2.1.25.2.3.1.4.31|2|4096
1.3.6.1.2.1.25.2.3.1.5.31|2|-1294967296
1.3.6.1.2.1.25.2.3.1.6.31|2|1000
1.3.6.1.2.1.25.2.3.1.2.42|6|1.3.6.1.2.1.25.2.1.4
1.3.6.1.2.1.25.2.3.1.3.42|4|/nowhere
1.3.6.1.2.1.25.2.3.1.4.42|2|512
1.3.6.1.2.1.25.2.3.1.5.42|2|-1
1.3.6.1.2.1.25.2.3.1.6.42|2|-1
"""
ENTITY_SENSOR = """1.3.6.1.2.1.47.1.1.1.1.7.1|4|Inlet
1.3.6.1.2.1.47.1.1.1.1.7.2|4|Duct
1.3.6.1.2.1.47.1.1.1.1.7.3|4|Broken
1.3.6.1.2.1.99.1.1.1.1.1|2|8
1.3.6.1.2.1.99.1.1.1.1.2|2|11
1.3.6.1.2.1.99.1.1.1.1.3|2|8
1.3.6.1.2.1.99.1.1.1.2.1|2|9
1.3.6.1.2.1.99.1.1.1.2.2|2|9
1.3.6.1.2.1.99.1.1.1.2.3|2|9
1.3.6.1.2.1.99.1.1.1.3.1|2|-2
1.3.6.1.2.1.99.1.1.1.3.2|2|1
1.3.6.1.2.1.99.1.1.1.3.3|2|0
1.3.6.1.2.1.99.1.1.1.4.1|2|24
1.3.6.1.2.1.99.1.1.1.4.2|2|15
1.3.6.1.2.1.99.1.1.1.4.3|2|99
1.3.6.1.2.1.99.1.1.1.5.1|2|1
1.3.6.1.2.1.99.1.1.1.5.2|2|1
1.3.6.1.2.1.99.1.1.1.5.3|2|3
"""
LM_SENSORS = """1.3.6.1.4.1.2021.13.16.2.1.2.1|4|Outside
1.3.6.1.4.1.2021.13.16.2.1.3.1|66|4294962296
1.3.6.1.4.1.2021.13.16.4.1.2.1|4|-12V
1.3.6.1.4.1.2021.13.16.4.1.3.1|66|4294955296
"""
PRINTER = """1.3.6.1.2.1.43.11.1.1.6.1.1|4|Black
1.3.6.1.2.1.43.11.1.1.7.1.1|2|19
1.3.6.1.2.1.43.11.1.1.8.1.1|2|-2
1.3.6.1.2.1.43.11.1.1.9.1.1|2|40
1.3.6.1.2.1.43.11.1.1.6.1.2|4|Drum
1.3.6.1.2.1.43.11.1.1.7.1.2|2|7
1.3.6.1.2.1.43.11.1.1.8.1.2|2|20000
1.3.6.1.2.1.43.11.1.1.9.1.2|2|5000
1.3.6.1.2.1.43.11.1.1.6.1.3|4|Fuser
1.3.6.1.2.1.43.11.1.1.7.1.3|2|7
1.3.6.1.2.1.43.11.1.1.8.1.3|2|-2
1.3.6.1.2.1.43.11.1.1.9.1.3|2|-3
"""
LENOVO = """1.3.6.1.4.1.19046.11.1.1.2.2.1.2.1|4|SysBrd 12V
1.3.6.1.4.1.19046.11.1.1.2.2.1.3.1|4|12.04
1.3.6.1.4.1.19046.11.1.1.4.1.0|2|4
"""
DATA_DOMAIN = """1.3.6.1.4.1.19746.1.3.2.1.1.2.1|2|1
1.3.6.1.4.1.19746.1.3.2.1.1.3.1|4|/data
1.3.6.1.4.1.19746.1.3.2.1.1.4.1|4|100.0
1.3.6.1.4.1.19746.1.3.2.1.1.5.1|4|25.0
1.3.6.1.4.1.19746.1.3.2.1.1.7.1|2|25
"""
OLDER_DATA_DOMAIN = """1.3.6.1.4.1.19746.1.3.2.1.1.2.1|4|/data
1.3.6.1.4.1.19746.1.3.2.1.1.3.1|4|100.0
1.3.6.1.4.1.19746.1.3.2.1.1.4.1|4|25.0
1.3.6.1.4.1.19746.1.3.2.1.1.5.1|4|75.0
"""
RADIO_LINK = """1.3.6.1.4.1.17713.11.12.2.0|2|-655
1.3.6.1.4.1.17713.11.12.4.0|2|230
"""
PERFORMANCE_TABLE = """1.3.6.1.4.1.2509.12.8.22.2.1.1.2.3.1|4|RSL
1.3.6.1.4.1.2509.12.8.22.2.1.1.3.3.1|4|dBm
1.3.6.1.4.1.2509.12.8.22.2.1.1.4.3.1|2|100
1.3.6.1.4.1.2509.12.8.22.2.1.1.5.3.1|2|-3360
1.3.6.1.4.1.2509.12.8.22.2.1.1.11.3.1|2|1
1.3.6.1.4.1.2509.12.8.22.2.1.1.2.3.2|4|Tx Capacity
1.3.6.1.4.1.2509.12.8.22.2.1.1.3.3.2|4|Mbps
1.3.6.1.4.1.2509.12.8.22.2.1.1.4.3.2|2|1
1.3.6.1.4.1.2509.12.8.22.2.1.1.5.3.2|2|0
1.3.6.1.4.1.2509.12.8.22.2.1.1.11.3.2|2|2
"""


async def points(enterprise: str, recording: str) -> list[Point]:
    """What is read of a device that is recognised by its number."""
    session = parse_recording(f"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.{enterprise}\n{recording}")
    plan = await discover(session, await identify(session, load_profiles()))
    return [point for part in PARTS for point in await read(session, plan, part)]


def sensors(enterprise: str, recording: str) -> set[tuple[str, str, float]]:
    """(class, name, value) of its sensors."""
    return {
        (point.tags["class"], point.tags["name"], round(float(str(point.fields["value"])), 5))
        for point in asyncio.run(points(enterprise, recording))
        if point.measurement == "snmp_sensor"
    }


def amounts(enterprise: str, recording: str, measurement: str) -> dict[str, tuple[object, object]]:
    """(used, total) in bytes of its memory or storage, by name."""
    return {
        point.tags["name"]: (point.fields["used_bytes"], point.fields["total_bytes"])
        for point in asyncio.run(points(enterprise, recording))
        if point.measurement == measurement
    }


def test_buffers_and_cache_in_units_of_their_own_are_not_used_memory() -> None:
    found = amounts("8072.3.2.8", MIXED_UNITS, "snmp_memory")
    assert found["Physical memory"] == ((900 - 100 - 300) * 4096, 1000 * 4096)
    assert found["Memory buffers"] == (400 * 1024, 1000 * 4096)


def test_a_disk_of_more_than_two_to_the_31_units_has_its_size() -> None:
    assert amounts("8072.3.2.10", LARGE_DISK, "snmp_storage") == {"/srv": (1000 * 4096, 3_000_000_000 * 4096)}


@pytest.mark.parametrize(
    ("enterprise", "recording", "found"),
    [
        ("99999", ENTITY_SENSOR, {("temperature", "Inlet", 24.0), ("airflow", "Duct", 90.0)}),
        ("99999", LM_SENSORS, {("temperature", "Outside", -5.0), ("voltage", "-12V", -12.0)}),
        ("11.2.3.9.1", PRINTER, {("percent", "Black", 40.0), ("percent", "Drum", 25.0)}),
        ("19046.11.1", LENOVO, {("voltage", "SysBrd 12V", 12.04), ("state", "System health", 4.0)}),
        ("17713.11", RADIO_LINK, {("dbm", "Receive power", -65.5), ("dbm", "Transmit power", 23.0)}),
        ("2509.8.22", PERFORMANCE_TABLE, {("dbm", "RSL 3", -33.6)}),
    ],
)
def test_sensors_have_the_units_of_their_class(
    enterprise: str, recording: str, found: set[tuple[str, str, float]]
) -> None:
    assert sensors(enterprise, recording) == found


@pytest.mark.parametrize("recording", [DATA_DOMAIN, OLDER_DATA_DOMAIN])
def test_file_systems_of_both_releases_are_read(recording: str) -> None:
    assert amounts("19746.3.1.1", recording, "snmp_storage") == {"/data": (25 * 2**30, 100 * 2**30)}
