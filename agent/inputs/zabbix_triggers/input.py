"""The zabbix_triggers input."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from agent.inputs.complaints import Complaints
from agent.inputs.thresholds.client import CannotRead, Client
from agent.inputs.thresholds.files import read_files
from agent.inputs.thresholds.found import to_points
from agent.inputs.zabbix_triggers.api import ZabbixApi
from agent.inputs.zabbix_triggers.export import parse_file
from agent.inputs.zabbix_triggers.settings import ZabbixTriggersSettings
from agent.inputs.zabbix_triggers.triggers import Trigger, read_trigger
from setpoint.reading import Point

log = logging.getLogger(__name__)


class ZabbixTriggersInput:
    """Reads triggers from a Zabbix or from its exports, and says what thresholds they hold."""

    def __init__(self, settings: ZabbixTriggersSettings) -> None:
        self._settings = settings
        # Zabbix wants the credentials in another place in each version, and in no request for its version.
        self._client = Client(msgspec.structs.replace(settings, token=None, username=None, password=None))
        self._complaints = Complaints(log)

    async def gather(self) -> Sequence[Point]:
        """The thresholds of all triggers, and the source's own point. CannotRead when nothing was read."""
        if self._settings.url is None:
            return await asyncio.to_thread(self._read_files)
        return await asyncio.to_thread(self._points, await self._ask(), 0)

    async def close(self) -> None:
        self._client.close()

    async def _ask(self) -> list[Trigger]:
        api = ZabbixApi(self._client, self._settings)
        await api.open()
        try:
            return await api.triggers()
        finally:
            await self._end(api)

    async def _end(self, api: ZabbixApi) -> None:
        try:
            await api.close()
        except CannotRead as error:
            self._complaints.failed("user.logout", error)
        else:
            self._complaints.works("user.logout")

    def _read_files(self) -> list[Point]:
        read = read_files(self._settings.files, self._settings.max_size, parse_file, self._complaints)
        return self._points(read.rules, read.failed)

    def _points(self, triggers: Sequence[Trigger], failed: int) -> list[Point]:
        return to_points(
            self._settings.source,
            [one for trigger in triggers for one in read_trigger(trigger)],
            every_s=self._settings.interval.seconds,
            rules=len(triggers),
            failed_parts=failed,
        )
