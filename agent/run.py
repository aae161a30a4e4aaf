"""Puts an agent together from its settings and runs it."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from agent.batch import Batcher
from agent.inputs import build
from agent.inputs.base import GathersOnce
from agent.machine import machine_id
from agent.outbox import Outbox
from agent.outbox_file import OutboxError
from agent.outbox_owner import Owner
from agent.publisher import Publisher
from agent.scheduler import Scheduled, Scheduler
from agent.self_metrics import SelfInput
from agent.settings import AgentSettings
from setpoint.reading import Point
from setpoint.status import Status
from setpoint.version import VERSION

log = logging.getLogger(__name__)


def schedule(settings: AgentSettings) -> list[Scheduled]:
    """The inputs of the settings, each with its timing and a label of its own."""
    scheduled: list[Scheduled] = []
    labels: set[str] = set()
    for one in settings.inputs:
        kind = str(one.__struct_config__.tag)
        label = one.name or kind
        number = 2
        while label in labels:
            label, number = f"{kind}-{number}", number + 1
        labels.add(label)
        scheduled.append(
            Scheduled(
                label=label,
                source=build(one),
                interval_s=one.interval.seconds,
                deadline_s=(one.deadline or one.interval).seconds,
                jitter_s=settings.jitter.seconds,
                tick_s=None if one.tick is None else one.tick.seconds,
                tags=dict(one.tags),
            )
        )
    return scheduled


def open_outbox(settings: AgentSettings) -> tuple[Outbox, Owner | None]:
    """The outbox of the settings, opened, and whose it is. OutboxError when it cannot be used."""
    outbox = Outbox(
        Path(settings.agent.data),
        max_bytes=settings.outbox.max_size,
        max_age_ms=settings.outbox.max_age,
        ballast_bytes=settings.outbox.ballast,
    )
    return outbox, outbox.open()


async def run_agent(settings: AgentSettings, stop: asyncio.Event) -> None:
    """Measures and publishes until ``stop``; then all that was measured is in the outbox.

    OutboxError when the outbox is another's, or cannot be used (any more): measuring without one would be
    for nothing.
    """
    outbox, _ = open_outbox(settings)
    try:
        outbox.bind(Owner(settings.agent.site, settings.name, machine_id()))
        # A thread of its own for the outbox: an input that hangs in a thread cannot hold it up.
        with ThreadPoolExecutor(1, "outbox") as disk:
            await _run(settings, outbox, disk, stop)
    except sqlite3.Error as error:
        raise OutboxError(f"the outbox in {settings.agent.data} cannot be used: {error}") from error
    finally:
        outbox.close()


async def _run(
    settings: AgentSettings, outbox: Outbox, disk: ThreadPoolExecutor, stop: asyncio.Event
) -> None:
    inputs = schedule(settings)
    started_ms = time.time_ns() // 1_000_000

    def status() -> Status:
        return Status(
            state="online",
            since_ms=started_ms,
            version=VERSION,
            epoch=outbox.epoch,
            platform=platform.platform(terse=True),
            inputs={i.label: round(i.interval_s * 1000) for i in inputs},
        )

    publisher = Publisher(
        settings.broker,
        outbox,
        disk,
        site=settings.agent.site,
        agent=settings.name,
        status=status,
        window=settings.publish.window,
        resend_s=settings.publish.resend.seconds,
    )
    batcher = Batcher(
        outbox,
        disk,
        host=settings.name,
        flush_s=settings.publish.flush.seconds,
        batch_bytes=settings.publish.batch,
        compression=settings.publish.compression,
        on_stored=publisher.wake,
    )
    own = Scheduled("agent", SelfInput(outbox, disk, publisher.counters), interval_s=10.0, deadline_s=10.0)
    scheduler = Scheduler([*inputs, own], batcher.add)
    log.info(
        'agent "%s" of site "%s" measures %s',
        settings.name,
        settings.agent.site,
        ", ".join(f"{i.label} every {i.interval_s:g} s" for i in inputs),
    )
    measuring = asyncio.create_task(scheduler.run())
    publishing = asyncio.create_task(publisher.run(stop))
    stopping = asyncio.create_task(stop.wait())
    ends: set[asyncio.Future[Any]] = {measuring, publishing, stopping, batcher.failed}
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    measuring.cancel()
    await asyncio.wait({measuring})
    if not batcher.failed.done():
        await batcher.flush()
    await publishing
    if batcher.failed.done():
        batcher.failed.result()
    if not measuring.cancelled():
        measuring.result()
    waiting = outbox.depth().batches
    log.info("stopped; %s", f"{waiting} batches wait in the outbox" if waiting else "the outbox is empty")


async def drain(settings: AgentSettings, stop: asyncio.Event) -> int:
    """Delivers what the outbox holds, under the name that it was measured under; returns what is left."""
    outbox, owner = open_outbox(settings)
    try:
        if owner is None or not outbox.depth().batches:
            return 0
        with ThreadPoolExecutor(1, "outbox") as disk:
            publisher = Publisher(
                settings.broker,
                outbox,
                disk,
                site=owner.site,
                agent=owner.agent,
                status=lambda: Status(
                    state="online", since_ms=time.time_ns() // 1_000_000, reason="draining"
                ),
                window=settings.publish.window,
                resend_s=settings.publish.resend.seconds,
            )
            publishing = asyncio.create_task(publisher.run(stop))
            while outbox.depth().batches and not stop.is_set():
                await asyncio.wait({publishing}, timeout=0.2)
            stop.set()
            await publishing
        return outbox.depth().batches
    finally:
        outbox.close()


async def gather_once(settings: AgentSettings) -> tuple[list[tuple[Scheduled, Sequence[Point]]], list[str]]:
    """Every input's points, and what went wrong. Inputs that measure over a time gather twice, 1 s apart."""
    inputs = schedule(settings)
    errors: list[str] = []

    async def ask(one: Scheduled) -> Sequence[Point]:
        try:
            if isinstance(one.source, GathersOnce):
                return await one.source.gather_once()
            await asyncio.wait_for(one.source.gather(), one.deadline_s)
            await asyncio.sleep(1)
            return await asyncio.wait_for(one.source.gather(), one.deadline_s)
        except Exception as error:  # said to the user, who asked for this one gathering
            errors.append(f"{one.label}: {type(error).__name__}: {error}")
            return ()
        finally:
            await one.source.close()

    points = await asyncio.gather(*(ask(one) for one in inputs))
    return list(zip(inputs, points, strict=True)), errors


def use_selector_loop() -> None:
    """aiomqtt needs a loop that can watch sockets; Windows' default one cannot."""
    if os.name == "nt":
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())  # type: ignore[attr-defined]
