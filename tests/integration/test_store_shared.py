"""Two collectors on one server: what one has written, the other one sees when it asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.series import SeriesTable
from collector.store.base import Metric, Store
from collector.store.open import open_store
from collector.store.settings import InfluxDBSettings, VictoriaMetricsSettings
from setpoint.units import Duration
from tests.servers import wait_until
from tests.store_servers import Influxd, VictoriaMetrics
from tests.store_site import BASE_MS, CPU, Site

HOST = (("host", "mon-01"),)


@pytest.fixture(params=["influxdb1", "victoriametrics"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Site, Site]]:
    """Both were opened when there was nothing."""
    kind = {"influxdb1": Influxd, "victoriametrics": VictoriaMetrics}[request.param]
    with kind(tmp_path / "server") as server:
        if isinstance(server, VictoriaMetrics):
            server.wait_until_grown_up()
            settings = VictoriaMetricsSettings(url=server.url, safe_after=Duration(0))
        else:
            settings = InfluxDBSettings(url=server.url)

        def opened(series: SeriesTable) -> Store:
            return open_store(settings, tmp_path / "data", series)

        settle = server.flush if isinstance(server, VictoriaMetrics) else lambda: None
        one, two = Site(opened, settle), Site(opened, settle)
        yield one, two
        one.close()
        two.close()


def test_series_and_newest_values_of_another_collector_are_taken_over(pair: tuple[Site, Site]) -> None:
    one, two = pair
    two.write(two.batch("cpu,host=mon-01 busy=1 1000", "cpu,host=mon-01 busy=7.5 3000"))
    assert one.samples() == {}

    def taken() -> bool:
        one.series.take_over(one.store.newest(BASE_MS))
        return len(one.series) > 0

    wait_until(taken, timeout_s=20, what="the other's series")  # VictoriaMetrics' index may be late
    [samples] = one.samples().values()
    assert samples == [(1000, 1.0), (3000, 7.5)]
    [(number, key)] = one.series.of_metric(*CPU)
    assert key.tags == HOST
    assert one.series.entry(number).first_ms == BASE_MS + 1000
    assert (one.series.last_ms(number), one.series.last_value[number]) == (BASE_MS + 3000, 7.5)


def test_a_series_that_is_known_gets_the_newer_value_and_the_earlier_beginning(
    pair: tuple[Site, Site],
) -> None:
    one, two = pair
    batch = one.batch("cpu,host=mon-01 busy=2 2000")
    one.write(batch)
    one.series.observe(batch.series, batch.time_ms, batch.value)
    two.write(two.batch("cpu,host=mon-01 busy=1 1000", sequence=2))

    def taken() -> bool:
        one.series.take_over(one.store.newest(BASE_MS))
        return one.series.entry(0).first_ms == BASE_MS + 1000

    wait_until(taken, timeout_s=20, what="the earlier sample")
    assert len(one.series) == 1
    # A newer value is not undone by an older one.
    assert (one.series.last_ms(0), one.series.last_value[0]) == (BASE_MS + 2000, 2.0)


def test_text_of_another_collector_is_no_number(pair: tuple[Site, Site]) -> None:
    one, two = pair
    two.write(two.batch('os,host=mon-01 name="Debian" 1000'))

    def taken() -> bool:
        one.series.take_over(one.store.newest(BASE_MS))
        return len(one.series) > 0

    wait_until(taken, timeout_s=20, what="the other's series")
    [(number, _)] = one.series.of_metric(*Metric("os", "name"))
    assert one.series.last_ms(number) is None
