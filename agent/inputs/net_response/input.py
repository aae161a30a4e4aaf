"""The net_response input."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Sequence

from agent.inputs.complaints import Complaints
from agent.inputs.connection import Resolver, connect
from agent.inputs.net_response.settings import NetResponseSettings, parse_address
from setpoint.reading import FieldValue, Point

log = logging.getLogger(__name__)

RESULT_CODES = {
    "success": 0,
    "timeout": 1,
    "connection_failed": 2,
    "read_failed": 3,
    "string_mismatch": 4,
}
_MAX_LINE_BYTES = 64 * 1024


class NetResponseInput:
    """Connects to all addresses at once."""

    def __init__(self, settings: NetResponseSettings) -> None:
        self._settings = settings
        self._addresses = [parse_address(address) for address in settings.addresses]
        self._expect = re.compile(settings.expect) if settings.expect is not None else None
        self._resolver = Resolver()
        self._complaints = Complaints(log)

    async def gather(self) -> Sequence[Point]:
        """One point per address, whatever came of it."""
        return await asyncio.gather(*(self._probe(host, port) for host, port in self._addresses))

    async def close(self) -> None:
        self._resolver.close()

    async def _probe(self, host: str, port: int) -> Point:
        result, response_time_s, why = await self._ask(host, port)
        if result == "success":
            self._complaints.works(f"{host}:{port}")
        else:
            self._complaints.failed(f"{host}:{port}", f"{result}: {why}")
        tags = {"server": host, "port": str(port), "protocol": "tcp", "result": result}
        fields: dict[str, FieldValue] = {"result_code": RESULT_CODES[result]}
        if response_time_s is not None:
            fields["response_time"] = response_time_s
        if self._expect is not None:
            fields["string_found"] = result == "success"
        return Point("net_response", tags, fields)

    async def _ask(self, host: str, port: int) -> tuple[str, float | None, object]:
        """(result, response time in seconds, why it failed)."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(settings.timeout.seconds):
                connection = await connect(await self._resolver.lookup(host, port))
        except TimeoutError:
            return "timeout", None, f"no connection within {settings.timeout}"
        except OSError as error:
            return "connection_failed", None, error
        reader, writer = await asyncio.open_connection(sock=connection, limit=_MAX_LINE_BYTES)
        deadline = loop.time() + settings.read_timeout.seconds
        try:
            if settings.send:
                async with asyncio.timeout_at(deadline):  # a peer that does not read blocks the sending
                    writer.write(settings.send.encode())
                    await writer.drain()
            if self._expect is None:
                return "success", loop.time() - began, ""
            line = await _read_line(reader, deadline)
            response_time_s = loop.time() - began
        except (TimeoutError, OSError) as error:
            return "read_failed", loop.time() - began, str(error) or "the peer does not take what is sent"
        finally:
            writer.transport.abort()
        if not line:
            return "read_failed", response_time_s, f"no answer within {settings.read_timeout}"
        if self._expect.search(line):
            return "success", response_time_s, ""
        return "string_mismatch", response_time_s, f'the answer was "{line[:80]}"'


async def _read_line(reader: asyncio.StreamReader, deadline_s: float) -> str:
    """The first line, without its end, or what has come of it by the deadline: not every banner ends."""
    line = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(deadline_s):
            while b"\n" not in line and len(line) < _MAX_LINE_BYTES:
                data = await reader.read(_MAX_LINE_BYTES)
                if not data:
                    break
                line += data
    return line.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
