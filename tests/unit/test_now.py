"""The present state: from newest samples to normal, warning, critical, silent, never, unjudged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.now import Now, NowRow
from collector.series import SeriesTable
from collector.store.base import SeriesKey
from collector.watched import STATES, Level, Watched
from setpoint.limits import Comparison, Limits
from setpoint.maintenance import Maintenance
from setpoint.plan import Plan
from setpoint.plan_load import parse_plan
from setpoint.plan_match import Matcher

T0 = 1_790_000_000_000
S = 1000
MIN = 60 * S


def plan(points: str, groups: str = "{all: [a, b]}", head: str = "") -> Plan:
    text = f"plan: test\nrevision: 1\ngroups: {groups}\n{head}\npoints:\n{points}"
    return parse_plan(text, environment={})


CPU = """
  - id: cpu
    title: CPU busy
    metric: cpu.usage_active
    unit: percent
    class: technical
    expect: {host: all, every: 10s}
    warning: {above: 80, clear: 75}
    critical: {above: 95}
"""


class Site:
    """A plan, a series table, and a clock; ``see`` stores samples and ticks."""

    def __init__(self, points: str, **groups: str) -> None:
        self.table = SeriesTable()
        self.now = Now(plan(points, **groups), self.table)
        self.clock = T0
        self.hosts: list[str] = []
        self.maintenance: list[Maintenance] = []

    def put(
        self, measurement: str, field: str, value: float, time_ms: int | None = None, **tags: str
    ) -> None:
        key = SeriesKey(measurement, tuple(sorted(tags.items())), field)
        time_ms = self.clock if time_ms is None else time_ms
        number = self.table.find(key)
        if number is None:
            number = self.table.add(key, "float", time_ms, tags.get("host", ""))
        self.table.observe(
            np.array([number], np.int32), np.array([time_ms], np.int64), np.array([value], np.float64)
        )

    def tick(self, seconds: float = 0) -> None:
        self.clock += round(seconds * S)
        self.now.tick(self.clock, self.hosts, self.maintenance)

    def cpu(self, value: float, host: str = "a", *, after: float = 10) -> str:
        """The state of the host when the value comes so many seconds later."""
        self.clock += round(after * S)
        self.put("cpu", "usage_active", value, host=host, cpu="cpu-total")
        self.tick()
        return self.row(host=host).state

    def row(self, point: str | None = None, **tags: str) -> NowRow:
        rows = [r for r in self.now.rows() if point in (None, r.point) and tags.items() <= r.subject.items()]
        assert len(rows) == 1, rows
        return rows[0]


@pytest.mark.parametrize(
    ("value", "state"),
    [(12.5, "normal"), (80, "normal"), (80.1, "warning"), (95, "warning"), (95.1, "critical")],
)
def test_a_value_is_judged_by_the_worst_threshold_that_it_breaches(value: float, state: str) -> None:
    assert Site(CPU).cpu(value) == state


def test_a_row_says_all_that_the_page_shows() -> None:
    site = Site(CPU)
    site.cpu(97.5)
    row = site.row(host="a")
    assert (row.point, row.title, row.metric, row.unit) == ("cpu", "CPU busy", "cpu.usage_active", "percent")
    assert row.subject == {"host": "a", "cpu": "cpu-total"}
    assert (row.value, row.time_ms, row.since_ms) == (97.5, T0 + 10 * S, T0 + 10 * S)
    assert (row.warning, row.critical, row.metric_class) == ("above 80 %", "above 95 %", "technical")
    (chinese,) = [r for r in site.now.rows("zh") if r.state == "critical"]
    assert chinese.critical == "高于 95 %"


def test_since_is_when_the_state_began() -> None:
    site = Site(CPU)
    site.cpu(10)
    site.cpu(20)
    assert site.row(host="a").since_ms == T0 + 10 * S
    site.cpu(90)
    site.cpu(91)
    assert site.row(host="a").since_ms == T0 + 30 * S


# -- for and clear ---------------------------------------------------------------------------------

FOR = CPU.replace("critical: {above: 95}", "critical: {above: 95, for: 30s}").replace(
    "warning: {above: 80, clear: 75}", "warning: {above: 80, for: 10s, clear: 75}"
)


def test_a_breach_counts_only_after_its_time() -> None:
    site = Site(FOR)
    assert [site.cpu(99) for _ in range(5)] == ["normal", "warning", "warning", "critical", "critical"]


def test_a_good_value_in_between_starts_the_time_anew() -> None:
    site = Site(FOR)
    assert [site.cpu(v) for v in (99, 99, 50, 99, 99, 99)] == [
        "normal", "warning", "normal", "normal", "warning", "warning",
    ]  # fmt: skip


def test_the_time_goes_on_between_samples() -> None:
    site = Site(FOR)
    site.cpu(99)
    site.tick(9)
    assert site.row(host="a").state == "normal"
    site.tick(2)
    assert site.row(host="a").state == "warning"


def test_a_sample_stands_for_twice_its_spacing_and_no_longer() -> None:
    for seconds, state in ((20, "critical"), (21, "warning")):
        site = Site(CPU.replace("critical: {above: 95}", f"critical: {{above: 95, for: {seconds}s}}"))
        site.cpu(99)
        site.tick(15)
        site.tick(15)
        assert site.row(host="a").state == state


def test_a_hole_starts_the_time_anew() -> None:
    site = Site(FOR.replace("for: 30s", "for: 40s"))
    site.cpu(99)
    for _ in range(8):
        site.tick(3)
    assert site.cpu(99, after=0) == "warning"  # raised before the hole, and not cleared since
    assert [site.cpu(99) for _ in range(4)] == ["warning", "warning", "warning", "critical"]


def test_ticks_that_come_late_are_no_hole() -> None:
    """Between ticks nothing is seen: samples every second, looked at every 5 s, are 5 s apart."""
    site = Site(FOR.replace("every: 10s", "every: 1s"))
    assert [site.cpu(99, after=5) for _ in range(8)][-1] == "critical"


def test_a_level_stays_raised_until_the_value_is_beyond_clear() -> None:
    site = Site(CPU)
    assert [site.cpu(v) for v in (79, 81, 79, 75.1, 75, 79)] == [
        "normal", "warning", "warning", "warning", "normal", "normal",
    ]  # fmt: skip


def test_clear_of_a_lower_bound_is_above_it() -> None:
    site = Site(CPU.replace("warning: {above: 80, clear: 75}", "warning: {below: 10, clear: 20}"))
    assert [site.cpu(v) for v in (15, 9, 15, 20)] == ["normal", "warning", "warning", "normal"]


def test_an_agents_clock_that_is_ahead_delays_nothing() -> None:
    site = Site(FOR)
    for number in range(4):
        site.clock += 10 * S
        site.put("cpu", "usage_active", 99, site.clock + 4 * MIN, host="a", cpu="cpu-total")
        site.tick()
        assert (number == 3) == (site.row(host="a").state == "critical")


@given(
    values=st.lists(st.floats(0, 100), min_size=1, max_size=40),
    for_s=st.integers(0, 60),
    spacing_s=st.integers(1, 19),
)
def test_a_level_is_raised_exactly_when_the_breach_has_lasted(
    values: list[float], for_s: int, spacing_s: int
) -> None:
    """Without ``clear``, and seen sample by sample."""
    limits = Limits(every_ms=10 * S, critical=Comparison(high=50.0, for_ms=for_s * S))
    watched = Watched(limits, rate=False, scale=1.0)
    begins = None
    for number, value in enumerate(values):
        time_ms = T0 + number * spacing_s * S
        watched.tick(time_ms, value, time_ms, spacing_s * S)
        begins = None if value <= 50 else time_ms if begins is None else begins
        lasted = begins is not None and time_ms - begins >= for_s * S
        assert (watched.state == "critical") == lasted


def test_a_level_that_is_cleared_may_be_raised_again() -> None:
    level = Level(Comparison(high=80.0, clear=70.0))
    for value, raised in ((90, True), (75, True), (70, False), (75, False), (81, True)):
        level.take(value, T0)
        level.hold(T0)
        assert level.raised is raised


# -- silent, never, unjudged -----------------------------------------------------------------------


def test_a_subject_is_silent_after_three_times_its_spacing() -> None:
    site = Site(CPU.replace("every: 10s", "every: 20s"))
    site.cpu(99)
    site.tick(60)
    assert site.row(host="a").state == "critical"
    site.tick(1)
    row = site.row(host="a")
    assert (row.state, row.since_ms, row.value) == ("silent", T0 + 10 * S, 99)


def test_a_subject_that_reports_every_second_is_waited_for_half_a_minute() -> None:
    site = Site(CPU.replace("every: 10s", "every: 1s"))
    site.cpu(10)
    site.tick(30)
    assert site.row(host="a").state == "normal"
    site.tick(1)
    assert site.row(host="a").state == "silent"


def test_without_a_planned_spacing_silence_takes_five_minutes() -> None:
    site = Site(CPU.replace(", every: 10s", ""))
    site.cpu(10)
    site.tick(300)
    assert site.row(host="a").state == "normal"
    site.tick(1)
    assert site.row(host="a").state == "silent"


def test_who_reports_again_is_judged_again() -> None:
    site = Site(CPU)
    site.cpu(10)
    site.tick(60)
    assert site.cpu(12) == "normal"
    assert site.row(host="a").since_ms == site.clock


def test_what_the_plan_names_and_nobody_reported_is_never() -> None:
    site = Site(CPU)
    site.cpu(10)
    row = site.row(host="b")
    assert (row.state, row.value, row.time_ms, row.since_ms) == ("never", None, None, None)
    assert row.subject == {"host": "b"}
    site.cpu(10, host="b")
    assert [r.state for r in site.now.rows()] == ["normal", "normal"]


def test_an_agent_that_becomes_known_is_named_by_a_glob() -> None:
    site = Site(CPU, groups='{all: ["web-*"]}')
    site.tick()
    assert site.now.rows() == []
    site.hosts = ["web-1", "db-1"]
    site.tick(5)
    assert [(r.subject, r.state) for r in site.now.rows()] == [({"host": "web-1"}, "never")]


def test_without_a_threshold_a_subject_is_unjudged() -> None:
    site = Site("  - {id: load, metric: system.load1}")
    site.put("system", "load1", 0.5, host="a")
    site.tick()
    assert (site.row().state, site.row().value, site.row().warning, site.row().critical) == (
        "unjudged", 0.5, "", "",
    )  # fmt: skip


def test_a_point_that_only_says_what_is_good_is_critical_when_it_is_not() -> None:
    site = Site("  - {id: up, metric: http_response.result_code, good: {equals: 0}}")
    site.put("http_response", "result_code", 0, host="a")
    site.tick()
    assert (site.row().state, site.row().critical) == ("normal", "not equal to 0 (success)")
    site.put("http_response", "result_code", 1, T0 + S, host="a")
    site.tick(1)
    assert site.row().state == "critical"


def test_a_series_of_before_the_start_is_waited_for_and_then_silent() -> None:
    site = Site(CPU)
    site.table.add(SeriesKey("cpu", (("cpu", "cpu-total"), ("host", "a")), "usage_active"), None, 0, "a")
    site.tick()
    assert site.row(host="a").state == "unjudged"
    site.tick(31)
    assert site.row(host="a").state == "silent"
    assert site.cpu(10) == "normal"


def test_what_is_not_named_and_gone_for_a_day_is_forgotten() -> None:
    site = Site("  - {id: disk, metric: disk.used_percent, warning: {above: 80}}\n" + CPU)
    site.put("disk", "used_percent", 50, host="x", path="/mnt/usb")
    site.put("cpu", "usage_active", 50, host="a", cpu="cpu-total")
    site.tick(86_400)
    assert sorted(r.point for r in site.now.rows() if r.state == "silent") == ["cpu", "disk"]
    site.tick(1)
    assert [r.point for r in site.now.rows() if r.state == "silent"] == ["cpu"]
    assert site.now.counts() == {**dict.fromkeys(STATES, 0), "silent": 1, "never": 1}


def test_worst_comes_first() -> None:
    site = Site(CPU, groups="{all: [a, b, c, d, e]}")
    site.put("cpu", "usage_active", 99, T0 - MIN, host="a", cpu="x")
    for host, value in (("b", 10), ("c", 85), ("d", 99)):
        site.put("cpu", "usage_active", value, host=host, cpu="x")
    site.tick()
    assert [r.state for r in site.now.rows()] == ["critical", "warning", "silent", "never", "normal"]
    assert list(site.now.counts().values()) == [1, 1, 1, 1, 0, 0, 1, 0]


# -- rates -----------------------------------------------------------------------------------------

RATE = """
  - {id: net, metric: net.bytes_recv, as: rate, scale: 8, unit: bit/s, expect: {host: all, every: 10s},
     critical: {above: 1000}}
"""


def _rates(*samples: tuple[int, float], points: str = RATE) -> list[float | None]:
    """The values shown after each (second, counter)."""
    site = Site(points)
    shown = []
    for second, value in samples:
        site.tick((T0 + second * S - site.clock) / S)
        site.put("net", "bytes_recv", value, host="a", interface="eth0")
        site.tick()
        shown.append(site.row(host="a").value)
    return shown


def test_a_rate_is_per_second_and_scaled() -> None:
    assert _rates((0, 100), (10, 1100), (30, 1100)) == [None, 800.0, 0.0]


def test_a_counter_that_decreases_gives_no_rate_and_then_goes_on() -> None:
    assert _rates((0, 1000), (10, 5), (20, 15)) == [None, None, 8.0]


def test_an_interval_longer_than_twice_the_spacing_gives_no_rate() -> None:
    site = Site(RATE)
    for second, value, expected in ((0, 0.0, None), (20, 100.0, 40.0), (41, 200.0, None), (51, 300.0, 80.0)):
        while site.clock < T0 + second * S:
            site.tick(1)
        site.put("net", "bytes_recv", value, host="a", interface="eth0")
        site.tick()
        assert site.row(host="a").value == expected, second


def test_a_rate_is_judged_and_is_unjudged_while_there_is_none() -> None:
    site = Site(RATE)
    for counter, state in ((0, "unjudged"), (10_000, "critical"), (10_001, "normal")):
        site.put("net", "bytes_recv", counter, host="a", interface="eth0")
        site.tick()
        assert site.row(host="a").state == state
        site.tick(10)


def test_a_rate_breaches_from_the_beginning_of_its_interval() -> None:
    site = Site(RATE.replace("{above: 1000}", "{above: 1000, for: 10s}"))
    site.put("net", "bytes_recv", 0, host="a", interface="eth0")
    site.tick()
    site.clock += 10 * S
    site.put("net", "bytes_recv", 10_000, host="a", interface="eth0")
    site.tick()
    assert site.row(host="a").state == "critical"


# -- subjects and series ---------------------------------------------------------------------------


def test_of_several_series_of_a_subject_the_newest_sample_counts() -> None:
    """A probe that fails changes its tag ``result``: another series, the same subject."""
    site = Site("  - {id: answers, metric: http_response.response_time, warning: {above: 1}}")
    common = {"host": "a", "server": "https://x", "method": "GET"}
    site.put("http_response", "response_time", 0.2, result="success", **common)
    site.tick()
    site.put("http_response", "response_time", 5.0, T0 + 10 * S, result="timeout", **common)
    site.tick(10)
    assert (site.row().state, site.row().value) == ("warning", 5.0)
    site.put("http_response", "response_time", 0.1, T0 + 20 * S, result="success", **common)
    site.tick(10)
    assert (site.row().state, site.row().value) == ("normal", 0.1)


def test_what_no_point_wants_is_not_shown() -> None:
    site = Site(CPU.replace("expect:", "where: {cpu: cpu-total}\n    expect:"))
    site.cpu(10)
    site.put("cpu", "usage_active", 99, host="a", cpu="cpu0")
    site.put("cpu", "usage_active", 99, host="stranger", cpu="cpu-total")
    site.put("mem", "used_percent", 99, host="a")
    site.tick()
    assert [(r.subject["host"], r.state) for r in site.now.rows()] == [("b", "never"), ("a", "normal")]


def test_an_override_decides_for_its_subject() -> None:
    site = Site(CPU + "    overrides: [{where: {host: b}, warning: {above: 10}}]\n")
    assert site.cpu(50, host="a") == "normal"
    assert site.cpu(50, host="b") == "warning"


def test_another_revision_keeps_the_state_of_points_that_stay_as_they_are() -> None:
    site = Site(FOR)
    for _ in range(4):
        site.cpu(99)
    load = "  - {id: cpu2, metric: cpu.usage_active, warning: {above: 1}}\n"
    site.now.replan(plan(FOR.replace("title: CPU busy", "title: Processor") + load))
    site.tick(1)
    assert (site.row("cpu", host="a").state, site.row("cpu", host="a").title) == ("critical", "Processor")
    assert site.row("cpu2", host="a").state == "warning"
    site.now.replan(plan(FOR.replace("95", "96")))
    site.tick(1)
    assert site.row(host="a").state == "normal"  # another definition: its time is waited for again


def test_values_that_are_no_numbers_are_not_shown() -> None:
    site = Site(CPU)
    site.cpu(99)
    assert site.cpu(float("nan")) == "critical"  # nothing has cleared it
    assert site.row(host="a").value is None


# -- maintenance, calendars, masks -----------------------------------------------------------------


def test_who_is_in_maintenance_is_neither_silent_nor_critical() -> None:
    site = Site(CPU)
    site.cpu(99)
    site.maintenance = [Maintenance(Matcher(["a"]), "work", span=(T0 + 20 * S, T0 + 200 * S))]
    site.tick()
    assert site.row(host="a").state == "critical"
    site.tick(10)
    assert (site.row(host="a").state, site.row(host="a").since_ms) == ("maintenance", T0 + 20 * S)
    site.tick(100)
    assert (site.row(host="a").state, site.row(host="a").since_ms) == ("maintenance", T0 + 20 * S)
    assert (site.row(host="b").state, site.now.counts()["maintenance"]) == ("never", 1)
    site.tick(80)
    assert site.row(host="a").state == "silent"


def test_maintenance_of_the_plan_counts_too() -> None:
    # T0 is a Monday, 14:13 UTC.
    site = Site(CPU, head="maintenance: [{hosts: a, weekly: 'Mon 14:00-15:00', reason: x}]")
    site.cpu(99)
    assert [row.state for row in site.now.rows()] == ["never", "maintenance"]


def test_outside_its_calendar_a_subject_is_unjudged() -> None:
    site = Site(CPU + "    when: c\n", head="calendars: {c: {weekly: 'Mon 14:00-14:14'}}")
    assert site.cpu(99) == "critical"
    site.tick(60)
    assert (site.row(host="a").state, site.row(host="a").value) == ("unjudged", 99)


def test_what_is_behind_something_silent_is_masked() -> None:
    site = Site(CPU, groups="{all: [a, b, c, d]}", head="hosts: {b: {depends_on: [a]}, c: {depends_on: [b]}}")
    for host in "abd":
        site.cpu(50, host, after=0)
    assert site.row(host="c").state == "never"
    site.tick(20)
    site.cpu(50, "d", after=11)
    assert {r.subject["host"]: r.state for r in site.now.rows()} == {
        "a": "silent", "b": "masked", "c": "masked", "d": "normal",
    }  # fmt: skip
    # What still reports has another way.
    assert site.cpu(50, "b", after=0) == "normal"
    assert site.cpu(50, "a", after=0) == "normal"
    assert site.row(host="c").state == "never"


def test_a_device_that_does_not_answer_is_down_though_its_agent_says_so_every_minute() -> None:
    points = """
  - {id: up, metric: snmp_device.up, expect: {device: [sw-1, sw-2], every: 10s}, critical: {equals: 0}}
"""
    site = Site(points, head="hosts: {sw-2: {depends_on: [sw-1]}}")
    for value, state in ((1.0, "normal"), (0.0, "masked")):
        site.clock += 10 * S
        for device in ("sw-1", "sw-2"):
            site.put("snmp_device", "up", value, host="m", device=device)
        site.tick()
        assert site.row(device="sw-2").state == state
    assert site.row(device="sw-1").state == "critical"


# -- values from several metrics -------------------------------------------------------------------


def test_a_share_is_of_the_newest_other_value() -> None:
    site = Site("  - {id: p, metric: m.used, percent_of: m.total, expect: {host: all, every: 10s}, "
                "critical: {above: 90}}")  # fmt: skip
    shown = []
    for used, total in ((95, None), (95, 100.0), (95, 0.0), (50, 100.0)):
        site.clock += 10 * S
        if total is not None:
            site.put("m", "total", total, host="a")
        site.put("m", "used", used, host="a")
        site.tick()
        shown.append((site.row(host="a").value, site.row(host="a").state))
    assert shown == [(None, "unjudged"), (95, "critical"), (None, "critical"), (50, "normal")]
    site.clock += 3601 * S
    site.put("m", "used", 50, host="a")
    site.tick()
    assert site.row(host="a").value is None


def test_the_load_of_a_port_now() -> None:
    points = """
  - {id: p, metric: snmp_port.in_octets, as: rate, scale: 8, percent_of: snmp_port.speed_bps,
     expect: {every: 10s}}
"""
    site = Site(points)
    for octets in (0, 1_250_000):
        site.clock += 10 * S
        site.put("snmp_port", "speed_bps", 10e6, host="m", device="sw", name="1")
        site.put("snmp_port", "in_octets", octets, host="m", device="sw", name="1")
        site.tick()
    assert site.row().value == 10


def test_a_ratio_shows_that_of_the_newest_sample() -> None:
    site = Site("  - {id: p, ratio: {of: parts.hits, to: parts.requests}, scale: 100}")
    site.put("parts", "hits", 3, host="a")
    site.put("parts", "requests", 4, host="a")
    site.tick()
    assert (site.row().value, site.row().state) == (75, "unjudged")
