"""What panels ask for, each in InfluxQL and in PromQL, with the same meaning.

Every query is bounded: it groups by ``$__interval``, over the last 30 days of the dashboard's range at the
most, or it reads a window of fixed length that ends with the range. PromQL has no words for the 30 days:
there the server's own limits hold (VictoriaMetrics: ``-search.maxSamplesPerQuery``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import Dataquery, PromQueryFormat, QueryEditorMode

from grafana.influxql import InfluxQL
from grafana.selectors import Selector, influx_group, influx_name, prom_by, prom_name

Flavour = Literal["influxdb", "prometheus"]
FLAVOURS: tuple[Flavour, ...] = ("influxdb", "prometheus")
Function = Literal["mean", "max", "min", "sum"]
_PROM_FUNCTION = {"mean": "avg", "max": "max", "min": "min", "sum": "sum"}

NOW = "5m"
"""How old the newest sample may be to count as the present one."""
REVIEWS = "setpoint_gap"
LONGEST = "30d"
"""What a graph reads at most of single samples."""
DAY = "1d"
"""How long ago a subject may have reported to be missed when it does not."""

_DATA_SOURCE_TYPE: dict[Flavour, str] = {"influxdb": "influxdb", "prometheus": "prometheus"}
_IN_LEGEND = re.compile(r"{(\w+)}")


@dataclass(frozen=True, slots=True)
class Query:
    """The same question in both languages. ``legend`` names each line: ``{host} {path}``.

    ``column`` is what a table calls the value; the answer is a table when it is not empty.
    """

    influxql: str
    promql: str
    legend: str = ""
    column: str = ""
    instant: bool = False
    selector: Selector | None = None
    rate: bool = False
    scale: float = 1.0

    def target(self, flavour: Flavour, ref_id: str) -> variants.Dataquery:
        """The query as a panel holds it."""
        if flavour == "influxdb":
            return InfluxQL(
                query=self.influxql,
                ref_id=ref_id,
                datasource=data_source(flavour),
                alias=_IN_LEGEND.sub(r"$tag_\1", self.legend),
                result_format="table" if self.column else "time_series",
            )
        return Dataquery(
            expr=self.promql,
            instant=self.instant,
            range_val=not self.instant,
            ref_id=ref_id,
            datasource=data_source(flavour),
            editor_mode=QueryEditorMode.CODE,
            legend_format=_IN_LEGEND.sub(r"{{\1}}", self.legend) or "__auto",
            format_val=PromQueryFormat.TABLE if self.column else PromQueryFormat.TIME_SERIES,
        )


def data_source(flavour: Flavour) -> DataSourceRef:
    """The data source that the dashboard's variable names: a fixed UID exists at one site only."""
    return DataSourceRef(type_val=_DATA_SOURCE_TYPE[flavour], uid="${datasource}")


def window(length: str) -> str:
    """InfluxQL's condition for the last ``length`` of the dashboard's range."""
    return f"time > ${{__to}}ms - {length} AND time <= ${{__to}}ms"


def graph_time(selector: Selector) -> str:
    """InfluxQL's condition for the range of a graph. What reviews write comes once an hour: of that, years
    are no more than of other measurements a day.
    """
    if selector.measurement == REVIEWS:
        return "$timeFilter"
    return f"$timeFilter AND time > ${{__to}}ms - {LONGEST}"


def over_time(
    selector: Selector,
    by: Sequence[str],
    legend: str,
    *,
    function: Function = "mean",
    rate: bool = False,
    scale: float = 1.0,
) -> Query:
    """A line for each combination of the ``by`` tags. ``rate``: of a counter, per second."""
    column = f"last({selector.column})" if rate else f"{function}({selector.column})"
    of_series = f"{_PROM_FUNCTION[function]}_over_time({selector.prom}[$__interval])"
    if rate:
        # Differences are taken series by series, before anything is added up: a sum of counters falls when
        # one of them ends.
        column = f"non_negative_derivative({column}, 1s)"
        of_series = f"rate({selector.prom}[$__rate_interval])"
    factor = "" if scale == 1 else f" * {scale:.12g}"
    time = graph_time(selector)
    influxql = (
        f'SELECT {column}{factor} AS "value" FROM {selector.source} WHERE {selector.influx_where(time)}'
        f"{influx_group(by, 'time($__interval)')} fill(null)"
    )
    together = "sum" if rate else _PROM_FUNCTION[function]
    promql = f"{together} {prom_by(by)} ({of_series}){factor}"
    return Query(influxql, promql, legend, selector=selector, rate=rate, scale=scale)


def latest(
    selector: Selector, by: Sequence[str], *, legend: str = "", column: str = "", within: str = NOW
) -> Query:
    """The newest value of each combination of the ``by`` tags. With ``column``, as rows of a table."""
    influxql = (
        f"SELECT last({selector.column}) AS {influx_name(column or 'value')} FROM {selector.source} "
        f"WHERE {selector.influx_where(window(within))}{influx_group(by)}"
    )
    return Query(influxql, _prom_newest(selector, by, within), legend, column, True, selector)


def worst(selector: Selector, by: Sequence[str], *, column: str, number: int = 8, within: str = NOW) -> Query:
    """A table of the subjects with the highest mean over the window."""
    tags = ", ".join(influx_name(tag) for tag in by)
    inner = (
        f'SELECT mean({selector.column}) AS "v" FROM {selector.source} '
        f"WHERE {selector.influx_where(window(within))}{influx_group(by)}"
    )
    influxql = f'SELECT top("v", {tags}, {number}) AS {influx_name(column)} FROM ({inner})'
    promql = f"topk({number}, avg {prom_by(by)} (avg_over_time({selector.prom}[{within}])))"
    return Query(influxql, promql, column=column, instant=True, selector=selector)


def number_reporting(selector: Selector, by: Sequence[str], *, within: str, legend: str = "") -> Query:
    """How many subjects have a sample in the window; 0 when only the day before knows them."""
    influxql = f'SELECT sum("n") AS "value" FROM {_known(selector)}, {_reporting(selector, by, within)}'
    reporting = f"count({_prom_seen(selector, by, within)})"
    return Query(influxql, f"{reporting} or 0 * count({_prom_seen(selector, by, DAY)})", legend, instant=True)


def number_silent(selector: Selector, by: Sequence[str], *, within: str, legend: str = "") -> Query:
    """How many subjects reported in the last day, but not within the window."""
    # Not a difference of two sums: in InfluxDB 1.6 that is null when the sums come from two subqueries.
    influxql = (
        f'SELECT sum("n") AS "value" FROM {_reporting(selector, by, DAY)}, '
        f"{_reporting(selector, by, within, -1)}"
    )
    known, reporting = _prom_seen(selector, by, DAY), _prom_seen(selector, by, within)
    return Query(influxql, f"count({known} unless {reporting}) or 0 * count({known})", legend, instant=True)


def number_where(
    selector: Selector, by: Sequence[str], condition: str, *, within: str = NOW, legend: str = ""
) -> Query:
    """How many subjects' newest value meets a condition such as ``= 0`` or ``<> 0``; 0 when none does."""
    inner = (
        f'SELECT last({selector.column}) AS "v" FROM {selector.source} '
        f"WHERE {selector.influx_where(window(within))}{influx_group(by)}"
    )
    influxql = (
        f'SELECT sum("n") AS "value" FROM {_known(selector, within)}, '
        f'(SELECT "v" * 0 + 1 AS "n" FROM ({inner}) WHERE "v" {condition})'
    )
    prom_condition = condition.replace("<>", "!=") if "<" in condition else f"={condition}"
    newest = _prom_newest(selector, by, within)
    return Query(influxql, f"count({newest} {prom_condition}) or 0 * count({newest})", legend, instant=True)


def share_of_samples(
    selector: Selector, by: Sequence[str], good: float, *, within: str, legend: str = "", column: str = ""
) -> Query:
    """In percent: how many of each subject's samples in the window have the value ``good``."""
    where = selector.influx_where(window(within))
    group = influx_group(by)
    influxql = (
        f'SELECT 100 * sum("good") / sum("all") AS {influx_name(column or "value")} FROM '
        f'(SELECT count({selector.column}) AS "all", count({selector.column}) * 0 AS "good" '
        f"FROM {selector.source} WHERE {where}{group}), "
        f'(SELECT count({selector.column}) AS "good" FROM {selector.source} '
        f"WHERE {where} AND {selector.column} = {good:g}{group}){group}"
    )
    everything = f"sum {prom_by(by)} (count_over_time({selector.prom}[{within}]))"
    # A subquery of a comparison would need a fixed step; what a sample says of itself does not.
    good_ones = f"sum {prom_by(by)} (count_over_time({_succeeded(selector).prom}[{within}]))"
    promql = f"100 * ({good_ones} / {everything} or 0 * {everything})"
    return Query(influxql, promql, legend, column, True, selector)


def _succeeded(selector: Selector) -> Selector:
    return Selector(selector.metric, {**selector.where, "result": "success"})


def _known(selector: Selector, within: str = DAY) -> str:
    """A subquery with one 0: InfluxQL's sum over nothing is no row."""
    return (
        f'(SELECT last({selector.column}) * 0 AS "n" FROM {selector.source} '
        f"WHERE {selector.influx_where(window(within))})"
    )


def _reporting(selector: Selector, by: Sequence[str], within: str, each: int = 1) -> str:
    """A subquery with the number ``each`` for each subject that has a sample in the window."""
    return (
        f'(SELECT last({selector.column}) * 0 + {each} AS "n" FROM {selector.source} '
        f"WHERE {selector.influx_where(window(within))}{influx_group(by)})"
    )


def _prom_seen(selector: Selector, by: Sequence[str], within: str) -> str:
    return f"max {prom_by(by)} (last_over_time({selector.prom}[{within}]))"


def _prom_newest(selector: Selector, by: Sequence[str], within: str) -> str:
    """The value of the newest sample of each subject. A subject is several series when a tag that is no
    part of it changes (``result``), and for minutes after such a change all of them still have a value.
    """
    if within != NOW:
        return _prom_seen(selector, by, within)
    tags = ", ".join(prom_name(tag) for tag in by)
    time = f"timestamp({selector.prom})"
    newest = f"{time} == on ({tags}) group_left () max {prom_by(by)} ({time})"
    return f"max {prom_by(by)} ({selector.prom} and ({newest}))"
