"""The procstat input."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from agent.inputs.complaints import Complaints
from agent.inputs.lane import Lane
from agent.inputs.procstat.find import Finder, SearchFailed
from agent.inputs.procstat.measure import Sample, read_machine, read_sample
from agent.inputs.procstat.settings import ProcstatSettings
from setpoint.reading import FieldValue, Point

log = logging.getLogger(__name__)

ReadSamples = Callable[[], tuple[int, list[Sample]]]
"""How many processes were found, and the samples of those that run."""


class ProcstatInput:
    """Looks for the processes anew at each gathering."""

    def __init__(self, settings: ProcstatSettings) -> None:
        self._settings = settings
        self._read = linux_reader(settings) if sys.platform == "linux" else portable_reader(settings)
        self._usage = CpuUsage()
        self._lane = Lane("processes")
        self._complaints = Complaints(log)
        self._what = " ".join(f"{key}={value}" for key, value in settings.criteria_tags().items())

    async def gather(self) -> Sequence[Point]:
        """``procstat`` for each process or name, and ``procstat_lookup``, also when nothing was found."""
        tags = self._settings.criteria_tags()
        try:
            # A process that hangs in its memory holds up whoever reads its command line.
            count, samples = await self._lane.run(self._read)
        except SearchFailed as error:
            self._complaints.failed(self._what, error)
            return [lookup_point(tags, 0, 0, result="lookup_error")]
        self._complaints.works(self._what)
        usage = self._usage.update(samples, time.monotonic(), time.time_ns())
        return [
            *process_points(samples, usage, tags, self._settings),
            lookup_point(tags, count, len(samples), result="success"),
        ]

    async def close(self) -> None:
        """There is nothing to let go of."""


def linux_reader(settings: ProcstatSettings) -> ReadSamples:
    """Reads /proc."""
    finder = Finder(settings)

    def read() -> tuple[int, list[Sample]]:
        machine = read_machine()
        candidates = list(finder.candidates())
        found = list(finder.find(candidates))
        samples = [sample for one in found if (sample := read_sample(one, machine)) is not None]
        # A pid file names its process also when that has gone.
        named = settings.pid_file is not None and len(settings.criteria_tags()) == 1
        return len(candidates) if named else len(found), samples

    return read


def portable_reader(settings: ProcstatSettings) -> ReadSamples:
    """Asks psutil."""
    from agent.inputs.procstat.portable import read_samples

    return lambda: read_samples(settings)


class CpuUsage:
    """Processor use of each process since the previous gathering."""

    def __init__(self) -> None:
        self._spent_s: dict[tuple[int, int], float] = {}
        self._before_s: float | None = None
        self._before_ns = 0

    def update(self, samples: Sequence[Sample], now_s: float, now_ns: int) -> dict[int, float]:
        """By process number: percent of one processor. ``now_s`` is a monotonic clock, ``now_ns`` the time.

        Empty at the first call. A process that started since the previous one counts from its start; one
        that is older, but was not among the samples then, is left out.
        """
        usage: dict[int, float] = {}
        if self._before_s is not None and now_s > self._before_s:
            for sample in samples:
                started_since = sample.created_ns >= self._before_ns
                before = self._spent_s.get((sample.pid, sample.created_ns), 0.0 if started_since else None)
                if before is not None:
                    usage[sample.pid] = 100 * max(0.0, sample.cpu_s - before) / (now_s - self._before_s)
        self._spent_s = {(sample.pid, sample.created_ns): sample.cpu_s for sample in samples}
        self._before_s, self._before_ns = now_s, now_ns
        return usage


def process_points(
    samples: Sequence[Sample],
    cpu_usage: Mapping[int, float],
    tags: Mapping[str, str],
    settings: ProcstatSettings,
) -> list[Point]:
    """One point per process, or per name with the sums over its processes.

    Two processes of one name would otherwise write to the same series at the same time, and one would win.
    """
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        name = settings.process_name or sample.name
        groups.setdefault((name, str(sample.pid) if settings.pid_tag else ""), []).append(sample)
    points = []
    for (name, pid), group in groups.items():
        fields = sum_fields(group, cpu_usage)
        if pid:
            fields.pop("pid")
        points.append(
            Point("procstat", {**tags, "process_name": name, **({"pid": pid} if pid else {})}, fields)
        )
    return points


def sum_fields(group: Sequence[Sample], cpu_usage: Mapping[int, float]) -> dict[str, FieldValue]:
    """The sums over the processes; ``pid``, ``ppid`` and ``created_at`` are the oldest one's.

    A field that one of them lacks is left out: the sum of the others would look like all of it.
    """
    oldest = min(group, key=lambda sample: (sample.created_ns, sample.pid))
    fields: dict[str, FieldValue] = {
        "pid": oldest.pid,
        "ppid": oldest.ppid,
        "created_at": oldest.created_ns,
    }
    for name, first in group[0].fields.items():
        values = [sample.fields[name] for sample in group if name in sample.fields]
        if len(values) == len(group):
            total = sum(value for value in values if not isinstance(value, str))
            fields[name] = float(total) if isinstance(first, float) else total
    known = [cpu_usage[sample.pid] for sample in group if sample.pid in cpu_usage]
    if known:
        fields["cpu_usage"] = sum(known)
    return fields


def lookup_point(tags: Mapping[str, str], count: int, running: int, *, result: str) -> Point:
    """The point ``procstat_lookup``."""
    fields: dict[str, FieldValue] = {
        "pid_count": count,
        "running": running,
        "result_code": 0 if result == "success" else 1,
    }
    return Point("procstat_lookup", {**tags, "result": result}, fields)
