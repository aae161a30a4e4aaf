"""What VictoriaMetrics is asked, and its answers.

Selectors: https://docs.victoriametrics.com/metricsql/; the export: one JSON document a line, for one series
or a piece of it, https://docs.victoriametrics.com/#how-to-export-data-in-json-line-format
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from collector.store.base import StoreUnavailable
from collector.store.http_read import Response
from collector.store.memory_train import Samples, Tags

NAME = "__name__"


class _Exported(msgspec.Struct):
    metric: dict[str, str]
    values: list[float | None]
    timestamps: list[int]


class _Value(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct):
    result: list[_Value] = []


class _Answer(msgspec.Struct):
    data: _Data = msgspec.field(default_factory=_Data)


class _SeriesAnswer(msgspec.Struct):
    data: list[dict[str, str]] = []


_decode_exported = msgspec.json.Decoder(_Exported).decode
_decode_vector = msgspec.json.Decoder(_Answer).decode
_decode_series = msgspec.json.Decoder(_SeriesAnswer).decode


def selector(name: str, narrowing: Mapping[str, Sequence[str]]) -> str:
    """The series of that name, with one of these values where a tag has any. As MetricsQL writes text,
    which is as JSON does, but for characters beyond ASCII that stay what they are.
    """
    conditions = [f"{NAME}={_text(name)}"]
    for key, values in narrowing.items():
        pattern = "|".join(re.escape(value) for value in values)
        conditions.append(f"{_label(key)}=~{_text(pattern)}")
    return "{" + ",".join(conditions) + "}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _label(name: str) -> str:
    """A label's name; a backslash before what is no letter, digit or underscore."""
    return re.sub(r"([^\w])", r"\\\1", name, flags=re.ASCII) if name.isascii() else name


def seconds(time_ms: int) -> str:
    """The time as the HTTP API takes it."""
    return f"{time_ms // 1000}.{time_ms % 1000:03d}"


def over_window(function: str, matcher: str, start_ms: int, end_ms: int) -> dict[str, str]:
    """The parameters of an instant query: ``function`` over the samples in [start_ms, end_ms). The window
    of MetricsQL is open at its start and closed at its end.
    """
    return {
        "query": f"{function}({matcher}[{end_ms - start_ms}ms]) keep_metric_names",
        "time": seconds(end_ms - 1),
        # Else the time is moved back by the latency offset of 30 s.
        "nocache": "1",
    }


def exported(lines: Iterable[bytes], where: str) -> Iterator[Samples]:
    """The samples of an export. StoreUnavailable when it is none."""
    for line in lines:
        try:
            one = _decode_exported(line)
        except msgspec.DecodeError as error:
            raise StoreUnavailable(f"{where}: expected an export of VictoriaMetrics: {error}") from None
        value = np.array(one.values, np.float64)
        time_ms = np.array(one.timestamps, np.int64)
        real = ~np.isnan(value)
        yield Samples(tags_of(one.metric), time_ms[real], value[real])


def vector(answer: Response, where: str) -> list[tuple[dict[str, str], float]]:
    """(labels, value) of an instant query's answer."""
    _expect_200(answer, where)
    return [(one.metric, float(one.value[1])) for one in _decode_vector(answer.body).data.result]


def series_labels(answer: Response, where: str) -> list[dict[str, str]]:
    """The labels of every series in an answer of /api/v1/series."""
    _expect_200(answer, where)
    return _decode_series(answer.body).data


def _expect_200(answer: Response, where: str) -> None:
    if answer.status != 200:
        raise StoreUnavailable(f"{where}: {answer.status}: {answer.text[:500]}")


def tags_of(labels: Mapping[str, str]) -> Tags:
    """The labels but the name, sorted."""
    return tuple(sorted((key, value) for key, value in labels.items() if key != NAME))
