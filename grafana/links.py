"""From a finding to the panel and the window that show it.

Whoever makes links needs no Grafana library: which panel is about which metric is in ``places.json``, which
``setpoint dashboards build`` makes from the dashboards.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from setpoint.finding import Finding

PLACES = Path(__file__).parent / "places.json"
# Shows what reviews write of every point of the plan.
_ELSE = "setpoint-gaps"


class Place(NamedTuple):
    """A panel of a dashboard; None where no panel is about one metric only. ``variables``: the tags that
    the dashboard lets its reader choose values of.
    """

    uid: str
    panel: int | None
    variables: Sequence[str]


@functools.cache
def _places() -> Mapping[str, Place]:
    data = json.loads(PLACES.read_text(encoding="utf-8"))
    variables = data["variables"]
    found = {metric: Place(uid, panel, variables[uid]) for metric, (uid, panel) in data["metrics"].items()}
    return {**found, "": Place(_ELSE, None, variables[_ELSE])}


def place_of(metric: str) -> Place:
    """The graph that shows the metric; the dashboard of gaps for one that no graph shows."""
    places = _places()
    return places.get(metric, places[""])


def finding_path(finding: Finding) -> str:
    """What stands behind Grafana's address: ``/d/setpoint-host?var-host=mon-01&from=...``."""
    place = place_of(finding.metric)
    tags = {**finding.subject, "point": finding.point or ""}
    variables = [(f"var-{tag}", tags[tag]) for tag in place.variables if tags.get(tag)]
    window = [("from", finding.evidence.start_ms), ("to", finding.evidence.end_ms)]
    panel = [] if place.panel is None else [("viewPanel", place.panel)]
    return f"/d/{place.uid}?{urlencode([*variables, *window, *panel])}"
