"""A running collector's data as one file, and back."""

from __future__ import annotations

import http.server
import io
import json
import re
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from setpoint.__main__ import main
from tests.end_to_end.site import CollectorProcess, NumberedAgent, numbers_by_count, setpoint, write_collector
from tests.ports import free_port
from tests.servers import Login, Mosquitto, wait_until

NOBODY = Login(None, None)


def get(collector: CollectorProcess, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{collector.port}{path}", timeout=30) as answer:
        return json.load(answer)


def stored(collector: CollectorProcess) -> int:
    return int(get(collector, "/api/collector")["counters"]["readings_stored"])


def findings(collector: CollectorProcess) -> dict[str, int]:
    """When each open finding was first seen."""
    return {f["id"]: f["first_seen_ms"] for f in get(collector, "/api/findings")["findings"]}


def test_a_backup_of_a_busy_collector_is_put_back_elsewhere(mosquitto: Mosquitto, tmp_path: Path) -> None:
    original = CollectorProcess(tmp_path / "one", NOBODY, mosquitto.port)
    agent = NumberedAgent(tmp_path / "agent", NOBODY, mosquitto.port, until=10**6, rate=3_000)
    url = f"http://127.0.0.1:{original.port}"
    file = tmp_path / "backup.tar"
    with original, agent:
        wait_until(lambda: findings(original), timeout_s=30, what="the first review")
        known, before = findings(original), stored(original)
        made = setpoint("backup", file, "--url", url)
        assert (made.returncode, made.stderr) == (0, "")
        assert made.stdout == f"{file}: {file.stat().st_size:,} bytes\n"
        after = stored(original)
        wait_until(lambda: stored(original) > after, what="readings go on arriving")
    # The copy on another machine: no broker there, other names.
    other = CollectorProcess(tmp_path / "two", NOBODY, free_port())
    config = tmp_path / "two/collector.yaml"
    restored = setpoint("restore", file, "--config", config)
    assert restored.stderr == ""
    assert restored.stdout == f"{other.data} holds what {file} held\n"
    assert sorted(path.name for path in other.data.iterdir()) == ["register.db", "rollups.db", "store.duckdb"]
    with other:
        assert findings(other).items() >= known.items()
        refused = setpoint("restore", file, "--config", config)
        assert refused.returncode == 1
        assert refused.stderr == (
            f"setpoint restore: {other.data}/store.duckdb is in use; stop the collector first\n"
        )
        assert findings(other).items() >= known.items()
    numbers = numbers_by_count(other)
    assert set(numbers.values()) == {1}
    assert sorted(numbers) == list(range(len(numbers)))
    # The collector's readings of itself are counted, too.
    assert before - 1_000 < len(numbers) < stored_numbers(original)
    # Over what is there, which is kept aside.
    again = setpoint("restore", file, "--config", config)
    [aside] = other.data.glob("before-restore-*")
    assert re.fullmatch(r"before-restore-\d{8}T\d{6}Z", aside.name)
    assert again.stdout == (f"{other.data} holds what {file} held\nwhat was there before is in {aside}\n")
    assert {"register.db", "store.duckdb"} <= {path.name for path in aside.iterdir()}
    assert numbers_by_count(other) == numbers


def stored_numbers(collector: CollectorProcess) -> int:
    return len(numbers_by_count(collector))


# -- what is no backup -----------------------------------------------------------------------------


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"x") -> Any:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    return info, content


def archive(*members: Any) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return buffer.getvalue()


STORE, REGISTER = member("store.duckdb"), member("register.db")
HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing in it": lambda: archive(),
    "a part is missing": lambda: archive(STORE),
    "one too many": lambda: archive(STORE, REGISTER, member("more")),
    "out of the folder": lambda: archive(STORE, REGISTER, member("../evil")),
    "out of the folder instead": lambda: archive(member("../store.duckdb"), REGISTER),
    "an absolute name": lambda: archive(STORE, REGISTER, member("/tmp/evil")),
    "a symbolic link": lambda: archive(STORE, member("register.db", tarfile.SYMTYPE, "/etc/passwd")),
    "a hard link": lambda: archive(STORE, member("register.db", tarfile.LNKTYPE, "store.duckdb")),
    "a link, then a file": lambda: archive(
        member("store.duckdb", tarfile.SYMTYPE, "../evil"), STORE, REGISTER
    ),
    "a directory": lambda: archive(STORE, member("register.db", tarfile.DIRTYPE)),
    "a device": lambda: archive(STORE, member("register.db", tarfile.CHRTYPE)),
    "twice the same": lambda: archive(STORE, REGISTER, REGISTER),
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A collector's configuration, in a folder of its own; its data folder holds something."""
    config = write_collector(tmp_path / "site", NOBODY, 1, web_port=1)
    data = tmp_path / "site/collector"
    data.mkdir()
    (data / "register.db").write_text("as it was")
    return config


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_backup_is_refused_and_changes_nothing(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    file = tmp_path / "hostile.tar"
    file.write_bytes(HOSTILE[kind]())
    before = tree(tmp_path)
    assert main(["restore", str(file), "--config", str(site)]) == 1
    assert capsys.readouterr() == (
        "",
        f"setpoint restore: {file} is no backup: expected store.duckdb and register.db in it\n",
    )
    assert tree(tmp_path) == before


@pytest.mark.parametrize("size", [0, 100, 700, 5_000])
def test_a_file_that_is_cut_short_or_no_tar_at_all_is_refused(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    file = tmp_path / "cut.tar"
    whole = archive(member("store.duckdb", content=b"s" * 4_000), member("register.db", content=b"r" * 4_000))
    file.write_bytes(whole[:size])
    before = tree(tmp_path)
    assert main(["restore", str(file), "--config", str(site)]) == 1
    assert capsys.readouterr().err.startswith("setpoint restore: ")
    assert tree(tmp_path) == before


def test_a_file_that_is_not_there_is_named(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["restore", str(tmp_path / "none.tar"), "--config", str(site)]) == 1
    assert capsys.readouterr().err == (
        f"setpoint restore: [Errno 2] No such file or directory: '{tmp_path}/none.tar'\n"
    )


# -- making one ------------------------------------------------------------------------------------


def test_no_collector_no_backup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert main(["backup", str(tmp_path / "b.tar"), "--url", url]) == 3
    assert capsys.readouterr() == (
        "",
        f"setpoint backup: no collector answers at {url}: [Errno 111] Connection refused\n",
    )
    assert list(tmp_path.iterdir()) == []


class _Breaks(http.server.BaseHTTPRequestHandler):
    """Promises more than it sends, as a collector does that is killed meanwhile."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "100000")
        self.end_headers()
        self.wfile.write(b"x" * 70_000)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def breaking_server() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), _Breaks) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_backup_that_breaks_off_is_no_backup(
    breaking_server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "b.tar"
    file.write_text("the last good one")
    assert main(["backup", str(file), "--url", breaking_server]) == 1
    assert capsys.readouterr() == (
        "",
        "setpoint backup: the collector broke off after 70,000 of 100,000 bytes; nothing was kept\n",
    )
    assert tree(tmp_path) == {"b.tar": b"the last good one"}
