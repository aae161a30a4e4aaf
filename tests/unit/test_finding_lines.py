"""What the store is told of findings."""

from __future__ import annotations

import msgspec

from collector.finding_lines import FindingLines
from setpoint.finding import Evidence, Finding

HOUR = 3_600_000
NOON = 1_790_000_000_000 - 1_790_000_000_000 % HOUR + 17 * 60_000


def finding(id_: str = "a1", measured: float = 95.0, **changes: object) -> Finding:
    one = Finding(
        id=id_,
        kind="target-missed",
        severity="warning",
        reasons=[],
        title="",
        text={},
        point="cpu",
        metric="cpu.busy",
        subject={"host": "mon-01"},
        measured=measured,
        target=70.0,
        gap=measured - 70,
        evidence=Evidence(start_ms=0, end_ms=1),
        plan_revision=1,
        plan_hash="",
    )
    return msgspec.structs.replace(one, **changes)


def test_an_open_finding_is_told_once_and_then_every_hour() -> None:
    lines = FindingLines("collector")
    (line,) = lines.lines([finding()], NOON)
    assert line == (
        b"setpoint_finding,host=collector,id=a1,kind=target-missed,point=cpu,severity=warning "
        b"open=1i,measured=95.0,target=70.0,gap=25.0 %d000000" % NOON
    )
    assert lines.lines([finding()], NOON + 60_000) == []
    (again,) = lines.lines([finding()], NOON + HOUR)
    assert again.endswith(b" %d000000" % (NOON + HOUR - 17 * 60_000))


def test_new_numbers_are_told_with_the_next_hour() -> None:
    lines = FindingLines("collector")
    lines.lines([finding()], NOON)
    assert lines.lines([finding(measured=96.0)], NOON + 60_000) == []
    (line,) = lines.lines([finding(measured=96.0)], NOON + HOUR)
    assert b"measured=96.0" in line


def test_a_finding_that_ends_is_told_of_as_not_open() -> None:
    lines = FindingLines("collector")
    lines.lines([finding(), finding("b2")], NOON)
    (line,) = lines.lines([finding("b2")], NOON + 60_000)
    assert b",id=a1," in line
    assert b" open=0i " in line
    assert lines.lines([finding("b2")], NOON + 120_000) == []


def test_a_finding_that_gets_worse_is_not_open_as_it_was() -> None:
    lines = FindingLines("collector")
    lines.lines([finding()], NOON)
    told = lines.lines([finding(severity="critical")], NOON + 60_000)
    assert [(b"critical" in line, b"open=1i" in line) for line in told] == [(True, True), (False, False)]


def test_after_a_start_what_ended_lately_is_told_of_too() -> None:
    ended = finding(state="closed", closed_ms=NOON - HOUR)
    long_ago = finding("c3", state="closed", closed_ms=NOON - 48 * HOUR)
    lines = FindingLines("collector")
    (line,) = lines.lines([ended, long_ago], NOON)
    assert b",id=a1," in line
    assert b" open=0i " in line
    assert lines.lines([ended], NOON + HOUR) == []


def test_what_has_no_numbers_and_no_point_is_told_without() -> None:
    bare = finding(point=None, target=None, gap=None)
    (line,) = FindingLines("collector").lines([msgspec.structs.replace(bare, measured=None)], NOON)
    assert b"point=" not in line
    assert b" open=1i " in line
