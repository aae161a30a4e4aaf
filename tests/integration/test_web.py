"""The API and the page, asked over HTTP."""

from __future__ import annotations

import asyncio
import csv
import html.parser
import io
import re
import signal
import socket
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.store.base import StoreUnavailable
from collector.web import server
from collector.web.app import build_app
from collector.web.server import CannotListen, serve
from collector.web.view import MetricValue, Part, SampleQuery, SeriesQuery
from tests.fake_view import FORMULA, HOSTILE, HOUR, NOW_MS, FakeView
from tests.ports import free_port
from tests.servers import ROOT, dump_dom, wait_until
from tests.web_server import WebServer, web_server

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeView, WebServer, Path]]:
    """One server for all tests: putting an application together takes longer than most of them."""
    view, scratch = FakeView(), tmp_path_factory.mktemp("scratch")
    with web_server(view, scratch=scratch, allowed_hosts=["Setpoint.example:443"]) as server:
        yield view, server, scratch


@pytest.fixture
def view(served: tuple[FakeView, WebServer, Path]) -> FakeView:
    served[0].reset()
    return served[0]


@pytest.fixture
def web(served: tuple[FakeView, WebServer, Path], view: FakeView) -> WebServer:  # noqa: ARG001
    return served[1]


@pytest.fixture
def scratch(served: tuple[FakeView, WebServer, Path]) -> Path:
    return served[2]


def _message(answer: Any, status: int) -> str:
    """The message of an error, which has the one form."""
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json.keys() == {"error"}
    assert answer.json["error"].keys() == {"status", "message"}
    assert answer.json["error"]["status"] == status
    return str(answer.json["error"]["message"])


# -- the API ---------------------------------------------------------------------------------------


def test_health_is_200_or_503(web: WebServer, view: FakeView) -> None:
    answer = web.ask("/healthz")
    assert (answer.status, answer.json["ok"]) == (200, True)
    view.parts["broker"] = Part(False, "no connection to 127.0.0.1:1883")
    answer = web.ask("/healthz")
    assert (answer.status, answer.json["ok"]) == (503, False)
    assert answer.json["parts"]["broker"] == {"ok": False, "detail": "no connection to 127.0.0.1:1883"}


def test_now_can_be_filtered_and_limited(web: WebServer) -> None:
    everything = web.ask("/api/now").json
    assert (everything["total"], len(everything["rows"]), everything["time_ms"]) == (60, 60, NOW_MS)
    assert everything["rows"][0]["state"] == "critical"
    assert everything["rows"][0]["class"] == "technical"
    few = web.ask("/api/now?state=critical&state=warning&limit=1").json
    assert (few["total"], [row["state"] for row in few["rows"]]) == (2, ["critical"])
    assert web.ask("/api/now?host=jump-01&point=host-memory").json["rows"][0]["value"] == 86.4
    assert "高于" in web.ask("/api/now?lang=zh").text


def test_agents_say_whether_they_report(web: WebServer) -> None:
    agents = {row["agent"]["name"]: row for row in web.ask("/api/agents").json["agents"]}
    assert {name: row["presence"] for name, row in agents.items()} == {
        "jump-01": "up", "mon-01": "up", "mon-02": "up", "web-01": "offline", "web-02": "silent",
        HOSTILE: "up",
    }  # fmt: skip
    assert agents["mon-02"]["agent"]["rejected_readings"] == 12


def test_findings_can_be_filtered(web: WebServer) -> None:
    def kinds(query: str) -> list[str]:
        return [f["kind"] for f in web.ask(f"/api/findings?{query}").json["findings"]]

    assert len(kinds("")) == 10
    assert len(kinds("state=all")) == 12
    assert kinds("state=closed") == ["target-missed"]
    assert kinds("severity=critical") == ["threshold-breached", "went-silent"]
    assert len(kinds("severity=critical&severity=warning")) == 7
    assert kinds("kind=clock-skew&kind=went-silent") == ["went-silent", "clock-skew"]
    assert kinds("point=host-cpu&host=db-01") == ["not-measured"]


def test_findings_come_as_csv_for_spreadsheets(web: WebServer) -> None:
    answer = web.ask("/api/findings?format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="findings.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"), newline="")))
    assert len(rows) == 10
    assert not any(cell.startswith(("=", "@", "+")) for row in rows for cell in row.values())


def test_one_finding(web: WebServer, view: FakeView) -> None:
    one = view.all_findings[1]
    assert web.ask(f"/api/findings/{one.id}").json["title"] == one.title
    assert _message(web.ask("/api/findings/nope"), 404) == 'there is no finding "nope"'


def test_series_are_asked_for_by_metric_and_tags(web: WebServer, view: FakeView) -> None:
    answer = web.ask("/api/series?metric=cpu.usage_active&host=mon-01&tag=limit=5&limit=7").json
    assert answer["series"][0]["tags"] == {"host": "mon-01", "cpu": "cpu-total"}
    assert view.queries == [SeriesQuery("cpu", "usage_active", {"host": "mon-01", "limit": "5"}, 7)]


def test_samples_are_asked_for_with_a_span(web: WebServer, view: FakeView) -> None:
    start = NOW_MS - 2 * HOUR
    answer = web.ask(
        f"/api/samples?metric=cpu.usage_active&host=mon-01&start={start}&end=2026-10-03T04:00:00Z&limit=5"
    )
    assert answer.json["subjects"] == [
        {"subject": {"host": "mon-01"}, "samples": [[start, 1.5], [start + 10_000, 2.5]]}
    ]
    assert (answer.json["truncated"], answer.json["end_ms"]) == (False, NOW_MS)
    web.ask("/api/samples?metric=cpu.usage_active")
    assert view.queries == [
        SampleQuery("cpu", "usage_active", {"host": "mon-01"}, start, NOW_MS, 5),
        SampleQuery("cpu", "usage_active", {}, NOW_MS - HOUR, NOW_MS, 1000),
    ]


def test_the_rest_of_the_api_answers(web: WebServer) -> None:
    assert web.ask("/api/plan").json["points"][0]["targets"] == ["p95 at most 70 percent"]
    assert web.ask("/api/rejected?limit=1").json["rejected"][0]["reason"] == "line 3: no fields"
    assert web.ask("/api/collector").json["counters"]["readings_stored"] == 7_225_986


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/now?limit=10001", "limit: Expected `int` <= 10000"),
        ("/api/now?limit=0", "limit: Expected `int` >= 1"),
        ("/api/now?limit=x", "limit: Expected `int`, got `str`"),
        ("/api/now?hots=a", 'unknown query parameter "hots"'),
        ("/api/findings?severity=bad", "severity"),
        ("/api/findings?state=new", "state"),
        ("/api/samples?metric=cpu", "metric: expected measurement.field"),
        ("/api/samples", "metric"),
        ("/api/samples?metric=a.b&start=yesterday", "start: expected ISO 8601"),
        ("/api/samples?metric=a.b&start=5&end=5", "start: expected a time before end"),
        ("/api/samples?metric=a.b&start=0", "expected at most 366 days"),
        ("/api/samples?metric=a.b&start=99999999999999999999999", "start: expected"),
        ("/api/samples?metric=a.b&tag=x", "tag: expected key=value"),
        ("/?refresh=maybe", "refresh"),
    ],
)
def test_what_cannot_be_asked_is_said(web: WebServer, path: str, said: str) -> None:
    assert said in _message(web.ask(path), 400)


def test_errors_have_one_form(web: WebServer) -> None:
    assert "/schema/openapi.json" in _message(web.ask("/nothing/here"), 404)
    assert "GET only" in _message(web.ask("/healthz", method="POST"), 405)


def test_a_broken_program_tells_clients_nothing_of_itself(
    web: WebServer, view: FakeView, caplog: pytest.LogCaptureFixture
) -> None:
    view.broken = RuntimeError("secret in /srv/data/store.duckdb")
    for path in ("/api/findings", "/api/rejected", "/metrics", "/", "/api/backup"):
        answer = web.ask(path)
        assert "log says more" in _message(answer, 500)
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text
    assert "secret in /srv/data" in caplog.text
    page = web.ask("/", BROWSER)
    assert page.status == 500
    assert "secret" not in page.text


def test_a_store_that_is_away_is_503(web: WebServer, view: FakeView) -> None:
    view.broken = StoreUnavailable("/srv/data/store.duckdb: lock")
    assert "/srv" not in _message(web.ask("/api/samples?metric=a.b"), 503)


def test_the_openapi_document_is_all_there_is_of_it(web: WebServer) -> None:
    document = web.ask("/schema/openapi.json").json
    assert "/api/findings/{finding_id}" in document["paths"]
    assert "/" not in document["paths"]
    names = {p["name"] for p in document["paths"]["/api/findings"]["get"]["parameters"]}
    assert names == {"state", "severity", "kind", "point", "host", "format"}
    assert web.ask("/schema").json == document
    assert web.ask("/schema/swagger").status == 404
    for path in ("/schema", "/", "/findings"):
        assert not re.search(r"https?://(?!erp\.example|evil\.example)", web.ask(path).text)


def test_the_documentation_names_every_path_and_metric(web: WebServer) -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    paths = set(web.ask("/schema/openapi.json").json["paths"])
    assert set(re.findall(r"^\| `(/[^`]*)` \|", text, re.MULTILINE)) == paths
    types, _ = _parse(web.ask("/metrics").text)
    assert set(re.findall(r"`(setpoint_collector_\w+)", text)) == set(types)


# -- Prometheus ------------------------------------------------------------------------------------

_SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)')


def _parse(text: str) -> tuple[dict[str, str], dict[tuple[str, str], float]]:
    """Types by name and values by (name, labels), after the rules of format 0.0.4."""
    types: dict[str, str] = {}
    values: dict[tuple[str, str], float] = {}
    current = ""
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            assert current not in types, "a name's lines come together"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current
            assert kind in ("counter", "gauge")
            types[name] = kind
        else:
            match = _SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == current, "a sample stands under its own HELP and TYPE"
            assert (match[1], match[2] or "") not in values
            values[match[1], match[2] or ""] = float(match[3])
    return types, values


def test_metrics_are_what_prometheus_reads(web: WebServer, view: FakeView) -> None:
    view.more_metrics = [
        MetricValue(
            "setpoint_collector_series", "Series\nthat \\ are known.", "gauge", {"host": 'a"b\\c\nd'}, 5
        ),
        MetricValue("setpoint_collector_info", "", "gauge", {"version": "0.1.0"}, 1),
        MetricValue("setpoint_collector_series", "", "gauge", {"host": "z"}, float("inf")),
    ]
    answer = web.ask("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    types, values = _parse(answer.text)
    assert values["setpoint_collector_readings_stored_total", ""] == 7_225_986
    assert types["setpoint_collector_readings_stored_total"] == "counter"
    assert all((kind == "counter") == name.endswith("_total") for name, kind in types.items())
    assert values["setpoint_collector_findings", 'severity="warning"'] == 5
    assert values["setpoint_collector_subjects", 'state="never"'] == 9
    assert values["setpoint_collector_agents", 'presence="up"'] == 4
    assert values["setpoint_collector_series", 'host="a\\"b\\\\c\\nd"'] == 5
    assert values["setpoint_collector_series", 'host="z"'] == float("inf")
    assert "# HELP setpoint_collector_series Series\\nthat \\\\ are known.\n" in answer.text


# -- who may ask -----------------------------------------------------------------------------------


def test_every_answer_carries_the_security_headers(web: WebServer) -> None:
    for path in ("/", "/findings/nope", "/nothing", "/api/now?x=1", "/api/findings?format=csv", "/metrics"):
        headers = web.ask(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; script-src 'none'")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
    assert "max-age" in web.ask("/static/setpoint.css").headers["cache-control"]


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8480", "[::1]:8480", "LOCALHOST.:1", "10.1.2.3", "setpoint.example:8480"]
)
def test_it_answers_to_its_own_names(web: WebServer, host: str) -> None:
    assert web.ask("/api/now", {"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example:8480", "127.0.0.1.evil.example", "", "[evil]", "a@localhost"],
)
def test_it_does_not_answer_to_names_that_were_rebound_to_it(web: WebServer, host: str) -> None:
    for path in ("/", "/api/findings", "/schema/openapi.json", "/static/setpoint.css", "/api/backup"):
        answer = web.ask(path, {"Host": host})
        assert answer.status in (400, 421), path
        assert "mon-01" not in answer.text
    if host:
        assert "web.allowed_hosts" in _message(web.ask("/", {"Host": host}), 421)


def test_a_backup_is_a_tar_that_is_gone_afterwards(web: WebServer, view: FakeView, scratch: Path) -> None:
    answer = web.ask("/api/backup")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-tar"
    assert answer.headers["content-disposition"] == 'attachment; filename="setpoint-backup.tar"'
    assert int(answer.headers["content-length"]) == len(answer.body)
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        assert archive.getnames() == ["store.duckdb"]
    assert view.backups[0].is_relative_to(scratch)
    assert list(scratch.iterdir()) == []


def test_a_backup_that_fails_leaves_nothing(web: WebServer, view: FakeView, scratch: Path) -> None:
    view.broken = OSError("disk full")
    assert web.ask("/api/backup").status == 500
    assert list(scratch.iterdir()) == []
    view.broken = None
    assert web.ask("/api/backup").status == 200


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=10.0.0.1"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_a_backup_is_not_for_others(web: WebServer, view: FakeView, headers: dict[str, str]) -> None:
    assert "own machine only" in _message(web.ask("/api/backup", headers), 403)
    assert view.backups == []


def test_a_backup_is_for_others_where_the_settings_say_so(view: FakeView) -> None:
    with web_server(view, backup_from="anywhere") as web:
        assert web.ask("/api/backup", {"X-Forwarded-For": "10.0.0.1"}).status == 200
    assert not view.backups[0].parent.exists()


# -- the page --------------------------------------------------------------------------------------


class _Page(html.parser.HTMLParser):
    """What the page consists of. AssertionError when elements are not closed, or bring code along."""

    _VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        assert not any(name.startswith("on") or name == "style" for name in values), (
            "the policy forbids these"
        )
        for name in ("href", "src"):
            if name in values:
                self.links.append(values[name] or "")
        if values.get("id"):
            self.ids.append(values["id"] or "")
        if tag not in self._VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def says(self, text: str) -> bool:
        """Whether the text is there, whatever elements it is in."""
        return "".join(text.split()) in "".join(self.text.split())


_PATHS = ("/", "/?lang=zh", "/findings", "/findings?state=all&lang=zh")


def test_the_page_shows_hostile_names_as_text(web: WebServer, view: FakeView) -> None:
    hostile = next(f for f in view.all_findings if f.point == "hostile")
    for path in (*_PATHS, f"/findings/{hostile.id}", f"/findings/{hostile.id}?lang=zh"):
        answer = web.ask(path, BROWSER)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        page = _Page(answer.text)
        assert "script" not in page.tags
        assert HOSTILE in page.text
        assert FORMULA in page.text
        assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in page.links), (
            page.links
        )
        assert len(page.ids) == len(set(page.ids))


def test_every_link_of_the_page_leads_somewhere(web: WebServer, view: FakeView) -> None:
    ids = [f.id for f in view.all_findings if f.point != "hostile"]
    seen: set[str] = set()
    for path in (*_PATHS, *(f"/findings/{number}" for number in ids)):
        seen |= {link for link in _Page(web.ask(path, BROWSER).text).links if not link.startswith("#")}
    assert len(seen) > 20
    assert {link: web.ask(link, BROWSER).status for link in seen} == dict.fromkeys(seen, 200)


def test_the_overview_says_what_there_is(web: WebServer) -> None:
    page = _Page(web.ask("/").text)
    for said in (
        "site hq", "Operations resources, revision 14", "approved by Service quality lead on 2026-10-01",
        "2 critical 5 warning 3 info", "4 up 1 silent 1 offline", "7,225,986",
        "+2 h 42 min", "+14.2 pp", "84.2 %", "97.3 %", "18 Mbit/s", "above 95 % for 5m",
        "20 s ago 2026-10-03T03:59:40Z", "clock off by 6 min 52 s",
    ):  # fmt: skip
        assert page.says(said), said
    assert page.text.index("97.3 %") < page.text.index("86.4 %") < page.text.index("17.9 %")


def test_the_overview_loads_itself_again_until_it_is_paused(web: WebServer) -> None:
    page = web.ask("/?lang=zh").text
    assert '<meta http-equiv="refresh" content="10">' in page
    assert 'href="/?lang=zh&amp;refresh=off"' in page
    paused = web.ask("/?lang=zh&refresh=off").text
    assert "http-equiv" not in paused
    assert 'href="/?lang=zh"' in paused


def test_the_page_speaks_chinese(web: WebServer, view: FakeView) -> None:
    page = web.ask("/?lang=zh").text
    assert '<html lang="zh-CN">' in page
    for said in (
        "未关闭的发现项",
        "采集代理",
        "最新值",
        "严重",
        "高于 95 %、持续 5 分钟",
        "20 秒前",
        "web-02 已停止上报",
    ):
        assert said in page
    one = web.ask(f"/findings/{view.all_findings[1].id}?lang=zh").text
    assert one.index("测量覆盖率 99.2 %") < one.index("Coverage 99.2 %")


def test_a_finding_is_told_in_both_languages_with_its_evidence(web: WebServer, view: FakeView) -> None:
    page = web.ask(f"/findings/{view.all_findings[1].id}").text
    assert "<strong>CPU busy on mon-02 above 95 % for 3 h 42 min.</strong> In October" in page
    for said in (
        "测量覆盖率 99.2 %", "Samples 25,713", "Coverage 99.2 %", "mean 51.2 %", "plan revision 14",
        "the gap is 12 % of the target", "2026-10-01T22:00:00Z – 2026-10-01T23:00:00Z (1 h)",
        "Measured 3 h 42 min Target 1 h Gap +2 h 42 min",
    ):  # fmt: skip
        assert _Page(page).says(said), said
    assert 'href="/api/samples?metric=cpu.usage_active&amp;tag=host%3Dmon-02&amp;start=' in page


def test_the_page_says_what_to_do_when_there_is_nothing(web: WebServer, view: FakeView) -> None:
    view.all_findings, view.all_agents, view.rows = [], [], []
    page = _Page(web.ask("/").text)
    for said in ("No open findings.", "setpoint agents add NAME", "setpoint plan check"):
        assert page.says(said)


def test_the_page_says_when_the_collector_is_not_well(web: WebServer, view: FakeView) -> None:
    assert 'role="alert"' not in web.ask("/").text
    view.parts["store"] = Part(False, "disk full")
    page = web.ask("/").text
    assert 'role="alert"' in page
    assert "disk full" in page


def test_a_browser_is_told_of_an_error_in_a_page(web: WebServer) -> None:
    answer = web.ask("/findings/nope", BROWSER)
    assert answer.status == 404
    assert "there is no finding &#34;nope&#34;" in answer.text
    assert "未找到" in web.ask("/nothing?lang=zh", BROWSER).text


def test_more_than_a_browser_can_show_is_counted(web: WebServer, view: FakeView) -> None:
    view.rows = view.rows * 20
    page = web.ask("/").text
    assert "200 of 1200 shown, worst first" in page
    assert page.count('class="main"') == 200 + 10 + 6


def test_the_page_stands_in_a_real_browser(web: WebServer, tmp_path: Path) -> None:
    dom = dump_dom(f"{web.url}/?refresh=off", tmp_path)
    assert dom.count('class="badge critical"') == 2 + 1 + 2
    assert "&lt;script&gt;alert(" in dom
    assert "<script>" not in dom


# -- the server ------------------------------------------------------------------------------------


def test_a_taken_port_is_said_with_what_to_do(view: FakeView) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen) as caught:
            asyncio.run(serve(build_app(view), "127.0.0.1", port, asyncio.Event()))
    assert caught.value.strerror == f"127.0.0.1:{port} is in use; set web.port in collector.yaml"


def test_an_address_of_another_machine_is_said(view: FakeView) -> None:
    with pytest.raises(
        CannotListen, match=r"192\.0\.2\.1:8480 is no address of this machine; set web\.listen"
    ):
        asyncio.run(serve(build_app(view), "192.0.2.1", 8480, asyncio.Event()))


def test_it_ends_within_a_second_whatever_its_clients_do(view: FakeView) -> None:
    view.samples_take_s = 30
    with web_server(view) as web:
        idle = socket.create_connection(("127.0.0.1", web.port))
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(15) == b"HTTP/1.1 200 OK"
        half = socket.create_connection(("127.0.0.1", web.port))
        half.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
        busy = socket.create_connection(("127.0.0.1", web.port))
        busy.sendall(b"GET /api/samples?metric=a.b HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: view.queries, what="the request is being answered")
        began = time.monotonic()
        web.end()
        assert time.monotonic() - began < 1
        for connection in (idle, half, busy):
            connection.close()


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: local",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /",
        b"POST /api/maintenance HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9\r\n\r\n{",
    ],
    ids=["nothing", "half", "half-of-the-second", "half-a-body"],
)
def test_a_client_that_does_not_finish_its_request_is_not_waited_for(
    view: FakeView, monkeypatch: pytest.MonkeyPatch, asked: bytes
) -> None:
    monkeypatch.setattr(server, "_ASK_WITHIN_S", 0.5)
    with web_server(view) as web, socket.create_connection(("127.0.0.1", web.port), timeout=4) as connection:
        connection.sendall(asked)
        while connection.recv(65_536):
            pass
        assert web.ask("/healthz").status == 200


def test_what_is_being_answered_may_take_its_time(view: FakeView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_ASK_WITHIN_S", 0.2)
    view.samples_take_s = 1
    with web_server(view) as web:
        assert web.ask("/api/samples?metric=a.b").status == 200


def test_it_leaves_signals_to_the_collector(view: FakeView) -> None:
    async def run() -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        stop, ready = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(serve(build_app(view), "127.0.0.1", free_port(), stop, ready))
        await asyncio.wait_for(ready.wait(), 10)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
        stop.set()
        await serving

    asyncio.run(run())


def test_a_server_that_is_cancelled_frees_its_port(view: FakeView) -> None:
    async def run() -> None:
        port, ready = free_port(), asyncio.Event()
        serving = asyncio.create_task(serve(build_app(view), "127.0.0.1", port, asyncio.Event(), ready))
        await asyncio.wait_for(ready.wait(), 10)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        socket.create_server(("127.0.0.1", port)).close()

    asyncio.run(run())
