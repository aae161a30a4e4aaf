"""A collector's web server over a view in memory, in a thread of the test's own process."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from collector.web.app import build_app
from collector.web.server import serve
from collector.web.view import CollectorView
from tests.ports import free_port


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class WebServer:
    port: int
    stop: asyncio.Event
    loop: asyncio.AbstractEventLoop
    thread: threading.Thread

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Asks once; ``Host`` is the server's address unless the headers say otherwise."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=headers is not None and "Host" in headers)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            lower = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, lower, response.read())
        finally:
            connection.close()

    def end(self, timeout_s: float = 10) -> None:
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(timeout_s)
        assert not self.thread.is_alive(), "the server does not end"


@contextmanager
def web_server(view: CollectorView, **options: Any) -> Iterator[WebServer]:
    """Serves the view; the options are those of ``build_app``."""
    started: list[WebServer] = []
    failed: list[BaseException] = []
    known = threading.Event()

    async def run() -> None:
        ready = asyncio.Event()
        server = WebServer(
            free_port(), asyncio.Event(), asyncio.get_running_loop(), threading.current_thread()
        )
        serving = asyncio.create_task(
            serve(build_app(view, **options), "127.0.0.1", server.port, server.stop, ready)
        )
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        started.append(server)
        known.set()
        await serving

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failed.append(error)
        finally:
            known.set()

    threading.Thread(target=work, daemon=True).start()
    assert known.wait(20), "the server does not start"
    if failed:
        raise failed[0]
    try:
        yield started[0]
    finally:
        started[0].end()
    if failed:
        raise failed[0]
