"""Breaches: runs of time beyond a level, and the episodes among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.analysis.segments import SAMPLES
from collector.analysis.windows import WINDOWS, LevelName, SubjectWindow, condition_sql

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Breaches:
    """The time that one subject spent beyond one level, in milliseconds.

    A run is breaching time without a gap: a hole ends it, and so does a value that does not breach. An
    episode is a run that lasts at least the level's ``for_ms``. Both are cut at the window's borders.
    """

    breach_ms: int = 0
    """All runs, however short."""
    episodes: int = 0
    episode_ms: int = 0
    longest_ms: int = 0
    """The longest episode; 0 when there is none."""
    longest: tuple[tuple[int, int], ...] = ()
    """(start, end) of the longest episodes, the earlier of two equals, in order of time."""
    open_at_start_ms: int = 0
    """The run that the window begins with, however short; the window's length when it fills it."""
    open_at_end_ms: int = 0
    """The run that the window ends with, likewise."""


_BREACHING = f"""
    SELECT window_id, '{{level}}' AS level, {{level}}_for_ms AS for_ms, start_ms, end_ms, begins, ends
    FROM {SAMPLES} JOIN {WINDOWS} USING (window_id)
    WHERE ends > begins AND {{condition}}
"""

# Only the first and the last segment of a run are kept for the pairing of start with end, so a breach
# that lasts for weeks is sorted once and not twice.
_BREACHES = """
WITH
breaching AS ({breaching}),
edge AS (
    SELECT
        *,
        begins IS DISTINCT FROM lag(ends) OVER train AS opens,
        ends IS DISTINCT FROM lead(begins) OVER train AS closes
    FROM breaching
    WINDOW train AS (PARTITION BY window_id, level ORDER BY begins)
    QUALIFY opens OR closes
),
run AS (
    SELECT * REPLACE (CASE WHEN closes THEN ends ELSE lead(ends) OVER train END AS ends)
    FROM edge
    WINDOW train AS (PARTITION BY window_id, level ORDER BY begins)
    QUALIFY opens
),
ranked AS (
    SELECT
        *,
        ends - begins AS length_ms,
        row_number() OVER (PARTITION BY window_id, level ORDER BY ends - begins DESC, begins) AS rank
    FROM run
)
SELECT
    window_id,
    level,
    sum(length_ms)::BIGINT,
    count(*) FILTER (length_ms >= for_ms),
    coalesce(sum(length_ms) FILTER (length_ms >= for_ms), 0)::BIGINT,
    coalesce(max(length_ms) FILTER (length_ms >= for_ms), 0),
    coalesce(
        list((begins, ends) ORDER BY begins) FILTER (length_ms >= for_ms AND rank <= {max_episodes}), []
    ),
    coalesce(max(length_ms) FILTER (begins = start_ms), 0),
    coalesce(max(length_ms) FILTER (ends = end_ms), 0)
FROM ranked
GROUP BY window_id, level
"""


def read_breaches(
    connection: duckdb.DuckDBPyConnection,
    windows: Sequence[SubjectWindow],
    levels: Sequence[LevelName],
    max_episodes: int,
) -> dict[tuple[int, str], Breaches]:
    """The breaches of every window in WINDOWS and level that has any, by (window_id, level name)."""
    if not levels:
        return {}
    breaching = " UNION ALL ".join(
        _BREACHING.format(level=level, condition=condition_sql(level, windows)) for level in levels
    )
    statement = _BREACHES.format(breaching=breaching, max_episodes=max_episodes)
    return {
        (window_id, level): Breaches(
            breach_ms=breach_ms,
            episodes=episodes,
            episode_ms=episode_ms,
            longest_ms=longest_ms,
            longest=tuple(longest),
            open_at_start_ms=open_at_start_ms,
            open_at_end_ms=open_at_end_ms,
        )
        for (
            window_id,
            level,
            breach_ms,
            episodes,
            episode_ms,
            longest_ms,
            longest,
            open_at_start_ms,
            open_at_end_ms,
        ) in connection.execute(statement).fetchall()
    }
