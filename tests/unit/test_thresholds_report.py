"""What a service review asks for: thresholds beside the plan, counts, and what changed since last time."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec

from collector.analysis.review import Window
from collector.exports.thresholds import COLUMNS, rows_csv, rows_table, statistics_csv, statistics_tables
from collector.series import SeriesTable
from collector.thresholds.history import History
from collector.thresholds.report import ThresholdReport, build_report, counts_of, with_change
from collector.thresholds.watch import ThresholdWatch
from tests.unit.review_factory import (
    MONTH,
    NEXT_MONTH,
    RUNNING,
)
from tests.unit.threshold_factory import IDLE, NAMES, found, knowing, observe, read
from tests.unit.threshold_report_factory import FOUND, report, site

BUSY: dict[str, Any] = {"severity": "warning", "for_s": 300}


def test_every_threshold_has_its_state_and_what_wants_a_look_comes_first() -> None:
    assert [(row.rule, row.state) for row in report().rows] == [
        ("Late", "drifts"),
        ("Orphan", "orphaned"),
        ("Odd", "unmatched"),
        ("Which", "cannot tell"),
        ("Info", "no such level"),
        ("Good", "agrees"),
        ("Condition", "condition"),
        ("Off", "off"),
        ("Gone", "none"),
    ]


def test_every_rule_that_differs_drifts_unless_one_is_as_planned() -> None:
    def states(*levels: float) -> list[str]:
        rules = [
            found(f"R{n}", IDLE, "below", level, 'mode="idle"', **BUSY) for n, level in enumerate(levels)
        ]
        return [row.state for row in build_report(knowing(site(), read(*rules, at_ms=RUNNING.end_ms))).rows]

    assert states(0.1, 0.3) == ["drifts", "drifts"]
    assert states(0.1, 0.2) == ["agrees", "agrees"]


def test_a_row_says_what_is_configured_and_what_is_planned() -> None:
    late = report().rows[0]
    assert (late.source, late.agent, late.comparison, late.level) == ("prometheus", "mon-01", "below", 0.01)
    assert (late.ours, late.points, late.subjects) == ("cpu.usage_active", ["host-cpu"], 1)
    assert (late.configured, late.planned) == ("above 99 % for 5m", "above 95 % for 5m")


def test_sources_are_counted() -> None:
    (source,) = report().sources
    counted = msgspec.structs.asdict(source)
    assert {key: n for key, n in counted.items() if n and key != "source"} == {
        "thresholds": 8,
        "matched": 6,
        "agreeing": 1,
        "drifting": 1,
        "orphaned": 1,
        "unmatched": 1,
        "off": 1,
        "without": 1,
    }


def test_what_a_source_lacks_is_counted() -> None:
    counted = build_report(knowing(site(), read(FOUND[0], at_ms=RUNNING.end_ms))).sources
    assert [(one.source, one.missing) for one in counted] == [("prometheus", 2)]


def test_a_source_that_the_plan_counts_on_and_nobody_reads_is_shown_empty() -> None:
    (source,) = build_report(site()).sources
    assert (source.source, source.thresholds, source.missing) == ("prometheus", 0, 0)


def test_points_are_counted_by_what_a_review_asks_for() -> None:
    points = {(one.by, one.value): one for one in report().points}
    total = points["total", ""]
    assert (total.points, total.subjects, total.with_threshold, total.without_threshold) == (2, 3, 2, 1)
    assert (total.reporting, total.not_reporting) == (2, 1)
    assert points["class", "technical"].subjects == 2
    assert points["class", ""].subjects == 1
    assert points["owner", "platform"].points == 2
    assert points["measurement", "system"].not_reporting == 1
    assert points["element", "resource"].with_threshold == 2


def test_changes_are_those_since_the_last_period() -> None:
    before = counts_of(build_report(knowing(site(), read(FOUND[0], at_ms=RUNNING.end_ms))))
    now = with_change(report(), "2026-09", before)
    assert now.previous == "2026-09"
    assert now.sources[0].change["thresholds"] == 7
    assert now.sources[0].change["missing"] == -2
    assert "agreeing" not in now.sources[0].change
    assert now.points[0].change == {}


def test_a_watch_remembers_the_last_period_over_a_restart(tmp_path: Path) -> None:
    series = SeriesTable()
    read(FOUND[0], at_ms=RUNNING.end_ms, series=series)
    october, november = (
        RUNNING,
        Window(NEXT_MONTH.start_ms, NEXT_MONTH.end_ms - 1, complete=False, label="2026-11"),
    )

    def noted(window: Window) -> ThresholdReport:
        watch = ThresholdWatch(series, NAMES, History(tmp_path / "counts.json"))
        one = site(window)
        watch.note(knowing(one, read(at_ms=window.end_ms, series=series)))
        assert watch.report is not None
        return watch.report

    assert noted(october).previous == ""
    read(*FOUND, at_ms=november.end_ms - 1, series=series)
    observe(series, [], november.end_ms)
    assert noted(november).previous == "2026-10"
    assert noted(november).previous == "2026-10"


def test_a_period_that_is_over_is_not_reported() -> None:
    watch = ThresholdWatch(SeriesTable(), NAMES)
    watch.note(site(MONTH))
    assert watch.report is None


def test_a_damaged_file_costs_the_past_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    path.write_text("{")
    history = History(path)
    assert history.before(1) == ("", {})
    history.keep("a", 1, {"x": {"n": 1}})
    assert History(path).before(2) == ("a", {"x": {"n": 1}})


def test_csv_has_a_line_for_each_and_no_formula() -> None:
    evil = found("=cmd()", "x", "above", 1)
    rows = build_report(knowing(site(), read(evil, at_ms=RUNNING.end_ms))).rows
    head, line = csv.reader(io.StringIO(rows_csv(rows).decode("utf-8-sig")))
    assert head == list(COLUMNS)
    assert line[head.index("rule")] == "'=cmd()"
    now = report()
    lines = list(csv.reader(io.StringIO(statistics_csv(now.points, now.sources).decode("utf-8-sig"))))
    assert ["thresholds", "source", "prometheus", "drifting", "1", "0"] in lines
    assert ["points", "class", "technical", "subjects", "2", "0"] in lines


def test_tables_fit_a_terminal_and_obey_nobody() -> None:
    rows = build_report(knowing(site(), read(found("a\x1b[2J", "x", "above", 1), at_ms=RUNNING.end_ms))).rows
    assert "\x1b" not in rows_table(rows)
    now = report()
    text = rows_table(now.rows, 120)
    assert max(map(len, text.splitlines())) <= 120
    assert "above 99 % for 5m" in text
    assert "> 3" in text
    shown = statistics_tables(with_change(now, "2026-09", {}).points, with_change(now, "2026-09", {}).sources)
    assert "2 (+2)" in shown
    assert max(map(len, shown.splitlines())) <= 120
