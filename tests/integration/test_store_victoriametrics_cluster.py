"""The addresses of a VictoriaMetrics cluster: vminsert, vmselect and vmstorage have paths and ports of their
own, which here lead to one node.
"""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest

from collector.store.base import StoreUnavailable
from collector.store.settings import VictoriaMetricsSettings
from collector.store.victoriametrics import VictoriaMetricsStore
from setpoint.units import Duration
from tests.store_servers import VictoriaMetrics
from tests.store_site import BASE_MS, CPU, Site, line

HOST = (("host", "mon-01"),)


class ClusterPaths:
    """Answers on the paths of one part of a cluster, for the tenant 7, and on no other one."""

    def __init__(self, prefix: str, node_port: int) -> None:
        self.asked: set[str] = set()
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if not self.path.startswith(prefix):
                    self.send_response(400, f"unsupported path {self.path}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                path = self.path.removeprefix(prefix)
                asked.add(path.partition("?")[0])
                node = http.client.HTTPConnection("127.0.0.1", node_port, timeout=30)
                kept = ("Content-Type", "Content-Encoding", "Accept-Encoding")
                headers = {name: value for name in kept if (value := self.headers.get(name))}
                try:
                    node.request(self.command, path, body, headers)
                    answer = node.getresponse()
                    content = answer.read()
                finally:
                    node.close()
                self.send_response(answer.status)
                for name in ("Content-Type", "Content-Encoding"):
                    if value := answer.getheader(name):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _forward

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{prefix}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    with VictoriaMetrics(tmp_path / "vm") as server:
        server.wait_until_grown_up()
        yield server


@pytest.fixture
def vminsert(node: VictoriaMetrics) -> Iterator[ClusterPaths]:
    with ClusterPaths("/insert/7/influx", node.port) as paths:
        yield paths


@pytest.fixture
def vmselect(node: VictoriaMetrics) -> Iterator[ClusterPaths]:
    with ClusterPaths("/select/7/prometheus", node.port) as paths:
        yield paths


def site_on(
    node: VictoriaMetrics, vminsert: ClusterPaths, vmselect: ClusterPaths, folder: Path, safe_after_ms: int
) -> Site:
    settings = VictoriaMetricsSettings(
        url=vmselect.url,
        write_url=vminsert.url,
        storage_urls=[node.url],
        safe_after=Duration(safe_after_ms),
    )
    assert settings.problems() == []
    return Site(lambda series: VictoriaMetricsStore(settings, series, str(folder / "spill")), node.flush)


def test_each_part_of_a_cluster_is_asked_on_its_own_paths(
    node: VictoriaMetrics, vminsert: ClusterPaths, vmselect: ClusterPaths, tmp_path: Path
) -> None:
    site = site_on(node, vminsert, vmselect, tmp_path, 0)
    site.write(site.batch(line(1, 1000), line(2.5, 2000)))
    assert site.values() == [1.0, 2.5]
    site.reopen()
    [(number, key)] = site.series.of_metric(*CPU)
    assert key.tags == HOST
    assert (site.series.last_ms(number), site.series.last_value[number]) == (BASE_MS + 2000, 2.5)
    assert vminsert.asked == {"/api/v2/write"}
    assert vmselect.asked == {"/api/v1/export", "/api/v1/query", "/api/v1/series"}
    site.close()


def test_a_storage_that_was_started_anew_is_noticed_though_the_addresses_before_it_stay(
    node: VictoriaMetrics, vminsert: ClusterPaths, vmselect: ClusterPaths, tmp_path: Path
) -> None:
    site = site_on(node, vminsert, vmselect, tmp_path, 1_000)

    async def write_and_kill() -> None:
        result = await site.store.write([site.batch(line(1, 1))])
        assert result.durable is not None
        await asyncio.to_thread(node.kill)
        await asyncio.to_thread(node.start)
        await asyncio.to_thread(node.wait_until_grown_up)
        await result.durable()

    with pytest.raises(StoreUnavailable, match="started anew"):
        site.run(write_and_kill())
    site.close()


def test_a_cluster_whose_storages_are_not_named_is_refused() -> None:
    settings = VictoriaMetricsSettings(
        url="http://vmselect:8481/select/0/prometheus", write_url="http://vminsert:8480/insert/0/influx"
    )
    assert [key for key, _ in settings.problems()] == ["storage_urls"]
