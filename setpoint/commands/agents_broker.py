"""The broker that a ``setpoint agents`` command is about: its users, its address, its reload."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from collector.broker.mosquitto import PasswordFile, tell_to_reload
from collector.broker.settings import credentials_path
from collector.broker.users import EmbeddedUsers, Users
from collector.settings import CollectorSettings
from setpoint.commands.credentials_out import Address, broker_address, embedded_address
from setpoint.config import ConfigError
from setpoint.plan_load import load_plan


def data_folder(collector_data: str) -> Path:
    """The folder that holds everything of this machine: the collector's is one of its parts."""
    return Path(collector_data).parent


def users_of(options: argparse.Namespace, settings: CollectorSettings) -> Users:
    """The users of the Mosquitto that the options name, else of the embedded broker."""
    if options.mosquitto_passwords:
        return PasswordFile(options.mosquitto_passwords)
    return EmbeddedUsers(credentials_path(data_folder(settings.collector.data)))


def address_of(options: argparse.Namespace, settings: CollectorSettings) -> Address:
    """Where agents reach it. ValueError when the options say no address."""
    if options.mosquitto_passwords:
        address = broker_address(settings.broker)
    else:
        address = embedded_address(settings.embedded_broker)
    return address.with_asked(options.address, options.ca)


def site_of(options: argparse.Namespace, settings: CollectorSettings) -> str:
    """The site that the options name, else the plan's."""
    if options.site:
        return str(options.site)
    try:
        return load_plan(options.config.parent / settings.collector.plan).site
    except ConfigError:
        return "hq"  # what an agent.yaml means that names none


def reload(options: argparse.Namespace) -> int:
    """Has Mosquitto read its file again, or says how; returns the exit code."""
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
