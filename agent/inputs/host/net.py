"""What network interfaces have sent and received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from agent.inputs.host.procfs import read_line, read_text
from setpoint.reading import Point

_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_COLUMNS = {
    "bytes_recv": 0,
    "packets_recv": 1,
    "err_in": 2,
    "drop_in": 3,
    "bytes_sent": 8,
    "packets_sent": 9,
    "err_out": 10,
    "drop_out": 11,
}

NetCounters = Mapping[str, Mapping[str, int]]
"""By interface: counters since it was made, by Telegraf's field names."""


def read_net_counters(proc: str = "/proc") -> NetCounters:
    """Bytes, packets, errors and drops since it was made, by interface."""
    return parse_net_counters(read_text(f"{proc}/net/dev"))


def parse_net_counters(text: str) -> NetCounters:
    """The interfaces of /proc/net/dev."""
    counters = {}
    for line in text.splitlines()[2:]:
        name, _, rest = line.rpartition(":")  # old aliases hold a colon themselves
        values = rest.split()
        if name and len(values) >= 12:
            counters[name.strip()] = {field: int(values[column]) for field, column in _COLUMNS.items()}
    return counters


def is_up_and_not_loopback(interface: str, sys: str = "/sys") -> bool:
    """What the kernel's flags say; False for an interface that is gone."""
    flags = read_line(f"{sys}/class/net/{interface}/flags")
    if flags is None:
        return False
    return int(flags, 16) & (_IFF_UP | _IFF_LOOPBACK) == _IFF_UP


def read_speed(interface: str, sys: str = "/sys") -> int:
    """Speed in Mbit/s; -1 when the interface does not say."""
    text = read_line(f"{sys}/class/net/{interface}/speed")
    try:
        return int(text) if text else -1
    except ValueError:
        return -1


def is_wanted(interface: str, interfaces: Sequence[str], ignored: Sequence[str]) -> bool | None:
    """Whether the settings (globs) want the interface; None when they leave it to its state."""
    if any(fnmatchcase(interface, glob) for glob in ignored):
        return False
    if not interfaces:
        return None
    return any(fnmatchcase(interface, glob) for glob in interfaces)


def read_net_points(
    interfaces: Sequence[str], ignored: Sequence[str], proc: str = "/proc", sys: str = "/sys"
) -> list[Point]:
    """One point for each interface that is wanted or, where nobody says, is up and not loopback."""
    points = []
    for name, counters in read_net_counters(proc).items():
        wanted = is_wanted(name, interfaces, ignored)
        if wanted is None:
            wanted = is_up_and_not_loopback(name, sys)
        if wanted:
            points.append(Point("net", {"interface": name}, {**counters, "speed": read_speed(name, sys)}))
    return points
