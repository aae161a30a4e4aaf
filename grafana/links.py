"""From a finding to the panel and the window that show it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from grafana.build import DASHBOARDS
from grafana.frame import Frame
from grafana.gaps import GAPS
from setpoint.finding import Finding


class Place(NamedTuple):
    """A panel of a dashboard; None where no panel is about one metric only."""

    frame: Frame
    panel: int | None


def place_of(metric: str) -> Place:
    """The graph that shows the metric; the dashboard of gaps for one that no graph shows."""
    for frame in DASHBOARDS.values():
        for number, panel in frame.numbered():
            shown = {query.selector.metric for query in panel.queries if query.selector}
            if metric in shown and panel.kind in ("timeseries", "state-timeline"):
                return Place(frame, number)
    return Place(GAPS, None)


def finding_path(finding: Finding) -> str:
    """What stands behind Grafana's address: ``/d/setpoint-host?var-host=mon-01&from=...``."""
    place = place_of(finding.metric)
    tags = {**finding.subject, "point": finding.point or ""}
    variables = [(f"var-{v.tag}", tags[v.tag]) for v in place.frame.variables if tags.get(v.tag)]
    window = [("from", finding.evidence.start_ms), ("to", finding.evidence.end_ms)]
    panel = [] if place.panel is None else [("viewPanel", place.panel)]
    return f"/d/{place.frame.uid}?{urlencode([*variables, *window, *panel])}"
