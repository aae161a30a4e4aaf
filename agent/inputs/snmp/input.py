"""The snmp input."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.inputs.connection import Resolver
from agent.inputs.snmp.open_session import open_session
from agent.inputs.snmp.poll_device import Device, DevicePoller
from agent.inputs.snmp.poll_schedule import PollSchedule
from agent.inputs.snmp.ports import PortFilter
from agent.inputs.snmp.profile_load import Profiles, load_profiles
from agent.inputs.snmp.session import Session, Timing
from agent.inputs.snmp.settings import DeviceSettings, SnmpSettings
from setpoint.reading import Point

log = logging.getLogger(__name__)

# A session has three, and another three while it is renewed; the rest is the agent's.
_DESCRIPTORS_EACH = 4
_DESCRIPTORS_BESIDE = 256


class SnmpInput:
    """Polls all devices in the background; a gathering hands over what has come."""

    def __init__(
        self, settings: SnmpSettings, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._settings = settings
        self._resolver = Resolver()
        self._slots = asyncio.Semaphore(settings.max_in_flight)
        self._loading: asyncio.Task[Profiles] | None = None
        ports = _port_filter(settings)
        devices = [_device(settings, one) for one in settings.all_devices()]
        self._schedule = PollSchedule(
            [DevicePoller(one, self._open, self._profiles, ports, now_ms) for one in devices]
        )
        _allow_descriptors(len(devices) * _DESCRIPTORS_EACH + _DESCRIPTORS_BESIDE)

    async def gather(self) -> Sequence[Point]:
        """What the devices have given since the last gathering, with the times at which they were read."""
        self._schedule.start()
        return self._schedule.fetch()

    async def gather_once(self) -> Sequence[Point]:
        """One poll of every device."""
        return await self._schedule.poll_all()

    async def close(self) -> None:
        await self._schedule.close()
        self._resolver.close()
        if self._loading is not None:
            self._loading.cancel()

    async def _open(self, device: Device, without_retries: bool) -> Session:
        settings = self._settings
        timing = Timing(
            timeout_s=settings.timeout.seconds,
            retries=0 if without_retries else settings.retries,
            deadline_s=device.deadline_s,
        )
        return await open_session(
            device.address,
            device.port,
            device.credentials,
            device.engine,
            timing,
            self._resolver,
            self._slots,
        )

    async def _profiles(self) -> Profiles:
        """All profiles, read when the first device answers."""
        if self._loading is None:
            folder = Path(self._settings.profiles) if self._settings.profiles else None
            self._loading = asyncio.ensure_future(asyncio.to_thread(load_profiles, folder))
        return await asyncio.shield(self._loading)


def _device(settings: SnmpSettings, one: DeviceSettings) -> Device:
    interval = one.interval or settings.interval
    deadline = settings.deadline or interval
    return Device(
        name=one.title,
        address=one.address,
        port=one.port,
        credentials=settings.credentials_of(one),
        engine=one.engine,
        profile=one.profile,
        interval_s=interval.seconds,
        slow_interval_s=max(settings.slow_interval, interval) / 1000,
        deadline_s=deadline.seconds,
        tags=dict(one.tags),
    )


def _port_filter(settings: SnmpSettings) -> PortFilter:
    ports = settings.ports
    return PortFilter(
        names=tuple(ports.names),
        not_names=tuple(ports.not_names),
        types=frozenset(ports.types),
        not_types=frozenset(ports.not_types),
        admin_up=ports.admin_up,
        oper_up=ports.oper_up,
    )


def _allow_descriptors(wanted: int) -> None:
    """Raises this process' soft limit of open files, as far as the hard one goes."""
    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft < allowed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < wanted:
            log.warning("so many devices need %d open files, and only %d are allowed", wanted, allowed)
