"""What ``collector.yaml`` can say."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from collector.broker.settings import EmbeddedBrokerSettings
from collector.store.settings import DuckDBSettings, StoreSettings
from setpoint.broker_settings import BrokerSettings
from setpoint.config import Loaded, load
from setpoint.topics import is_name
from setpoint.units import Duration, Size


class CollectorIdentity(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``name`` tells collectors apart at the broker, and is the tag ``host`` of what the collector measures
    of itself; ``data`` is the folder of store and register; ``plan`` is the plan's file. ``share``: the name
    of a group of collectors that take turns with the readings and write to one store (docs/scaling.md); each
    has a name of its own, and one of them reviews.
    """

    name: str = "collector"
    data: str = "data/collector"
    plan: str = "config/plan.yaml"
    share: str = ""

    def problems(self) -> Sequence[tuple[str, str]]:
        return [
            (key, f'expected letters, digits, ". _ -", got "{name}"')
            for key, name in (("name", self.name), ("share", self.share))
            if not is_name(name) and (name or key == "name")
        ]


class Source(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Another publisher's topic (Telegraf, a script): line protocol without acks."""

    topic: str
    site: str = "hq"


class ReceiveSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Bounds of what is taken in. ``queue``: bytes that wait for the store; beyond it the oldest messages are
    dropped unacked, and come again. ``group``: the most that one commit takes.
    """

    queue: Size = Size(64_000_000)
    group: Size = Size(8_000_000)
    payload: Size = Size(1_048_576)
    body: Size = Size(8_388_608)
    line: Size = Size(65_536)
    tags_per_line: int = 32
    series_per_agent: int = 100_000
    new_series_per_agent_hour: int = 20_000
    future: Duration = Duration(300_000)
    rejected: Size = Size(50_000_000)


class WebSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The page and the API. They show everything and ask nobody who he is: keep them on loopback, or
    behind a proxy that does. ``allowed_hosts``: names under which they are asked, such as the proxy's.
    """

    listen: str = "127.0.0.1"
    port: int = 8480
    allowed_hosts: list[str] = []


class ReviewSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``every``: how often the running period is looked at again. ``enabled``: false for all but one of the
    collectors that share the readings; the findings and the present state are with that one.
    ``keep_rollups``: for how long what every hour showed is kept (docs/rollups.md).
    """

    every: Duration = Duration(60_000)
    enabled: bool = True
    keep_rollups: Duration = Duration(5 * 366 * 86_400_000)


class GrafanaSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``url``: the address by which people reach Grafana. With it each finding has a link to the panel and
    the window that show it.
    """

    url: str = ""

    def problems(self) -> Sequence[tuple[str, str]]:
        parts = urllib.parse.urlsplit(self.url)
        if self.url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
            return [("url", f'expected an address such as http://grafana.example:3000, got "{self.url}"')]
        return ()


class ThresholdSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``names``: files, beside this one, that say what the metrics of other tools are called here; they go
    before the table that comes with Setpoint.
    """

    names: list[str] = []


class LogSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"


class CollectorSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    collector: CollectorIdentity = msgspec.field(default_factory=CollectorIdentity)
    broker: BrokerSettings = msgspec.field(default_factory=BrokerSettings)
    embedded_broker: EmbeddedBrokerSettings = msgspec.field(default_factory=EmbeddedBrokerSettings)
    sources: list[Source] = []
    receive: ReceiveSettings = msgspec.field(default_factory=ReceiveSettings)
    store: StoreSettings = msgspec.field(default_factory=DuckDBSettings)
    review: ReviewSettings = msgspec.field(default_factory=ReviewSettings)
    web: WebSettings = msgspec.field(default_factory=WebSettings)
    grafana: GrafanaSettings = msgspec.field(default_factory=GrafanaSettings)
    thresholds: ThresholdSettings = msgspec.field(default_factory=ThresholdSettings)
    log: LogSettings = msgspec.field(default_factory=LogSettings)

    def problems(self) -> Sequence[tuple[str, str]]:
        if self.collector.share and isinstance(self.store, DuckDBSettings):
            text = (
                "expected the engine influxdb or victoriametrics in store: a DuckDB file has one owner, so "
                "collectors cannot share the readings"
            )
            return [("collector.share", text)]
        return []


def load_settings(path: Path) -> Loaded[CollectorSettings]:
    """The settings in the file. ConfigError with everything that is wrong in it."""
    return load(path, CollectorSettings)
