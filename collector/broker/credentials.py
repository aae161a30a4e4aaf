"""The file of users that the embedded broker lets in: one line ``name:role:hash`` each, mode 0600.

The functions change the file, from any process; ``Credentials`` is the broker's view of it, which follows
such changes without a restart.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import hmac
import logging
import os
import secrets
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from collector.broker.access import RESERVED_NAMES, ROLES, Role
from setpoint.topics import NAME_EXPECTED, is_name

log = logging.getLogger(__name__)

# 4 ms and 1 MB each. Passwords are 256 random bits, which nobody guesses at any cost; what does happen
# is that a thousand agents come back in the same minute, after the broker was restarted.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**10, 8, 1
_SCRYPT_MEMORY = 64 * 2**20


class Entry(NamedTuple):
    """One user."""

    role: Role
    hash: str


def add(path: Path, name: str, role: Role) -> str:
    """The password of a new user, told this once. ValueError when the name is taken or is none."""
    if not is_name(name):
        raise ValueError(f"{name!r} is no name: expected {NAME_EXPECTED}")
    if name in RESERVED_NAMES:
        raise ValueError(f'the name "{name}" is reserved; choose another one')
    if role not in ROLES:
        raise ValueError(f"{role!r} is no role: expected one of {', '.join(ROLES)}")
    with _changing(path) as entries:
        if name in entries:
            raise ValueError(f'"{name}" exists already; rotate its password, or remove it first')
        password = secrets.token_urlsafe(32)
        entries[name] = Entry(role, _hash(password))
    return password


def rotate(path: Path, name: str) -> str:
    """A new password for a user; the old one is void. KeyError when there is no such user."""
    with _changing(path) as entries:
        password = secrets.token_urlsafe(32)
        entries[name] = Entry(entries[name].role, _hash(password))
    return password


def remove(path: Path, name: str) -> None:
    """Removes a user. KeyError when there is no such user."""
    with _changing(path) as entries:
        del entries[name]


def names(path: Path) -> dict[str, Role]:
    """Every user and its role."""
    return {name: entry.role for name, entry in _read(path)[0].items()}


def verify(path: Path, name: str, password: str) -> Role | None:
    """The user's role when the password is right, else None."""
    entry = Credentials(path).verify(name, password)
    return entry.role if entry else None


class Credentials:
    """The users in a file, read again when it changes. Its methods may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: Mapping[str, Entry] = {}
        self._version: tuple[int, int, int] | None = None
        self._reading = threading.Lock()
        # What was verified, by a digest of the password: a reconnect costs microseconds, not a scrypt.
        self._verified: dict[str, tuple[Entry, bytes]] = {}
        self._digest_key = secrets.token_bytes(32)
        self.refresh()

    def refresh(self) -> None:
        """Reads the file if it changed."""
        with self._reading:
            try:
                version = _version(self._path)
                if version == self._version:
                    return
                entries, problems = _read(self._path)
            except (OSError, UnicodeDecodeError) as error:
                # Refusing everybody because a disk hiccups would stop all measurement.
                log.error("cannot read %s, going on with what it said before: %s", self._path, error)
                return
            for problem in problems:
                log.error("%s; this line lets nobody in", problem)
            self._entries, self._version = entries, version

    def entry(self, name: str) -> Entry | None:
        """What the file says of a user; another one after its password was rotated."""
        return self._entries.get(name)

    def verify(self, name: str, password: str) -> Entry | None:
        """The user's entry when the password is right, else None. Takes 4 ms for a password not yet seen."""
        self.refresh()
        entry = self._entries.get(name)
        if entry is None:
            return None
        digest = hashlib.blake2b(password.encode(), key=self._digest_key).digest()
        known_entry, known_digest = self._verified.get(name, (None, b""))
        if known_entry == entry and hmac.compare_digest(known_digest, digest):
            return entry
        if not _matches(entry.hash, password):
            return None
        self._verified[name] = (entry, digest)
        return entry


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[dict[str, Entry]]:
    """The entries, written back at the end of the block; one process at a time."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    with os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        entries, problems = _read(path)
        if problems:
            # Writing the file anew would silently drop these lines.
            raise ValueError("; ".join(problems))
        yield entries
        _write(path, entries)


def _version(path: Path) -> tuple[int, int, int] | None:
    """Changes with every write; two within one tick of the clock differ in the inode."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _read(path: Path) -> tuple[dict[str, Entry], list[str]]:
    """The entries, and what is wrong with the lines that are none. A missing file has neither."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}, []
    entries: dict[str, Entry] = {}
    problems = []
    for number, line in enumerate(lines, start=1):
        name, _, rest = line.partition(":")
        role, _, hashed = rest.partition(":")
        if is_name(name) and role in ROLES and hashed:
            entries[name] = Entry(role, hashed)
        elif line:
            problems.append(f"{path}:{number}: expected name:role:hash")
    return entries, problems


def _write(path: Path, entries: Mapping[str, Entry]) -> None:
    """Replaces the file, so that a reader, or a crash, sees either the old or the new one."""
    text = "".join(f"{name}:{entry.role}:{entry.hash}\n" for name, entry in sorted(entries.items()))
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _hash(password: str) -> str:
    """``scrypt$n$r$p$salt$key``, so that the cost can be raised without voiding what is there."""
    salt = secrets.token_bytes(16)
    key = _scrypt(password, salt, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P)
    return "$".join(["scrypt", f"{_SCRYPT_N}", f"{_SCRYPT_R}", f"{_SCRYPT_P}", _base64(salt), _base64(key)])


def _matches(hashed: str, password: str) -> bool:
    try:
        kind, n, r, p, salt, key = hashed.split("$")
        if kind != "scrypt":
            return False
        found = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
        return hmac.compare_digest(found, base64.b64decode(key))
    except ValueError:
        return False


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_MEMORY, dklen=32)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
