"""What the snmp input can be told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from agent.inputs.base import InputSettings
from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.inventory import InventoryError, read_inventory
from setpoint.units import Duration

# What the input and its readings give points themselves.
_RESERVED_TAGS = ("host", "device", "index", "name", "class")


class DeviceSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One device. ``address``: a number or a host name. ``name``: its tag ``device`` (the address, when
    unset). ``credentials``: the name of an entry of ``credentials`` (may be left out where there is one
    only). ``profile``: what the device is read with, instead of what it is recognised as. ``interval``,
    ``engine``, ``tags``: its own.
    """

    address: str
    name: str = ""
    credentials: str = ""
    port: int = 161
    profile: str | None = None
    interval: Duration | None = None
    engine: Literal["auto", "gufo", "pysnmp"] = "auto"
    tags: dict[str, str] = {}

    @property
    def title(self) -> str:
        """What its readings call it."""
        return self.name or self.address

    def problems(self) -> Sequence[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not self.address or re.search(r"[\s/@]", self.address):
            found.append(("address", f'expected an address or a host name, got "{self.address}"'))
        if not 1 <= self.port <= 65_535:
            found.append(("port", f"expected a number from 1 to 65535, got {self.port}"))
        if self.interval is not None and self.interval < 1_000:
            found.append(("interval", f"expected at least 1s, got {self.interval}"))
        for tag in self.tags:
            if not tag or tag in _RESERVED_TAGS:
                found.append((f"tags.{tag}", "is a tag of the readings themselves; choose another"))
        return found


class PortSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which ports are read; what is not set asks for nothing. ``names``, ``not_names``: regular expressions
    for ifName, ifDescr or ifAlias. ``types``, ``not_types``: IANA's ifType numbers. ``admin_up``,
    ``oper_up``: only ports in that state when the device is looked at.
    """

    names: list[str] = []
    not_names: list[str] = []
    types: list[int] = []
    not_types: list[int] = []
    admin_up: bool = False
    oper_up: bool = False

    def problems(self) -> Sequence[tuple[str, str]]:
        found = []
        for key in ("names", "not_names"):
            for index, pattern in enumerate(getattr(self, key)):
                try:
                    re.compile(pattern)
                except re.error as error:
                    found.append((f"{key}[{index}]", f"is no regular expression: {error}"))
        return found


class SnmpSettings(InputSettings, kw_only=True, tag="snmp"):
    """``interval``: how often each device's ports, processors and memory are read; ``slow_interval``: its
    sensors, storage and thresholds. ``deadline``: for reading one device (the interval, when not set).
    ``credentials``: by name. ``devices``: one by one; ``inventory``: a CSV file of more. ``profiles``: a
    folder of your own profiles. ``timeout``: for one answer, ``retries``: after it. ``max_in_flight``:
    requests under way at once. ``ports``: which are read.
    """

    interval: Duration = Duration(60_000)
    slow_interval: Duration = Duration(300_000)
    credentials: dict[str, Credentials]
    devices: list[DeviceSettings] = msgspec.field(default_factory=list)
    inventory: str | None = None
    profiles: str | None = None
    timeout: Duration = Duration(2_000)
    retries: int = 1
    max_in_flight: int = 100
    ports: PortSettings = msgspec.field(default_factory=PortSettings)

    @property
    def tick(self) -> Duration:
        """Its devices have schedules of their own; what came is handed over this often."""
        return min(self.interval, Duration(5_000))

    def all_devices(self) -> list[DeviceSettings]:
        """The devices that are listed, then those of the inventory. InventoryError, OSError."""
        if self.inventory is None:
            return list(self.devices)
        return [*self.devices, *read_inventory(Path(self.inventory), DeviceSettings)]

    def credentials_of(self, device: DeviceSettings) -> Credentials:
        """What the device is asked with. KeyError when there is no such entry."""
        if not device.credentials and len(self.credentials) == 1:
            return next(iter(self.credentials.values()))
        return self.credentials[device.credentials]

    def problems(self) -> Sequence[tuple[str, str]]:
        found = self._problems_of_numbers()
        found += self._problems_of_devices("devices", self.devices)
        try:
            listed = self.all_devices()
        except OSError as error:
            found.append(("inventory", f'cannot read "{self.inventory}": {error.strerror}'))
            listed = list(self.devices)
        except InventoryError as error:
            found += [("inventory", problem) for problem in error.problems]
            listed = list(self.devices)
        found += self._problems_of_devices("inventory", listed[len(self.devices) :])
        if not listed and not found:
            found.append(("devices", "is empty; expected devices, or an inventory"))
        seen: dict[str, str] = {}
        for position, device in enumerate(listed):
            inside = position < len(self.devices)
            where = f"devices[{position}]" if inside else f'"{device.title}" in {self.inventory}'
            if device.title in seen:
                path = f"devices[{position}].name" if inside else "inventory"
                found.append((path, f"{where} has the name of {seen[device.title]}; names must differ"))
            seen.setdefault(device.title, where)
        return [*found, *self._problems_of_profiles(listed)]

    def _problems_of_numbers(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not self.credentials:
            found.append(("credentials", "is empty; expected at least one entry with a name"))
        if self.interval < 1_000:
            found.append(("interval", f"expected at least 1s, got {self.interval}"))
        if self.slow_interval < self.interval:
            found.append(("slow_interval", f"expected at least the interval ({self.interval})"))
        if not 0 < self.timeout <= 60_000:
            found.append(("timeout", f"expected more than 0s and at most 1m, got {self.timeout}"))
        if not 0 <= self.retries <= 10:
            found.append(("retries", f"expected a number from 0 to 10, got {self.retries}"))
        if not 1 <= self.max_in_flight <= 10_000:
            found.append(("max_in_flight", f"expected a number from 1 to 10000, got {self.max_in_flight}"))
        return found

    def _problems_of_devices(self, key: str, devices: Sequence[DeviceSettings]) -> list[tuple[str, str]]:
        found = []
        for position, device in enumerate(devices):
            path = f"devices[{position}].credentials" if key == "devices" else "inventory"
            subject = "" if key == "devices" else f'"{device.title}" in {self.inventory}: credentials: '
            try:
                credentials = self.credentials_of(device)
            except KeyError:
                known = ", ".join(self.credentials)
                got = f'got "{device.credentials}"' if device.credentials else "which are missing"
                found.append((path, f"{subject}expected one of {known}, {got}"))
                continue
            if credentials.context and device.engine == "gufo":
                found.append((path, f"{subject}have a context, which the engine pysnmp knows only"))
        return found

    def _problems_of_profiles(self, devices: Sequence[DeviceSettings]) -> list[tuple[str, str]]:
        wanted = {device.profile for device in devices if device.profile}
        if not wanted and self.profiles is None:
            return []
        from agent.inputs.snmp.profile_load import load_profiles
        from setpoint.config import ConfigError, suggest

        try:
            known = load_profiles(Path(self.profiles) if self.profiles else None)
        except ConfigError as error:
            return [("profiles", str(problem)) for problem in error.problems]
        found = []
        for position, device in enumerate(devices):
            if device.profile and device.profile not in known:
                path = f"devices[{position}].profile" if position < len(self.devices) else "inventory"
                message = f'no profile is called "{device.profile}"{suggest(device.profile, known)}'
                found.append((path, message))
        return found
