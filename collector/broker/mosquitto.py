"""Mosquitto's password file, changed without ``mosquitto_passwd``, and the signal that makes it read again.

A line is ``name:$7$<iterations>$<salt>$<hash>``: PBKDF2 with SHA-512, salt and hash in base64, as Mosquitto
2.0 writes and reads it (``src/password_mosq.c``). Lines of other users stay as they are, byte for byte.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import os
import secrets
import signal
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from collector.broker.access import Role
from collector.broker.users import RIGHTS_BY_NAME, NoSuchUser, name_problem

# Mosquitto's own default. The passwords are 256 random bits, so more rounds would only slow down the minute
# in which every agent comes back.
_ITERATIONS = 101
_SALT_BYTES, _HASH_BYTES = 12, 64


class PasswordFile:
    """A password file of Mosquitto; it must exist, since its owner and mode are the administrator's choice.

    Whoever calls tells Mosquitto to read it again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> Mapping[str, Role]:
        """Every user, and the role that its name has in the shipped ACL."""
        names = filter(None, map(_name, self._lines()))
        return {name: RIGHTS_BY_NAME.get(name, "agent") for name in names}

    def add(self, names: Iterable[str], role: Role) -> dict[str, str]:
        """The passwords of new users. Their rights are the ACL's matter: Mosquitto knows no roles."""
        passwords = {name: secrets.token_urlsafe(32) for name in names}
        for name in passwords:
            if problem := name_problem(name, role):
                raise ValueError(problem)
        with self._changing() as lines:
            present = set(map(_name, lines))
            if taken := [name for name in passwords if name in present]:
                raise ValueError(f'"{taken[0]}" exists already; rotate its password, or remove it first')
            lines.extend(_line(name, password) for name, password in passwords.items())
        return passwords

    def rotate(self, names: Iterable[str]) -> dict[str, str]:
        passwords = {name: secrets.token_urlsafe(32) for name in names}
        with self._changing() as lines:
            _require(passwords, lines)
            lines[:] = [
                _line(name, passwords[name]) if (name := _name(line)) in passwords else line for line in lines
            ]
        return passwords

    def remove(self, names: Iterable[str]) -> None:
        unwanted = set(names)
        with self._changing() as lines:
            _require(unwanted, lines)
            lines[:] = [line for line in lines if _name(line) not in unwanted]

    def _lines(self) -> list[str]:
        # What is in there besides our lines need not be UTF-8.
        return self.path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[str]]:
        """The lines, written back at the end of the block; one process at a time."""
        # The folder is what is locked: the file is replaced, and a lock file would stay behind.
        folder = os.open(self.path.resolve().parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            lines = self._lines()
            yield lines
            self._write(lines)
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, lines: Iterable[str]) -> None:
        """Replaces the file, so that Mosquitto, or a crash, sees either the old or the new one."""
        target = self.path.resolve()
        before = target.stat()
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.writelines(line + "\n" for line in lines)
                # Mosquitto reads it as its own user, often through the group.
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode) & 0o660)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def tell_to_reload(pid: str) -> None:
    """Sends SIGHUP to Mosquitto; ``pid`` is its process id, or the file that holds it.

    ValueError when there is no Mosquitto: another program would die of the signal.
    """
    try:
        number = int(pid if pid.isdecimal() else Path(pid).read_text().strip())
    except ValueError:
        raise ValueError(f"{pid} holds no process id") from None
    try:
        program = Path(f"/proc/{number}/comm").read_text().strip()
    except FileNotFoundError:
        raise ValueError(f"process {number} does not run") from None
    if program != "mosquitto":
        raise ValueError(f"process {number} is {program}, not mosquitto")
    os.kill(number, signal.SIGHUP)


def _require(names: Iterable[str], lines: Iterable[str]) -> None:
    present = set(map(_name, lines))
    for name in names:
        if name not in present:
            raise NoSuchUser(name)


def _name(line: str) -> str:
    """The user of a line; empty for a comment or what is no user's line."""
    name, colon, _ = line.partition(":")
    return name if colon and not line.startswith("#") else ""


def _line(name: str, password: str) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, _HASH_BYTES)
    return f"{name}:$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
