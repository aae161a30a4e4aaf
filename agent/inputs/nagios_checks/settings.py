"""What the nagios_checks input can be told."""

from __future__ import annotations

from collections.abc import Sequence

from agent.inputs.thresholds.access import AccessSettings


class NagiosChecksSettings(AccessSettings, kw_only=True, tag="nagios_checks"):
    """``url``: the API of an Icinga 2. ``files``: Nagios' object files and its status file instead, with
    ``*`` and ``**``.
    """

    source: str = "nagios"

    def problems(self) -> Sequence[tuple[str, str]]:
        return self.access_problems(name="nagios", pattern="/etc/nagios4/**/*.cfg")
