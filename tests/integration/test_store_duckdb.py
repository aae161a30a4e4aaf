"""What the embedded store does beyond the contract that all stores keep."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from collector.series import SeriesTable
from collector.store.base import Batch, BatchId, Metric, SeriesKey, StoreUnavailable, WriteResult
from collector.store.duckdb import DuckDBStore
from collector.store.schema import MIGRATIONS, SchemaError, migrate
from tests.servers import ROOT
from tests.small_disk import mounted_disk
from tests.store_site import BASE_MS, CPU, Site, everything, line

DAY_MS = 86_400_000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(lambda series: DuckDBStore(tmp_path / "store.duckdb", series))
    yield site
    site.close()


def values(site: Site) -> list[float]:
    """Of ``cpu.busy``, every row."""
    with site.store.train(CPU, everything, BASE_MS, BASE_MS + 10**6) as train:
        return [value for (value,) in train.relation.order("t, value").project("value").fetchall()]


def expire(site: Site, before_ms: int) -> int:
    assert isinstance(site.store, DuckDBStore)
    return site.run(site.store.expire(before_ms))


# -- which batches are there already ---------------------------------------------------------------


def test_the_same_batch_twice_in_one_call_counts_once(site: Site) -> None:
    batch = site.batch(line(1, 0))
    assert site.write(batch, batch) == WriteResult(readings=1, repeated=1)
    assert values(site) == [1.0]


def test_the_same_batch_in_two_calls_counts_once(site: Site) -> None:
    batch = site.batch(line(1, 0))
    site.write(batch)
    assert site.write(batch) == WriteResult(repeated=1)
    assert values(site) == [1.0]


def test_the_same_batch_after_reopening_counts_once(site: Site) -> None:
    site.write(site.batch(line(1, 0)))
    site.reopen()
    assert site.write(site.batch(line(1, 0))) == WriteResult(repeated=1)
    assert values(site) == [1.0]


def test_the_same_sequence_with_another_body_is_new_data(site: Site) -> None:
    one, other = site.batch(line(1, 0)), site.batch(line(2, 1))
    assert str(one.id).rpartition(".")[0] == str(other.id).rpartition(".")[0]
    site.write(one)
    assert site.write(other) == WriteResult(readings=1)
    site.reopen()
    assert site.write(one, other) == WriteResult(repeated=2)
    assert values(site) == [1.0, 2.0]


def test_the_same_id_of_another_agent_or_epoch_is_new_data(site: Site) -> None:
    site.write(site.batch(line(1, 0)), site.batch(line(1, 0), epoch="other"))
    site.write(site.batch(line(1, 0, "mon-02"), agent="mon-02"))
    assert values(site) == [1.0, 1.0, 1.0]


def test_a_batch_below_low_is_taken_for_stored(site: Site) -> None:
    """It was acked once; what comes again is an outbox restored from an older copy."""
    site.write(site.batch(line(5, 5), sequence=5, low=4))
    below, above = site.batch(line(3, 3), sequence=3, low=3), site.batch(line(4, 4), sequence=4, low=3)
    assert site.write(below) == WriteResult(repeated=1)
    site.reopen()
    assert site.write(below, above) == WriteResult(readings=1, repeated=1)
    assert values(site) == [4.0, 5.0]


def test_low_of_one_epoch_says_nothing_of_another(site: Site) -> None:
    site.write(site.batch(line(5, 5), sequence=5, low=5))
    assert site.write(site.batch(line(1, 1), sequence=1, epoch="next")) == WriteResult(readings=1)


def test_what_has_no_id_is_written_each_time(site: Site) -> None:
    batch = site.batch(line(1, 0), sequence=None)
    assert batch.id is None
    assert site.write(batch) == WriteResult(readings=1)
    assert site.write(batch) == WriteResult(readings=1)


def test_a_batch_without_readings_is_remembered_too(site: Site) -> None:
    batch = site.batch()
    assert batch.id is not None
    assert site.write(batch) == WriteResult()
    assert site.write(batch) == WriteResult(repeated=1)


def test_series_have_the_same_numbers_after_reopening(site: Site) -> None:
    site.write(site.batch("cpu,cpu=cpu\\ 0,host=mon-01 busy=1,idle=2i,on=t 7", line(1, 9)))
    site.write(site.batch('näme,host=mon-01,ort=Köln\\,\\ West\\=1 text="x",v=1 8', sequence=2))
    before = [site.series.entry(number) for number in range(len(site.series))]
    assert len(before) == 6
    site.reopen()
    assert [site.series.entry(number) for number in range(len(site.series))] == before
    # The next new series goes on from there.
    site.write(site.batch("new,host=mon-01 v=1 0", sequence=3))
    site.reopen()
    assert len(site.series) == 7
    assert site.samples(Metric("new", "v")) == {(("host", "mon-01"),): [(0, 1.0)]}


# -- what is older than the retention --------------------------------------------------------------


def test_expired_readings_are_gone_and_others_are_not(site: Site) -> None:
    site.write(site.batch(line(1, 10), line(2, 20), 'os,host=mon-01 n="x" 10', 'os,host=mon-01 n="y" 20'))
    assert expire(site, BASE_MS + 20) == 2
    assert site.samples() == {(("host", "mon-01"),): [(20, 2.0)]}
    assert expire(site, BASE_MS + 20) == 0
    site.reopen()
    assert site.samples() == {(("host", "mon-01"),): [(20, 2.0)]}


@pytest.mark.parametrize("reopened", [False, True])
def test_expiry_forgets_the_batches_of_senders_that_fell_silent_only(site: Site, reopened: bool) -> None:
    site.write(site.batch(line(1, 0), epoch="silent"))
    site.write(site.batch(line(2, 1), epoch="live"))
    site.write(site.batch(line(3, 2), epoch="live", sequence=7, low=7, received_ms=BASE_MS + 2 * DAY_MS))
    expire(site, BASE_MS + DAY_MS)
    if reopened:
        site.reopen()
    # Of the live sender: one below low, and one that is remembered by name.
    assert site.write(site.batch(line(2, 1), epoch="live")) == WriteResult(repeated=1)
    assert site.write(site.batch(line(3, 2), epoch="live", sequence=7, low=7)) == WriteResult(repeated=1)
    assert site.write(site.batch(line(1, 0), epoch="silent")) == WriteResult(readings=1)


def test_expiry_keeps_low_of_a_live_sender_whose_batches_are_all_acked(site: Site) -> None:
    site.write(site.batch(line(1, 0), sequence=1))
    site.write(site.batch(line(2, 1), sequence=2, low=3))
    for _ in range(2):
        expire(site, BASE_MS - DAY_MS)
        site.reopen()
    assert site.write(site.batch(line(9, 9), sequence=1)) == WriteResult(repeated=1)


# -- the file --------------------------------------------------------------------------------------


_ENDLESS_WRITER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from collector.series import SeriesTable
from collector.store.base import Batch, BatchId, SeriesKey
from collector.store.duckdb import DuckDBStore

path, base_ms, first, size = sys.argv[1], *map(int, sys.argv[2:])
series = SeriesTable()
store = DuckDBStore(Path(path), series)

def batch(sequence):
    key = SeriesKey("m", (("batch", str(sequence)), ("host", "w")), "n")
    number = series.add(key, "float", base_ms, "w")
    return Batch(
        site="hq", agent="w", id=BatchId("e", sequence, "%016x" % sequence), low=1,
        series=np.full(size, number, np.int32), time_ms=base_ms + np.arange(size),
        value=np.full(size, float(sequence)), texts=[(number, base_ms, "text")], lines=b"",
        received_ms=base_ms,
    )

async def main():
    for sequence in range(first, 10**6):
        await store.write([batch(sequence)])
        print(sequence, flush=True)

asyncio.run(main())
"""


def test_a_kill_in_mid_write_loses_nothing_acked_and_leaves_no_half_batch(tmp_path: Path) -> None:
    path, size = tmp_path / "store.duckdb", 2_000
    dice = random.Random(20261122)
    acked = 0
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", _ENDLESS_WRITER, str(path), *map(str, (BASE_MS, acked + 1, size))],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert writer.stdout is not None
        try:
            until = acked + dice.randint(15, 40)
            while acked < until:
                said = writer.stdout.readline()
                assert said, "the writer died by itself"
                acked = int(said)
            time.sleep(dice.random() / 50)
        finally:
            writer.kill()
            rest, _ = writer.communicate()
        acked = max([acked, *(int(said) for said in rest.splitlines())])
        series = SeriesTable()
        store = DuckDBStore(path, series)
        with store.train(Metric("m", "n"), everything, 0, BASE_MS + 10**6) as train:
            found = train.relation.aggregate("value, count(*)", "value").order("value").fetchall()
        store.close()
        # One more may have been committed without its ack having been seen.
        stored = len(found)
        assert stored in (acked, acked + 1)
        assert found == [(float(n), size) for n in range(1, stored + 1)]
        assert len(series) == stored
        with duckdb.connect(str(path), read_only=True) as plain:
            assert plain.execute("SELECT count(*) FROM texts").fetchone() == (stored,)
            sequences = plain.execute("SELECT sequence FROM batches ORDER BY 1").fetchall()
        assert sequences == [(n,) for n in range(1, stored + 1)]
        acked = stored


def _open_elsewhere(path: Path) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys; from pathlib import Path\n"
        "from collector.series import SeriesTable\nfrom collector.store.duckdb import DuckDBStore\n"
        "try: DuckDBStore(Path(sys.argv[1]), SeriesTable())\n"
        "except Exception as error: print(type(error).__name__, error, sep=': ')\n"
        "else: print('opened')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT, check=False
    )


def test_a_second_process_is_told_who_owns_the_file(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    assert _open_elsewhere(path).stdout == (
        f"StoreUnavailable: {path} is owned by another process (PID {os.getpid()}). A DuckDB store has one "
        "collector; for several, use InfluxDB or VictoriaMetrics\n"
    )
    site.store.close()
    assert _open_elsewhere(path).stdout == "opened\n"


def test_a_file_that_is_no_store_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    path.write_text("not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(StoreUnavailable, match=f"{path} cannot be opened: "):
        DuckDBStore(path, SeriesTable())


def test_a_database_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    with duckdb.connect(str(path)) as plain:
        plain.execute("CREATE TABLE series (id INTEGER, title VARCHAR)")
    with pytest.raises(SchemaError) as refused:
        DuckDBStore(path, SeriesTable())
    assert str(refused.value) == f"{path}: a database of something else: it has the table series"
    with duckdb.connect(str(path), read_only=True) as plain:
        assert plain.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("series",)]


def test_texts_are_kept_letter_by_letter(site: Site, tmp_path: Path) -> None:
    site.write(site.batch('os,host=mon-01 n="say \\"Grüß Gott\\", \\\\ and go" 5'))
    site.store.close()
    with duckdb.connect(str(tmp_path / "store.duckdb"), read_only=True) as plain:
        rows = plain.execute("SELECT t, value FROM texts").fetchall()
    assert rows == [(BASE_MS + 5, 'say "Grüß Gott", \\ and go')]


def _version(path: Path) -> str:
    with duckdb.connect(str(path), read_only=True) as plain:
        row = plain.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    assert row is not None
    return str(row[0])


def test_an_older_file_is_brought_up_to_date_with_its_data(site: Site, tmp_path: Path) -> None:
    site.write(site.batch(line(1, 0)))
    site.store.close()
    newer = [*MIGRATIONS, "ALTER TABLE points ADD COLUMN quality INTEGER DEFAULT 3"]
    with duckdb.connect(str(tmp_path / "store.duckdb")) as plain:
        assert migrate(plain, newer) == (len(MIGRATIONS), len(newer))
        assert plain.execute("SELECT value, quality FROM points").fetchall() == [(1.0, 3)]
        assert migrate(plain, newer) == (len(newer), len(newer))
    assert _version(tmp_path / "store.duckdb") == str(len(newer))


def test_a_migration_that_fails_leaves_the_last_good_version(site: Site, tmp_path: Path) -> None:
    site.write(site.batch(line(1, 0)))
    site.store.close()
    good = "CREATE TABLE good (x INTEGER)"
    bad = "CREATE TABLE half (x INTEGER); INSERT INTO nowhere VALUES (1)"
    with duckdb.connect(str(tmp_path / "store.duckdb")) as plain:
        with pytest.raises(duckdb.CatalogException, match="nowhere"):
            migrate(plain, [*MIGRATIONS, good, bad])
        tables = {row[0] for row in plain.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        assert "good" in tables
        assert "half" not in tables
        assert plain.execute("SELECT value FROM points").fetchall() == [(1.0,)]
    assert _version(tmp_path / "store.duckdb") == str(len(MIGRATIONS) + 1)


def test_a_newer_file_is_refused_and_let_go(site: Site, tmp_path: Path) -> None:
    site.store.close()
    path = tmp_path / "store.duckdb"
    with duckdb.connect(str(path)) as plain:
        migrate(plain, [*MIGRATIONS, "CREATE TABLE later (x INTEGER)"])
    known = len(MIGRATIONS)
    message = (
        f"{path}: the store has schema version {known + 1}, and this program knows none above {known}; "
        "install the version that wrote it, or a newer one"
    )
    with pytest.raises(SchemaError) as refused:
        DuckDBStore(path, SeriesTable())
    assert str(refused.value) == message
    # Not the lock's message: this process does not hold the file.
    assert _open_elsewhere(path).stdout == f"SchemaError: {message}\n"


def test_a_copy_made_while_writing_goes_on_holds_whole_batches(site: Site, tmp_path: Path) -> None:
    store = site.store
    assert isinstance(store, DuckDBStore)
    path = tmp_path / "copy" / "it's a copy.duckdb"
    path.parent.mkdir()

    def numbered(sequence: int) -> Batch:
        return site.batch(*(line(sequence, ms) for ms in range(50)), sequence=sequence)

    async def write_and_copy() -> tuple[int, int]:
        before = 200
        await store.write([numbered(n) for n in range(1, before + 1)])
        copying = asyncio.create_task(store.backup(path))
        last = before
        while not copying.done() or last == before:
            last += 1
            await store.write([numbered(last)])
        await copying
        return before, last

    before, last = site.run(write_and_copy())
    assert len(values(site)) == 50 * last
    store.close()
    site.store = DuckDBStore(path, SeriesTable())
    copied = values(site)
    kept = len(copied) // 50
    assert before <= kept <= last
    assert sorted(copied) == [float(n) for n in range(1, kept + 1) for _ in range(50)]
    # The copy knows what it holds: of these only the later ones are new to it.
    again = site.write(*(numbered(n) for n in range(1, last + 1)))
    assert (again.repeated, again.readings) == (kept, 50 * (last - kept))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    with mounted_disk(tmp_path / "disk", "24m") as folder:
        yield folder


@pytest.mark.parametrize("size", [1_000, 20_000])
def test_a_store_on_a_full_disk_takes_batches_again_when_there_is_room(small_disk: Path, size: int) -> None:
    """Small batches fill the log, and large ones make its checkpoint fail, which DuckDB does not survive."""
    filler = small_disk / "filler"
    filler.write_bytes(b"\0" * (18_000_000 if size == 1_000 else 0))
    series = SeriesTable()
    store = DuckDBStore(small_disk / "store.duckdb", series)
    number = series.add(SeriesKey("m", (("host", "a"),), "n"), "float", BASE_MS, "a")
    noise = np.random.default_rng(1)

    def batch(sequence: int) -> Batch:
        return Batch(
            site="hq",
            agent="a",
            id=BatchId("e", sequence, f"{sequence:016x}"),
            low=1,
            series=np.full(size, number, np.int32),
            time_ms=noise.integers(BASE_MS, BASE_MS + 10**9, size),
            value=noise.random(size),
            texts=[],
            lines=b"",
            received_ms=BASE_MS,
        )

    async def fill() -> int:
        for sequence in itertools.count(1):
            try:
                await store.write([batch(sequence)])
            except StoreUnavailable:
                return sequence
        raise AssertionError("unreachable")

    refused = asyncio.run(fill())
    with pytest.raises(StoreUnavailable, match="No space left on device"):
        asyncio.run(store.write([batch(refused)]))
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    result = asyncio.run(store.write([batch(n) for n in range(1, refused + 2)]))
    assert result.repeated in (refused - 1, refused)
    assert store.count() == size * (refused + 1)
    with store.train(Metric("m", "n"), everything, 0, BASE_MS + 10**9) as train:
        assert train.relation.aggregate("count(*)").fetchall() == [(size * (refused + 1),)]
    store.close()
    again = DuckDBStore(small_disk / "store.duckdb", SeriesTable())
    assert again.count() == size * (refused + 1)
    again.close()
