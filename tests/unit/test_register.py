"""Findings and their life; the plan revisions that were run."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector import register as register_module
from collector.register import Register, RegisterError, Revision
from setpoint.finding import Evidence, Finding, Severity, Verdict, finding_id

SUBJECT = (("host", "mon-01"),)
PLAN = {"cpu": "definition 1"}
LOOSER = {"cpu": "definition 2"}


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    register = Register(tmp_path / "register.db")
    yield register
    register.close()


def gap(
    point: str | None = "cpu",
    kind: str = "threshold-breached",
    host: str = "mon-01",
    *,
    title: str = "CPU busy",
    severity: Severity = "warning",
    revision: int = 1,
) -> Verdict:
    subject = (("host", host),)
    number = finding_id(kind, point or "cpu", subject)
    finding = Finding(
        id=number,
        kind=kind,
        severity=severity,
        reasons=["a reason"],
        title=title,
        text={"en": title, "zh": "处理器繁忙"},
        point=point,
        metric="cpu.usage_active",
        subject=dict(subject),
        measured=91.5,
        target=80.0,
        evidence=Evidence(start_ms=1, end_ms=2, episodes=[(1, 2)], statistics={"p95": 91.5}),
        plan_revision=revision,
        plan_hash=f"hash {revision}",
    )
    return Verdict(id=number, kind=kind, point=point, subject=subject, answer="gap", finding=finding)


def no_gap(point: str | None = "cpu", kind: str = "threshold-breached") -> Verdict:
    number = finding_id(kind, point or "cpu", SUBJECT)
    return Verdict(id=number, kind=kind, point=point, subject=SUBJECT, answer="no gap")


def cannot_tell() -> Verdict:
    return msgspec.structs.replace(no_gap(), answer="cannot tell", reason="coverage is 40 %")


def review(
    register: Register, *verdicts: Verdict, at: int, plan: Mapping[str, str] = PLAN, revision: int = 1
) -> dict[str, list[str]]:
    """What changed, as the states' names and the findings' titles."""
    changes = register.apply(verdicts, plan, revision, at)
    return {
        name: [f.title for f in found]
        for name in ("opened", "closed", "superseded")
        if (found := getattr(changes, name))
    }


def only(register: Register) -> Finding:
    [finding] = register.findings()
    return finding


# -- findings --------------------------------------------------------------------------------------


def test_a_gap_opens_a_finding(register: Register) -> None:
    assert review(register, gap(), at=100) == {"opened": ["CPU busy"]}
    expected = gap().finding
    assert expected is not None
    assert only(register) == msgspec.structs.replace(expected, first_seen_ms=100, last_seen_ms=100)
    assert register.finding(expected.id) == only(register)
    assert register.findings("open") == [only(register)]
    assert register.findings("closed") == []


def test_a_gap_that_stays_keeps_its_first_time_and_says_the_newest(register: Register) -> None:
    review(register, gap(), at=100)
    assert review(register, gap(title="CPU busier", severity="critical"), at=200) == {}
    finding = only(register)
    assert (finding.first_seen_ms, finding.last_seen_ms) == (100, 200)
    assert (finding.title, finding.severity) == ("CPU busier", "critical")


def test_no_gap_closes(register: Register) -> None:
    review(register, gap(), at=100)
    assert review(register, no_gap(), at=200) == {"closed": ["CPU busy"]}
    finding = only(register)
    assert (finding.state, finding.closed_ms, finding.superseded_by) == ("closed", 200, None)
    assert (finding.first_seen_ms, finding.last_seen_ms) == (100, 100)
    assert review(register, no_gap(), at=300) == {}
    assert only(register).closed_ms == 200


def test_no_gap_where_there_was_none_is_not_kept(register: Register) -> None:
    assert review(register, no_gap(), at=100) == {}
    assert register.findings() == []


def test_a_gap_that_comes_back_is_the_same_finding_again(register: Register) -> None:
    review(register, gap(), at=100)
    review(register, no_gap(), at=200)
    assert review(register, gap(), at=300) == {"opened": ["CPU busy"]}
    finding = only(register)
    assert (finding.state, finding.closed_ms) == ("open", None)
    assert (finding.first_seen_ms, finding.last_seen_ms) == (100, 300)


def test_cannot_tell_changes_nothing(register: Register) -> None:
    review(register, gap(), at=100)
    before = only(register)
    assert review(register, cannot_tell(), at=200) == {}
    # Nor when the point was loosened meanwhile.
    assert review(register, cannot_tell(), at=300, plan=LOOSER, revision=2) == {}
    assert only(register) == before


def test_what_nobody_judged_stays_as_it_is(register: Register) -> None:
    review(register, gap(), at=100)
    before = only(register)
    assert review(register, at=200) == {}
    assert only(register) == before


def test_a_point_that_was_loosened_supersedes_what_it_found_before(register: Register) -> None:
    review(register, gap(), at=100)
    assert review(register, no_gap(), at=200, plan=LOOSER, revision=2) == {"superseded": ["CPU busy"]}
    finding = only(register)
    assert (finding.state, finding.closed_ms, finding.superseded_by) == ("superseded", 200, 2)
    # The finding names the revision that it was judged by, too.
    assert finding.plan_revision == 1


def test_a_gap_by_the_new_definition_too_is_closed_and_not_superseded(register: Register) -> None:
    review(register, gap(), at=100)
    assert review(register, gap(revision=2), at=200, plan=LOOSER, revision=2) == {}
    assert review(register, no_gap(), at=300, plan=LOOSER, revision=2) == {"closed": ["CPU busy"]}
    assert only(register).superseded_by is None


@pytest.mark.parametrize("kind", ["no-threshold", "unplanned-series"])
def test_what_a_change_of_the_plan_mends_is_closed_by_it(register: Register, kind: str) -> None:
    review(register, gap(kind=kind), at=100)
    changed = review(register, no_gap(kind=kind), at=200, plan=LOOSER, revision=2)
    assert changed == {"closed": ["CPU busy"]}


def test_a_point_that_is_no_longer_planned_supersedes_its_findings(register: Register) -> None:
    review(register, gap(), gap("mem", title="Memory used"), at=100, plan={**PLAN, "mem": "m"})
    changed = review(register, gap(), at=200, plan=PLAN, revision=2)
    assert changed == {"superseded": ["Memory used"]}
    [finding] = register.findings("superseded")
    assert (finding.point, finding.superseded_by, finding.closed_ms) == ("mem", 2, 200)


def test_a_subject_that_the_point_no_longer_wants_supersedes_its_finding(register: Register) -> None:
    review(register, gap(), gap(host="test-01", title="CPU of test-01"), at=100)
    changed = review(register, gap(), at=200, plan=LOOSER, revision=2)
    assert changed == {"superseded": ["CPU of test-01"]}


def test_a_superseded_finding_opens_again_with_the_gap(register: Register) -> None:
    review(register, gap(), at=100)
    review(register, no_gap(), at=200, plan=LOOSER, revision=2)
    assert review(register, gap(revision=3), at=300, plan=PLAN, revision=3) == {"opened": ["CPU busy"]}
    finding = only(register)
    assert (finding.state, finding.superseded_by, finding.closed_ms) == ("open", None, None)
    assert (finding.first_seen_ms, finding.plan_revision) == (100, 3)


def test_a_finding_without_a_point_ends_with_its_gap_or_its_revision(register: Register) -> None:
    def unplanned(host: str, revision: int = 1) -> Verdict:
        return gap(None, "unplanned-series", host, title=host, revision=revision)

    review(register, unplanned("mon-01"), unplanned("b"), unplanned("c"), at=100)
    assert review(register, unplanned("b"), unplanned("c"), at=200) == {}
    assert review(register, no_gap(None, "unplanned-series"), at=300) == {"closed": ["mon-01"]}
    changed = review(register, unplanned("c", revision=2), at=400, revision=2)
    assert changed == {"superseded": ["b"]}
    assert [f.title for f in register.findings("open")] == ["c"]


def test_a_review_that_fails_half_way_changes_nothing(register: Register) -> None:
    review(register, gap(host="mon-02"), at=100)
    before = register.findings()

    def verdicts() -> Iterator[Verdict]:
        yield gap()
        raise RuntimeError("the review broke")

    with pytest.raises(RuntimeError, match="the review broke"):
        register.apply(verdicts(), PLAN, 1, 200)
    assert register.findings() == before
    assert review(register, gap(), at=300) == {"opened": ["CPU busy"]}


def test_an_unknown_finding_is_none(register: Register) -> None:
    assert register.finding("0" * 12) is None


def test_the_worst_and_oldest_come_first(register: Register) -> None:
    severities: dict[str, Severity] = {"a": "info", "b": "critical", "c": "warning", "d": "critical"}
    for at, (host, severity) in enumerate(severities.items()):
        review(register, gap(host=host, severity=severity), at=at)
    review(register, *(gap(host=h, severity="info") for h in ("x", "y", "z")), at=9)
    order = [(f.severity, f.first_seen_ms) for f in register.findings()]
    assert order == [
        *[("critical", 1), ("critical", 3), ("warning", 2), ("info", 0)],
        *[("info", 9)] * 3,
    ]
    # What is equal otherwise is always in the same order.
    last = [f.id for f in register.findings()][-3:]
    assert last == sorted(last)


def test_findings_are_there_after_reopening(register: Register, tmp_path: Path) -> None:
    review(register, gap(), gap(host="mon-02"), at=100)
    review(register, no_gap(), at=200)
    before = register.findings()
    register.close()
    again = Register(tmp_path / "register.db")
    assert again.findings() == before
    again.close()


# -- plan revisions --------------------------------------------------------------------------------


def revision(number: int, first_ms: int) -> Revision:
    return Revision(f"hash {number}", number, "Lead", "2026-10-01", f"plan: {number}\n", first_ms)


def test_a_revision_is_recorded_once(register: Register) -> None:
    register.activate(revision(1, 100), PLAN)
    register.activate(revision(2, 200), LOOSER)
    # Started again, and gone back to the first one.
    register.activate(revision(2, 300), LOOSER)
    register.activate(revision(1, 400), PLAN)
    assert register.revisions() == [revision(1, 100), revision(2, 200)]


def test_a_point_is_planned_since_its_first_definition(register: Register) -> None:
    assert register.planned_since() == {}
    register.activate(revision(1, 100), PLAN)
    register.activate(revision(2, 200), {**LOOSER, "mem": "m"})
    register.activate(revision(3, 300), {"mem": "m"})
    assert register.planned_since() == {"cpu": 100, "mem": 200}


# -- the file --------------------------------------------------------------------------------------


def test_threads_share_it(register: Register) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for at in range(25):
                register.apply([gap(host=f"{name}-{at}")], PLAN, 1, at)
                register.findings("open")
                register.planned_since()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"thread-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(register.findings("open")) == 100


def test_a_copy_is_as_of_now(register: Register, tmp_path: Path) -> None:
    review(register, gap(), at=100)
    register.activate(revision(1, 100), PLAN)
    register.backup(tmp_path / "copy.db")
    review(register, gap(host="later"), at=200)
    copy = Register(tmp_path / "copy.db")
    assert [f.first_seen_ms for f in copy.findings()] == [100]
    assert copy.revisions() == [revision(1, 100)]
    copy.close()


def test_an_older_file_is_brought_up_to_date_with_its_findings(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    review(register, gap(), at=100)
    register.close()
    known = register_module._MIGRATIONS
    step = "CREATE TABLE notes (id TEXT); INSERT INTO notes SELECT id FROM findings;"
    monkeypatch.setattr(register_module, "_MIGRATIONS", [*known, step])
    newer = Register(tmp_path / "register.db")
    assert len(newer.findings()) == 1
    newer.close()
    assert _rows(tmp_path, "SELECT count(*) FROM notes") == [(1,)]
    assert _rows(tmp_path, "PRAGMA user_version") == [(len(known) + 1,)]
    # Not twice.
    Register(tmp_path / "register.db").close()
    assert _rows(tmp_path, "SELECT count(*) FROM notes") == [(1,)]


def test_a_step_that_fails_leaves_the_last_good_version(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.close()
    known = register_module._MIGRATIONS
    bad = "CREATE TABLE half (x); INSERT INTO nowhere VALUES (1);"
    monkeypatch.setattr(register_module, "_MIGRATIONS", [*known, "CREATE TABLE good (x);", bad])
    with pytest.raises(RegisterError, match="no such table: nowhere"):
        Register(tmp_path / "register.db")
    assert _rows(tmp_path, "PRAGMA user_version") == [(len(known) + 1,)]
    tables = {name for (name,) in _rows(tmp_path, "SELECT name FROM sqlite_master")}
    assert "good" in tables
    assert "half" not in tables


def test_a_newer_file_is_refused(register: Register, tmp_path: Path) -> None:
    register.close()
    path = tmp_path / "register.db"
    known = len(register_module._MIGRATIONS)
    _rows(tmp_path, f"PRAGMA user_version = {known + 1}")
    with pytest.raises(RegisterError) as refused:
        Register(path)
    assert str(refused.value) == (
        f"{path} has schema version {known + 1}, and this program knows none above {known}; "
        "install the version that wrote it, or a newer one"
    )
    assert _rows(tmp_path, "PRAGMA user_version") == [(known + 1,)]


def test_a_file_that_is_no_register_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "register.db"
    path.write_text("no database at all " * 100)
    with pytest.raises(RegisterError, match=f"{path} cannot be opened: file is not a database"):
        Register(path)


def _rows(folder: Path, sql: str) -> list[Any]:
    connection = sqlite3.connect(folder / "register.db")
    try:
        rows: list[Any] = connection.execute(sql).fetchall()
        connection.commit()
    finally:
        connection.close()
    return rows


# -- maintenance -----------------------------------------------------------------------------------


def test_maintenance_is_kept_and_ended(tmp_path: Path) -> None:
    path = tmp_path / "register.db"
    register = Register(path)
    later = register.add_maintenance("web-*", "Updates", 5_000, 9_000, 1_000)
    running = register.add_maintenance("sw-1", "New firmware", 500, 4_000, 1_000)
    assert register.maintenance() == [running, later]
    ended = register.end_maintenance(running.id, 2_000)
    assert ended == msgspec.structs.replace(running, to_ms=2_000)
    assert register.end_maintenance(running.id, 3_000) == ended
    assert register.end_maintenance(later.id, 2_000) == msgspec.structs.replace(later, to_ms=5_000)
    assert register.end_maintenance(99, 2_000) is None
    register.close()
    again = Register(path)
    assert [(one.hosts, one.to_ms) for one in again.maintenance()] == [("sw-1", 2_000), ("web-*", 5_000)]
    again.close()
