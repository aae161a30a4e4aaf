"""The command line: ``setpoint <command>``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from setpoint.version import VERSION

# Name, module, what it does. Only the module of the command that was asked for is imported, so that an
# agent host needs (and loads) nothing of the collector.
COMMANDS = (
    ("up", "setpoint.commands.up", "run everything on this machine: broker, collector, agent, page"),
    ("agent", "setpoint.commands.agent", "measure this host: run, check, once, drain, discard"),
    ("snmp", "setpoint.commands.snmp", "look at devices over SNMP: identify, walk, discover"),
    ("collector", "setpoint.commands.collector", "receive, store and review: run, check"),
    ("plan", "setpoint.commands.plan", "check the plan, try other thresholds: check, try"),
    ("findings", "setpoint.commands.findings", "list, show and export findings"),
    ("thresholds", "setpoint.commands.thresholds", "thresholds configured elsewhere: list, stats"),
    ("rollup", "setpoint.commands.rollup", "how far hours are rolled up"),
    ("maintenance", "setpoint.commands.maintenance", "planned downtime of hosts: add, list, end"),
    ("agents", "setpoint.commands.agents", "let agents in and out: add, list, rotate, remove"),
    (
        "dashboards",
        "setpoint.commands.dashboards",
        "make Grafana dashboards and alert rules: build, push, alerts",
    ),
    ("backup", "setpoint.commands.backup", "copy a running collector's data into a file"),
    ("restore", "setpoint.commands.restore", "put such a copy back"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="setpoint",
        description="Measures the resources of an IT operations team and says where they fall short of the "
        "plan.",
        epilog="`setpoint COMMAND --help` tells more of each.",
    )
    parser.add_argument("--version", action="version", version=f"setpoint {VERSION}")
    asked = next((a for a in arguments if not a.startswith("-")), None)
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module, help_text in COMMANDS:
        if name == asked:
            try:
                importlib.import_module(module).add_parser(subparsers)
            except ModuleNotFoundError as error:
                if error.name is None or error.name.split(".")[0] in (
                    "setpoint",
                    "agent",
                    "collector",
                    "grafana",
                ):
                    raise
                extra = {"agent": "agent", "snmp": "agent", "dashboards": "grafana"}.get(name, "collector")
                print(
                    f"setpoint {name} needs the package {error.name}; "
                    f"install it with: pip install 'setpoint[{extra}]'",
                    file=sys.stderr,
                )
                return 2
        else:
            subparsers.add_parser(name, help=help_text, add_help=False)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main())
