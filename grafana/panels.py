"""Panels of one look: title, unit, a text for "no data", thresholds, and where a click leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from grafana_foundation_sdk.models import bargauge, common, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import dashboard as models

from grafana.context import Context
from grafana.queries import Query, data_source
from grafana.thresholds import GREEN, ORANGE, RED, Step, plan_point, steps
from setpoint.codes import CODES

Kind = Literal["stat", "timeseries", "table", "bargauge", "state-timeline"]

MIN_INTERVAL = "30s"
"""The finest grouping: three gatherings of an input at its usual interval."""
POLLED = "2m"
"""The finest grouping of what is gathered once a minute: a rate needs two samples."""
REVIEWED = "1h"
"""The finest grouping of what reviews write."""
_MAX_POINTS = 1000
# An empty group between two samples is no hole when the input gathers less often than the grouping.
_SPAN_NULLS_MS = {MIN_INTERVAL: 300_000, POLLED: 600_000, REVIEWED: 7_200_000}

NONE_IS_GOOD = (Step(None, GREEN), Step(1, RED))
SOME_IS_ODD = (Step(None, GREEN), Step(1, ORANGE))
ONE_IS_GOOD = (Step(None, RED), Step(1, GREEN))
PERCENT_USED = (Step(None, GREEN), Step(80, ORANGE), Step(90, RED))
PLAIN = (Step(None, "blue"),)

States = Mapping[int, tuple[str, str]]
"""Number, what it means, its colour."""

_NO_DATA = "#5a6068"


def coded(metric: str, colours: Mapping[int, str]) -> States:
    """The states of a metric whose numbers are codes."""
    return {number: (CODES[metric][number].english, colour) for number, colour in colours.items()}


UP_DOWN: States = {0: ("down", RED), 1: ("up", GREEN)}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel, before it has a place. ``title`` and ``help`` are in English.

    ``states`` gives numbers a text and a colour. ``link`` is where a click on a value leads. ``units`` are
    those of a table's columns, by name; ``unit`` is that of all other values.
    """

    kind: Kind
    title: str
    queries: Sequence[Query]
    unit: str = "short"
    help: str = ""
    width: int = 12
    height: int = 8
    steps: Sequence[Step] = PLAIN
    states: States = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    link: tuple[str, str] | None = None
    low: float | None = None
    high: float | None = None
    none: str = "no data"
    interval: str = MIN_INTERVAL
    sort: str = ""
    """The column that a table is sorted by, largest first; with ``smallest_first`` the other way round."""
    smallest_first: bool = False

    def build(self, context: Context) -> models.Panel:
        """The panel as Grafana keeps it, without place and number."""
        drawn = self._plan_steps(context) if self.kind == "timeseries" else ()
        defaults = models.FieldConfig(
            # Of a table only the values of its queries are in the unit: a TCP port is no per cent.
            unit="none" if self.kind == "table" else self.unit,
            min_val=self.low,
            max_val=self.high,
            no_value=context.text(self.none),
            mappings=self._mappings(context) or None,
            thresholds=_thresholds(drawn or self.steps),
            color=models.FieldColor(mode=_color_mode(self.kind)),
            links=[_link(context, *self.link)] if self.link else None,
            custom=self._custom(bool(drawn)),
        )
        return models.Panel(
            type_val=self.kind,
            title=context.text(self.title),
            description=context.text(self.help) if self.help else None,
            datasource=data_source(context.flavour),
            targets=[q.target(context.flavour, chr(ord("A") + n)) for n, q in enumerate(self.queries)],
            interval=self.interval,
            max_data_points=_MAX_POINTS,
            options=self._options(context),
            transformations=self._transformations(context) if self.kind == "table" else None,
            field_config=models.FieldConfigSource(defaults=defaults, overrides=self._overrides(context)),
            grid_pos=models.GridPos(w=self.width, h=self.height),
        )

    def _plan_steps(self, context: Context) -> tuple[Step, ...]:
        if context.plan is None:
            return ()
        points = (plan_point(context.plan, query) for query in self.queries)
        return next((drawn for point in points if point and (drawn := steps(point.limits))), ())

    def _mappings(self, context: Context) -> list[models.ValueMapping]:
        found: list[models.ValueMapping] = []
        if self.states:
            states = {
                str(number): models.ValueMappingResult(text=context.text(text), color=color, index=index)
                for index, (number, (text, color)) in enumerate(self.states.items())
            }
            found.append(models.ValueMap(options=states))
        if self.kind == "stat":
            # Else a tile without data has the colour of 0: green where none is good, and nobody looks.
            nothing = models.ValueMappingResult(
                text=context.text(self.none), color=_NO_DATA, index=len(self.states)
            )
            match = models.SpecialValueMatch.NULL_AND_NAN
            options = models.DashboardSpecialValueMapOptions(match=match, result=nothing)
            found.append(models.SpecialValueMap(options=options))
        return found

    def _custom(self, lines: bool) -> object:
        if self.kind == "timeseries":
            style = common.GraphThresholdsStyleMode.LINE_AND_AREA if lines else None
            return common.GraphFieldConfig(
                line_width=1,
                fill_opacity=8,
                show_points=common.VisibilityMode.AUTO,
                span_nulls=_SPAN_NULLS_MS[self.interval],
                axis_soft_min=0,
                thresholds_style=common.GraphThresholdsStyleConfig(
                    mode=style or common.GraphThresholdsStyleMode.OFF
                ),
            )
        if self.kind == "state-timeline":
            return statetimeline.FieldConfig(line_width=0, fill_opacity=80)
        return None

    def _options(self, context: Context) -> object:
        reduce = common.ReduceDataOptions(values=False, calcs=["lastNotNull"], fields="")
        legend = common.VizLegendOptions(
            display_mode=common.LegendDisplayMode.LIST,
            placement=common.LegendPlacement.BOTTOM,
            show_legend=True,
            calcs=[],
        )
        tooltip = common.VizTooltipOptions(
            mode=common.TooltipDisplayMode.MULTI, sort=common.SortOrder.DESCENDING
        )
        match self.kind:
            case "stat":
                # The background tells the state to those who are too far away to read the number.
                return stat.Options(
                    graph_mode=common.BigValueGraphMode.NONE,
                    color_mode=common.BigValueColorMode.BACKGROUND,
                    justify_mode=common.BigValueJustifyMode.CENTER,
                    text_mode=common.BigValueTextMode.AUTO,
                    reduce_options=reduce,
                    orientation=common.VizOrientation.AUTO,
                )
            case "bargauge":
                return bargauge.Options(
                    display_mode=common.BarGaugeDisplayMode.GRADIENT,
                    value_mode=common.BarGaugeValueMode.COLOR,
                    reduce_options=reduce,
                    orientation=common.VizOrientation.HORIZONTAL,
                )
            case "state-timeline":
                return statetimeline.Options(
                    show_value=common.VisibilityMode.AUTO, merge_values=True, legend=legend, tooltip=tooltip
                )
            case "table":
                return table.Options(
                    show_header=True,
                    sort_by=[
                        common.TableSortByFieldState(
                            display_name=context.text(column), desc=not self.smallest_first
                        )
                        for column in ([self.sort] if self.sort else [])
                    ],
                    cell_height=common.TableCellHeight.SM,
                )
            case "timeseries":
                return timeseries.Options(legend=legend, tooltip=tooltip)

    def _transformations(self, context: Context) -> list[models.DataTransformerConfig]:
        """One row per subject, whatever number of queries its columns come from."""
        # Each newest value has a time of its own, by which rows would not fit together.
        without_time = models.DataTransformerConfig(
            id_val="filterFieldsByName", options={"exclude": {"names": ["Time", "time"]}}
        )
        merge = models.DataTransformerConfig(id_val="merge", options={})
        names = {query.column: context.text(query.column) for query in self.queries}
        if context.flavour == "prometheus":
            # With one query the column is called "Value", with several "Value #A", "Value #B".
            several = len(self.queries) > 1
            names = {
                f"Value #{chr(ord('A') + n)}" if several else "Value": context.text(query.column)
                for n, query in enumerate(self.queries)
            }
        rename = models.DataTransformerConfig(
            id_val="organize",
            options={"excludeByName": {}, "indexByName": {}, "renameByName": names},
        )
        return [without_time, merge, rename]

    def _overrides(self, context: Context) -> list[models.DashboardFieldConfigSourceOverrides]:
        if self.kind != "table":
            return []
        columns = [query.column for query in self.queries]
        # Else a tag that a series does not have says that there is no data.
        texts = _override("byType", "string", {"noValue": ""})
        return [
            texts,
            *(_override("byName", context.text(name), self._column(name)) for name in columns if name),
        ]

    def _column(self, name: str) -> Mapping[str, object]:
        """What sets the column of a query apart from those of the tags."""
        unit = {"unit": self.units.get(name, self.unit)}
        if self.steps == PLAIN:
            return unit
        return {
            **unit,
            "color": {"mode": "thresholds"},
            "custom.cellOptions": {"type": "color-background", "mode": "basic"},
            # What Grafana before 10 calls it.
            "custom.displayMode": "color-background-solid",
        }


def _override(
    matcher: str, option: str, properties: Mapping[str, object]
) -> models.DashboardFieldConfigSourceOverrides:
    return models.DashboardFieldConfigSourceOverrides(
        matcher=models.MatcherConfig(id_val=matcher, options=option),
        properties=[models.DynamicConfigValue(id_val=id_, value=value) for id_, value in properties.items()],
    )


def _color_mode(kind: Kind) -> models.FieldColorModeId:
    # By thresholds, a state-timeline names the ranges between them and not the states.
    if kind in ("timeseries", "table", "state-timeline"):
        return models.FieldColorModeId.PALETTE_CLASSIC
    return models.FieldColorModeId.THRESHOLDS


def _thresholds(of: Sequence[Step]) -> models.ThresholdsConfig:
    return models.ThresholdsConfig(
        mode=models.ThresholdsMode.ABSOLUTE,
        steps=[models.Threshold(value=step.value, color=step.color) for step in of],
    )


def _link(context: Context, title: str, url: str) -> models.DashboardLink:
    return models.DashboardLink(
        title=context.text(title), type_val=models.DashboardLinkType.LINK, url=url, include_vars=False
    )
