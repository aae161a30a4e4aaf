"""The prometheus_rules input."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from agent.inputs.complaints import Complaints
from agent.inputs.prometheus_rules.rules import AlertRule, NotRules, decode_answer, parse_file, read_rule
from agent.inputs.prometheus_rules.settings import PrometheusRulesSettings
from agent.inputs.thresholds.client import CannotRead, Client
from agent.inputs.thresholds.files import read_files
from agent.inputs.thresholds.found import to_points
from setpoint.reading import Point

log = logging.getLogger(__name__)

# With the alerts that are raised just now an answer could be any size. Who does not know this ignores it.
_PATH = "/api/v1/rules?type=alert&exclude_alerts=true"


class PrometheusRulesInput:
    """Reads rules from a server or from files, and says what thresholds they hold."""

    def __init__(self, settings: PrometheusRulesSettings) -> None:
        self._settings = settings
        self._client = Client(settings)
        self._complaints = Complaints(log)

    async def gather(self) -> Sequence[Point]:
        """The thresholds of all rules, and the source's own point. CannotRead when nothing could be read."""
        if self._settings.url is not None:
            rules, failed = await self._ask(self._settings.url), 0
            return await asyncio.to_thread(self._points, rules, failed)
        return await asyncio.to_thread(self._read_files)

    async def close(self) -> None:
        self._client.close()

    async def _ask(self, url: str) -> list[AlertRule]:
        body = await self._client.get(url.rstrip("/") + _PATH)
        try:
            return await asyncio.to_thread(decode_answer, body)
        except NotRules as error:
            raise CannotRead(f"{url}: {error}") from None

    def _read_files(self) -> list[Point]:
        read = read_files(self._settings.files, self._settings.max_size, parse_file, self._complaints)
        return self._points(read.rules, read.failed)

    def _points(self, rules: Sequence[AlertRule], failed: int) -> list[Point]:
        settings = self._settings
        found = [one for rule in rules for one in read_rule(rule, settings.severity_label)]
        return to_points(
            settings.source,
            found,
            every_s=settings.interval.seconds,
            rules=len(rules),
            failed_parts=failed,
        )
