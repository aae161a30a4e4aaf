"""What only InfluxDB does: conflicts of types, refused lines, databases and the right to make them."""

from __future__ import annotations

import base64
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.series import SeriesTable
from collector.store.base import Metric, StoreUnavailable
from collector.store.influxdb import InfluxDBStore
from collector.store.settings import InfluxDBSettings
from setpoint.units import Duration, Secret
from tests.store_servers import Influxd
from tests.store_site import BASE_MS, Site, line

HOST = (("host", "mon-01"),)


@pytest.fixture(scope="module")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    with Influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture
def settings(influxd: Influxd, request: pytest.FixtureRequest) -> InfluxDBSettings:
    return InfluxDBSettings(url=influxd.url, database=request.node.name[:60])


@pytest.fixture
def site(settings: InfluxDBSettings, tmp_path: Path) -> Iterator[Site]:
    site = Site(lambda series: InfluxDBStore(settings, series, str(tmp_path)))
    yield site
    site.close()


def outside(influxd: Influxd, settings: InfluxDBSettings, body: str) -> None:
    """Written by another program."""
    url = f"{influxd.url}/write?db={settings.database}"
    urllib.request.urlopen(url, body.encode(), timeout=10).close()


def test_series_that_differ_in_the_type_of_a_field_are_all_kept(site: Site) -> None:
    """InfluxDB 1.6.7 writes nothing at all of a request with both types in it when the field is new."""
    result = site.write(
        site.batch(
            "m,host=mon-01,name=a v=1.5,w=1 10",
            "m,host=mon-01,name=b v=2i,w=2 10",
            "m,host=mon-01,name=c v=t,w=3 10",
            "other,host=mon-01 v=4i 10",
        )
    )
    assert result.refused == []
    values = sorted(value for samples in site.samples(Metric("m", "v")).values() for _, value in samples)
    assert values == [1.0, 1.5, 2.0]
    assert site.samples(Metric("other", "v")) == {HOST: [(10, 4.0)]}


def test_a_type_that_the_server_has_from_elsewhere_is_followed(
    site: Site, influxd: Influxd, settings: InfluxDBSettings
) -> None:
    outside(influxd, settings, f"cpu,host=other busy=1i {BASE_MS}000000")
    result = site.write(
        site.batch(line(7.0, 1), line(7.5, 2), "cpu,host=mon-01 idle=3 2", "mem,host=mon-01 u=1 2")
    )
    [refused] = result.refused
    assert refused.line.startswith(b"cpu,host=mon-01 busy=7.5 ")
    assert "integer" in refused.reason
    assert site.values() == [7.0]
    assert site.samples(Metric("cpu", "idle")) == {HOST: [(2, 3.0)]}
    assert site.samples(Metric("mem", "u")) == {HOST: [(2, 1.0)]}


def test_a_text_where_the_server_has_numbers_is_refused_and_nothing_else(
    site: Site, influxd: Influxd, settings: InfluxDBSettings
) -> None:
    outside(influxd, settings, f"os,host=other name=1 {BASE_MS}000000")
    result = site.write(site.batch('os,host=mon-01 name="Debian",n=1 5', line(1, 1)))
    assert [refused.line.split(b" ")[1] for refused in result.refused] == [b'name="Debian"']
    assert site.samples(Metric("os", "n")) == {HOST: [(5, 1.0)]}
    assert site.values() == [1.0]


def test_lines_that_the_server_refuses_are_found_among_good_ones(tmp_path: Path, influxd: Influxd) -> None:
    """Beyond the retention 1.6.7 says how many it dropped, and not which."""
    settings = InfluxDBSettings(url=influxd.url, database="short", retention=Duration(3 * 86_400_000))
    site = Site(lambda series: InfluxDBStore(settings, series, str(tmp_path)))
    old = -20 * 86_400_000
    lines = [line(n, old if n in (7, 300, 301) else n) for n in range(500)]
    result = site.write(site.batch(*lines))
    assert len(result.refused) == 3
    assert all("beyond retention policy" in refused.reason for refused in result.refused)
    assert [refused.line.split(b" ")[1] for refused in result.refused] == [
        b"busy=7",
        b"busy=300",
        b"busy=301",
    ]
    assert len(site.values()) == 497
    site.close()


@pytest.mark.usefixtures("site")
def test_the_database_is_made_with_its_retention(influxd: Influxd, settings: InfluxDBSettings) -> None:
    assert '"9600h0m0s"' in influxd.query("SHOW RETENTION POLICIES", db=settings.database)


def test_without_the_right_to_make_the_database_it_says_what_to_run(tmp_path: Path) -> None:
    with Influxd(tmp_path / "server", auth=True) as server:
        server.query("CREATE USER admin WITH PASSWORD 'top' WITH ALL PRIVILEGES")
        as_admin(server, "CREATE USER setpoint WITH PASSWORD 'low'")
        settings = InfluxDBSettings(url=server.url, username="setpoint", password=Secret("low"))
        with pytest.raises(StoreUnavailable) as refused:
            InfluxDBStore(settings, SeriesTable(), str(tmp_path))
        assert 'CREATE DATABASE "setpoint" WITH DURATION 34560000s' in str(refused.value)
        assert "low" not in str(refused.value).replace("allow", "")
        as_admin(server, 'CREATE DATABASE "setpoint"')
        as_admin(server, 'GRANT ALL ON "setpoint" TO setpoint')
        site = Site(lambda series: InfluxDBStore(settings, series, str(tmp_path)))
        site.write(site.batch(line(1, 1)))
        assert site.values() == [1.0]
        site.close()


def as_admin(server: Influxd, statement: str) -> None:
    header = {"Authorization": "Basic " + base64.b64encode(b"admin:top").decode()}
    body = urllib.parse.urlencode({"q": statement}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{server.url}/query", body, header), timeout=10).close()


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    settings = InfluxDBSettings(url="http://127.0.0.1:9", timeout=Duration(1_000))
    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:9/ping: connection refused"):
        InfluxDBStore(settings, SeriesTable(), str(tmp_path))
