"""What a proposed threshold would have said, beside three sigma and beside the best level with hindsight.

    python bench/proposals.py --series FOLDER

For every CSV in the folder (columns ``timestamp``, ``value``) and its labelled windows in a JSON file
(``{"name.csv": [["from", "to"], ...]}``): how many windows had an alarm, and how many alarms came outside.
An alarm is the moment at which an episode has lasted its ``for``. "By hand" is the level of at most three
digits, without a ``for`` and breached for at most 5 % of the time, that is best in hindsight: most windows,
then fewest alarms outside. It says on which side (above, below) the others look; they do not see the windows.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from collector.analysis.proposals import levels_of, propose_level
from collector.analysis.replay import History, episodes, standing
from setpoint.limits import Comparison

MOST_BREACHED = 0.05
Windows = list[tuple[int, int]]


class Score(NamedTuple):
    """Ordered: the best first."""

    missed: int
    outside: int
    inside: int

    def told(self, windows: Windows) -> str:
        return f"{len(windows) - self.missed} of {len(windows)} | {self.inside} | {self.outside}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=Path, required=True, metavar="FOLDER", help="a folder of CSVs")
    parser.add_argument("--windows", type=Path, help="the labelled windows (anomaly_windows.json there)")
    options = parser.parse_args()
    labelled = json.loads((options.windows or options.series / "anomaly_windows.json").read_text())
    print("| series | setting | level | windows with an alarm | alarms inside | alarms outside |")
    print("|---|---|---|---|---|---|")
    worse = 0
    for path in sorted(options.series.glob("*.csv")):
        windows = [(moment(start), moment(end)) for start, end in labelled[path.name]]
        history = read(path)
        by_hand, best = best_by_hand(history, windows)
        sign = 1 if by_hand.high is not None else -1
        sigma = one_level(sign, float(history.value.mean() + sign * 3 * history.value.std()))
        proposal = propose_level(history, sigma)
        rows = {"mean and 3 sigma": sigma, "by hand": by_hand}
        if proposal is not None:
            rows["proposed"] = proposal.comparison
            found = score(history, proposal.comparison, windows)
            worse += found.missed > best.missed or found.outside > best.outside
        for name, comparison in rows.items():
            told = score(history, comparison, windows).told(windows)
            print(f"| {path.stem} | {name} | {short(comparison)} | {told} |")
    print(f"\nworse than by hand: {worse} series", file=sys.stderr)
    return 1 if worse else 0


def read(path: Path) -> History:
    """The history in a CSV; of several values at one time the last."""
    with path.open(newline="") as file:
        rows = {moment(row["timestamp"]): float(row["value"]) for row in csv.DictReader(file)}
    t = np.array(sorted(rows), np.int64)
    return standing(t, np.array([rows[int(each)] for each in t]), int(np.median(np.diff(t))))


def moment(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def score(history: History, comparison: Comparison, windows: Windows) -> Score:
    alarms = episodes(history, levels_of(comparison))[:, 0] + comparison.for_ms
    within = [(alarms >= start) & (alarms <= end) for start, end in windows]
    inside = int(np.any(within, axis=0).sum())
    return Score(sum(not any(each) for each in within), len(alarms) - inside, inside)


def best_by_hand(history: History, windows: Windows) -> tuple[Comparison, Score]:
    levels = {float(f"{value:.{digits}g}") for value in history.value for digits in (2, 3)}
    found = []
    for sign in (1, -1):
        for level in levels:
            breached = np.mean(sign * history.value > sign * level)
            if breached <= MOST_BREACHED:
                comparison = one_level(sign, level)
                found.append((score(history, comparison, windows), -sign, sign * level, comparison))
    best = min(found, key=lambda each: each[:3])
    return best[3], best[0]


def one_level(sign: int, level: float) -> Comparison:
    return Comparison(high=level) if sign > 0 else Comparison(low=level)


def short(comparison: Comparison) -> str:
    level = comparison.high if comparison.high is not None else comparison.low
    side = "above" if comparison.high is not None else "below"
    minutes = f" for {comparison.for_ms // 60_000} min" if comparison.for_ms else ""
    return f"{side} {level:.6g}{minutes}"


if __name__ == "__main__":
    sys.exit(main())
