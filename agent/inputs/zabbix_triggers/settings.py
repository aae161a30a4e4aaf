"""What the zabbix_triggers input can be told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agent.inputs.thresholds.access import AccessSettings


class ZabbixTriggersSettings(AccessSettings, kw_only=True, tag="zabbix_triggers"):
    """``url``: a Zabbix frontend. ``files``: exported templates or hosts instead, with ``*`` and ``**``.
    ``token``: an API token. ``username``, ``password``: of a user, to log in with instead.
    """

    source: str = "zabbix"
    url: str | None = None
    files: list[str] = msgspec.field(default_factory=list)

    def problems(self) -> Sequence[tuple[str, str]]:
        found = self.access_problems(self.url)
        if not self.source.strip():
            found.append(("source", 'is empty; expected a name such as "zabbix"'))
        if (self.url is None) == (not self.files):
            found.append(("", "expected either url or files"))
        if self.url is not None and self.token is None and self.username is None:
            found.append(("token", "is missing: Zabbix answers nobody without one, or username and password"))
        for index, pattern in enumerate(self.files):
            if not pattern.strip():
                found.append((f"files[{index}]", 'is empty; expected one such as "/srv/templates/*.yaml"'))
        return found
