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
    """``influxql`` gives a row a mark, with the columns ``text`` and those of ``tags``; ``promql`` is
    above 0 at each full hour that the mark touches: Grafana shades what lies between them.
    """

    title: str
    colour: str
    influxql: str
    promql: str
    text: str
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
    influxql=(
        'SELECT "episodes", "point", "subject" FROM "setpoint_gap" '
        'WHERE "episodes" > 0 AND "subject" =~ /^(.* )?host=$host( .*)?$/ AND $timeFilter'
    ),
    # The review writes at the end of the hour; above 0 at its beginning and at its end, as the step is.
    promql='max_over_time(setpoint_gap_episodes{subject=~"(.* )?host=$host( .*)?"}[61m] offset -1h) > 0',
    text="subject",
    tags=("point",),
)
