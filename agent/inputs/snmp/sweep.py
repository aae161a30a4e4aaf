"""Asks many addresses who they are, at a bounded pace: for finding devices, when somebody asks for that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from agent.inputs.connection import Resolver
from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.open_session import EngineName, open_session
from agent.inputs.snmp.profile_load import Profiles
from agent.inputs.snmp.recognise import identify
from agent.inputs.snmp.session import NoAnswerError, RefusedError, Session, SessionError, Timing


@dataclass(frozen=True, slots=True)
class Answered:
    """Somebody answered at an address. ``title`` is what it was recognised as.

    Where nothing but ``problem`` is known, an agent is there and did not let itself be asked.
    """

    address: str
    credentials: str
    sys_name: str = ""
    sys_descr: str = ""
    sys_object_id: str = ""
    title: str = ""
    problem: str = ""


class PacedSlots(asyncio.Semaphore):
    """Lets at most ``in_flight`` requests be under way, and at most ``per_second`` begin in a second.

    Requests begin evenly: one that comes late does not let those behind it come in a burst.
    """

    def __init__(self, in_flight: int, per_second: float) -> None:
        super().__init__(in_flight)
        self._every_s = 1 / per_second
        self._next_s = 0.0
        self.begun = 0

    async def acquire(self) -> Literal[True]:
        await super().acquire()
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        begin_s = max(self._next_s, now_s)
        self._next_s = begin_s + self._every_s
        try:
            await asyncio.sleep(begin_s - now_s)
        except BaseException:
            self.release()
            raise
        self.begun += 1
        return True


class Sweep:
    """One sweep. ``asked`` counts addresses that are done with; ``slots.begun`` counts requests."""

    def __init__(
        self,
        credentials: Mapping[str, Credentials],
        *,
        port: int,
        engine: EngineName,
        timing: Timing,
        profiles: Profiles,
        slots: PacedSlots,
        at_once: int,
    ) -> None:
        self._credentials = credentials
        self._port = port
        self._engine = engine
        self._timing = timing
        self._profiles = profiles
        self._at_once = at_once
        self._resolver = Resolver()
        self.slots = slots
        self.asked = 0

    async def run(self, addresses: Iterator[str], stop: Callable[[], bool]) -> AsyncIterator[Answered]:
        """Whoever answers, as they come. After ``stop`` says so, no other address is begun with.

        Each address is asked with one credentials after the other, until it answers.
        """
        found: asyncio.Queue[Answered | None] = asyncio.Queue()

        async def work() -> None:
            for address in addresses:
                if stop():
                    return
                answered = await self._ask(address)
                self.asked += 1
                if answered is not None:
                    found.put_nowait(answered)

        async def work_all() -> None:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self._at_once):
                        group.create_task(work())
            finally:
                found.put_nowait(None)

        workers = asyncio.create_task(work_all())
        try:
            while (answered := await found.get()) is not None:
                yield answered
            await workers
        finally:
            workers.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await workers
            self._resolver.close()

    async def _ask(self, address: str) -> Answered | None:
        refusal = None
        for name, credentials in self._credentials.items():
            try:
                session = await self._open(address, credentials)
            except NoAnswerError:
                continue
            try:
                identity = await identify(session, self._profiles)
            except NoAnswerError:
                continue
            except RefusedError as error:
                refusal = Answered(address, name, problem=str(error))
                continue
            except SessionError as error:
                return Answered(address, name, problem=str(error))
            finally:
                await session.close()
            return Answered(
                address,
                name,
                identity.sys_name,
                identity.sys_descr,
                identity.sys_object_id,
                identity.title,
            )
        return refusal

    async def _open(self, address: str, credentials: Credentials) -> Session:
        return await open_session(
            address, self._port, credentials, self._engine, self._timing, self._resolver, self.slots
        )
