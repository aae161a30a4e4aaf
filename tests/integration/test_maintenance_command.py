"""``setpoint maintenance`` against a collector's API, and who else may use it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.register import Register
from setpoint.__main__ import main
from tests.command import ask_by_default
from tests.fake_view import HOUR, NOW_MS, FakeView
from tests.ports import free_port
from tests.web_server import WebServer, web_server


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    register = Register(tmp_path / "register.db")
    yield register
    register.close()


@pytest.fixture
def web(register: Register, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    with web_server(FakeView(), register=register) as server:
        ask_by_default(monkeypatch, server.url)
        yield server


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["maintenance", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def send(web: WebServer, path: str, body: Any, **headers: str) -> tuple[int, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(web.url + path, data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]["message"]


@pytest.mark.usefixtures("web")
def test_maintenance_is_entered_listed_and_ended(
    register: Register, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "add", "sw-core-1", "2h", "--reason", "New firmware")
    assert (code, err) == (0, "")
    # The plan of the site is in Asia/Shanghai.
    assert out == "   1  2026-10-03 12:00 to 2026-10-03 14:00  sw-core-1  New firmware\n"
    code, later, _ = run(capsys, "add", "web-*", "30m", "--reason", "Updates", "--from", "2026-10-04 22:00")
    assert (code, later) == (0, "   2  2026-10-04 22:00 to 2026-10-04 22:30  web-*  Updates\n")
    assert run(capsys, "list") == (0, out + later, "")
    [first, second] = register.maintenance()
    assert (first.from_ms, first.to_ms, first.added_ms) == (NOW_MS, NOW_MS + 2 * HOUR, NOW_MS)
    assert first.maintenance().concerns({"device": "sw-core-1"})
    assert second.maintenance().concerns({"host": "web-7"})
    assert run(capsys, "end", "2")[1] == "   2  2026-10-04 22:00 to 2026-10-04 22:00  web-*  Updates\n"
    assert run(capsys, "list") == (0, out, "")
    assert len(run(capsys, "list", "--all")[1].splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("add", "a", "soon", "--reason", "x"), 2,
         'DURATION: expected a duration such as "10s", "5m" or "7d", got "soon"'),
        (("add", "a", "1h", "--reason", "x", "--from", "noon"), 2,
         '--from: expected a local time such as 2026-10-03 22:00, got "noon"'),
        (("add", "a", "1h", "--reason", " "), 1, "reason"),
        (("add", "a", "9999d", "--reason", "x"), 1, "duration_ms"),
        (("end", "7"), 1, "there is no maintenance 7"),
        (("list", "--url", "here"), 2, '--url: expected one such as http://127.0.0.1:8480, got "here"'),
        (("list", "--url", f"http://127.0.0.1:{free_port()}"), 3, "no collector answers"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("web")
def test_what_cannot_be_done_is_said(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, message: str
) -> None:
    found, out, err = run(capsys, *arguments)
    assert (found, out) == (code, "")
    assert err.startswith("setpoint maintenance: ")
    assert message in err


def test_what_is_over_cannot_be_ended(web: WebServer, register: Register) -> None:
    register.add_maintenance("a", "x", NOW_MS - HOUR, NOW_MS, NOW_MS)
    assert send(web, "/api/maintenance/1/end", {}) == (409, "maintenance 1 is over")


def test_others_may_look_and_not_enter(web: WebServer, register: Register) -> None:
    asked = {"hosts": "*", "reason": "x", "duration_ms": HOUR}
    for headers in (
        {"X-Forwarded-For": "10.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Content-Type": "text/plain"},
    ):
        assert send(web, "/api/maintenance", asked, **headers)[0] in (400, 403)
        assert send(web, "/api/maintenance/1/end", {}, **headers)[0] in (400, 403)
    assert register.maintenance() == []
    assert send(web, "/api/maintenance", {**asked, "host": "a"})[0] == 400
    assert send(web, "/api/maintenance", asked)[0] == 201
    assert web.ask("/api/maintenance", {"X-Forwarded-For": "10.0.0.1"}).json["maintenance"][0]["hosts"] == "*"


def test_what_is_nested_too_deeply_is_a_mistake_of_who_asks(
    web: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(web, "/api/maintenance", b"[" * 60_000) == (400, "what was sent is nested too deeply")
    assert not caplog.records
