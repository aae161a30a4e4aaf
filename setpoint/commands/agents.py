"""``setpoint agents add|list|rotate|remove``: who may publish to the broker."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from pathlib import Path
from typing import get_args

import msgspec

from collector.broker.access import Role
from collector.broker.mosquitto import PasswordFile, tell_to_reload
from collector.broker.settings import credentials_path, parse_listen
from collector.broker.status import NotCleared, clear_status
from collector.broker.users import EmbeddedUsers, NoSuchUser, Users, name_problem
from collector.settings import CollectorSettings, load_settings
from setpoint.commands.credentials_out import (
    UNKNOWN_HOST,
    Address,
    Credential,
    agent_yaml,
    broker_address,
    credentials_out,
    embedded_address,
)
from setpoint.commands.hosts_csv import Host, HostsError, read_hosts
from setpoint.config import ConfigError
from setpoint.plan import load_plan
from setpoint.topics import NAME_EXPECTED, is_name
from setpoint.units import Secret

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


def data_folder(collector_data: str) -> Path:
    """The folder that holds everything of this machine: the collector's is one of its parts."""
    return Path(collector_data).parent


def _run(options: argparse.Namespace) -> int:
    try:
        settings = load_settings(options.config).value
        users: Users = (
            PasswordFile(options.mosquitto_passwords)
            if options.mosquitto_passwords
            else EmbeddedUsers(credentials_path(data_folder(settings.collector.data)))
        )
        if options.agents_command == "list":
            for name, role in sorted(users.names().items()):
                print(f"{name:<32} {role}")
            return 0
        _check(options)
        if options.agents_command == "remove":
            return _remove(options, settings, users)
        return _give_passwords(options, settings, users)
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


# -- add and rotate ----------------------------------------------------------------------------------


def _give_passwords(options: argparse.Namespace, settings: CollectorSettings, users: Users) -> int:
    adding = options.agents_command == "add"
    role = options.role if adding else users.names().get(options.name, "agent")
    if options.mosquitto_passwords:
        address = broker_address(settings.broker)
    else:
        address = embedded_address(settings.embedded_broker)
    address = address.with_asked(options.address, options.ca)
    hosts = _hosts(options, settings, users, role)
    names = [host.name for host in hosts]

    def credentials() -> list[Credential]:
        passwords = users.add(names, role) if adding else users.rotate(names)
        return [Credential(name, site, passwords[name]) for name, site in hosts]

    if not hosts:
        print(f"all of {options.hosts} have a password already; nothing was changed")
        return 0
    if options.out is None:
        (credential,) = credentials()
        _show(credential, address, role, options, settings)
    else:
        made: list[Credential] = []
        try:
            with credentials_out(options.out, address) as write:
                made = credentials()
                write(made)
        except BaseException:
            # Nobody could ever learn these passwords, and the names would be taken.
            if adding and made:
                users.remove(names)
            raise
        whom = f"{len(names)} {role}s" if len(names) > 1 else f'"{names[0]}"'
        print(f"{whom} {'may connect' if adding else 'got new passwords'}: {options.out}, for your eyes only")
        if address.host == UNKNOWN_HOST and options.out.suffix.lower() != ".csv":
            print(f"the files say {UNKNOWN_HOST}; --address HOST:PORT puts the address there")
    return _reload(options)


def _hosts(options: argparse.Namespace, settings: CollectorSettings, users: Users, role: Role) -> list[Host]:
    """Whom the command is about, each with its site. ValueError with everything that is wrong in the file."""
    site = options.site or _site_of_the_plan(options.config, settings)
    if options.hosts is None:
        if options.agents_command == "add" and (problem := name_problem(options.name, role)):
            raise ValueError(problem)
        return [Host(options.name, site)]
    known = users.names()
    adding, skip = options.agents_command == "add", getattr(options, "skip_existing", False)

    def problem_of(name: str) -> str:
        if not adding:
            return "" if name in known else f'there is no "{name}" in {users.path}'
        if name in known and not skip:
            taken = f'"{name}" has a password already; --skip-existing leaves it out'
        else:
            taken = ""
        return name_problem(name, role) or taken

    hosts = [host for host in read_hosts(options.hosts, problem_of) if not (skip and host.name in known)]
    return [host._replace(site=host.site or site) for host in hosts]


def _site_of_the_plan(config: Path, settings: CollectorSettings) -> str:
    try:
        return load_plan(config.parent / settings.collector.plan).site
    except ConfigError:
        return "hq"  # what an agent.yaml means that names none


def _show(
    credential: Credential,
    address: Address,
    role: Role,
    options: argparse.Namespace,
    settings: CollectorSettings,
) -> None:
    if role != "agent":
        print(f"# the {role}'s user name and password, which is shown this once:")
        print(f"username: {credential.name}\npassword: {credential.password}")
        if options.mosquitto_passwords and credential.name != role and role != "publisher":
            print(f'# what it may do is in the ACL: give it a block there like that of "user {role}"')
        return
    print(
        f"# in place of agent and broker in {credential.name}'s agent.yaml; the password is shown this once:"
    )
    print(agent_yaml(credential, address), end="")
    if address.host == UNKNOWN_HOST:
        print(f"# {UNKNOWN_HOST}: as the agents reach it; --address HOST:PORT writes it there")
    listen = parse_listen(settings.embedded_broker.listen)[0]
    if not options.mosquitto_passwords and listen in ("127.0.0.1", "::1"):
        print(
            f"# the broker listens on {listen} only; set embedded_broker.listen in {options.config} to let "
            "other hosts in"
        )


def _reload(options: argparse.Namespace) -> int:
    """Has Mosquitto read its file again, or says how."""
    if options.reload_pid:
        try:
            tell_to_reload(options.reload_pid)
        except (ValueError, OSError) as error:
            print(
                f"setpoint agents: the file is changed, but Mosquitto was not told: {error}", file=sys.stderr
            )
            return 1
    elif options.mosquitto_passwords:
        print("# Mosquitto does not know yet: systemctl reload mosquitto")
    return 0


# -- remove ------------------------------------------------------------------------------------------


def _remove(options: argparse.Namespace, settings: CollectorSettings, users: Users) -> int:
    name, code, known = options.name, 0, True
    try:
        users.remove([name])
        print(f'"{name}" may no longer connect')
        code = _reload(options)
    except NoSuchUser:
        known = False  # perhaps removed before, when its status could not be cleared, or came back
    site = options.site or _site_of_the_plan(options.config, settings)
    try:
        sites = asyncio.run(_clear(name, site, settings, users))
    except NotCleared as error:
        if isinstance(users, EmbeddedUsers) and not error.connected:
            # It does not run, and keeps no status over a restart.
            if not known:
                raise NoSuchUser(name) from None
            return code
        print(
            f'setpoint agents: the last status of "{name}" is still at the broker ({error}); '
            "remove it again when that is mended",
            file=sys.stderr,
        )
        return 1
    if sites:
        print(f'cleared the last status of "{name}" at {", ".join(sites)}')
    elif not known:
        raise NoSuchUser(name)
    if known and options.mosquitto_passwords and not options.reload_pid:
        print("# and if it was connected: remove it again after the reload, to clear its farewell")
    return code


async def _clear(name: str, site: str, settings: CollectorSettings, users: Users) -> list[str]:
    if not isinstance(users, EmbeddedUsers):
        if not settings.broker.password:
            raise NotCleared("the collector's file has no broker.password; set it")
        username = settings.broker.username or settings.collector.name
        return await clear_status(msgspec.structs.replace(settings.broker, username=username), name, site)
    # The collector's own password lives as long as `setpoint up` and is in no file.
    username = f"removal-{secrets.token_hex(8)}"
    password = users.add([username], "collector")[username]
    try:
        broker = msgspec.structs.replace(settings.broker, username=username, password=Secret(password))
        return await clear_status(broker, name, site)
    finally:
        users.remove([username])
