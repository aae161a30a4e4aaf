"""What shipped profiles make of the optics of devices that keep them in units of their own."""

from __future__ import annotations

import asyncio

import pytest

from agent.inputs.snmp.device_plan import PARTS
from agent.inputs.snmp.discover import discover
from agent.inputs.snmp.profile_load import load_profiles
from agent.inputs.snmp.read import read
from agent.inputs.snmp.recognise import identify
from tests.recorded_snmp import parse_recording

SROS = """1.3.6.1.4.1.6527.3.1.2.2.4.2.1.6.1.35684352|4|1/1/1
1.3.6.1.4.1.6527.3.1.2.2.4.31.1.1.1.35684352|2|8192
1.3.6.1.4.1.6527.3.1.2.2.4.31.1.6.1.35684352|2|33000
1.3.6.1.4.1.6527.3.1.2.2.4.31.1.16.1.35684352|2|10000
1.3.6.1.4.1.6527.3.1.2.2.4.31.1.21.1.35684352|2|1000
1.3.6.1.4.1.6527.3.1.2.2.4.66.1.12.1.35684352.2|2|100000
"""
SNR = """1.3.6.1.2.1.31.1.1.1.1.25|4|Ethernet1/0/25
1.3.6.1.4.1.40418.7.100.30.1.1.2.25|4|33
1.3.6.1.4.1.40418.7.100.30.1.1.12.25|4|6.08
1.3.6.1.4.1.40418.7.100.30.1.1.17.25|4|-12.05
1.3.6.1.4.1.40418.7.100.30.1.1.22.26|4|NULL
"""
RAISECOM = """1.3.6.1.2.1.31.1.1.1.1.3|4|port3
1.3.6.1.4.1.8886.1.18.2.2.1.1.2.3.1|2|41250
1.3.6.1.4.1.8886.1.18.2.2.1.1.2.3.4|2|-7500
"""


async def sensors(enterprise: str, recording: str) -> set[tuple[str, str, float]]:
    """(class, name, value) of what is read of a device that is recognised by its number."""
    session = parse_recording(f"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.{enterprise}\n{recording}")
    plan = await discover(session, await identify(session, load_profiles()))
    return {
        (point.tags["class"], point.tags["name"], round(float(str(point.fields["value"])), 5))
        for part in PARTS
        for point in await read(session, plan, part)
        if point.measurement == "snmp_sensor"
    }


@pytest.mark.parametrize(
    ("enterprise", "recording", "found"),
    [
        (
            "6527.1.3.4",
            SROS,
            {
                ("temperature", "1/1/1", 32.0),
                ("voltage", "1/1/1", 3.3),
                ("dbm", "1/1/1 Tx", 0.0),
                ("dbm", "1/1/1 Rx", -10.0),
                ("dbm", "1/1/1 lane 2 Tx", 10.0),
            },
        ),
        (
            "40418.7.12",
            SNR,
            {
                ("temperature", "Ethernet1/0/25", 33.0),
                ("current", "Ethernet1/0/25", 0.00608),
                ("dbm", "Ethernet1/0/25 Rx", -12.05),
            },
        ),
        ("8886.6.9", RAISECOM, {("temperature", "port3", 41.25), ("dbm", "port3 Rx", -7.5)}),
    ],
)
def test_optics_are_told_in_degrees_volts_amperes_and_dbm(
    enterprise: str, recording: str, found: set[tuple[str, str, float]]
) -> None:
    assert asyncio.run(sensors(enterprise, recording)) == found
