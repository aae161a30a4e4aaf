"""Polls one device: what it is, what it has, and then again and again what it measures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.inputs.complaints import Complaints
from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.device_plan import DevicePlan, Part
from agent.inputs.snmp.discover import discover
from agent.inputs.snmp.open_session import EngineName
from agent.inputs.snmp.poll_points import device_point, of_device, threshold_source
from agent.inputs.snmp.ports import PortFilter
from agent.inputs.snmp.profile_load import Profiles, ancestry
from agent.inputs.snmp.read import read
from agent.inputs.snmp.recognise import identify
from agent.inputs.snmp.session import Missing, NoAnswerError, Session, SessionError
from setpoint.reading import Point

log = logging.getLogger(__name__)

_SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
_IF_NUMBER = "1.3.6.1.2.1.2.1.0"
_IF_TABLE_LAST_CHANGE = "1.3.6.1.2.1.31.1.5.0"
_VITALS = (_SYS_UPTIME, _IF_NUMBER, _IF_TABLE_LAST_CHANGE)

_REFRESH_S = 86_400.0
# A device whose interfaces come and go all the time (dial-in) is looked at anew only so often for that.
_CHANGES_AT_MOST_EVERY_S = 600.0
# Looking at a device takes many times as long as reading it.
_DISCOVERY_S = 300.0
_BACK_OFF_S = 300.0


@dataclass(frozen=True, slots=True)
class Device:
    """A device and how it is asked, with nothing left to look up."""

    name: str
    address: str
    port: int
    credentials: Credentials
    engine: EngineName
    profile: str | None
    interval_s: float
    slow_interval_s: float
    deadline_s: float
    tags: Mapping[str, str]


Open = Callable[[Device, bool], Awaitable[Session]]
"""Opens a session; with True one without retries, for a device that did not answer the last time."""


@dataclass(frozen=True, slots=True)
class _Vitals:
    """``uptime_s``, and what changes with the interfaces: their number, and when they last did."""

    uptime_s: float | None
    interfaces: tuple[int | None, ...]


class DevicePoller:
    """Everything that is kept of one device between its polls. ``now_ms`` is the wall clock."""

    def __init__(
        self,
        device: Device,
        open_one: Open,
        profiles: Callable[[], Awaitable[Profiles]],
        ports: PortFilter,
        now_ms: Callable[[], int],
    ) -> None:
        self.device = device
        self._open = open_one
        self._profiles = profiles
        self._ports = ports
        self._now_ms = now_ms
        self._complaints = Complaints(log)
        self._told: set[str] = set()
        self._session: Session | None = None
        self._failures = 0
        self._plan: DevicePlan | None = None
        self._planned_s = 0.0
        self._changed_s = float("-inf")
        self._slow_due_s = float("-inf")
        self._vitals: _Vitals | None = None
        self._had_thresholds = False
        self._missing: set[str] = set()

    @property
    def turns_left_out(self) -> int:
        """After how many of its turns a device that keeps silent is asked again."""
        if not self._failures:
            return 0
        most = max(1, int(_BACK_OFF_S / self.device.interval_s)) - 1
        return min((1 << min(self._failures, 20)) - 1, most)

    async def poll(self) -> Sequence[Point]:
        """The points of one turn, with their times. Raises nothing that a device can bring about."""
        loop = asyncio.get_running_loop()
        began_s, time_ms = loop.time(), self._now_ms()
        points: list[Point] = []
        vitals: _Vitals | None = None
        requests = varbinds = 0
        try:
            vitals = await self._ask_vitals()
            await self._measure(vitals, points)
        except (SessionError, TimeoutError) as error:
            why = str(error) or f"not read within {self.device.deadline_s:g} s"
            self._complaints.failed(self.device.name, why)
        except Exception as error:  # what a device sends may trip a profile; that costs this turn only
            self._complaints.failed(self.device.name, f"{type(error).__name__}: {error}")
            log.debug("polling %s failed", self.device.name, exc_info=error)
        else:
            self._complaints.works(self.device.name)
        if self._session is not None:
            requests, varbinds = self._session.cost.requests, self._session.cost.varbinds
            self._session.cost.requests = self._session.cost.varbinds = 0
            self._tell_complaints(self._session)
        if vitals is None:
            self._failures += 1
            await self.close()
        about = device_point(
            up=vitals is not None,
            uptime_s=vitals.uptime_s if vitals else None,
            poll_s=loop.time() - began_s,
            requests=requests,
            varbinds=varbinds,
        )
        return [*points, of_device(about, self.device.name, self.device.tags, time_ms)]

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _reopen(self) -> None:
        requests = self._session.cost.requests if self._session else 0
        await self.close()
        self._session = await self._open(self.device, False)
        self._session.cost.requests += requests

    async def _ask_vitals(self) -> _Vitals:
        """What every poll begins with. SessionError when the device does not answer; TimeoutError."""
        async with asyncio.timeout(self.device.deadline_s):
            if self._session is None:
                self._session = await self._open(self.device, self._failures > 0)
            found = await self._session.get([oid for oid in _VITALS if oid not in self._missing])
            if self._failures:
                # It is back, and gets its retries back with a new session.
                self._failures = 0
                await self._reopen()
        # Over v1 every value that is missing costs a request of its own.
        self._missing |= {oid for oid, value in found.items() if isinstance(value, Missing)} - {_SYS_UPTIME}
        ticks = found.get(_SYS_UPTIME)
        return _Vitals(
            uptime_s=ticks / 100 if isinstance(ticks, int) else None,
            interfaces=tuple(
                value if isinstance(value := found.get(oid), int) else None for oid in _VITALS[1:]
            ),
        )

    async def _measure(self, vitals: _Vitals, points: list[Point]) -> None:
        loop = asyncio.get_running_loop()
        self._forget_what_changed(vitals, loop.time())
        if self._plan is None or loop.time() - self._planned_s >= _REFRESH_S:
            if self._session is not None and self._session.complaints:
                await self._reopen()  # a new session finds out anew how much it may ask for at once
            await self._look_at()
        async with asyncio.timeout(self.device.deadline_s):
            await self._read("fast", points)
            if loop.time() >= self._slow_due_s:
                # Half a turn early is better than a whole turn late.
                due_s = loop.time() + self.device.slow_interval_s - self.device.interval_s / 2
                await self._read("slow", points)
                self._slow_due_s = due_s

    async def _read(self, part: Part, points: list[Point]) -> None:
        assert self._session is not None
        assert self._plan is not None
        time_ms = self._now_ms()
        found = await read(self._session, self._plan, part)
        every_s = self.device.slow_interval_s if part == "slow" else self.device.interval_s
        points += [of_device(point, self.device.name, self.device.tags, time_ms) for point in found]
        source = threshold_source(found, every_s)
        if part == "slow" and (source.fields["thresholds"] or self._had_thresholds):
            self._had_thresholds = True
            points.append(of_device(source, self.device.name, self.device.tags, time_ms))

    def _forget_what_changed(self, vitals: _Vitals, now_s: float) -> None:
        """Drops the plan of a device that has restarted, or whose interfaces are others now."""
        before, self._vitals = self._vitals, vitals
        if before is None or self._plan is None:
            return
        if None not in (before.uptime_s, vitals.uptime_s) and vitals.uptime_s < before.uptime_s:  # type: ignore[operator]
            log.info("%s: has restarted; looking at it anew", self.device.name)
            self._plan = None
        elif before.interfaces != vitals.interfaces:
            if now_s - self._changed_s < _CHANGES_AT_MOST_EVERY_S:
                self._vitals = replace(vitals, interfaces=before.interfaces)
                return
            log.info("%s: its interfaces have changed; looking at it anew", self.device.name)
            self._changed_s = now_s
            self._plan = None

    async def _look_at(self) -> None:
        """Makes the plan anew. SessionError when that cannot be done and there is no earlier one."""
        assert self._session is not None
        try:
            async with asyncio.timeout(max(_DISCOVERY_S, self.device.deadline_s)):
                profiles = await self._profiles()
                identity = await identify(self._session, profiles)
                if self.device.profile:
                    names = ancestry(self.device.profile, profiles)
                    identity = replace(identity, profiles=tuple(profiles[name] for name in names))
                plan = await discover(self._session, identity, self._ports)
        except (SessionError, TimeoutError) as error:
            if self._plan is None:
                raise NoAnswerError(f"could not be looked at: {error or 'it took too long'}") from None
            self._complaints.failed(f"{self.device.name}, daily look", error)
            self._planned_s += self.device.slow_interval_s  # tried again a little later
            return
        counts = ", ".join(f"{count} {what}" for what, count in plan.counts()) or "nothing to read"
        log.info("%s: %s; %s", self.device.name, identity.title, counts)
        self._missing.clear()
        self._plan, self._planned_s = plan, asyncio.get_running_loop().time()
        self._slow_due_s = float("-inf")

    def _tell_complaints(self, session: Session) -> None:
        for complaint in session.complaints:
            if complaint not in self._told and len(self._told) < 100:
                self._told.add(complaint)
                log.warning("%s: %s", self.device.name, complaint)
