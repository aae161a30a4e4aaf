"""Reads every recorded device of a folder through the agent's own SNMP input, over a real network session.

    python bench/snmp_conformance.py --recordings DIR --out DIR [--devices 6] [--servers 2] [--deadline 180]

DIR holds recordings of snmpsim (``NAME.snmprec``). snmpsim serves them; each is identified, discovered and
read once, as ``setpoint agent once`` would, and what came is written to ``OUT/NAME.lp`` as line protocol
with the tag ``device=NAME``. A device that fails, or takes longer than the deadline, is named and the rest
goes on; what it gave until then is kept. Progress is on stderr; the exit code is 1 when no device gave
anything.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent.inputs.connection import Resolver
from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.device_plan import PARTS
from agent.inputs.snmp.discover import discover
from agent.inputs.snmp.open_session import EngineName, open_session
from agent.inputs.snmp.profile_load import Profiles, load_profiles
from agent.inputs.snmp.read import read
from agent.inputs.snmp.recognise import identify
from agent.inputs.snmp.session import Session, SessionError, Timing
from setpoint.line_protocol import encode_point
from setpoint.reading import Point
from setpoint.units import Secret

# snmpsim indexes all of its recordings before it answers, so it gets a few at a time; one that it cannot
# read costs only those.
_CHUNK = 20
_START_S = 60.0
_START_PER_RECORDING_S = 15.0


def main() -> int:
    options = _options()
    recordings = sorted(options.recordings.glob("*.snmprec"))
    if not recordings:
        print(f"no NAME.snmprec in {options.recordings}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="snmp-conformance-") as folder:
        run = _Run(load_profiles(options.profiles), options, Path(folder), len(recordings))
        return asyncio.run(run.all(recordings))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--recordings", type=Path, required=True, help="folder of NAME.snmprec")
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.lp")
    parser.add_argument("--devices", type=int, default=6, help="read at once (%(default)s)")
    parser.add_argument("--servers", type=int, default=2, help="processes of snmpsim (%(default)s)")
    parser.add_argument("--deadline", type=float, default=180.0, help="seconds a device has (%(default)s)")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for an answer (%(default)s)")
    parser.add_argument("--engine", choices=("auto", "gufo", "pysnmp"), default="auto")
    parser.add_argument("--profiles", type=Path, help="a folder with profiles of your own")
    return parser.parse_args()


class _Run:
    """One run over a folder of recordings."""

    def __init__(self, profiles: Profiles, options: argparse.Namespace, folder: Path, count: int) -> None:
        self._profiles = profiles
        self._options = options
        self._folder = folder
        self._count = count
        self._servers = asyncio.Semaphore(options.servers)
        self._places = asyncio.Semaphore(options.devices)
        self._begun = time.monotonic()
        self._done = self._failed = self._silent = 0

    async def all(self, recordings: Sequence[Path]) -> int:
        """Reads all; returns the exit code."""
        size = max(1, min(_CHUNK, -(-len(recordings) // self._options.servers)))
        chunks = [recordings[start : start + size] for start in range(0, len(recordings), size)]
        await asyncio.gather(*(self._chunk(chunk) for chunk in chunks))
        took = time.monotonic() - self._begun
        print(
            f"{self._done} devices in {took:.0f} s: {self._failed} failed, {self._silent} gave nothing",
            file=sys.stderr,
        )
        return 1 if self._silent == self._done else 0

    async def _chunk(self, recordings: Sequence[Path]) -> None:
        """Reads some, from an snmpsim of their own; each alone when that does not start with all of them."""
        try:
            async with self._servers, _snmpsim(self._folder / recordings[0].stem, recordings) as port:
                await asyncio.gather(*(self._device(recording, port) for recording in recordings))
        except _NotStartedError as error:
            if len(recordings) > 1:
                await asyncio.gather(*(self._chunk([recording]) for recording in recordings))
            else:
                (self._options.out / f"{recordings[0].stem}.lp").write_bytes(b"")
                self._report(recordings[0].stem, problem=str(error), silent=True, took_s=0.0)

    async def _device(self, recording: Path, port: int) -> None:
        """Reads one; whatever happens is this device's alone."""
        async with self._places:
            since = time.monotonic()
            out = self._options.out / f"{recording.stem}.lp"
            out.write_bytes(b"")
            found = problem = ""
            try:
                async with asyncio.timeout(self._options.deadline):
                    found = await self._read(recording.stem, port, out)
            except TimeoutError:
                problem = f"not done after {self._options.deadline:g} s"
            except SessionError as error:
                problem = str(error)
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            silent = not out.stat().st_size
            took_s = time.monotonic() - since
            self._report(recording.stem, found=found, problem=problem, silent=silent, took_s=took_s)

    def _report(self, name: str, *, found: str = "", problem: str = "", silent: bool, took_s: float) -> None:
        self._done += 1
        self._failed += bool(problem)
        self._silent += silent
        said = f"FAILED: {problem}" if problem else found
        print(f"{self._done}/{self._count} {name}: {said} ({took_s:.1f} s)", file=sys.stderr, flush=True)

    async def _read(self, name: str, port: int, out: Path) -> str:
        """Reads one device into its file; says what was found. SessionError."""
        options = self._options
        timing = Timing(timeout_s=options.timeout, retries=2, deadline_s=options.deadline)
        session = await _session(port, name, options.engine, timing)
        try:
            identity = await identify(session, self._profiles)
            plan = await discover(session, identity)
            points = 0
            with out.open("ab") as file:
                for part in PARTS:
                    found = await read(session, plan, part)
                    file.writelines(_lines(found, name))
                    file.flush()
                    points += len(found)
            asked = f"{session.cost.requests} requests, {session.cost.varbinds} values"
            return f"{identity.profiles[0].name}, {points} points, {asked}"
        finally:
            await session.close()


class _NotStartedError(Exception):
    """snmpsim does not answer; the text is the end of its log."""


@contextlib.asynccontextmanager
async def _snmpsim(folder: Path, recordings: Sequence[Path]) -> AsyncIterator[int]:
    """snmpsim serving the recordings; gives its port. _NotStartedError."""
    data = folder / ("data" if len(recordings) > 1 else "alone")
    data.mkdir(parents=True, exist_ok=True)
    for recording in recordings:
        shutil.copyfile(recording, data / recording.name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = Path(sys.executable).with_name("snmpsim-command-responder")
    argv = [
        str(program),
        f"--data-dir={data}",
        f"--cache-dir={folder / 'cache'}",
        f"--agent-udpv4-endpoint=127.0.0.1:{port}",
    ]
    if os.geteuid() == 0:
        argv += ["--process-user=root", "--process-group=root"]
    log = folder / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *argv, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder
        )
    try:
        wait_s = _START_S + _START_PER_RECORDING_S * len(recordings)
        await _await_answer(process, port, recordings[0].stem, wait_s, log)
        yield port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


async def _await_answer(
    process: asyncio.subprocess.Process, port: int, community: str, wait_s: float, log: Path
) -> None:
    """Returns when the server answers. _NotStartedError when it does not, or ends."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline and process.returncode is None:
        if await _answers(port, community):
            return
        await asyncio.sleep(0.3)
    raise _NotStartedError(f"snmpsim does not answer: {log.read_text(errors='replace')[-300:]}")


async def _answers(port: int, community: str) -> bool:
    session = await _session(port, community, "auto", Timing(timeout_s=2, retries=0, deadline_s=4))
    try:
        await session.get(["1.3.6.1.2.1.1.2.0"])
    except SessionError:
        return False
    finally:
        await session.close()
    return True


async def _session(port: int, community: str, engine: EngineName, timing: Timing) -> Session:
    credentials = Credentials(version="v2c", community=Secret(community))
    return await open_session("127.0.0.1", port, credentials, engine, timing, Resolver())


def _lines(points: Sequence[Point], device: str) -> Iterator[bytes]:
    now_ms = time.time_ns() // 1_000_000
    for point in points:
        tags = {**point.tags, "host": "conformance", "device": device}
        line = encode_point(point.measurement, tags, point.fields, point.time_ms or now_ms)
        if line:
            yield line + b"\n"


if __name__ == "__main__":
    sys.exit(main())
