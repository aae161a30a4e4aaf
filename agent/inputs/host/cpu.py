"""Processor time, as percent of the time since the previous gathering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.inputs.host.procfs import read_text
from setpoint.reading import FieldValue, Point

TOTAL = "cpu-total"

# The columns of a cpu line in /proc/stat, see proc_stat(5). Old kernels have fewer.
COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")

CpuTimes = Mapping[str, Sequence[float]]
"""By processor (``cpu0``, ``cpu-total``): time spent so far, in the order of COLUMNS, in whatever unit."""


def read_cpu_times(proc: str = "/proc") -> CpuTimes:
    """Time spent so far by each processor and by all, in clock ticks."""
    return parse_cpu_times(read_text(f"{proc}/stat"))


def parse_cpu_times(text: str) -> CpuTimes:
    """The cpu lines of /proc/stat, in clock ticks. They come first in the file."""
    times: dict[str, Sequence[float]] = {}
    for line in text.split("\n"):
        if not line.startswith("cpu"):
            break
        name, *ticks = line.split()
        values = [int(tick) for tick in ticks[: len(COLUMNS)]]
        times[TOTAL if name == "cpu" else name] = values + [0] * (len(COLUMNS) - len(values))
    return times


def cpu_usage(before: Sequence[float], after: Sequence[float]) -> dict[str, FieldValue] | None:
    """The ``usage_*`` fields in percent; None when no time has passed.

    The kernel counts guest time in user (and nice) too, so it is taken out there. A column that went
    backwards, as iowait may (proc_stat(5)), counts as 0. None also when the sum went backwards: the
    processor was off in between.
    """
    passed = [max(0, b - a) for a, b in zip(before, after, strict=True)]
    user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice = passed
    total = user + nice + system + idle + iowait + irq + softirq + steal
    if total <= 0 or sum(after[:8]) < sum(before[:8]):
        return None
    share = 100 / total
    return {
        "usage_user": max(0, user - guest) * share,
        "usage_system": system * share,
        "usage_idle": idle * share,
        "usage_active": (total - idle) * share,
        "usage_nice": max(0, nice - guest_nice) * share,
        "usage_iowait": iowait * share,
        "usage_irq": irq * share,
        "usage_softirq": softirq * share,
        "usage_steal": steal * share,
        "usage_guest": guest * share,
        "usage_guest_nice": guest_nice * share,
    }


class CpuMeter:
    """Keeps the times of the previous gathering."""

    def __init__(self, *, percpu: bool, totalcpu: bool) -> None:
        self._percpu = percpu
        self._totalcpu = totalcpu
        self._before: CpuTimes = {}

    def points(self, times: CpuTimes) -> list[Point]:
        """One point for each wanted processor that the previous call has seen too: none the first time."""
        points = []
        for name, after in times.items():
            wanted = self._totalcpu if name == TOTAL else self._percpu
            if wanted and name in self._before and (usage := cpu_usage(self._before[name], after)):
                points.append(Point("cpu", {"cpu": name}, usage))
        self._before = times
        return points
