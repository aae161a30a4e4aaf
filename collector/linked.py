"""Findings with the link that leads to their panel."""

from __future__ import annotations

import msgspec

from grafana.links import finding_path
from setpoint.finding import Finding


def linked(finding: Finding, grafana_url: str) -> Finding:
    """The finding with ``evidence.link``; the same one where no Grafana has been named.

    The register keeps no links: Grafana may move, and what is closed is to be found there, too.
    """
    if not grafana_url:
        return finding
    link = grafana_url.rstrip("/") + finding_path(finding)
    return msgspec.structs.replace(finding, evidence=msgspec.structs.replace(finding.evidence, link=link))
