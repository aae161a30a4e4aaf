"""Findings with a link into Grafana, where ``collector.yaml`` names one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from collector.exports.comma_separated import findings_csv
from collector.exports.detail import finding_detail
from collector.exports.json_text import findings_json
from collector.linked import linked
from collector.settings import load_settings
from collector.web.page import Look, Pages
from setpoint.config import ConfigError
from setpoint.finding import Evidence, Finding
from tests.fake_view import FakeView

FINDING = Finding(
    id="3fa1c09b22de",
    kind="threshold-breached",
    severity="critical",
    reasons=[],
    title="CPU busy",
    text={"en": "**CPU busy.**"},
    point="host-cpu",
    metric="cpu.usage_active",
    subject={"host": "mon-01", "cpu": "cpu-total"},
    evidence=Evidence(start_ms=1_000, end_ms=2_000),
    plan_revision=1,
    plan_hash="",
)
LINK = "https://grafana.example/ops/d/setpoint-host?var-host=mon-01&from=1000&to=2000&viewPanel=9"


def test_without_a_grafana_there_is_no_link() -> None:
    assert linked(FINDING, "") == FINDING
    assert b'"link"' not in findings_json([FINDING])


@pytest.mark.parametrize("url", ["https://grafana.example/ops", "https://grafana.example/ops/"])
def test_the_link_leads_to_the_panel_and_the_window(url: str) -> None:
    assert linked(FINDING, url).evidence.link == LINK
    assert FINDING.evidence.link == "", "the register's own finding stays as it is"


def test_every_export_has_the_link() -> None:
    finding = linked(FINDING, "https://grafana.example/ops")
    assert LINK.encode() in findings_csv([finding])
    assert f'"link": "{LINK}"'.encode() in findings_json([finding])
    assert f"link        {LINK}\n" in finding_detail(finding)


async def _page(finding: Finding) -> str:
    class OneFinding(FakeView):
        async def finding(self, finding_id: str) -> Finding | None:
            return finding if finding_id == finding.id else None

    page = await Pages(OneFinding()).finding(Look(), finding.id)
    assert page is not None
    return page


def test_the_page_has_the_link() -> None:
    escaped = LINK.replace("&", "&amp;")
    assert f'<a href="{escaped}"' in asyncio.run(_page(linked(FINDING, "https://grafana.example/ops")))
    assert "Grafana" not in asyncio.run(_page(FINDING))


def _settings(folder: Path, url: str) -> str:
    path = folder / "collector.yaml"
    path.write_text(f"grafana:\n  url: {url}\n")
    return load_settings(path).value.grafana.url


def test_the_address_of_grafana_is_checked(tmp_path: Path) -> None:
    assert _settings(tmp_path, "http://grafana:3000") == "http://grafana:3000"
    for url in ("grafana:3000", "javascript:alert(1)", "http://", "http://a/?b=c"):
        with pytest.raises(ConfigError, match=r"collector.yaml:2: grafana.url: expected an address"):
            _settings(tmp_path, url)
