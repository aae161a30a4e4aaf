"""What monitoring tools write into their files: YAML, and durations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# libyaml's composer is recursive: thousands of levels overflow its stack. Rules are a dozen levels deep.
_MAX_DEPTH = 64
# Nine lines of nested aliases can stand for a billion values; real files repeat a few dozen.
_MAX_ALIASED = 100_000
_DURATION = re.compile(
    r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII
)
_UNITS_S = (31_536_000, 604_800, 86_400, 3_600, 60, 1, 0.001)


class NotYaml(ValueError):
    """What was read is no YAML that is taken; the text says why."""


def load_documents(content: bytes) -> list[object]:
    """The YAML documents in the file, without empty ones. NotYaml."""
    try:
        _check_size(yaml.parse(content, Loader=_LOADER))
        return [one for one in yaml.load_all(content, Loader=_LOADER) if one is not None]
    except (yaml.YAMLError, ValueError) as error:
        raise NotYaml(" ".join(str(error).split())) from None


def _check_size(events: Iterable[Any]) -> None:
    """NotYaml when the values are nested too deeply, or aliases make too many of them."""
    # How many values each collection around the present one holds so far, and its anchor.
    around: list[tuple[int, str | None]] = []
    anchored: dict[str, int] = {}
    aliased = 0
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            around.append((1, event.anchor))
            if len(around) > _MAX_DEPTH:
                raise NotYaml(f"it is nested more than {_MAX_DEPTH} levels deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            size, anchor = around.pop()
        elif isinstance(event, yaml.ScalarEvent):
            size, anchor = 1, event.anchor
        elif isinstance(event, yaml.AliasEvent):
            size, anchor = anchored.get(event.anchor or "", 1), None
            aliased += size
            if aliased > _MAX_ALIASED:
                raise NotYaml(f"its aliases stand for more than {_MAX_ALIASED} values")
        else:
            continue
        if anchor is not None:
            anchored[anchor] = size
        if around:
            around[-1] = (around[-1][0] + size, around[-1][1])


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The file's content. NotYaml when it is longer, OSError when it cannot be read."""
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise NotYaml(f"it is longer than {int(max_bytes)} bytes")
    return content


def seconds(text: object) -> float | None:
    """Seconds of a duration as Prometheus and Grafana write it: 1h30m, 0m, 0; None when it is none."""
    match = _DURATION.fullmatch("0s" if text in (None, "", "0", 0) else str(text).strip())
    if match is None or not any(match.groups()):
        return None
    return sum(float(n) * unit_s for n, unit_s in zip(match.groups(), _UNITS_S, strict=True) if n)
