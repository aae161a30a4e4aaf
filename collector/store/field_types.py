"""The types of fields, where an engine has one for each field of a measurement, not for each series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from collector.series import FieldType, SeriesTable
from collector.store.base import Batch, Metric
from setpoint.reading import FieldValue


class FieldTypes:
    """Which type the engine has for a field, and of which fields series disagree with it.

    A field of one measurement may be an integer in one series and a float in another; for InfluxDB the
    second of them is a conflict, for which 1.x drops the whole point, with its good fields.
    """

    def __init__(self, series: SeriesTable) -> None:
        self._series = series
        self._type: dict[Metric, FieldType] = {}
        self._checked = np.zeros(1024, bool)
        self.mixed: dict[str, dict[str, FieldType]] = {}
        """By measurement, the fields with more than one type, and the type that the engine has."""

    def learn(self, metric: Metric, type_: FieldType) -> None:
        """What the engine said. The first answer counts."""
        self._type.setdefault(metric, type_)

    def conflict(self, metric: Metric, type_: FieldType) -> bool:
        """Takes from a refusal that the engine has this type. Whether that is news."""
        fields = self.mixed.setdefault(metric.measurement, {})
        news = fields.get(metric.field) != type_
        fields[metric.field] = self._type[metric] = type_
        return news

    def look_at(self, batches: Sequence[Batch]) -> None:
        """Compares the types of series that were not seen before with those of their fields."""
        known = len(self._series)
        if known > len(self._checked):
            self._checked = np.concatenate([self._checked, np.zeros(known, bool)])
        for batch in batches:
            new = batch.series[~self._checked[batch.series]]
            if len(new):
                self._check(np.unique(new).tolist())
            self._check({number for number, _, _ in batch.texts if not self._checked[number]})

    def _check(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            key, type_, _ = self._series.entry(number)
            self._checked[number] = True
            metric = Metric(key.measurement, key.field)
            if self._type.setdefault(metric, type_) != type_:
                self.mixed.setdefault(key.measurement, {})[key.field] = self._type[metric]


def as_type(value: FieldValue, type_: FieldType) -> FieldValue | None:
    """The value as the engine can take it without a loss; None when it cannot."""
    if isinstance(value, str) or type_ == "text":
        return value if isinstance(value, str) and type_ == "text" else None
    if type_ == "float":
        return float(value)
    if type_ == "integer" and float(value).is_integer() and abs(value) < 2**63:
        return int(value)
    if type_ == "boolean" and value in (0, 1):
        return bool(value)
    return None
