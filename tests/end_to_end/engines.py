"""Stores beside a collector, as tests see them: from the other side, and through our own reading."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from collector.analysis.statistics import period_statistics
from collector.analysis.windows import SubjectWindow
from collector.series import SeriesTable
from collector.settings import load_settings
from collector.store.base import Metric
from collector.store.open import open_store
from tests.end_to_end.site import CollectorProcess, numbers_by_count
from tests.store_servers import Influxd, VictoriaMetrics
from tests.store_site import everything

_NUMBERS = Metric("numbered", "n")


class Engine(Protocol):
    """What is stopped and killed. ``settings``: the section ``store`` of a collector that writes to it."""

    name: str
    settings: Mapping[str, Any]

    def start(self) -> None: ...

    def stop(self) -> object: ...

    def kill(self) -> None: ...

    def rows(self, host: str) -> Counter[int]:
        """How often each of the agent's numbers is there, as the engine itself says."""


class InfluxEngine:
    """influxd 1.6.7"""

    name = "influxdb"

    def __init__(self, folder: Path, collector_settings: Mapping[str, Any] | None = None) -> None:
        self.server = Influxd(folder)
        self.settings = {"engine": self.name, "url": self.server.url, **(collector_settings or {})}
        self.start, self.stop, self.kill = self.server.start, self.server.stop, self.server.kill

    def rows(self, host: str) -> Counter[int]:
        statement = f"SELECT n FROM numbered WHERE host = '{host}'"
        answer = self.server.query(statement, db="setpoint", chunked="true", chunk_size="100000")
        return Counter(
            int(row[1])
            for line in answer.splitlines()
            for result in json.loads(line)["results"]
            for series in result.get("series", [])
            for row in series["values"]
        )


class VictoriaEngine:
    """VictoriaMetrics, which is not told to leave out what comes twice."""

    name = "victoriametrics"

    def __init__(self, folder: Path, collector_settings: Mapping[str, Any] | None = None) -> None:
        self.server = VictoriaMetrics(folder)
        self.settings = {"engine": self.name, "url": self.server.url, **(collector_settings or {})}
        self.stop, self.kill = self.server.stop, self.server.kill

    def start(self) -> None:
        self.server.start()

    def rows(self, host: str) -> Counter[int]:
        self.server.flush()
        form = urllib.parse.urlencode({"match[]": f'{{__name__="numbered_n",host="{host}"}}'}).encode()
        with urllib.request.urlopen(f"{self.server.url}/api/v1/export", form, timeout=60) as answer:
            return Counter(int(value) for line in answer for value in json.loads(line)["values"])


class EmbeddedEngine:
    """DuckDB is a part of the collector's process, so it is that which ends."""

    name = "duckdb"
    settings: Mapping[str, Any] = {"engine": name}

    def __init__(self) -> None:
        self.collector: CollectorProcess | None = None

    def _process(self) -> CollectorProcess:
        assert self.collector is not None
        return self.collector

    def start(self) -> None:
        if self.collector is not None:
            self.collector.start()

    def stop(self) -> object:
        return self._process().stop()

    def kill(self) -> None:
        self._process().kill()

    def rows(self, host: str) -> Counter[int]:
        return Counter(numbers_by_count(self._process(), host))


def samples_read(config: Path, until_ms: int, span_ms: int) -> dict[str, int]:
    """By host, how many samples a review counts in the ``span_ms`` before ``until_ms``; ``config``: the file
    of a collector that is stopped.
    """
    settings = load_settings(config).value
    store = open_store(settings.store, Path(settings.collector.data), SeriesTable())
    try:
        with store.train(_NUMBERS, everything, until_ms - span_ms, until_ms) as train:
            windows = [
                SubjectWindow(
                    subject=number,
                    start_ms=until_ms - span_ms,
                    end_ms=until_ms,
                    every_ms=1,
                    warning=None,
                    critical=None,
                    good=None,
                )
                for number in range(len(train.subjects))
            ]
            counted = period_statistics(train, windows, rate=False, scale=1.0, bounds=None, missing_bad=False)
            return {dict(train.subjects[one.subject])["host"]: one.samples for one in counted}
    finally:
        store.close()
