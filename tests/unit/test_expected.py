"""When a subject is expected, and what checks make of time in which it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.analysis.expected import NOTHING_LEFT_OUT, ExpectedTimes, LeftOut
from collector.analysis.gaps import not_measured, thin_coverage, threshold_breached, went_silent
from collector.analysis.gaps.presence import Presence, presence
from collector.analysis.review import SubjectReview
from setpoint.calendars import Calendar, Weekly
from setpoint.maintenance import Maintenance, downtime
from setpoint.plan_match import Matcher
from setpoint.spans import Spans, length_ms
from tests.unit.review_factory import (
    CPU,
    CPU_TAGS,
    DAY,
    DISK,
    HOUR,
    MINUTE,
    MONTH,
    RUNNING,
    START,
    absent,
    answers,
    breaches,
    gaps,
    plan,
    review,
    statistics,
    subject,
)

OFFICE = Calendar("Asia/Shanghai", Weekly.parse("Mon-Fri 08:00-18:00").by_day())
MON = {"host": "mon-01"}


def down(host: str, start_ms: int, end_ms: int, added_ms: int | None = None) -> Maintenance:
    return Maintenance(Matcher([host]), "work", span=(start_ms, end_ms), added_ms=added_ms)


def test_without_any_reason_all_of_the_time_is_expected() -> None:
    times = ExpectedTimes(START, MONTH.end_ms, [down("other", START, START + DAY)])
    assert times.of(None, MON, START, MONTH.end_ms) == (None, NOTHING_LEFT_OUT)


def test_the_calendar_comes_first_then_maintenance_then_masks() -> None:
    # START is a Thursday, midnight in Shanghai.
    times = ExpectedTimes(
        START,
        START + DAY,
        [down("mon-01", START + 6 * HOUR, START + 9 * HOUR)],
        {"mon-01": ((START + 8 * HOUR, START + 10 * HOUR),)},
    )
    spans, left_out = times.of(OFFICE, MON, START + HOUR, START + DAY)
    assert spans == ((START + 10 * HOUR, START + 18 * HOUR),)
    assert left_out == LeftOut(outside_ms=13 * HOUR, maintenance_ms=HOUR, masked_ms=HOUR)
    assert times.of(OFFICE, {"host": "b"}, START, START + DAY)[1] == LeftOut(outside_ms=14 * HOUR)
    assert times.of(OFFICE, {"device": "mon-01"}, START, START + DAY)[1].masked_ms == HOUR


def test_maintenance_that_was_entered_late_says_so() -> None:
    late = down("mon-01", START, START + 4 * HOUR, START + 3 * HOUR)
    found = downtime([late], MON, START, START + DAY)
    assert (found.spans, found.entered_late) == (
        ((START, START + 4 * HOUR),),
        ((START, START + 3 * HOUR),),
    )
    announced = down("mon-*", START + HOUR, START + 2 * HOUR, START)
    assert length_ms(downtime([late, announced], MON, START, START + DAY).entered_late) == 2 * HOUR
    assert (
        length_ms(downtime([late, down("mon-01", START, START + DAY)], MON, START, START + DAY).spans) == DAY
    )
    times = ExpectedTimes(START, START + DAY, [late])
    assert times.of(None, MON, START, START + DAY)[1] == LeftOut(
        maintenance_ms=4 * HOUR, maintenance_late_ms=3 * HOUR
    )


def seen(last_ms: int, spans: Spans | None) -> SubjectReview:
    shown = statistics(RUNNING, last_ms=last_ms)
    return replace(subject(plan(CPU), "host-cpu", CPU_TAGS, shown)[1], spans=spans)


END = RUNNING.end_ms


@pytest.mark.parametrize(
    ("last_ms", "spans", "found"),
    [
        (END - HOUR, None, Presence.SILENT),
        (END - HOUR, ((START, END),), Presence.SILENT),
        (END - HOUR, ((START, END - HOUR + 90_000),), Presence.AWAY),
        (END - HOUR, ((START, END - HOUR + 90_001),), Presence.SILENT),
        (END - HOUR, ((START, END - DAY), (END - 90_001, END)), Presence.SILENT),
        (END - HOUR, (), Presence.AWAY),
        (END - MINUTE, (), Presence.REPORTING),
    ],
)
def test_silence_counts_while_something_is_expected(
    last_ms: int, spans: Spans | None, found: Presence
) -> None:
    assert presence(seen(last_ms, spans), RUNNING) is found


def test_who_is_away_is_not_silent_and_closes_nothing() -> None:
    shown = seen(END - HOUR, ((START, END - HOUR),))
    judged = review(plan(CPU), RUNNING, ("host-cpu", shown))
    assert set(answers(went_silent.check(judged)).values()) == {"cannot tell"}


def test_who_is_away_at_the_end_of_a_period_is_judged_by_what_it_showed() -> None:
    shown = statistics(MONTH, coverage=0.95, last_ms=MONTH.end_ms - DAY, excluded_ms=20 * DAY)
    away = replace(subject(plan(CPU), "host-cpu", CPU_TAGS, shown)[1], spans=((START, MONTH.end_ms - DAY),))
    judged = review(plan(CPU), MONTH, ("host-cpu", away))
    assert answers(thin_coverage.check(judged))["host-cpu", away.subject] == "no gap"


def test_what_was_never_expected_is_not_missing() -> None:
    never = subject(plan(DISK), "host-disk", {"host": "jump-01"}, absent(RUNNING, every=MINUTE))[1]
    other = subject(plan(DISK), "host-disk", {"host": "mon-01"}, statistics(RUNNING, every=MINUTE))
    for spans, is_gap in ((None, True), ((), False), (((START, START + DAY),), True)):
        judged = review(plan(DISK), RUNNING, ("host-disk", replace(never, spans=spans)), other)
        assert [finding.subject for finding in gaps(not_measured.check(judged))] == [
            {"host": "jump-01"}
        ] * is_gap


def test_a_finding_tells_how_much_time_was_left_out() -> None:
    shown = statistics(MONTH, critical=breaches(HOUR), max=99.0)
    reviewed = subject(plan(CPU), "host-cpu", CPU_TAGS, shown)[1]
    left_out = LeftOut(maintenance_ms=4 * HOUR, maintenance_late_ms=HOUR)
    judged = review(plan(CPU), MONTH, ("host-cpu", replace(reviewed, left_out=left_out)))
    [finding] = gaps(threshold_breached.check(judged))
    assert finding.evidence.statistics["maintenance_ms"] == 4 * HOUR
    assert finding.evidence.statistics["maintenance_late_ms"] == HOUR
    assert "masked_ms" not in finding.evidence.statistics
