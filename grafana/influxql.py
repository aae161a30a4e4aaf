"""A query in InfluxQL, which the SDK has no class for.

The keys are those that Grafana's InfluxDB data source stores of a query in text form
(``public/app/plugins/datasource/influxdb/types.ts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models.dashboard import DataSourceRef

ResultFormat = Literal["time_series", "table"]


@dataclass(frozen=True, kw_only=True)
class InfluxQL(variants.Dataquery):
    """One target of a panel. ``alias`` names the lines of a graph: ``$tag_host``."""

    query: str
    ref_id: str
    datasource: DataSourceRef
    alias: str = ""
    result_format: ResultFormat = "time_series"

    def to_json(self) -> dict[str, object]:
        return {
            "datasource": self.datasource,
            "query": self.query,
            "rawQuery": True,
            "resultFormat": self.result_format,
            "alias": self.alias,
            "refId": self.ref_id,
        }
