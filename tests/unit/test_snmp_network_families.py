"""What shipped profiles read of switches, routers and firewalls: devices made by hand from vendors' MIBs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from agent.inputs.snmp.device_plan import PARTS
from agent.inputs.snmp.discover import discover
from agent.inputs.snmp.profile_load import load_profiles
from agent.inputs.snmp.read import read
from agent.inputs.snmp.recognise import identify
from tests.recorded_snmp import parse_recording

E = "1.3.6.1.4.1"
PORT_NAME = "1.3.6.1.2.1.31.1.1.1.1"
ENTITY_NAME = "1.3.6.1.2.1.47.1.1.1.1.7"

Found = set[tuple[str, str, float | str]]


def rows(under: str, values: Iterable[tuple[str, int | str]]) -> str:
    """Lines of a recording: below the OID, each value at its place."""
    return "".join(
        f"{under}.{place}|{2 if isinstance(value, int) else 4}|{value}\n" for place, value in values
    )


async def sensors(enterprise: str, recording: str) -> Found:
    """(class, name, value) of what is read of a device of the number; of a state, what it means."""
    session = parse_recording(f"1.3.6.1.2.1.1.2.0|6|{E}.{enterprise}\n{recording}")
    plan = await discover(session, await identify(session, load_profiles()))
    return {
        (
            point.tags["class"],
            point.tags["name"],
            str(point.fields["state"])
            if "state" in point.fields
            else round(float(str(point.fields["value"])), 4),
        )
        for part in PARTS
        for point in await read(session, plan, part)
        if point.measurement == "snmp_sensor"
    }


# An empty bay, a supply that works, and fans of which one was taken out.
PROCURVE = rows(
    f"{E}.11.2.14.11.5.1.55.1.1.1", [("2.1", 3), ("4.1", 38), ("6.1", 61), ("2.2", 1), ("4.2", 0)]
)
PROCURVE += rows(f"{E}.11.2.14.11.5.1.54.2.1.1", [("4.1", 5), ("4.2", 1), ("4.3", 0)])

# One port's optics set to milliwatts, the other's to dBm.
DLINK = rows(f"{E}.171.12.11.1.6.1.3", [("1.1", 3), ("1.2", 6)]) + rows(
    f"{E}.171.12.11.1.7.1", [("3.1.1", 1), ("6.1.1", 6400), ("3.1.2", 2)]
)
DLINK += rows(
    f"{E}.171.12.72.2.1.1.1", [("5.25", "0.5000"), ("6.25", "0.1"), ("5.26", "-5.50"), ("6.26", "-")]
)

EXOS = rows(f"{E}.1916.1.1.1", [("27.1.2.1", 2), ("27.1.9.1", 61500), ("27.1.11.1", -3), ("27.1.2.2", 1)])
EXOS += rows(f"{E}.1916.1.33.2.1.3", [("1", 1), ("2", 2)])

DNOS = rows(f"{E}.6027.3.26.1.4", [("6.1.4.2.1.1", 1), ("6.1.10.2.1.1", 84), ("6.1.4.2.1.2", 3)])
DNOS += rows(f"{E}.6027.3.26.1", [("3.4.1.13.1", 41), ("4.10.1.5.7", -612), ("4.10.1.5.8", 0)])
DNOS += rows(PORT_NAME, [("7", "TenGigabitEthernet 1/7")])

OMNISWITCH = rows(ENTITY_NAME, [("1", "Chassis-1")]) + rows(
    f"{E}.6486.800.1.1.1.3.1.1", [("3.1.4.1", 45), ("3.1.5.1", 0), ("11.1.2.1.1", 2), ("11.1.2.1.2", 0)]
)
OMNISWITCH += rows(
    f"{E}.6486.800.1.2.1.5.1.1.2.5.1", [("1.1001", 31500), ("16.1001", -2210), ("21.1001", -200000)]
)
OMNISWITCH += rows(PORT_NAME, [("1001", "1/1")])

F5OS = rows(
    f"{E}.12276.1.2.1",
    [("3.1.1.2.8.112.108.97.116.102.111.114.109", 316), ("7.1.1.1.8.112.108.97.116.102.111.114.109", 15482)],
)

FORTIGATE = rows(
    f"{E}.12356.101.4.3.2.1",
    [
        *[
            (f"2.{i}", name)
            for i, name in enumerate(("+3.3V", "FAN_TMP_3", "Fan1", "INLET", "PS1 Status"), 1)
        ],
        *[(f"3.{i}", value) for i, value in enumerate(("3.27", "41", "5400", "0", "0"), 1)],
        *[(f"4.{i}", 0) for i in range(1, 6)],
    ],
)

SAOS = rows(
    f"{E}.6141.2.60.11.1.1",
    [("3.1.1.2.1", 3), ("3.1.1.3.1", 1), ("3.1.1.2.2", 2), ("3.1.1.3.2", 3), ("5.1.1.2.1", 36)],
)

VRP = rows(ENTITY_NAME, [("67", "GigabitEthernet0/0/1"), ("68", "GigabitEthernet0/0/2")])
VRP += rows(
    f"{E}.2011.5.25.31.1.1.3.1",
    [
        ("6.67", 3310),
        ("7.67", 6200),
        ("8.67", -712),
        ("6.68", 2147483647),
        ("7.68", 2147483647),
        ("8.68", 2147483647),
    ],
)


@pytest.mark.parametrize(
    ("enterprise", "recording", "found"),
    [
        pytest.param(
            "11.2.3.7.11.181",
            PROCURVE,
            {
                ("temperature", "Power supply 1", 38.0),
                ("power", "Power supply 1", 61.0),
                ("state", "Power supply 1", "good"),
                ("state", "Fan 1", "good"),
                ("state", "Fan 3", "critical"),
            },
            id="hp-procurve",
        ),
        pytest.param(
            "171.10.117.1.1",
            DLINK,
            {
                ("state", "Power 1.1", "good"),
                ("state", "Fan 1.1", "good"),
                ("fanspeed", "Fan 1.1", 6400.0),
                ("state", "Fan 1.2", "critical"),
                ("dbm", "Port 25 Tx", -3.0103),
                ("dbm", "Port 25 Rx", -10.0),
                ("dbm", "Port 26 Tx", -5.5),
            },
            id="dlink",
        ),
        pytest.param(
            "1916.2.167",
            EXOS,
            {
                ("state", "Power supply 1", "good"),
                ("power", "Power supply 1", 61.5),
                ("state", "Stack member 1", "good"),
                ("state", "Stack member 2", "critical"),
            },
            id="extreme",
        ),
        pytest.param(
            "6027.1.3.20",
            DNOS,
            {
                ("state", "Unit 1 power supply 1", "good"),
                ("power", "Unit 1 power supply 1", 84.0),
                ("temperature", "Unit 1", 41.0),
                ("dbm", "TenGigabitEthernet 1/7 Rx", -6.12),
            },
            id="force10",
        ),
        pytest.param(
            "6486.800.1.1.2.1.11.2.1",
            OMNISWITCH,
            {
                ("temperature", "Chassis-1 board", 45.0),
                ("state", "Fan 1.1", "good"),
                ("temperature", "1/1", 31.5),
                ("dbm", "1/1 Tx", -2.21),
            },
            id="alcatel-omniswitch",
        ),
        pytest.param(
            "12276.1.3.1.2",
            F5OS,
            {("temperature", "platform", 31.6), ("fanspeed", "platform fan 1", 15482.0)},
            id="f5os",
        ),
        pytest.param(
            "12356.101.1.10004",
            FORTIGATE,
            {
                ("voltage", "+3.3V", 3.27),
                ("temperature", "FAN_TMP_3", 41.0),
                ("fanspeed", "Fan1", 5400.0),
                ("state", "PS1 Status", "good"),
            },
            id="fortigate",
        ),
        pytest.param(
            "6141.1.92",
            SAOS,
            {("state", "Power supply 1", "critical"), ("temperature", "Sensor 1", 36.0)},
            id="ciena-saos",
        ),
        pytest.param(
            "2011.2.23.92",
            VRP,
            {
                ("voltage", "GigabitEthernet0/0/1", 3.31),
                ("current", "GigabitEthernet0/0/1", 0.0062),
                ("dbm", "GigabitEthernet0/0/1 Rx", -7.12),
            },
            id="huawei",
        ),
    ],
)
def test_what_is_there_is_read_and_what_is_not_is_left_out(
    enterprise: str, recording: str, found: Found
) -> None:
    assert asyncio.run(sensors(enterprise, recording)) == found
