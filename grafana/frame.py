"""A dashboard around its panels: variables that depend on one another, links, range, places on the grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from grafana_foundation_sdk.models import dashboard as models

from grafana.context import Context
from grafana.marks import Mark
from grafana.panels import Panel
from grafana.queries import data_source
from grafana.selectors import influx_name, prom_name

TAG = "setpoint"
_COLUMNS = 24


@dataclass(frozen=True, slots=True)
class Variable:
    """A tag to choose values of, as the metric's series have it, among those with the tags ``within``."""

    tag: str
    label: str
    metric: str
    within: tuple[str, ...] = ()
    one: bool = False
    """Exactly one value is chosen; else several or all."""
    optional: bool = False
    """Series may lack the tag: all means those too. Else all means the values that there are to choose, so
    that the choice of a variable that this one depends on counts."""

    def alone(self) -> Variable:
        """The same, of which exactly one value is chosen."""
        return replace(self, one=True)


SITE = Variable("site", "Site", "setpoint_agent.outbox_batches", optional=True)
HOST = Variable("host", "Host", "setpoint_agent.outbox_batches", ("site",))


@dataclass(frozen=True, slots=True)
class Text:
    """A text to type in."""

    name: str
    label: str
    default: str


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A whole dashboard. ``uid`` is part of addresses and never changes."""

    uid: str
    title: str
    help: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()
    texts: Sequence[Text] = ()
    marks: Sequence[Mark] = ()
    range: str = "now-6h"
    refresh: str = "1m"

    def numbered(self) -> Iterator[tuple[int, Panel]]:
        """The panels with the numbers that they have in the dashboard, where headings have one too."""
        number = 0
        for row in self.rows:
            number += 1
            for panel in row.panels:
                number += 1
                yield number, panel

    def build(self, context: Context) -> models.Dashboard:
        """The dashboard as Grafana keeps it."""
        return models.Dashboard(
            uid=self.uid,
            title=f"Setpoint: {context.text(self.title)}",
            description=context.text(self.help),
            tags=[TAG],
            # What was changed in the browser would be gone with the next provisioning.
            editable=False,
            graph_tooltip=models.DashboardCursorSync.CROSSHAIR,
            time=models.DashboardDashboardTime(from_val=self.range, to="now"),
            refresh=self.refresh,
            panels=_placed(self.rows, context),
            templating=models.DashboardDashboardTemplating(
                list_val=[
                    _data_source_variable(context),
                    *(_variable(one, context) for one in self.variables),
                    *(_text_variable(one, context) for one in self.texts),
                ]
            ),
            annotations=models.AnnotationContainer(list_val=[mark.build(context) for mark in self.marks]),
            links=[_others(context)],
        )


def _placed(rows: Sequence[Row], context: Context) -> list[models.Panel | models.RowPanel]:
    """Panels from left to right and from top to bottom, numbered in that order."""
    placed: list[models.Panel | models.RowPanel] = []
    y = 0
    for row in rows:
        place = models.GridPos(x=0, y=y, w=_COLUMNS, h=1)
        placed.append(
            models.RowPanel(title=context.text(row.title), grid_pos=place, id_val=len(placed) + 1, panels=[])
        )
        y += 1
        x = tallest = 0
        for panel in row.panels:
            if x + panel.width > _COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            built = panel.build(context)
            built.id_val = len(placed) + 1
            built.grid_pos = models.GridPos(x=x, y=y, w=panel.width, h=panel.height)
            placed.append(built)
            x += panel.width
            tallest = max(tallest, panel.height)
        y += tallest
    return placed


def _others(context: Context) -> models.DashboardLink:
    """Links to the other dashboards, which take chosen values and the range along."""
    return models.DashboardLink(
        title=context.text("Setpoint dashboards"),
        type_val=models.DashboardLinkType.DASHBOARDS,
        tags=[TAG],
        include_vars=True,
        keep_time=True,
    )


def _data_source_variable(context: Context) -> models.VariableModel:
    return models.VariableModel(
        type_val=models.VariableType.DATASOURCE,
        name="datasource",
        label=context.text("Data source"),
        query=data_source(context.flavour).type_val,
        regex="",
    )


def _text_variable(text: Text, context: Context) -> models.VariableModel:
    return models.VariableModel(
        type_val=models.VariableType.TEXTBOX,
        name=text.name,
        label=context.text(text.label),
        query=text.default,
        current=models.VariableOption(text=text.default, value=text.default),
    )


def _variable(variable: Variable, context: Context) -> models.VariableModel:
    query = _influx_values(variable) if context.flavour == "influxdb" else _prom_values(variable)
    everything = models.VariableOption(selected=True, text="All", value="$__all")
    return models.VariableModel(
        type_val=models.VariableType.QUERY,
        name=variable.tag,
        label=context.text(variable.label),
        datasource=data_source(context.flavour),
        query=query,
        refresh=models.VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=models.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC,
        multi=not variable.one,
        include_all=not variable.one,
        all_value=".*" if variable.optional else None,
        current=None if variable.one else everything,
    )


def _influx_values(variable: Variable) -> str:
    measurement = influx_name(variable.metric.partition(".")[0])
    query = f"SHOW TAG VALUES FROM {measurement} WITH KEY = {influx_name(variable.tag)}"
    if variable.within:
        query += " WHERE " + " AND ".join(f"{influx_name(tag)} =~ /^${tag}$/" for tag in variable.within)
    return query


def _prom_values(variable: Variable) -> str:
    within = ", ".join(f'{prom_name(tag)}=~"${tag}"' for tag in variable.within)
    return f"label_values({prom_name(variable.metric.replace('.', '_'))}{{{within}}}, {variable.tag})"
