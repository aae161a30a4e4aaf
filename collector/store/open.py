"""The store that the settings name."""

from __future__ import annotations

from pathlib import Path

from collector.series import SeriesTable
from collector.store.base import Store
from collector.store.settings import InfluxDBSettings, StoreSettings, VictoriaMetricsSettings


def open_store(settings: StoreSettings, data: Path, series: SeriesTable) -> Store:
    """Opens it, and fills ``series`` with what it holds. ``data``: the collector's folder.

    StoreUnavailable when it cannot be reached, is not ours to use, or another process owns it; SchemaError
    when a newer version wrote it.
    """
    data.mkdir(parents=True, exist_ok=True)
    # A client library is imported where it is used: a site has one engine.
    if isinstance(settings, InfluxDBSettings):
        from collector.store.influxdb import InfluxDBStore

        return InfluxDBStore(settings, series, str(data / "spill"))
    if isinstance(settings, VictoriaMetricsSettings):
        from collector.store.victoriametrics import VictoriaMetricsStore

        return VictoriaMetricsStore(settings, series, str(data / "spill"))
    from collector.store.duckdb import DuckDBStore

    return DuckDBStore(data / "store.duckdb", series, memory_bytes=settings.memory, threads=settings.threads)
