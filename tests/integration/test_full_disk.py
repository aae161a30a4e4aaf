"""The outbox on a disk that is really full: a small tmpfs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.outbox import Outbox
from agent.outbox_owner import Owner
from tests.small_disk import mounted_disk

OWNER = Owner("hq", "mon-01", "")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted_disk(tmp_path / "disk", "4m") as folder:
        yield folder


def opened(folder: Path) -> Outbox:
    outbox = Outbox(folder, max_bytes=100_000_000, max_age_ms=0, ballast_bytes=512 * 1024)
    outbox.open()
    outbox.bind(OWNER)
    return outbox


def fill(disk: Path) -> Path:
    """Fills the disk to its last byte; the file that does."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler


def test_on_a_full_disk_the_oldest_go_and_the_newest_stay(small_disk: Path) -> None:
    outbox = opened(small_disk)
    body = os.urandom(40_000)
    for number in range(150):  # 6 MB onto a disk of 4 MB
        assert outbox.append(number.to_bytes(2, "big") + body, 10)
    kept = [int.from_bytes(b.body[:2], "big") for b in outbox.next_batches(1000, 0)]
    assert kept == list(range(150 - len(kept), 150))
    assert len(kept) > 40
    assert outbox.depth().dropped_readings == 10 * (150 - len(kept))
    outbox.close()
    again = opened(small_disk)
    assert again.depth().batches == len(kept)
    assert again.depth().dropped_readings == 10 * (150 - len(kept))


def test_a_disk_that_others_filled_still_takes_acks_and_then_batches(small_disk: Path) -> None:
    outbox = opened(small_disk)
    body = os.urandom(40_000)
    for _ in range(15):
        outbox.append(body, 1)
    filler = fill(small_disk)
    ids = {b.id: 0 for b in outbox.next_batches(10, 0)}
    assert len(outbox.remove(ids)) == 10
    for _ in range(40):
        outbox.append(body, 1)
    depth = outbox.depth()
    assert depth.batches + depth.dropped_readings == 45
    filler.unlink()
    before = outbox.depth().dropped_readings
    for _ in range(5):
        assert outbox.append(body, 1)
    assert outbox.depth().dropped_readings == before
    assert (small_disk / "outbox.ballast").stat().st_size == 512 * 1024


def test_on_a_disk_without_a_byte_and_without_ballast_it_waits(small_disk: Path) -> None:
    outbox = opened(small_disk)
    for _ in range(3):
        outbox.append(b"x", 1)
    outbox.close()
    (small_disk / "outbox.ballast").unlink()
    filler = fill(small_disk)
    again = opened(small_disk)
    ids = {batch.id: 0 for batch in again.next_batches(10, 0)}
    assert len(ids) == 3
    assert again.remove(ids) == []
    filler.unlink()
    assert len(again.remove(ids)) == 3
    again.close()
