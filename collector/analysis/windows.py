"""What a period asks of each subject: when it is expected, how often, and which levels judge it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from setpoint.spans import Spans, length_ms

if TYPE_CHECKING:
    import duckdb

LevelName = Literal["warning", "critical", "good"]
LEVEL_NAMES: Final[tuple[LevelName, ...]] = ("warning", "critical", "good")

WINDOWS: Final = "setpoint_windows"
"""The temporary table of the windows, one row each, numbered by ``window_id`` in the order of the call."""

SPANS: Final = "setpoint_spans"
"""The temporary table of the judged time: window_id, span_start, span_end. Most windows have one span, which
is all of them; one that is not judged at all has none.
"""


@dataclass(frozen=True, slots=True)
class Levels:
    """A condition on a value: above ``high``, or below ``low``, or equal, or unequal; any one is enough.

    ``for_ms`` is how long the condition has to hold in one run before the run counts as an episode.
    ValueError when a level is NaN, with which nothing can be compared.
    """

    high: float | None = None
    low: float | None = None
    equal: float | None = None
    unequal: float | None = None
    for_ms: int = 0

    def __post_init__(self) -> None:
        levels = (self.high, self.low, self.equal, self.unequal)
        if any(level is not None and math.isnan(level) for level in levels):
            raise ValueError(f"expected levels that are numbers, got {self}")
        if self.for_ms < 0:
            raise ValueError(f"expected a length of time of 0 ms or more, got for_ms={self.for_ms}")


_NOT_ASKED: Final = Levels()
COMPARISONS: Final = {"high": ">", "low": "<", "equal": "=", "unequal": "<>"}


@dataclass(frozen=True, slots=True)
class SubjectWindow:
    """When one subject is expected to report: in [start_ms, end_ms), every ``every_ms``.

    ``subject`` is the number that the train's relation has for it; one that is not in the relation never
    reported. Where ``every_ms`` is None, the subject's own median spacing serves. ``warning`` and
    ``critical`` are breached, ``good`` is satisfied, by a value that meets the condition.

    ``spans``: the parts of the window that are judged, in order of time and apart from each other; None for
    all of it. What lies between them is neither expected nor judged, and no run goes on over it.

    ValueError when the window ends before it starts, the spacing is not positive, or the spans are out of
    order, empty, touching, or outside the window.
    """

    subject: int
    start_ms: int
    end_ms: int
    every_ms: int | None = None
    warning: Levels | None = None
    critical: Levels | None = None
    good: Levels | None = None
    spans: Spans | None = None

    def __post_init__(self) -> None:
        if self.end_ms < self.start_ms:
            raise ValueError(f"expected a window that ends after its start, got {self}")
        if self.every_ms is not None and self.every_ms < 1:
            raise ValueError(f"expected a spacing of 1 ms or more, got every_ms={self.every_ms}")
        if self.spans:
            borders = [border for span in self.spans for border in span]
            ordered = all(border < following for border, following in pairwise(borders))
            if not ordered or borders[0] < self.start_ms or borders[-1] > self.end_ms:
                raise ValueError(f"expected spans in order, apart and inside the window, got {self}")

    @property
    def judged(self) -> Spans:
        """The parts of the window that are judged."""
        if self.spans is not None:
            return self.spans
        return ((self.start_ms, self.end_ms),) if self.start_ms < self.end_ms else ()

    @property
    def expected_ms(self) -> int:
        """How much of the window is judged."""
        return length_ms(self.judged)

    def levels(self, name: LevelName) -> Levels | None:
        """The levels of that name; None where the window has none."""
        return {"warning": self.warning, "critical": self.critical, "good": self.good}[name]


def load_windows(connection: duckdb.DuckDBPyConnection, windows: Sequence[SubjectWindow]) -> None:
    """Fills the table WINDOWS: window_id, subject, start_ms, end_ms, every_ms, and per level name
    ``<name>_high``, ``_low``, ``_equal``, ``_unequal`` and ``_for_ms``; NULL where nothing is asked. And the
    table SPANS.
    """
    columns: dict[str, npt.NDArray[np.generic]] = {
        "window_id": np.arange(len(windows), dtype=np.int32),
        "subject": np.array([window.subject for window in windows], dtype=np.int32),
        "start_ms": np.array([window.start_ms for window in windows], dtype=np.int64),
        "end_ms": np.array([window.end_ms for window in windows], dtype=np.int64),
        "every_ms": _nullable([window.every_ms for window in windows], np.int64),
    }
    for name in LEVEL_NAMES:
        levels = [window.levels(name) or _NOT_ASKED for window in windows]
        columns[f"{name}_for_ms"] = np.array([each.for_ms for each in levels], dtype=np.int64)
        for comparison in COMPARISONS:
            asked: list[float | None] = [getattr(each, comparison) for each in levels]
            columns[f"{name}_{comparison}"] = _nullable(asked, np.float64)
    load_table(connection, WINDOWS, columns)
    spans = [(window_id, *span) for window_id, window in enumerate(windows) for span in window.judged]
    load_table(
        connection,
        SPANS,
        {
            "window_id": np.array([window_id for window_id, _, _ in spans], dtype=np.int32),
            "span_start": np.array([start_ms for _, start_ms, _ in spans], dtype=np.int64),
            "span_end": np.array([end_ms for _, _, end_ms in spans], dtype=np.int64),
        },
    )


def load_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, npt.NDArray[np.generic]]
) -> None:
    """Makes a temporary table of that name from the columns, in the place of one that is there."""
    connection.register("setpoint_asked", columns)
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM setpoint_asked")
    finally:
        connection.unregister("setpoint_asked")


def condition_sql(name: LevelName, windows: Sequence[SubjectWindow]) -> str:
    """SQL that is true where the column ``value`` meets the condition of that name.

    A comparison that one window asks for is NULL in the others, and leaves theirs their say. One that none
    asks for is left out: a comparison with NULL takes as long as any other.
    """
    asked = [levels for window in windows if (levels := window.levels(name)) is not None]
    comparisons = (
        f"value {sign} {name}_{column}"
        for column, sign in COMPARISONS.items()
        if any(getattr(levels, column) is not None for levels in asked)
    )
    return f"({' OR '.join(comparisons) or 'false'})"


def _nullable(
    values: Sequence[float | None], dtype: type[np.int64] | type[np.float64]
) -> npt.NDArray[np.generic]:
    # DuckDB reads a masked array's masked entries as NULL. A NaN would not do: DuckDB sorts it above
    # every number, so "value < NaN" is true.
    filled = [0 if value is None else value for value in values]
    return np.ma.array(filled, dtype=dtype, mask=[value is None for value in values])
