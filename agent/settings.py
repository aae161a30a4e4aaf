"""What ``agent.yaml`` can say."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from agent.batch import Compression
from agent.inputs import AnySettings
from setpoint.broker_settings import BrokerSettings
from setpoint.config import Loaded, load
from setpoint.topics import NAME_EXPECTED, is_name
from setpoint.units import Duration, Size


def host_name() -> str:
    """This machine's name, cut at the first dot, as an agent's name."""
    name = socket.gethostname().split(".")[0]
    return name if is_name(name) else "localhost"


class Identity(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``name``: this agent's name, which is the tag ``host`` of all it measures (the machine's name, when
    unset). ``data``: the folder of its outbox.
    """

    name: str = ""
    site: str = "hq"
    data: str = "data/agent"

    def problems(self) -> Sequence[tuple[str, str]]:
        return [
            (key, f'expected {NAME_EXPECTED}, got "{value}"')
            for key, value in (("name", self.name), ("site", self.site))
            if value and not is_name(value)
        ]


class OutboxSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Bounds of what is kept while no collector answers: past them the oldest goes first."""

    max_size: Size = Size(200_000_000)
    max_age: Duration = Duration(7 * 86_400_000)
    ballast: Size = Size(1 << 20)


class PublishSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``flush``: how long a reading waits for company. ``window``: batches under way at once. ``resend``:
    how long at least an ack is waited for before a batch is sent again.
    """

    flush: Duration = Duration(2_000)
    batch: Size = Size(128_000)
    compression: Compression = "zstd"
    window: int = 32
    resend: Duration = Duration(30_000)

    def problems(self) -> Sequence[tuple[str, str]]:
        found = []
        if not 1_000 <= self.batch <= 900_000:
            found.append(("batch", f"expected a size from 1KB to 900KB, got {int(self.batch)} bytes"))
        if not 2 <= self.window <= 1_000:
            found.append(("window", f"expected a number from 2 to 1000, got {self.window}"))
        return found


class LogSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"


class AgentSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``jitter``: the most by which each gathering is put off, so that hosts do not all act at once."""

    agent: Identity = msgspec.field(default_factory=Identity)
    broker: BrokerSettings = msgspec.field(default_factory=BrokerSettings)
    outbox: OutboxSettings = msgspec.field(default_factory=OutboxSettings)
    publish: PublishSettings = msgspec.field(default_factory=PublishSettings)
    log: LogSettings = msgspec.field(default_factory=LogSettings)
    jitter: Duration = Duration(0)
    inputs: list[AnySettings] = []

    @property
    def name(self) -> str:
        return self.agent.name or host_name()

    def problems(self) -> Sequence[tuple[str, str]]:
        found = []
        if not self.inputs:
            found.append(
                ("inputs", "nothing would be measured; list at least one input, such as `- input: host`")
            )
        seen: dict[str, int] = {}
        for position, settings in enumerate(self.inputs):
            if settings.interval < 100:
                found.append(
                    (f"inputs[{position}].interval", f"expected at least 100ms, got {settings.interval}")
                )
            if settings.name is not None:
                if settings.name in seen:
                    found.append(
                        (
                            f"inputs[{position}].name",
                            f'"{settings.name}" is the name of inputs[{seen[settings.name]}] already',
                        )
                    )
                seen.setdefault(settings.name, position)
        return found


def load_settings(path: Path) -> Loaded[AgentSettings]:
    """The settings in the file. ConfigError with everything that is wrong in it."""
    return load(path, AgentSettings)
