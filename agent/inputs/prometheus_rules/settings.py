"""What the prometheus_rules input can be told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agent.inputs.thresholds.access import AccessSettings


class PrometheusRulesSettings(AccessSettings, kw_only=True, tag="prometheus_rules"):
    """``url``: a Prometheus, or what has its ``/api/v1/rules``. ``files``: rule files instead, with ``*`` and
    ``**``. ``severity_label``: the label of a rule that says how bad it is.
    """

    source: str = "prometheus"
    url: str | None = None
    files: list[str] = msgspec.field(default_factory=list)
    severity_label: str = "severity"

    def problems(self) -> Sequence[tuple[str, str]]:
        found = self.access_problems(self.url)
        if not self.source.strip():
            found.append(("source", 'is empty; expected a name such as "prometheus"'))
        if (self.url is None) == (not self.files):
            found.append(("", "expected either url or files"))
        for index, pattern in enumerate(self.files):
            if not pattern.strip():
                found.append((f"files[{index}]", 'is empty; expected one such as "/etc/prometheus/*.yml"'))
        return found
