"""Which series a query means, in InfluxQL and in PromQL.

In VictoriaMetrics, and in whatever else takes InfluxDB's line protocol and answers PromQL, field and
measurement are one name (``cpu_usage_active``) and tags are labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_VARIABLE = re.compile(r"\$\w+")
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_:]")


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric (``measurement.field``) and the tags that its series must have.

    A value that is a variable (``$host``) is matched as a regular expression, for it may stand for several
    values or for all; any other value literally.
    """

    metric: str
    where: Mapping[str, str] = field(default_factory=dict)

    @property
    def measurement(self) -> str:
        return self.metric.partition(".")[0]

    @property
    def field_name(self) -> str:
        return self.metric.partition(".")[2]

    @property
    def source(self) -> str:
        """What stands behind FROM in InfluxQL."""
        return influx_name(self.measurement)

    @property
    def column(self) -> str:
        """The field in InfluxQL."""
        return influx_name(self.field_name)

    def influx_where(self, time: str) -> str:
        """The conditions in InfluxQL, the time's among them, without WHERE."""
        conditions = [time]
        for tag, value in self.where.items():
            if _VARIABLE.fullmatch(value):
                conditions.append(f"{influx_name(tag)} =~ /^{value}$/")
            else:
                conditions.append(f"{influx_name(tag)} = {influx_text(value)}")
        return " AND ".join(conditions)

    @property
    def prom(self) -> str:
        """The selector in PromQL."""
        conditions = [
            f"{prom_name(tag)}{'=~' if _VARIABLE.fullmatch(value) else '='}{prom_text(value)}"
            for tag, value in self.where.items()
        ]
        name = prom_name(f"{self.measurement}_{self.field_name}")
        return f"{name}{{{', '.join(conditions)}}}" if conditions else name


def influx_name(name: str) -> str:
    """A name of a measurement, field or tag."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def influx_text(text: str) -> str:
    """A literal text."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def prom_name(name: str) -> str:
    """A name as it is after ingestion: characters that PromQL does not take are underscores."""
    return _NOT_IN_A_NAME.sub("_", name)


def prom_text(text: str) -> str:
    """A literal text."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def influx_group(tags: Sequence[str], *first: str) -> str:
    """``GROUP BY``, or nothing when there is nothing to group by."""
    parts = [*first, *(influx_name(tag) for tag in tags)]
    return f" GROUP BY {', '.join(parts)}" if parts else ""


def prom_by(tags: Sequence[str]) -> str:
    """The ``by (...)`` of an aggregation."""
    return f"by ({', '.join(prom_name(tag) for tag in tags)})"
