"""The outbox on a real disk."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import outbox as outbox_module
from agent.outbox import Outbox
from agent.outbox_file import OutboxError
from agent.outbox_owner import Owner

OWNER = Owner("hq", "mon-01", "m" * 32)


def opened(folder: Path, *, max_bytes: int = 1_000_000, max_age_ms: int = 0, ballast: int = 0) -> Outbox:
    outbox = Outbox(folder, max_bytes=max_bytes, max_age_ms=max_age_ms, ballast_bytes=ballast)
    outbox.open()
    outbox.bind(OWNER)
    return outbox


def bodies(outbox: Outbox, oldest: int = 100, newest: int = 0) -> list[bytes]:
    return [b.body for b in outbox.next_batches(oldest, newest)]


def test_what_was_appended_is_there_after_reopening(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.append(b"one", 1)
    first.append(b"two", 2)
    ids = [b.id for b in first.next_batches(9, 0)]
    first.close()
    again = opened(tmp_path)
    assert [b.id for b in again.next_batches(9, 0)] == ids
    assert bodies(again) == [b"one", b"two"]
    assert again.depth().batches == 2


def test_an_append_survives_the_kill_of_the_process(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from agent.outbox import Outbox\n"
        "o = Outbox(Path(sys.argv[1]), max_bytes=10**6, max_age_ms=0, ballast_bytes=0); o.open()\n"
        "o.append(b'kept', 1); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, check=False)
    assert done.returncode == -9
    assert bodies(opened(tmp_path)) == [b"kept"]


def test_every_start_has_an_epoch_of_its_own(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.append(b"a", 1)
    first.close()
    second = opened(tmp_path)
    second.append(b"b", 1)
    one, two = second.next_batches(9, 0)
    assert one.epoch != two.epoch
    assert (one.sequence, two.sequence) == (1, 1)


def test_a_step_of_the_clock_begins_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = opened(tmp_path)
    outbox.append(b"a", 1)
    real = time.time
    for step in (3600.0, -7200.0):
        monkeypatch.setattr(outbox_module.time, "time", lambda step=step: real() + step)
        outbox.append(b"x", 1)
        outbox.append(b"y", 1)
    batches = outbox.next_batches(9, 0)
    assert len({b.epoch for b in batches}) == 3
    assert [b.sequence for b in batches] == [1, 1, 2, 1, 2]
    assert outbox.clock_steps == 2


def test_low_is_the_lowest_unacked_sequence_of_the_same_epoch(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    for number in range(5):
        outbox.append(b"%d" % number, 1)
    batches = outbox.next_batches(9, 0)
    outbox.remove({batches[0].id: 0, batches[1].id: 0, batches[3].id: 0})
    assert [(b.sequence, b.low) for b in outbox.next_batches(9, 0)] == [(3, 3), (5, 3)]


def test_an_ack_for_another_body_removes_nothing(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.append(b"mine", 1)
    batch = outbox.next_batches(1, 0)[0]
    assert outbox.remove({f"{batch.epoch}.{batch.sequence}.{'0' * 16}": 0, "nonsense": 0, "a.b.c": 0}) == []
    assert outbox.remove({batch.id: 0}) == [batch.n]
    assert outbox.depth().batches == 0


@pytest.mark.parametrize("sequence", ["9" * 18, "9" * 19, "9" * 5_000, "\u0663", "-1", ""])
def test_an_ack_whose_sequence_is_no_number_of_ours_removes_nothing(tmp_path: Path, sequence: str) -> None:
    outbox = opened(tmp_path)
    outbox.append(b"mine", 1)
    batch = outbox.next_batches(1, 0)[0]
    assert outbox.remove({f"{batch.epoch}.{sequence}.{batch.hash}": 0, batch.id: 0}) == [batch.n]


def test_refused_readings_are_counted_once(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.append(b"a", 7)
    batch = outbox.next_batches(1, 0)[0]
    outbox.remove({batch.id: 3})
    outbox.remove({batch.id: 3})
    outbox.close()
    assert opened(tmp_path).depth().rejected_readings == 3


def test_the_newest_get_their_share_behind_a_backlog(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    for number in range(20):
        outbox.append(b"%d" % number, 1)
    assert bodies(outbox, 3, 2) == [b"0", b"1", b"2", b"18", b"19"]
    in_flight = [b.n for b in outbox.next_batches(3, 2)]
    assert [b.body for b in outbox.next_batches(1, 1, skip=in_flight)] == [b"3", b"17"]


def test_a_full_outbox_drops_the_oldest_and_counts_them(tmp_path: Path) -> None:
    outbox = opened(tmp_path, max_bytes=3000)
    for number in range(5):
        outbox.append(bytes([number]) * 1000, 10)
    assert [b[0] for b in bodies(outbox)] == [2, 3, 4]
    outbox.close()
    assert opened(tmp_path).depth().dropped_readings == 20


def test_age_counts_only_on_a_clock_that_has_been_steady(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = opened(tmp_path, max_age_ms=1)
    outbox.append(b"old", 1)
    time.sleep(0.01)
    outbox.append(b"new", 1)
    assert bodies(outbox) == [b"old", b"new"]
    monkeypatch.setattr(outbox_module, "_STEADY_CLOCK_S", -1.0)
    time.sleep(0.01)
    outbox.append(b"newest", 1)
    assert bodies(outbox) == [b"newest"]
    assert outbox.depth().dropped_readings == 2


def test_a_second_process_is_told_that_the_outbox_is_in_use(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.append(b"a", 1)
    other = Outbox(tmp_path, max_bytes=1, max_age_ms=0, ballast_bytes=0)
    with pytest.raises(OutboxError, match="in use by another process"):
        other.open()


@pytest.mark.parametrize(
    "other",
    [
        Owner("hq", "mon-02", OWNER.machine),
        Owner("branch", "mon-01", OWNER.machine),
        Owner("hq", "mon-01", "f" * 32),
    ],
)
def test_an_outbox_with_anothers_batches_is_refused(tmp_path: Path, other: Owner) -> None:
    outbox = opened(tmp_path)
    outbox.append(b"a", 1)
    outbox.close()
    again = Outbox(tmp_path, max_bytes=1000, max_age_ms=0, ballast_bytes=0)
    assert again.open() == OWNER
    with pytest.raises(OutboxError) as caught:
        again.bind(other)
    assert 'holds 1 unsent batches of agent "mon-01" of site "hq"' in str(caught.value)
    assert "`setpoint agent drain`" in str(caught.value)
    assert again.discard() == 1
    again.bind(other)


def test_an_empty_outbox_follows_a_new_name(tmp_path: Path) -> None:
    opened(tmp_path).close()
    again = Outbox(tmp_path, max_bytes=1000, max_age_ms=0, ballast_bytes=0)
    again.open()
    again.bind(Owner("hq", "mon-02", OWNER.machine))
    again.close()
    last = Outbox(tmp_path, max_bytes=1000, max_age_ms=0, ballast_bytes=0)
    assert last.open() == Owner("hq", "mon-02", OWNER.machine)


def test_something_else_than_a_database_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database, but long enough to be looked at" * 50)
    with pytest.raises(OutboxError, match=r"outbox\.db cannot be opened: file is not a database"):
        opened(tmp_path)


def test_a_damaged_outbox_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    for number in range(40):
        outbox.append(b"%04d" % number * 500, 1)
    outbox.close()
    file = tmp_path / "outbox.db"
    with file.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xa5" * (file.stat().st_size - 4096))
    with pytest.raises(OutboxError, match=r"outbox\.db cannot be opened: .*malformed\. Move it away"):
        opened(tmp_path)
