"""What polling over SNMP costs, next to others that do it; and whether a fleet is polled on time.

    python bench/snmp.py cost
    python bench/snmp.py fleet --devices 500 --interval 30 --seconds 180

``cost``: the same walk (ifTable and ifXTable) and the same GET of 20 OIDs, of many simulated devices on
loopback (bench/snmp_responder.py, in a process of its own), with Setpoint's session and input, net-snmp's
tools, prometheus-snmp-exporter and plain pysnmp. Printed is the client's CPU for 1,000 values, devices per
second, and both as ratios to net-snmp. Values are counted where they are sent. What is not installed is
skipped, with its name. net-snmp's tools are started for each device and table, without MIB files, eight at
a time; the exporter serves eight scrapes at a time; ours and pysnmp ask 100 devices at a time.

``fleet``: ``setpoint agent run`` with an input ``snmp`` of many devices, of which 5 % are dead and 5 % slow
(1.5 s for an answer). Whether the healthy ones are polled on time is read off where the requests arrive.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.snmp_devices import Responder
from bench.snmp_fleet import fleet
from bench.snmp_responder import addresses
from tests.ports import free_port
from tests.servers import is_listening, wait_until

WALK = ("1.3.6.1.2.1.2.2", "1.3.6.1.2.1.31.1.1")
GET = [f"1.3.6.1.2.1.2.2.1.{column}.{port}" for column in (8, 10, 14, 16, 20) for port in (1, 2, 3, 4)]
_REPETITIONS = 30


class Measured(NamedTuple):
    name: str
    cpu_s: float
    took_s: float
    devices: int
    varbinds: int


# -- ours and pysnmp: each in a child of its own, which says what its work cost ---------------------------


async def ours_session(hosts: Sequence[str], port: int, what: str, _ports: int) -> Callable[[], Any]:
    from agent.inputs.connection import Resolver
    from agent.inputs.snmp.credentials import Credentials
    from agent.inputs.snmp.open_session import open_session
    from agent.inputs.snmp.session import Timing
    from setpoint.units import Secret

    public, resolver = Credentials(community=Secret("public")), Resolver()
    limit, timing = asyncio.Semaphore(100), Timing(timeout_s=10, max_repetitions=_REPETITIONS)

    async def one(host: str) -> None:
        async with limit:
            session = await open_session(host, port, public, "auto", timing, resolver)
            if what == "get":
                assert len(await session.get(GET)) == len(GET)
            else:
                for base in WALK:
                    assert await session.walk(base)
            await session.close()

    return lambda: asyncio.gather(*map(one, hosts))


async def ours_input(hosts: Sequence[str], port: int, _what: str, _ports: int) -> Callable[[], Any]:
    from agent.inputs.snmp.credentials import Credentials
    from agent.inputs.snmp.input import SnmpInput
    from agent.inputs.snmp.settings import DeviceSettings, SnmpSettings
    from setpoint.units import Duration, Secret

    source = SnmpInput(
        SnmpSettings(
            credentials={"public": Credentials(community=Secret("public"))},
            devices=[DeviceSettings(address=host, port=port) for host in hosts],
            timeout=Duration(10_000),
        )
    )
    await source.gather_once()  # finds out what they are, which is done once a day
    return source.gather_once


async def pysnmp_plain(hosts: Sequence[str], port: int, what: str, _ports: int) -> Callable[[], Any]:
    from pysnmp.hlapi.v3arch import asyncio as api

    engine, limit = api.SnmpEngine(), asyncio.Semaphore(100)
    who, context = api.CommunityData("public"), api.ContextData()

    async def one(host: str) -> None:
        async with limit:
            target = await api.UdpTransportTarget.create((host, port), timeout=20)
            if what == "get":
                oids = [api.ObjectType(api.ObjectIdentity(oid)) for oid in GET]
                answer = await api.get_cmd(engine, who, target, context, *oids, lookupMib=False)
                assert len(answer[3]) == len(GET), answer
                return
            for base in WALK:
                table = api.ObjectType(api.ObjectIdentity(base))
                numbers = (0, _REPETITIONS)
                async for error, *_ in api.bulk_walk_cmd(
                    engine, who, target, context, *numbers, table, lookupMib=False, lexicographicMode=False
                ):
                    assert not error, error

    return lambda: asyncio.gather(*map(one, hosts))


CLIENTS: dict[str, Callable[[Sequence[str], int, str, int], Any]] = {
    "setpoint session": ours_session,
    "setpoint input": ours_input,
    "pysnmp": pysnmp_plain,
}


async def run_client(options: argparse.Namespace) -> None:
    hosts = addresses(options.devices)
    make = CLIENTS[options.client]
    await (await make(hosts[:1], options.port, options.what, options.ports))()  # imports what it needs
    work = await make(hosts, options.port, options.what, options.ports)
    print("ready", flush=True)
    sys.stdin.readline()
    began_s, cpu_s = time.monotonic(), time.process_time()
    await work()
    print(json.dumps([time.process_time() - cpu_s, time.monotonic() - began_s]), flush=True)


def in_a_child(name: str, responder: Responder, what: str, devices: int, ports: int) -> Measured:
    argv = [sys.executable, __file__, "client", "--client", name, "--what", what]
    argv += ["--devices", str(devices), "--ports", str(ports), "--port", str(responder.port)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        before = responder.stats()["varbinds"]
        child.stdin.write("go\n")
        child.stdin.flush()
        cpu_s, took_s = json.loads(child.stdout.readline())
    return Measured(name, cpu_s, took_s, devices, responder.stats()["varbinds"] - before)


# -- the others ---------------------------------------------------------------------------------------------


def net_snmp(responder: Responder, what: str, devices: int, _ports: int) -> Measured:
    flags = ["-v2c", "-c", "public", "-On", "-Oe", "-m", "", "-t", "10"]

    def one(host: str) -> None:
        there = f"{host}:{responder.port}"
        if what == "get":
            commands = [["snmpget", *flags, there, *GET]]
        else:
            commands = [["snmpbulkwalk", *flags, f"-Cr{_REPETITIONS}", there, base] for base in WALK]
        for command in commands:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    before, began = responder.stats()["varbinds"], time.monotonic()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, addresses(devices)))
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    came = responder.stats()["varbinds"] - before
    return Measured("net-snmp", cpu_s, time.monotonic() - began, devices, came)


def exporter_config() -> str:
    """Modules for both tasks, in the form of snmp_exporter 0.21: every column is a metric."""
    columns = [
        f"{base}.1.{column}"
        for base, last in zip(WALK, (20, 18), strict=True)
        for column in range(1, last + 1)
    ]
    texts = {f"{WALK[0]}.1.2": "DisplayString", f"{WALK[0]}.1.6": "PhysAddress48"}
    texts |= {f"{WALK[1]}.1.1": "DisplayString", f"{WALK[1]}.1.18": "DisplayString"}
    metrics = [
        {
            "name": f"m{oid.replace('.', '_')}",
            "oid": oid,
            "type": texts.get(oid, "counter"),
            "help": "-",
            "indexes": [{"labelname": "ifIndex", "type": "gauge"}],
        }
        for oid in columns
    ]
    how = {"version": 2, "max_repetitions": _REPETITIONS, "timeout": "10s", "auth": {"community": "public"}}
    modules = {
        "walk": {"walk": list(WALK), **how, "metrics": metrics},
        "get": {"get": GET, **how, "metrics": metrics},
    }
    return json.dumps(modules)


@contextmanager
def exporter(folder: Path) -> Iterator[tuple[psutil.Process, int]]:
    config, port = folder / "snmp.yml", free_port()
    config.write_text(exporter_config())
    program = shutil.which("prometheus-snmp-exporter")
    assert program is not None
    argv = [program, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with subprocess.Popen(argv) as process:
        try:
            wait_until(lambda: is_listening("127.0.0.1", port), what="snmp_exporter")
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()


def by_exporter(responder: Responder, what: str, devices: int, _ports: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder, exporter(Path(folder)) as (process, port):

        def one(host: str) -> None:
            url = f"http://127.0.0.1:{port}/snmp?module={what}&target={host}:{responder.port}"
            with urllib.request.urlopen(url, timeout=60) as answer:
                answer.read()

        one(addresses(1)[0])
        before, began, used = responder.stats()["varbinds"], time.monotonic(), process.cpu_times()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(one, addresses(devices)))
        took_s, now = time.monotonic() - began, process.cpu_times()
        cpu_s = now.user + now.system - used.user - used.system
        came = responder.stats()["varbinds"] - before
    return Measured("snmp_exporter", cpu_s, took_s, devices, came)


def cost(options: argparse.Namespace) -> None:
    responder = Responder(options.devices, options.ports)
    try:
        for what, title in (("walk", "ifTable and ifXTable"), ("get", "one GET of 20 OIDs")):
            print(f"{title}, {options.devices} devices of {options.ports} ports")
            found: list[Measured] = []
            others = {
                "net-snmp": ("snmpbulkwalk", net_snmp),
                "snmp_exporter": ("prometheus-snmp-exporter", by_exporter),
            }
            for name, (program, measure) in others.items():
                if shutil.which(program):
                    found.append(measure(responder, what, options.devices, options.ports))
                else:
                    print(f"  {name}: skipped, {program} is not installed")
            names = ["setpoint session", "pysnmp"] + (["setpoint input"] if what == "walk" else [])
            found += [in_a_child(name, responder, what, options.devices, options.ports) for name in names]
            show(found)
    finally:
        responder.close()


def show(found: Sequence[Measured]) -> None:
    base = next((one for one in found if one.name == "net-snmp"), None)
    titles = f"{'CPU ms/1000':>13}{'ratio':>8}{'devices/s':>11}{'ratio':>8}{'CPU ms/device':>15}"
    print(f"  {'':<18}{'values':>9}{titles}")
    for one in found:
        each, rate = one.cpu_s / one.varbinds * 1e6, one.devices / one.took_s
        ratios = ["-", "-"]
        if base is not None:
            ratios = [
                f"{each / (base.cpu_s / base.varbinds * 1e6):.3f}",
                f"{rate / (base.devices / base.took_s):.2f}",
            ]
        cells = f"{one.varbinds:>9}{each:>13.2f}{ratios[0]:>8}{rate:>11.0f}{ratios[1]:>8}"
        print(f"  {one.name:<18}{cells}{one.cpu_s / one.devices * 1e3:>15.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    modes = parser.add_subparsers(dest="mode", required=True)
    for mode, devices, ports in (("cost", 100, 48), ("fleet", 500, 24), ("client", 100, 48)):
        one = modes.add_parser(mode)
        one.add_argument("--devices", type=int, default=devices)
        one.add_argument("--ports", type=int, default=ports)
        one.add_argument("--interval", type=int, default=30)
        one.add_argument("--seconds", type=int, default=180)
        one.add_argument("--warm-up", type=int, default=60)
        one.add_argument("--client", choices=CLIENTS)
        one.add_argument("--what", choices=("walk", "get"))
        one.add_argument("--port", type=int)
    options = parser.parse_args()
    if options.mode == "client":
        asyncio.run(run_client(options))
    else:
        {"cost": cost, "fleet": fleet}[options.mode](options)


if __name__ == "__main__":
    main()
