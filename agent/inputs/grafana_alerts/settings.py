"""What the grafana_alerts input can be told."""

from __future__ import annotations

from collections.abc import Sequence

from agent.inputs.thresholds.access import AccessSettings


class GrafanaAlertsSettings(AccessSettings, kw_only=True, tag="grafana_alerts"):
    """``url``: a Grafana. ``files``: its provisioning files instead, with ``*`` and ``**``. ``organization``:
    the number of the organization, where it is not the token's. ``severity_label``: the label of a rule that
    says how bad it is.
    """

    source: str = "grafana"
    organization: int | None = None
    severity_label: str = "severity"

    def problems(self) -> Sequence[tuple[str, str]]:
        return self.access_problems(name="grafana", pattern="/etc/grafana/*.yaml")
