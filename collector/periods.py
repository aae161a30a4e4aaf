"""Review periods on the calendar of the plan's time zone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from collector.analysis.review import Window

Period = Literal["day", "week", "month", "quarter", "year"]


def running_window(period: Period, zone: ZoneInfo, now_ms: int) -> Window:
    """The period that ``now_ms`` lies in, up to now."""
    start = _start(period, datetime.fromtimestamp(now_ms / 1000, zone))
    return Window(_ms(start), now_ms, complete=False, label=_label(period, start))


def last_window(period: Period, zone: ZoneInfo, now_ms: int) -> Window:
    """The newest period that is over."""
    end = _start(period, datetime.fromtimestamp(now_ms / 1000, zone))
    start = _start(period, end - timedelta(hours=12))
    return Window(_ms(start), _ms(end), complete=True, label=_label(period, start))


def _start(period: Period, moment: datetime) -> datetime:
    """The beginning of the period that the moment lies in. Weeks begin on Monday (ISO 8601)."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "day":
        return day
    if period == "week":
        return day - timedelta(days=day.weekday())
    if period == "month":
        return day.replace(day=1)
    if period == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1)


def _label(period: Period, start: datetime) -> str:
    if period == "week":
        year, week, _ = start.isocalendar()
        return f"{year}-W{week:02d}"
    if period == "quarter":
        return f"{start.year}-Q{(start.month + 2) // 3}"
    return start.strftime({"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}[period])


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
