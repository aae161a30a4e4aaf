"""What ``collector.yaml`` can say about the store; ``engine`` chooses which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from setpoint.units import Duration, Secret, Size


class DuckDBSettings(
    msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="engine", tag="duckdb"
):
    """The embedded store: a file in the data folder. ``retention``: how long readings are kept."""

    retention: Duration = Duration(400 * 86_400_000)
    memory: Size = Size(1_000_000_000)
    threads: int = 2

    def problems(self) -> Sequence[tuple[str, str]]:
        found = _memory_problems(self.memory)
        if self.threads < 1:
            found.append(("threads", f"expected at least 1, got {self.threads}"))
        return found


class InfluxDBSettings(
    msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="engine", tag="influxdb"
):
    """InfluxDB 1.x, 2.x or 3.x. ``database``: the bucket on 2.x, in ``organization``; it is made, to keep
    data for ``retention``, when it is not there and the credential may. ``token``, or ``username`` and
    ``password`` on 1.x. ``generation``: needed where a proxy hides the version. ``memory``: of a review.
    ``ca``: the file with the authority that signed the server's certificate (the system's, when unset).
    """

    url: str = "http://127.0.0.1:8086"
    database: str = "setpoint"
    organization: str = ""
    token: Secret | None = None
    username: str = ""
    password: Secret | None = None
    generation: Literal["auto", "1", "2", "3"] = "auto"
    retention: Duration = Duration(400 * 86_400_000)
    timeout: Duration = Duration(30_000)
    memory: Size = Size(1_000_000_000)
    ca: str | None = None

    def problems(self) -> Sequence[tuple[str, str]]:
        found = _url_problems("url", self.url) + _memory_problems(self.memory)
        if not self.database:
            found.append(("database", "expected a name"))
        if self.token and self.username:
            found.append(("token", "expected either a token or a username, got both"))
        return found


class VictoriaMetricsSettings(
    msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="engine", tag="victoriametrics"
):
    """VictoriaMetrics. A single node has one ``url``; of a cluster, ``url`` is vmselect's with the tenant
    (``http://vmselect:8481/select/0/prometheus``), ``write_url`` vminsert's
    (``http://vminsert:8480/insert/0/influx``), and ``storage_urls`` those of all vmstorage.

    ``safe_after``: how long the server has to run on after a write before that is acked; what it got in
    its last seconds is lost when it is killed. ``unconfirmed``: the most that may wait for that.
    ``retention``: how far back series are looked for at start; how long data is kept is set at the server.
    """

    url: str = "http://127.0.0.1:8428"
    write_url: str = ""
    storage_urls: list[str] = []
    username: str = ""
    password: Secret | None = None
    token: Secret | None = None
    safe_after: Duration = Duration(15_000)
    unconfirmed: Size = Size(128_000_000)
    retention: Duration = Duration(31 * 86_400_000)
    timeout: Duration = Duration(30_000)
    memory: Size = Size(1_000_000_000)
    ca: str | None = None

    def problems(self) -> Sequence[tuple[str, str]]:
        found = _url_problems("url", self.url) + _memory_problems(self.memory)
        if self.write_url:
            found += _url_problems("write_url", self.write_url)
            if not self.storage_urls:
                found.append(
                    ("storage_urls", "expected the address of every vmstorage, whose restarts are watched")
                )
        for number, url in enumerate(self.storage_urls):
            found += _url_problems(f"storage_urls[{number}]", url)
        if self.unconfirmed < 10_000_000:
            found.append(("unconfirmed", f"expected at least 10MB, got {int(self.unconfirmed)} bytes"))
        if self.token and self.username:
            found.append(("token", "expected either a token or a username, got both"))
        return found


StoreSettings = DuckDBSettings | InfluxDBSettings | VictoriaMetricsSettings


def _memory_problems(memory: Size) -> list[tuple[str, str]]:
    if memory < 100_000_000:
        return [("memory", f"expected at least 100MB, got {int(memory)} bytes")]
    return []


def _url_problems(key: str, url: str) -> list[tuple[str, str]]:
    parts = urlsplit(url)
    if parts.username or parts.password:
        return [(key, "expected no credential in the address, which is logged; use username and password")]
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return [(key, f'expected http:// or https:// and a host, got "{url}"')]
    return []
