"""The two ends of a client's connection as amqtt asks for them, and bounded where its own are not."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from amqtt.adapters import ReaderAdapter, WriterAdapter

_LONGEST_PAUSE_S = 0.05
_FLUSH_WITHIN_S = 2.0


class MessageTooLarge(Exception):
    """The client announced more bytes than it may send at once."""


class BoundedReader(ReaderAdapter):  # type: ignore[misc] # amqtt is untyped
    """Reads no message above ``largest`` bytes, and nothing while ``is_behind()``: TCP then slows the sender.

    amqtt's own reader takes 256 MB from anybody, and queues without bound what arrives faster than it works.
    """

    def __init__(self, stream: asyncio.StreamReader, largest: int) -> None:
        self._stream = stream
        self._largest = largest
        self.is_behind: Callable[[], bool] = lambda: False

    async def read(self, n: int = -1) -> bytes:
        if n < 0 or n > self._largest:
            raise MessageTooLarge(f"{n} bytes at once; the largest message may have {self._largest}")
        pause_s = 0.001
        while self.is_behind():
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return await self._stream.readexactly(n)

    def feed_eof(self) -> None:
        self._stream.feed_eof()


class PromptWriter(WriterAdapter):  # type: ignore[misc] # amqtt is untyped
    """Writes without waiting and closes without draining, which with amqtt's own can last for ever.

    ``waiting_bytes`` says what the client has not taken yet.
    """

    def __init__(self, stream: asyncio.StreamWriter) -> None:
        self._stream = stream

    def write(self, data: bytes) -> None:
        if not self._stream.is_closing():
            self._stream.write(data)

    async def drain(self) -> None:
        """Returns at once: what waits is bounded by whoever writes, never by stopping the broker."""

    @property
    def waiting_bytes(self) -> int:
        transport = self._stream.transport
        return 0 if transport.is_closing() else transport.get_write_buffer_size()

    def get_peer_info(self) -> tuple[str, int] | None:
        peer = self._stream.get_extra_info("peername")
        return (peer[0], peer[1]) if peer else None

    def get_ssl_info(self) -> ssl.SSLObject | None:
        found: ssl.SSLObject | None = self._stream.get_extra_info("ssl_object")
        return found

    async def close(self) -> None:
        """Ends the connection in the background: what waits has two seconds to get through."""
        self._stream.close()
        asyncio.get_running_loop().call_later(_FLUSH_WITHIN_S, self.abort)

    def abort(self) -> None:
        """Drops the connection now, with what waits in it."""
        with contextlib.suppress(OSError):
            self._stream.transport.abort()
