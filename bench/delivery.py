"""A long run of blows against agent, broker, collector and network, with a seed and a report.

    python bench/delivery.py --minutes 10 --seed 7 --broker mosquitto

Exits with 1 when a number was lost or stored twice.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.end_to_end.chaos import run_chaos
from tests.servers import EmbeddedBroker, Mosquitto


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3, help="how long numbers are emitted (%(default)s)")
    parser.add_argument("--rate", type=float, default=1000, help="numbers a second (%(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--broker", choices=["mosquitto", "amqtt", "both"], default="both")
    options = parser.parse_args()
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
                    say=lambda text: print(f"\r{text:<30}", end="", file=sys.stderr, flush=True),
                )
        print(f"\r{name}: {report}", flush=True)
        bad += report.lost + report.twice
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
