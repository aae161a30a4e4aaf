"""The same question asked of influxd and VictoriaMetrics: mean, maximum and share above 80 of each subject.

They weight by sample, where Setpoint weights by time; of samples at an even pace that is the same. Neither
has episodes, coverage or quantiles that add up, so they are asked for less than a review computes.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.analysis import POINTS, START_MS, hours
from tests.store_servers import Influxd, VictoriaMetrics


def bodies(subjects: int, days: int) -> Iterator[bytes]:
    for numbers, times, values in hours(subjects, days):
        rows = zip(numbers.tolist(), times.tolist(), values.tolist(), strict=True)
        yield "\n".join(
            f"m{n % POINTS},host=host-{n // POINTS:04d} value={value} {t}000000" for n, t, value in rows
        ).encode()


def post(url: str, body: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=120) as answer:
        answer.read()


def get(url: str, **parameters: str) -> Any:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=600) as answer:
        return json.load(answer)


def ask_peers(subjects: int, days: int, folder: Path) -> None:
    """Prints how long each takes for a month's statistics of all subjects; one that is missing is named."""
    for name, ask in (("influxd", _ask_influxd), ("VictoriaMetrics", _ask_victoriametrics)):
        try:
            loaded_s, asked_s, answers = ask(subjects, days, folder / name)
        except pytest.skip.Exception as error:
            print(f"  {name}: {error}")
            continue
        print(
            f"  {name:<20} {asked_s:7.1f} s for mean, maximum and share above 80 of {answers} subjects; "
            f"loaded in {loaded_s:.0f} s",
            flush=True,
        )


def _timed(load: Callable[[], None], ask: Callable[[], int]) -> tuple[float, float, int]:
    began = time.monotonic()
    load()
    loaded = time.monotonic()
    answers = ask()
    return loaded - began, time.monotonic() - loaded, answers


def _ask_influxd(subjects: int, days: int, folder: Path) -> tuple[float, float, int]:
    time_range = f"time >= {START_MS}ms AND time < {START_MS + days * 86_400_000}ms"

    def load() -> None:
        server.query("CREATE DATABASE bench")
        for body in bodies(subjects, days):
            post(f"{server.url}/write?db=bench", body)

    def ask() -> int:
        answers = 0
        for n in range(POINTS):
            both = (
                f"SELECT mean(value), max(value), count(value) FROM m{n} WHERE {time_range} GROUP BY host; "
                f"SELECT count(value) FROM m{n} WHERE value > 80 AND {time_range} GROUP BY host"
            )
            results = get(f"{server.url}/query", db="bench", q=both)["results"]
            answers += len(results[0].get("series", ()))
        return answers

    with Influxd(folder) as server:
        return _timed(load, ask)


def _ask_victoriametrics(subjects: int, days: int, folder: Path) -> tuple[float, float, int]:
    def load() -> None:
        for body in bodies(subjects, days):
            post(f"{server.url}/write", body)
        server.flush()

    def ask() -> int:
        answers = 0
        at = str((START_MS + days * 86_400_000) // 1000)
        for n in range(POINTS):
            for function in ("avg_over_time", "max_over_time", "share_gt_over_time"):
                limit = ", 80" if function.startswith("share") else ""
                query = f"{function}(m{n}_value[{days}d]{limit})"
                result = get(f"{server.url}/api/v1/query", query=query, time=at)["data"]["result"]
            answers += len(result)
        return answers

    with VictoriaMetrics(folder) as server:
        return _timed(load, ask)
