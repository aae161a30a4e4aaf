"""The dashboards: what is committed, and what every panel has to have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from grafana.build import DASHBOARDS, FOLDER, dashboard_json, files
from grafana.context import Context
from grafana.queries import FLAVOURS, Flavour

CASES = [(flavour, name) for flavour in FLAVOURS for name in DASHBOARDS]
_DAYS = {"s": 1 / 86_400, "m": 1 / 1_440, "h": 1 / 24, "d": 1.0, "w": 7.0}


def _panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def _data_sources(node: Any) -> Iterator[str]:
    """Every UID of a data source, wherever in the dashboard."""
    if isinstance(node, dict):
        if isinstance(node.get("datasource"), dict):
            yield node["datasource"]["uid"]
        for value in node.values():
            yield from _data_sources(value)
    elif isinstance(node, list):
        for value in node:
            yield from _data_sources(value)


def test_the_committed_dashboards_are_those_of_the_code() -> None:
    made = {path.as_posix(): text for path, text in files()}
    committed = {
        path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8")
        for path in FOLDER.glob("*/*.json")
    }
    assert committed.keys() == made.keys(), "make them anew with: setpoint dashboards build"
    stale = [name for name, text in made.items() if committed[name] != text]
    assert not stale, f"stale: {stale}; make them anew with: setpoint dashboards build"


@pytest.mark.parametrize(("flavour", "name"), CASES)
def test_no_data_source_is_hard_coded(flavour: Flavour, name: str) -> None:
    found = set(_data_sources(dashboard_json(DASHBOARDS[name], Context(flavour))))
    assert found == {"${datasource}"}


@pytest.mark.parametrize(("flavour", "name"), CASES)
def test_every_panel_has_a_unit_and_a_text_for_no_data(flavour: Flavour, name: str) -> None:
    for panel in _panels(dashboard_json(DASHBOARDS[name], Context(flavour))):
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults.get("unit"), panel["title"]
        assert defaults.get("noValue"), panel["title"]


@pytest.mark.parametrize(("flavour", "name"), CASES)
def test_no_query_reads_more_than_30_days_of_samples_one_by_one(flavour: Flavour, name: str) -> None:
    for panel in _panels(dashboard_json(DASHBOARDS[name], Context(flavour))):
        assert panel["interval"], panel["title"]
        assert panel["maxDataPoints"] <= 1000, panel["title"]
        for target in panel["targets"]:
            text = target["query"] if flavour == "influxdb" else target["expr"]
            windows = re.findall(r"\[([^\]]+)\]|\}ms - (\w+) AND", text)
            for length in {a or b for a, b in windows} - {"$__interval", "$__rate_interval"}:
                number, unit = re.fullmatch(r"(\d+)(\w)", length).groups()  # type: ignore[union-attr]
                assert int(number) * _DAYS[unit] <= 30, f"{panel['title']}: {length}"
            if flavour == "influxdb" and "$timeFilter" in text:
                assert "GROUP BY time($__interval)" in text, panel["title"]
            elif flavour == "influxdb":
                # Each SELECT that reads a measurement has a window of its own.
                assert len(re.findall(r'FROM "', text)) == text.count("time > ${__to}ms - "), panel["title"]


@pytest.mark.parametrize(("flavour", "name"), CASES)
def test_panels_do_not_overlap_and_have_numbers_of_their_own(flavour: Flavour, name: str) -> None:
    dashboard = dashboard_json(DASHBOARDS[name], Context(flavour))
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


def test_addresses_of_dashboards_differ() -> None:
    uids = [frame.uid for frame in DASHBOARDS.values()]
    assert len(uids) == len(set(uids))
