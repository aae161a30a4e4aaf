"""What every store has to do, the same cases on real servers.

Where SETPOINT_TEST_INFLUXDB2_URL, _TOKEN and _ORG, or SETPOINT_TEST_INFLUXDB3_URL and _TOKEN, are set, they
run there too, each in a database or bucket of its own.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from collector.series import SeriesTable
from collector.store.base import Asked, Metric, SeriesKey, Store
from collector.store.open import open_store
from collector.store.settings import (
    DuckDBSettings,
    InfluxDBSettings,
    StoreSettings,
    VictoriaMetricsSettings,
)
from setpoint.units import Duration
from tests.servers import wait_until
from tests.store_elsewhere import influxdb_elsewhere
from tests.store_servers import Influxd, VictoriaMetrics
from tests.store_site import BASE_MS, CPU, Site, everything, line

HOST = (("host", "mon-01"),)
CPU_KEY = ("cpu", HOST, "busy")
ENGINES = ["duckdb", "influxdb1", "victoriametrics"]
ENGINES += [f"influxdb{generation}" for generation in "23" if influxdb_elsewhere(generation)]


class Engine(NamedTuple):
    """``settle`` waits until what was written can be read."""

    settings: StoreSettings
    settle: Callable[[], None]


def nothing() -> None:
    pass


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    with Influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture(scope="session")
def victoria_metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaMetrics]:
    with VictoriaMetrics(tmp_path_factory.mktemp("victoria-metrics")) as server:
        server.wait_until_grown_up()
        yield server


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine, empty."""
    name = str(request.param)
    if name == "duckdb":
        yield Engine(DuckDBSettings(), nothing)
    elif name == "influxdb1":
        server: Influxd = request.getfixturevalue("influxd")
        settings = InfluxDBSettings(url=server.url, database=uuid.uuid4().hex)
        yield Engine(settings, nothing)
        server.query(f'DROP DATABASE "{settings.database}"')
    elif name == "victoriametrics":
        node: VictoriaMetrics = request.getfixturevalue("victoria_metrics")
        vm = VictoriaMetricsSettings(url=node.url, safe_after=Duration(0))
        yield Engine(vm, node.flush)
        node.delete_everything()
    else:
        elsewhere = influxdb_elsewhere(name.removeprefix("influxdb"))
        assert elsewhere is not None
        yield Engine(elsewhere, nothing)


def opener(engine: Engine, folder: Path) -> Callable[[SeriesTable], Store]:
    return lambda series: open_store(engine.settings, folder / "data", series)


@pytest.fixture
def site(engine: Engine, tmp_path: Path) -> Iterator[Site]:
    site = Site(opener(engine, tmp_path), engine.settle)
    yield site
    site.close()


# -- what was written is there, once ---------------------------------------------------------------


def test_numbers_of_every_type_are_read_back(site: Site) -> None:
    site.write(
        site.batch(
            "types,host=mon-01 float=-1.5,whole=3,small=2.5e-7,large=1.25e+15,integer=-42i,unsigned=7u 10",
            "types,host=mon-01 yes=true,no=F,t=t,integer=9007199254740991i 20",
            "types,host=mon-01 float=.5,whole=5.,yes=FALSE 30",
        )
    )
    expected = {
        "float": [(10, -1.5), (30, 0.5)],
        "whole": [(10, 3.0), (30, 5.0)],
        "small": [(10, 2.5e-7)],
        "large": [(10, 1.25e15)],
        "integer": [(10, -42.0), (20, 9007199254740991.0)],
        "unsigned": [(10, 7.0)],
        "yes": [(20, 1.0), (30, 0.0)],
        "no": [(20, 0.0)],
        "t": [(20, 1.0)],
    }
    for field, samples in expected.items():
        assert site.samples(Metric("types", field)) == {HOST: samples}, field


NAMES = [
    ("plain", "k", "v", "f"),
    ("two words", "a key", "a value", "a field"),
    ("com,ma", "k,k", "v,v", "f,f"),
    ("equals", "k=k", "v=v", "f=f"),
    ("quote\"'", "k\"'", "v\"'", "f'"),
    ("back\\slash", "k\\k", "C:\\x", "f\\f"),
    ("测量", "标签", "值 ✓", "字段"),
    ("dots.and-dashes", "k.k", "v/v:*$", "f.f-f"),
    ("{}[]", "k{}", 'v}"{,=~.*', "f|()"),
    ("select", "group", "from", "where"),
]


@pytest.mark.parametrize("names", NAMES, ids=[name for name, *_ in NAMES])
def test_names_with_special_characters_survive(site: Site, names: tuple[str, str, str, str]) -> None:
    measurement, key, value, field = names
    escape = str.maketrans({" ": "\\ ", ",": "\\,", "=": "\\="})  # no measurement here has an "="
    text = (
        f"{measurement.translate(escape)},host=mon-01,"
        f"{key.translate(escape)}={value.translate(escape)} {field.translate(escape)}=1.5 10"
    )
    site.write(site.batch(text))
    tags = tuple(sorted({"host": "mon-01", key: value}.items()))
    metric = Metric(measurement, field)
    assert site.samples(metric) == {tags: [(10, 1.5)]}
    site.reopen()
    assert site.samples(metric) == {tags: [(10, 1.5)]}
    assert site.samples(metric, where=lambda tags: tags[key] == value) == {tags: [(10, 1.5)]}
    assert [seen.key for seen in site.store.series(BASE_MS)] == [SeriesKey(measurement, tags, field)]


def test_text_is_a_series_and_no_number(site: Site) -> None:
    site.write(site.batch('os,host=mon-01 name="Debian, \\"12\\"\nbookworm",n=1 0', line(1, 0)))
    for _ in range(2):
        assert site.samples(Metric("os", "n")) == {HOST: [(0, 1.0)]}
        assert site.samples(Metric("os", "name")) == {HOST: []}
        keys = {seen.key for seen in site.store.series(BASE_MS)}
        assert keys == {SeriesKey(*key) for key in (("os", HOST, "name"), ("os", HOST, "n"), CPU_KEY)}
        site.reopen()
    number = site.series.find(SeriesKey("os", HOST, "name"))
    assert number is not None
    assert site.series.last_ms(number) is None


def test_a_batch_that_comes_again_counts_once(site: Site) -> None:
    batch = site.batch(line(1, 0), line(2, 1))
    site.write(batch, batch)
    site.write(batch)
    assert site.values() == [1.0, 2.0]
    site.reopen()
    site.write(site.batch(line(1, 0), line(2, 1)))
    assert site.values() == [1.0, 2.0]
    assert [(seen.first_ms, seen.last_ms) for seen in site.store.series(BASE_MS)] == [(BASE_MS, BASE_MS + 1)]


def test_the_same_sequence_with_another_body_is_new_data(site: Site) -> None:
    site.write(site.batch(line(1, 0)))
    site.write(site.batch(line(2, 1)))
    assert site.values() == [1.0, 2.0]


def test_times_out_of_order_are_stored_as_they_are(site: Site) -> None:
    site.write(site.batch(line(3, 30), line(1, 10)))
    site.write(site.batch(line(2, 20), line(0, -86_400_000), sequence=2))
    assert site.samples() == {HOST: [(10, 1.0), (20, 2.0), (30, 3.0)]}
    assert site.samples(start_ms=-86_400_000, end_ms=0) == {HOST: [(-86_400_000, 0.0)]}


def test_times_are_whole_milliseconds_rounded_down(site: Site) -> None:
    site.write(site.batch(line(1, 0), "cpu,host=mon-01 busy=2 5.999999", "cpu,host=mon-01 busy=3 7.000001"))
    assert site.samples() == {HOST: [(0, 1.0), (5, 2.0), (7, 3.0)]}
    # Of one time, however finely it was written, there is one sample.
    site.write(site.batch("cpu,host=mon-01 busy=2 5.5", sequence=2))
    assert site.samples() == {HOST: [(0, 1.0), (5, 2.0), (7, 3.0)]}


def test_comments_and_empty_lines_are_nothing(site: Site) -> None:
    body = f"# a comment\n\ncpu,host=mon-01 busy=1 {BASE_MS}000000 \n\n# the end".encode()
    assert site.write(site.decode(body)).refused == []
    assert site.values() == [1.0]


# -- reading ---------------------------------------------------------------------------------------


def test_a_metric_is_read_without_its_neighbours(site: Site) -> None:
    site.write(
        site.batch(
            "cpu,host=mon-01,cpu=cpu0 busy=1.5,idle=98i 10",
            "cpu,host=mon-01,cpu=cpu1 busy=2.5 10",
            "cpu,host=mon-01,cpu=cpu0 busy=-3 20",
            "mem,host=mon-01 busy=true 10",
        )
    )
    zero, one = (("host", "mon-01"), ("cpu", "cpu0")), (("host", "mon-01"), ("cpu", "cpu1"))
    assert site.samples() == {zero: [(10, 1.5), (20, -3.0)], one: [(10, 2.5)]}
    assert site.samples(Metric("cpu", "idle")) == {zero: [(10, 98.0)]}
    assert site.samples(Metric("mem", "busy")) == {HOST: [(10, 1.0)]}
    assert site.samples(where=lambda tags: tags["cpu"] == "cpu1") == {one: [(10, 2.5)]}
    assert site.samples(Metric("cpu", "other")) == {}


def test_a_series_without_a_tag_is_told_from_those_with_it(site: Site) -> None:
    site.write(site.batch(line(1, 0), "cpu,host=mon-01,cpu=cpu0 busy=2 0"))
    assert site.samples(where=lambda tags: "cpu" not in tags) == {HOST: [(0, 1.0)]}


def test_series_that_differ_only_in_a_state_are_one_subject(site: Site) -> None:
    site.write(
        site.batch(
            "http_response,host=mon-01,server=a,method=GET,result=success code=0i 10",
            "http_response,host=mon-01,server=a,method=GET,result=timeout code=1i 20",
            "http_response,host=mon-01,server=b,method=GET,result=success code=0i 10",
        )
    )
    code = Metric("http_response", "code")
    a, b = ((("host", "mon-01"), ("server", s), ("method", "GET")) for s in "ab")
    assert site.samples(code) == {a: [(10, 0.0), (20, 1.0)], b: [(10, 0.0)]}
    assert site.samples(code, by=("host",)) == {HOST: [(10, 0.0), (20, 1.0)]}


def test_a_window_has_its_start_and_not_its_end(site: Site) -> None:
    site.write(site.batch(*(line(ms, ms) for ms in (99, 100, 199, 200))))
    assert site.samples(start_ms=100, end_ms=200) == {HOST: [(100, 100.0), (199, 199.0)]}
    assert site.samples(start_ms=300, end_ms=400) == {HOST: []}


def test_a_window_of_many_hours_is_read_whole(site: Site) -> None:
    hours = [line(hour, hour * 3_600_000 - 1) for hour in range(-40, 41)]
    hours += [line(hour + 0.5, hour * 3_600_000) for hour in range(-40, 41)]
    site.write(site.decode(_body(hours), received_ms=BASE_MS + 40 * 3_600_000))
    found = site.samples(start_ms=-41 * 3_600_000, end_ms=41 * 3_600_000)[HOST]
    assert [value for _, value in found] == [hour / 2 for hour in range(-80, 82)]


def _body(lines: list[str]) -> bytes:
    pairs = (text.rpartition(" ") for text in lines)
    return "".join(f"{text} {(BASE_MS + int(ms)) * 10**6}\n" for text, _, ms in pairs).encode()


def test_other_metrics_are_read_beside_the_one_that_is_asked_for(site: Site) -> None:
    port = "snmp_port,host=mon-01,device=sw-1,name=p{} in={}i,speed={} {}"
    lines = [port.format(name, n, 1000 + n, n) for name in (1, 2) for n in (10, 20, 30)]
    site.write(site.batch(*lines, "snmp_device,host=mon-01,device=sw-1 uptime_s=5 20"))
    beside = [
        Asked(Metric("snmp_port", "speed"), lambda tags: tags["name"] == "p2"),
        Asked(Metric("snmp_device", "uptime_s"), everything, ("device",)),
        Asked(Metric("snmp_device", "none"), everything),
    ]
    with site.store.train(
        Metric("snmp_port", "in"), everything, BASE_MS + 11, BASE_MS + 30, None, beside
    ) as train:
        found = [
            sorted(
                (
                    (dict(each.subjects[subject]), t - BASE_MS, value)
                    for subject, t, value in each.relation.fetchall()
                ),
                key=repr,
            )
            for each in (train, *train.beside)
        ]
    one, two = ({"host": "mon-01", "device": "sw-1", "name": name} for name in ("p1", "p2"))
    assert found == [
        [(one, 20, 20), (two, 20, 20)],
        [(two, 20, 1020)],
        [({"device": "sw-1"}, 20, 5)],
        [],
    ]


def test_few_rows_are_joined_by_time_without_comparing_each_with_all(site: Site) -> None:
    # How few there are is a guess, and a wrong one has cost a review hours.
    site.write(site.batch("cpu,host=mon-01 busy=1 10"))
    with site.store.train(CPU, everything, BASE_MS, BASE_MS + 100) as train:
        train.connection.execute("CREATE TEMP TABLE few AS SELECT 1 AS s, range AS t FROM range(5)")
        train.connection.execute("CREATE TEMP TABLE many AS SELECT 1 AS s, range AS t FROM range(10000)")
        [(_, plan)] = train.connection.execute(
            "EXPLAIN SELECT * FROM few ASOF LEFT JOIN many ON few.s = many.s AND few.t >= many.t"
        ).fetchall()
    assert "asof" in plan.lower()
    assert "nested" not in plan.lower()


def test_series_since_a_time(site: Site) -> None:
    site.write(site.batch(line(1, 10), line(2, 20), "mem,host=mon-01 used=1 10", "os,host=mon-01 n=3i 30"))
    busy, used, n = (SeriesKey(m, HOST, f) for m, f in (("cpu", "busy"), ("mem", "used"), ("os", "n")))

    def seen(since: int) -> list[tuple[SeriesKey, int, int]]:
        return sorted((key, a - BASE_MS, b - BASE_MS) for key, a, b in site.store.series(BASE_MS + since))

    assert seen(10) == [(busy, 10, 20), (used, 10, 10), (n, 30, 30)]
    assert seen(11) == [(busy, 20, 20), (n, 30, 30)]
    assert seen(31) == []


def test_newest_values_since_a_time(site: Site) -> None:
    site.write(
        site.batch(line(1, 10), line(3, 30), "mem,host=mon-01 used=5i 20", 'os,host=mon-01 name="x" 30')
    )
    site.reopen()  # the embedded store knows newest values from then on, or from the intake
    found = sorted(site.store.newest(BASE_MS + 15))
    assert [(one.key.measurement, one.first_ms - BASE_MS, one.last_ms - BASE_MS) for one in found] == [
        ("cpu", 30, 30),
        ("mem", 20, 20),
        ("os", 30, 30),
    ]
    assert [one.value for one in found[:2]] == [3.0, 5.0]
    assert math.isnan(found[2].value)


# -- starting again --------------------------------------------------------------------------------


def test_series_and_newest_values_are_known_after_reopening(site: Site) -> None:
    site.write(site.batch(line(1, 10), line(3, 30), "mem,host=mon-01 used=5i,on=t 20"))
    before = {e.key: e.first_ms for e in map(site.series.entry, range(len(site.series)))}
    site.reopen()
    after = {e.key: e.first_ms for e in map(site.series.entry, range(len(site.series)))}
    assert after == before
    number = site.series.find(SeriesKey("cpu", HOST, "busy"))
    assert number is not None
    assert (site.series.last_ms(number), site.series.last_value[number]) == (BASE_MS + 30, 3.0)
    # What comes next goes on where it was, and new series beside it.
    site.write(site.batch(line(4, 40), "mem,host=mon-01 used=6i,on=f 40", "new,host=mon-01 v=1 40"))
    assert site.samples() == {HOST: [(10, 1.0), (30, 3.0), (40, 4.0)]}
    assert site.samples(Metric("mem", "used")) == {HOST: [(20, 5.0), (40, 6.0)]}
    assert site.samples(Metric("new", "v")) == {HOST: [(40, 1.0)]}


# -- much ------------------------------------------------------------------------------------------


def test_a_million_readings(site: Site) -> None:
    hosts, times, fields = 100, 1_000, 10
    for start in range(0, times, 100):
        batches = []
        for host in range(hosts):
            lines = []
            for t in range(start, start + 100):
                values = ",".join(f"f{f}={t}.{f}" for f in range(fields))
                lines.append(f"m,host=h-{host} {values} {BASE_MS + 1000 * t}000000\n")
            body = "".join(lines).encode()
            batches.append(site.decode(body, sequence=start, agent=f"h-{host}", received_ms=BASE_MS + 10**6))
        assert site.send(*batches).refused == []
    site.write()
    with site.store.train(Metric("m", "f7"), everything, BASE_MS, BASE_MS + 10**6) as train:
        rows = train.relation.aggregate(
            "count(*), count(DISTINCT subject), round(sum(value)), min(t), max(t)"
        )
        total = round(hosts * sum(t + 0.7 for t in range(times)))
        assert rows.fetchall() == [(hosts * times, hosts, total, BASE_MS, BASE_MS + 999_000)]
    # The index of VictoriaMetrics answers from a cache that is up to 10 s old.
    wait_until(
        lambda: len(site.store.series(BASE_MS)) == hosts * fields, timeout_s=20, what="series in the index"
    )
