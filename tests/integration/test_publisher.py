"""The agent's publisher at a real broker."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agent.outbox import Outbox
from agent.outbox_owner import Owner
from agent.publisher import Publisher
from setpoint.broker_settings import BrokerSettings
from setpoint.status import Status
from tests.servers import Mosquitto


def test_it_ends_although_batches_keep_coming(tmp_path: Path) -> None:
    """What wakes it in the very moment of its end must not make it forget that it was to end."""

    async def session(outbox: Outbox, disk: ThreadPoolExecutor, port: int) -> None:
        publisher = Publisher(
            BrokerSettings(port=port),
            outbox,
            disk,
            site="hq",
            agent="mon-01",
            status=lambda: Status(state="online", since_ms=time.time_ns() // 1_000_000),
        )
        stop = asyncio.Event()
        publishing = asyncio.create_task(publisher.run(stop))
        async with asyncio.timeout(10):
            while not publisher.counters.connected:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            stop.set()
            while not publishing.done():
                publisher.wake()
                await asyncio.sleep(0)
            await publishing

    with Mosquitto(tmp_path / "mosquitto") as broker, ThreadPoolExecutor(1) as disk:
        outbox = Outbox(tmp_path, max_bytes=1_000_000, max_age_ms=0, ballast_bytes=0)
        outbox.open()
        outbox.bind(Owner("hq", "mon-01", ""))
        # Not asyncio.run(): it would wait for ever for one that does not end.
        loop = asyncio.new_event_loop()
        try:
            for _ in range(30):
                loop.run_until_complete(session(outbox, disk, broker.port))
        finally:
            loop.close()
            outbox.close()
