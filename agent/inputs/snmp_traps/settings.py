"""What the snmp_traps input can be told."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.inputs.base import InputSettings
from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.inventory import InventoryError, read_inventory
from agent.inputs.snmp.settings import DeviceSettings
from setpoint.units import Duration


class SnmpTrapsSettings(InputSettings, kw_only=True, tag="snmp_traps"):
    """``address`` and ``port``: where it listens. ``credentials``: by name, whose traps are taken. ``names``:
    what a sender's readings are called, by its address; ``inventory``: a CSV file that says so, such as that
    of the input ``snmp``. ``max_events``: texts that one sender may send in a minute, beyond are counted.
    """

    interval: Duration = Duration(30_000)
    address: str = "0.0.0.0"
    port: int = 162
    credentials: dict[str, Credentials]
    names: dict[str, str] = msgspec.field(default_factory=dict)
    inventory: str | None = None
    max_events: int = 60

    def device_names(self) -> dict[str, str]:
        """A sender's address to its name, of the inventory and of ``names``. InventoryError, OSError."""
        listed = read_inventory(Path(self.inventory), DeviceSettings) if self.inventory else []
        return {canonical(one.address): one.title for one in listed} | {
            canonical(address): name for address, name in self.names.items()
        }

    def problems(self) -> Sequence[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not _is_address(self.address):
            found.append(("address", f'expected an address of this machine, got "{self.address}"'))
        if not 1 <= self.port <= 65_535:
            found.append(("port", f"expected a number from 1 to 65535, got {self.port}"))
        if not 0 <= self.max_events <= 10_000:
            found.append(("max_events", f"expected a number from 0 to 10000, got {self.max_events}"))
        for address, name in self.names.items():
            if not _is_address(address):
                found.append((f"names.{address}", "expected the number of an address as the key"))
            if not name:
                found.append((f"names.{address}", "is empty"))
        try:
            self.device_names()
        except OSError as error:
            found.append(("inventory", f'cannot read "{self.inventory}": {error.strerror}'))
        except InventoryError as error:
            found += [("inventory", problem) for problem in error.problems]
        return [*found, *self._problems_of_users()]

    def _problems_of_users(self) -> list[tuple[str, str]]:
        if not self.credentials:
            return [("credentials", "is empty; expected at least one entry with a name")]
        found = []
        seen: dict[str, str] = {}
        for name, one in self.credentials.items():
            if one.version == "v3" and one.user in seen:
                message = f'is the user "{one.user}" of {seen[one.user]} again; a user has one password'
                found.append((f"credentials.{name}.user", message))
            seen.setdefault(one.user, name)
        return found


def canonical(address: str) -> str:
    """An address as it is written everywhere here; IPv4 that came over IPv6 is IPv4. A name as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
