"""What the prometheus_rules input can be told."""

from __future__ import annotations

from collections.abc import Sequence

from agent.inputs.thresholds.access import AccessSettings


class PrometheusRulesSettings(AccessSettings, kw_only=True, tag="prometheus_rules"):
    """``url``: a Prometheus, or what has its ``/api/v1/rules``. ``files``: rule files instead, with ``*`` and
    ``**``. ``severity_label``: the label of a rule that says how bad it is.
    """

    source: str = "prometheus"
    severity_label: str = "severity"

    def problems(self) -> Sequence[tuple[str, str]]:
        return self.access_problems(name="prometheus", pattern="/etc/prometheus/*.yml")
