"""The credentials file of the embedded broker."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import pytest

from collector.broker import credentials
from collector.broker.credentials import Credentials, add, names, remove, rotate, verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "broker" / "credentials"


def test_a_user_is_known_by_the_password_it_was_given(path: Path) -> None:
    password = add(path, "web-01", "agent")
    assert len(password) >= 40
    assert verify(path, "web-01", password) == "agent"
    assert verify(path, "web-01", password + "x") is None
    assert verify(path, "web-01", "") is None
    assert verify(path, "web-02", password) is None
    assert names(path) == {"web-01": "agent"}


def test_the_file_holds_no_password_and_is_for_its_owner_only(path: Path) -> None:
    password = add(path, "web-01", "agent")
    assert path.read_text().startswith("web-01:agent:scrypt$")
    assert password not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_equal_passwords_do_not_have_equal_hashes() -> None:
    hashes = {credentials._hash("the same") for _ in range(2)}
    assert len(hashes) == 2


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a+", "#", "-a", "a b", "a\nb", "x" * 129])
def test_what_is_no_name_is_refused(path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name: expected 1 to 128"):
        add(path, name, "agent")
    assert not path.exists()


def test_a_name_that_is_a_topic_of_the_collector_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="reserved"):
        add(path, "findings", "agent")


def test_a_role_that_is_none_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="expected one of agent, collector, publisher, reader"):
        add(path, "web-01", "admin")  # type: ignore[arg-type]


def test_a_name_is_given_once(path: Path) -> None:
    password = add(path, "web-01", "agent")
    with pytest.raises(ValueError, match='"web-01" exists already; rotate'):
        add(path, "web-01", "collector")
    assert verify(path, "web-01", password) == "agent"


def test_rotation_voids_the_old_password_and_keeps_the_role(path: Path) -> None:
    old = add(path, "c", "collector")
    new = rotate(path, "c")
    assert verify(path, "c", old) is None
    assert verify(path, "c", new) == "collector"


def test_a_removed_user_is_unknown(path: Path) -> None:
    password = add(path, "web-01", "agent")
    add(path, "web-02", "agent")
    remove(path, "web-01")
    assert verify(path, "web-01", password) is None
    assert names(path) == {"web-02": "agent"}


def test_who_is_not_there_can_be_neither_removed_nor_rotated(path: Path) -> None:
    for change in (remove, rotate):
        with pytest.raises(KeyError):
            change(path, "web-01")


def test_changes_are_seen_by_who_has_the_file_open(path: Path) -> None:
    known = Credentials(path)
    assert known.verify("web-01", "anything") is None
    first = add(path, "web-01", "agent")
    assert known.verify("web-01", first)
    second = rotate(path, "web-01")
    assert known.verify("web-01", first) is None
    assert known.verify("web-01", second)
    remove(path, "web-01")
    assert known.verify("web-01", second) is None
    path.unlink()
    known.refresh()
    assert known.entry("web-01") is None


def test_a_file_that_cannot_be_read_changes_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    password = add(path, "web-01", "agent")
    known = Credentials(path)
    path.unlink()
    path.mkdir()  # not even root reads this as a file
    assert known.verify("web-01", password)
    assert "going on with what it said before" in caplog.text


def test_a_reconnect_is_verified_without_scrypt(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = add(path, "web-01", "agent")
    known = Credentials(path)
    assert known.verify("web-01", password)
    monkeypatch.setattr(credentials, "_matches", lambda *_: pytest.fail("hashed again"))
    assert known.verify("web-01", password)
    with pytest.raises(pytest.fail.Exception):
        known.verify("web-01", "another")


def test_a_line_that_is_none_lets_nobody_in_and_is_not_lost(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    password = add(path, "web-01", "agent")
    text = path.read_text() + "web-02:agent\n:agent:scrypt$1\nweb-03:root:scrypt$1\n"
    path.write_text(text)
    with caplog.at_level(logging.ERROR):
        known = Credentials(path)
    assert f"{path}:2: expected name:role:hash; this line lets nobody in" in caplog.text
    assert known.verify("web-01", password)
    assert names(path) == {"web-01": "agent"}
    with pytest.raises(ValueError, match=":2: expected name:role:hash"):
        add(path, "web-04", "agent")
    assert path.read_text() == text


@pytest.mark.parametrize(
    "hashed", ["plain", "scrypt$x$8$1$YQ==$YQ==", "md5$4096$8$1$YQ==$YQ==", "scrypt$3$8$1$YQ==$YQ=="]
)
def test_a_hash_that_is_none_matches_nothing(path: Path, hashed: str) -> None:
    path.parent.mkdir()
    path.write_text(f"web-01:agent:{hashed}\n")
    assert verify(path, "web-01", "plain") is None


def test_changes_at_the_same_time_are_all_kept(path: Path) -> None:
    threads = [threading.Thread(target=add, args=(path, f"web-{n:02}", "agent")) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(path)) == [f"web-{n:02}" for n in range(20)]
    assert sorted(each.name for each in path.parent.iterdir()) == ["credentials", "credentials.lock"]


def test_a_reader_never_sees_half_a_file(path: Path) -> None:
    password = add(path, "web-01", "agent")
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            add(path, "web-02", "agent")
            remove(path, "web-02")

    changing = threading.Thread(target=change)
    changing.start()
    try:
        known = Credentials(path)
        until = time.monotonic() + 1
        while time.monotonic() < until:
            assert known.verify("web-01", password)
    finally:
        stop.set()
        changing.join()
