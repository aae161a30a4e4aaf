"""What the nagios_checks input can be told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agent.inputs.thresholds.access import AccessSettings


class NagiosChecksSettings(AccessSettings, kw_only=True, tag="nagios_checks"):
    """``url``: the API of an Icinga 2. ``files``: Nagios' object files and its status file instead, with
    ``*`` and ``**``.
    """

    source: str = "nagios"
    url: str | None = None
    files: list[str] = msgspec.field(default_factory=list)

    def problems(self) -> Sequence[tuple[str, str]]:
        found = self.access_problems(self.url)
        if not self.source.strip():
            found.append(("source", 'is empty; expected a name such as "nagios"'))
        if (self.url is None) == (not self.files):
            found.append(("", "expected either url or files"))
        for index, pattern in enumerate(self.files):
            if not pattern.strip():
                found.append((f"files[{index}]", 'is empty; expected one such as "/etc/nagios4/**/*.cfg"'))
        return found
