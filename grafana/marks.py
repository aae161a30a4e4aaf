"""Marks on all graphs of a dashboard: what happened when, from what the reviews write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.models.dashboard import AnnotationQuery

from grafana.context import Context
from grafana.queries import data_source


@dataclass(frozen=True, slots=True)
class Mark:
    """``influxql`` gives a row a mark, which begins at its time, with the columns ``text``, ``end`` (in ms)
    and those of ``tags``; ``promql`` is above 0 at each full hour that the mark touches. Grafana shades what
    lies between.
    """

    title: str
    colour: str
    influxql: str
    promql: str
    text: str
    end: str
    tags: tuple[str, ...]

    def build(self, context: Context) -> AnnotationQuery:
        """The mark as Grafana keeps it."""
        said = _influx(self) if context.flavour == "influxdb" else _prom(self)
        return _Annotation(
            said,
            name=context.text(self.title),
            datasource=data_source(context.flavour),
            icon_color=self.colour,
            hide=False,
            built_in=None,
        )


class _Annotation(AnnotationQuery):
    """With the keys of the data source, which the SDK's class does not have."""

    def __init__(self, said: Mapping[str, Any], **known: Any) -> None:
        super().__init__(**known)
        self._said = said

    def to_json(self) -> dict[str, object]:
        return {**super().to_json(), **self._said}


def _influx(mark: Mark) -> Mapping[str, Any]:
    target = {
        "refId": "Anno",
        "fromAnnotations": True,
        "query": mark.influxql,
        "rawQuery": True,
        "textColumn": mark.text,
        "timeEndColumn": mark.end,
        "tagsColumn": ",".join(mark.tags),
    }
    return {"target": target}


def _prom(mark: Mark) -> Mapping[str, Any]:
    # Grafana before 10 reads these, and later ones turn them into a target.
    keys = ",".join(mark.tags)
    title = " ".join(f"{{{{{name}}}}}" for name in (mark.text, *mark.tags) if name)
    return {"expr": mark.promql, "step": "1h", "tagKeys": keys, "titleFormat": title}


# The subject is one tag: "host=mon-01 cpu=cpu-total".
EPISODES = Mark(
    title="Hours with episodes",
    colour="red",
    # The review writes at the end of the hour. Groups that begin 1 ms after the full hour take that line in,
    # and have the time of the hour's beginning.
    influxql=(
        'SELECT "episodes", "end_ms", "point", "subject" FROM ('
        'SELECT max("episodes") AS "episodes", max("end_ms") AS "end_ms" FROM "setpoint_gap" '
        'WHERE "subject" =~ /^(.* )?host=$host( .*)?$/ AND $timeFilter '
        'GROUP BY time(1h, 1ms), "point", "subject" fill(none)) WHERE "episodes" > 0'
    ),
    # Above 0 at the hour's beginning and at its end, as the step is.
    promql='max_over_time(setpoint_gap_episodes{subject=~"(.* )?host=$host( .*)?"}[61m] offset -1h) > 0',
    text="subject",
    end="end_ms",
    tags=("point",),
)
