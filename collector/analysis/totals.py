"""What adds up over a window: times, sums, extremes, the histogram. Read from the table SAMPLES."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from collector.analysis.histogram import Bins, Histogram
from collector.analysis.segments import SAMPLES
from collector.analysis.windows import WINDOWS, SubjectWindow, condition_sql

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Totals:
    """Of one window; what nothing was measured for is None."""

    every_ms: int | None
    samples: int
    first_ms: int | None
    last_ms: int | None
    last: float | None
    measured_ms: int
    good_ms: int
    min: float | None
    max: float | None
    share_sum: float
    """The sum of the values, each weighted with its part of the window's length."""
    ratio_part: float | None
    ratio_whole: float | None


# Weights below 1 keep the sum of the largest floats finite; divided by a power of two they are exact. fsum
# is Kahan's summation: the order of the rows, which differs from run to run, then stays out of the 12 digits
# that are shown.
_TOTALS = f"""
SELECT
    every_ms,
    coalesce(samples, 0),
    first_ms,
    last_ms,
    last_value,
    coalesce(measured_ms, 0),
    coalesce(good_ms, 0),
    low,
    high,
    coalesce(share_sum * ({{longest_ms}} / (end_ms - start_ms)), 0),
    {{ratio}}
FROM {WINDOWS} LEFT JOIN (
    SELECT
        window_id,
        count(*) FILTER (inside) AS samples,
        min(t) FILTER (inside) AS first_ms,
        max(t) FILTER (inside) AS last_ms,
        arg_max_null(value, t) FILTER (inside) AS last_value,
        sum(length_ms)::BIGINT AS measured_ms,
        {{good}} AS good_ms,
        min(value) FILTER (length_ms > 0) AS low,
        max(value) FILTER (length_ms > 0) AS high,
        fsum(value * (length_ms / {{longest_ms}})) FILTER (length_ms > 0) AS share_sum
        {{sums}}
    FROM (SELECT *, CASE WHEN ends > begins THEN ends - begins END AS length_ms FROM {SAMPLES}) {{judged}}
    GROUP BY window_id
) USING (window_id)
ORDER BY window_id
"""


def read_totals(
    connection: duckdb.DuckDBPyConnection, windows: Sequence[SubjectWindow], *, is_ratio: bool
) -> list[Totals]:
    judges = any(window.good is not None for window in windows)
    longest_ms = max(window.end_ms - window.start_ms for window in windows)
    statement = _TOTALS.format(
        ratio="coalesce(part_sum, 0), coalesce(whole_sum, 0)" if is_ratio else "NULL, NULL",
        sums=", fsum(part) AS part_sum, fsum(whole) AS whole_sum" if is_ratio else "",
        good=f"sum(length_ms) FILTER {condition_sql('good', windows)}::BIGINT" if judges else "0",
        judged=f"JOIN {WINDOWS} USING (window_id)" if judges else "",
        longest_ms=f"'{2 ** longest_ms.bit_length()}'::DOUBLE",
    )
    return [Totals(*row) for row in connection.execute(statement).fetchall()]


def read_histograms(connection: duckdb.DuckDBPyConnection, bins: Bins) -> dict[int, Histogram]:
    # Two thousand subjects have some 400,000 bins: as arrays, these are read three times as fast as rows.
    columns = connection.execute(
        f"SELECT window_id, {bins.key_sql('value')} AS bin, sum(ends - begins)::BIGINT AS length_ms"
        f" FROM {SAMPLES} WHERE ends > begins AND value IS NOT NULL"
        " GROUP BY window_id, bin ORDER BY window_id, bin"
    ).fetchnumpy()
    window_ids, starts = np.unique(columns["window_id"], return_index=True)
    return {
        int(window_id): dict(zip(keys.tolist(), lengths_ms.tolist(), strict=True))
        for window_id, keys, lengths_ms in zip(
            window_ids,
            np.split(columns["bin"], starts[1:]),
            np.split(columns["length_ms"], starts[1:]),
            strict=False,  # of nothing, np.split still makes one part
        )
    }
