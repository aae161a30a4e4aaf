"""Name lookups and TCP connections whose time is bounded from outside, by ``asyncio.timeout``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from itertools import chain, zip_longest

from agent.inputs.lane import Lane

# After how long the next address is tried beside one that has not answered; RFC 8305, section 5.
_NEXT_ADDRESS_S = 0.25

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


class LookupFailed(OSError):
    """The name has no address, or nobody could be asked."""


class Resolver:
    """Looks names up with the system's resolver, each in a thread of its own.

    The resolver takes no timeout. With the pool that asyncio uses, a few probes of a site whose name server
    is down would stop everything else that needs a thread. Here a name that hangs costs one thread, which
    later callers wait for together.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, int], asyncio.Task[list[Address]]] = {}

    async def lookup(self, host: str, port: int) -> list[Address]:
        """TCP addresses, IPv6 and IPv4 in turns, in the system's order of preference. LookupFailed."""
        with contextlib.suppress(OSError, UnicodeError):  # a number needs nobody's answer
            return _addresses(host, port, socket.AI_NUMERICHOST)
        key = (host, port)
        task = self._running.get(key)
        if task is None:
            lane = Lane(f"lookup of {host}")
            task = asyncio.get_running_loop().create_task(lane.run(lambda: _addresses(host, port)))
            self._running[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        try:
            return await asyncio.shield(task)
        except socket.gaierror as error:
            raise LookupFailed(f"no address for {host}: {error.strerror}") from None
        except UnicodeError as error:
            raise LookupFailed(f"{host} is no host name: {error}") from None

    def _forget(self, key: tuple[str, int], task: asyncio.Task[list[Address]]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # asked for, so that one nobody waited for is not reported as lost

    def close(self) -> None:
        for task in list(self._running.values()):
            task.cancel()


def _addresses(host: str, port: int, flags: int = 0) -> list[Address]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    unique = list(dict.fromkeys((family, address) for family, _, _, _, address in answers))
    first = [answer for answer in unique if answer[0] == unique[0][0]]
    others = [answer for answer in unique if answer[0] != unique[0][0]]
    return [answer for answer in chain.from_iterable(zip_longest(first, others)) if answer is not None]


async def connect(addresses: Sequence[Address]) -> socket.socket:
    """A socket connected to the first address that accepts. OSError, the last one's, when none does.

    An address that keeps silent holds up the next one for a quarter of a second only: many hosts have an
    IPv6 address that nobody can reach.
    """
    waiting = list(addresses)
    running: set[asyncio.Task[socket.socket]] = set()
    error: OSError = OSError("no address")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_connect_one(waiting.pop(0))))
            done, running = await asyncio.wait(
                running,
                timeout=_NEXT_ADDRESS_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                failure = task.exception()
                if failure is None:
                    running |= done - {task}
                    return task.result()
                if not isinstance(failure, OSError):
                    raise failure
                error = failure
        raise error
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_close_loser)


def _close_loser(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connect_one(address: Address) -> socket.socket:
    family, target = address
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, target)
    except BaseException:
        connection.close()
        raise
    return connection
