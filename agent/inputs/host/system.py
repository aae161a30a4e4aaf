"""Load, uptime, and how many processors and users there are."""

from __future__ import annotations

import os
from functools import cache

from agent.inputs.host.procfs import read_text
from setpoint.reading import FieldValue, Point


def parse_load(text: str) -> dict[str, FieldValue]:
    """The load averages over 1, 5 and 15 minutes, from /proc/loadavg."""
    load1, load5, load15 = text.split()[:3]
    return {"load1": float(load1), "load5": float(load5), "load15": float(load15)}


def parse_uptime(text: str) -> int:
    """Whole seconds since the start, from /proc/uptime."""
    return int(float(text.split()[0]))


@cache  # 0.1 ms each time, for what changes when hardware is exchanged
def count_physical_cpus() -> int | None:
    """How many cores; None when the platform does not say."""
    import psutil

    return psutil.cpu_count(logical=False)


def read_counts() -> dict[str, FieldValue]:
    """``n_cpus`` and ``n_physical_cpus``; ``n_users`` and ``n_unique_users`` where logins are recorded."""
    import psutil

    fields: dict[str, FieldValue] = {}
    if cpus := psutil.cpu_count():
        fields["n_cpus"] = cpus
    if cores := count_physical_cpus():
        fields["n_physical_cpus"] = cores
    # Without utmp (Debian 13 has none) psutil says that nobody is logged in, which nobody knows.
    if os.name == "nt" or os.path.exists("/var/run/utmp"):  # noqa: PTH110 (no Path object at each gathering)
        names = [user.name for user in psutil.users()]
        fields["n_users"] = len(names)
        fields["n_unique_users"] = len(set(names))
    return fields


def read_system_points(proc: str = "/proc") -> list[Point]:
    """The point ``system``."""
    fields = parse_load(read_text(f"{proc}/loadavg"))
    fields["uptime"] = parse_uptime(read_text(f"{proc}/uptime"))
    fields.update(read_counts())
    return [Point("system", {}, fields)]
