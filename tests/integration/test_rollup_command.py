"""``setpoint rollup`` and its API against a server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from collector.rollups.progress import PointProgress, RollupProgress
from collector.store.base import StoreUnavailable
from setpoint.__main__ import main
from tests.fake_view import HOUR, NOW_MS, FakeView
from tests.ports import free_port
from tests.web_server import WebServer, web_server

DONE_MS = NOW_MS - NOW_MS % HOUR


@pytest.fixture(scope="module")
def view() -> FakeView:
    return FakeView()


@pytest.fixture(scope="module")
def web(view: FakeView) -> Iterator[WebServer]:
    with web_server(view) as server:
        yield server


@pytest.fixture(autouse=True)
def _here(web: WebServer, view: FakeView, monkeypatch: pytest.MonkeyPatch) -> None:
    view.reset()
    view.rollup_progress = [progress(0)]
    monkeypatch.setenv("SETPOINT_URL", web.url)


def progress(left: int, *, late: int = 0, error: str = "") -> RollupProgress:
    points = [
        PointProgress("host-cpu", "CPU busy", DONE_MS - 48 * HOUR, DONE_MS - left * HOUR, left),
        PointProgress("hits", "Hit rate of spare parts", None, None, 0, kept=False),
        PointProgress("new", "Just planned", None, None, 0),
    ]
    return RollupProgress(hours_left=left, late_hours=late, points=points, error=error)


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the command."""
    code = main(["rollup", *arguments])
    return code, *capfd.readouterr()


def test_each_point_has_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["POINT", "FROM", "UNTIL", "HOURS", "LEFT", "TITLE"]
    assert (lines[1][0], lines[1][-3:]) == ("host-cpu", ["0", "CPU", "busy"])
    assert lines[2][:5] == ["hits", "-", "-", "from", "samples"]
    assert lines[3][:4] == ["new", "-", "-", "-"]
    assert out.splitlines()[-1] == "all hours that are over are rolled up"


def test_what_is_left_is_counted(capfd: pytest.CaptureFixture[str], view: FakeView) -> None:
    view.rollup_progress = [progress(7, late=2)]
    _, out, _ = run(capfd)
    assert out.splitlines()[-1] == "7 hours are left; 2 wait to be rolled up again, since samples came late"


def test_json_is_what_the_collector_says(capfd: pytest.CaptureFixture[str], web: WebServer) -> None:
    _, out, _ = run(capfd, "--format", "json")
    assert json.loads(out) == web.ask("/api/rollups").json
    assert json.loads(out)["points"][0]["until_ms"] == DONE_MS


def test_waiting_ends_when_nothing_is_left(capfd: pytest.CaptureFixture[str], view: FakeView) -> None:
    view.rollup_progress = [progress(3), progress(0)]
    code, out, err = run(capfd, "--wait")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "all hours that are over are rolled up"
    assert len(view.rollup_progress) == 1


def test_why_nothing_is_rolled_up_is_said(capfd: pytest.CaptureFixture[str], view: FakeView) -> None:
    view.rollup_progress = [progress(3, error="rolling up failed: disk full")]
    for arguments in ((), ("--wait",)):
        code, _, err = run(capfd, *arguments)
        assert (code, err) == (1, "setpoint rollup: rolling up failed: disk full\n")


def test_a_file_that_cannot_be_read_is_said(capfd: pytest.CaptureFixture[str], view: FakeView) -> None:
    view.broken = StoreUnavailable("rollups.db: disk I/O error")
    code, _, err = run(capfd)
    assert code == 3
    assert "the store does not answer now" in err


def test_nobody_there_is_told(capfd: pytest.CaptureFixture[str], web: WebServer) -> None:
    code, _, err = run(capfd, "--url", f"http://127.0.0.1:{free_port()}")
    assert code == 3
    assert "no collector answers" in err
    assert web.ask("/api/rollups?x=1").status == 400
