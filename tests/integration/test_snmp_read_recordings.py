"""Devices that were recorded (snmpsim-data), read over the network as the agent does."""

from __future__ import annotations

import asyncio
import bz2
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.inputs.connection import Resolver
from agent.inputs.snmp.device_plan import PARTS
from agent.inputs.snmp.discover import discover
from agent.inputs.snmp.open_session import open_session
from agent.inputs.snmp.profile_load import load_profiles
from agent.inputs.snmp.read import read
from agent.inputs.snmp.recognise import Identity, identify
from agent.inputs.snmp.session import Timing
from setpoint.__main__ import main
from setpoint.reading import Point
from tests.recorded_snmp import read_recording
from tests.snmp_servers import Snmpsim, by_community

RECORDINGS = {
    "apc-pdu": "UPS/apc-8641.snmprec",
    "eaton-ups": "UPS/eaton-9px-partial.snmprec.bz2",
    "linux": "os/linux/slackware.snmprec.bz2",
    "windows": "os/windows/XP.snmprec.bz2",
}

# Recording: the profile, how many points of each measurement, and one of them.
FACTS: dict[str, tuple[str, dict[str, int], tuple[str, str, str, float]]] = {
    "apc-pdu": (
        "apc",
        {"snmp_port": 2},
        ("snmp_sensor", "Phase 1", "voltage", 201.0),
    ),
    "eaton-ups": ("mge-ups", {"snmp_port": 0}, ("snmp_sensor", "Battery", "charge", 100.0)),
    "linux": (
        "linux",
        {"snmp_port": 2, "snmp_cpu": 2, "snmp_memory": 5, "snmp_storage": 3},
        ("snmp_storage", "/usr/local", "", 54_475_591_680),
    ),
    "windows": (
        "windows",
        {"snmp_port": 3, "snmp_cpu": 1, "snmp_memory": 2, "snmp_storage": 2},
        ("snmp_memory", "Physical Memory", "", 634_781_696),
    ),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings, under the names that are their communities."""
    folder = tmp_path_factory.mktemp("recordings")
    shipped = {str(one): one for one in importlib.metadata.files("snmpsim-data") or ()}
    for name, path in RECORDINGS.items():
        raw = Path(str(shipped[f"snmpsim_data/data/{path}"].locate())).read_bytes()
        recorded = bz2.decompress(raw) if path.endswith("bz2") else raw
        # Without rows that the simulator makes up as it goes.
        rows = [row for row in recorded.splitlines(keepends=True) if b":numeric|" not in row]
        (folder / f"{name}.snmprec").write_bytes(b"".join(rows))
    return folder


@pytest.fixture(scope="module")
def simulator(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snmpsim]:
    with Snmpsim(tmp_path_factory.mktemp("snmpsim"), data, "windows") as server:
        yield server


async def gather(session: Any) -> tuple[Identity, list[Point]]:
    try:
        identity = await identify(session, load_profiles())
        plan = await discover(session, identity)
        return identity, [point for part in PARTS for point in await read(session, plan, part)]
    finally:
        await session.close()


async def over_the_network(port: int, name: str) -> tuple[Identity, list[Point]]:
    timing = Timing(timeout_s=10, retries=2, deadline_s=60)
    credentials = by_community("v2c", name)
    return await gather(await open_session("127.0.0.1", port, credentials, "auto", timing, Resolver()))


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recorded_device_is_recognised_and_read(simulator: Snmpsim, name: str) -> None:
    identity, points = asyncio.run(over_the_network(simulator.port, name))
    profile, counts, (measurement, called, class_, value) = FACTS[name]
    assert identity.profiles[0].name == profile
    found = {one: sum(point.measurement == one for point in points) for one in counts}
    assert found == counts
    field = "value" if measurement == "snmp_sensor" else "used_bytes"
    (one,) = (
        point.fields[field]
        for point in points
        if (point.measurement, point.tags["name"], point.tags.get("class", ""))
        == (measurement, called, class_)
    )
    assert one == value


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_network_gives_what_the_recording_holds(simulator: Snmpsim, data: Path, name: str) -> None:
    _, over_network = asyncio.run(over_the_network(simulator.port, name))
    _, in_memory = asyncio.run(gather(read_recording(data / f"{name}.snmprec")))
    assert over_network == in_memory


def test_no_two_points_of_a_device_have_one_subject(data: Path) -> None:
    for name in RECORDINGS:
        _, points = asyncio.run(gather(read_recording(data / f"{name}.snmprec")))
        subjects = [
            (
                p.measurement,
                p.tags.get("class"),
                p.tags.get("name"),
                p.tags.get("subject"),
                p.tags.get("rule"),
            )
            for p in points
        ]
        assert len(set(subjects)) == len(subjects)


def test_identify_shows_what_would_be_read(simulator: Snmpsim, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["snmp", "identify", "127.0.0.1", "--port", str(simulator.port), "--community", "linux"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "recognised    Linux, BSD and other systems with net-snmp" in shown
    assert "2 snmp_port, 2 snmp_cpu, 5 snmp_memory, 3 snmp_storage" in shown
    assert "/usr/local" in shown


def test_walk_prints_a_recording(
    simulator: Snmpsim, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SETPOINT_SNMP_COMMUNITY", "linux")
    arguments = ["snmp", "walk", "127.0.0.1", "1.3.6.1.2.1.1.2", "--port", str(simulator.port), "--snmprec"]
    assert main(arguments) == 0
    assert capsys.readouterr().out == "1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.8072.3.2.10\n"


def test_walk_of_nothing_says_so(simulator: Snmpsim, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["snmp", "walk", "127.0.0.1", "1.3.6.1.4.1.424242", "--port", str(simulator.port)]
    assert main([*arguments, "--community", "linux"]) == 1
    assert "has nothing below 1.3.6.1.4.1.424242" in capsys.readouterr().err


def test_credentials_are_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SETPOINT_SNMP_COMMUNITY", raising=False)
    assert main(["snmp", "identify", "127.0.0.1"]) == 2
    assert "give --community, --user or --config" in capsys.readouterr().err


def test_credentials_come_from_the_agents_file(
    simulator: Snmpsim, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(
        "inputs:\n  - input: snmp\n    credentials: {site: {community: windows}}\n"
        f"    devices: [{{address: 127.0.0.1, name: pc-1, port: {simulator.port}}}]\n"
    )
    assert main(["snmp", "identify", "pc-1", "--config", str(config), "--brief"]) == 0
    assert "Microsoft Windows" in capsys.readouterr().out
