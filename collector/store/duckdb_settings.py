"""How DuckDB is set up, for the embedded store and for what of a server's data a review has in memory."""

from __future__ import annotations

Settings = dict[str, str | bool | int | float | list[str]]


def duckdb_settings(memory_bytes: int, threads: int, spill: str) -> Settings:
    """What to open a database with. Past ``memory_bytes`` it spills into files in the folder ``spill``."""
    return {
        "memory_limit": f"{memory_bytes // 1_000_000}MB",
        "threads": str(threads),
        "temp_directory": spill,
        # A column store sorts nothing for us; keeping the insertion order costs memory.
        "preserve_insertion_order": "false",
        # Where it expects few rows, DuckDB compares each with all of the other side. Behind joins of ranges
        # it expects one row where there are a hundred thousand, and the query would take hours.
        "asof_loop_join_threshold": "0",
    }
