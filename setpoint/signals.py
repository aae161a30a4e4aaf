"""Ctrl-C and SIGTERM as an event."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading


def stop_event(*, supervised: bool = False) -> asyncio.Event:
    """An event that is set by SIGINT and SIGTERM; a second one ends the process the usual way.

    ``supervised``: it is also set when standard input ends, which a parent holds open as long as it lives;
    however the parent ends, its children do not stay behind.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(number: int) -> None:
        stop.set()
        with contextlib.suppress(NotImplementedError):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, asked, number)
        except NotImplementedError:  # Windows: its loop takes no handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    if supervised:

        def wait_for_end() -> None:
            # Not sys.stdin: its lock, held by a daemon thread, would abort the interpreter's own end.
            while os.read(0, 4096):
                pass
            with contextlib.suppress(RuntimeError):  # the loop ended first
                loop.call_soon_threadsafe(stop.set)

        threading.Thread(target=wait_for_end, name="parent", daemon=True).start()
    return stop
