"""Datagrams to one device and back, with timeouts and retries."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from agent.inputs.connection import Address
from agent.inputs.snmp.session import Cost, NoAnswerError, Timing

T = TypeVar("T")

_MAX_DATAGRAM = 65_535
_MAX_WAITING = 16


class Wire:
    """A connected UDP socket: what comes from another address is dropped by the kernel.

    ``slots``: a request waits until one is free, and holds it while it is under way.
    """

    def __init__(
        self, address: Address, timing: Timing, cost: Cost, slots: asyncio.Semaphore | None = None
    ) -> None:
        family, target = address
        self._timing = timing
        self._cost = cost
        self._slots = slots or contextlib.nullcontext()
        self._arrived: deque[bytes | OSError] = deque(maxlen=_MAX_WAITING)
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect(target)
            self._loop.add_reader(self._socket, self._readable)
        except OSError as error:
            self._socket.close()
            raise NoAnswerError(f"cannot be reached: {error.strerror}") from None

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    async def exchange(self, request: bytes, fits: Callable[[bytes], T | None]) -> T:
        """What ``fits`` makes of the first datagram that it takes. NoAnswerError when none came in time.

        Every attempt sends the same bytes, so a late answer to one is good for the next.
        """
        self._arrived.clear()
        for attempt in range(1 + self._timing.retries):
            async with self._slots:
                self._send(request)
                self._cost.requests += 1
                self._cost.retries += attempt > 0
                answer = await self._answer(fits)
            if answer is not None:
                return answer
        times = f", asked {1 + self._timing.retries} times" if self._timing.retries else ""
        raise NoAnswerError(f"no answer within {self._timing.timeout_s:g} s{times}")

    async def _answer(self, fits: Callable[[bytes], T | None]) -> T | None:
        until_s = self._loop.time() + self._timing.timeout_s
        while (datagram := await self._next(until_s)) is not None:
            if isinstance(datagram, OSError):
                raise NoAnswerError(f"cannot be reached: {datagram.strerror}")
            answer = fits(datagram)
            if answer is not None:
                return answer
        return None

    def _send(self, request: bytes) -> None:
        try:
            self._socket.send(request)
            return
        except BlockingIOError:
            return  # the kernel's buffer is full: as good as lost on the way
        except OSError:
            pass  # it may be about an earlier datagram; then the next one goes through
        try:
            self._socket.send(request)
        except BlockingIOError:
            return
        except OSError as error:
            raise NoAnswerError(f"cannot be reached: {error.strerror}") from None

    async def _next(self, until_s: float) -> bytes | OSError | None:
        while not self._arrived:
            if self._loop.time() >= until_s:
                return None
            self._waiter = self._loop.create_future()
            timer = self._loop.call_at(until_s, _wake, self._waiter)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        return self._arrived.popleft()

    def _readable(self) -> None:
        # Also read when nobody waits: a readable socket would keep the event loop awake.
        try:
            self._arrived.append(self._socket.recv(_MAX_DATAGRAM))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._arrived.append(error)
        if self._waiter is not None:
            _wake(self._waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
