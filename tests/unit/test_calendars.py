"""Calendars: what counts, on ordinary days and on those with daylight saving."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.calendars import Calendar, LocalTime, Times, Weekly
from setpoint.spans import length_ms

HOUR = 3_600_000
DAY = 24 * HOUR
NEW_YORK, SHANGHAI = "America/New_York", "Asia/Shanghai"


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(moment.timestamp() * 1000)


def calendar(weekly: str, zone: str = "UTC", holidays: str = "", **extra: str) -> Calendar:
    return Calendar(
        zone,
        Weekly.parse(weekly).by_day(),
        frozenset(map(datetime.date.fromisoformat, holidays.split())),
        {datetime.date.fromisoformat(f"2026-{day[1:].replace('_', '-')}"): Times.parse(times).stretches()
         for day, times in extra.items()},
    )  # fmt: skip


def shown(found: Calendar, start: str, end: str) -> list[str]:
    """The spans between two local midnights, in local time with the offset's hours."""
    zone = ZoneInfo(found.zone)

    def clock(moment_ms: int) -> str:
        return datetime.datetime.fromtimestamp(moment_ms / 1000, zone).strftime("%a %d %H:%M%z")[:-2]

    return [f"{clock(a)} to {clock(b)}" for a, b in found.spans(at(start, found.zone), at(end, found.zone))]


def test_the_week_of_an_office() -> None:
    office = calendar("Mon-Fri 08:00-18:00, Sat 09:00-12:00", SHANGHAI)
    assert shown(office, "2026-10-09", "2026-10-13") == [
        "Fri 09 08:00+08 to Fri 09 18:00+08",
        "Sat 10 09:00+08 to Sat 10 12:00+08",
        "Mon 12 08:00+08 to Mon 12 18:00+08",
    ]


def test_holidays_have_nothing_and_extra_days_what_is_said_for_them() -> None:
    holidays = "2026-10-01 2026-10-02 2026-10-05"
    office = calendar("Mon-Fri 08:00-18:00", SHANGHAI, holidays, _10_05="10:00-11:00",
                      _10_10="08:00-12:00 13:00-17:00")  # fmt: skip
    assert shown(office, "2026-09-30", "2026-10-06") == [
        "Wed 30 08:00+08 to Wed 30 18:00+08",
        "Mon 05 10:00+08 to Mon 05 11:00+08",
    ]
    assert shown(office, "2026-10-10", "2026-10-11") == [
        "Sat 10 08:00+08 to Sat 10 12:00+08",
        "Sat 10 13:00+08 to Sat 10 17:00+08",
    ]


def test_a_night_belongs_to_the_day_that_it_begins_on() -> None:
    nights = calendar("Fri-Sat 22:00-06:00", "UTC", "2026-10-10")
    assert shown(nights, "2026-10-09", "2026-10-13") == ["Fri 09 22:00+00 to Sat 10 06:00+00"]
    assert shown(nights, "2026-10-10", "2026-10-11") == ["Sat 10 00:00+00 to Sat 10 06:00+00"]


def test_all_of_the_week_is_one_span() -> None:
    always = calendar("Sat-Fri 00:00-24:00", NEW_YORK)
    start, end = at("2026-02-01"), at("2026-12-01")
    assert always.spans(start, end) == ((start, end),)


@pytest.mark.parametrize(
    ("weekly", "spring", "autumn"),
    [
        # On 8 March 2026 clocks in New York go from 02:00 to 03:00, on 1 November from 02:00 back to 01:00.
        ("Sun 00:00-24:00", ["Sun 08 00:00-05 to Mon 09 00:00-04"], ["Sun 01 00:00-04 to Mon 02 00:00-05"]),
        ("Sun 01:30-04:00", ["Sun 08 01:30-05 to Sun 08 04:00-04"], ["Sun 01 01:30-04 to Sun 01 04:00-05"]),
        ("Sun 00:00-01:30", ["Sun 08 00:00-05 to Sun 08 01:30-05"], ["Sun 01 00:00-04 to Sun 01 01:30-05"]),
        ("Sun 02:30-04:00", ["Sun 08 03:00-04 to Sun 08 04:00-04"], ["Sun 01 02:30-05 to Sun 01 04:00-05"]),
        ("Sun 01:00-02:30", ["Sun 08 01:00-05 to Sun 08 03:00-04"], ["Sun 01 01:00-04 to Sun 01 02:30-05"]),
        ("Sun 02:10-02:50", [], ["Sun 01 02:10-05 to Sun 01 02:50-05"]),
        ("Sun 02:00-03:00", [], ["Sun 01 02:00-05 to Sun 01 03:00-05"]),
        ("Sun 08:00-18:00", ["Sun 08 08:00-04 to Sun 08 18:00-04"], ["Sun 01 08:00-05 to Sun 01 18:00-05"]),
    ],
)
def test_days_with_23_and_25_hours(weekly: str, spring: list[str], autumn: list[str]) -> None:
    found = calendar(weekly, NEW_YORK)
    assert shown(found, "2026-03-08", "2026-03-09") == spring
    assert shown(found, "2026-11-01", "2026-11-02") == autumn


def test_days_with_daylight_saving_are_as_long_as_they_are() -> None:
    found = calendar("Mon-Sun 00:00-24:00", NEW_YORK)
    for day, hours in (("2026-03-08", 23), ("2026-11-01", 25), ("2026-06-01", 24)):
        start = at(day, NEW_YORK)
        end = at(str(datetime.date.fromisoformat(day) + datetime.timedelta(days=1)), NEW_YORK)
        assert length_ms(found.spans(start, end)) == hours * HOUR


MINUTES = st.integers(0, 1439).map(lambda minutes: f"{minutes // 60:02d}:{minutes % 60:02d}")


@given(
    day=st.dates(datetime.date(2025, 1, 10), datetime.date(2027, 1, 1)),
    times=st.lists(MINUTES, min_size=2, max_size=2),
    hours=st.integers(-11, 12),
    length=st.integers(1, 10 * DAY),
)
def test_another_time_zone_shifts_the_calendar_and_nothing_else(
    day: datetime.date, times: list[str], hours: int, length: int
) -> None:
    week = f"Mon-Wed {times[0]}-{times[1]}, Sat 12:00-12:00"
    here = calendar(week, "UTC", "2026-05-05")
    there = calendar(week, f"Etc/GMT{-hours:+d}", "2026-05-05")  # signs are the wrong way round there: POSIX
    start = at(f"{day} 07:13")
    moved = tuple((a - hours * HOUR, b - hours * HOUR) for a, b in here.spans(start, start + length))
    assert there.spans(start - hours * HOUR, start - hours * HOUR + length) == moved


@given(
    start=st.datetimes(datetime.datetime(2026, 1, 1), datetime.datetime(2027, 1, 1)),
    lengths=st.lists(st.integers(0, 5 * DAY), min_size=2, max_size=2),
    zone=st.sampled_from([NEW_YORK, SHANGHAI, "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_neighbouring_times_have_what_both_have_together(
    start: datetime.datetime, lengths: list[int], zone: str
) -> None:
    found = calendar("Mon-Fri 08:00-18:00, Sat 22:00-04:00, Sun 02:15-02:45", zone)
    a = round(start.replace(tzinfo=datetime.UTC).timestamp() * 1000)
    b, c = a + lengths[0], a + sum(lengths)
    assert length_ms(found.spans(a, b)) + length_ms(found.spans(b, c)) == length_ms(found.spans(a, c))
    for moment in (a, b, c):
        assert found.contains(moment) == any(s <= moment < e for s, e in found.spans(a - DAY, c + DAY))


@pytest.mark.parametrize(
    "text",
    ["", "Mon", "Mon 08:00", "08:00-09:00", "Mo 08:00-09:00", "Mon-Fry 08:00-09:00", "Mon 8:00-09:00",
     "Mon 24:00-01:00", "Mon 08:60-09:00", "Mon 08:00-24:01", "Mon 08:00-09:00,", "Mon 08:00-09:00 x"],
)  # fmt: skip
def test_what_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected times"):
        Weekly.parse(text)


def test_a_local_time_is_a_date_and_a_time_of_day() -> None:
    zone = ZoneInfo(NEW_YORK)
    assert LocalTime.parse("2026-10-03 22:00").start_ms(zone) == at("2026-10-03 22:00", NEW_YORK)
    twice = LocalTime.parse("2026-11-01 01:30")
    assert twice.end_ms(zone) - twice.start_ms(zone) == HOUR
    for text in ("2026-10-03", "22:00", "2026-10-03 22:00Z", "soon"):
        with pytest.raises(ValueError):
            LocalTime.parse(text)
