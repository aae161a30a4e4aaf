"""A simulated fleet with planted faults: does every check find what it must, and nothing else?

    python bench/fleet.py --seeds 1 2 3

Everything in it is SIMULATED. Per seed it makes a month of a fleet (50 hosts, 20 devices, 10 tools), plants
faults of every kind and things that only look like faults, loads it into the embedded store, reviews it by
the checks as they are, and prints precision and recall of each check with every miss. A collector reviews
again and again, and reads the past that trends and proposals are made of a bit at a time; so there are
several reviews, until nothing waits.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.simulation.expected import Expected, Score, score
from bench.simulation.faults import plant
from bench.simulation.fleet import LABEL, SITE, Fleet
from bench.simulation.load import load
from bench.simulation.signals import DAY_MS
from collector.agents import Agents
from collector.analysis.gaps import CHECKS
from collector.analysis.review import Window
from collector.analysis.statistics import Statistics, SubjectWindow
from collector.planned_subjects import PlannedSubject
from collector.point_statistics import PeriodStatistics, raw_statistics
from collector.register import Register, Revision
from collector.reviewer import Reviewer
from collector.series import SeriesTable
from collector.store.base import Store
from collector.store.open import open_store
from collector.store.settings import DuckDBSettings, InfluxDBSettings, StoreSettings, VictoriaMetricsSettings
from setpoint.finding import Finding
from setpoint.plan import PlanPoint
from setpoint.plan_load import parse_plan


def review(fleet: Fleet, settings: StoreSettings, folder: Path) -> list[Finding]:
    """The findings after some reviews of the whole month."""
    # A store's connections are let go of in the loop that they were made in.
    with asyncio.Runner() as runner:
        return _review(fleet, settings, folder, runner)


def _review(fleet: Fleet, settings: StoreSettings, folder: Path, runner: asyncio.Runner) -> list[Finding]:
    began = time.monotonic()
    series = SeriesTable()
    store = open_store(settings, folder, series)
    register = Register(folder / "register.db")
    try:
        readings = runner.run(load(store, series, fleet, SITE))
        loaded_s = time.monotonic() - began
        print(f"{readings:,} readings of {len(series):,} series loaded in {loaded_s:.1f} s", flush=True)
        agents = Agents()
        for host in fleet.hosts:
            times = [signal.time_ms for signal in fleet.of(host=host) if "device" not in signal.tags]
            agents.restore([(host, int(min(t.min() for t in times)), int(max(t.max() for t in times)))])
            agents.get(SITE, host).sent(fleet.clocks_ms.get(host, 0))
        plan = parse_plan(fleet.plan_text())
        start_ms, end_ms = fleet.clock.start_ms, fleet.clock.end_ms
        revision = Revision(plan.hash, plan.revision, "", "", plan.text, start_ms - DAY_MS)
        register.activate(revision, {point.id: point.definition_hash for point in plan.points})
        window = Window(start_ms, end_ms, complete=True, label="2026-09")
        began = time.monotonic()
        reviewer = Reviewer(plan, store, series, agents, register, statistics=_read_once(store))
        reviews = 0
        while not reviews or reviewer.waiting:
            reviewer.review(window, end_ms + 3_600_000)
            reviews += 1
            _say(f"review {reviews}, {reviewer.waiting} parts of the past are still to be read")
        _say("")
        print(f"{reviews} reviews in {time.monotonic() - began:.1f} s, each window's samples read once")
        return register.findings("open")
    finally:
        store.close()
        register.close()


def _read_once(store: Store) -> PeriodStatistics:
    """The statistics of samples. Nothing is added to these, so each window is read once for all reviews."""
    known: dict[str, list[Statistics]] = {}

    def statistics(
        point: PlanPoint, subjects: Sequence[PlannedSubject], windows: Sequence[SubjectWindow]
    ) -> list[Statistics]:
        key = f"{point.definition_hash} {[one.subject for one in subjects]} {windows}"
        if key not in known:
            known[key] = raw_statistics(store, point, subjects, windows)
        return known[key]

    return statistics


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{text:<70}\r", end="", file=sys.stderr, flush=True)


def show(scores: list[Score], wanted: dict[Expected, str]) -> None:
    print(f"{'check':22} {'right':>6} {'wrong':>6} {'missed':>7} {'precision':>10} {'recall':>7}")
    for one in scores:
        shares = [f"{share:.3f}" if share is not None else "-" for share in (one.precision, one.recall)]
        counts = f"{one.right:6} {len(one.wrong):6} {len(one.missed):7}"
        print(f"{one.kind:22} {counts} {shares[0]:>10} {shares[1]:>7}")
    for one in scores:
        for expected in one.missed:
            print(f"  missed: {expected}  (planted: {wanted[expected]})")
        for found in one.wrong:
            print(f"  wrong:  {found}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], metavar="N")
    server = parser.add_mutually_exclusive_group()
    server.add_argument("--influxdb", metavar="URL", help="an empty server instead of the embedded store")
    server.add_argument("--victoriametrics", metavar="URL", help="likewise")
    parser.add_argument("--findings", type=Path, help="write what was found to this file, as JSON")
    arguments = parser.parse_args()
    if len(arguments.seeds) > 1 and (arguments.influxdb or arguments.victoriametrics):
        parser.error("a server holds one fleet: give one seed")
    settings: StoreSettings = DuckDBSettings()
    if arguments.influxdb:
        settings = InfluxDBSettings(url=arguments.influxdb)
    elif arguments.victoriametrics:
        settings = VictoriaMetricsSettings(url=arguments.victoriametrics)
    perfect = True
    for seed in arguments.seeds:
        fleet = Fleet(seed)
        wanted = plant(fleet)
        sizes = f"{len(fleet.hosts)} hosts, {len(fleet.devices)} devices, {len(fleet.tools)} tools"
        print(f"seed {seed}: {LABEL}; {sizes}")
        with tempfile.TemporaryDirectory() as folder:
            found = review(fleet, settings, Path(folder))
        scores = score(wanted, found, CHECKS)
        show(scores, wanted)
        perfect &= not any(one.wrong or one.missed for one in scores)
        if arguments.findings:
            texts = [{"kind": f.kind, "severity": f.severity, **f.text} for f in found]
            arguments.findings.write_text(json.dumps(texts, indent=1, ensure_ascii=False))
    sys.exit(0 if perfect else 1)


if __name__ == "__main__":
    main()
