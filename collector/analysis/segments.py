"""From samples to time: how long each sample's value stands inside its subject's window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collector.analysis.windows import SPANS, WINDOWS

if TYPE_CHECKING:
    from collector.store.base import Train

SAMPLES: Final = "setpoint_samples"
"""The temporary table of the samples: window_id, t, value, begins, ends, inside.

Where ends > begins, the value stands in [begins, ends), which lies inside a span of the window and overlaps
no other. Elsewhere the sample has no measured time there. A sample that stands in several spans has a row for
each; in at most one of these it is ``inside``: its own time lies in the span.
"""

_TRAIN: Final = "setpoint_train"

# Spacings are counted per distinct length, not sorted per sample: DuckDB's quantile functions keep all
# values in memory and do not spill to disk.
_MEDIAN_SPACING = f"""
UPDATE {WINDOWS} SET every_ms = median.spacing
FROM (
    SELECT window_id, min(spacing) AS spacing
    FROM (
        SELECT
            window_id,
            spacing,
            sum(n) OVER (PARTITION BY window_id ORDER BY spacing) AS n_up_to_here,
            sum(n) OVER (PARTITION BY window_id) AS n_in_all
        FROM (
            SELECT window_id, spacing, count(*) AS n
            FROM (
                SELECT
                    window_id,
                    lead(t) OVER (PARTITION BY window_id, span_start ORDER BY t) - t AS spacing
                FROM {_TRAIN} JOIN {WINDOWS} USING (subject) JOIN {SPANS} USING (window_id)
                WHERE every_ms IS NULL AND t >= span_start AND t < span_end AND {{usable}}
            )
            WHERE spacing > 0  -- 0: the same time twice
            GROUP BY window_id, spacing
        )
    )
    WHERE 2 * n_up_to_here >= n_in_all
    GROUP BY window_id
) AS median
WHERE {WINDOWS}.window_id = median.window_id
"""

# One row per window and time. For a rate the samples after the window count too, because the interval
# that leads to the first of them began inside.
_SAMPLE = f"""
    SELECT window_id, t, max(value) AS value
    FROM {_TRAIN} JOIN {WINDOWS} USING (subject)
    WHERE
        t >= start_ms - coalesce(2 * every_ms, 0)
        AND t < end_ms + {{reach_after}}
        AND {{usable}}
    GROUP BY window_id, t
"""

# What stands where is cut into the spans. least() and greatest() pass over NULL, which is for what stands
# nowhere; that is why both borders are asked for.
_IN_SPANS = f"""
SELECT
    window_id,
    t,
    value,
    CASE WHEN ends IS NOT NULL THEN greatest(begins, span_start) END AS begins,
    CASE WHEN ends IS NOT NULL THEN least(ends, span_end) END AS ends,
    t >= span_start AND t < span_end AS inside
FROM stood JOIN {SPANS} USING (window_id)
WHERE (begins < span_end AND ends > span_start) OR (t >= span_start AND t < span_end)
"""

# The last sample has no next one and stands its full time.
_STANDING = f"""
CREATE OR REPLACE TEMP TABLE {SAMPLES} AS
WITH
sample AS ({_SAMPLE}),
followed AS (
    SELECT *, lead(t) OVER (PARTITION BY window_id ORDER BY t) AS next_t
    FROM sample
),
stood AS (
    SELECT
        window_id,
        t,
        value * {{scale}} AS value,
        t AS begins,
        CASE WHEN every_ms IS NOT NULL THEN least(t + 2 * every_ms, next_t) END AS ends
    FROM followed JOIN {WINDOWS} USING (window_id)
)
{_IN_SPANS}
"""

_RATE = f"""
CREATE OR REPLACE TEMP TABLE {SAMPLES} AS
WITH
sample AS ({_SAMPLE}),
preceded AS (
    SELECT window_id, t, value, lag(t) OVER train AS former_t, lag(value) OVER train AS former
    FROM sample
    WINDOW train AS (PARTITION BY window_id ORDER BY t)
),
rated AS (
    SELECT
        window_id,
        t,
        former_t,
        CASE
            WHEN value >= former AND t - former_t <= 2 * every_ms
            THEN (value - former) / ((t - former_t) / 1000) * {{scale}}
        END AS value
    FROM preceded JOIN {WINDOWS} USING (window_id)
),
stood AS (
    SELECT
        window_id,
        t,
        CASE WHEN isfinite(value) THEN value END AS value,
        CASE WHEN isfinite(value) THEN former_t END AS begins,
        CASE WHEN isfinite(value) THEN t END AS ends
    FROM rated
)
{_IN_SPANS}
"""


def load_samples(train: Train, *, rate: bool, scale: float, unknown_spacing: bool) -> None:
    """Fills the table SAMPLES from the train, for the windows in WINDOWS.

    ``unknown_spacing`` says that some of these have no ``every_ms``; it is then filled in with the lower
    median of the spacings in the window, and stays NULL below two samples.
    """
    # Read from its text, a DOUBLE literal is exact; a bare 0.1 would be a DECIMAL.
    scale_sql = f"'{scale!r}'::DOUBLE"
    usable = "isfinite(value)" if rate else f"isfinite(value) AND isfinite(value * {scale_sql})"
    if unknown_spacing:
        train.relation.query(_TRAIN, _MEDIAN_SPACING.format(usable=usable))
    reach_after = "coalesce(2 * every_ms, 0)" if rate else "0"
    statement = _RATE if rate else _STANDING
    train.relation.query(_TRAIN, statement.format(usable=usable, reach_after=reach_after, scale=scale_sql))
