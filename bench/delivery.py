"""A long run of blows against agent, broker, collector and network, with a seed and a report; or against the
store: taken away for minutes, killed again and again.

    python bench/delivery.py --minutes 10 --seed 7 --broker mosquitto
    python bench/delivery.py --store influxdb --store-away 3m --store-kills 20
    python bench/delivery.py --store victoriametrics --store-away 3m

The store's runs have five agents that emit as many numbers together, a batch every 2 s, as agents do, and
settings as they are by default. The embedded store is the collector's own process: that is stopped, killed.

Exits with 1 when a number was lost or stored twice.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from setpoint.units import Duration
from tests.end_to_end.chaos import run_chaos
from tests.end_to_end.engines import EmbeddedEngine, Engine, InfluxEngine, VictoriaEngine
from tests.end_to_end.outage import Load, run_outage
from tests.servers import EmbeddedBroker, Mosquitto

AGENTS = 5
BATCH_S = 2.0


def run_store(options: argparse.Namespace, away_s: float) -> int:
    """How many numbers were lost, or count twice."""
    # Before the store is away, and after.
    seconds = options.minutes * 60 + away_s
    # VictoriaMetrics is not written to for 2 s after a start.
    pause_s = (3.0, 8.0) if options.store == "victoriametrics" else (0.5, 5.0)
    rate = options.rate / AGENTS
    load = Load(agents=AGENTS, rate=rate, per_batch=max(1, int(rate * BATCH_S)), seconds=seconds, resend_s=30)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        engines: dict[str, Callable[[], Engine]] = {
            "duckdb": EmbeddedEngine,
            "influxdb": lambda: InfluxEngine(folder / "influxd"),
            "victoriametrics": lambda: VictoriaEngine(folder / "victoriametrics"),
        }
        report = run_outage(
            engines[options.store](),
            folder,
            load,
            away_s=away_s,
            kills=options.store_kills,
            pause_s=pause_s,
            seed=options.seed,
            say=say,
        )
    print(f"\r{report}", flush=True)
    return report.lost + report.twice


def say(text: str) -> None:
    print(f"\r{text:<30}", end="", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3, help="how long numbers are emitted (%(default)s)")
    parser.add_argument("--rate", type=float, default=1000, help="numbers a second (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--broker", choices=["mosquitto", "amqtt", "both"], default="both")
    parser.add_argument("--store", choices=["duckdb", "influxdb", "victoriametrics"], default="duckdb")
    parser.add_argument("--store-away", type=Duration.parse, metavar="TIME", help="stop the store so long")
    parser.add_argument("--store-kills", type=int, default=0, metavar="N", help="kill the store so often")
    options = parser.parse_args()
    if options.store_away or options.store_kills or options.store != "duckdb":
        return 1 if run_store(options, options.store_away.seconds if options.store_away else 0.0) else 0
    numbers = int(options.minutes * 60 * options.rate)
    # A blow takes about 2.5 s with its pause and the restart; there are four for each kill of one victim.
    kills = max(10, int(options.minutes * 60 / 10))
    bad = 0
    for name, kind in {"mosquitto": Mosquitto, "amqtt": EmbeddedBroker}.items():
        if options.broker not in (name, "both"):
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            server = kind(folder / "broker", secured=True) if kind is Mosquitto else kind(folder / "broker")
            with server:
                report = run_chaos(
                    server,
                    folder,
                    seed=options.seed,
                    numbers=numbers,
                    kills=kills,
                    rate=options.rate,
                    say=say,
                )
        print(f"\r{name}: {report}", flush=True)
        bad += report.lost + report.twice
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
