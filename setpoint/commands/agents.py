"""``setpoint agents add|list|rotate|remove``: who may publish to the embedded broker."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from collector.broker import credentials
from collector.broker.settings import credentials_path
from collector.settings import load_settings
from setpoint.config import ConfigError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "agents",
        help="let agents in and out",
        description="Credentials of the embedded broker. A running broker takes a change up by itself.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, help_text in {
        "add": "make an agent's password and print what its agent.yaml needs",
        "list": "list the names that may connect",
        "rotate": "make a new password; the old one is void at once",
        "remove": "take an agent's access away",
    }.items():
        one = commands.add_parser(
            name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
        )
        if name != "list":
            one.add_argument("name", metavar="NAME", help="the agent's name")
        one.add_argument(
            "--config",
            type=Path,
            default=Path("config/collector.yaml"),
            help="the collector's file (%(default)s)",
        )
        one.set_defaults(run=_run, agents_command=name)


def data_folder(collector_data: str) -> Path:
    """The folder that holds everything of this machine: the collector's is one of its parts."""
    return Path(collector_data).parent


def _run(options: argparse.Namespace) -> int:
    try:
        settings = load_settings(options.config).value
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    path = credentials_path(data_folder(settings.collector.data))
    try:
        if options.agents_command == "list":
            for name, role in sorted(credentials.names(path).items()):
                print(f"{name:<32} {role}")
            return 0
        if options.agents_command == "remove":
            credentials.remove(path, options.name)
            print(f'"{options.name}" may no longer connect')
            return 0
        if options.agents_command == "add":
            password = credentials.add(path, options.name, "agent")
        else:
            password = credentials.rotate(path, options.name)
    except KeyError:
        print(f'setpoint agents: there is no "{options.name}" in {path}', file=sys.stderr)
        return 1
    except (ValueError, OSError) as error:
        print(f"setpoint agents: {error}", file=sys.stderr)
        return 1
    host, _, port = settings.embedded_broker.listen.rpartition(":")
    shown = "ADDRESS-OF-THIS-MACHINE" if host in ("0.0.0.0", "[::]", "127.0.0.1", "[::1]") else host
    print("# in the agent's agent.yaml; the password is shown this once:")
    print(f"agent: {{name: {options.name}, site: hq}}")
    print(f'broker: {{host: {shown}, port: {port}, password: "{password}"}}')
    if host in ("127.0.0.1", "[::1]"):
        print(
            f"# the broker listens on {host} only; set embedded_broker.listen in {options.config} to let "
            "other hosts in"
        )
    return 0
