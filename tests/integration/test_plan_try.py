"""``setpoint plan try``: over a store, over the API, on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from collector.agents import Agents
from collector.plan_try import MOST_SAMPLES, CannotTry, PlanTry, Tried, TryQuery, UnknownPoint
from collector.register import Revision
from setpoint.__main__ import main
from setpoint.limits import Comparison
from setpoint.plan_load import parse_plan
from tests.fake_view import FakeView
from tests.four_weeks import DAY, MINUTE, PER_DAY, START, WINDOW, FourWeeks, daily
from tests.ports import free_port
from tests.web_server import WebServer, web_server

PLAN = """
plan: Test
revision: 1
timezone: UTC
calendars:
  mornings: {{weekly: "Mon-Sun 00:00-06:00"}}
points:
  - {{id: wait, title: Wait, metric: app.wait, expect: {{host: "*", every: 10m}}, unit: ms, {levels}}}
  - id: mornings
    metric: app.wait
    when: mornings
    expect: {{every: 10m}}
    critical: {{above: 65}}
"""


class Trying:
    def __init__(self, folder: Path) -> None:
        self.site = FourWeeks(folder)
        for number, host in enumerate(("web-1", "web-2")):
            values = daily(number)
            values[12 * PER_DAY : 12 * PER_DAY + 6 * (number + 1)] = 130
            self.site.measured(host, values)

    def replay(
        self,
        levels: str = "warning: {above: 60}, critical: {above: 65}",
        point: str = "wait",
        *,
        warning: Comparison | None = None,
        critical: Comparison | None = None,
        host: str | None = None,
        end_ms: int = WINDOW.end_ms,
    ) -> Tried:
        plan = parse_plan(PLAN.format(levels=levels))
        site = self.site
        # History counts from before the plan.
        approved = Revision(plan.hash, 1, "", "", plan.text, START + 20 * DAY)
        site.register.activate(approved, {p.id: p.definition_hash for p in plan.points})
        tags = {"host": host} if host else {}
        return PlanTry(plan, site.store, site.series, Agents(), site.register).replay(
            TryQuery(point, warning, critical, tags, START, end_ms)
        )


@pytest.fixture
def trying(tmp_path: Path) -> Iterator[Trying]:
    trying = Trying(tmp_path)
    yield trying
    trying.site.close()


def test_present_and_tried_episodes_stand_side_by_side(trying: Trying) -> None:
    tried = trying.replay(critical=Comparison(high=100, for_ms=60 * MINUTE))
    by_host = {row.subject["host"]: row for row in tried.subjects}
    assert set(by_host) == {"web-1", "web-2"}
    one = by_host["web-1"]
    assert one.present["critical"].episodes >= 30
    assert one.tried["critical"].level == "above 100 ms for 1h"
    assert one.tried["critical"].longest == [(START + 12 * DAY, START + 12 * DAY + 60 * MINUTE)]
    # A level that is not given stays as it is.
    assert one.tried["warning"] == one.present["warning"]
    assert one.high == 130


def test_the_present_setting_tried_is_the_present_setting(trying: Trying) -> None:
    tried = trying.replay(warning=Comparison(high=60), critical=Comparison(high=65))
    assert all(row.present == row.tried for row in tried.subjects)


def test_only_the_subjects_that_are_asked_for(trying: Trying) -> None:
    tried = trying.replay(critical=Comparison(high=100), host="web-2")
    assert [row.subject["host"] for row in tried.subjects] == ["web-2"]
    with pytest.raises(CannotTry, match="no subject"):
        trying.replay(critical=Comparison(high=100), host="web-3")


def test_a_calendar_counts_as_it_does_in_reviews(trying: Trying) -> None:
    tried = trying.replay(point="mornings", critical=Comparison(high=100))
    assert {row.present["critical"].episodes for row in tried.subjects} == {1}


def test_what_cannot_be_tried_is_refused(trying: Trying) -> None:
    with pytest.raises(UnknownPoint, match='no point "waits"'):
        trying.replay(point="waits", critical=Comparison(high=100))
    with pytest.raises(CannotTry, match="beyond the critical one"):
        trying.replay(warning=Comparison(high=70))
    with pytest.raises(CannotTry, match="ask for a shorter period"):
        trying.replay(critical=Comparison(high=100), end_ms=START + MOST_SAMPLES * 10 * MINUTE)


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    with web_server(FakeView()) as server:
        yield server


def asked(web: WebServer, **query: str) -> tuple[int, str]:
    answer = web.ask(f"/api/plan/try?{urlencode(query)}")
    return answer.status, answer.text


def test_the_api_answers_and_refuses_by_name(web: WebServer) -> None:
    status, text = asked(web, point="host-cpu", critical='{"high": 90, "for_ms": 600000}', host="mon-01")
    assert status == 200
    assert json.loads(text)["subjects"][0]["tried"]["critical"]["episodes"] == 3
    assert asked(web, point="nobody", critical='{"high": 90}')[0] == 404
    for level in (
        "90",
        '{"high": 90, "equal": 1}',
        "{}",
        '{"high": 1, "low": 2}',
        '{"high": 1, "for_ms": -1}',
    ):
        status, text = asked(web, point="host-cpu", critical=level)
        assert (status, "critical: expected" in text) == (400, True), level
    assert asked(web, point="host-cpu")[0] == 400


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(["plan", "try", *arguments])
    except SystemExit as ended:
        code = int(ended.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_shows_a_table_and_the_episodes(
    web: WebServer, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--point", "host-cpu", "--critical", "above: 95", "--period", "7d", "--url", web.url)
    code, out, err = run(capsys, *arguments, "--subject", "host=mon-01")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("CPU busy (host-cpu), ")
    assert lines[2].startswith("LEVEL     PRESENT           EPISODES  TIME  LONGEST  TRIED ")
    assert lines[3].startswith("critical  above 95 percent  3         1h    30m")
    assert "present: 3 episodes of 1 of 1 subjects" in lines
    assert "  and 2 shorter ones" in lines


def test_the_command_gives_json(web: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--point", "host-cpu", "--warning", "{outside: [1, 2], for: 5m}", "--url", web.url, "--json")
    code, out, _ = run(capsys, *arguments)
    assert code == 0
    assert json.loads(out)["point"] == "host-cpu"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--point", "x"], "expected --critical or --warning"),
        (["--point", "x", "--critical", "over: 90"], "over"),
        (["--point", "x", "--critical", "above: 90, below: 1"], "exactly one"),
        (["--point", "x", "--critical", "above: ${HOME}"], "--critical"),
        (["--point", "x", "--critical", "above: 9", "--period", "long"], "--period: expected a duration"),
        (["--point", "x", "--critical", "above: 9", "--subject", "mon-01"], "--subject: expected a tag"),
        (["--point", "nobody", "--critical", "above: 9"], 'no point "nobody"'),
    ],
)
def test_the_command_says_what_is_wrong(
    web: WebServer, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    code, out, err = run(capsys, *arguments, "--url", web.url)
    assert (code, out) == (2, "")
    assert told in err


def test_no_collector_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, _, err = run(capsys, "--point", "x", "--critical", "above: 9", "--url", url)
    assert code == 3
    assert "no collector answers" in err
