"""Listens to a broker beside what is tested."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import aiomqtt

Messages = list[tuple[str, bytes]]
"""Topic and payload, in the order of arrival."""


@contextlib.asynccontextmanager
async def listening(connected: aiomqtt.Client, *filters: str) -> AsyncIterator[Messages]:
    """Everything that arrives on the filters, as it grows."""
    arrived: Messages = []

    async def listen() -> None:
        async for message in connected.messages:
            assert isinstance(message.payload, bytes)
            arrived.append((str(message.topic), message.payload))

    task = asyncio.create_task(listen())
    for topic_filter in filters:
        await connected.subscribe(topic_filter, qos=1)
    try:
        yield arrived
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
            await task


async def until(true: Callable[[], object], what: str, timeout_s: float = 10) -> None:
    """Waits, and fails when it takes longer."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
        await asyncio.sleep(0.01)


def run_within_a_minute(test: Awaitable[None]) -> None:
    async def within_a_minute() -> None:
        await asyncio.wait_for(test, 60)

    asyncio.run(within_a_minute())
