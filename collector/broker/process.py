"""Starts the embedded broker as a child process, and stops it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from collector.broker.settings import EmbeddedBrokerSettings, parse_listen

_PACKAGES = Path(__file__).resolve().parents[2]


class BrokerStartError(RuntimeError):
    """The broker did not start; the text says why, and what to do."""


class BrokerProcess:
    """A running broker. It ends with this process, however this process ends."""

    def __init__(self, process: asyncio.subprocess.Process, host: str, port: int) -> None:
        self._process = process
        self.host = host
        self.port = port

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        """The exit code, once the broker has ended; negative when a signal ended it."""
        return await self._process.wait()

    async def stop(self, timeout_s: float = 2) -> None:
        """Ends the broker: with SIGTERM, and after the timeout with SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(timeout_s):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


async def start_broker(
    settings: EmbeddedBrokerSettings, data: Path, *, site: str | None = None, timeout_s: float = 20
) -> BrokerProcess:
    """The broker, once it accepts connections. BrokerStartError when it does not.

    Its log goes to this process's standard error. With port 0 in ``settings.listen`` it takes a free one.
    """
    host, _ = parse_listen(settings.listen)
    arguments = [
        "--listen",
        settings.listen,
        "--data",
        str(data),
        "--max-message",
        f"{int(settings.max_message)}B",
    ]
    for option, value in {"site": site, "certificate": settings.certificate, "key": settings.key}.items():
        if value is not None:
            arguments += [f"--{option}", value]
    path = os.pathsep.join(filter(None, [str(_PACKAGES), os.environ.get("PYTHONPATH")]))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "collector.broker",
        "--supervised",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    broker = BrokerProcess(process, host, 0)
    try:
        async with asyncio.timeout(timeout_s):
            broker.port = await _ready_port(process)
            await _connect_once(host, broker.port)
    except TimeoutError:
        await broker.stop()
        raise BrokerStartError(f"the broker did not start within {timeout_s:g} s") from None
    except BaseException:
        await broker.stop()
        raise
    return broker


async def _ready_port(process: asyncio.subprocess.Process) -> int:
    """The port, from the broker's own word: whoever else has the port would accept a connection, too."""
    assert process.stdout is not None
    word, _, rest = (await process.stdout.readline()).decode().strip().partition(" ")
    if word == "ready":
        return int(rest)
    if word == "failed":
        raise BrokerStartError(rest)
    raise BrokerStartError(f"the broker ended with {await process.wait()} before it was ready; see its log")


async def _connect_once(host: str, port: int) -> None:
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    try:
        _, writer = await asyncio.open_connection(loopback.get(host, host), port)
    except OSError as error:
        raise BrokerStartError(f"the broker does not accept connections on {host}:{port}: {error}") from None
    writer.close()
