"""A TCP proxy that stands for the network between two parts, and breaks on demand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Literal, Self

Direction = Literal["both", "to_server", "to_client"]
_LINGER_RESET = struct.pack("ii", 1, 0)  # close() then sends RST, not FIN


class CuttableProxy:
    """Forwards TCP from its own loopback port to a server, until it is cut or stalled.

    It runs in a thread of its own; every method may be called from any other thread.
    """

    def __init__(self, server_host: str, server_port: int) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.server_host = server_host
        self.server_port = server_port
        self.forwarded_bytes = {"to_server": 0, "to_client": 0}
        self.accepted = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._listener: asyncio.Server | None = None
        self._flowing: dict[str, asyncio.Event] = {}
        self._connections: dict[asyncio.Task[Any], list[asyncio.StreamWriter]] = {}

    def start(self) -> None:
        """Listens; ``port`` is known from now on."""
        self._thread.start()
        self._call(self._heal())

    def stop(self) -> None:
        """Resets what is connected and stops listening for good."""
        self._call(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Resets every connection (RST) and refuses new ones, as when the server's host has gone."""
        self._call(self._cut())

    def stall(self, direction: Direction = "both") -> None:
        """Keeps and accepts connections but forwards nothing that way, as when packets are swallowed."""
        self._call(self._stall(direction))

    def heal(self) -> None:
        """Forwards again; what was held in a stall goes first."""
        self._call(self._heal())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    async def _heal(self) -> None:
        for direction in ("to_server", "to_client"):
            self._flowing.setdefault(direction, asyncio.Event()).set()
        if self._listener is None:
            self._listener = await asyncio.start_server(self._connected, self.host, self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

    async def _stall(self, direction: Direction) -> None:
        for each, flowing in self._flowing.items():
            if direction in ("both", each):
                flowing.clear()

    async def _cut(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        connections = dict(self._connections)
        for task, writers in connections.items():
            for writer in writers:
                _reset(writer)
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        # A task of our own: asyncio's streams log a cancelled callback as an error.
        writers = [writer]
        task = asyncio.create_task(self._forward(reader, writers))
        self._connections[task] = writers
        task.add_done_callback(self._connections.pop)

    async def _forward(self, reader: asyncio.StreamReader, writers: list[asyncio.StreamWriter]) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(self.server_host, self.server_port)
            writers.append(server_writer)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, server_writer, "to_server"))
                pumps.create_task(self._pump(server_reader, writers[0], "to_client"))
        except* OSError:
            # One side was reset, or the server refused: so is the other one.
            for each in writers:
                _reset(each)
        finally:
            for each in writers:
                each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        while True:
            try:
                data = await reader.read(65536)
            except OSError:
                await self._flowing[direction].wait()  # a reset does not get through a stall either
                raise
            await self._flowing[direction].wait()
            if not data:
                break
            writer.write(data)
            self.forwarded_bytes[direction] += len(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    peer = writer.get_extra_info("socket")
    if peer is not None and peer.fileno() >= 0:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    writer.transport.abort()
