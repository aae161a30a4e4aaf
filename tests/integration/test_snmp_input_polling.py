"""One device, polled again and again, against an agent that restarts, falls silent and changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from agent.inputs.connection import Resolver
from agent.inputs.snmp.open_session import open_session
from agent.inputs.snmp.poll_device import Device, DevicePoller
from agent.inputs.snmp.ports import PortFilter
from agent.inputs.snmp.profile_load import Profiles, load_profiles
from agent.inputs.snmp.session import Session, Timing
from setpoint.reading import Point, subject_of
from setpoint.threshold import Matcher, read_subject
from tests import misbehaving_snmp as snmp
from tests.misbehaving_snmp import MisbehavingAgent, Request, Table, honest
from tests.simulated_switch import IF_NUMBER, STORAGE_USED, UPTIME, in_octets, switch
from tests.snmp_servers import by_community

T = TypeVar("T")
NOW_MS = 1_795_345_524_000
PROFILES = load_profiles()


def poll(
    agent: MisbehavingAgent,
    use: Callable[[DevicePoller], Awaitable[T]],
    *,
    interval_s: float = 60,
    slow_interval_s: float = 300,
    deadline_s: float = 20,
    timeout_s: float = 0.1,
    retries: int = 1,
    ports: PortFilter | None = None,
    profile: str | None = None,
) -> T:
    """What ``use`` makes of a poller of this agent."""
    device = Device(
        name="sw-01",
        address="127.0.0.1",
        port=agent.port,
        credentials=by_community(),
        engine="gufo",
        profile=profile,
        interval_s=interval_s,
        slow_interval_s=slow_interval_s,
        deadline_s=deadline_s,
        tags={"room": "2.14"},
    )

    async def open_one(one: Device, without_retries: bool) -> Session:
        timing = Timing(timeout_s, 0 if without_retries else retries, deadline_s)
        return await open_session(one.address, one.port, one.credentials, one.engine, timing, Resolver())

    async def profiles() -> Profiles:
        return PROFILES

    async def run() -> T:
        poller = DevicePoller(device, open_one, profiles, ports or PortFilter(), lambda: NOW_MS)
        try:
            return await use(poller)
        finally:
            await poller.close()

    return asyncio.run(run())


def about(points: list[Point]) -> Mapping[str, object]:
    """The fields of ``snmp_device``."""
    [fields] = [point.fields for point in points if point.measurement == "snmp_device"]
    return fields


def of(measurement: str, points: list[Point]) -> dict[str, Point]:
    """The points of a measurement by their tag ``name``."""
    return {point.tags["name"]: point for point in points if point.measurement == measurement}


async def points_of(poller: DevicePoller) -> list[Point]:
    return list(await poller.poll())


def test_a_poll_gives_points_with_device_tags_and_time() -> None:
    with MisbehavingAgent(switch(3)) as agent:
        points = poll(agent, points_of)
    assert {point.measurement for point in points} == {"snmp_device", "snmp_port", "snmp_storage"}
    assert all(point.tags["device"] == "sw-01" and point.tags["room"] == "2.14" for point in points)
    assert {point.time_ms for point in points} == {NOW_MS}
    ports = of("snmp_port", points)
    assert {name: point.fields["in_octets"] for name, point in ports.items()} == {
        f"eth{index}": in_octets(f"eth{index}") for index in (1, 2, 3)
    }
    fields = about(points)
    assert fields["up"] == 1
    assert fields["uptime_s"] == 1_000
    assert fields["requests"] == len(agent.requests)
    assert isinstance(fields["varbinds"], int)
    assert fields["varbinds"] > 20


def test_what_a_device_has_is_found_out_once() -> None:
    async def use(poller: DevicePoller) -> list[int]:
        counts = []
        for _ in range(3):
            await poller.poll()
            counts.append(len(agent.requests))
        return counts

    with MisbehavingAgent(switch(3)) as agent:
        first, second, third = poll(agent, use)
    assert third - second == second - first
    assert second - first <= 3
    assert first > 10


def test_vitals_that_a_device_has_not_are_not_asked_for_again_and_again() -> None:
    async def use(poller: DevicePoller) -> tuple[int, list[str]]:
        for _ in range(3):
            await poller.poll()
        return len(of("snmp_port", await points_of(poller))), agent.requests[-2].oids

    rows = switch()
    del rows[IF_NUMBER]
    with MisbehavingAgent(rows) as agent:
        assert poll(agent, use) == (2, [UPTIME])


def test_slow_parts_are_read_less_often() -> None:
    async def use(poller: DevicePoller) -> list[bool]:
        return [bool(of("snmp_storage", await points_of(poller))) for _ in range(4)]

    with MisbehavingAgent(switch()) as agent:
        assert poll(agent, use) == [True, False, False, False]
        assert sum(STORAGE_USED in request.oids for request in agent.requests) == 1
        assert poll(agent, use, interval_s=60, slow_interval_s=30) == [True] * 4


def test_interfaces_that_are_numbered_anew_at_a_restart_keep_their_subjects() -> None:
    with MisbehavingAgent(switch({1: "eth1", 2: "eth2", 3: "uplink"})) as agent:

        async def use(poller: DevicePoller) -> tuple[list[Point], list[Point]]:
            before = await points_of(poller)
            agent.table = Table(switch({1: "uplink", 7: "eth1", 9: "eth2"}, uptime_s=5))
            return before, await points_of(poller)

        before, after = poll(agent, use)
    ports = of("snmp_port", after)
    assert {name: point.tags["index"] for name, point in ports.items()} == {
        "uplink": "1",
        "eth1": "7",
        "eth2": "9",
    }
    for name, point in of("snmp_port", before).items():
        assert point.fields["in_octets"] == ports[name].fields["in_octets"] == in_octets(name)
        assert subject_of("snmp_port", point.tags) == subject_of("snmp_port", ports[name].tags)


def test_another_number_of_interfaces_is_seen_at_once_and_then_not_all_the_time() -> None:
    with MisbehavingAgent(switch(2)) as agent:

        async def use(poller: DevicePoller) -> list[int]:
            found = []
            for count in (2, 3, 4, 4):
                agent.table = Table(switch(count))
                found.append(len(of("snmp_port", await points_of(poller))))
            return found

        assert poll(agent, use) == [2, 3, 3, 3]


def test_a_dead_device_is_down_and_asked_ever_more_seldom() -> None:
    async def use(poller: DevicePoller) -> list[tuple[object, object, int]]:
        found = []
        for _ in range(5):
            fields = about(await points_of(poller))
            found.append((fields["up"], fields["requests"], poller.turns_left_out))
        return found

    with MisbehavingAgent({}, snmp.only()) as agent:
        turns = poll(agent, use, timeout_s=0.02, retries=2)
        # Asked three times, for it may have been a lost datagram; from then on once.
        assert turns == [(0, 3, 1), (0, 1, 3), (0, 1, 4), (0, 1, 4), (0, 1, 4)]
        assert [turn[2] for turn in poll(agent, use, timeout_s=0.02, interval_s=600)] == [0] * 5


def test_a_device_that_comes_back_is_polled_as_before() -> None:
    silent = True

    def answer(request: Request, table: Table) -> list[bytes]:
        return [] if silent else list(honest(request, table))

    async def use(poller: DevicePoller) -> list[object]:
        nonlocal silent
        found = []
        for now_silent in (False, True, True, False, False):
            silent = now_silent
            fields = about(await points_of(poller))
            found.append((fields["up"], poller.turns_left_out))
        return found

    with MisbehavingAgent(switch(), answer) as agent:
        assert poll(agent, use) == [(1, 0), (0, 1), (0, 3), (1, 0), (1, 0)]


def test_a_device_that_falls_silent_in_mid_poll_is_up_and_loses_what_was_not_read() -> None:
    told = 0

    def answer(request: Request, table: Table) -> list[bytes]:
        return [] if told and STORAGE_USED in request.oids else list(honest(request, table))

    async def use(poller: DevicePoller) -> tuple[list[Point], list[Point]]:
        nonlocal told
        whole = await points_of(poller)
        told = 1
        return whole, await points_of(poller)

    with MisbehavingAgent(switch(), answer) as agent:
        whole, part = poll(agent, use, slow_interval_s=30)
    assert of("snmp_storage", whole)
    assert not of("snmp_storage", part)
    assert of("snmp_port", part).keys() == of("snmp_port", whole).keys()
    assert about(part)["up"] == 1


def test_a_poll_ends_at_its_deadline_and_keeps_what_was_read() -> None:
    slow = False

    def answer(request: Request, table: Table) -> list[bytes]:
        return [] if slow and STORAGE_USED in request.oids else list(honest(request, table))

    async def use(poller: DevicePoller) -> list[Point]:
        nonlocal slow
        await poller.poll()
        slow = True
        return list(await asyncio.wait_for(poller.poll(), 10))

    with MisbehavingAgent(switch(), answer) as agent:
        points = poll(agent, use, slow_interval_s=30, deadline_s=0.5, timeout_s=30)
    assert of("snmp_port", points)
    assert about(points)["up"] == 1


def test_ports_are_filtered() -> None:
    with MisbehavingAgent(switch(12)) as agent:
        points = poll(agent, points_of, ports=PortFilter(names=("^eth1",), not_names=("0$",)))
    assert sorted(of("snmp_port", points)) == ["eth1", "eth11", "eth12"]


def test_a_profile_can_be_given() -> None:
    with MisbehavingAgent(switch()) as agent:
        recognised = poll(agent, points_of)
        given = poll(agent, points_of, profile="ups-mib")
    assert of("snmp_storage", recognised)
    assert not of("snmp_storage", given)
    assert of("snmp_port", given)


def test_limits_of_a_device_are_thresholds_of_which_it_is_the_source() -> None:
    environment = "1.3.6.1.4.1.9.9.13.1.3.1"
    limit = f"{environment}.4.1"
    rows = {
        f"{environment}.2.1": snmp.octets(b"CPU board, rear"),
        f"{environment}.3.1": snmp.gauge32(41),
        limit: snmp.gauge32(65),
    }

    async def use(poller: DevicePoller) -> tuple[list[Point], list[Point]]:
        before = await points_of(poller)
        del rows[limit]
        agent.table = Table(switch(uptime_s=5) | rows)
        return before, await points_of(poller)

    with MisbehavingAgent(switch() | rows) as agent:
        before, after = poll(agent, use, slow_interval_s=30, profile="cisco-envmon")
    [threshold] = [point for point in before if point.measurement == "threshold"]
    assert threshold.tags["source"] == "sw-01"
    assert read_subject(threshold.tags["subject"]) == (
        Matcher("class", "=", "temperature"),
        Matcher("device", "=", "sw-01"),
        Matcher("name", "=", "CPU board, rear"),
    )
    assert threshold.fields["level"] == 65
    counts = [
        [point.fields["thresholds"] for point in points if point.measurement == "threshold_source"]
        for points in (before, after)
    ]
    assert counts == [[1], [0]]


def test_tables_full_of_wrong_types_cost_only_what_they_are_about() -> None:
    rows = switch()
    wrong = {
        oid: snmp.octets(b"\xff\x00 no number") for oid in rows if oid.startswith("1.3.6.1.2.1.2.2.1.10.")
    }
    wrong |= {oid: snmp.integer(-5) for oid in rows if oid.startswith("1.3.6.1.2.1.31.1.1.1.1.")}
    wrong[STORAGE_USED] = snmp.octets(b"full")
    with MisbehavingAgent(rows | wrong) as agent:
        points = poll(agent, points_of)
    assert about(points)["up"] == 1
    assert len([point for point in points if point.measurement == "snmp_port"]) == 2
    assert not of("snmp_storage", points)
