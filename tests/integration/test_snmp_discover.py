"""Looking for devices in a subnet: who is found, how often everybody is asked, and what is printed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from agent.inputs.snmp.settings import SnmpSettings
from agent.inputs.snmp.sweep import Answered, PacedSlots
from agent.settings import load_settings
from setpoint.__main__ import main
from setpoint.commands.snmp_discover import networks_of, proposal, unique_names
from tests.misbehaving_snmp import MisbehavingAgent, Request, Table, honest, octets, oid, timeticks
from tests.servers import ROOT, wait_until
from tests.snmp_servers import Snmpd

SUBNET = "127.0.9.0/28"


def rows(sys_name: str, sys_object_id: str = "1.3.6.1.4.1.8072.3.2.10") -> dict[str, bytes]:
    return {
        "1.3.6.1.2.1.1.1.0": octets(b"a \x1b[31mdescription\nof two lines"),
        "1.3.6.1.2.1.1.2.0": oid(sys_object_id),
        "1.3.6.1.2.1.1.3.0": timeticks(100),
        "1.3.6.1.2.1.1.5.0": octets(sys_name.encode()),
    }


def only_for(community: bytes) -> object:
    def answer(request: Request, table: Table) -> Sequence[bytes]:
        return honest(request, table) if request.community == community else []

    return answer


class Network(NamedTuple):
    port: int
    agents: dict[str, MisbehavingAgent]
    silent: socket.socket


@pytest.fixture
def network() -> Iterator[Network]:
    """Agents at three loopback addresses on one port, at a fourth a device that never answers."""
    with contextlib.ExitStack() as stack:
        silent = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        silent.bind(("127.0.9.7", 0))
        port = silent.getsockname()[1]
        agents = {}
        for last, name, community in (
            (2, "sw core/1", b"one"),
            (5, "ups", b"two"),
            (14, "sw core/1", b"one"),
        ):
            host = f"127.0.9.{last}"
            answer = only_for(community)
            agent = MisbehavingAgent(rows(name), host=host, port=port, answer=answer)  # type: ignore[arg-type]
            agents[host] = stack.enter_context(agent)
        yield Network(port, agents, silent)


def config(folder: Path, port: int, devices: str = "{address: 198.51.100.1}") -> Path:
    path = folder / "agent.yaml"
    path.write_text(
        "broker: {host: 127.0.0.1}\n"
        "inputs:\n"
        "  - input: snmp\n"
        "    credentials: {first: {community: one}, second: {community: two}}\n"
        f"    devices: [{devices.replace('}', f', port: {port}, credentials: first}}')}]\n"
    )
    return path


def datagrams(one: socket.socket) -> int:
    one.setblocking(False)
    number = 0
    with contextlib.suppress(BlockingIOError):
        while one.recv(65_535):
            number += 1
    return number


def discover(*arguments: object) -> int:
    fast = ("--rate", "500", "--timeout", "0.2")
    return main(["snmp", "discover", *fast, *map(str, arguments)])


def test_a_subnet_is_found_and_the_list_is_what_the_agent_takes(
    network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, network.port)
    assert discover(SUBNET, "--config", path, "--port", network.port) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out)["devices"] == [
        {"address": "127.0.9.2", "name": "sw-core-1", "credentials": "first", "port": network.port},
        {"address": "127.0.9.5", "name": "ups", "credentials": "second", "port": network.port},
        {"address": "127.0.9.14", "name": "sw-core-1-2", "credentials": "first", "port": network.port},
    ]
    assert "named like 127.0.9.2: perhaps the same device" in printed.out
    assert "a [31mdescription of two lines" in printed.out
    assert "14 of 14 addresses, 3 answered" in printed.err
    text = path.read_text()
    kept, _, _ = text.partition("    devices:")
    path.write_text(kept + "".join(f"    {line}\n" for line in printed.out.splitlines()))
    [settings] = load_settings(path).value.inputs
    assert isinstance(settings, SnmpSettings)
    assert [device.title for device in settings.devices] == ["sw-core-1", "ups", "sw-core-1-2"]


def test_an_address_is_asked_as_often_as_it_was_said(network: Network, tmp_path: Path) -> None:
    path = config(tmp_path, network.port)
    discover(SUBNET, "--config", path, "--port", network.port, "--retries", 2)
    assert datagrams(network.silent) == 2 * 3
    assert len(network.agents["127.0.9.5"].requests) >= 3 + 1
    assert {one.community for one in network.agents["127.0.9.2"].requests} == {b"one"}


def test_only_the_credentials_that_were_named_are_tried(network: Network, tmp_path: Path) -> None:
    path = config(tmp_path, network.port)
    discover(SUBNET, "--config", path, "--port", network.port, "--credentials", "second")
    asked = [one for agent in network.agents.values() for one in agent.requests]
    assert {one.community for one in asked} == {b"two"}


def test_a_device_of_the_file_is_not_asked(
    network: Network, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(tmp_path, network.port, "{address: 127.0.9.2, name: mine}")
    assert discover(SUBNET, "--config", path, "--port", network.port) == 0
    printed = capsys.readouterr()
    assert "# 127.0.9.2 is in the file already: mine" in printed.out
    assert not network.agents["127.0.9.2"].requests


def test_nobody_there_is_said_with_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert discover("127.0.9.0/30", "--community", "x", "--port", 9) == 1
    assert "# 0 devices answered" in capsys.readouterr().out


def test_who_refuses_is_named_and_not_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Snmpd(tmp_path / "snmpd") as server:
        assert discover("127.0.0.1", "--user", "nobody", "--port", server.port) == 0
    printed = capsys.readouterr().out
    assert "# 127.0.0.1 did not tell what it is (discovered): " in printed
    assert yaml.safe_load(printed) is None


def test_ctrl_c_prints_what_was_found_until_then(network: Network) -> None:
    argv = [sys.executable, "-m", "setpoint", "snmp", "discover", "127.0.9.2", "127.0.9.7", "--port"]
    argv += [str(network.port), "--community", "one", "--timeout", "60"]
    with subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: datagrams(network.silent), what="a request to the silent device", timeout_s=30)
        wait_until(lambda: len(network.agents["127.0.9.2"].requests) >= 2, what="the other one's answer")
        # It has been asked what it is; its last answer is on the way.
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "interrupted: " in err
    assert "Traceback" not in err
    assert out.startswith("# ")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["10.0.0.0/8", "--community", "x"], "16777216 addresses, and at most 4096 are asked"),
        (["2001:db8::/64", "--community", "x"], "18446744073709551616 addresses"),
        (["nonsense", "--community", "x"], 'expected a subnet such as 192.0.2.0/24, got "nonsense"'),
        (["127.0.0.1"], "no credentials; give --community"),
        (["127.0.0.1", "--community", "x", "--rate", "0"], "--rate: expected a number from 0.1 to"),
        (["127.0.0.1", "--community", "x", "--in-flight", "0"], "--in-flight: expected a number from 1 to"),
        (["127.0.0.1", "--community", "x", "--credentials", "a"], "--credentials names entries of --config"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    arguments: list[str],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SETPOINT_SNMP_COMMUNITY", raising=False)
    assert main(["snmp", "discover", *arguments]) == 2
    assert expected in capsys.readouterr().err


def test_subnets_that_overlap_are_asked_once() -> None:
    assert [str(one) for one in networks_of(["192.0.2.4", "192.0.2.0/28", "192.0.2.8/30", "::1"], 100)] == [
        "192.0.2.0/28",
        "::1/128",
    ]


def test_requests_never_begin_faster_than_the_rate() -> None:
    async def begin_all() -> list[float]:
        slots = PacedSlots(3, 100)
        begun = [asyncio.get_running_loop().time()]

        async def one() -> None:
            async with slots:
                begun.append(asyncio.get_running_loop().time())

        await asyncio.gather(*(one() for _ in range(12)))
        assert slots.begun == 12
        return begun

    begun = asyncio.run(begin_all())
    assert begun[-1] - begun[0] >= 0.99 * 11 / 100


def test_names_are_unique_whatever_devices_are_called() -> None:
    devices = [
        Answered(f"192.0.2.{number}", "c", sys_name=name)
        for number, name in enumerate(["a", "a", "a-2", "", "  ", "192.0.2.1", "..", "交换机 1"])
    ]
    names = unique_names(devices)
    assert names == ["a", "a-2", "a-2-2", "", "", "192.0.2.1-2", "", "交换机-1"]


def test_texts_of_devices_cannot_write_yaml() -> None:
    evil = "x}\n  - {address: 6.6.6.6"
    found = [
        Answered("192.0.2.1", "on", sys_name="null", sys_descr=evil, title=evil),
        Answered("2001:db8::1", "c", sys_name=evil, sys_descr="\u2028\x85\ufffe- x"),
        Answered("192.0.2.2", "c", problem=evil),
    ]
    listed = yaml.safe_load("\n".join(proposal(found, port=161, already={})))["devices"]
    assert listed == [
        {"address": "192.0.2.1", "name": "null", "credentials": "on"},
        {"address": "2001:db8::1", "name": "x---address-6.6.6.6", "credentials": "c"},
    ]
