"""The table of dashboards, and the JSON files that are made of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.context import Context
from grafana.device import DEVICE
from grafana.frame import Frame
from grafana.gaps import GAPS
from grafana.host import HOST_DASHBOARD
from grafana.noc import NOC
from grafana.own import OWN
from grafana.queries import FLAVOURS, Flavour
from grafana.texts import Language
from grafana.tools import TOOLS
from setpoint.plan import Plan

FOLDER = Path(__file__).parent / "dashboards"

DASHBOARDS: Mapping[str, Frame] = {
    "noc": NOC,
    "host": HOST_DASHBOARD,
    "device": DEVICE,
    "tools": TOOLS,
    "gaps": GAPS,
    "setpoint": OWN,
}
"""File name without ``.json``, dashboard."""


def dashboard_json(frame: Frame, context: Context) -> dict[str, Any]:
    """The dashboard as Grafana's API takes it."""
    data = json.loads(json.dumps(frame.build(context), cls=JSONEncoder))
    assert isinstance(data, dict)
    return data


def render(frame: Frame, context: Context) -> str:
    """The dashboard as a file, the same text for the same dashboard."""
    return json.dumps(dashboard_json(frame, context), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def dashboards(context: Context) -> list[dict[str, Any]]:
    """All of them, as Grafana's API takes them."""
    return [dashboard_json(frame, context) for frame in DASHBOARDS.values()]


def files(
    flavours: tuple[Flavour, ...] = FLAVOURS, language: Language = "en", plan: Plan | None = None
) -> Iterator[tuple[Path, str]]:
    """Path below the folder of dashboards, and text of each file."""
    for flavour in flavours:
        context = Context(flavour, language, plan)
        for name, frame in DASHBOARDS.items():
            yield Path(flavour) / f"{name}.json", render(frame, context)


def places() -> str:
    """``places.json``: for each metric the first graph that shows it, for each dashboard its variables."""
    metrics: dict[str, tuple[str, int]] = {}
    for frame in DASHBOARDS.values():
        for number, panel in frame.numbered():
            if panel.kind in ("timeseries", "state-timeline"):
                for query in panel.queries:
                    if query.selector:
                        metrics.setdefault(query.selector.metric, (frame.uid, number))
    variables = {frame.uid: [one.tag for one in frame.variables] for frame in DASHBOARDS.values()}
    entries = ",\n".join(f"    {json.dumps(name)}: {json.dumps(metrics[name])}" for name in sorted(metrics))
    return f'{{\n  "variables": {json.dumps(variables)},\n  "metrics": {{\n{entries}\n  }}\n}}\n'


def write(folder: Path, made: Iterator[tuple[Path, str]]) -> list[Path]:
    """Writes the files; returns where they are."""
    written = []
    for path, text in made:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written
