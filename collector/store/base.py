"""The store's interface: what the receiver writes to and the analysis reads from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from setpoint.reading import FieldValue, Subject

if TYPE_CHECKING:
    import duckdb


class SeriesKey(NamedTuple):
    """What names a series: measurement, tags sorted by key, field."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    field: str


class BatchId(NamedTuple):
    """``<epoch>.<sequence>.<hash of the body>``"""

    epoch: str
    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.epoch}.{self.sequence}.{self.hash}"


@dataclass(slots=True)
class Batch:
    """One decoded payload. The three arrays have one entry per numeric reading, in the payload's order.

    ``series`` holds numbers of the collector's SeriesTable, ``time_ms`` UTC milliseconds, ``value``
    floats (booleans are 0 and 1). ``texts`` holds the readings that are text: (series, time_ms, text).
    ``lines`` is the accepted line protocol itself, for engines that take lines. ``id`` and ``low`` are
    None for publishers that are not our agents.
    """

    site: str
    agent: str
    id: BatchId | None
    low: int | None
    series: npt.NDArray[np.int32]
    time_ms: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    texts: list[tuple[int, int, str]]
    lines: bytes
    received_ms: int

    @property
    def readings(self) -> int:
        return len(self.series) + len(self.texts)


class RefusedLine(NamedTuple):
    """A line that the engine did not take, with the reason it gave."""

    batch: BatchId | None
    agent: str
    line: bytes
    reason: str


@dataclass(slots=True)
class WriteResult:
    """``repeated`` counts batches that were in the store already and were not written again.

    ``durable`` is None when the data is durable already. Of an engine that acknowledges earlier, it is to be
    awaited before anything is acked: it returns when the data is sure to survive, and raises StoreUnavailable
    when it may be lost and has to be written again.
    """

    readings: int = 0
    repeated: int = 0
    refused: list[RefusedLine] = field(default_factory=list)
    durable: Callable[[], Awaitable[None]] | None = field(default=None, compare=False)


class Metric(NamedTuple):
    measurement: str
    field: str

    def __str__(self) -> str:
        return f"{self.measurement}.{self.field}"


@dataclass(slots=True)
class Train:
    """The samples of one metric.

    ``relation`` has the columns subject INTEGER (index into ``subjects``), t BIGINT (UTC milliseconds),
    value DOUBLE, in no particular order; of rows with the same subject and t, readers keep one. It belongs
    to the connection ``connection`` and lives until that is closed, which leaving the context does.

    ``beside`` are the trains of the other metrics that were asked for, in that order, on the same connection
    and with subjects of their own.
    """

    connection: duckdb.DuckDBPyConnection
    relation: duckdb.DuckDBPyRelation
    subjects: Sequence[Subject]
    beside: Sequence[Train] = ()

    def __enter__(self) -> Train:
        return self

    def __exit__(self, *exception: object) -> None:
        self.connection.close()


class SeriesSeen(NamedTuple):
    key: SeriesKey
    first_ms: int
    last_ms: int


class NewestSample(NamedTuple):
    """A series, its first and newest time, UTC milliseconds, and its newest value: NaN where that is text or
    not known. ``text``: it holds nothing but text.
    """

    key: SeriesKey
    first_ms: int
    last_ms: int
    value: float
    text: bool


class Selector(Protocol):
    """Which series a caller wants, by their tags."""

    def __call__(self, tags: Mapping[str, str]) -> bool: ...


class Asked(NamedTuple):
    """One metric that a train is asked of: of the series that ``where`` wants, by subject."""

    metric: Metric
    where: Selector
    by: tuple[str, ...] | None = None


class Store(Protocol):
    """One storage engine. Every method may raise StoreUnavailable; then nothing was written."""

    async def write(self, batches: Sequence[Batch]) -> WriteResult:
        """Returns when the engine has taken the data, which is durable then unless the result says when.
        Writing the same batch again changes nothing. Calls may be under way together.
        """

    def train(
        self,
        metric: Metric,
        where: Selector,
        start_ms: int,
        end_ms: int,
        by: tuple[str, ...] | None = None,
        beside: Sequence[Asked] = (),
    ) -> Train:
        """The samples in [start_ms, end_ms) of all subjects of the metric that ``where`` wants, and those of
        the metrics ``beside``, for what is computed from several.
        """

    def series(self, since_ms: int) -> Sequence[SeriesSeen]:
        """Every series that has a sample at or after ``since_ms``."""

    def newest(self, since_ms: int) -> Sequence[NewestSample]:
        """The same with their newest values, also of what other collectors have written."""

    def close(self) -> None:
        """Lets go of file or connections. Not to be called in the event loop that writes."""


class StoreUnavailable(Exception):
    """The engine cannot be reached or cannot write now; the same call may succeed later."""


__all__ = [
    "Asked",
    "Batch",
    "BatchId",
    "FieldValue",
    "Metric",
    "NewestSample",
    "RefusedLine",
    "Selector",
    "SeriesKey",
    "SeriesSeen",
    "Store",
    "StoreUnavailable",
    "Train",
    "WriteResult",
]
