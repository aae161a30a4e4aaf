"""``setpoint collector run|check``"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from collector.settings import CollectorSettings, load_settings
from collector.thresholds.names import load_names
from setpoint.config import ConfigError
from setpoint.logging_setup import start_logging
from setpoint.plan import Plan
from setpoint.plan_load import load_plan
from setpoint.signals import stop_event


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser("collector", help="receive, store and review")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, help_text in {
        "run": "receive, store and review until stopped",
        "check": "check configuration and plan; starts nothing and connects to nothing",
    }.items():
        one = commands.add_parser(
            name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
        )
        one.add_argument(
            "--config",
            type=Path,
            default=Path("config/collector.yaml"),
            help="the collector's file (%(default)s)",
        )
        if name == "run":
            one.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
        one.set_defaults(run=_run, collector_command=name)


def load(path: Path) -> tuple[CollectorSettings, Plan]:
    """Settings, and the plan that they name. That and the tables of names are relative to their own folder.
    ConfigError with all that is wrong in the settings, or else in a table, or else in the plan.
    """
    settings = load_settings(path).value
    settings.thresholds.names = [str(path.parent / name) for name in settings.thresholds.names]
    load_names(settings.thresholds.names)
    return settings, load_plan(path.parent / settings.collector.plan)


def _run(options: argparse.Namespace) -> int:
    try:
        settings, plan = load(options.config)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if options.collector_command == "check":
        print(
            f"{options.config}: good; store {settings.store.__struct_config__.tag} in "
            f"{settings.collector.data}, "
            f'plan "{plan.title}" revision {plan.revision} with {len(plan.points)} points'
        )
        return 0
    # Here, so that checking needs (and loads) no database and no web server.
    try:
        from collector.register import RegisterError
        from collector.rollups.file import RollupFileError
        from collector.run import Collector
        from collector.store.base import StoreUnavailable
        from collector.store.schema import SchemaError
        from collector.web.server import CannotListen
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("setpoint", "collector"):
            raise
        print(
            f"setpoint collector needs the package {error.name}; "
            "install it with: pip install 'setpoint[collector]'",
            file=sys.stderr,
        )
        return 2
    start_logging(settings.log.level, "collector")

    async def serve() -> None:
        await Collector(settings, plan).run(stop_event(supervised=options.supervised))

    try:
        asyncio.run(serve())
    except CannotListen as error:
        print(f"setpoint collector: {error.strerror}", file=sys.stderr)
        return 1
    except (StoreUnavailable, SchemaError, RegisterError, RollupFileError, OSError) as error:
        print(f"setpoint collector: {error}", file=sys.stderr)
        return 1
    return 0
