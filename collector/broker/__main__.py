"""The broker's own process: ``python -m collector.broker --listen 127.0.0.1:1883 --data FOLDER``."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from collector.broker.server import EmbeddedBroker
from collector.broker.settings import EmbeddedBrokerSettings, credentials_path, parse_listen
from setpoint.units import Size

log = logging.getLogger("collector.broker")

_STOP_WITHIN_S = 1.5


class OncePerInterval(logging.Filter):
    """Lets each log statement through once per interval, and then says how often it was held back.

    A client that retries what is refused would otherwise fill the disk with one line.
    """

    def __init__(self, interval_s: float = 10) -> None:
        super().__init__()
        self._interval_s = interval_s
        self._last: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        key = (record.pathname, record.lineno)
        last, held_back = self._last.get(key, (float("-inf"), 0))
        if record.created - last < self._interval_s:
            self._last[key] = (last, held_back + 1)
            return False
        self._last[key] = (record.created, 0)
        if held_back:
            record.msg = f"{record.getMessage()} (and {held_back} like it before)"
            record.args = ()
        return True


async def serve(settings: EmbeddedBrokerSettings, data: Path, site: str | None, *, supervised: bool) -> None:
    """Serves until SIGTERM or SIGINT; if supervised, until stdin ends. OSError when it cannot listen."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    # Ctrl-C reaches the whole process group; a supervised broker waits for its parent to stop it.
    loop.add_signal_handler(signal.SIGINT, (lambda: None) if supervised else stop.set)
    if supervised:
        _watch_parent(loop, stop)

    host, port = parse_listen(settings.listen)
    tls = settings.tls_context()
    broker = EmbeddedBroker(credentials_path(data), site=site, largest_message=settings.max_message)
    await broker.start()
    server = await asyncio.start_server(broker.serve_client, host, port, ssl=tls)
    host, port = server.sockets[0].getsockname()[:2]
    log.info("broker listening on %s:%d", host, port)
    if supervised:
        print(f"ready {port}", flush=True)

    await stop.wait()
    _exit_anyway_after(_STOP_WITHIN_S)
    server.close()
    await broker.shutdown()


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Sets ``stop`` when stdin ends: the parent holds its other end, and loses it however it dies."""

    def wait_for_end() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        _exit_anyway_after(_STOP_WITHIN_S)
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait_for_end, name="parent", daemon=True).start()


def _exit_anyway_after(seconds: float) -> None:
    """Nothing here is worth waiting for: agents keep what the collector has not acknowledged."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()


def main(argv: list[str] | None = None) -> int:
    """Runs the broker. The exit code is 0 after a stop, 1 when it could not start."""
    parser = argparse.ArgumentParser(prog="python -m collector.broker", description=__doc__)
    parser.add_argument("--listen", default=EmbeddedBrokerSettings().listen, metavar="HOST:PORT")
    parser.add_argument("--data", type=Path, required=True, help="the collector's data folder")
    parser.add_argument("--site", help="the only site there is; without it, any site is allowed")
    parser.add_argument("--certificate", help="PEM file; with --key, the port speaks TLS")
    parser.add_argument("--key", help="PEM file")
    parser.add_argument("--max-message", type=Size.parse, default=EmbeddedBrokerSettings().max_message)
    parser.add_argument(
        "--supervised", action="store_true", help='print "ready PORT", and stop when standard input ends'
    )
    options = parser.parse_args(argv)
    settings = EmbeddedBrokerSettings(
        listen=options.listen,
        certificate=options.certificate,
        key=options.key,
        max_message=options.max_message,
    )
    for path, problem in settings.problems():
        parser.error(f"{path}: {problem}")

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("collector").setLevel(logging.INFO)
    for handler in logging.getLogger().handlers:
        handler.addFilter(OncePerInterval())
    try:
        asyncio.run(serve(settings, options.data, options.site, supervised=options.supervised))
    except OSError as error:
        text = f"{settings.listen}: {error.strerror or error}"
        if error.errno == errno.EADDRINUSE:
            text = f"{settings.listen} is in use; set embedded_broker.listen in collector.yaml"
        log.error("%s", text)
        if options.supervised:
            print(f"failed {text}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
