"""Ctrl-C and SIGTERM as an event."""

from __future__ import annotations

import asyncio
import contextlib
import signal


def stop_event() -> asyncio.Event:
    """An event that is set by SIGINT and SIGTERM; a second one ends the process the usual way."""
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
    return stop
