"""Ranges, performance data, command lines and files of Nagios and Icinga."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.nagios_checks.arguments import find_levels
from agent.inputs.nagios_checks.checks import Check, read_check
from agent.inputs.nagios_checks.icinga import NotIcinga, decode_checks
from agent.inputs.nagios_checks.input import NagiosChecksInput
from agent.inputs.nagios_checks.objects import Block, NotNagios, checks_in, parse_file
from agent.inputs.nagios_checks.perfdata import Measured, parse_perfdata
from agent.inputs.nagios_checks.ranges import NoRange, bounds, parse_range
from agent.inputs.nagios_checks.settings import NagiosChecksSettings
from agent.inputs.thresholds.found import FoundThreshold, NoThreshold


def raised(text: str, value: float) -> bool:
    """Whether the thresholds of the range are passed."""
    found = bounds(parse_range(text))
    passed = {
        one: {
            "above": value > one.level,
            "below": value < one.level,
            "at_least": value >= one.level,
            "at_most": value <= one.level,
        }[one.comparison]
        for one in found
    }
    needed = all(ok for one, ok in passed.items() if one.role == "requires")
    return needed and any(ok for one, ok in passed.items() if one.role == "raises")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10", ["above 10", "below 0"]),
        ("10:", ["below 10"]),
        ("~:10", ["above 10"]),
        ("10:20", ["above 20", "below 10"]),
        ("@10:20", ["at_least 10", "at_most 20 requires"]),
        ("@10", ["at_least 0", "at_most 10 requires"]),
        ("@~:5", ["at_most 5"]),
        ("@5:", ["at_least 5"]),
        ("~:5", ["above 5"]),
        (":5", ["above 5", "below 0"]),
        ("-1.5:1e3", ["above 1000", "below -1.5"]),
        ("0,5", ["above 0.5", "below 0"]),
        ("~:", []),
        ("@~:", []),
    ],
)
def test_a_range_becomes_comparisons(text: str, expected: list[str]) -> None:
    found = [
        f"{one.comparison} {one.level:g}{' requires' * (one.role == 'requires')}"
        for one in bounds(parse_range(text))
    ]
    assert found == expected


@pytest.mark.parametrize("text", ["", "@", "20:10", "-5", "a", "1:2:3", "~", "10%", "1~:2", "$ARG1$"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(NoRange):
        parse_range(text)


numbers = st.integers(-50, 50).map(lambda number: number / 2)


@given(low=st.none() | numbers, high=st.none() | numbers, at=st.booleans(), value=numbers)
def test_a_ranges_thresholds_are_passed_when_it_alerts(
    low: float | None, high: float | None, at: bool, value: float
) -> None:
    if low is None and high is None:
        return
    if low is not None and high is not None:
        low, high = sorted((low, high))
    text = f"{'@' * at}{'~' if low is None else low}:{'' if high is None else high}"
    within = (low is None or value >= low) and (high is None or value <= high)
    assert raised(text, value) == (within == at)


@given(end=numbers.filter(lambda number: number >= 0), at=st.booleans(), value=numbers)
def test_a_range_of_one_number_begins_at_zero(end: float, at: bool, value: float) -> None:
    assert raised(f"{'@' * at}{end}", value) == ((0 <= value <= end) == at)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("load1=0.5;5;10;0", [Measured("load1", "", "5", "10", "0")]),
        ("'/srv data'=3MB;~:8;@1:2;0;10 b=1",
         [Measured("/srv data", "MB", "~:8", "@1:2", "0"), Measured("b")]),
        ("'it''s'=1", [Measured("it's")]),
        ("used=20%;80%;90%", [Measured("used", "%", "80", "90")]),
        ("a=U;1;2  b=0,5s;;3", [Measured("a", "", "1", "2"), Measured("b", "s", "", "3")]),
        ("rubbish 'open=1", []),
        ("=1 a= b", [Measured("a")]),
        ("", []),
    ],
)  # fmt: skip
def test_performance_data_is_read(text: str, expected: list[Measured]) -> None:
    assert parse_perfdata(text) == expected


@given(st.lists(st.tuples(st.text(min_size=1).filter(lambda one: one.strip()), numbers), max_size=4))
def test_quoted_labels_come_back(values: list[tuple[str, float]]) -> None:
    text = " ".join("'{}'={};{}".format(label.replace("'", "''"), number, number) for label, number in values)
    assert [(one.label, one.warning) for one in parse_perfdata(text)] == [
        (label, str(number)) for label, number in values
    ]


@given(st.text())
def test_any_text_is_taken_as_performance_data(text: str) -> None:
    for one in parse_perfdata(text):
        assert read_check(Check("c", command="x", measured=[one]))


def lines(check: Check) -> list[str]:
    found = []
    for one in read_check(check):
        if isinstance(one, NoThreshold):
            found.append(f"none: {one.reason}")
        else:
            found.append(f"{one.severity} {one.metric} {one.comparison} {one.level:g}")
    return found


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("check_load -w 5,4,3 -c 10", [
            "warning c[load1] above 5", "warning c[load5] above 4", "warning c[load15] above 3",
            "critical c[load1] above 10", "critical c[load5] above 10", "critical c[load15] above 10"]),
        ("check_ping -H a -w 100.0,20% -c 500,60%", [
            "warning c[rta,ms] above 100", "warning c[pl,%] above 20",
            "critical c[rta,ms] above 500", "critical c[pl,%] above 60"]),
        ("check_disk -w 20% -c 100 -p /srv",
         ["warning c[/srv,% free] below 20", "critical c[/srv,MB free] below 100"]),
        ("check_swap --warning=20%", ["warning c[% free] below 20"]),
        ("check_procs -w250 -c 300:400 -s Z", [
            "warning c above 250", "critical c above 400", "critical c below 300"]),
        ("check_x -w @5:6", ["warning c at_least 5", "warning c at_most 6"]),
        ("check_x -w $ARG1$ -c foo", ["none: no number", "none: unreadable"]),
        ("check_x -w ~: -c @~:", ["none: never", "none: always"]),
        ("check_x -w 1000000,2000000 -c 3", ["none: no number", "critical c above 3"]),
        ("check_mrtgtraf -w 10,20", ["warning c[in] above 10", "warning c[out] above 20"]),
        ("check_x -w", ["none: unreadable"]),
        ("check_x", ["none: no number"]),
    ],
)  # fmt: skip
def test_levels_of_a_command_line(command: str, expected: list[str]) -> None:
    assert (
        lines(Check("s", command="c", line=["/usr/lib/" + command.split()[0], *command.split()[1:]]))
        == expected
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (["check_nrpe", "-H", "h", "-c", "check_load", "-a", "-w 5"], "warning check_load[load1] above 5"),
        (["check_nrpe", "--command=check_x", "-a", "-w", "5", "-c", "9"], "warning check_x above 5"),
        (["check_by_ssh", "-H", "h", "-C", "/usr/lib/check_x -w 5 -c 9"], "warning check_x above 5"),
        (["check_nrpe", "-H", "h", "-c", "check_load"], "none: no number"),
        (["check_nrpe", "-H", "h"], "none: no number"),
        (["check_by_ssh", "-C"], "none: no number"),
    ],
)  # fmt: skip
def test_what_another_host_runs_counts(line: list[str], expected: str) -> None:
    assert lines(Check("s", command="nrpe", line=line))[0] == expected


@given(st.lists(st.text()))
def test_any_command_line_is_taken(command: list[str]) -> None:
    find_levels(command)


def test_what_was_reported_counts_before_the_command_line() -> None:
    measured = parse_perfdata("load1=1;2:8;;0 temp=1;0:9;;0 other=1")
    check = Check("s", command="load", measured=measured, line=["check_load", "-w", "5"])
    assert lines(check) == [
        "warning load[load1] above 8",
        "warning load[load1] below 2",
        "warning load[temp] above 9",
    ]


OBJECTS = """
# a comment
define command {
    command_name  check_nrpe
    command_line  $USER1$/check_nrpe -H $HOSTADDRESS$ -c $ARG1$ -a '$ARG2$'
}
define command{
    command_name  check_procs
    command_line  $USER1$/check_procs -w $ARG1$ -c $_SERVICECRIT$ ; a comment
}
define service {
    name                generic
    register            0
    max_check_attempts  3
    retry_interval      2
    notifications_enabled 0
}
define service {
    use                 generic
    host_name           web1, web2
    service_description Processes
    check_command       check_procs!~:250
    _CRIT               400
}
define service {
    hostgroup_name      all
    service_description Remote
    check_command       check_nrpe!check_users
}
"""
STATUS = """
info {
    created=1
}
servicestatus {
    host_name=web1
    service_description=Processes
    check_command=check_procs!250
    performance_data=procs=40;300;600;0;
    max_attempts=2
    retry_interval=1.000000
    }
hoststatus {
    host_name=web1
    check_command=check-host-alive
    performance_data=rta=0.1ms;3000;5000;0;
    }
"""


def test_object_files_and_the_status_file_are_read_together() -> None:
    found = []
    for check in checks_in([*parse_file(OBJECTS.encode()), *parse_file(STATUS.encode())]):
        for one in read_check(check):
            if isinstance(one, FoundThreshold):
                [subject] = one.subject
                found.append((one.rule, subject.value, one.metric, one.level, one.for_s, one.enabled))
            else:
                found.append((one.rule, one.reason))
    assert found == [
        ("Processes", "web1", "check_procs[procs]", 300, 60, True),
        ("Processes", "web1", "check_procs[procs]", 600, 60, True),
        ("host check", "web1", "check-host-alive[rta,ms]", 3000, 0, True),
        ("host check", "web1", "check-host-alive[rta,ms]", 5000, 0, True),
        ("Processes", "web2", "check_procs", 250, 240, False),
        ("Processes", "web2", "check_procs", 400, 240, False),
        ("Remote", "no number"),
    ]


def test_templates_that_use_each_other_end() -> None:
    blocks = [Block("service", {"name": "a", "use": "a", "host_name": "h", "check_command": "c"})]
    assert [check.command for check in checks_in(blocks)] == ["c"]


@given(st.text(alphabet="define service{}host_name a=;\n\\ "))
def test_any_text_is_blocks_or_refused(text: str) -> None:
    try:
        blocks = parse_file(text.encode())
    except NotNagios:
        return
    checks_in(blocks)


def test_what_icinga_says_as_objects_is_read() -> None:
    value = {"label": "idle", "unit": "percent", "warn": "10:", "crit": None, "min": 0}
    attrs = {
        "name": "cpu",
        "host_name": "web1",
        "check_command": "cluster",
        "max_check_attempts": 3,
        "retry_interval": 20,
        "last_check_result": {"performance_data": [value, 7, "a=1;2"], "command": None},
    }
    [check] = decode_checks(json.dumps({"results": [{"attrs": attrs}]}).encode())
    assert lines(check) == ["warning cluster[idle,%] below 10", "warning cluster[a] above 2"]
    assert check.for_s == 40


@pytest.mark.parametrize("body", [b"", b"[]", b'{"results": 1}', b'{"error": 404}', b"<html>"])
def test_another_answer_than_icingas_is_named(body: bytes) -> None:
    with pytest.raises(NotIcinga, match="not that of /v1/objects"):
        decode_checks(body)


async def _gathered(settings: NagiosChecksSettings) -> dict[str, object]:
    source = NagiosChecksInput(settings)
    try:
        return dict((await source.gather())[-1].fields)
    finally:
        await source.close()


def test_a_broken_file_is_counted_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.cfg").write_text(OBJECTS)
    (tmp_path / "b.cfg").write_text("nothing")
    fields = asyncio.run(_gathered(NagiosChecksSettings(files=[f"{tmp_path}/*.cfg"])))
    assert (fields["rules"], fields["thresholds"], fields["failed_parts"]) == (3, 4, 1)
