"""``setpoint snmp discover``: asks a subnet who is there, and proposes a list of devices."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import yaml

from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.session import Timing
from setpoint.config import ConfigError

if TYPE_CHECKING:
    from agent.inputs.snmp.settings import SnmpSettings
    from agent.inputs.snmp.sweep import Answered, Sweep

_PROGRESS_EVERY_S = 5.0
_MAX_NAME, _MAX_COMMENT = 63, 90
FROM_FLAGS = "discovered"
"""What the list calls credentials that were given on the command line."""

_EPILOG = """\
Asks every address of the subnets for its name and what it is, with each of the credentials until one is
answered. Only ask networks that are yours to ask. The list is printed; nothing is written.

exit codes: 0 somebody answered, 1 nobody did, 2 the command line is wrong, 130 it was interrupted
"""


class DiscoverError(Exception):
    """The command cannot do what it was asked; the text is for the user."""


class Asked(NamedTuple):
    """With what, and whom not: ``known`` are the devices of the file, by address, with their names."""

    credentials: Mapping[str, Credentials]
    known: Mapping[str, str]


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    add_flags: Callable[[argparse.ArgumentParser], None],
    from_flags: Callable[[argparse.Namespace], Credentials],
) -> None:
    """Adds the command. ``add_flags`` adds those that say how a device is asked, ``from_flags`` reads them;
    ValueError when they say nothing that will do.
    """
    parser = commands.add_parser(
        "discover",
        help="ask a subnet who is there, and propose a list of devices",
        description="Asks a subnet who answers SNMP, and proposes a list of devices for agent.yaml.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("subnet", nargs="+", help="such as 192.0.2.0/24, or one address")
    parser.add_argument("--credentials", help="names of credentials in --config, with commas between (all)")
    add_flags(parser)
    parser.set_defaults(timeout=1.0)
    parser.add_argument("--rate", type=float, default=50.0, help="requests in a second (%(default)g)")
    parser.add_argument("--in-flight", type=int, default=100, help="requests at once (%(default)s)")
    parser.add_argument("--retries", type=int, default=1, help="of a request without answer (%(default)s)")
    parser.add_argument(
        "--max-addresses", type=int, default=4096, help="refuse subnets of more addresses (%(default)s)"
    )
    parser.set_defaults(run=lambda options: _run(options, from_flags))


def _run(options: argparse.Namespace, from_flags: Callable[[argparse.Namespace], Credentials]) -> int:
    from agent.run import use_selector_loop

    use_selector_loop()
    try:
        _check_numbers(options)
        networks = networks_of(options.subnet, options.max_addresses)
        asked = _asked(options, from_flags)
        return asyncio.run(_discover(networks, asked, options))
    except (DiscoverError, ConfigError) as error:
        print(error, file=sys.stderr)
        return 2


def _check_numbers(options: argparse.Namespace) -> None:
    for flag, value, least, most in (
        ("--rate", options.rate, 0.1, 10_000),
        ("--in-flight", options.in_flight, 1, 1_000),
        ("--retries", options.retries, 0, 10),
        ("--timeout", options.timeout, 0.01, 60),
        ("--max-addresses", options.max_addresses, 1, 1 << 20),
        ("--port", options.port or 161, 1, 65_535),
    ):
        if not least <= value <= most:
            raise DiscoverError(f"{flag}: expected a number from {least:g} to {most}, got {value:g}")


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks_of(subnets: Sequence[str], max_addresses: int) -> list[Network]:
    """The subnets, none twice. DiscoverError when one is none, or they have too many addresses together."""
    networks: list[Network] = []
    for text in subnets:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise DiscoverError(f'expected a subnet such as 192.0.2.0/24, got "{text}"') from None
        others = [one for one in networks if one.version == network.version]
        if any(network.subnet_of(one) for one in others):  # type: ignore[arg-type]
            continue
        networks = [one for one in networks if one not in others or not one.subnet_of(network)]  # type: ignore[arg-type]
        networks.append(network)
    number = sum(network.num_addresses for network in networks)
    if number > max_addresses:
        raise DiscoverError(
            f"{', '.join(map(str, networks))}: {number} addresses, and at most {max_addresses} are asked; "
            f"name smaller subnets, or allow it with --max-addresses {number}"
        )
    return networks


def _asked(options: argparse.Namespace, from_flags: Callable[[argparse.Namespace], Credentials]) -> Asked:
    given = options.community or options.user
    if not options.config or given:
        if options.credentials:
            raise DiscoverError("--credentials names entries of --config; expected --config FILE")
        try:
            credentials = from_flags(options)
        except ValueError as error:
            raise DiscoverError(str(error)) from None
        return Asked({FROM_FLAGS: credentials}, {})
    from agent.inputs.snmp.settings import SnmpSettings
    from agent.settings import load_settings

    inputs = [one for one in load_settings(options.config).value.inputs if isinstance(one, SnmpSettings)]
    return Asked(_of_file(options, inputs), _known(inputs, options.port or 161))


def _of_file(options: argparse.Namespace, inputs: Sequence[SnmpSettings]) -> dict[str, Credentials]:
    entries = {name: one for settings in inputs for name, one in settings.credentials.items()}
    if not entries:
        raise DiscoverError(f"{options.config}: no input snmp with credentials; give --community or --user")
    if not options.credentials:
        return entries
    names = [name.strip() for name in options.credentials.split(",")]
    for name in names:
        if name not in entries:
            raise DiscoverError(
                f'--credentials: expected some of {", ".join(entries)}, got "{name}" ({options.config})'
            )
    return {name: entries[name] for name in names}


def _known(inputs: Sequence[SnmpSettings], port: int) -> dict[str, str]:
    return {
        device.address: device.title
        for settings in inputs
        for device in settings.all_devices()
        if device.port == port
    }


async def _discover(networks: Sequence[Network], asked: Asked, options: argparse.Namespace) -> int:
    from agent.inputs.snmp.profile_load import load_profiles
    from agent.inputs.snmp.sweep import PacedSlots, Sweep
    from setpoint.signals import stop_event

    hosts = [str(host) for network in networks for host in network.hosts()]
    already = {host: asked.known[host] for host in hosts if host in asked.known}
    addresses = [host for host in hosts if host not in already]
    slots = PacedSlots(options.in_flight, options.rate)
    sweep = Sweep(
        asked.credentials,
        port=options.port or 161,
        engine=options.engine,
        timing=Timing(timeout_s=options.timeout, retries=options.retries, deadline_s=300),
        profiles=load_profiles(options.profiles),
        slots=slots,
        at_once=min(options.in_flight, len(addresses) or 1),
    )
    stop = stop_event()
    progress = _Progress(sweep, len(addresses))
    found: list[Answered] = []

    async def collect() -> None:
        async for answered in sweep.run(iter(addresses), stop.is_set):
            found.append(answered)
            progress.found = len(found)

    showing = asyncio.create_task(progress.show())
    collecting = asyncio.create_task(collect())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({collecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (showing, stopping, collecting):
            if not task.done():
                task.cancel()
        await asyncio.gather(showing, stopping, collecting, return_exceptions=True)
        progress.end()
    if not collecting.cancelled():
        collecting.result()
    for line in proposal(found, port=options.port or 161, already=already):
        print(line)
    if stop.is_set():
        print(f"interrupted: {len(addresses) - sweep.asked} addresses were not asked", file=sys.stderr)
        return 130
    return 0 if found else 1


class _Progress:
    """One line on stderr: rewritten on a terminal, else a new one now and then."""

    def __init__(self, sweep: Sweep, total: int) -> None:
        self._sweep = sweep
        self._total = total
        self._began_s = time.monotonic()
        self._rewrites = sys.stderr.isatty()
        self.found = 0

    async def show(self) -> None:
        while True:
            await asyncio.sleep(0.5 if self._rewrites else _PROGRESS_EVERY_S)
            print(self._text(), end="\r" if self._rewrites else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        took_s = time.monotonic() - self._began_s
        print(f"{self._text()}, {took_s:.1f} s", file=sys.stderr)

    def _text(self) -> str:
        sweep = self._sweep
        done = f"{sweep.asked} of {self._total} addresses"
        return f"{done}, {self.found} answered, {sweep.slots.begun} requests"


def proposal(found: Sequence[Answered], *, port: int, already: Mapping[str, str]) -> Iterator[str]:
    """The lines of a list of devices, to be pasted into the settings of the input ``snmp``."""
    found = sorted(found, key=lambda one: _order(one.address))
    devices = [one for one in found if not one.problem]
    yield f"# {len(devices)} devices answered. What is not wanted can be left out; names can be changed."
    if any(one.credentials == FROM_FLAGS for one in devices):
        yield f"# Add what you asked with to `credentials:`, with the name {FROM_FLAGS}."
    for address, title in already.items():
        yield f"# {address} is in the file already: {_comment(title)}"
    if devices:
        yield "devices:"
    names = unique_names(devices)
    first: dict[tuple[str, str], str] = {}
    for one, name in zip(devices, names, strict=True):
        keys = {"address": one.address, "name": name, "credentials": one.credentials}
        if not name:
            del keys["name"]
        listed = ", ".join(f"{key}: {_scalar(value)}" for key, value in keys.items())
        listed += f", port: {port}" if port != 161 else ""
        twin = first.setdefault((one.sys_name, one.sys_object_id), one.address) if one.sys_name else ""
        note = f" (named like {twin}: perhaps the same device)" if twin not in ("", one.address) else ""
        yield f"  - {{{listed}}}  # {_comment(one.title)}{note}; {_comment(one.sys_descr)}"
    for one in found:
        if one.problem:
            yield f"# {one.address} did not tell what it is ({one.credentials}): {_comment(one.problem)}"


def unique_names(devices: Sequence[Answered]) -> list[str]:
    """A name for each, made of sysName: letters, digits, dots, dashes, underscores; "" where it has none."""
    names: list[str] = []
    taken = {device.address for device in devices}
    for device in devices:
        base = re.sub(r"[^\w.-]+", "-", device.sys_name)[:_MAX_NAME].strip("-._")
        name, number = base, 1
        while name and name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        names.append(name)
    return names


def _order(address: str) -> tuple[int, int]:
    parsed = ipaddress.ip_address(address)
    return parsed.version, int(parsed)


def _scalar(text: str) -> str:
    """The text as YAML, with quotes where it would be read as something else."""
    try:
        plain = yaml.safe_load(f"{{a: {text}, b: 1}}") == {"a": text, "b": 1}
    except yaml.YAMLError:
        plain = False
    return text if plain else json.dumps(text)


def _comment(text: str) -> str:
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return line if len(line) <= _MAX_COMMENT else f"{line[:_MAX_COMMENT]}…"
