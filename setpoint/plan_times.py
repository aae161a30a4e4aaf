"""The calendars and the maintenance of a plan, in its time zone."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from setpoint.calendars import Calendar
from setpoint.config import child, item
from setpoint.maintenance import Maintenance
from setpoint.plan_file import MaintenanceEntry, PlanFile
from setpoint.plan_match import Groups


def calendars_of(file: PlanFile) -> dict[str, Calendar]:
    """The calendars of the plan, by name."""
    return {
        name: Calendar(
            file.timezone,
            entry.weekly.by_day(),
            frozenset(entry.holidays),
            {day: times.stretches() for day, times in entry.days().items()},
        )
        for name, entry in file.calendars.items()
    }


def maintenance_of(file: PlanFile, groups: Groups) -> tuple[Maintenance, ...]:
    """The maintenance that the plan itself gives."""
    return tuple(
        _maintenance(entry, file.timezone, groups, child(item("maintenance", index), "hosts"))
        for index, entry in enumerate(file.maintenance)
    )


def _maintenance(entry: MaintenanceEntry, timezone: str, groups: Groups, path: str) -> Maintenance:
    hosts = groups.matcher(entry.hosts, path)
    if entry.weekly is not None:
        return Maintenance(hosts, entry.reason, week=Calendar(timezone, entry.weekly.by_day()))
    zone = ZoneInfo(timezone)
    assert entry.from_ is not None
    assert entry.to is not None
    return Maintenance(hosts, entry.reason, span=(entry.from_.start_ms(zone), entry.to.end_ms(zone)))
