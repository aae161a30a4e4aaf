"""Names of VictoriaMetrics' metrics, which join measurement and field, and how to take them apart again."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from collector.series import SeriesTable
from collector.store.base import Batch, Metric, SeriesKey
from collector.store.metricsql import NAME, tags_of
from setpoint.line_protocol import encode_point

log = logging.getLogger(__name__)

REGISTER = "setpoint_metric_known"
_REGISTER_METRIC = Metric("setpoint_metric", "known")
_DAY_MS = 86_400_000


class MetricNames:
    """``a_b`` with the field ``c`` and ``a`` with the field ``b_c`` have the same name; so the names that are
    in use are stored beside the data, and whether they stand for text, of which only the times are kept.
    """

    def __init__(self, series: SeriesTable) -> None:
        self._series = series
        self._metrics: dict[str, Metric] = {}
        self._numbers: set[Metric] = set()
        self._written_day = np.full(1024, -1, np.int64)

    @staticmethod
    def joined(metric: Metric) -> str:
        return f"{metric.measurement}_{metric.field}"

    def learn(self, named: Iterable[Mapping[str, str]]) -> None:
        """Takes over what is stored: the labels of the series that name metrics."""
        for labels in named:
            self._take(Metric(labels["measurement"], labels["field"]), text=labels.get("type") == "text")

    def is_text(self, metric: Metric) -> bool:
        """Whether nothing but text is known of the metric."""
        return metric not in self._numbers

    def _take(self, metric: Metric, *, text: bool) -> None:
        if not text:
            self._numbers.add(metric)
        other = self._metrics.setdefault(self.joined(metric), metric)
        if other != metric:
            log.warning(
                'field "%s" of "%s" and field "%s" of "%s" have one name in VictoriaMetrics, %s; series '
                "with the same tags run into each other there: rename one of them",
                *(metric.field, metric.measurement, other.field, other.measurement, self.joined(metric)),
            )

    def new_lines(self, batches: Sequence[Batch]) -> bytes:
        """Line protocol that names the metrics of these batches which today were not named yet."""
        known = len(self._series)
        if known > len(self._written_day):
            self._written_day = np.concatenate([self._written_day, np.full(known, -1, np.int64)])
        lines: dict[tuple[Metric, bool], bytes] = {}
        for batch in batches:
            day = batch.received_ms // _DAY_MS
            numbers = np.unique(batch.series[self._written_day[batch.series] < day]).tolist()
            texts = {number for number, _, _ in batch.texts if self._written_day[number] < day}
            for number in (*numbers, *texts):
                self._written_day[number] = day
                key, type_, _ = self._series.entry(number)
                metric, text = Metric(key.measurement, key.field), type_ == "text"
                self._take(metric, text=text)
                tags = {
                    "measurement": metric.measurement,
                    "field": metric.field,
                    "type": "text" if text else "number",
                }
                line = encode_point(_REGISTER_METRIC.measurement, tags, {"known": 1.0}, batch.received_ms)
                lines[metric, text] = line or b""
        return b"".join(line + b"\n" for line in lines.values())

    def forget_written(self) -> None:
        """Names all metrics again with their next readings: what was written may be lost."""
        self._written_day[:] = -1

    def key(self, labels: Mapping[str, str]) -> SeriesKey | None:
        """The series that has these labels; None when it is none of ours."""
        metric = self._metrics.get(labels.get(NAME, ""))
        return SeriesKey(metric.measurement, tags_of(labels), metric.field) if metric else None
