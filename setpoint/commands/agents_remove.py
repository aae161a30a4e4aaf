"""``setpoint agents remove``: takes the access away, and what the broker keeps of the agent."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys

import msgspec

from collector.broker.status import NotCleared, clear_status
from collector.broker.users import EmbeddedUsers, NoSuchUser, Users
from collector.settings import CollectorSettings
from setpoint.commands.agents_broker import reload, site_of
from setpoint.units import Secret


def remove(options: argparse.Namespace, settings: CollectorSettings, users: Users) -> int:
    """Removes an agent and clears its status; returns the exit code. NoSuchUser when there is neither."""
    name, code, known = options.name, 0, True
    try:
        users.remove([name])
        print(f'"{name}" may no longer connect')
        code = reload(options)
    except NoSuchUser:
        known = False  # perhaps removed before, when its status could not be cleared, or came back
    site = site_of(options, settings)
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
