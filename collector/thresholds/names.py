"""What the metrics of other tools are called here: a table that users extend."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from setpoint.config import load

DEFAULT = Path(__file__).with_name("names.yaml")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")


class Name(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``metric``: the name in the tool, in its normal form; ``{tag}`` in it stands for the value of a tag of
    ours. ``where``: labels that the threshold must ask for. ``ours``: measurement.field. ``tags``: those that
    our series must have. ``labels``: which of our tags a label of theirs is. Our value is
    ``offset + scale * theirs``. ``rate``: for points with ``as: rate`` only. ``percent_of``: for points with
    just this.
    """

    metric: str
    ours: str
    where: dict[str, str] = {}
    tags: dict[str, str] = {}
    labels: dict[str, str] = {}
    scale: float = 1.0
    offset: float = 0.0
    rate: bool = False
    percent_of: str | None = None

    def problems(self) -> Sequence[tuple[str, str]]:
        found = []
        for key in ("ours", "percent_of"):
            text = getattr(self, key)
            if text is not None and not all(text.partition(".")):
                found.append((key, f'expected measurement.field, such as cpu.usage_active, got "{text}"'))
        if not self.metric.strip():
            found.append(("metric", "is empty"))
        if self.scale == 0 or not math.isfinite(self.scale):
            found.append(("scale", "expected a number other than 0"))
        return found


class NamesFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """``hosts``: labels whose value names a host or a device. ``ignore``: labels that choose no host.
    ``severities``: what ``warning`` and ``critical`` are called elsewhere.
    """

    hosts: list[str] = []
    ignore: list[str] = []
    severities: dict[str, list[str]] = {}
    names: list[Name] = []

    def problems(self) -> Sequence[tuple[str, str]]:
        return [
            ("severities", f'expected warning, critical or info, got "{severity}"')
            for severity in self.severities
            if severity not in ("warning", "critical", "info")
        ]


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing that a foreign metric can be; ``captured`` are the tags that its placeholders stood for."""

    name: Name
    captured: Mapping[str, str]


class Names:
    """The table, ready to be asked. What was listed first is found first."""

    def __init__(self, files: Sequence[NamesFile] = ()) -> None:
        self.hosts = frozenset(label for file in files for label in file.hosts)
        self.ignored = frozenset(label for file in files for label in file.ignore)
        self._severities: dict[str, str] = {}
        self._plain: dict[str, list[Name]] = {}
        self._patterns: list[tuple[re.Pattern[str], Name]] = []
        for file in files:
            for ours, theirs in file.severities.items():
                for text in (ours, *theirs):
                    self._severities.setdefault(text.lower(), ours)
            for name in file.names:
                if _PLACEHOLDER.search(name.metric):
                    self._patterns.append((_pattern(name.metric), name))
                else:
                    self._plain.setdefault(name.metric, []).append(name)

    def severity(self, text: str) -> str | None:
        """``critical``, ``warning`` or ``info``; None for a word that the table does not know."""
        return self._severities.get(text.lower())

    def meanings(self, metric: str) -> Iterator[Meaning]:
        """What the metric, in its normal form, can be."""
        for name in self._plain.get(metric, ()):
            yield Meaning(name, {})
        for pattern, name in self._patterns:
            if match := pattern.fullmatch(metric):
                yield Meaning(name, match.groupdict())

    def known(self) -> Iterator[Name]:
        """Every entry."""
        for names in self._plain.values():
            yield from names
        for _, name in self._patterns:
            yield name


def load_names(paths: Sequence[str] = ()) -> Names:
    """The table that comes with Setpoint, after those of these files. ConfigError with all that is wrong."""
    files = [load(Path(path), NamesFile, environment={}).value for path in (*paths, str(DEFAULT))]
    return Names(files)


def _pattern(metric: str) -> re.Pattern[str]:
    pieces = _PLACEHOLDER.split(metric)
    text = re.escape(pieces[0])
    named: set[str] = set()
    for tag, literal in zip(pieces[1::2], pieces[2::2], strict=True):
        text += f"(?P={tag})" if tag in named else f"(?P<{tag}>[^,\\]]+)"
        named.add(tag)
        text += re.escape(literal)
    return re.compile(text)
