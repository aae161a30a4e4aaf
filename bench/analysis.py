"""The review of a month, from samples and from rollups: time, memory, and how both grow.

    python bench/analysis.py                        # 100, 300 and 1,000 subjects, 26 to 259 million samples
    python bench/analysis.py --subjects 30 --days 3 # a quick look
    python bench/analysis.py --subjects 20 --peers  # the same statistics asked of influxd and VictoriaMetrics

Everything in it is SIMULATED: waves, noise and breaches of subjects that report every 10 s, written to the
embedded store on its usual way, hour by hour. Each measurement is a process of its own, so that its peak
memory is its own. A month of 1,000 subjects takes about 1.5 GB of disk. Of a machine that others use, CPU
seconds say more than seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from collector.agents import Agents
from collector.analysis.review import Window
from collector.exports.json_text import findings_json
from collector.point_statistics import metrics_of
from collector.register import Register, Revision
from collector.reviewer import Reviewer
from collector.rollups.file import HOUR_MS, RollupFile
from collector.rollups.late import LateSamples
from collector.rollups.reading import RollupReader
from collector.rollups.writer import RollupWriter
from collector.series import SeriesTable
from collector.store.base import Batch, SeriesKey
from collector.store.duckdb import DuckDBStore
from setpoint.plan_load import parse_plan

START_MS = 1_788_220_800_000
"""2026-09-01 00:00 UTC"""
EVERY_MS = 10_000
POINTS = 10
PLAN = "plan: Bench\nrevision: 1\ntimezone: UTC\nreview: month\npoints:\n" + "".join(
    f"  - {{id: p{n}, title: Point {n}, metric: m{n}.value, unit: percent, "
    'expect: {host: "*", every: 10s}, warning: {above: 80, for: 5m}, critical: {above: 95, for: 5m}, '
    "target: {p95: {at_most: 70}}}\n"
    for n in range(POINTS)
)


def hours(subjects: int, days: int) -> Iterator[tuple[np.ndarray[Any, Any], ...]]:
    """(subject, time, value) of every hour, in the order in which samples arrive."""
    dice = np.random.default_rng(1)
    numbers = np.arange(subjects, dtype=np.int32)
    phase = dice.integers(0, EVERY_MS, subjects)
    level = dice.uniform(20, 70, subjects)
    steps = np.arange(0, HOUR_MS, EVERY_MS)
    for hour in range(days * 24):
        times = (START_MS + hour * HOUR_MS + steps)[:, None] + phase[None, :]
        wave = 10 * np.sin(2 * np.pi * hour / 24 + numbers)
        values = np.round((level + wave)[None, :] + dice.normal(0, 4, times.shape), 1)
        breach = dice.random(subjects) < 0.02  # some 15 hours a month are spent beyond a level
        values[:, breach] += 35
        yield np.tile(numbers, len(steps)), times.ravel(), np.clip(values, 0, 100).ravel()


class Site:
    def __init__(self, folder: Path) -> None:
        self.series = SeriesTable()
        self.store = DuckDBStore(folder / "store.duckdb", self.series, memory_bytes=1_000_000_000)
        self.plan = parse_plan(PLAN)
        self.register = Register(folder / "register.db")
        revision = Revision(self.plan.hash, 1, "", "", self.plan.text, START_MS)
        self.register.activate(revision, {p.id: p.definition_hash for p in self.plan.points})
        self.agents = Agents()
        self.file = RollupFile(folder / "rollups.db")
        metrics = {metric for point in self.plan.points for metric in metrics_of(point)}
        self.late = LateSamples(self.file, self.series, metrics)


def generate(folder: Path, subjects: int, days: int) -> dict[str, float]:
    site = Site(folder)
    for n in range(subjects):
        key = SeriesKey(f"m{n % POINTS}", (("host", f"host-{n // POINTS:04d}"),), "value")
        site.series.add(key, "float", START_MS, "")

    async def write() -> None:
        for number, time_ms, value in hours(subjects, days):
            batch = Batch("hq", "", None, None, number, time_ms, value, [], b"", int(time_ms[-1]))
            await site.store.write([batch])

    asyncio.run(write())
    site.store.close()
    return {"store_mb": (folder / "store.duckdb").stat().st_size / 1e6}


def roll_up(folder: Path, subjects: int, days: int) -> dict[str, float]:
    site = Site(folder)
    writer = RollupWriter(
        site.plan,
        site.store,
        site.series,
        site.agents,
        site.register,
        site.file,
        site.late,
        collector="bench",
    )
    now_ms = START_MS + days * 24 * HOUR_MS + HOUR_MS
    longest = 0.0
    steps = 0
    while True:
        began = time.monotonic()
        told = writer.step(now_ms, 0)
        if told is None:
            break
        site.file.tell(told.point, told.hours)
        longest, steps = max(longest, time.monotonic() - began), steps + 1
    site.file.close()
    size = (folder / "rollups.db").stat().st_size
    return {
        "steps": steps,
        "longest_step_s": longest,
        "rollups_mb": size / 1e6,
        "bytes_per_subject_year": size / subjects / days * 365,
    }


def review(folder: Path, days: int, *, rollups: bool) -> dict[str, Any]:
    site = Site(folder)
    reader = RollupReader(site.store, site.file, site.late)

    def statistics(point: Any, subjects: Any, windows: Any) -> Any:
        return reader.statistics(point, subjects, windows, 0)

    reviewer = Reviewer(
        site.plan,
        site.store,
        site.series,
        site.agents,
        site.register,
        statistics if rollups else None,
    )
    # The running period, in the middle of an hour: the most that a review has to do.
    end_ms = START_MS + days * 24 * HOUR_MS - 20 * 60_000
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    window = Window(START_MS, end_ms, complete=False, label="2026-09")
    reviewer.review(window, end_ms)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    # How many histories the first review reads for proposals depends on the time that they take.
    while reviewer.waiting:
        reviewer.review(window, end_ms)
    found = json.loads(findings_json(site.register.findings("open")))
    return {
        "review_s": seconds,
        "review_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "findings": len(found["findings"] if isinstance(found, dict) else found),
        "found": hash_of(found),
    }


def hash_of(found: Any) -> int:
    import zlib

    return zlib.crc32(json.dumps(found, sort_keys=True).encode())


def child(folder: Path, subjects: int, days: int, what: str) -> dict[str, Any]:
    """The measurement ``what``, in a process of its own."""
    size = ["--subjects", str(subjects), "--days", str(days)]
    done = subprocess.run(
        [sys.executable, __file__, "--child", what, "--folder", str(folder), *size],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def measure(options: argparse.Namespace) -> dict[str, Any]:
    what: dict[str, Callable[[], dict[str, Any]]] = {
        "generate": lambda: generate(options.folder, options.subjects[0], options.days),
        "rollup": lambda: roll_up(options.folder, options.subjects[0], options.days),
        "raw": lambda: review(options.folder, options.days, rollups=False),
        "rollups": lambda: review(options.folder, options.days, rollups=True),
    }
    began = time.monotonic()
    answer = what[options.child]()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        **answer,
        "s": time.monotonic() - began,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1000,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--subjects", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--folder", type=Path, help="where the files go (a temporary folder)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peers", action="store_true", help="ask influxd and VictoriaMetrics, too")
    parser.add_argument("--child", choices=["generate", "rollup", "raw", "rollups"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options)))
        return 0
    results = []
    for subjects in options.subjects:
        with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
            folder = Path(temporary)
            measured = {
                what: child(folder, subjects, options.days, what)
                for what in ("generate", "raw", "rollup", "rollups")
            }
            samples = subjects * options.days * 86_400_000 // EVERY_MS
            results.append({"subjects": subjects, "samples": samples, **measured})
            if not options.json:
                show(results[-1])
            if options.peers:
                from bench.analysis_peers import ask_peers

                ask_peers(subjects, options.days, folder)
    if options.json:
        print(json.dumps(results))
    return 0


def show(result: dict[str, Any]) -> None:
    raw, rollups, rolled, made = (result[key] for key in ("raw", "rollups", "rollup", "generate"))
    same = "the same" if raw["found"] == rollups["found"] else "NOT THE SAME"
    print(
        f"{result['subjects']} subjects, {result['samples'] / 1e6:.0f} million samples (SIMULATED), "
        f"{made['store_mb']:.0f} MB, written in {made['s']:.0f} s\n"
        f"  review from samples  {raw['review_s']:7.1f} s {raw['review_cpu_s']:7.1f} CPU s "
        f"{raw['peak_mb']:6.0f} MB  {raw['findings']} findings\n"
        f"  review from rollups  {rollups['review_s']:7.1f} s {rollups['review_cpu_s']:7.1f} CPU s "
        f"{rollups['peak_mb']:6.0f} MB  {rollups['findings']} findings, {same}\n"
        f"  rolling up           {rolled['s']:7.1f} s {rolled['cpu_s']:7.1f} CPU s "
        f"{rolled['peak_mb']:6.0f} MB  {rolled['steps']} steps of {rolled['longest_step_s']:.1f} s at most\n"
        f"  rollups on disk      {rolled['rollups_mb']:7.1f} MB, "
        f"{rolled['bytes_per_subject_year'] / 1e3:.0f} kB per subject and year",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
