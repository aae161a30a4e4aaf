"""``setpoint dashboards build``: Grafana dashboards as code."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from grafana.build import FOLDER, files, write
from grafana.queries import FLAVOURS
from setpoint.config import ConfigError
from setpoint.plan import Plan, load_plan


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser("dashboards", help="make Grafana dashboards")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    build = commands.add_parser(
        "build",
        help="write the dashboards into files",
        description="Writes the dashboards as JSON, for Grafana's file provisioning or its import page.",
    )
    _add_choices(build)
    build.add_argument("--output", type=Path, metavar="FOLDER", help="where to (the folder that is shipped)")
    build.set_defaults(run=_build)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-source",
        choices=("influxdb", "prometheus", "both"),
        default="both",
        help="influxdb, or prometheus, which is also for VictoriaMetrics (%(default)s)",
    )
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="language of titles (%(default)s)")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="draw the thresholds of this plan as lines")


def _plan(path: Path | None) -> Plan | None:
    return None if path is None else load_plan(path)


def _build(options: argparse.Namespace) -> int:
    flavours = FLAVOURS if options.data_source == "both" else (options.data_source,)
    try:
        made = files(flavours, options.lang, _plan(options.plan))
        for path in write(options.output or FOLDER, made):
            print(path)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"setpoint dashboards: {error}", file=sys.stderr)
        return 1
    return 0
