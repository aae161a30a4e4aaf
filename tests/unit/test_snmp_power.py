"""What shipped profiles make of power and climate devices: their units, and what is not there."""

from __future__ import annotations

import asyncio

import pytest

from agent.inputs.snmp.device_plan import PARTS
from agent.inputs.snmp.discover import discover
from agent.inputs.snmp.profile_load import load_profiles
from agent.inputs.snmp.read import read
from agent.inputs.snmp.recognise import identify
from tests.recorded_snmp import parse_recording

# A rack PDU that counts in hundredths of a kilowatt, with a second probe that is not plugged in.
APC_PDU = """1.3.6.1.4.1.318.1.1.26.4.3.1.5.1|2|123
1.3.6.1.4.1.318.1.1.26.6.3.1.5.1|2|54
1.3.6.1.4.1.318.1.1.26.6.3.1.6.1|2|231
1.3.6.1.4.1.318.1.1.26.6.3.1.9.1|2|-1
1.3.6.1.4.1.318.1.1.26.10.2.2.1.3.1|4|Top
1.3.6.1.4.1.318.1.1.26.10.2.2.1.3.2|4|Bottom
1.3.6.1.4.1.318.1.1.26.10.2.2.1.5.1|2|1
1.3.6.1.4.1.318.1.1.26.10.2.2.1.5.2|2|2
1.3.6.1.4.1.318.1.1.26.10.2.2.1.6.1|2|2
1.3.6.1.4.1.318.1.1.26.10.2.2.1.6.2|2|1
1.3.6.1.4.1.318.1.1.26.10.2.2.1.8.1|2|215
1.3.6.1.4.1.318.1.1.26.10.2.2.1.8.2|2|0
1.3.6.1.4.1.318.1.1.26.10.2.2.1.10.1|2|40
"""
# Two PDU on one address: the second is set to Fahrenheit, and a third probe is gone.
EATON_PDU = """1.3.6.1.4.1.534.6.6.7.1.2.1.9.0|2|0
1.3.6.1.4.1.534.6.6.7.1.2.1.9.1|2|1
1.3.6.1.4.1.534.6.6.7.7.1.1.2.0.1|4|Front
1.3.6.1.4.1.534.6.6.7.7.1.1.2.1.1|4|Rear
1.3.6.1.4.1.534.6.6.7.7.1.1.3.0.1|2|1
1.3.6.1.4.1.534.6.6.7.7.1.1.3.1.1|2|1
1.3.6.1.4.1.534.6.6.7.7.1.1.3.1.2|2|0
1.3.6.1.4.1.534.6.6.7.7.1.1.4.0.1|2|241
1.3.6.1.4.1.534.6.6.7.7.1.1.4.1.1|2|770
1.3.6.1.4.1.534.6.6.7.7.1.1.4.1.2|2|0
"""
# In Fahrenheit; the second sensor's reading is invalid, the third was lost.
SENTRY = """1.3.6.1.4.1.1718.4.1.9.1.10.0|2|1
1.3.6.1.4.1.1718.4.1.9.2.1.3.1.1|4|Aisle
1.3.6.1.4.1.1718.4.1.9.3.1.1.1.1|2|806
1.3.6.1.4.1.1718.4.1.9.3.1.1.1.2|2|-410
1.3.6.1.4.1.1718.4.1.9.3.1.1.2.1|2|700
1.3.6.1.4.1.1718.4.1.9.3.1.2.1.1|2|0
1.3.6.1.4.1.1718.4.1.9.3.1.2.1.2|2|7
1.3.6.1.4.1.1718.4.1.9.3.1.2.2.1|2|8
"""
# Every sensor says with how many digits it counts.
RARITAN = """1.3.6.1.4.1.13742.6.3.3.3.1.2.1.1|4|I1
1.3.6.1.4.1.13742.6.3.3.4.1.7.1.1.1|66|3
1.3.6.1.4.1.13742.6.3.3.4.1.7.1.1.8|66|0
1.3.6.1.4.1.13742.6.5.2.3.1.2.1.1.1|2|1
1.3.6.1.4.1.13742.6.5.2.3.1.2.1.1.8|2|1
1.3.6.1.4.1.13742.6.5.2.3.1.4.1.1.1|66|1626
1.3.6.1.4.1.13742.6.5.2.3.1.4.1.1.8|66|144000
1.3.6.1.4.1.13742.8.1.2.1.1.2.3|2|10
1.3.6.1.4.1.13742.8.1.2.1.1.4.3|4|Door
1.3.6.1.4.1.13742.8.1.2.1.1.11.3|2|7
1.3.6.1.4.1.13742.8.1.2.1.1.12.3|66|1
1.3.6.1.4.1.13742.8.2.1.1.1.1.3|2|1
1.3.6.1.4.1.13742.8.2.1.1.1.3.3|2|187
"""
# Single phase: what it says of the other two phases is no reading.
HUAWEI_UPS = """1.3.6.1.4.1.2011.6.174.1.4.100.1.1.1|2|2300
1.3.6.1.4.1.2011.6.174.1.4.100.1.2.1|2|0
1.3.6.1.4.1.2011.6.174.1.4.100.1.4.1|2|12
1.3.6.1.4.1.2011.6.174.1.4.100.1.5.1|2|0
1.3.6.1.4.1.2011.6.174.1.4.100.1.7.1|2|5002
1.3.6.1.4.1.2011.6.174.1.4.100.1.8.1|2|2
1.3.6.1.4.1.2011.6.174.1.6.100.1.4.1|2|5400
"""
# The same columns are temperature, humidity and a contact by their type; the last is not connected.
ENVIROMUX = """1.3.6.1.4.1.3699.1.1.11.1.5.1.1.2.1|2|1
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.2.2|2|2
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.2.3|2|1
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.3.1|4|Rack
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.3.2|4|Rack
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.3.3|4|Spare
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.7.1|2|234
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.7.2|2|415
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.7.3|2|0
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.8.1|2|0
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.10.1|2|1
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.10.2|2|1
1.3.6.1.4.1.3699.1.1.11.1.5.1.1.10.3|2|0
"""
# Set to Fahrenheit; the second is unplugged.
GEIST = """1.3.6.1.4.1.21239.5.1.1.7.0|2|0
1.3.6.1.4.1.21239.5.1.4.1.3.1|4|Intake
1.3.6.1.4.1.21239.5.1.4.1.3.2|4|Exhaust
1.3.6.1.4.1.21239.5.1.4.1.4.1|66|1
1.3.6.1.4.1.21239.5.1.4.1.4.2|66|0
1.3.6.1.4.1.21239.5.1.4.1.5.1|2|680
1.3.6.1.4.1.21239.5.1.4.1.5.2|2|0
"""


async def sensors(enterprise: str, recording: str) -> set[tuple[str, str, float]]:
    """(class, name, value) of what is measured by a device that is recognised by its number."""
    session = parse_recording(f"1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.{enterprise}\n{recording}")
    plan = await discover(session, await identify(session, load_profiles()))
    return {
        (point.tags["class"], point.tags["name"], round(float(str(point.fields["value"])), 5))
        for part in PARTS
        for point in await read(session, plan, part)
        if point.measurement == "snmp_sensor" and point.tags["class"] != "state"
    }


@pytest.mark.parametrize(
    ("enterprise", "recording", "found"),
    [
        (
            "318.1.3.4.6",
            APC_PDU,
            {
                ("power", "PDU 1", 1230.0),
                ("current", "Phase 1", 5.4),
                ("voltage", "Phase 1", 231.0),
                ("temperature", "Top", 21.5),
            },
        ),
        ("534.6.6.7", EATON_PDU, {("temperature", "Front", 24.1), ("temperature", "Rear", 25.0)}),
        ("1718.4", SENTRY, {("temperature", "Aisle", 27.0)}),
        (
            "13742.6",
            RARITAN,
            {
                ("current", "Inlet I1", 1.626),
                ("power_consumed", "Inlet I1", 144.0),
                ("temperature", "Door", 18.7),
            },
        ),
        (
            "2011.6.174",
            HUAWEI_UPS,
            {
                ("voltage", "Output 1 L1", 230.0),
                ("current", "Output 1 L1", 1.2),
                ("frequency", "Output 1", 50.02),
                ("power", "Output 1 L1", 200.0),
                ("runtime", "Battery 1 remaining", 5400.0),
            },
        ),
        ("3699.1.1.11", ENVIROMUX, {("temperature", "Rack", 23.4), ("humidity", "Rack", 41.5)}),
        ("21239.5.1", GEIST, {("temperature", "Intake", 20.0)}),
    ],
    ids=["apc", "eaton", "sentry", "raritan", "huawei-ups", "enviromux", "geist"],
)
def test_readings_have_the_devices_units_and_leave_out_what_is_not_there(
    enterprise: str, recording: str, found: set[tuple[str, str, float]]
) -> None:
    assert asyncio.run(sensors(enterprise, recording)) == found


def test_a_ups_that_keeps_to_the_standard_needs_no_profile_of_its_maker() -> None:
    standard = "1.3.6.1.2.1.33.1.2.4.0|2|97\n1.3.6.1.2.1.33.1.4.4.1.2.1|2|230\n"
    expected = {("charge", "Battery", 97.0), ("voltage", "Output 1", 230.0)}
    assert asyncio.run(sensors("534.1", standard)) == expected
    assert asyncio.run(sensors("99999.1", standard)) == expected
