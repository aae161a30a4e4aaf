"""The plan: what it says, what is refused, which series a point wants, and what holds for them."""

from __future__ import annotations

import datetime
import fnmatch
import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.config import ConfigError
from setpoint.limits import Comparison, Limits, Share, Target
from setpoint.plan import Plan, PlanPoint
from setpoint.plan_file import Approval, Objective
from setpoint.plan_load import load_plan, parse_plan
from setpoint.plan_match import Groups, Special

PLAN = """\
plan: Operations resources
revision: 14
approved: {by: Service quality lead, on: 2026-10-01}
site: hq
timezone: Asia/Shanghai
review: month

objectives:
  - {id: erp-uptime, title: ERP is there in office hours, service: ERP}

groups:
  operations-hosts: [mon-01, jump-01]
  web: ["web-*", web-a, not: web-test]
  everything: [operations-hosts, web]

points:
  - id: host-cpu
    title: CPU busy
    for: [erp-uptime]
    metric: cpu.usage_active
    where: {cpu: cpu-total}
    expect: {host: operations-hosts, every: 10s}
    unit: percent
    class: technical
    element: resource
    warning:  {above: 80, for: 5m, clear: 75}
    critical: {above: 95, for: 5m}
    target:   {p95: {at_most: 70}}
    overrides:
      - {where: {host: jump-01}, critical: {above: 99, for: 10m}}
      - {where: {host: "*-01"}, warning: null, target: null, every: 1m}
    owner: platform
    action: Add capacity.
"""


def plan(points: str, head: str = "") -> Plan:
    return parse_plan(f"plan: P\nrevision: 1\n{head}\npoints:\n{points}")


def point(keys: str, head: str = "") -> PlanPoint:
    """The one point with these keys, in YAML's flow style."""
    return plan(f"  - {{id: p, metric: m.f, {keys}}}", head).points[0]


def wrong(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_plan(text, "plan.yaml")
    return str(caught.value).splitlines()


def wrong_point(keys: str) -> list[str]:
    return wrong(f"plan: P\nrevision: 1\npoints:\n- {{id: p, metric: m.f, {keys}}}")


def test_the_plan_of_the_manual(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    read = load_plan(path)
    assert (read.title, read.revision, read.site, read.timezone) == (
        "Operations resources",
        14,
        "hq",
        "Asia/Shanghai",
    )
    assert (read.review, read.min_coverage, read.text) == ("month", 0.9, PLAN)
    assert read.hash == hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    assert read.approved == Approval(by="Service quality lead", on=datetime.date(2026, 10, 1))
    erp = Objective(id="erp-uptime", title="ERP is there in office hours", service="ERP")
    assert read.objectives == (erp,)
    cpu = read.points[0]
    assert (cpu.id, cpu.title, cpu.objectives) == ("host-cpu", "CPU busy", ("erp-uptime",))
    assert (cpu.measurement, cpu.field, cpu.metric) == ("cpu", "usage_active", "cpu.usage_active")
    assert (cpu.unit, cpu.metric_class, cpu.element) == ("percent", "technical", "resource")
    assert (cpu.owner, cpu.action) == ("platform", "Add capacity.")
    assert (cpu.rate, cpu.scale, cpu.missing_bad, cpu.bounds, cpu.by) == (False, 1.0, False, (0, 100), None)
    assert cpu.min_coverage == 0.9
    warning = Comparison(high=80, for_ms=300_000, clear=75)
    critical = Comparison(high=95, for_ms=300_000)
    targets = (Target(statistic="p95", at_most=70),)
    usual = Limits(every_ms=10_000, warning=warning, critical=critical, targets=targets)
    assert cpu.settings({"host": "web-1"}) == usual
    assert cpu.settings({}) == usual
    # The first override that matches wins, and changes only what it gives.
    assert cpu.settings({"host": "jump-01"}) == Limits(
        every_ms=10_000, warning=warning, critical=Comparison(high=99, for_ms=600_000), targets=targets
    )
    assert cpu.settings({"host": "mon-01"}) == Limits(every_ms=60_000, critical=critical)


def test_what_a_point_can_say() -> None:
    read = point(
        "as: rate, scale: 8, unit: bit/s, bounded: [0, 1e9], by: [host, name], missing: bad, "
        "min_coverage: 95%"
    )
    assert (read.rate, read.scale, read.unit, read.bounds) == (True, 8.0, "bit/s", (0.0, 1e9))
    assert (read.by, read.missing_bad, read.min_coverage) == (("host", "name"), True, 0.95)
    assert (read.title, read.metric_class, read.element) == ("p", "", "")
    assert point("unit: '%'").bounds == (0, 100)
    assert point("unit: percent, bounded: [0, 400]").bounds == (0, 400)
    assert point("unit: s").bounds is None
    assert plan("- {id: p, metric: kube.pod.cpu.used}").points[0].field == "pod.cpu.used"


@pytest.mark.parametrize(
    ("condition", "breaching", "holding", "english", "chinese"),
    [
        ("{above: 95, for: 5m}", 95.1, 95, "above 95 percent for 5m", "高于 95 %、持续 5 分钟"),
        ("{below: 0.5}", 0.4, 0.5, "below 0.5 percent", "低于 0.5 %"),
        ("{outside: [10, 20], for: 1h30m}", 9, 10, "outside 10 to 20 percent for 1h30m", None),
        ("{outside: [10, 20], for: 1h30m}", 21, 20, None, "超出 10 至 20 %、持续 1 小时 30 分钟"),
        ("{equals: 2}", 2, 1, "equal to 2 percent", "等于 2 %"),
        ("{not_equals: 1}", 2, 1, "not equal to 1 percent", "不等于 1 %"),
    ],
)
def test_a_comparison_judges_and_speaks(
    condition: str, breaching: float, holding: float, english: str | None, chinese: str | None
) -> None:
    comparison = point(f"warning: {condition}").limits.warning
    assert comparison is not None
    assert comparison.breached(breaching)
    assert not comparison.breached(holding)
    assert english is None or comparison.describe("percent", "en") == english
    assert chinese is None or comparison.describe("percent", "zh") == chinese


def test_a_comparison_without_unit_and_in_another_language() -> None:
    assert Comparison(high=1e6).describe() == "above 1000000"
    assert Comparison(high=3).describe("rpm", "fr") == "above 3 rpm"
    assert Comparison(high=3).describe("rpm", "zh") == "高于 3 rpm"


@pytest.mark.parametrize(
    ("target", "bound", "met", "missed", "english", "chinese"),
    [
        ("p95: {at_most: 70}", 70, 70, 70.1, "p95 at most 70 ms", "p95 不高于 70 毫秒"),
        ("min: {at_least: 3}", 3, 3, 2.9, "min at least 3 ms", "最小值 不低于 3 毫秒"),
        ("availability: {at_least: 99.5%}", 0.995, 0.995, 0.9949, "availability at least 99.5 %", None),
        ("availability: {at_least: 0.995}", 0.995, 1, 0.9, None, "可用率 不低于 99.5 %"),
        ("breach_share: {at_most: 99.9%}", 0.999, 0, 1, "breach share at most 99.9 %", None),
        ("breach_time: {at_most: 1h}", 3600, 3600, 3601, "breach time at most 1h", "超限时间 不高于 1 小时"),
    ],
)
def test_a_target_judges_and_speaks(
    target: str, bound: float, met: float, missed: float, english: str | None, chinese: str | None
) -> None:
    (read,) = point(f"critical: {{above: 9}}, target: {{{target}}}").limits.targets
    assert read.bound == bound
    assert read.met(met)
    assert not read.met(missed)
    assert english is None or read.describe("ms", "en") == english
    assert chinese is None or read.describe("ms", "zh") == chinese


@pytest.mark.parametrize("text", ["", "a", "-0.1", "1.1", "101%", "99%%", "99% x", "nan", "%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Share.parse(text)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("depends_on: [a]", ": unknown key"),
        ("warning: {above: 1, below: 0}", ".warning: expected exactly one of above, below, outside, equals, "
         "not_equals, got above and below"),
        ("warning: {for: 5m}", ".warning: expected exactly one of above, below, outside, equals, not_equals, "
         "got none"),
        ("good: {above: 1, for: 5m}", '.good: unknown key "for", '),
        ("warning: {outside: [2, 1]}", ".warning.outside: expected the low level first, then a higher one"),
        ("warning: {above: 80, clear: 81}", ".warning.clear: expected at most the level above, 80, got 81"),
        ("warning: {below: 8, clear: 7}", ".warning.clear: expected at least the level below, 8, got 7"),
        ("warning: {equals: 8, clear: 7}", ".warning.clear: goes with above or below only"),
        ("warning: {above: 96}, critical: {above: 95}",
         ".warning: the level 96 is beyond that of critical, 95"),
        ("warning: {below: 4}, critical: {below: 5}", ".warning: the level 4 is beyond that of critical, 5"),
        ("warning: {outside: [0, 9]}, critical: {above: 8}",
         ".warning: the level 9 is beyond that of critical, 8"),
        ("warning: {above: 5}, overrides: [{where: {host: a}, critical: {above: 4}}]",
         ".overrides[0].warning: the level 5 is beyond that of critical, 4"),
        ("overrides: [{where: {host: a}}]",
         ".overrides[0]: expected at least one of warning, critical, good, target, every"),
        ("target: {means: {at_most: 1}}", '.target: unknown key "means", did you mean "mean"?'),
        ("target: {p95: {at_most: 1, at_least: 0}}",
         ".target.p95: expected exactly one of at_most, at_least, got at_most and at_least"),
        ("target: {}", ".target: expected at least one statistic, such as p95 or availability"),
        ("target: {availability: {at_least: 99}}",
         '.target.availability.at_least: expected a share such as 0.995 or "99.5%", got "99"'),
        ("target: {breach_time: {at_most: 3600}}",
         '.target.breach_time.at_most: expected a duration such as "10s", "5m" or "7d", got "3600"'),
        ("target: {availability: {at_least: 0.99}}",
         ".target.availability: needs a critical level, or good, to say what is available"),
        ("target: {breach_time: {at_most: 1h}}",
         ".target.breach_time: needs a warning or critical level, to say what a breach is"),
        ("expect: {host: a, every: ten}",
         '.expect.every: expected a duration such as "10s", "5m" or "7d", got "ten"'),
        ("expect: {every: [1s]}", '.expect.every: expected a duration such as "10s", "5m" or "7d"'),
        ("expect: {every: 0s}", ".expect.every: expected more than 0s"),
        ("expect: {host: []}", ".expect.host: expected at least one value, got an empty list"),
        ("where: {host: {not: a, group: b}}", ".where.host: expected exactly one of not, group"),
        ("scale: 0", ".scale: expected a number other than 0"),
        ("bounded: [1, 1]", ".bounded: expected the low bound first, then a higher one"),
        ("by: []", ".by: expected at least one tag, got an empty list"),
        ("for: [x]", '.for[0]: unknown objective "x"; the plan has no objectives'),
        ("counter: 32", ".counter: goes with as: rate only"),
        ("as: rate, counter: 31", ".counter: expected 32, got number 31"),
        ("percent_of: speed",
         '.percent_of: expected measurement.field, such as cpu.usage_active, got "speed"'),
        ("percent_of: n.speed", ".percent_of: expected a field of m, or `by` with the tags that both have"),
        ("ratio: {of: a.x, to: a.y}", ": expected exactly one of metric, ratio, got metric and ratio"),
        ("when: office", '.when: unknown calendar "office"; the plan has no calendars'),
        ("as: rates", '.as: expected "rate", got text "rates"'),
    ],
)  # fmt: skip
def test_what_is_said_of_a_wrong_point(keys: str, problem: str) -> None:
    (found,) = wrong_point(keys)
    assert found.startswith(f"plan.yaml:4: points[0]{problem}")


def test_what_is_said_of_a_wrong_head() -> None:
    assert wrong("plan: P\nrevision: -1\nsite: a/b\ntimezone: Asia/Shangai\ncolours: {}\n") == [
        "plan.yaml:2: revision: expected at least 0, got number -1",
        'plan.yaml:5: unknown key "colours", known are: approved, calendars, groups, hosts, maintenance, '
        "min_coverage, objectives, plan, points, review, revision, site, timezone",
    ]
    assert wrong("plan: P\nrevision: 1\nsite: a/b\ntimezone: Asia/Shangai\n") == [
        "plan.yaml:3: site: expected 1 to 128 letters, digits, dots, hyphens or underscores, beginning with "
        'a letter or digit, got "a/b"',
        'plan.yaml:4: timezone: unknown time zone "Asia/Shangai", did you mean "Asia/Shanghai"?',
    ]
    for zone in ("", "../etc/passwd", "Asia", "/etc/localtime"):
        (found,) = wrong(f"plan: P\nrevision: 1\ntimezone: '{zone}'")
        assert found.startswith(f'plan.yaml:3: timezone: unknown time zone "{zone}"')


PERIOD_ONLY = "does not go with ratio, which is judged over a period only: set target.mean"


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("", ": expected exactly one of metric, ratio, got none"),
        ("ratio: {of: a.x, to: a}",
         '.ratio.to: expected measurement.field, such as cpu.usage_active, got "a"'),
        ("ratio: {of: a.x, to: a.x}", ".ratio.to: expected another field than that of `of`, a.x"),
        ("ratio: {of: a.x, to: b.x}",
         '.ratio.to: expected a field of the same measurement as a.x, got "b.x"'),
        ("ratio: {of: a.x, to: a.y}, percent_of: a.z",
         ".percent_of: goes with metric only; of a ratio, scale: 100 makes per cent"),
        *((f"ratio: {{of: a.x, to: a.y}}, {key}: {{above: 1}}", f".{key}: {PERIOD_ONLY}")
          for key in ("warning", "critical", "good")),
        ("ratio: {of: a.x, to: a.y}, missing: bad", f".missing: {PERIOD_ONLY}"),
        ("ratio: {of: a.x, to: a.y}, target: {p95: {at_most: 1}}", f".target.p95: {PERIOD_ONLY}"),
        ("ratio: {of: a.x, to: a.y}, overrides: [{where: {host: a}, warning: {above: 1}}]",
         f".overrides[0].warning: {PERIOD_ONLY}"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_wrong_ratio(keys: str, problem: str) -> None:
    (found,) = wrong(f"plan: P\nrevision: 1\npoints:\n- {{id: p, {keys}}}")
    assert found.startswith(f"plan.yaml:4: points[0]{problem}")


def test_a_ratio_and_a_share_name_another_metric() -> None:
    parts = plan("- {id: p, ratio: {of: parts.hits, to: parts.requests}, target: {mean: {at_least: 0.95}}}")
    assert (parts.points[0].metric, parts.points[0].ratio_to) == ("parts.hits", ("parts", "requests"))
    port = point("as: rate, counter: 32, scale: 8, percent_of: m.speed")
    assert (port.percent_of, port.counter_bits, port.rate, port.scale) == (("m", "speed"), 32, True, 8)
    assert point("by: [host], percent_of: n.speed").percent_of == ("n", "speed")


# -- calendars, maintenance, hosts -----------------------------------------------------------------

TIMES = """\
timezone: Asia/Shanghai
groups: {core: [sw-1, sw-2], web: ["web-*"]}
hosts:
  sw-3: {depends_on: [core]}
  pdu-1: {}
calendars:
  office: {weekly: "Mon-Fri 08:00-18:00", holidays: [2026-10-01], extra: {2026-10-10: "09:00-12:00"}}
maintenance:
  - {hosts: core, from: 2026-10-03 22:00, to: 2026-10-04 02:00, reason: New firmware}
  - {hosts: [web, not: web-1], weekly: "Sun 02:00-04:00", reason: Updates}
"""
SHANGHAI_MIDNIGHT = 1_790_784_000_000
"""1 October 2026"""
HOUR = 3_600_000


def test_a_calendar_is_in_the_time_zone_of_the_plan() -> None:
    office = plan("- {id: p, metric: m.f, when: office}", TIMES).points[0].calendar
    assert office is not None
    day = 24 * HOUR
    assert office.spans(SHANGHAI_MIDNIGHT, SHANGHAI_MIDNIGHT + 2 * day) == (
        (SHANGHAI_MIDNIGHT + day + 8 * HOUR, SHANGHAI_MIDNIGHT + day + 18 * HOUR),
    )
    assert office.contains(SHANGHAI_MIDNIGHT + 9 * day + 11 * HOUR)


def test_maintenance_is_of_hosts_and_of_what_they_measure() -> None:
    once, weekly = plan("- {id: p, metric: m.f}", TIMES).maintenance
    assert once.concerns({"host": "mon-01", "device": "sw-2"})
    assert once.concerns({"host": "sw-1"})
    assert not once.concerns({"host": "mon-01", "name": "sw-1"})
    assert weekly.concerns({"host": "web-2"})
    assert not weekly.concerns({"host": "web-1"})
    week = (SHANGHAI_MIDNIGHT, SHANGHAI_MIDNIGHT + 7 * 24 * HOUR)
    saturday = SHANGHAI_MIDNIGHT + 2 * 24 * HOUR
    assert once.spans(*week) == ((saturday + 22 * HOUR, saturday + 26 * HOUR),)
    assert weekly.spans(*week) == ((saturday + 26 * HOUR, saturday + 28 * HOUR),)
    assert once.spans(saturday, saturday + 23 * HOUR) == ((saturday + 22 * HOUR, saturday + 23 * HOUR),)
    assert (once.reason, weekly.reason) == ("New firmware", "Updates")


def test_maintenance_is_no_part_of_what_a_point_is() -> None:
    usual = plan("- {id: p, metric: m.f}").points[0].definition_hash
    assert plan("- {id: p, metric: m.f}", TIMES).points[0].definition_hash == usual


def test_a_host_depends_on_others_by_name_or_group() -> None:
    read = plan("- {id: p, metric: m.f, expect: {device: [sw-3, not: x]}}", TIMES)
    assert read.depends_on == {"sw-3": ("sw-1", "sw-2")}
    assert [str(hint) for hint in read.hints] == [
        'plan.yaml:7: hosts.pdu-1: no group and no point names a host or device "pdu-1"'
    ]


@pytest.mark.parametrize(
    ("head", "problem"),
    [
        ("hosts: {a: {depends_on: [b]}, b: {depends_on: [c]}, c: {depends_on: [b]}}",
         "hosts.b.depends_on: a host cannot depend on itself: b -> c -> b"),
        ("hosts: {a: {depends_on: [a]}}", "hosts.a.depends_on: a host cannot depend on itself: a -> a"),
        ("hosts: {a: {depends_on: ['b*']}}",
         'hosts.a.depends_on[0]: expected the name of a host, a device or a group, got "b*"'),
        ("calendars: {c: {weekly: Mon}}",
         'calendars.c.weekly: expected times of the week such as "Mon-Fri 08:00-18:00, Sat 09:00-12:00", '
         'got "Mon"'),
        ("calendars: {c: {weekly: 'Mon 08:00-09:00', extra: {soon: '08:00-09:00'}}}",
         "calendars.c.extra.soon: expected a date such as 2026-10-10"),
        ("maintenance: [{hosts: a, reason: x}]", "maintenance[0]: expected from and to, or weekly"),
        ("maintenance: [{hosts: a, reason: x, from: 2026-10-01 08:00}]",
         "maintenance[0]: expected from and to, or weekly"),
        ("maintenance: [{hosts: a, reason: ' ', weekly: 'Mon 08:00-09:00'}]",
         "maintenance[0].reason: expected a reason"),
        ("maintenance: [{hosts: a, reason: x, from: 2026-10-01 08:00, to: 2026-10-01 08:00}]",
         "maintenance[0].to: expected a time after from, 2026-10-01 08:00, got 2026-10-01 08:00"),
        ("maintenance: [{hosts: a, reason: x, from: 2026-10-01, to: 2026-10-02 08:00}]",
         'maintenance[0].from: expected a local time such as 2026-10-03 22:00, got "2026-10-01"'),
        ("maintenance: [{hosts: {group: g}, reason: x, weekly: 'Mon 08:00-09:00'}]",
         'maintenance[0].hosts.group: unknown group "g"; the plan has no groups'),
    ],
)  # fmt: skip
def test_what_is_said_of_wrong_times_and_hosts(head: str, problem: str) -> None:
    assert wrong(f"plan: P\nrevision: 1\n{head}\n") == [f"plan.yaml:3: {problem}"]


def test_a_metric_without_a_field_is_said() -> None:
    for metric in ("cpu", "cpu.", ".usage"):
        assert wrong(f"plan: P\nrevision: 1\npoints:\n- {{id: p, metric: {metric}}}") == [
            "plan.yaml:4: points[0].metric: expected measurement.field, such as cpu.usage_active, "
            f'got "{metric}"'
        ]


def test_everything_wrong_between_the_keys_is_said_at_once() -> None:
    text = """\
plan: P
revision: 1
objectives:
  - {id: erp, title: ERP}
  - {id: erp, title: ERP again}
groups:
  a: [b, x]
  b: [{group: a}]
  c: {group: bb}
points:
  - id: cpu
    metric: cpu.usage
    for: [erb]
  - id: mem
    metric: mem.used
    expect: {host: {group: hosts}}
  - metric: cpu.usage
    id: cpu
    where:
      host: {not: [{group: d}]}
"""
    assert wrong(text) == [
        'plan.yaml:5: objectives[1].id: duplicate objective "erp", first on line 4',
        "plan.yaml:8: groups.b[0].group: a group cannot contain itself: a -> b -> a",
        'plan.yaml:9: groups.c.group: unknown group "bb", did you mean "b"? known groups: a, b, c',
        'plan.yaml:13: points[0].for[0]: unknown objective "erb", did you mean "erp"?',
        'plan.yaml:16: points[1].expect.host.group: unknown group "hosts"; known groups: a, b, c',
        'plan.yaml:18: points[2].id: duplicate point "cpu", first on line 11',
        'plan.yaml:20: points[2].where.host.not[0].group: unknown group "d"; known groups: a, b, c',
    ]


def test_a_name_that_resembles_a_group_is_a_name_with_a_hint() -> None:
    groups = "groups: {core-switches: [core-switch-1], mon: [b]}"
    read = plan(
        "- id: p\n  metric: m.f\n  expect:\n    host: [core-switchs, core-switch-1, 'core-switche*', b]",
        groups,
    )
    assert read.points[0].expected_literals() == [
        {"host": host} for host in ("core-switchs", "core-switch-1", "b")
    ]
    assert [str(hint) for hint in read.hints] == [
        'plan.yaml:8: points[0].expect.host: no group is called "core-switchs", so this is a name; '
        'did you mean the group "core-switches"?'
    ]


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a", ["a"], ["b", "A", "", None]),
        ("web-?", ["web-1"], ["web-", "web-12", None]),
        ("'[ab]*'", ["a", "bx"], ["c", None]),
        ("'['", ["["], ["a"]),
        ("'[z-a]'", [], ["z", "a", "[z-a]"]),
        ("'*'", ["", "a\nb"], [None]),
        ("[a, 'b*']", ["a", "bx"], ["ax", None]),
        ("{not: a}", ["b", "", None], ["a"]),
        ("{not: '*'}", [None], ["a", ""]),
        ("[not: a, not: b]", ["c", None], ["a", "b"]),
        ("['web-*', not: web-test]", ["web-1"], ["web-test", "x", None]),
        ("web", ["web-1", "web-a"], ["web-test", "web", None]),
        ("{group: web}", ["web-1"], ["web-test", None]),
        ("{not: web}", ["web-test", "x", None], ["web-1"]),
        ("{not: [web, x]}", ["web-test"], ["web-1", "x"]),
        ("everything", ["mon-01", "web-1"], ["web-test", "x"]),
        ("[everything, web-test, not: {group: web}]", ["mon-01", "web-test"], ["web-1"]),
        ("{not: {not: a}}", ["a"], ["b", None]),
        ("no", ["no"], ["False"]),
        ("10", ["10"], ["1"]),
    ],
)
def test_which_values_a_pattern_means(
    pattern: str, matching: list[str | None], other: list[str | None]
) -> None:
    head = "groups: {web: ['web-*', web-a, not: web-test], everything: [mon-01, web]}"
    for keys in (f"where: {{x: {pattern}}}", f"expect: {{x: {pattern}}}"):
        read = point(keys, head)
        tags: list[dict[str, str]] = [{} if value is None else {"x": value} for value in matching]
        assert all(read.wants(each) for each in tags)
        tags = [{} if value is None else {"x": value} for value in other]
        assert not any(read.wants(each) for each in tags)


def test_a_point_wants_what_fits_both_where_and_expect() -> None:
    read = point("where: {cpu: cpu-total}, expect: {host: 'web-*', every: 10s}")
    assert read.wants({"host": "web-1", "cpu": "cpu-total", "every": "x"})
    assert not read.wants({"host": "web-1", "cpu": "cpu0"})
    assert not read.wants({"host": "db-1", "cpu": "cpu-total"})
    assert point("").wants({"anything": "at all"})


@pytest.mark.parametrize(
    ("keys", "literals", "with_hosts"),
    [
        ("where: {host: a}", [], []),
        ("where: {host: a}, expect: {every: 10s}", [], []),
        ("expect: {host: a}", ["host=a"], ["host=a"]),
        ("expect: {host: [b, a, b]}", ["host=b", "host=a"], ["host=b", "host=a"]),
        ("expect: {host: web}", ["host=web-a"], ["host=web-a", "host=web-1", "host=web-2"]),
        ("expect: {host: ['web-[12]', not: web-2]}", [], ["host=web-1"]),
        ("expect: {host: {not: 'web-*'}}", [], ["host=mon"]),
        ("expect: {host: [a, b, not: b]}", ["host=a"], ["host=a"]),
        ("expect: {host: a}, where: {cpu: total}", ["host=a cpu=total"], ["host=a cpu=total"]),
        ("expect: {host: a}, where: {path: [/, /var, '/d*']}", ["host=a path=/", "host=a path=/var"], None),
        ("expect: {host: [a, b], path: [/, '/d*']}", ["host=a path=/", "host=b path=/"], None),
        ("expect: {host: a, path: '/d*'}", ["host=a"], ["host=a"]),
        ("expect: {host: a, path: '/d*'}, where: {path: [/, /data]}", ["host=a path=/data"], None),
        ("expect: {host: [a, b]}, where: {host: {not: b}}", ["host=a"], ["host=a"]),
        ("expect: {host: a}, where: {host: b}", [], []),
        ("expect: {device: 'sw-*'}, where: {host: a}", [], []),
        ("expect: {device: [sw-1]}, where: {host: a}", ["device=sw-1 host=a"], None),
    ],
)
def test_which_subjects_must_exist(keys: str, literals: list[str], with_hosts: list[str] | None) -> None:
    read = point(keys, "groups: {web: ['web-*', web-a, not: web-test]}")

    def shown(combinations: list[dict[str, str]]) -> list[str]:
        return [" ".join(f"{tag}={value}" for tag, value in tags.items()) for tags in combinations]

    known = ["web-2", "web-1", "web-a", "web-test", "mon"]
    assert shown(read.expected_literals()) == literals
    assert shown(read.expected_hosts(known)) == (literals if with_hosts is None else with_hosts)


def test_the_definition_hash_changes_with_what_is_judged() -> None:
    head = "objectives: [{id: o, title: O}]\ngroups: {g: [%s]}"

    def definition(keys: str, members: str = "a, b") -> str:
        return point(keys, head % members).definition_hash

    base = "where: {host: g, cpu: [x, y]}, warning: {above: 1}"
    calendar = (head % "a, b") + "\ncalendars: {c: {weekly: Mon %s}}"
    same = [
        definition(base, "b, a"),
        definition("warning: {above: 1.0}, where: {cpu: [y, x], host: g}"),
        definition(base + ", title: T, owner: me, action: do, for: [o], class: service, element: people"),
    ]
    assert set(same) == {definition(base)}
    different = [
        definition(base, "a, b, c"),
        definition(base.replace("above: 1", "above: 2")),
        definition(base.replace("above: 1", "below: 1")),
        definition(base.replace("above: 1", "above: 1, for: 1s")),
        definition(base.replace("[x, y]", "[x, not: y]")),
        *(
            definition(f"{base}, {more}")
            for more in (
                "critical: {above: 3}",
                "target: {p95: {at_most: 3}}",
                "expect: {every: 1s}",
                "expect: {host: a}",
                "overrides: [{where: {host: a}, every: 1s}]",
                "overrides: [{where: {host: b}, every: 1s}]",
                "as: rate",
                "scale: 2",
                "missing: bad",
                "unit: percent",
                "by: [host]",
                "min_coverage: 0.5",
                "as: rate, counter: 32",
                "percent_of: m.speed",
                "percent_of: m.other",
            )
        ),
        *(
            plan(f"- {{id: p, metric: m.f, {base}, when: c}}", calendar % times).points[0].definition_hash
            for times in ("08:00-09:00", "08:00-10:00")
        ),
    ]
    assert len({definition(base), *different}) == len(different) + 1


_VALUES = st.text("ab*?[!]-", max_size=4)
_WORDS = st.one_of(_VALUES, st.sampled_from(["g1", "g2"]))
_SPECIALS = st.recursive(
    _WORDS | st.sampled_from([Special(group="g1"), Special(group="g2")]),
    lambda inner: st.builds(lambda part: Special(not_=part), inner | st.lists(inner, min_size=1, max_size=3)),
    max_leaves=4,
)
_PATTERNS = _WORDS | _SPECIALS | st.lists(_SPECIALS, min_size=1, max_size=4)


def slowly(pattern: Any, value: str | None, groups: dict[str, Any]) -> bool:
    """What a pattern means, said as plainly as possible."""
    if isinstance(pattern, str):
        if pattern in groups:
            return slowly(groups[pattern], value, groups)
        return value is not None and fnmatch.fnmatchcase(value, pattern)
    if isinstance(pattern, Special):
        if pattern.group is not None:
            return slowly(groups[pattern.group], value, groups)
        return not slowly(pattern.not_, value, groups)
    exclusions = [part for part in pattern if isinstance(part, Special) and part.group is None]
    listed = [part for part in pattern if part not in exclusions]
    return all(slowly(part, value, groups) for part in exclusions) and (
        not listed or any(slowly(part, value, groups) for part in listed)
    )


@given(
    _PATTERNS, st.lists(_VALUES | st.just(Special(not_="a*")), min_size=1, max_size=3), _VALUES | st.none()
)
def test_matching_means_what_it_says(pattern: Any, members: Any, value: str | None) -> None:
    groups: dict[str, Any] = {"g1": members, "g2": ["g1", "aa", Special(not_="ab")]}
    reported: list[tuple[str, str]] = []
    matcher = Groups(groups, lambda path, message: reported.append((path, message))).matcher(pattern, "x")
    assert not reported
    assert matcher.matches(value) == slowly(pattern, value, groups)
    assert all(slowly(pattern, literal, groups) for literal in matcher.literals())
