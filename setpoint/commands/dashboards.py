"""``setpoint dashboards build|push|alerts``: Grafana dashboards and alert rules."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from grafana_client.client import GrafanaException

from grafana.alerts import alert_rules, alert_yaml
from grafana.build import FOLDER, dashboards, files, places, write
from grafana.context import Context
from grafana.links import PLACES
from grafana.push import DataSource, Grafana, push
from grafana.queries import FLAVOURS
from setpoint.config import ConfigError
from setpoint.plan import Plan
from setpoint.plan_load import load_plan

_OK, _FAILED, _USAGE, _NO_GRAFANA = 0, 1, 2, 3
_TOKEN = "SETPOINT_GRAFANA_TOKEN"
_STORE_TOKEN = "SETPOINT_STORE_TOKEN"
_STORE_PASSWORD = "SETPOINT_STORE_PASSWORD"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser("dashboards", help="make Grafana dashboards and alert rules")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    build = commands.add_parser(
        "build",
        help="write the dashboards into files",
        description="Writes the dashboards as JSON, for Grafana's file provisioning or its import page.",
    )
    _add_data_source(build, *FLAVOURS, "both")
    _add_look(build)
    build.add_argument(
        "--output", type=Path, metavar="FOLDER", default=FOLDER, help="where to (the folder that is shipped)"
    )
    build.set_defaults(run=_run, dashboards_command=_build)

    put = commands.add_parser(
        "push",
        help="put the dashboards into a running Grafana",
        description="Creates or updates folder and dashboards, and with --store-url the data source. What is "
        "there already is not written again.",
    )
    put.add_argument("--url", required=True, help="Grafana's address")
    put.add_argument("--token", help=f"a service account's token; better in {_TOKEN}, where no list shows it")
    _add_data_source(put, *FLAVOURS)
    _add_look(put)
    put.add_argument("--folder", default="Setpoint", help="the folder's title (%(default)s)")
    put.add_argument("--store-url", metavar="URL", help="where Grafana reaches the store")
    put.add_argument("--database", default="setpoint", help="of InfluxDB; the bucket on 2.x (%(default)s)")
    put.add_argument(
        "--store-user",
        default="",
        metavar="NAME",
        help=f"for InfluxDB 1.x, with {_STORE_PASSWORD}; for 2.x and 3.x set {_STORE_TOKEN}",
    )
    put.add_argument("--renew-secrets", action="store_true", help="write the store's password or token again")
    put.set_defaults(run=_run, dashboards_command=_push)

    alerts = commands.add_parser(
        "alerts",
        help="write alert rules from the plan's thresholds",
        description="Writes alert rules for Grafana's file provisioning (provisioning/alerting/).",
    )
    alerts.add_argument(
        "--plan", type=Path, metavar="FILE", default=Path("config/plan.yaml"), help="the plan (%(default)s)"
    )
    _add_data_source(alerts, *FLAVOURS)
    alerts.add_argument(
        "--data-source-uid", default="setpoint", metavar="UID", help="the data source (%(default)s)"
    )
    # Not the dashboards' folder: Grafana would make it for the rules, with a UID that push does not know.
    alerts.add_argument("--folder", default="Setpoint alerts", help="the folder's title (%(default)s)")
    alerts.add_argument("--output", metavar="FILE", default="-", help="where to (standard output)")
    alerts.set_defaults(run=_run, dashboards_command=_alerts)


def _add_data_source(parser: argparse.ArgumentParser, *choices: str) -> None:
    parser.add_argument(
        "--data-source",
        choices=choices,
        default="both" if "both" in choices else "influxdb",
        help="prometheus is also for VictoriaMetrics (%(default)s)",
    )


def _add_look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lang", choices=("en", "zh"), default="en", help="language of titles (%(default)s)")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="draw the thresholds of this plan as lines")


def _run(options: argparse.Namespace) -> int:
    try:
        code: int = options.dashboards_command(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return _USAGE
    except GrafanaException as error:
        print(f"setpoint dashboards: Grafana refused: {error}", file=sys.stderr)
        return _FAILED
    except OSError as error:
        print(f"setpoint dashboards: {error}", file=sys.stderr)
        return _NO_GRAFANA if options.dashboards_command is _push else _FAILED
    return code


def _plan(path: Path | None) -> Plan | None:
    return None if path is None else load_plan(path)


def _build(options: argparse.Namespace) -> int:
    flavours = FLAVOURS if options.data_source == "both" else (options.data_source,)
    for path in write(options.output, files(flavours, options.lang, _plan(options.plan))):
        print(path)
    if options.output == FOLDER:
        PLACES.write_text(places(), encoding="utf-8")
        print(PLACES)
    return _OK


def _push(options: argparse.Namespace) -> int:
    token = options.token or os.environ.get(_TOKEN)
    if not token:
        print(f"setpoint dashboards push: expected a service account's token in {_TOKEN}", file=sys.stderr)
        return _USAGE
    source = None
    if options.store_url:
        source = DataSource(
            flavour=options.data_source,
            url=options.store_url,
            database=options.database,
            user=options.store_user,
            password=os.environ.get(_STORE_PASSWORD, ""),
            token=os.environ.get(_STORE_TOKEN, ""),
        )
    context = Context(options.data_source, options.lang, _plan(options.plan))
    done = push(
        Grafana(options.url, token),
        dashboards(context),
        source,
        folder=options.folder,
        renew_secrets=options.renew_secrets,
    )
    for what, outcome in done:
        print(f"{outcome:<9}  {what}")
    return _OK


def _alerts(options: argparse.Namespace) -> int:
    data, left_out = alert_rules(
        load_plan(options.plan),
        options.data_source,
        data_source=options.data_source_uid,
        folder=options.folder,
    )
    for problem in left_out:
        print(f"setpoint dashboards: {problem}", file=sys.stderr)
    text = alert_yaml(data)
    if options.output == "-":
        sys.stdout.write(text)
    else:
        Path(options.output).write_text(text, encoding="utf-8")
        print(f"{options.output}: {sum(len(group['rules']) for group in data['groups'])} rules")
    return _FAILED if left_out else _OK
