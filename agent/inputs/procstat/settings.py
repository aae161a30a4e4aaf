"""What the procstat input can be told."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.inputs.base import InputSettings

# Setting, and the tag that carries it: Telegraf's procstat writes the path of a pid file as "pidfile".
CRITERIA = {
    "pattern": "pattern",
    "exe": "exe",
    "pid_file": "pidfile",
    "systemd_unit": "systemd_unit",
    "user": "user",
}


class ProcstatSettings(InputSettings, kw_only=True, tag="procstat"):
    """Which processes: at least one of the following; of several, all have to hold.

    ``pattern``: a regular expression found in the command line. ``exe``: one found in the process' name.
    ``pid_file``: a file with the process' number. ``systemd_unit``: a unit's name, such as ``nginx.service``.
    ``user``: whom the process belongs to, by name or number.

    ``pid_tag``: reports each process by itself, with the tag ``pid``, instead of the sums by name.
    ``process_name``: takes the place of the processes' own names, so that all become one.
    """

    pattern: str | None = None
    exe: str | None = None
    pid_file: str | None = None
    systemd_unit: str | None = None
    user: str | None = None
    pid_tag: bool = False
    process_name: str | None = None

    def problems(self) -> Sequence[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if not self.criteria_tags():
            found.append(("", f"names no process; expected at least one of {', '.join(CRITERIA)}"))
        for name in (*CRITERIA, "process_name"):
            if getattr(self, name) == "":
                found.append((name, "is empty"))
        for name in ("pattern", "exe"):
            try:
                re.compile(getattr(self, name) or "")
            except re.error as error:
                found.append((name, f"is no regular expression: {error}"))
        if self.systemd_unit and not re.fullmatch(r"[A-Za-z0-9:_.\\@-]+\.[a-z]+", self.systemd_unit):
            found.append(
                ("systemd_unit", f'expected a unit such as "nginx.service", got "{self.systemd_unit}"')
            )
        return found

    def criteria_tags(self) -> dict[str, str]:
        """The tags that say how the processes were looked for."""
        return {tag: value for name, tag in CRITERIA.items() if (value := getattr(self, name)) is not None}
