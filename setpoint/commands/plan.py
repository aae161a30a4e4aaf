"""``setpoint plan check|try``"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from setpoint.commands.plan_try import add_try_parser
from setpoint.config import ConfigError
from setpoint.plan_load import load_plan


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser("plan", help="check the plan, try its thresholds")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check",
        help="check the plan; starts nothing and connects to nothing",
        description="Checks a plan and says everything that is wrong in it, with file, line and path.",
    )
    check.add_argument(
        "file", type=Path, nargs="?", default=Path("config/plan.yaml"), help="the plan (%(default)s)"
    )
    check.set_defaults(run=_check)
    add_try_parser(commands)


def _check(options: argparse.Namespace) -> int:
    try:
        plan = load_plan(options.file)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    for hint in plan.hints:
        print(f"{hint} (a hint, not an error)", file=sys.stderr)
    judged = sum(bool(p.limits.warning or p.limits.critical or p.limits.targets) for p in plan.points)
    approved = f", approved by {plan.approved.by} on {plan.approved.on}" if plan.approved else ""
    print(
        f'{options.file}: good; "{plan.title}" revision {plan.revision}{approved}: '
        f"{len(plan.points)} points, {judged} with a threshold or target, reviewed by {plan.review}"
    )
    return 0
