"""Findings as a table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.exports.comma_separated import COLUMNS, findings_csv, harmless
from collector.exports.detail import finding_detail
from collector.exports.json_text import finding_json, findings_json
from collector.exports.ordering import in_order
from collector.exports.quantity import age_text, duration, quantity, time_text
from collector.exports.table import align, columns, findings_table, printable
from setpoint.finding import Finding
from tests.fake_view import FORMULA, NOW_MS, finding, findings
from tests.servers import ROOT

_text = st.text(max_size=80)


def _rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def _one(**changes: object) -> Finding:
    return msgspec.structs.replace(finding("target-missed", "p", {"host": "a"}, "A title"), **changes)


# -- the same findings give the same bytes ----------------------------------------------------------


@pytest.mark.parametrize("export", [findings_csv, findings_json, lambda f: findings_table(f).encode()])
def test_the_same_findings_give_the_same_bytes_in_any_order(export) -> None:  # type: ignore[no-untyped-def]
    expected = export(findings())
    for seed in range(20):
        shuffled = findings()
        random.Random(seed).shuffle(shuffled)
        assert export(shuffled) == expected


def test_open_ones_come_first_and_the_worst_of_them() -> None:
    ordered = in_order(findings())
    states = [f.state for f in ordered]
    assert states == ["open"] * 10 + ["superseded", "closed"]
    assert [f.severity for f in ordered[:10]] == ["critical"] * 2 + ["warning"] * 5 + ["info"] * 3


def test_findings_of_one_kind_are_in_the_order_of_their_subjects() -> None:
    hosts = ["c", "a", "b"]
    ordered = in_order(
        msgspec.structs.replace(_one(), id=str(n), subject={"host": h}) for n, h in enumerate(hosts)
    )
    assert [f.subject["host"] for f in ordered] == ["a", "b", "c"]


# -- JSON ------------------------------------------------------------------------------------------


def test_json_has_sorted_keys_and_rounded_numbers() -> None:
    one = _one(measured=0.1 + 0.2, gap=1 / 3, target=float("nan"))
    text = findings_json([one]).decode()
    data = json.loads(text)["findings"][0]
    assert list(data) == sorted(data)
    assert list(data["evidence"]) == sorted(data["evidence"])
    assert (data["measured"], data["gap"], data["target"]) == (0.3, 0.333333333333, None)
    assert "中文" in findings_json([_one(title="中文")]).decode()
    assert json.loads(finding_json(one)) == data


def test_json_gives_the_finding_back() -> None:
    for one in findings():
        assert msgspec.json.decode(finding_json(one), type=Finding) == one


def test_json_of_nothing_is_still_json() -> None:
    assert json.loads(findings_json([])) == {"findings": []}


def test_text_that_is_no_text_does_not_stop_an_export() -> None:
    broken = [_one(title="half a \ud83d character", action="\x00\x1b[31m")]
    assert json.loads(findings_json(broken))
    assert _rows(findings_csv(broken))
    assert findings_table(broken).encode()


# -- CSV -------------------------------------------------------------------------------------------


def test_csv_is_what_a_spreadsheet_reads() -> None:
    data = findings_csv(findings())
    assert data.startswith(b"\xef\xbb\xbfid,state,severity,")  # the mark by which Excel knows UTF-8
    assert data.endswith(b"\r\n")
    rows = _rows(data)
    assert len(rows) == 12
    breached = next(row for row in rows if row["kind"] == "threshold-breached")
    assert list(breached) == list(COLUMNS)
    assert (breached["measured"], breached["target"], breached["gap"]) == ("13320", "3600", "9720")
    assert breached["subject"] == "host=mon-02"
    assert breached["period_end"] == time_text(NOW_MS)
    assert breached["text_zh"].startswith("**CPU busy")
    assert breached["reasons"] == "the gap is 12 % of the target\nit serves ERP"


def test_the_documentation_names_every_column() -> None:
    table = (ROOT / "docs" / "exports.md").read_text().split("## CSV")[1].split("## JSON")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert re.findall(r"`(\w+)`", " ".join(cells)) == list(COLUMNS)


def test_numbers_stay_numbers() -> None:
    row = _rows(findings_csv([_one(gap=-29.0, measured=1 / 3)]))[0]
    assert (row["gap"], row["measured"]) == ("-29", "0.333333333333")


def test_no_cell_of_text_is_a_formula() -> None:
    hostile = _one(
        title=FORMULA, subject={"=1+1": "x"}, action="@SUM(A1)", owner="+1", reasons=["-1", "=2"],
        mended_when="\t=1", unit="＝1", text={"en": " =1", "zh": "a;=1"},
    )  # fmt: skip
    row = _rows(findings_csv([hostile]))[0]
    assert row["title"] == "'" + FORMULA
    assert row["subject"] == "'=1+1=x"
    assert (row["action"], row["owner"], row["unit"]) == ("'@SUM(A1)", "'+1", "'＝1")
    assert row["reasons"] == "'-1\n'=2"
    assert (row["mended_when"], row["text_en"], row["text_zh"]) == ("\t'=1", " '=1", "a;'=1")


@given(_text)
def test_nothing_that_is_made_harmless_begins_with_a_formula(text: str) -> None:
    for cell in harmless(text).replace("\t", "\n").replace("\r", "\n").replace(";", "\n").split("\n"):
        assert cell.lstrip()[:1] not in tuple("=+-@＝＋－＠") or not cell.lstrip()


@given(st.lists(_text, min_size=1, max_size=3))
def test_any_text_stays_in_its_cell(texts: list[str]) -> None:
    rows = _rows(findings_csv([_one(title=text, reasons=texts) for text in texts]))
    assert len(rows) == len(texts)
    assert all(None not in row and row["kind"] == "target-missed" for row in rows)


# -- the table -------------------------------------------------------------------------------------


def test_the_table_fits_and_is_aligned() -> None:
    lines = findings_table(findings()).splitlines()
    assert max(columns(line) for line in lines) <= 120
    assert len(lines) == 13
    assert lines[0].split() == ["STATE", "SEVERITY", "ID", "KIND", "GAP", "TITLE", "SUBJECT"]
    start = lines[0].index("TITLE")
    assert lines[1][start:].startswith("CPU busy on mon-02")
    assert "…" in lines[1]


def test_the_state_is_shown_only_where_it_differs() -> None:
    assert "STATE" not in findings_table([f for f in findings() if f.state == "open"])


def test_chinese_takes_two_columns() -> None:
    assert columns("核心 ok") == 7
    text = align(
        [("KIND", "TITLE", "SUBJECT"), ("a", "核心上联超载，且无法告警", "host=a"), ("b", "b", "host=b")], 30
    )
    lines = text.splitlines()
    assert max(columns(line) for line in lines) <= 30
    assert len({columns(line[: line.index("host")]) for line in lines[1:]}) == 1


@given(st.lists(st.tuples(_text, _text, _text), min_size=1, max_size=4), st.integers(40, 120))
def test_no_table_is_wider_than_asked(rows: list[tuple[str, str, str]], width: int) -> None:
    cells = [tuple(printable(cell) for cell in row) for row in rows]
    first = max(columns(row[0]) for row in cells)
    lines = align(cells, width).split("\n")[:-1]
    assert len(lines) == len(rows)
    assert max(columns(line) for line in lines) <= max(width, first + 4 + 16)


def test_a_terminal_is_told_nothing_by_a_tag() -> None:
    hostile = _one(title="\x1b]0;owned\x07\x1b[2J\u202e", subject={"host": "a\nb\x9b31m"})
    for text in (findings_table([hostile]), finding_detail(hostile), finding_detail(hostile, "zh")):
        odd = {c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"}
        assert odd == set()
    assert len(findings_table([hostile]).splitlines()) == 2


def test_the_detail_says_what_it_rests_on() -> None:
    one = next(f for f in findings() if f.kind == "threshold-breached")
    text = finding_detail(one)
    assert "CPU busy on mon-02 above 95 % for 3 h 42 min. In October" in text
    assert "`" not in text
    assert "**" not in text
    for fact in (
        "gap          +2 h 42 min",
        "coverage     99.2 %",
        "plan revision 14",
        "episode",
        "it serves ERP",
    ):
        assert fact in text
    assert "测量覆盖率" in finding_detail(one, "zh")


# -- quantities ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (93.24, "percent", "93.2 %"),
        (100.0, "%", "100 %"),
        (0.0, "percent", "0 %"),
        (1_500_000_000, "bytes", "1.5 GB"),
        (999.6, "bytes", "1 kB"),
        (512, "bytes", "512 B"),
        (72_000_000.0, "bit/s", "72 Mbit/s"),
        (0.184, "s", "0.184 s"),
        (13_320, "s", "3 h 42 min"),
        (90_061, "s", "1 d 1 h"),
        (86_460, "s", "1 d"),
        (1500, "ms", "1.5 s"),
        (-29.0, "percent", "-29 %"),
        (1_234_567.0, "", "1,234,567"),
        (21.34, "°C", "21.3 °C"),
        (None, "percent", ""),
        (float("inf"), "s", "inf"),
    ],
)
def test_quantities_read_as_people_say_them(value: float | None, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_differences_have_a_sign_and_percentages_points() -> None:
    assert quantity(14.2, "percent", signed=True) == "+14.2 pp"
    assert quantity(-14.2, "percent", "zh", signed=True) == "-14.2 个百分点"
    assert quantity(9720, "s", "zh", signed=True) == "+2 小时 42 分钟"
    assert quantity(0.0, "series", signed=True) == "+0 series"


@given(st.floats(0, 1e9))
def test_a_duration_never_claims_more_than_there_is(seconds: float) -> None:
    sizes = {"d": 86_400, "h": 3600, "min": 60, "s": 1}
    words = duration(seconds).split()
    total = sum(float(n) * sizes[u] for n, u in zip(words[::2], words[1::2], strict=True))
    assert total <= seconds * 1.006
    assert seconds - total < 0.05 * seconds + 1


def test_ages() -> None:
    assert age_text(NOW_MS - 12_400, NOW_MS) == "12 s ago"
    assert age_text(NOW_MS - 3 * 3_600_000 - 1, NOW_MS) == "3 h ago"
    assert age_text(NOW_MS + 61_000, NOW_MS) == "in 1 min"
    assert age_text(NOW_MS, NOW_MS) == "just now"
    assert age_text(NOW_MS - 60_000, NOW_MS, "zh") == "1 分钟前"
    assert age_text(None, NOW_MS) == ""
    assert time_text(0) == "1970-01-01T00:00:00Z"
    assert time_text(10**18) == str(10**18)
