"""The snmp input with many devices: schedules, limits, fairness, and the commands of the agent."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.input import SnmpInput
from agent.inputs.snmp.settings import DeviceSettings, SnmpSettings
from agent.run import schedule
from agent.settings import AgentSettings, Identity
from setpoint.reading import Point
from setpoint.units import Duration, Secret
from tests import misbehaving_snmp as snmp
from tests.misbehaving_snmp import Answer, MisbehavingAgent, Request, Table, honest
from tests.ports import free_udp_port
from tests.servers import ROOT
from tests.simulated_switch import UPTIME, switch
from tests.snmp_servers import Snmpd

T = TypeVar("T")
SOON_S = 60


def settings(ports: Sequence[int], **more: Any) -> SnmpSettings:
    made = SnmpSettings(
        credentials={"public": Credentials(community=Secret("public"))},
        devices=[
            DeviceSettings(address="127.0.0.1", name=f"device-{number}", port=port)
            for number, port in enumerate(ports)
        ],
        timeout=more.pop("timeout", Duration(300)),
        **more,
    )
    assert not made.problems()
    return made


@contextmanager
def agents(*answers: Answer, rows: dict[str, bytes] | None = None) -> Iterator[list[MisbehavingAgent]]:
    with ExitStack() as stack:
        yield [stack.enter_context(MisbehavingAgent(rows or switch(), answer)) for answer in answers]


def with_input(made: SnmpSettings, use: Callable[[SnmpInput], Awaitable[T]]) -> T:
    async def run() -> T:
        source = SnmpInput(made)
        try:
            return await asyncio.wait_for(use(source), SOON_S)
        finally:
            await source.close()

    return asyncio.run(run())


def states(points: Sequence[Point]) -> list[tuple[str, object]]:
    return [(p.tags["device"], p.fields["up"]) for p in points if p.measurement == "snmp_device"]


def up_now(points: Sequence[Point]) -> set[str]:
    """The devices that were up at their last poll."""
    return {name for name, up in dict(states(points)).items() if up}


async def gather_until(source: SnmpInput, enough: Callable[[Sequence[Point]], bool]) -> list[Point]:
    points: list[Point] = []
    while not enough(points):
        points += await source.gather()
        await asyncio.sleep(0.02)
    return points


def test_a_hundred_devices_dead_and_slow_ones_among_them_are_all_polled_on_their_schedules() -> None:
    def slow(request: Request, table: Table) -> Sequence[bytes]:
        time.sleep(0.1)
        return honest(request, table)

    def kind(number: int) -> Answer:
        return {3: snmp.only(), 7: slow}.get(number % 10, honest)

    with agents(*(kind(number) for number in range(100))) as devices:
        made = settings([device.port for device in devices], interval=Duration(1_000), retries=0)
        names = {f"device-{number}" for number in range(100)}
        healthy = {f"device-{number}" for number in range(100) if kind(number) is honest}
        dead = {f"device-{number}" for number in range(100) if number % 10 == 3}

        def enough(points: Sequence[Point]) -> bool:
            polls = Counter(name for name, _ in states(points))
            return (
                polls.keys() == names
                and all(polls[name] >= 2 for name in healthy)
                and up_now(points) == names - dead  # on a busy machine, not at each poll
            )

        points = with_input(made, lambda source: gather_until(source, enough))
    assert names - up_now(points) == dead
    ports = Counter(point.tags["device"] for point in points if point.measurement == "snmp_port")
    assert ports.keys() >= healthy
    assert not ports.keys() & dead


def test_first_polls_are_spread_over_the_interval() -> None:
    with agents(*[honest] * 10) as devices:
        made = settings([device.port for device in devices], interval=Duration(60_000))
        points = with_input(made, lambda source: gather_until(source, lambda points: bool(states(points))))
        assert states(points) == [("device-0", 1)]
        assert sum(bool(device.requests) for device in devices) == 1


def test_points_are_handed_over_once_with_the_time_at_which_they_were_read() -> None:
    async def use(source: SnmpInput) -> tuple[list[Point], int, int]:
        began_ms = time.time_ns() // 1_000_000
        assert not await source.gather()
        points = await gather_until(source, lambda points: bool(states(points)))
        return points, len(await source.gather()), began_ms

    with agents(honest) as [device]:
        points, more, began_ms = with_input(settings([device.port]), use)
    assert more == 0
    assert all(p.time_ms is not None and began_ms <= p.time_ms <= began_ms + 60_000 for p in points)


def test_nothing_is_asked_after_closing() -> None:
    async def use(source: SnmpInput) -> None:
        await gather_until(source, lambda points: bool(states(points)))

    with agents(honest) as [device]:
        with_input(settings([device.port], interval=Duration(1_000)), use)
        asked = len(device.requests)
        time.sleep(0.2)
        assert len(device.requests) == asked


def test_no_more_requests_than_allowed_are_under_way() -> None:
    with agents(*[snmp.only()] * 20) as devices:
        made = settings([d.port for d in devices], max_in_flight=3, timeout=Duration(3_000), retries=0)

        async def use(source: SnmpInput) -> int:
            polling = asyncio.ensure_future(source.gather_once())
            await asyncio.sleep(0.5)
            asked = sum(len(device.requests) for device in devices)
            polling.cancel()
            return asked

        assert with_input(made, use) == 3


def test_a_big_device_does_not_hold_up_small_ones() -> None:
    order: list[str] = []

    def named(name: str) -> Answer:
        def answer(request: Request, table: Table) -> Sequence[bytes]:
            order.append(name)
            return honest(request, table)

        return answer

    with (
        agents(named("big"), rows=switch(400)) as [big],
        agents(*[named("small")] * 5) as small,
    ):
        ports = [big.port, *(device.port for device in small)]
        made = settings(ports, max_in_flight=1, timeout=Duration(5_000))
        points = with_input(made, lambda source: source.gather_once())
    assert len(states(points)) == 6
    last_small = len(order) - order[::-1].index("small")
    small_count, big_until_then = order.count("small"), order[:last_small].count("big")
    # Turn by turn: while the five were asked, the big one had no more turns than one of them.
    assert big_until_then <= small_count / 5 + 2
    assert order.count("big") > 2 * big_until_then


def test_a_device_of_its_own_interval_keeps_it() -> None:
    with agents(honest, honest) as devices:
        made = settings([device.port for device in devices], interval=Duration(1_000))
        made.devices[1].interval = Duration(3_600_000)
        made.devices.reverse()

        def enough(points: Sequence[Point]) -> bool:
            return Counter(name for name, _ in states(points))["device-0"] >= 3

        points = with_input(made, lambda source: gather_until(source, enough))
    assert Counter(name for name, _ in states(points))["device-1"] == 1


def test_the_agent_asks_for_what_has_come_more_often_than_it_measures() -> None:
    made = AgentSettings(agent=Identity(name="a"), inputs=[settings([161])])
    [scheduled] = schedule(made)
    assert (scheduled.interval_s, scheduled.tick_s) == (60, 5)


def test_once_prints_what_every_device_gives(tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    inventory = tmp_path / "devices.csv"
    with Snmpd(tmp_path / "snmpd") as server:
        inventory.write_text(
            "address,name,port,credentials,owner\n"
            f"127.0.0.1,by-user,{server.port},core,network team\n"
            f"127.0.0.1,nobody,{free_udp_port()},office,\n"
        )
        config.write_text(
            f"""
agent: {{name: mon-01, data: {tmp_path}/data}}
inputs:
  - input: snmp
    timeout: 1s
    credentials:
      office: {{community: public}}
      core:
        version: v3
        user: user-sha256-aes128
        auth: {{protocol: sha256, password: correct horse}}
        priv: {{protocol: aes128, password: correct horse}}
    devices: [{{address: localhost, name: by-community, port: {server.port}, credentials: office}}]
    inventory: {inventory}
"""
        )
        done = subprocess.run(
            [sys.executable, "-m", "setpoint", "agent", "once", "--config", config],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for device, up in (("by-community", 1), ("by-user", 1), ("nobody", 0)):
        [line] = [line for line in lines if line.startswith(f"snmp_device,device={device},")]
        assert f" up={up}i," in line
    assert any(line.startswith("snmp_port,device=by-community,") and "name=lo" in line for line in lines)
    assert any(
        line.startswith("snmp_port,device=by-user,") and r"owner=network\ team" in line for line in lines
    )
    assert "horse" not in done.stdout + done.stderr


def test_a_device_is_asked_for_uptime_first() -> None:
    with agents(honest) as [device]:
        with_input(settings([device.port]), lambda source: source.gather_once())
        assert UPTIME in device.requests[0].oids
