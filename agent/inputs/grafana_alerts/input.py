"""The grafana_alerts input."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from agent.inputs.complaints import Complaints
from agent.inputs.grafana_alerts.api import fetch_rules
from agent.inputs.grafana_alerts.rules import GrafanaRule, NotRules, decode_rules, parse_file, read_rule
from agent.inputs.grafana_alerts.settings import GrafanaAlertsSettings
from agent.inputs.lane import Lane
from agent.inputs.thresholds.client import CannotRead
from agent.inputs.thresholds.files import read_files
from agent.inputs.thresholds.found import to_points
from setpoint.reading import Point

log = logging.getLogger(__name__)


class GrafanaAlertsInput:
    """Reads alert rules from a Grafana or from its files, and says what thresholds they hold."""

    def __init__(self, settings: GrafanaAlertsSettings) -> None:
        self._settings = settings
        self._complaints = Complaints(log)
        self._lane = Lane(f"the alert rules of {settings.source}")

    async def gather(self) -> Sequence[Point]:
        """The thresholds of all rules, and the source's own point. CannotRead when nothing could be read."""
        if self._settings.url is None:
            return await asyncio.to_thread(self._read_files)
        try:
            async with asyncio.timeout(self._settings.timeout.seconds):
                return await self._lane.run(self._ask)
        except TimeoutError:
            within = f"no complete answer within {self._settings.timeout}"
            raise CannotRead(f"{self._settings.url}: {within}") from None

    async def close(self) -> None:
        """Nothing is kept open between gatherings."""

    def _ask(self) -> list[Point]:
        try:
            return self._points(decode_rules(fetch_rules(self._settings)), 0)
        except NotRules as error:
            raise CannotRead(f"{self._settings.url}: {error}") from None

    def _read_files(self) -> list[Point]:
        read = read_files(self._settings.files, self._settings.max_size, parse_file, self._complaints)
        return self._points(read.rules, read.failed)

    def _points(self, rules: Sequence[GrafanaRule], failed: int) -> list[Point]:
        settings = self._settings
        return to_points(
            settings.source,
            [one for rule in rules for one in read_rule(rule, settings.severity_label)],
            every_s=settings.interval.seconds,
            rules=len(rules),
            failed_parts=failed,
        )
