"""What is kept of refused payloads, and what is remembered of payloads that killed the collector."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from collector.attempts import GIVE_UP_AFTER, Attempts
from collector.rejected import RejectedEntry, RejectedFolder
from tests.servers import ROOT

# -- the folder of what was refused ----------------------------------------------------------------


def entry(n: int = 0, agent: str = "mon-01", reason: str = "a reason") -> RejectedEntry:
    return RejectedEntry(1_790_784_000_123 + n, agent, f"e.{n}.0123456789abcdef", reason, n, 10)


def folder_of(path: Path, *, max_bytes: int = 10**6, max_files: int = 100) -> RejectedFolder:
    return RejectedFolder(path / "rejected", max_bytes=max_bytes, max_files=max_files)


def files(path: Path) -> list[Path]:
    return sorted((path / "rejected").iterdir())


def test_the_file_holds_the_reason_and_then_the_bytes(tmp_path: Path) -> None:
    content = b"\x00 not\nline\nprotocol\xff"
    saved = folder_of(tmp_path).save(entry(7, reason="ungültig"), content)
    assert files(tmp_path) == [saved]
    head, kept = saved.read_bytes().split(b"\n", 1)
    assert kept == content
    assert json.loads(head) == {
        "time_ms": 1_790_784_000_130,
        "agent": "mon-01",
        "batch": "e.7.0123456789abcdef",
        "reason": "ungültig",
        "readings": 7,
        "size": 10,
        "kept": len(content),
    }


def test_of_much_the_first_64_kib_are_kept(tmp_path: Path) -> None:
    content = os.urandom(200_000)
    saved = folder_of(tmp_path).save(entry(), content)
    head, kept = saved.read_bytes().split(b"\n", 1)
    assert kept == content[:65_536]
    assert json.loads(head)["kept"] == 65_536


def test_the_newest_come_first(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    names = [folder.save(entry(n), b"x").name for n in range(5)]
    assert [head["file"] for head in folder.newest(3)] == names[:1:-1]
    assert [head["readings"] for head in folder.newest(100)] == [4, 3, 2, 1, 0]
    assert folder.newest(0) == []
    assert folder.newest(1)[0]["reason"] == "a reason"


def test_past_the_number_of_files_the_oldest_goes(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, max_files=3)
    saved = [folder.save(entry(n), b"x") for n in range(10)]
    assert files(tmp_path) == saved[-3:]
    assert [head["readings"] for head in folder.newest(100)] == [9, 8, 7]


def test_past_the_bytes_the_oldest_goes(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, max_bytes=10_000)
    for n in range(30):
        folder.save(entry(n), b"x" * 3_000)
        assert sum(path.stat().st_size for path in files(tmp_path)) <= 10_000
    assert [head["readings"] for head in folder.newest(100)] == [29, 28, 27]
    # One that is larger than all that is allowed goes at once, and the next one is taken as ever.
    folder.save(entry(30), b"x" * 20_000)
    assert files(tmp_path) == []
    folder.save(entry(31), b"x")
    assert [head["readings"] for head in folder.newest(100)] == [31]


def test_what_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from collector.rejected import RejectedEntry, RejectedFolder\n"
        "folder = RejectedFolder(Path(sys.argv[1]), max_bytes=10**6)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))\n"
        "try: folder.save(RejectedEntry(0, 'a', 'e.1.x', 'r', 1, 5_000), b'x' * 5_000)\n"
        "except OSError: sys.exit(5)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "rejected")], cwd=ROOT, check=False)
    assert done.returncode == 5
    assert files(tmp_path) == []


def test_after_a_restart_the_bounds_and_the_order_still_hold(tmp_path: Path) -> None:
    first = folder_of(tmp_path, max_files=5)
    for n in range(5):
        first.save(entry(n), b"x" * 100)
    again = folder_of(tmp_path, max_files=5)
    assert again.newest(100) == first.newest(100)
    for n in range(5, 8):
        again.save(entry(n), b"x")
    assert [head["readings"] for head in again.newest(100)] == [7, 6, 5, 4, 3]
    bounded = folder_of(tmp_path, max_bytes=500)
    bounded.save(entry(8), b"x")
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 500


def test_what_is_not_ours_in_the_folder_is_let_alone(tmp_path: Path) -> None:
    (tmp_path / "rejected").mkdir()
    note = tmp_path / "rejected" / "README"
    note.write_text("looked at on Monday")
    folder = folder_of(tmp_path, max_files=1)
    for n in range(3):
        folder.save(entry(n), b"x")
    assert note in files(tmp_path)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize(
    "agent",
    [
        *("../../etc/cron.d/evil", "/etc/passwd", "..", "a/b", "", "a\0b", "a\nb", "-rf", "~root"),
        *("telegraf/web/cpu", "x" * 400, "агент", "a b;c|d$e`f", "*", "C:\\windows", "\ud800"),
    ],
)
def test_an_agents_name_does_not_lead_out_of_the_folder(tmp_path: Path, agent: str) -> None:
    folder = folder_of(tmp_path)
    saved = folder.save(entry(agent=agent), b"x")
    assert saved.parent == tmp_path / "rejected"
    assert files(tmp_path) == [saved]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rejected"]
    assert saved.name.isascii()
    assert saved.name.isprintable()
    assert len(saved.name) < 200
    assert not saved.name.startswith(("-", "."))
    [head] = folder.newest(10)
    assert head["agent"] == agent.encode("utf-8", "replace").decode()


def test_topics_and_reasons_of_any_length_are_shown(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    folder.save(entry(agent="\x01" * 65_000, reason="claims the host " + "\x02" * 100_000), b"x")
    [head] = folder.newest(10)
    assert head["reason"].startswith("claims the host \x02\x02")
    assert folder_of(tmp_path).newest(10) == [head]


def test_a_file_that_somebody_removed_or_cut_is_passed_over(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, max_files=4)
    saved = [folder.save(entry(n), b"x") for n in range(4)]
    saved[0].unlink()
    saved[1].write_bytes(b"")
    saved[2].write_bytes(saved[2].read_bytes()[:20])
    assert [head["readings"] for head in folder.newest(10)] == [3]
    for n in range(4, 8):
        folder.save(entry(n), b"x")
    assert [head["readings"] for head in folder.newest(10)] == [7, 6, 5, 4]


# -- attempts --------------------------------------------------------------------------------------


def test_a_batch_is_innocent_until_the_collector_died_of_it(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "attempts.json")
    assert attempts.deaths("a") == 0
    attempts.begin(["a", "b"])
    assert attempts.deaths("a") == 0


def test_every_death_is_counted_until_a_batch_is_done(tmp_path: Path) -> None:
    path = tmp_path / "attempts.json"
    for deaths in range(4):
        attempts = Attempts(path)
        assert [attempts.deaths(key) for key in "abc"] == [deaths, deaths, 0]
        attempts.begin(["a", "b"])
    attempts = Attempts(path)
    assert attempts.deaths("a") > GIVE_UP_AFTER
    attempts.end(["a"])
    assert [attempts.deaths(key) for key in "abc"] == [0, 4, 0]
    again = Attempts(path)
    assert [again.deaths(key) for key in "abc"] == [0, 4, 0]


def test_after_the_end_nothing_is_under_way(tmp_path: Path) -> None:
    path = tmp_path / "attempts.json"
    attempts = Attempts(path)
    attempts.begin(["a", "b"])
    attempts.end(["a", "b"])
    assert Attempts(path).deaths("a") == 0


def test_only_the_last_group_is_suspected(tmp_path: Path) -> None:
    """One by one after the first death: the one that is under way at the second is the culprit."""
    path = tmp_path / "attempts.json"
    Attempts(path).begin(["a", "b", "culprit"])
    second = Attempts(path)
    for key in ("a", "b"):
        assert second.deaths(key) == 1
        second.begin([key])
        second.end([key])
    second.begin(["culprit"])
    third = Attempts(path)
    assert [third.deaths(key) for key in ("a", "b", "culprit")] == [0, 0, GIVE_UP_AFTER]


def test_it_survives_the_kill_of_the_process(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from collector.attempts import Attempts\n"
        "Attempts(Path(sys.argv[1])).begin(['hq/mon-01/e.1.x']); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "attempts.json"
    for _ in range(GIVE_UP_AFTER):
        done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, check=False)
        assert done.returncode == -signal.SIGKILL
    assert Attempts(path).deaths("hq/mon-01/e.1.x") == GIVE_UP_AFTER


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"17",
        b'{"deaths": {"a": "many"}, "under_way": []}',
        b'{"deaths": {"a": null}, "under_way": []}',
        b'{"deaths": ["a"], "under_way": []}',
        b'{"deaths": {}}',
        b'{"deaths": {}, "under_way": 5}',
    ],
)
def test_a_file_that_is_garbled_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "attempts.json"
    path.write_bytes(content)
    attempts = Attempts(path)
    assert attempts.deaths("a") == 0
    attempts.begin(["a"])
    assert Attempts(path).deaths("a") == 1


def test_a_record_that_cannot_be_written_accuses_nobody(tmp_path: Path) -> None:
    path = tmp_path / "attempts.json"
    attempts = Attempts(path)
    attempts.begin(["a"])
    in_the_way = path.with_suffix(".new")
    in_the_way.symlink_to("/dev/full")
    attempts.end(["a"])
    assert Attempts(path).deaths("a") == 0
    attempts.begin(["b"])
    assert Attempts(path).deaths("b") == 1


def test_the_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "attempts.json"
    for group in range(12):
        attempts = Attempts(path)
        attempts.begin([f"{group}-{n}" for n in range(1_000)])
    last = Attempts(path)
    assert last.deaths("11-0") == 1
    assert last.deaths("0-0") == 0
