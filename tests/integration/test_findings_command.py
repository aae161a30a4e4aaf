"""``setpoint findings`` against a server."""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.exports.comma_separated import findings_csv
from collector.exports.json_text import findings_json
from tests.command import Outcome, ask_by_default, run_command
from tests.fake_view import FakeView, findings
from tests.ports import free_port
from tests.web_server import WebServer, web_server


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    with web_server(FakeView()) as server:
        yield server


@pytest.fixture(autouse=True)
def _here(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    ask_by_default(monkeypatch, web.url)


def _run(capfdbinary: pytest.CaptureFixture[bytes], *arguments: str) -> Outcome:
    return run_command(capfdbinary, "findings", *arguments)


def test_list_is_a_table_of_the_open_ones(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = _run(capfdbinary, "list")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("SEVERITY  ID ")
    assert lines[1].startswith("critical  db2b8f8bdba6  threshold-breached  +2 h 42 min  CPU busy on mon-02")
    assert lines[-1] == "10 findings: 2 critical, 5 warning, 3 info"
    assert max(map(len, lines)) <= 120


def test_list_filters(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    _, out, _ = _run(capfdbinary, "list", "--severity", "critical", "--host", "web-02", "--format", "json")
    assert [f["kind"] for f in json.loads(out)["findings"]] == ["went-silent"]
    _, out, _ = _run(capfdbinary, "list", "--state", "all", "--kind", "clock-skew", "--kind", "thin-coverage")
    assert out.splitlines()[-1] == "2 findings: 2 warning"
    assert _run(capfdbinary, "list", "--point", "nope") == (0, "no open findings\n", "")


def test_show_tells_one_finding(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, _ = _run(capfdbinary, "show", "db2b8f8bdba6")
    assert code == 0
    assert "In October so far the 95th percentile was 84.2 %" in out
    assert "gap          +2 h 42 min" in out
    assert _run(capfdbinary, "show", "db2b8")[1] == out
    assert "测量覆盖率" in _run(capfdbinary, "show", "db2b8f8bdba6", "--lang", "zh")[1]
    assert json.loads(_run(capfdbinary, "show", "db2b8", "--format", "json")[1])["id"] == "db2b8f8bdba6"


def test_show_of_what_is_not_there_is_1(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    code, out, err = _run(capfdbinary, "show", "../../etc")
    assert (code, out) == (1, "")
    assert "setpoint findings list --state all" in err
    code, _, err = _run(capfdbinary, "show", "b")
    assert code == 1
    assert 'several ids begin with "b": bad7fb151bd5, ' in err


def test_export_writes_what_the_api_gives(
    capfdbinary: pytest.CaptureFixture[bytes], web: WebServer, tmp_path: Path
) -> None:
    target = tmp_path / "findings.json"
    assert _run(capfdbinary, "export", "--state", "all", "--output", str(target))[0] == 0
    assert target.read_bytes() == findings_json(findings()) == web.ask("/api/findings?state=all").body
    target = tmp_path / "findings.csv"
    _run(capfdbinary, "export", "--state", "all", "--output", str(target))
    assert target.read_bytes() == findings_csv(findings())
    _, out, _ = _run(capfdbinary, "export", "--format", "csv")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 10
    assert sorted(p.name for p in tmp_path.iterdir()) == ["findings.csv", "findings.json"]


def test_export_into_a_folder_that_is_not_there_is_1(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    code, _, err = _run(capfdbinary, "export", "--output", str(tmp_path / "no" / "f.csv"))
    assert code == 1
    assert "cannot be written" in err


def test_no_collector_is_3_and_says_what_to_do(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, out, err = _run(capfdbinary, "list", "--url", url)
    assert (code, out) == (3, "")
    for said in (url, "setpoint up", "SETPOINT_URL"):
        assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello",
        b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"findings":[{}]}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"",
    ],
)
def test_somebody_else_on_the_port_is_3(capfdbinary: pytest.CaptureFixture[bytes], answer: bytes) -> None:
    def give() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=give, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        code, out, err = _run(capfdbinary, "list", "--url", url)
        thread.join(10)
    assert (code, out) == (3, "")
    assert "no collector" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [["list", "--severity", "bad"], ["list", "--url", "localhost"], ["explain"], ["show", ""], []],
)
def test_a_wrong_command_line_is_2(capfdbinary: pytest.CaptureFixture[bytes], arguments: list[str]) -> None:
    code, out, err = _run(capfdbinary, *arguments)
    assert (code, out) == (2, "")
    assert err


def test_help_tells_the_exit_codes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for arguments in (["--help"], ["list", "--help"], ["export", "--help"]):
        code, out, _ = _run(capfdbinary, *arguments)
        assert code == 0
        assert "3  no collector answers" in out
