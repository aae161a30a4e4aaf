"""Where a monitoring tool is read: the settings that such inputs share."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from agent.inputs.base import InputSettings
from agent.inputs.http_response.settings import sent_problems, url_problem
from setpoint.units import Duration, Secret, Size


class AccessSettings(InputSettings, kw_only=True):
    """``source``: what the thresholds' origin is called in readings and findings; of two tools of one kind,
    give each its own name. ``url``: the tool's address. ``files``: its files instead, with ``*`` and ``**``.
    ``timeout``: for one answer, from the lookup of the name to the last byte. ``token``: sent as
    ``Authorization: Bearer``. ``username``, ``password``: for basic authentication. ``max_size``: a longer
    answer is refused. ``ca_file``: the authorities to trust instead of the system's.
    ``insecure_skip_verify``: trusts anybody.
    """

    source: str
    url: str | None = None
    files: list[str] = msgspec.field(default_factory=list)
    interval: Duration = Duration(300_000)
    timeout: Duration = Duration(30_000)
    headers: dict[str, Secret] = msgspec.field(default_factory=dict)
    token: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    max_size: Size = Size(32 * 1024 * 1024)
    ca_file: str | None = None
    insecure_skip_verify: bool = False

    def access_problems(self, *, name: str, pattern: str) -> list[tuple[str, str]]:
        """What is wrong with these. ``name`` and ``pattern``: examples of a source and of a file."""
        found: list[tuple[str, str]] = []
        if self.url is not None and (why := url_problem(self.url)):
            found.append(("url", why))
        limit = self.deadline or self.interval
        if not 0 < self.timeout < limit:
            found.append(
                (
                    "timeout",
                    f"expected more than 0s and less than the deadline of a gathering ({limit}), "
                    f"got {self.timeout}",
                )
            )
        found += sent_problems(self.headers, self.username, self.password)
        if self.token is not None and self.username is not None:
            found.append(("token", "expected either a token, or username and password"))
        if self.token is not None and re.search(r"[\x00-\x20\x7f]", self.token.reveal()):
            found.append(("token", "holds a space or a control character"))
        if self.max_size <= 0:
            found.append(("max_size", "expected more than 0B"))
        if self.ca_file is not None and not Path(self.ca_file).is_file():
            found.append(("ca_file", f'there is no file "{self.ca_file}"'))
        if not self.source.strip():
            found.append(("source", f'is empty; expected a name such as "{name}"'))
        if (self.url is None) == (not self.files):
            found.append(("", "expected either url or files"))
        for index, one in enumerate(self.files):
            if not one.strip():
                found.append((f"files[{index}]", f'is empty; expected one such as "{pattern}"'))
        return found
