"""InfluxQL, the one query language that InfluxDB 1, 2 and 3 answer: statements, and answers to samples.

The language: https://docs.influxdata.com/influxdb/v1/query_language/spec/. The answers, with ``epoch=ms`` and
``chunked=true``: one JSON document a line, https://docs.influxdata.com/influxdb/v1/tools/api/#query-http-endpoint
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from collector.store.base import Metric, StoreUnavailable

Tags = tuple[tuple[str, str], ...]


class Series(msgspec.Struct):
    """One series of an answer, or a piece of it."""

    name: str = ""
    tags: dict[str, str] = {}
    columns: list[str] = []
    values: list[list[Any]] = []

    @property
    def identity(self) -> Tags:
        """The tags that the series carries; InfluxDB names those of other series too, as empty ones."""
        return tuple(sorted((key, value) for key, value in self.tags.items() if value))


class _Result(msgspec.Struct):
    statement_id: int = 0
    series: list[Series] = []
    error: str = ""


class _Document(msgspec.Struct):
    results: list[_Result] = []
    error: str = ""


_decode = msgspec.json.Decoder(_Document).decode


class Bound(NamedTuple):
    """From ``start_ms`` on, before ``end_ms``; UTC milliseconds."""

    start_ms: int
    end_ms: int

    def __str__(self) -> str:
        return f"time >= {int(self.start_ms)}ms AND time < {int(self.end_ms)}ms"


def identifier(name: str) -> str:
    """The name of a measurement, a field, a tag or a database, quoted."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def string(text: str) -> str:
    """A tag's value, quoted."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def select_samples(metric: Metric, bound: Bound, narrowing: Mapping[str, Sequence[str]]) -> str:
    """The samples of every series of the metric; only of those with one of these tag values, if given."""
    conditions = "".join(
        f" AND ({' OR '.join(f'{identifier(key)} = {string(value)}' for value in values)})"
        for key, values in narrowing.items()
    )
    return (
        f"SELECT {identifier(metric.field)} FROM {identifier(metric.measurement)} "
        f"WHERE {bound}{conditions} GROUP BY *"
    )


def select_end(function: str, metric: Metric, bound: Bound) -> str:
    """The ``first`` or ``last`` sample of every series of the metric. InfluxDB reads one block of each for
    it, and no more (its call iterator becomes a limit of one).
    """
    return (
        f"SELECT {function}({identifier(metric.field)}) FROM {identifier(metric.measurement)} "
        f"WHERE {bound} GROUP BY *"
    )


def answers(lines: Iterable[bytes], where: str) -> Iterator[tuple[int, Series]]:
    """(number of the statement, series) of an answer. A series may come in several pieces.

    StoreUnavailable, with what the server says, when a statement failed.
    """
    for line in lines:
        try:
            document = _decode(line)
        except msgspec.DecodeError as error:
            raise StoreUnavailable(f"{where}: expected JSON of InfluxDB: {error}") from None
        for result in document.results:
            if result.error:
                raise StoreUnavailable(f"{where}: {result.error}")
            for series in result.series:
                yield result.statement_id, series
        if document.error:
            raise StoreUnavailable(f"{where}: {document.error}")
