"""From a device's answers to points: ports, processors, memory, sensors, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.inputs.snmp.device_plan import PARTS, DevicePlan
from agent.inputs.snmp.discover import discover
from agent.inputs.snmp.ports import PortFilter
from agent.inputs.snmp.profile_load import load_profiles
from agent.inputs.snmp.read import read
from agent.inputs.snmp.recognise import Identity, identify
from setpoint.reading import Point
from tests.recorded_snmp import RecordedSession, parse_recording

SYSTEM = "1.3.6.1.2.1.1.1.0|4|A thing\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.99999.7\n1.3.6.1.2.1.1.5.0|4|thing-1\n"
HEAD = "title: A thing\nmatch:\n  - sys_object_id: 1.3.6.1.4.1.99999\n"
BASE = "1.3.6.1.4.1.99999.1"


async def look(
    session: RecordedSession, folder: Path | None, ports: PortFilter
) -> tuple[Identity, DevicePlan]:
    identity = await identify(session, load_profiles(folder))
    return identity, await discover(session, identity, ports)


async def all_of(session: RecordedSession, folder: Path | None, ports: PortFilter) -> list[Point]:
    _, plan = await look(session, folder, ports)
    return [point for part in PARTS for point in await read(session, plan, part)]


def points(
    tmp_path: Path, recording: str, profile: str = "", *, ports: PortFilter | None = None
) -> Sequence[Point]:
    """The points of a device that answers this, with a profile of its own."""
    (tmp_path / "thing.yaml").write_text(HEAD + profile)
    session = parse_recording(SYSTEM + recording)
    return asyncio.run(all_of(session, tmp_path, ports or PortFilter()))


def sensors(tmp_path: Path, recording: str, readings: str, group: str = "") -> list[tuple[str, str, Any]]:
    """(class, name, value) of the sensors that the readings of one group give."""
    profile = f"sensors:\n  - under: {BASE}\n{group}    read:\n"
    profile += "".join(f"      - {reading}\n" for reading in readings.splitlines())
    found = points(tmp_path, recording, profile)
    return [
        (point.tags["class"], point.tags["name"], point.fields["value"])
        for point in found
        if point.measurement == "snmp_sensor"
    ]


def test_a_single_value_is_scaled(tmp_path: Path) -> None:
    found = sensors(tmp_path, f"{BASE}.4.0|2|235\n", "{class: temperature, name: Inlet, value: 4.0, unit: d}")
    assert found == [("temperature", "Inlet", 23.5)]


def test_a_column_gives_a_sensor_for_every_row_with_its_name(tmp_path: Path) -> None:
    recording = f"{BASE}.2.1|4|Fan A\n{BASE}.2.2|4|Fan B\n{BASE}.3.1|2|4000\n{BASE}.3.2|2|4100\n"
    found = sensors(tmp_path, recording, '{class: fanspeed, name: "{label}", with: {label: 2}, value: 3}')
    assert found == [("fanspeed", "Fan A", 4000), ("fanspeed", "Fan B", 4100)]


def test_a_name_comes_from_another_table_by_part_of_the_index(tmp_path: Path) -> None:
    recording = f"1.3.6.1.2.1.31.1.1.1.1.7|4|Te1/7\n{BASE}.3.7.1|2|-250\n"
    readings = (
        '{class: dbm, name: "{port} Rx", value: 3, unit: c, '
        'with: {port: {oid: 1.3.6.1.2.1.31.1.1.1.1, index: "{index.0}"}}}'
    )
    assert ("dbm", "Te1/7 Rx", -2.5) in sensors(tmp_path, recording, readings)


def test_an_index_is_looked_up_by_another_lookup(tmp_path: Path) -> None:
    recording = f"{BASE}.2.1|2|9\n{BASE}.3.1|2|50\n{BASE}.5.9|4|Chassis\n"
    readings = (
        '{class: temperature, name: "{name}", value: 3, with: {which: 2, name: {oid: 5, index: "{which}"}}}'
    )
    assert sensors(tmp_path, recording, readings) == [("temperature", "Chassis", 50)]


def test_sentinels_and_unwanted_rows_are_left_out(tmp_path: Path) -> None:
    recording = "".join(
        f"{BASE}.2.{i}|2|{there}\n{BASE}.3.{i}|2|{value}\n"
        for i, there, value in ((1, 1, 40), (2, 2, 41), (3, 1, -999), (4, 1, 65535))
    )
    readings = '{class: temperature, name: "T{index}", value: 3, skip: [65535, "< -100"]}'
    found = sensors(tmp_path, recording, readings, "    with: {there: 2}\n    where: {there: 1}\n")
    assert found == [("temperature", "T1", 40)]


def test_otherwise_stands_in_where_the_better_reading_is_missing(tmp_path: Path) -> None:
    recording = f"{BASE}.2.1|2|405\n{BASE}.3.1|2|40\n{BASE}.3.2|2|50\n"
    readings = (
        '{class: temperature, name: "T{index}", value: 2, unit: d}\n'
        '{class: temperature, name: "T{index}", value: 3, otherwise: true}'
    )
    assert sensors(tmp_path, recording, readings) == [("temperature", "T1", 40.5), ("temperature", "T2", 50)]


def test_two_sensors_of_one_name_are_told_apart(tmp_path: Path) -> None:
    recording = f"{BASE}.3.1|2|1\n{BASE}.3.2|2|2\n"
    found = sensors(tmp_path, recording, "{class: count, name: Thing, value: 3}")
    assert [name for _, name, _ in found] == ["Thing 1", "Thing 2"]


def test_an_expression_over_lookups(tmp_path: Path) -> None:
    recording = f"{BASE}.1.1|2|30\n{BASE}.2.1|2|120\n"
    readings = '{class: percent, name: "Toner {index}", value: "level / capacity * 100"}'
    found = sensors(tmp_path, recording, readings, "    with: {level: 1, capacity: 2}\n")
    assert found == [("percent", "Toner 1", 25)]


def test_a_class_and_an_exponent_may_come_from_the_device(tmp_path: Path) -> None:
    known = f"{BASE}.1.1|2|8\n{BASE}.2.1|2|8\n{BASE}.4.1|2|23500\n"
    recording = known + f"{BASE}.1.2|2|99\n{BASE}.2.2|2|9\n{BASE}.4.2|2|1\n"
    group = (
        '    with:\n      kind: {oid: 1, names: {"8": temperature}}\n'
        '      exponent: {oid: 2, fixed: true, numbers: {"8": -3, "9": 0}}\n'
    )
    readings = '{class: "{kind}", name: "S{index}", value: 4, calc: "value * 10 ** exponent"}'
    assert sensors(tmp_path, recording, readings, group) == [("temperature", "S1", 23.5)]


def test_a_state_carries_its_number_and_its_meaning(tmp_path: Path) -> None:
    recording = f"{BASE}.1.0|2|3\n{BASE}.2.0|4|Failed\n{BASE}.3.0|4x|10\n{BASE}.4.0|2|77\n"
    profile = (
        f"sensors:\n  - under: {BASE}\n    read:\n"
        "      - {class: state, name: A, value: 1.0, states: {good: [1, 2], warning: [3]}}\n"
        "      - {class: state, name: B, value: 2.0, numbers: {Ok: 1, Failed: 2}, "
        "states: {good: [1], critical: [2]}}\n"
        "      - {class: state, name: C, value: 3.0, bit: 3, states: {good: [0], critical: [1]}}\n"
        "      - {class: state, name: D, value: 4.0, states: {good: [1]}}\n"
    )
    found = [
        (p.tags["name"], p.fields["value"], p.fields["state"]) for p in points(tmp_path, recording, profile)
    ]
    assert found == [("A", 3, "warning"), ("B", 2, "critical"), ("C", 1, "critical"), ("D", 77, "unknown")]


def test_the_devices_own_limits_become_thresholds(tmp_path: Path) -> None:
    recording = f"{BASE}.1.1|2|350\n{BASE}.2.1|2|700\n{BASE}.3.1|2|-1\n"
    profile = (
        f"sensors:\n  - under: {BASE}\n    read:\n"
        "      - {class: temperature, name: Inlet, value: 1, unit: d, "
        "limits: {high: 2, low: 3, skip: [-1]}}\n"
    )
    thresholds = [point for point in points(tmp_path, recording, profile) if point.measurement == "threshold"]
    assert [(point.tags, point.fields) for point in thresholds] == [
        (
            {
                "source": "snmp",
                "rule": "high",
                "subject": 'class="temperature",name="Inlet"',
                "metric": "snmp_sensor.value",
                "comparison": "above",
                "severity": "critical",
            },
            {"level": 70.0, "for_s": 0.0, "enabled": 1},
        )
    ]


def test_memory_from_free_and_total_in_units_of_the_device(tmp_path: Path) -> None:
    recording = f"{BASE}.1.1|2|25\n{BASE}.2.1|2|100\n{BASE}.3.1|2|4096\n"
    profile = f"memory:\n  - under: {BASE}\n    name: RAM\n    read: [{{free: 1, total: 2, units: 3}}]\n"
    (memory,) = points(tmp_path, recording, profile)
    assert memory.measurement == "snmp_memory"
    assert memory.fields == {"used_bytes": 307_200, "total_bytes": 409_600, "used_percent": 75.0}


def test_what_is_inherited_counts_where_the_profile_finds_nothing_itself(tmp_path: Path) -> None:
    general = "1.3.6.1.2.1.25.3.3.1.2.1|2|7\n"
    profile = f"inherit: [host-resources]\ncpu:\n  - under: {BASE}\n    read: [{{name: CPU, value: 9.0}}]\n"
    own = points(tmp_path, f"{general}{BASE}.9.0|2|42\n", profile)
    assert [point.fields for point in own] == [{"usage_percent": 42.0}]
    assert [point.fields for point in points(tmp_path, general, profile)] == [{"usage_percent": 7.0}]
    both = points(tmp_path, f"{general}{BASE}.9.0|2|42\n", "together: [cpu]\n" + profile)
    assert [point.fields["usage_percent"] for point in both] == [42.0, 7.0]


def test_a_group_may_be_below_the_products_own_number(tmp_path: Path) -> None:
    profile = 'cpu:\n  - under: "{sys_object_id}.5"\n    read: [{name: CPU, value: 1.0}]\n'
    (cpu,) = points(tmp_path, "1.3.6.1.4.1.99999.7.5.1.0|2|12\n", profile)
    assert cpu.fields == {"usage_percent": 12.0}


PORT = (
    "1.3.6.1.2.1.2.2.1.2.{i}|4|eth{i}\n1.3.6.1.2.1.2.2.1.3.{i}|2|{type}\n1.3.6.1.2.1.2.2.1.5.{i}|66|{speed}\n"
    "1.3.6.1.2.1.2.2.1.7.{i}|2|1\n1.3.6.1.2.1.2.2.1.8.{i}|2|{oper}\n1.3.6.1.2.1.2.2.1.10.{i}|65|100\n"
)


def port(i: int, *, type_: int = 6, oper: int = 1, speed: int = 1_000_000_000) -> str:
    return PORT.format(i=i, type=type_, oper=oper, speed=speed)


def test_the_wide_counter_is_read_where_it_counts(tmp_path: Path) -> None:
    wide = "1.3.6.1.2.1.31.1.1.1.6.{i}|70|{value}\n"
    recording = port(1) + port(2) + wide.format(i=1, value=2**40) + wide.format(i=2, value=0)
    found = points(tmp_path, recording)
    assert [point.fields["in_octets"] for point in found] == [2**40, 100]


def test_a_fast_ports_speed_is_told_in_megabits(tmp_path: Path) -> None:
    recording = port(1, speed=4_294_967_295) + "1.3.6.1.2.1.31.1.1.1.15.1|66|40000\n"
    (found,) = points(tmp_path, recording)
    assert found.fields["speed_bps"] == 40_000_000_000


def test_a_port_that_is_not_present_is_left_out(tmp_path: Path) -> None:
    assert [p.tags["index"] for p in points(tmp_path, port(1) + port(2, oper=6))] == ["1"]


@pytest.mark.parametrize(
    ("wanted", "indexes"),
    [
        (PortFilter(), ["1", "2", "3"]),
        (PortFilter(names=("eth[12]",)), ["1", "2"]),
        (PortFilter(not_names=("eth1",)), ["2", "3"]),
        (PortFilter(types=frozenset({24})), ["3"]),
        (PortFilter(not_types=frozenset({24})), ["1", "2"]),
        (PortFilter(oper_up=True), ["1", "3"]),
    ],
)
def test_ports_are_chosen_by_name_type_and_state(
    tmp_path: Path, wanted: PortFilter, indexes: list[str]
) -> None:
    recording = port(1) + port(2, oper=2) + port(3, type_=24)
    assert [p.tags["index"] for p in points(tmp_path, recording, ports=wanted)] == indexes


def test_a_more_particular_match_wins(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("title: family\nmatch:\n  - sys_object_id: 1.3.6.1.4.1.99999\n")
    (tmp_path / "b.yaml").write_text("title: product\nmatch:\n  - sys_object_id: 1.3.6.1.4.1.99999.7\n")
    (tmp_path / "c.yaml").write_text(
        "title: probed\nmatch:\n  - {sys_object_id: 1.3.6.1.4.1.99999.7, has: 1.3.6.1.4.1.99999.50}\n"
    )
    plain, _ = asyncio.run(look(parse_recording(SYSTEM), tmp_path, PortFilter()))
    probed, _ = asyncio.run(
        look(parse_recording(SYSTEM + "1.3.6.1.4.1.99999.50.1.0|2|1\n"), tmp_path, PortFilter())
    )
    assert (plain.title, probed.title) == ("product", "probed")


def test_a_number_that_only_begins_alike_is_no_match() -> None:
    other = SYSTEM.replace("1.3.6.1.4.1.99999.7", "1.3.6.1.4.1.3180.1")
    identity, _ = asyncio.run(look(parse_recording(other), None, PortFilter()))
    assert identity.profiles[0].name == "generic"


def test_what_vanished_after_discovery_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "thing.yaml").write_text(
        HEAD + f"sensors:\n  - under: {BASE}\n    read: [{{class: count, name: 'C{{index}}', value: 3}}]\n"
    )
    before = parse_recording(SYSTEM + f"{BASE}.3.1|2|1\n{BASE}.3.2|2|2\n")
    after = parse_recording(SYSTEM + f"{BASE}.3.2|2|5\n")

    async def both() -> list[Point]:
        _, plan = await look(before, tmp_path, PortFilter())
        return await read(after, plan, "slow")

    assert [(point.tags["name"], point.fields["value"]) for point in asyncio.run(both())] == [("C2", 5.0)]
