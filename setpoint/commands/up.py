"""``setpoint up``: broker, collector, agent and page on this machine, each in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.settings import load_settings as load_agent
from collector.broker import credentials
from collector.broker.access import Role
from collector.broker.process import BrokerProcess, BrokerStartError, start_broker
from collector.broker.settings import credentials_path
from collector.settings import CollectorSettings
from collector.web.server import CannotListen, listen
from setpoint.commands.agents import data_folder
from setpoint.commands.collector import load as load_collector
from setpoint.config import ConfigError
from setpoint.logging_setup import start_logging
from setpoint.signals import stop_event
from setpoint.units import Duration

_FOR = "SETPOINT_FOR"
_COUNTS_EVERY_S = 15.0


class UpError(Exception):
    """Something that was started did not stay; the text says what."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "up",
        help="run everything on this machine",
        description="Starts the embedded broker, a collector with its page and an agent, from the files in "
        "the configuration folder, and prints the first findings. Ctrl-C stops it all.",
        epilog=f"{_FOR}=60s in the environment ends it after that time.",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config"),
        help="where agent.yaml and collector.yaml are (%(default)s)",
    )
    parser.add_argument("--for", dest="duration", metavar="TIME", help="end after this time, such as 60s")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    asked = options.duration or os.environ.get(_FOR)
    try:
        duration = Duration.parse(asked) if asked else None
    except ValueError as error:
        print(f'setpoint up: how long: {error}, got "{asked}"', file=sys.stderr)
        return 2
    try:
        settings, _ = load_collector(options.config / "collector.yaml")
        agent = load_agent(options.config / "agent.yaml").value
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if settings.collector.share:
        # amqtt grants a shared subscription, and then delivers nothing.
        print(
            f"setpoint up: {options.config / 'collector.yaml'}: collector.share: expected none, since the "
            "embedded broker has no shared subscriptions; run `setpoint collector run` with Mosquitto",
            file=sys.stderr,
        )
        return 2
    start_logging("info", "up")
    try:
        return asyncio.run(_up(options.config, settings, agent.name, duration))
    except (UpError, BrokerStartError) as error:
        print(f"setpoint up: {error}", file=sys.stderr)
    except CannotListen as error:
        print(f"setpoint up: {error.strerror}", file=sys.stderr)
    return 1


@dataclass(slots=True)
class _Child:
    name: str
    process: asyncio.subprocess.Process


async def _up(config: Path, settings: CollectorSettings, agent_name: str, duration: Duration | None) -> int:
    stop = stop_event()
    data = data_folder(settings.collector.data)
    # Before anything is started: whoever has the port may answer as a collector would.
    listen(settings.web.listen, settings.web.port).close()
    broker = await start_broker(settings.embedded_broker, data)
    children: list[_Child] = []
    try:
        # Not before the broker is ours: a second `up` must not void the passwords of the one that runs.
        users = credentials_path(data)
        environment = {
            **os.environ,
            "SETPOINT_COLLECTOR_PASSWORD": _password(users, "collector", "collector"),
            "SETPOINT_AGENT_PASSWORD": _password(users, agent_name, "agent"),
        }
        children.append(await _start("collector", config / "collector.yaml", environment))
        address = _address(settings.web.listen, settings.web.port)
        await _wait_for_page(address, children, stop)
        if not stop.is_set():
            children.append(await _start("agent", config / "agent.yaml", environment))
            print(
                f"\nSetpoint is up: {address}\nEverything it keeps is in {data}/. Ctrl-C stops it.\n",
                flush=True,
            )
            await _watch(address, children, broker, stop, duration)
        print("Stopping ...", flush=True)
    finally:
        await _stop(children, broker)
    print("Stopped.", flush=True)
    return 0


async def _watch(
    address: str,
    children: list[_Child],
    broker: BrokerProcess,
    stop: asyncio.Event,
    duration: Duration | None,
) -> None:
    """Returns when it is time to stop. UpError when a part has ended by itself."""
    telling = asyncio.create_task(_tell(address, stop))
    stopping = asyncio.create_task(stop.wait())
    ends = {asyncio.create_task(c.process.wait()): c.name for c in children}
    ends[asyncio.create_task(broker.wait())] = "broker"
    try:
        done, _ = await asyncio.wait(
            {stopping, telling, *ends},
            timeout=duration.seconds if duration else None,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        telling.cancel()
    if stopping in done:
        return
    for task, name in ends.items():
        if task in done:
            raise UpError(f"the {name} ended by itself; its last words are above")
    if telling in done:
        telling.result()


def _address(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _password(users: Path, name: str, role: Role) -> str:
    """A password for this run alone: nothing that opens the broker lies about in a file."""
    if name in credentials.names(users):
        return credentials.rotate(users, name)
    return credentials.add(users, name, role)


async def _start(name: str, config: Path, environment: dict[str, str]) -> _Child:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "setpoint",
        name,
        "run",
        "--supervised",
        "--config",
        str(config),
        stdin=asyncio.subprocess.PIPE,
        env=environment,
        # Ctrl-C in the terminal goes to the whole process group; the order of stopping is ours.
        start_new_session=True,
    )
    return _Child(name, process)


async def _wait_for_page(address: str, children: list[_Child], stop: asyncio.Event) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not stop.is_set():
        for child in children:
            if child.process.returncode is not None:
                raise UpError(f"the {child.name} did not start; its last words are above")
        if await asyncio.to_thread(_get, f"{address}/healthz") is not None:
            return
        await asyncio.sleep(0.2)
    if not stop.is_set():
        raise UpError(f"the collector's page at {address} does not answer")


async def _stop(children: list[_Child], broker: BrokerProcess) -> None:
    """The agent first, so that what it measured is on its way; the broker last."""
    for child in reversed(children):
        with contextlib.suppress(ProcessLookupError):
            child.process.terminate()
        try:
            async with asyncio.timeout(8):
                await child.process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()
            await child.process.wait()
    await broker.stop()


async def _tell(address: str, stop: asyncio.Event) -> None:
    """Prints live counts, and every finding when it first appears."""
    seen: set[str] = set()
    due = time.monotonic()
    while not stop.is_set():
        await asyncio.sleep(1)
        findings = await asyncio.to_thread(_get, f"{address}/api/findings?state=open")
        fresh = [f for f in _items(findings) if f["id"] not in seen]
        if fresh:
            print(f"\n{len(fresh)} new finding{'s' if len(fresh) > 1 else ''}:")
            for finding in fresh:
                seen.add(finding["id"])
                print(f"  {finding['severity']:<8}  {finding['id']}  {finding['title']}")
            print(f"  Each in full: {address}/ or `setpoint findings show ID`\n", flush=True)
        if time.monotonic() >= due:
            due += _COUNTS_EVERY_S
            print(await asyncio.to_thread(_counts, address, len(_items(findings))), flush=True)


def _counts(address: str, open_findings: int) -> str:
    agents = _get(f"{address}/api/agents") or {"agents": []}
    counters = (_get(f"{address}/api/collector") or {}).get("counters", {})
    online = sum(row["presence"] == "up" for row in agents["agents"])
    return (
        f"agents {online}, readings stored {counters.get('readings_stored', 0):,}, "
        f"rejected {counters.get('readings_rejected', 0):,}, open findings {open_findings}"
    )


def _items(answer: Any) -> list[dict[str, Any]]:
    if isinstance(answer, dict):
        answer = answer.get("findings", [])
    return answer if isinstance(answer, list) else []


def _get(url: str) -> Any:
    """The JSON at the address; None when there is no answer (now)."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return None
