"""The page's comparison of configurations counts what is in the folder beside it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from agent.inputs.snmp.settings import SnmpSettings
from agent.settings import load_settings
from tests.servers import ROOT

FOLDER = ROOT / "docs" / "inputs" / "snmp-compared"
ADDRESSES = {f"192.0.2.{number}" for number in range(1, 11)}


def lines(name: str) -> int:
    """Lines that are neither empty nor a comment; what an agent needs without any input is not counted."""
    listed = [line.strip() for line in (FOLDER / name).read_text().splitlines()]
    return sum(bool(line) and not line.startswith(("#", "broker:")) for line in listed)


def objects(name: str) -> int:
    """Different objects of MIBs that the file names."""
    text = (FOLDER / name).read_text()
    if name == "telegraf.conf":
        return len(set(re.findall(r'oid = "(.+?)(?:\.0)?"', text)))
    modules = yaml.safe_load(text)["modules"].values()
    walked = {one for module in modules for one in module["walk"]}
    return len(walked | {one["lookup"] for module in modules for one in module.get("lookups", [])})


def cells(title: str) -> list[str]:
    page = (ROOT / "docs" / "inputs" / "snmp.md").read_text()
    [row] = [line for line in page.splitlines() if line.startswith(f"| {title} |")]
    return [cell.strip() for cell in row.split("|")[2:-1]]


def test_the_page_counts_the_lines_that_are_there() -> None:
    counted = [lines("agent.yaml"), lines("telegraf.conf"), lines("generator.yml") + lines("prometheus.yml")]
    assert cells("lines") == [str(number) for number in counted]


def test_the_page_counts_the_objects_that_are_named() -> None:
    assert cells("objects to find and name") == [
        "0",
        str(objects("telegraf.conf")),
        str(objects("generator.yml")),
    ]


def test_ours_is_valid() -> None:
    [settings] = load_settings(FOLDER / "agent.yaml").value.inputs
    assert isinstance(settings, SnmpSettings)
    assert {device.address for device in settings.devices} == ADDRESSES


@pytest.mark.parametrize("name", ["telegraf.conf", "prometheus.yml"])
def test_the_others_ask_the_same_devices(name: str) -> None:
    path: Path = FOLDER / name
    if name == "telegraf.conf":
        inputs = tomllib.loads(path.read_text())["inputs"]["snmp"]
        listed = [address for one in inputs[1:] for address in one["agents"]]
        assert set(inputs[0]["agents"]) == ADDRESSES
    else:
        [job] = yaml.safe_load(path.read_text())["scrape_configs"]
        listed = [address for one in job["static_configs"] for address in one["targets"]]
    assert sorted(listed) == sorted(ADDRESSES)
