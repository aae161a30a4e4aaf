"""``setpoint snmp identify|walk|discover``"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from agent.inputs.snmp.credentials import Auth, AuthProtocol, Credentials, Priv, PrivProtocol
from agent.inputs.snmp.session import Missing, SessionError, Timing, Value
from agent.inputs.snmp.settings import SnmpSettings
from setpoint.commands import snmp_discover
from setpoint.config import ConfigError
from setpoint.units import Secret

if TYPE_CHECKING:
    from agent.inputs.snmp.device_plan import DevicePlan
    from agent.inputs.snmp.open_session import EngineName
    from agent.inputs.snmp.recognise import Identity
    from agent.inputs.snmp.session import Session
    from setpoint.reading import Point

_COMMUNITY = "SETPOINT_SNMP_COMMUNITY"
_AUTH_PASSWORD = "SETPOINT_SNMP_AUTH_PASSWORD"
_PRIV_PASSWORD = "SETPOINT_SNMP_PRIV_PASSWORD"


class CommandError(ValueError):
    """The command cannot do what it was asked; the text is for the user."""


class Target(NamedTuple):
    """A device and how it is asked."""

    address: str
    port: int
    credentials: Credentials
    engine: EngineName
    timing: Timing
    profiles: Path | None


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser("snmp", help="look at a device over SNMP")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    identify = commands.add_parser(
        "identify",
        help="what a device is recognised as, and what would be read",
        description="Shows what a device is recognised as, and everything that the agent would read from it.",
    )
    _add_target(identify)
    identify.add_argument("--brief", action="store_true", help="count the readings, do not list them")
    identify.set_defaults(run=_run, snmp_command=_identify)
    walk = commands.add_parser(
        "walk",
        help="all that a device answers below an OID",
        description="Prints all that a device answers below an OID, one value per line.",
    )
    _add_target(walk)
    walk.add_argument("oid", nargs="?", default="1.3.6.1", help="a numeric OID (%(default)s)")
    walk.add_argument(
        "--snmprec", action="store_true", help="print a recording (OID|tag|value) for snmpsim and tests"
    )
    walk.set_defaults(run=_run, snmp_command=_walk)
    snmp_discover.add_parser(commands, _add_flags, _checked_from_flags)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("address", help="the device's address, its host name, or its name in --config")
    _add_flags(parser)


def _add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="an agent.yaml whose credentials are used")
    parser.add_argument("--port", type=int, default=0, help="UDP port (161)")
    parser.add_argument("--version", dest="snmp_version", choices=("v1", "v2c", "v3"), help="of SNMP (v2c)")
    parser.add_argument("--community", help=f"for v1 and v2c; better: the environment's {_COMMUNITY}")
    parser.add_argument("--user", help="for v3")
    parser.add_argument(
        "--auth", choices=get_args(AuthProtocol), help=f"for v3; its password is {_AUTH_PASSWORD}"
    )
    parser.add_argument(
        "--priv", choices=get_args(PrivProtocol), help=f"for v3; its password is {_PRIV_PASSWORD}"
    )
    parser.add_argument("--context", default="", help="for v3")
    parser.add_argument("--engine", choices=("auto", "gufo", "pysnmp"), default="auto")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds for an answer (%(default)s)")
    parser.add_argument("--profiles", type=Path, help="a folder with profiles of your own")


def _run(options: argparse.Namespace) -> int:
    from agent.run import use_selector_loop

    use_selector_loop()
    try:
        target = _target(options)
        code: int = asyncio.run(options.snmp_command(target, options))
    except (CommandError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 2
    except SessionError as error:
        print(f"{options.address}: {error}", file=sys.stderr)
        return 1
    return code


def _target(options: argparse.Namespace) -> Target:
    """The device, with the credentials of the flags, else of the file, else of the environment."""
    if options.timeout <= 0:
        raise CommandError(f"--timeout: expected more than 0, got {options.timeout:g}")
    timing = Timing(timeout_s=options.timeout, retries=1, deadline_s=300)
    given = options.community or options.user
    if options.config and not given:
        return _from_file(options, timing)
    credentials = _checked_from_flags(options)
    return Target(options.address, options.port or 161, credentials, options.engine, timing, options.profiles)


def _checked_from_flags(options: argparse.Namespace) -> Credentials:
    credentials = _from_flags(options)
    problems = credentials.problems()
    if problems:
        raise CommandError("; ".join(f"{path}: {message}" for path, message in problems))
    return credentials


def _from_flags(options: argparse.Namespace) -> Credentials:
    version = options.snmp_version or ("v3" if options.user else "v2c")
    if version != "v3":
        community = options.community or os.environ.get(_COMMUNITY)
        if not community:
            raise CommandError(
                "no credentials; give --community, --user or --config, "
                f"or set {_COMMUNITY} in the environment"
            )
        return Credentials(version="v1" if version == "v1" else "v2c", community=Secret(community))
    auth = Auth(protocol=options.auth, password=_password(_AUTH_PASSWORD)) if options.auth else None
    priv = Priv(protocol=options.priv, password=_password(_PRIV_PASSWORD)) if options.priv else None
    return Credentials(version="v3", user=options.user or "", auth=auth, priv=priv, context=options.context)


def _password(name: str) -> Secret:
    password = os.environ.get(name)
    if not password:
        raise CommandError(f"set the password in the environment: {name} is missing")
    return Secret(password)


def _from_file(options: argparse.Namespace, timing: Timing) -> Target:
    """The device of that name or address in the agent's file; else its address with the only credentials."""
    from agent.settings import load_settings

    inputs = [one for one in load_settings(options.config).value.inputs if isinstance(one, SnmpSettings)]
    for settings in inputs:
        folder = options.profiles or (Path(settings.profiles) if settings.profiles else None)
        for device in settings.all_devices():
            if options.address in (device.title, device.address):
                engine = device.engine if options.engine == "auto" else options.engine
                port = options.port or device.port
                credentials = settings.credentials_of(device)
                return Target(device.address, port, credentials, engine, timing, folder)
    known = [one for settings in inputs for one in settings.credentials.values()]
    if len(known) == 1:
        return Target(
            options.address, options.port or 161, known[0], options.engine, timing, options.profiles
        )
    raise CommandError(
        f'{options.config}: no device is called "{options.address}", and there are {len(known)} credentials; '
        "give --community or --user"
    )


async def _open(target: Target) -> Session:
    from agent.inputs.connection import Resolver
    from agent.inputs.snmp.open_session import open_session

    return await open_session(
        target.address, target.port, target.credentials, target.engine, target.timing, Resolver()
    )


async def _identify(target: Target, options: argparse.Namespace) -> int:
    from agent.inputs.snmp.device_plan import PARTS
    from agent.inputs.snmp.discover import discover
    from agent.inputs.snmp.profile_load import load_profiles
    from agent.inputs.snmp.read import read
    from agent.inputs.snmp.recognise import identify

    profiles = load_profiles(target.profiles)
    session = await _open(target)
    try:
        identity = await identify(session, profiles)
        _show_identity(identity)
        plan = await discover(session, identity)
        points = [point for part in PARTS for point in await read(session, plan, part)]
    finally:
        await session.close()
    _show_plan(plan)
    if not options.brief:
        for line in readings_table(points):
            print(line)
    for complaint in session.complaints:
        print(f"the device: {complaint}", file=sys.stderr)
    print(f"asked with {session.cost.requests} requests, {session.cost.varbinds} values came")
    return 0


def _show_identity(identity: Identity) -> None:
    print(f"sysName       {identity.sys_name}")
    print(f"sysDescr      {identity.sys_descr}")
    print(f"sysObjectID   {identity.sys_object_id}")
    print(f"recognised    {identity.title}")
    print(f"profiles      {', '.join(entry.name for entry in identity.profiles)}")


def _show_plan(plan: DevicePlan) -> None:
    counts = ", ".join(f"{number} {measurement}" for measurement, number in plan.counts())
    print(f"would read    {counts or 'nothing'}")


def readings_table(points: Sequence[Point]) -> list[str]:
    """Lines that show each point: measurement, class, name, and its fields."""
    lines = []
    for point in points:
        tags = point.tags
        name = tags.get("name") or f"{tags.get('subject', '')} {tags.get('rule', '')}".strip()
        fields = " ".join(
            f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
            for key, value in point.fields.items()
        )
        what = " ".join(part for part in (point.measurement, tags.get("class", "")) if part)
        lines.append(f"{what:<28} {name:<40} {fields}")
    return lines


async def _walk(target: Target, options: argparse.Namespace) -> int:
    session = await _open(target)
    try:
        rows = await session.walk(options.oid.strip("."))
        if not rows:
            one = (await session.get([options.oid.strip(".")]))[options.oid.strip(".")]
            rows = [] if isinstance(one, Missing) else [(options.oid.strip("."), one)]
    finally:
        await session.close()
    for oid, value in rows:
        print(recording_line(oid, value) if options.snmprec else f"{oid} = {shown(value)}")
    for complaint in session.complaints:
        print(f"the device: {complaint}", file=sys.stderr)
    if not rows:
        print(f"{target.address} has nothing below {options.oid}", file=sys.stderr)
        return 1
    return 0


def shown(value: Value) -> str:
    """A value for people: text where octets are text, else hexadecimal."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return value.hex(" ")
    return text if text.isprintable() else value.hex(" ")


def recording_line(oid: str, value: Value) -> str:
    """A value as a line of a recording. A large number becomes a Counter64: its kind is not known here."""
    if isinstance(value, bytes):
        return f"{oid}|4x|{value.hex()}"
    if isinstance(value, str):
        numbers = value.replace(".", "")
        return f"{oid}|{'6' if numbers.isdecimal() and value.count('.') != 3 else '4'}|{value}"
    if isinstance(value, int):
        return f"{oid}|{'2' if -(2**31) <= value < 2**31 else '70'}|{value}"
    return f"{oid}|4|{value!r}"
