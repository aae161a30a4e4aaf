"""Stores that hold the simulated fleet, and what Grafana does to queries before it asks them."""

from __future__ import annotations

import contextlib
import json
import re
import statistics
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.series import SeriesTable
from collector.store.open import open_store
from grafana.push import DataSource
from grafana.queries import Flavour
from tests.simulated_fleet import LENGTH_MS, fleet_lines
from tests.store_elsewhere import influxdb_elsewhere
from tests.store_servers import Influxd, VictoriaMetrics


@dataclass(frozen=True)
class Row:
    """One row of an answer: its tags, its values by column. A line in a graph is the mean of its points."""

    tags: Mapping[str, str]
    values: Mapping[str, float]


@dataclass(frozen=True)
class Server:
    """Answers queries in which the variables are filled in. ``values``: those that a variable offers."""

    source: DataSource
    end_ms: int
    ask: Callable[[Mapping[str, Any], str], list[Row]]
    values: Callable[[str], list[str]]


@contextmanager
def filled_influxdb(folder: Path, end_ms: int) -> Iterator[Server]:
    """An InfluxDB 1.x; where the environment names one of 2.x, a bucket of that."""
    elsewhere = influxdb_elsewhere("2")
    running = contextlib.nullcontext() if elsewhere else Influxd(folder)
    with running as server:
        if elsewhere:
            # It makes bucket and mapping.
            open_store(elsewhere, folder, SeriesTable()).close()
            token = elsewhere.token.reveal() if elsewhere.token else ""
            source = DataSource(
                flavour="influxdb", url=elsewhere.url, database=elsewhere.database, token=token
            )
            path = f"/api/v2/write?org={elsewhere.organization}&bucket={elsewhere.database}"
        else:
            assert server is not None
            server.query("CREATE DATABASE setpoint")
            source, path = DataSource(flavour="influxdb", url=server.url), "/write?db=setpoint"
        headers = {"Authorization": f"Token {source.token}"} if source.token else {}
        _post(f"{source.url}{path}", fleet_lines(end_ms), headers)

        def query(statement: str) -> list[dict[str, Any]]:
            asked = {"q": statement, "db": source.database, "epoch": "ms"}
            answer = _post(f"{source.url}/query", urllib.parse.urlencode(asked).encode(), headers)
            result = json.loads(answer)["results"][0]
            assert "error" not in result, f"{statement}\n{result}"
            found: list[dict[str, Any]] = result.get("series", [])
            return found

        def ask(_: Mapping[str, Any], text: str) -> list[Row]:
            return [row for series in query(text) for row in _influx_rows(series)]

        def values(text: str) -> list[str]:
            return [value for series in query(text) for _, value in series["values"]]

        yield Server(source, end_ms, ask, values)


@contextmanager
def filled_victoria_metrics(folder: Path, end_ms: int) -> Iterator[Server]:
    with VictoriaMetrics(folder) as server:
        server.wait_until_grown_up()
        _post(f"{server.url}/write", fleet_lines(end_ms))
        server.flush()
        window = {"start": (end_ms - LENGTH_MS) // 1000, "end": end_ms // 1000}

        def get(path: str, **parameters: object) -> Any:
            with urllib.request.urlopen(f"{server.url}{path}?{urllib.parse.urlencode(parameters)}") as answer:
                return json.loads(answer.read())["data"]

        def ask(target: Mapping[str, Any], text: str) -> list[Row]:
            if target["instant"]:
                found = get("/api/v1/query", query=text, time=end_ms // 1000)["result"]
                return [Row(_labels(one), {"Value": float(one["value"][1])}) for one in found]
            found = get("/api/v1/query_range", query=text, step=60, **window)["result"]
            return [
                Row(_labels(one), {"Value": statistics.fmean(float(value) for _, value in one["values"])})
                for one in found
            ]

        def values(text: str) -> list[str]:
            matched = re.fullmatch(r"label_values\((.*), (\w+)\)", text)
            assert matched, text
            path = f"/api/v1/label/{matched[2]}/values"
            found: list[str] = get(path, **{"match[]": matched[1], **window})
            return found

        yield Server(DataSource(flavour="prometheus", url=server.url), end_ms, ask, values)


def _post(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    request = urllib.request.Request(url, body, dict(headers or {}), method="POST")
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: bytes = answer.read()
    return content


def _influx_rows(series: Mapping[str, Any]) -> Iterator[Row]:
    tags = series.get("tags", {})
    rows = [dict(zip(series["columns"], row, strict=True)) for row in series["values"]]
    if len(rows) > 1 and "value" in rows[0]:
        # A line in a graph; groups without a sample are null.
        points = [row["value"] for row in rows if row["value"] is not None]
        rows = [{"value": statistics.fmean(points)}] if points else []
    for row in rows:
        texts = {name: value for name, value in row.items() if isinstance(value, str)}
        numbers = {n: v for n, v in row.items() if isinstance(v, int | float) and n != "time"}
        if numbers:
            yield Row({**tags, **texts}, numbers)


def _labels(one: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in one["metric"].items() if name != "__name__"}


def panels_of(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def query_of(target: Mapping[str, Any]) -> str:
    return str(target["query"] if "query" in target else target["expr"])


def chosen_in(dashboard: Mapping[str, Any], server: Server, flavour: Flavour) -> dict[str, str]:
    """The variables' values, as Grafana puts them into a query: all that there are, or the first."""
    chosen: dict[str, str] = {}
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        values = sorted(server.values(filled(variable["query"], chosen, server.end_ms)))
        assert values, f"the variable {variable['name']} offers nothing: {variable['query']}"
        if "allValue" in variable:
            chosen[variable["name"]] = variable["allValue"]
        elif variable["multi"]:
            escaped = "|".join(re.escape(value).replace("/", r"\/") for value in values)
            if flavour == "prometheus":
                escaped = "|".join(re.escape(value).replace("\\", "\\\\") for value in values)
            chosen[variable["name"]] = f"({escaped})"
        else:
            chosen[variable["name"]] = values[0]
    return chosen


def filled(query: str, chosen: Mapping[str, str], end_ms: int) -> str:
    """With the choices, and with what Grafana's server puts in: the time filter and the intervals."""
    start_ms = end_ms - LENGTH_MS
    builtin = {
        "$timeFilter": f"time >= {start_ms}ms and time <= {end_ms}ms",
        "$__rate_interval": "4m",
        "$__interval": "1m",
    }
    for name, value in builtin.items():
        query = query.replace(name, value)
    query = with_choices(query, chosen, end_ms)
    assert "$" not in query.replace("$/", ""), f"something is not filled in: {query}"
    return query


def with_choices(query: str, chosen: Mapping[str, str], end_ms: int) -> str:
    """As Grafana's page sends it to its server."""
    query = query.replace("${__to}", str(end_ms))
    for name, value in sorted(chosen.items(), key=lambda pair: -len(pair[0])):
        query = query.replace(f"${name}", value)
    return query
