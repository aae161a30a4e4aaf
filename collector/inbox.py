"""The bounded queue between the network and the store."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

# What Python needs for a message beside its payload and its topic's letters. Without it, a queue of 64 MB
# would take 64 million messages of one byte, which are 15 GB.
_OVERHEAD_BYTES = 200


class Incoming(NamedTuple):
    """A payload as it came, with the time at which it did (UTC milliseconds)."""

    topic: str
    payload: bytes
    received_ms: int

    @property
    def size(self) -> int:
        """About how many bytes it holds in memory."""
        return len(self.payload) + len(self.topic) + _OVERHEAD_BYTES


class Inbox:
    """Bounded in bytes, not in messages: one message may be a thousand times as large as another.

    For what does not fit, the oldest are dropped and counted; nobody acked them, so they come again. After
    the store was away for minutes, the oldest are what agents have sent again since, and the newest hold
    what was measured last.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._queue: asyncio.Queue[Incoming] = asyncio.Queue()
        self.bytes = 0
        self.dropped_messages = 0

    def put(self, message: Incoming) -> None:
        """Takes the message, unless it alone is too large."""
        if message.size > self._max_bytes:
            self.dropped_messages += 1
            return
        while self.bytes + message.size > self._max_bytes:
            self.bytes -= self._queue.get_nowait().size
            self.dropped_messages += 1
        self.bytes += message.size
        self._queue.put_nowait(message)

    async def group(self, max_bytes: int) -> list[Incoming]:
        """Waits for a message and returns it with those behind it, up to ``max_bytes`` in all."""
        messages = [await self._queue.get()]
        size = messages[0].size
        while size < max_bytes and not self._queue.empty():
            messages.append(self._queue.get_nowait())
            size += messages[-1].size
        self.bytes -= size
        return messages

    def __len__(self) -> int:
        return self._queue.qsize()
