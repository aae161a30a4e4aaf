"""What holds for all gap checks together."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.thresholds.found import Found, NoThreshold
from collector.analysis.gaps import CHECKS, run_checks
from collector.analysis.gaps.report import query
from collector.analysis.review import PointReview, Review, SubjectReview, Window
from collector.register import Register
from collector.series import SeriesTable
from collector.thresholds.found import FoundThresholds
from collector.thresholds.read import read_thresholds
from setpoint.finding import finding_id, round12, to_json
from setpoint.reading import subject_of
from tests.unit.review_factory import (
    CPU,
    CPU_TAGS,
    DAY,
    DISK,
    ERP,
    HOUR,
    LOAD,
    MONTH,
    NEXT_MONTH,
    PORT,
    RUNNING,
    SECOND,
    absent,
    breaches,
    gaps,
    plan,
    review,
    seen,
    statistics,
    subject,
)
from tests.unit.threshold_factory import IDLE, knowing, read
from tests.unit.threshold_factory import found as configured

PLAN = plan(CPU + "    raised_by: [prometheus]\n", DISK, LOAD, PORT, ERP + "    missing: bad\n")
PERIOD_KINDS = {"target-missed", "threshold-breached", "thin-coverage"}
TAGS = {
    "host-cpu": [{"host": h, "cpu": "cpu-total"} for h in ("mon-01", "jump-01")],
    "host-disk": [
        *({"host": h, "path": p} for h in ("mon-01", "jump-01") for p in ("/", "/var")),
        {"host": "jump-01"},
    ],
    "host-load": [{"host": "mon-01"}, {"host": "jump-01"}, {"host": "web-1"}],
    "port-load": [
        *({"host": "mon-01", "device": d, "name": n} for d in ("sw-1", "sw-2") for n in ("Te1", "Te2")),
        {"device": "sw-2"},
    ],
    "erp-answers": [{"host": "mon-01", "server": "http://erp/", "method": "GET"}],
}
THRESHOLDS: list[Found] = [
    *(
        configured("Busy", IDLE, "below", level, f'{chosen}mode="idle"', for_s=for_s, severity=said, **more)
        for level in (0.2, 0.05, 0.3)
        for for_s in (0, 300)
        for said in ("warning", "critical", "")
        for chosen in ("", 'instance="mon-01:9100",', 'env="a",')
        for more in ({}, {"enabled": False}, {"role": "requires"})
    ),
    configured("`*a*`_b_", "disk.used_percent", "above", 70, "*", severity="warning"),
    configured("Load", "node_load5", "above", 5, 'instance="web-9"'),
    configured("Memory", "mem.used_percent", "above", 5),
    configured("Answer", "http_response.result_code", "not_equals", 1, severity="critical"),
    configured("Odd", "some_metric", "above", 5),
    NoThreshold("Gone", "absence"),
    NoThreshold("What", "unreadable"),
]
EVERY = {"host-disk": 60 * SECOND, "port-load": 60 * SECOND}
WINDOWS = [
    MONTH,
    RUNNING,
    Window(RUNNING.start_ms, RUNNING.start_ms + 45 * SECOND, complete=False, label="2026-10"),
]


def known(window: Window, chance: random.Random) -> FoundThresholds:
    """What two sources may have, read lately or long ago, in full or in part."""
    series = SeriesTable()
    for source in chance.sample(["prometheus", "graf`ana"], chance.randint(0, 2)):
        at_ms = chance.choice([window.end_ms, window.end_ms, window.end_ms - DAY])
        thresholds, failed = chance.choices(THRESHOLDS, k=chance.randint(0, 8)), chance.choice([0, 0, 1])
        read(*thresholds, at_ms=at_ms, source=source, failed_parts=failed, series=series)
    return read_thresholds(series)


# Made once: to make them is what takes the time.
KNOWN = {one.end_ms: [known(one, random.Random(n)) for n in range(40)] for one in WINDOWS}


@st.composite
def subjects(draw: st.DrawFn, window: Window) -> list[tuple[str, SubjectReview]]:
    found = []
    for point, all_tags in TAGS.items():
        for tags in draw(st.lists(st.sampled_from(all_tags), unique_by=str)):
            every = draw(st.sampled_from([EVERY.get(point, 10 * SECOND), None]))
            since = draw(st.sampled_from([window.start_ms, (window.start_ms + window.end_ms) // 2]))
            named = draw(st.booleans())
            if draw(st.booleans()):
                shown = absent(window, every=every, start_ms=since)
                last = draw(st.sampled_from([None, window.start_ms - DAY, window.end_ms + HOUR]))
            else:
                values: dict[str, Any] = {
                    "coverage": draw(st.sampled_from([1.0, 0.95, 0.5, 0.001])),
                    "availability": draw(st.sampled_from([None, 0.5, 0.99999])),
                    "p95": draw(st.sampled_from([None, 3.0, 99.0])),
                    "warning": breaches(draw(st.sampled_from([0, HOUR]))),
                    "critical": draw(st.sampled_from([None, breaches(0), breaches(HOUR)])),
                    "start_ms": since,
                }
                shown = statistics(window, every=every, **values)
                last = draw(st.sampled_from([window.start_ms + 1, window.end_ms - SECOND]))
            found.append(subject(PLAN, point, tags, shown, named=named, last_ms=last))
    return found


@st.composite
def reviews(draw: st.DrawFn) -> Review:
    window = draw(st.sampled_from(WINDOWS))
    metrics = draw(st.lists(st.sampled_from(["cpu.usage_active", "cpu.usage_idle", "setpoint_agent.x"])))
    made = review(
        PLAN,
        window,
        *draw(subjects(window)),
        series=[seen(metric, CPU_TAGS, window) for metric in metrics],
        agents=draw(st.sampled_from([{}, {"mon-01": window.end_ms}, {"jump-01": 0}])),
    )
    return knowing(made, draw(st.sampled_from(KNOWN[window.end_ms])))


@given(reviews())
def test_no_two_verdicts_have_the_same_id(found: Review) -> None:
    ids = Counter(verdict.id for verdict in run_checks(found))
    assert max(ids.values(), default=1) == 1


@given(reviews())
def test_a_running_period_never_shows_that_there_is_no_gap_in_it(found: Review) -> None:
    for verdict in run_checks(found):
        if verdict.kind in PERIOD_KINDS and verdict.answer == "no gap":
            assert found.window.complete


@given(reviews())
def test_a_gap_has_its_finding_and_nothing_else_has(found: Review) -> None:
    for verdict in run_checks(found):
        assert (verdict.answer == "gap") == (verdict.finding is not None)
        assert verdict.reason
        if verdict.finding is not None:
            assert verdict.finding.id == verdict.id
            assert verdict.finding.point == verdict.point
            assert verdict.finding.subject == dict(verdict.subject)
            assert verdict.finding.kind == verdict.kind


@given(reviews())
def test_every_finding_is_complete_in_both_languages(found: Review) -> None:
    for finding in gaps(run_checks(found)):
        assert set(finding.text) == {"en", "zh"}
        for text in (finding.title, finding.action, finding.mended_when, *finding.text.values()):
            assert text
            assert not re.search(r"[{}]|None|\bnan\b| {2}|\.\.|。。|  ", text), text
        assert finding.title in finding.text["en"]
        assert re.search(r"[\u4e00-\u9fff]", finding.text["zh"])
        assert finding.reasons
        assert finding.plan_revision == 14
        assert finding.evidence.query.startswith("/api/series")
        for number in (finding.measured, finding.target, finding.gap):
            assert number is None or number == round12(number)
        msgspec.json.encode(to_json(finding))


@given(reviews())
def test_nothing_is_said_twice_by_one_check(found: Review) -> None:
    said: Counter[tuple[str, str]] = Counter()
    for finding in gaps(run_checks(found)):
        if finding.kind in {"went-silent", "not-measured", "thin-coverage"}:
            prefix = f"{finding.point} " if finding.point else ""
            own = " ".join(f"{k}={v}" for k, v in finding.subject.items())
            said.update((finding.kind, prefix + name) for name in finding.evidence.members or [own])
    assert max(said.values(), default=1) == 1


@given(reviews(), st.randoms(use_true_random=False))
def test_the_order_of_subjects_changes_no_answer(found: Review, order: random.Random) -> None:
    points = [
        PointReview(each.point, order.sample(list(each.subjects), len(each.subjects)))
        for each in found.points
    ]
    order.shuffle(points)
    again = replace(found, points=points)
    before = {verdict.id: verdict.answer for verdict in run_checks(found)}
    assert {verdict.id: verdict.answer for verdict in run_checks(again)} == before


def test_a_tag_that_is_called_like_a_parameter_is_asked_for_as_a_tag() -> None:
    asked = query((("host", "mon-01"), ("metric", "a b")), metric="x.level")
    assert asked == "/api/series?metric=x.level&host=mon-01&tag=metric%3Da+b"
    assert query(()) == "/api/series"


def test_an_empty_review_says_nothing() -> None:
    assert run_checks(review(plan("  []\n"), MONTH)) == []


def test_every_check_names_its_own_kind() -> None:
    found = review(
        PLAN, MONTH, subject(PLAN, "host-cpu", CPU_TAGS, statistics(MONTH, warning=breaches(HOUR)))
    )
    for kind, check in CHECKS.items():
        assert {verdict.kind for verdict in check(found)} <= {kind}


def test_the_register_opens_keeps_and_closes_what_the_checks_say(tmp_path: Path) -> None:
    register = Register(tmp_path / "register.db")
    definitions = {point.id: point.definition_hash for point in PLAN.points}
    number = finding_id(
        "threshold-breached", "host-cpu", subject_of("cpu", {"host": "mon-01", "cpu": "cpu-total"})
    )

    def judge(window: Window, total_ms: int) -> str | None:
        shown = statistics(window, warning=breaches(total_ms), critical=breaches(0, count=0))
        found = review(PLAN, window, subject(PLAN, "host-cpu", CPU_TAGS, shown))
        register.apply(run_checks(found), definitions, 14, window.end_ms)
        finding = register.finding(number)
        return finding and finding.state

    try:
        assert judge(RUNNING, 0) is None
        assert judge(RUNNING, HOUR) == "open"
        assert judge(RUNNING, 0) == "open"
        assert judge(MONTH, HOUR) == "open"
        assert judge(NEXT_MONTH, 0) == "closed"
    finally:
        register.close()
