"""What an input is: something that is asked at an interval and answers with points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from setpoint.reading import Point
from setpoint.units import Duration


class InputSettings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="input"):
    """What every input can be told; each input's own settings inherit from this.

    ``interval``: how often it gathers. ``deadline``: after how long a gathering is given up (the interval,
    when not set). ``name``: what its own readings and the log call it, where one type is used twice.
    ``tags``: more tags on every point of this input.
    """

    interval: Duration = Duration(10_000)
    deadline: Duration | None = None
    name: str | None = None
    tags: dict[str, str] = {}

    @property
    def tick(self) -> Duration | None:
        """How often an input is asked whose parts have schedules of their own; None asks at its interval."""
        return None

    def problems(self) -> Sequence[tuple[str, str]]:
        """What is wrong beyond types: (path below this input, message) pairs. Connects to nothing."""
        return ()


class Input(Protocol):
    """One running input. Building it validates and connects to nothing."""

    async def gather(self) -> Sequence[Point]:
        """The points of one gathering, without the tag ``host`` and usually without a time.

        What can be said is said: one failed part (a vanished disk) is left out and logged, and does not
        cost the rest. Raises only when nothing can be said; the scheduler logs and counts that. Blocking
        calls go through ``asyncio.to_thread`` or a child process: a gathering that hangs is cancelled at
        its deadline, and must not hold the event loop.
        """

    async def close(self) -> None:
        """Lets go of sockets and processes."""


@runtime_checkable
class GathersOnce(Protocol):
    """What an input offers whose gatherings hand over what has come in the background."""

    async def gather_once(self) -> Sequence[Point]:
        """All that one round of measuring gives, for ``setpoint agent once``."""
