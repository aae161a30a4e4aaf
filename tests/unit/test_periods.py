"""When reporting periods begin and end, in the plan's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.periods import Period, last_window, running_window
from setpoint.calendars import Calendar, Weekly

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("period", "start", "label"),
    [
        ("day", "2026-10-31T16:00", "2026-11-01"),
        ("week", "2026-10-25T16:00", "2026-W44"),
        ("month", "2026-10-31T16:00", "2026-11"),
        ("quarter", "2026-09-30T16:00", "2026-Q4"),
        ("year", "2025-12-31T16:00", "2026"),
    ],
)
def test_a_running_period_begins_at_local_midnight(period: Period, start: str, label: str) -> None:
    now = ms("2026-10-31T17:30")  # 01:30 on 1 November in Shanghai
    window = running_window(period, SHANGHAI, now)
    assert (window.start_ms, window.end_ms, window.label) == (ms(start), now, label)
    assert not window.complete


def test_the_last_month_is_whole_and_ends_where_the_running_one_begins() -> None:
    now = ms("2026-11-22T07:00")
    last, running = last_window("month", BERLIN, now), running_window("month", BERLIN, now)
    assert last.complete
    assert last.label == "2026-10"
    assert last.end_ms == running.start_ms
    # October 2026 has 31 days and the hour that is gained at the end of summer time.
    assert last.end_ms - last.start_ms == (31 * 24 + 1) * 3_600_000


def test_the_day_of_a_clock_change_has_23_hours() -> None:
    window = last_window("day", BERLIN, ms("2026-03-30T12:00"))
    assert window.label == "2026-03-29"
    assert window.end_ms - window.start_ms == 23 * 3_600_000


def test_the_week_before_new_year_has_its_iso_number() -> None:
    assert last_window("week", SHANGHAI, ms("2027-01-05T00:00")).label == "2026-W53"


@given(
    now=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
    period=st.sampled_from(["day", "week", "month", "quarter", "year"]),
    hours=st.integers(-12, 12),
)
def test_another_time_zone_shifts_a_period_and_what_counts_in_it_and_nothing_else(
    now: datetime, period: Period, hours: int
) -> None:
    now_ms, shift_ms = round(now.replace(tzinfo=UTC).timestamp() * 1000), hours * 3_600_000
    week = Weekly.parse("Mon-Fri 08:00-18:00, Sat 22:00-04:00").by_day()
    there = f"Etc/GMT{hours:+d}"  # POSIX: what lies west of Greenwich has a plus
    for window_of in (running_window, last_window):
        here = window_of(period, ZoneInfo("UTC"), now_ms)
        moved = window_of(period, ZoneInfo(there), now_ms + shift_ms)
        assert moved.label == here.label
        assert (moved.start_ms, moved.end_ms) == (here.start_ms + shift_ms, here.end_ms + shift_ms)
        spans = Calendar("UTC", week).spans(here.start_ms, here.end_ms)
        assert Calendar(there, week).spans(moved.start_ms, moved.end_ms) == tuple(
            (start + shift_ms, end + shift_ms) for start, end in spans
        )
