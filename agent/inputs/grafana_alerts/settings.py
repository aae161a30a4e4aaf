"""What the grafana_alerts input can be told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agent.inputs.thresholds.access import AccessSettings


class GrafanaAlertsSettings(AccessSettings, kw_only=True, tag="grafana_alerts"):
    """``url``: a Grafana. ``files``: its provisioning files instead, with ``*`` and ``**``. ``organization``:
    the number of the organization, where it is not the token's. ``severity_label``: the label of a rule that
    says how bad it is.
    """

    source: str = "grafana"
    url: str | None = None
    files: list[str] = msgspec.field(default_factory=list)
    organization: int | None = None
    severity_label: str = "severity"

    def problems(self) -> Sequence[tuple[str, str]]:
        found = self.access_problems(self.url)
        if not self.source.strip():
            found.append(("source", 'is empty; expected a name such as "grafana"'))
        if (self.url is None) == (not self.files):
            found.append(("", "expected either url or files"))
        for index, pattern in enumerate(self.files):
            if not pattern.strip():
                found.append((f"files[{index}]", 'is empty; expected one such as "/etc/grafana/*.yaml"'))
        return found
