"""From samples to time: how long each sample's value stands inside its subject's window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from collector.analysis.derived import OTHER, PLAIN, REACH_MS, UPTIME, UPTIME_OF, Derivation, load_derived
from collector.analysis.windows import SPANS, WINDOWS

if TYPE_CHECKING:
    import duckdb

    from collector.store.base import Train

SAMPLES: Final = "setpoint_samples"
"""The temporary table of the samples: window_id, t, value, begins, ends, inside, twice.

Where ends > begins, the value stands in [begins, ends), which lies inside a span of the window and overlaps
no other. Elsewhere the sample has no measured time there. A sample that stands in several spans has a row for
each; in at most one of these it is ``inside``: its own time lies in the span. ``twice`` is true nowhere.

Of a ratio, there is no value, but ``part`` and ``whole``: what of both sums counts in this stretch.
"""

PIECES: Final = "setpoint_pieces"
"""The temporary table of the spans as they are joined with samples: subject, window_id, every_ms, span_start,
span_end, bucket.
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
                FROM {{source}} JOIN {WINDOWS} USING (subject) JOIN {SPANS} USING (window_id)
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

# Windows and their spans, by subject and stretch of time ("bucket"): joined by the subject alone, each
# sample of a day would meet all its hours. A bucket is as long as the longest span with all that can
# stand into it, so that a span lies in two at most.
_BUCKET = f"""
SELECT
    coalesce(min(span_start - coalesce(2 * every_ms, 0)), 0),
    coalesce(max(span_end - span_start + coalesce(4 * every_ms, 0)), 0) + 1
FROM {WINDOWS} JOIN {SPANS} USING (window_id)
"""
_PIECES = f"""
CREATE OR REPLACE TEMP TABLE {PIECES} AS
SELECT
    subject,
    window_id,
    every_ms,
    span_start,
    span_end,
    unnest(range(
        (span_start - coalesce(2 * every_ms, 0) - {{origin}}) // {{length}},
        (span_end + coalesce(2 * every_ms, 0) - {{origin}}) // {{length}} + 1
    )) AS bucket
FROM {WINDOWS} JOIN {SPANS} USING (window_id)
"""
_JOIN_PIECES = f"""
    JOIN {PIECES} AS piece
    ON sample.subject = piece.subject
        AND (sample.t - {{origin}}) // {{length}} = piece.bucket
        AND sample.t >= span_start - coalesce(2 * every_ms, 0)
        AND sample.t < span_end + {{reach_after}}
"""

# The neighbours are sought before the windows are joined: then the sort moves three columns and no more.
_USABLE = f"""
    SELECT * FROM {{source}}
    WHERE {{usable}} AND subject IN (SELECT subject FROM {WINDOWS})
"""
# Grouping costs as much as sorting, and samples that came twice are rare.
_ONCE = f"SELECT subject, t, max(value) AS value {{max_other}} FROM ({_USABLE}) GROUP BY subject, t"

# What stands where is cut into the spans. least() and greatest() pass over NULL, which is for what stands
# nowhere; that is why both borders are asked for.
_IN_SPANS = """
SELECT
    window_id,
    t,
    {value},
    CASE WHEN ends IS NOT NULL THEN greatest(begins, span_start) END AS begins,
    CASE WHEN ends IS NOT NULL THEN least(ends, span_end) END AS ends,
    t >= span_start AND t < span_end AS inside,
    twice
    {parts}
FROM {stood}
WHERE (begins < span_end AND ends > span_start) OR (t >= span_start AND t < span_end) OR twice
"""

# The last sample has no next one and stands its full time.
_STANDING = f"""
CREATE OR REPLACE TEMP TABLE {SAMPLES} AS
WITH
sample AS (
    SELECT *, lead(t) OVER (PARTITION BY subject ORDER BY t) AS next_t
    FROM ({{samples}})
),
stood AS (
    SELECT
        piece.* EXCLUDE (bucket),
        t,
        value * {{scale}} AS value,
        t AS begins,
        CASE WHEN every_ms IS NOT NULL THEN least(t + 2 * every_ms, next_t) END AS ends,
        coalesce(next_t = t, false) AS twice
        {{amounts}}
    FROM sample {_JOIN_PIECES}
)
{{set_against}}
{_IN_SPANS}
"""

# A wrap leaves the uptime alone: the next one that is known reaches back to before the step. Where none
# is known there may have been a restart, and the interval is a hole.
_WRAPPED = f"""
wrapped AS (
    SELECT step.window_id, step.t
    FROM (
        SELECT window_id, source, sample.t, former_t, every_ms
        FROM sample JOIN {WINDOWS} USING (subject) JOIN {UPTIME_OF} USING (subject)
        WHERE ({{decreased}}) AND t - former_t <= 2 * every_ms AND t > start_ms AND former_t < end_ms
    ) AS step
    ASOF JOIN {UPTIME} AS later ON step.source = later.source AND step.t <= later.t
    WHERE
        later.t - step.t <= greatest(2 * every_ms, {REACH_MS})
        AND uptime_s * 1000 >= later.t - step.former_t
),
"""
_JOIN_WRAPPED: Final = "LEFT JOIN wrapped ON piece.window_id = wrapped.window_id AND sample.t = wrapped.t"
_WRAP: Final = 2**32


def _increase(column: str, *, wraps: bool) -> str:
    """SQL for the increase of a counter between two samples; NULL where it was reset."""
    increase = f"CASE WHEN {column} >= former_{column} THEN {column} - former_{column}"
    if wraps:
        increase += (
            f" WHEN wrapped.t IS NOT NULL AND former_{column} < {_WRAP} AND {column} >= 0"
            f" THEN {column} + ({_WRAP} - former_{column})"
        )
    return f"{increase} END"


_RATE = f"""
CREATE OR REPLACE TEMP TABLE {SAMPLES} AS
WITH
sample AS (
    SELECT
        subject, t, value, lag(t) OVER train AS former_t, lag(value) OVER train AS former_value {{former}}
    FROM ({{samples}})
    WINDOW train AS (PARTITION BY subject ORDER BY t)
),
{{wrapped}}
rated AS (
    SELECT
        piece.* EXCLUDE (bucket),
        sample.t,
        former_t,
        coalesce(sample.t = former_t, false) AS twice,
        CASE WHEN sample.t - former_t <= 2 * every_ms THEN {{rate}} END AS value
        {{amounts}}
    FROM sample {_JOIN_PIECES} {{join_wrapped}}
),
stood AS (
    SELECT
        * EXCLUDE (value, former_t),
        CASE WHEN isfinite(value) THEN value END AS value,
        CASE WHEN isfinite(value) THEN former_t END AS begins,
        CASE WHEN isfinite(value) THEN t END AS ends
    FROM rated
)
{{set_against}}
{_IN_SPANS}
"""

# The divisor is the newest one at the sample's time; a sample without one ends what stood before it, too.
_SET_AGAINST = f"""
, shares AS (
    SELECT
        stood.* EXCLUDE (value, begins, ends),
        100 * value / CASE
            WHEN stood.t - divisor.t <= greatest(2 * every_ms, {REACH_MS}) AND other <> 0 THEN other
        END AS share,
        CASE WHEN isfinite(share) THEN share END AS value,
        CASE WHEN isfinite(share) THEN begins END AS begins,
        CASE WHEN isfinite(share) THEN ends END AS ends
    FROM stood
    ASOF LEFT JOIN {OTHER} AS divisor ON stood.subject = divisor.subject AND stood.t >= divisor.t
)
"""

# A count per sample counts where its sample is; a counter's increase as far as its interval lies in the span.
_COUNTED_AT_ONCE = """
    , CASE WHEN inside THEN amount END AS part
    , CASE WHEN inside THEN amount_of_all END AS whole
"""
_COUNTED_EVENLY = """
    , amount * ((least(stood.ends, span_end) - greatest(stood.begins, span_start))
        / (stood.ends - stood.begins)) AS part
    , amount_of_all * ((least(stood.ends, span_end) - greatest(stood.begins, span_start))
        / (stood.ends - stood.begins)) AS whole
"""


def usable_sql(scale: float) -> str:
    """SQL that is true where the column ``value`` is a number and stays one when it is scaled."""
    return f"isfinite(value) AND isfinite(value * '{scale!r}'::DOUBLE)"


def find_spacings(train: Train, *, rate: bool, scale: float) -> list[int | None]:
    """The spacings of WINDOWS, in their order. Where none is planned, it is the lower median of those in the
    window, which is filled in there, too; it stays unknown below two samples.
    """
    usable = "isfinite(value)" if rate else usable_sql(scale)
    train.relation.query(_TRAIN, _MEDIAN_SPACING.format(source=_TRAIN, usable=usable))
    found = train.connection.execute(f"SELECT every_ms FROM {WINDOWS} ORDER BY window_id").fetchall()
    return [every_ms for (every_ms,) in found]


def load_samples(
    train: Train, *, rate: bool, scale: float, unknown_spacing: bool, derivation: Derivation = PLAIN
) -> None:
    """Fills the table SAMPLES from the train, for the windows in WINDOWS.

    ``unknown_spacing`` says that some of these have no ``every_ms``; it is then filled in with the lower
    median of the spacings in the window, and stays NULL below two samples. ``derivation`` says what the
    trains beside the train are for. ValueError when one is missing.
    """
    if derivation != PLAIN:
        load_derived(train, derivation)
    # Read from its text, a DOUBLE literal is exact; a bare 0.1 would be a DECIMAL.
    scale_sql = f"'{scale!r}'::DOUBLE"
    is_ratio = derivation.second == "ratio"
    plain = rate or is_ratio
    words = {
        "usable": "isfinite(value)" if plain else usable_sql(scale),
        # Of a ratio, both come at the same time, or neither counts.
        "source": f"(SELECT * FROM {_TRAIN} JOIN {OTHER} USING (subject, t))" if is_ratio else _TRAIN,
    }
    if unknown_spacing:
        train.relation.query(_TRAIN, _MEDIAN_SPACING.format(**words))
    _load_pieces(train.connection, words)
    words |= {
        "scale": scale_sql,
        "reach_after": "coalesce(2 * every_ms, 0)" if rate else "0",
        "max_other": ", max(other) AS other" if is_ratio else "",
        "set_against": _SET_AGAINST if derivation.second == "percent" else "",
        "stood": "shares AS stood" if derivation.second == "percent" else "stood",
        "value": "NULL::DOUBLE AS value" if is_ratio else "value",
        "parts": "",
        "amounts": "",
    }
    if is_ratio and not rate:
        words |= {
            "amounts": ", value AS amount, other AS amount_of_all",
            "parts": _COUNTED_AT_ONCE,
        }
    if rate:
        words |= _rate_words(scale_sql, is_ratio=is_ratio, wraps=derivation.wraps)
    statement = _RATE if rate else _STANDING
    train.relation.query(_TRAIN, statement.format(samples=_USABLE.format(**words), **words))
    if train.connection.execute(f"SELECT bool_or(twice) FROM {SAMPLES}").fetchall() == [(True,)]:
        train.relation.query(_TRAIN, statement.format(samples=_ONCE.format(**words), **words))


def _load_pieces(connection: duckdb.DuckDBPyConnection, words: dict[str, str]) -> None:
    """Fills the table PIECES, and adds to the words how it is joined."""
    ((origin, length),) = connection.execute(_BUCKET).fetchall()
    words |= {"origin": str(origin), "length": str(length)}
    connection.execute(_PIECES.format(**words))


def _rate_words(scale_sql: str, *, is_ratio: bool, wraps: bool) -> dict[str, str]:
    part, whole = (_increase(column, wraps=wraps) for column in ("value", "other"))
    decreased = "value < former_value" + (" OR other < former_other" if is_ratio else "")
    words = {
        "former": "",
        "rate": f"{part} / ((sample.t - former_t) / 1000) * {scale_sql}",
        "wrapped": _WRAPPED.format(decreased=decreased) if wraps else "",
        "join_wrapped": _JOIN_WRAPPED if wraps else "",
    }
    if is_ratio:
        words |= {
            "former": ", other, lag(other) OVER train AS former_other",
            # Where either is a hole, the stretch is one for both.
            "rate": f"{part} + {whole}",
            "amounts": f", {part} AS amount, {whole} AS amount_of_all",
            "parts": _COUNTED_EVENLY,
        }
    return words
