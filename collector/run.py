"""Puts a collector together from its settings and runs it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from collector.agents import Agents
from collector.analysis.review import Window
from collector.attempts import Attempts
from collector.decode import Decoder, Limits
from collector.finding_lines import FindingLines
from collector.inbox import Inbox, Incoming
from collector.intake import Acks, Intake, Origin
from collector.now import Now
from collector.periods import last_window, running_window
from collector.receiver import Receiver
from collector.register import Register, Revision
from collector.rejected import RejectedFolder
from collector.reviewer import Reviewer
from collector.rollups.rolling import Rolling
from collector.self_metrics import self_lines
from collector.series import SeriesTable
from collector.settings import CollectorSettings
from collector.sharing import Sharing
from collector.steady_clock import SteadyClock
from collector.store.base import StoreUnavailable
from collector.store.duckdb import DuckDBStore, QueryError
from collector.store.open import open_store
from collector.thresholds.history import History
from collector.thresholds.names import load_names
from collector.thresholds.watch import ThresholdWatch
from collector.view import View
from collector.web.app import build_app
from collector.web.server import serve
from setpoint.maintenance import Maintenance
from setpoint.plan import Plan

log = logging.getLogger(__name__)

_NOW_EVERY_S = 3.0
_SELF_EVERY_S = 10.0
_OTHERS_EVERY_S = 10.0
# How old a reading may be at most to be seen before the next review, which looks at all of its period.
_OTHERS_BACK_MS = 600_000
_EXPIRE_EVERY_S = 3600.0
# A review may take this share of the time at most: a large site is reviewed less often, not all the time.
_REVIEW_SHARE = 0.1
# After a start the picture changes with every reading; a minute would be long to wait for the first finding.
_FIRST_REVIEWS_S = (15.0, 15.0, 15.0)
# How long after the end of a period its last batches may still come from outboxes before it is judged.
_LATE_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Collector:
    """Opening may raise StoreUnavailable, SchemaError, RegisterError or RollupFileError; everything else is
    recovered from.
    """

    def __init__(
        self,
        settings: CollectorSettings,
        plan: Plan,
    ) -> None:
        self._settings = settings
        self._plan = plan
        self._zone = ZoneInfo(plan.timezone)
        data = Path(settings.collector.data)
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.series = SeriesTable()
        self.store = open_store(settings.store, data, self.series)
        self.register = Register(data / "register.db")
        self.register.activate(_revision(plan), {p.id: p.definition_hash for p in plan.points})
        self.agents = Agents()
        self.agents.restore(self._hosts())
        receive = settings.receive
        limits = Limits(
            payload_bytes=receive.payload,
            body_bytes=receive.body,
            line_bytes=receive.line,
            tags_per_line=receive.tags_per_line,
            series_per_agent=receive.series_per_agent,
            new_series_per_agent_hour=receive.new_series_per_agent_hour,
            future_ms=receive.future,
            retention_ms=settings.store.retention,
        )
        decoder = Decoder(self.series, limits, [agent.name for agent in self.agents.all()])
        self.rolling = Rolling(settings, plan, data, self.store, self.series, self.agents, self.register)
        self.rollups = self.rolling.file
        self.rejected = RejectedFolder(data / "rejected", max_bytes=receive.rejected)
        self.intake = Intake(
            decode=decoder,
            store=self.store,
            series=self.series,
            rejected=self.rejected,
            attempts=Attempts(data / "attempts.json"),
            agents=self.agents,
            stored=self.rolling.late.note,
        )
        self.inbox = Inbox(receive.queue)
        self.receiver = Receiver(
            settings.broker,
            self.intake,
            self.inbox,
            self.agents,
            name=settings.collector.name,
            sources=settings.sources,
            share=settings.collector.share,
            group_bytes=receive.group,
        )
        self.reviewer = Reviewer(
            plan,
            self.store,
            self.series,
            self.agents,
            self.register,
            self.rolling.statistics,
            ThresholdWatch(
                self.series, load_names(settings.thresholds.names), History(data / "threshold-counts.json")
            ),
        )
        self.now = Now(plan, self.series)
        self.reviews = settings.review.enabled
        self._sharing = Sharing(settings.collector.name, self.store, self.series, self.agents, self.intake)
        self.started_ms = now_ms()
        self.review_s = 0.0
        self.review_error = ""
        self.now_error = ""
        self._judged: str | None = None
        self._clock = SteadyClock()
        self._confirming: set[asyncio.Future[Acks]] = set()
        self._finding_lines = FindingLines(settings.collector.name)
        # One analysis at a time: each may take the store's memory limit.
        self._analysing = asyncio.Lock()

    def clock_ms(self) -> int:
        """Now, in UTC milliseconds."""
        return now_ms()

    def _hosts(self) -> list[tuple[str, int, int]]:
        """(agent, first, last) of every agent that the store has readings of: hosts that other publishers
        speak for do not measure themselves.
        """
        seen: dict[str, tuple[int, int]] = {}
        agents: set[str] = set()
        for number in range(len(self.series)):
            entry = self.series.entry(number)
            host, last = dict(entry.key.tags).get("host"), self.series.last_ms(number)
            if host is None or last is None:
                continue
            if entry.key.measurement == "setpoint_agent":
                agents.add(host)
            first_before, last_before = seen.get(host, (entry.first_ms, last))
            seen[host] = (min(entry.first_ms, first_before), max(last, last_before))
        return [(host, *seen[host]) for host in agents]

    async def run(self, stop: asyncio.Event) -> None:
        """Receives, stores, reviews and shows until ``stop``. CannotListen when the web port is taken."""
        view = View(self, self._plan, self._settings)
        web = self._settings.web
        log.info(
            'plan "%s" revision %d: %d points; %d series known',
            self._plan.title,
            self._plan.revision,
            len(self._plan.points),
            len(self.series),
        )
        app = build_app(
            view,
            allowed_hosts=[web.listen, *web.allowed_hosts],
            scratch=Path(self._settings.collector.data),
            register=self.register,
        )
        jobs: list[Coroutine[Any, Any, None]] = [
            self.receiver.run(stop),
            serve(app, web.listen, web.port, stop),
            _repeat(stop, _SELF_EVERY_S, self._measure_self),
            _repeat(stop, _EXPIRE_EVERY_S, self._expire),
        ]
        if self.reviews:
            jobs += [
                _repeat(stop, _NOW_EVERY_S, self._tick),
                self._review_again_and_again(stop),
                self._roll_up_again_and_again(stop),
            ]
            if self._settings.collector.share:
                jobs.append(self._look_at_others_again_and_again(stop))
        tasks = [asyncio.create_task(job) for job in jobs]
        failing = asyncio.create_task(asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({failing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            failing.cancel()
            stopping.cancel()
            stop.set()
            done, late = await asyncio.wait(tasks, timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            await asyncio.to_thread(self.close)
        for task in done:
            task.result()
        log.info("stopped; %d readings were stored since the start", self.intake.counters.readings)

    def close(self) -> None:
        self.store.close()
        self.rollups.close()
        self.register.close()

    async def _tick(self) -> None:
        hosts = [agent.name for agent in self.agents.all()]
        try:
            await asyncio.to_thread(lambda: self.now.tick(now_ms(), hosts, self._announced()))
        except Exception as error:  # whatever it is: readings go on being stored, and the health says so
            self.now_error = _told(error, "what is present is not looked at", before=self.now_error)
        else:
            self.now_error = ""

    def _announced(self) -> list[Maintenance]:
        return [one.maintenance() for one in self.register.maintenance()]

    async def _measure_self(self) -> None:
        confirm = await self._begin_own(self_lines(self._settings.collector.name, self, now_ms()))
        confirming = asyncio.ensure_future(confirm())
        self._confirming.add(confirming)
        confirming.add_done_callback(self._confirming.discard)

    async def _begin_own(self, lines: bytes) -> Callable[[], Awaitable[Acks]]:
        """The first half of storing what the collector itself has to say, as ``Intake.begin``."""
        origin = Origin(self._plan.site, "", enrolled=False)
        return await self.intake.begin([(origin, Incoming("", lines, now_ms()))])

    async def _store_own(self, lines: bytes) -> None:
        await (await self._begin_own(lines))()

    async def _expire(self) -> None:
        # The other engines have a retention of their own.
        if not isinstance(self.store, DuckDBStore) or not self._clock.is_steady():
            return
        try:
            gone = await self.store.expire(now_ms() - self._settings.store.retention)
        except StoreUnavailable as error:
            log.error("what is older than %s stays for now: %s", self._settings.store.retention, error)
            return
        if gone:
            log.info("%d readings were older than %s and are gone", gone, self._settings.store.retention)

    async def _review_again_and_again(self, stop: asyncio.Event) -> None:
        pauses = list(_FIRST_REVIEWS_S)
        while not stop.is_set():
            usual = max(self._settings.review.every.seconds, self.review_s / _REVIEW_SHARE)
            if not await _pause(stop, min(pauses.pop(0), usual) if pauses else usual):
                return
            try:
                if self._settings.collector.share:
                    await self._sharing.look(self._windows(now_ms())[-1].start_ms, self._hosts)
                async with self._analysing:
                    await asyncio.to_thread(self.review)
                await self._tell_findings()
                self.review_error = self._two_reviewers()
            except Exception as error:
                # Out of memory on a large period, a server that is away, a full disk, or values that a check
                # cannot bear: readings go on being stored, and the health says so.
                self.review_error = _told(error, "the review failed", before=self.review_error)

    async def _roll_up_again_and_again(self, stop: asyncio.Event) -> None:
        pause_s = _FIRST_REVIEWS_S[0]
        while await _pause(stop, pause_s):
            try:
                pause_s = await self.rolling.step(self._store_own, self._analysing)
            except Exception as error:  # as with reviews
                self.rolling.error = _told(error, "rolling up failed", before=self.rolling.error)
                pause_s = _FIRST_REVIEWS_S[0]

    async def _tell_findings(self) -> None:
        """Writes what has become of findings to the store, where Grafana finds it."""
        findings = await asyncio.to_thread(self.register.findings)
        lines = self._finding_lines.lines(findings, now_ms())
        if lines:
            await self._store_own(b"\n".join(lines) + b"\n")

    def _two_reviewers(self) -> str:
        others = self._sharing.other_reviewers(now_ms()) if self._settings.collector.share else []
        if not others:
            return ""
        error = f"reviewed as well by {', '.join(others)}: set review.enabled to false on all but one"
        log.error("%s", error)
        return error

    async def _look_at_others_again_and_again(self, stop: asyncio.Event) -> None:
        """What is shown as present is as old as this, where others have written it."""
        took_s = 0.0
        while await _pause(stop, max(_OTHERS_EVERY_S, took_s / _REVIEW_SHARE)):
            try:
                took_s = await self._sharing.look(now_ms() - _OTHERS_BACK_MS, self._hosts)
            except StoreUnavailable as error:
                log.warning("what other collectors have written is not seen for now: %s", error)

    def _windows(self, now: int) -> list[Window]:
        """What is to be judged: the running period, and then the last one, once after it is over."""
        windows = [running_window(self._plan.review, self._zone, now)]
        last = last_window(self._plan.review, self._zone, now)
        if self._judged != last.label and now >= last.end_ms + _LATE_MS:
            windows.append(last)
        return windows

    def review(self) -> None:
        """Judges the running period, and the last one once after it is over."""
        now = now_ms()
        began = time.monotonic()
        running, *over = self._windows(now)
        for last in over:
            if any(first < last.end_ms for first in self.register.planned_since().values()):
                self.reviewer.review(last, now)
            self._judged = last.label
        self.reviewer.review(running, now)
        self.review_s = time.monotonic() - began


def _told(error: Exception, what: str, *, before: str) -> str:
    """What the health says of an error, which is logged. One that nobody expects is logged with its place,
    once while it stays the same.
    """
    if isinstance(error, QueryError | StoreUnavailable | sqlite3.Error | OSError):
        told = f"{what}: {error}"
        log.error("%s", told)
    else:
        told = f"{what}: {type(error).__name__}: {error}"
        log.error("%s", told, exc_info=None if told == before else error)
    return told


def _revision(plan: Plan) -> Revision:
    return Revision(
        plan.hash,
        plan.revision,
        plan.approved.by if plan.approved else "",
        str(plan.approved.on) if plan.approved else "",
        plan.text,
        now_ms(),
    )


async def _repeat(
    stop: asyncio.Event, every_s: float, action: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    while True:
        await action()
        if not await _pause(stop, every_s):
            return


async def _pause(stop: asyncio.Event, seconds: float) -> bool:
    """Whether the pause was to its end, and not cut short by ``stop``."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return True
    return False
