"""``setpoint agents add|list|rotate|remove``: who may publish to the broker."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from collector.broker.access import Role
from collector.broker.users import NoSuchUser
from collector.settings import load_settings
from setpoint.commands.agents_broker import data_folder as data_folder
from setpoint.commands.agents_broker import users_of
from setpoint.commands.agents_passwords import give_passwords
from setpoint.commands.agents_remove import remove
from setpoint.commands.hosts_csv import HostsError
from setpoint.config import ConfigError
from setpoint.topics import NAME_EXPECTED, is_name

_COMMANDS = {
    "add": "make an agent's password and print what its agent.yaml needs",
    "list": "list the names that may connect",
    "rotate": "make a new password; the old one is void",
    "remove": "take an agent's access away and clear its last status",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "agents",
        help="let agents in and out",
        description="Who may publish to the broker: the embedded one, or with --mosquitto-passwords a "
        "Mosquitto. The embedded broker takes a change up by itself.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, help_text in _COMMANDS.items():
        one = commands.add_parser(
            name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
        )
        if name == "remove":
            one.add_argument("name", metavar="NAME", help="the agent's name")
        elif name != "list":
            _add_naming(one, name)
        one.add_argument(
            "--config",
            type=Path,
            default=Path("config/collector.yaml"),
            help="the collector's file (%(default)s)",
        )
        one.add_argument(
            "--mosquitto-passwords",
            type=Path,
            metavar="FILE",
            help="change this password file of a Mosquitto, not the embedded broker's users",
        )
        if name != "list":
            one.add_argument(
                "--reload-pid",
                metavar="PID",
                help="make Mosquitto read the file again: its process id, or the file with it, such as "
                "/run/mosquitto/mosquitto.pid",
            )
            one.add_argument("--site", help="the agent's site (the plan's)")
        one.set_defaults(run=_run, agents_command=name)


def _add_naming(parser: argparse.ArgumentParser, command: str) -> None:
    """Whom it is about, and what is done with the passwords: common to add and rotate."""
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("name", metavar="NAME", nargs="?", help="the agent's name")
    who.add_argument(
        "--from",
        dest="hosts",
        type=Path,
        metavar="HOSTS.csv",
        help="many at once: a CSV file whose header has the column name, and perhaps site",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="where the passwords go instead of the terminal: NEW.csv for one table (name, site, password), "
        "else a new folder with what each agent.yaml needs",
    )
    parser.add_argument("--address", metavar="HOST[:PORT]", help="where agents reach the broker")
    parser.add_argument(
        "--ca", metavar="FILE", help="agents are to use TLS, with this CA's certificate on their hosts"
    )
    if command == "add":
        parser.add_argument(
            "--skip-existing", action="store_true", help="with --from: leave out who has a password already"
        )
        parser.add_argument(
            "--role", choices=get_args(Role), default="agent", help="what it may do (%(default)s)"
        )


def _run(options: argparse.Namespace) -> int:
    try:
        settings = load_settings(options.config).value
        users = users_of(options, settings)
        if options.agents_command == "list":
            for name, role in sorted(users.names().items()):
                print(f"{name:<32} {role}")
            return 0
        _check(options)
        if options.agents_command == "remove":
            return remove(options, settings, users)
        return give_passwords(options, settings, users)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except NoSuchUser as error:
        print(f'setpoint agents: there is no "{error.args[0]}" in {users.path}', file=sys.stderr)
    except HostsError as error:
        print(error, file=sys.stderr)
    except ValueError as error:
        print(f"setpoint agents: {error}", file=sys.stderr)
    except OSError as error:
        print(f"setpoint agents: {_explained(error, options)}", file=sys.stderr)
    return 1


def _check(options: argparse.Namespace) -> None:
    """ValueError when the options do not go together: said before anything is changed."""
    if options.site is not None and not is_name(options.site):
        raise ValueError(f"--site: {options.site!r} is no site: expected {NAME_EXPECTED}")
    if options.reload_pid and not options.mosquitto_passwords:
        raise ValueError("--reload-pid is for Mosquitto; name its file with --mosquitto-passwords")
    if getattr(options, "hosts", None) and not options.out:
        raise ValueError("--from needs --out: many passwords do not belong on a terminal")
    if getattr(options, "skip_existing", False) and not options.hosts:
        raise ValueError("--skip-existing goes with --from")


def _explained(error: OSError, options: argparse.Namespace) -> str:
    text = f"{error.filename or ''}: {error.strerror or error}".removeprefix(": ")
    if isinstance(error, PermissionError):
        return f"{text}; run it as the user who may, such as root"
    if isinstance(error, FileExistsError):
        return f"{text}; what is in there may be somebody's only copy of a password: name another one"
    passwords = options.mosquitto_passwords
    if isinstance(error, FileNotFoundError) and passwords and not passwords.exists():
        return (
            f"{passwords}: there is no such file; make an empty one that Mosquitto may read: "
            f"install -o root -g mosquitto -m 640 /dev/null {passwords}"
        )
    return text
