"""The alarm table of RMON-MIB as thresholds, and what the collector makes of a device's thresholds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.inputs.snmp.device_plan import DevicePlan
from agent.inputs.snmp.discover import discover
from agent.inputs.snmp.poll_points import of_device, threshold_source
from agent.inputs.snmp.ports import PortFilter
from agent.inputs.snmp.profile_load import load_profiles
from agent.inputs.snmp.read import read
from agent.inputs.snmp.recognise import identify
from collector.series import SeriesTable
from collector.thresholds.read import read_thresholds
from collector.thresholds.report import build_report
from setpoint.reading import Point
from setpoint.threshold import COMPARISONS, read_subject
from tests.recorded_snmp import RecordedSession, parse_recording
from tests.unit.review_factory import PORT, RUNNING, plan, review, statistics, subject
from tests.unit.threshold_factory import knowing, observe

IF, IFX, STATS = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1", "1.3.6.1.2.1.16.1.1.1"
ALARM, EVENT = "1.3.6.1.2.1.16.3.1.1", "1.3.6.1.2.1.16.9.1.1"
ROOM = "1.3.6.1.2.1.99.1.1.1"

# A switch of two ports with 64-bit counters, and a temperature of 23.5 degrees.
SWITCH = (
    "1.3.6.1.2.1.1.1.0|4|A switch\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.7\n1.3.6.1.2.1.1.5.0|4|sw-1\n"
    + "".join(
        f"{IF}.2.{i}|4|Ethernet {i}\n{IF}.3.{i}|2|6\n{IF}.7.{i}|2|1\n{IF}.8.{i}|2|1\n{IF}.10.{i}|65|9\n"
        f"{IF}.14.{i}|65|1\n{IFX}.1.{i}|4|Te{i}\n{IFX}.6.{i}|70|99\n"
        for i in (1, 2)
    )
    + f"{ROOM}.1.5|2|8\n{ROOM}.2.5|2|9\n{ROOM}.3.5|2|1\n{ROOM}.4.5|2|235\n{ROOM}.5.5|2|1\n"
    + "1.3.6.1.2.1.47.1.1.1.1.7.5|4|Inlet\n"
    + f"{STATS}.2.12|6|{IF}.1.2\n"
)
EVENTS = "".join(f"{EVENT}.3.{i}|2|{kind}\n{EVENT}.7.{i}|2|1\n" for i, kind in ((1, 4), (2, 2), (3, 1)))


def alarm(
    index: int,
    variable: str,
    *,
    delta: bool = True,
    rising: int = 3000,
    falling: int = 10,
    events: tuple[int, int] = (1, 2),
    status: int = 1,
) -> str:
    """A row of the table as a device answers it, with an interval of 30 s."""
    return (
        f"{ALARM}.1.{index}|2|{index}\n{ALARM}.2.{index}|2|30\n{ALARM}.3.{index}|6|{variable}\n"
        f"{ALARM}.4.{index}|2|{2 if delta else 1}\n{ALARM}.7.{index}|2|{rising}\n"
        f"{ALARM}.8.{index}|2|{falling}\n{ALARM}.9.{index}|2|{events[0]}\n"
        f"{ALARM}.10.{index}|2|{events[1]}\n{ALARM}.12.{index}|2|{status}\n"
    )


# A profile of the switch, with a sensor that has a limit.
PROFILE = """title: A switch
match:
  - sys_object_id: 1.3.6.1.4.1.99999
sensors:
  - under: 1.3.6.1.4.1.99999.1
    read:
      - {class: temperature, name: Outlet, value: 1.0, limits: {high: 2.0}}
"""
LIMITS = "1.3.6.1.4.1.99999.1.1.0|2|35\n1.3.6.1.4.1.99999.1.2.0|2|70\n"


async def look(
    session: RecordedSession, ports: PortFilter | None = None, folder: Path | None = None
) -> DevicePlan:
    return await discover(session, await identify(session, load_profiles(folder)), ports)


def thresholds(
    alarms: str, later: str | None = None, *, ports: PortFilter | None = None, folder: Path | None = None
) -> Sequence[Point]:
    """The thresholds that a look at the switch finds, as it answers then, or ``later``."""

    async def gather() -> Sequence[Point]:
        seen = await look(parse_recording(SWITCH + EVENTS + alarms), ports, folder)
        answering = parse_recording(SWITCH + EVENTS + (alarms if later is None else later))
        return await read(answering, seen, "slow")

    return [point for point in asyncio.run(gather()) if point.measurement == "threshold"]


def levels(alarms: str, later: str | None = None, **more: Any) -> dict[str, tuple[str, str, Any, Any]]:
    """(metric, subject, level, enabled) by rule."""
    return {
        one.tags["rule"]: (
            one.tags["metric"],
            one.tags["subject"],
            one.fields["level"],
            one.fields["enabled"],
        )
        for one in thresholds(alarms, later, **more)
    }


def test_an_alarm_is_two_thresholds() -> None:
    rising, falling = thresholds(alarm(7, f"{IF}.14.2"))
    assert (rising.tags, rising.fields) == (
        {
            "source": "snmp",
            "rule": "alarm 7 rising",
            "subject": 'name="Te2"',
            "metric": "rate(snmp_port.in_errors)",
            "comparison": "at_least",
        },
        {
            "level": 100.0,
            "for_s": 0.0,
            "enabled": 1,
            "expression": f"change of {IF}.14.2 in 30 s, rising threshold 3000",
            "window_s": 30.0,
        },
    )
    assert (falling.tags["rule"], falling.tags["comparison"]) == ("alarm 7 falling", "at_most")
    assert falling.fields["level"] == 0.333333333333


@pytest.mark.parametrize(
    ("variable", "metric", "about"),
    [
        (f"{IF}.10.1", "snmp_port.in_octets", 'name="Te1"'),
        (f"{IFX}.6.1", "snmp_port.in_octets", 'name="Te1"'),
        (f"{IFX}.3.1", "ifInBroadcastPkts", 'name="Te1"'),
        (f"{STATS}.8.12", "etherStatsCRCAlignErrors", 'name="Te2"'),
        (f"{STATS}.8.13", f"{STATS}.8.13", "*"),
        (f"{IF}.10.9", "snmp_port.in_octets", 'name="port 9"'),
        ("1.3.6.1.4.1.99999.3.0", "1.3.6.1.4.1.99999.3.0", "*"),
    ],
)
def test_what_an_alarm_watches_is_named(variable: str, metric: str, about: str) -> None:
    found = levels(alarm(1, variable))
    assert found["alarm 1 rising"] == (f"rate({metric})", about, 100.0, 1)


def test_a_port_that_is_not_measured_has_its_name_too() -> None:
    found = levels(alarm(1, f"{IF}.14.2"), ports=PortFilter(not_names=("Te2",)))
    assert found["alarm 1 rising"][1] == 'name="Te2"'


def test_the_level_of_a_sensor_is_scaled_as_its_readings_are() -> None:
    found = levels(alarm(1, f"{ROOM}.4.5", delta=False, rising=600, falling=-50))
    assert found == {
        "alarm 1 rising": ("snmp_sensor.value", 'class="temperature",name="Inlet"', 60.0, 1),
        "alarm 1 falling": ("snmp_sensor.value", 'class="temperature",name="Inlet"', -5.0, 1),
    }


def test_a_value_that_is_not_measured_keeps_the_devices_number() -> None:
    found = levels(alarm(1, "1.3.6.1.4.1.99999.3.0", delta=False))
    assert found["alarm 1 rising"] == ("1.3.6.1.4.1.99999.3.0", "*", 3000.0, 1)


@pytest.mark.parametrize(("event", "enabled"), [(1, 1), (2, 1), (3, 0), (4, 0), (0, 0)])
def test_a_threshold_whose_event_does_nothing_or_is_missing_is_off(event: int, enabled: int) -> None:
    found = levels(alarm(1, f"{IF}.14.1", events=(event, 1)))
    assert (found["alarm 1 rising"][3], found["alarm 1 falling"][3]) == (enabled, 1)


def test_an_alarm_that_is_not_in_force_is_off_and_an_invalid_one_is_none() -> None:
    found = levels(alarm(1, f"{IF}.14.1", status=3) + alarm(2, f"{IF}.14.2", status=4))
    assert {rule: one[3] for rule, one in found.items()} == {"alarm 1 rising": 0, "alarm 1 falling": 0}


def test_levels_and_events_are_read_each_time() -> None:
    before, after = alarm(1, f"{IF}.14.1"), alarm(1, f"{IF}.14.1", rising=6000, events=(0, 2))
    found = levels(before, after)
    assert (found["alarm 1 rising"][2:], found["alarm 1 falling"][3]) == ((200.0, 0), 1)


def test_what_became_another_alarm_is_left_out_until_the_device_is_looked_at_again() -> None:
    before = alarm(1, f"{IF}.14.1") + alarm(2, f"{IF}.14.2") + alarm(3, f"{IF}.10.1")
    after = alarm(1, f"{IF}.10.1") + alarm(2, f"{IF}.14.2", delta=False)
    after += alarm(3, f"{IF}.10.1", events=(2, 1))
    assert levels(before, after) == {}


@pytest.mark.parametrize("row", ["|2|0", "|6|0.0", "|4|junk"])
def test_a_row_that_makes_no_sense_costs_no_other(row: str) -> None:
    broken = alarm(1, f"{IF}.14.1").replace(f"{ALARM}.2.1|2|30", f"{ALARM}.2.1|2|0")
    odd = f"{ALARM}.3.2{row}\n"
    assert set(levels(broken + odd + alarm(3, f"{IF}.14.2"))) == {"alarm 3 rising", "alarm 3 falling"}


def test_a_device_without_alarms_is_asked_for_no_other_column() -> None:
    def requests(recording: str) -> int:
        session = parse_recording(recording)
        asyncio.run(look(session))
        return session.cost.requests

    assert requests(SWITCH + alarm(1, f"{IF}.14.1")) > requests(SWITCH)
    assert not thresholds("")


def of_switch(alarms: str, folder: Path) -> list[Point]:
    """The switch's thresholds as they leave the agent, with the limit of its sensor."""
    (folder / "switch.yaml").write_text(PROFILE)
    found = thresholds(LIMITS + alarms, folder=folder)
    return [of_device(point, "sw-1", {"room": "dc-1"}, RUNNING.end_ms) for point in found]


def test_all_thresholds_of_a_device_have_the_form_that_sources_share(tmp_path: Path) -> None:
    found = of_switch(alarm(1, f"{IF}.14.2"), tmp_path)
    assert sorted(point.tags["rule"] for point in found) == ["alarm 1 falling", "alarm 1 rising", "high"]
    for point in found:
        assert point.tags["source"] == point.tags["device"] == "sw-1"
        assert ("device", "=", "sw-1") in read_subject(point.tags["subject"])
        assert point.tags["comparison"] in COMPARISONS
        kinds = {name: type(point.fields[name]) for name in ("level", "for_s", "enabled")}
        assert kinds == {"level": float, "for_s": float, "enabled": int}


def test_thresholds_of_a_device_are_listed_beside_the_plans(tmp_path: Path) -> None:
    errors = PORT.replace("snmp_port.in_octets", "snmp_port.in_errors\n    as: rate")
    one = plan(errors)
    where = {"host": "mon-01", "device": "sw-1", "name": "Te2"}
    site = review(one, RUNNING, subject(one, "port-load", where, statistics(RUNNING)))
    found = of_switch(alarm(1, f"{IF}.14.2") + alarm(2, f"{IF}.14.1", events=(0, 0)), tmp_path)
    series = SeriesTable()
    source = of_device(threshold_source(found, 300.0), "sw-1", {}, RUNNING.end_ms)
    observe(series, [*found, source], RUNNING.end_ms)
    rows = build_report(knowing(site, read_thresholds(series))).rows
    assert {row.source for row in rows} == {"sw-1"}
    assert {row.rule: (row.points, row.state) for row in rows} == {
        "alarm 1 rising": (["port-load"], "drifts"),
        "alarm 1 falling": (["port-load"], "no such level"),
        "alarm 2 rising": ([], "off"),
        "alarm 2 falling": ([], "off"),
        "high": ([], "orphaned"),
    }
