"""The nagios_checks input."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from agent.inputs.complaints import Complaints
from agent.inputs.nagios_checks.checks import Check, read_check
from agent.inputs.nagios_checks.icinga import NotIcinga, decode_checks, path
from agent.inputs.nagios_checks.objects import checks_in, parse_file
from agent.inputs.nagios_checks.settings import NagiosChecksSettings
from agent.inputs.thresholds.client import CannotRead, Client
from agent.inputs.thresholds.files import read_files
from agent.inputs.thresholds.found import to_points
from setpoint.reading import Point

log = logging.getLogger(__name__)


class NagiosChecksInput:
    """Reads checks from an Icinga 2 or from Nagios' files, and says what thresholds they hold."""

    def __init__(self, settings: NagiosChecksSettings) -> None:
        self._settings = settings
        self._client = Client(settings)
        self._complaints = Complaints(log)

    async def gather(self) -> Sequence[Point]:
        """The thresholds of all checks, and the source's own point. CannotRead when nothing could be read."""
        if self._settings.url is None:
            return await asyncio.to_thread(self._read_files)
        checks = await self._ask(self._settings.url, "services")
        failed = 0
        try:
            checks += await self._ask(self._settings.url, "hosts")
        except CannotRead as error:
            # A user may be allowed to see services only.
            failed = 1
            self._complaints.failed("hosts", error)
        else:
            self._complaints.works("hosts")
        return await asyncio.to_thread(self._points, checks, failed)

    async def close(self) -> None:
        self._client.close()

    async def _ask(self, url: str, kind: str) -> list[Check]:
        body = await self._client.get(url.rstrip("/") + path(kind))
        try:
            return await asyncio.to_thread(decode_checks, body)
        except NotIcinga as error:
            raise CannotRead(f"{url}: {error}") from None

    def _read_files(self) -> list[Point]:
        read = read_files(self._settings.files, self._settings.max_size, parse_file, self._complaints)
        return self._points(checks_in(read.rules), read.failed)

    def _points(self, checks: Sequence[Check], failed: int) -> list[Point]:
        return to_points(
            self._settings.source,
            [one for check in checks for one in read_check(check)],
            every_s=self._settings.interval.seconds,
            rules=len(checks),
            failed_parts=failed,
        )
