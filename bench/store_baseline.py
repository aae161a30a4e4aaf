"""How fast a store takes lines, or columns, that are ready: what the collector is measured against."""

from __future__ import annotations

import gzip
import http.client
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from collector.store.http_write import BODY_BYTES
from tests.store_servers import Influxd, VictoriaMetrics

# As the collector does.
_AT_ONCE = 2
_GROUP_ROWS = 500_000


class Baseline(NamedTuple):
    """``cpu_s``: of the server; of this process where there is none."""

    lines: int
    seconds: float
    cpu_s: float


def bodies(make_batch: Callable[[int], bytes], count: int) -> list[tuple[bytes, int]]:
    """(gzipped body, its lines) of batches that are made by their number, joined to the usual size."""
    made: list[tuple[bytes, int]] = []
    number = 0
    for _ in range(count):
        parts: list[bytes] = []
        size = 0
        while size < BODY_BYTES:
            parts.append(make_batch(number))
            size += len(parts[-1])
            number += 1
        body = b"".join(parts)
        made.append((gzip.compress(body, 1), body.count(b"\n")))
    return made


def post_to_server(server: Influxd | VictoriaMetrics, ready: Sequence[tuple[bytes, int]]) -> Baseline:
    """Posts them all, two at once, over connections that are kept."""
    if isinstance(server, Influxd):
        server.query('CREATE DATABASE "plain"')
        path = "/write?db=plain&precision=ns"
    else:
        path = "/api/v2/write"

    def post(some: Sequence[tuple[bytes, int]]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        for body, _ in some:
            connection.request("POST", path, body, {"Content-Encoding": "gzip"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 204:
                raise SystemExit(f"{server.name}: {answer.status}: {text[:300]!r}")
        connection.close()

    process = psutil.Process(server.pid)
    before, began = process.cpu_times(), time.monotonic()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(post, [ready[n::_AT_ONCE] for n in range(_AT_ONCE)]))
    seconds, after = time.monotonic() - began, process.cpu_times()
    cpu_s = after.user + after.system - before.user - before.system
    return Baseline(sum(lines for _, lines in ready), seconds, cpu_s)


def insert_columns(folder: Path, readings: int, series: int) -> Baseline:
    """Inserts that many readings into a table like ours; the lines of the result are readings."""
    connection = duckdb.connect(str(folder / "plain.duckdb"), config={"threads": "2"})
    connection.execute("CREATE TABLE points (series_id INTEGER, t BIGINT, value DOUBLE)")
    groups = []
    for start in range(0, readings, _GROUP_ROWS):
        n = np.arange(start, min(start + _GROUP_ROWS, readings))
        columns = {
            "series_id": (n % series).astype(np.int32),
            "t": 1_700_000_000_000 + n // series * 1000,
            "value": (n % 1000) / 8,
        }
        groups.append(columns)
    process = psutil.Process()
    before, began = process.cpu_times(), time.monotonic()
    for columns in groups:
        connection.register("incoming", columns)
        connection.execute("INSERT INTO points SELECT series_id, t, value FROM incoming")
        connection.unregister("incoming")
    seconds, after = time.monotonic() - began, process.cpu_times()
    connection.close()
    return Baseline(readings, seconds, after.user + after.system - before.user - before.system)
