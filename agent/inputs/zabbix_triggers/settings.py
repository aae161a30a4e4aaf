"""What the zabbix_triggers input can be told."""

from __future__ import annotations

from collections.abc import Sequence

from agent.inputs.thresholds.access import AccessSettings


class ZabbixTriggersSettings(AccessSettings, kw_only=True, tag="zabbix_triggers"):
    """``url``: a Zabbix frontend. ``files``: exported templates or hosts instead, with ``*`` and ``**``.
    ``token``: an API token. ``username``, ``password``: of a user, to log in with instead.
    """

    source: str = "zabbix"

    def problems(self) -> Sequence[tuple[str, str]]:
        found = self.access_problems(name="zabbix", pattern="/srv/templates/*.yaml")
        if self.url is not None and self.token is None and self.username is None:
            found.append(("token", "is missing: Zabbix answers nobody without one, or username and password"))
        return found
