"""Real servers for tests: each in a process of its own, on a free loopback port, killable and restartable."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Self

import pytest

from collector.broker.access import Role
from collector.broker.credentials import add, remove
from tests.ports import free_port

ROOT = Path(__file__).resolve().parent.parent
_SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
_ALIASES = {"chromium": ("chromium", "chromium-browser", "google-chrome")}


def require(program: str) -> str:
    """The path of an installed program. Skips the test when it is missing; with CI=true, fails it."""
    for name in _ALIASES.get(program, (program,)):
        if path := shutil.which(name, path=_SEARCH):
            return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed, and with CI=true nothing is skipped")
    pytest.skip(f"{program} is not installed")


def is_listening(host: str, port: int) -> bool:
    """Whether somebody accepts TCP connections there."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def wait_until(true: Callable[[], object], *, timeout_s: float = 10, what: str = "condition") -> None:
    """Returns once ``true()`` is. AssertionError when it is not in time."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout_s:g} s")
        time.sleep(0.02)


def _end_with_us() -> list[str]:
    """What to put before a command, so that the kernel kills it when this process is killed (Linux)."""
    setpriv = shutil.which("setpriv", path=_SEARCH)
    # The kernel goes by the thread that started the server, and other threads than the main one end early.
    if setpriv and threading.current_thread() is threading.main_thread():
        return [setpriv, "--pdeathsig", "KILL", "--"]
    return []


class ServerProcess:
    """A server program that tests start, stop, kill and start again on the same port.

    Use it as a context manager: whatever happens in the block, the process is gone afterwards.
    """

    name = "server"

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        port: int,
        log: Path,
        host: str = "127.0.0.1",
        env: dict[str, str] | None = None,
        cwd: Path = ROOT,
        ready: Callable[[], bool] | None = None,
        ready_timeout_s: float = 30,
    ) -> None:
        self.argv = [str(part) for part in argv]
        self.host = host
        self.port = port
        self.log = log
        self.env = env
        self.cwd = cwd
        self._ready = ready or (lambda: is_listening(self.host, self.port))
        self._ready_timeout_s = ready_timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} has not been started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts the program and returns when it serves. AssertionError, with its log, when it does not."""
        assert not self.running, f"{self.name} is running already"
        with self.log.open("ab") as log:
            self._process = self._spawn(log)
        deadline = time.monotonic() + self._ready_timeout_s
        try:
            while not self._ready():
                assert self.running, f"{self.name} ended with {self._process.returncode}:\n{self.log_text()}"
                assert time.monotonic() < deadline, f"{self.name} does not answer:\n{self.log_text()}"
                time.sleep(0.02)
            # Somebody else may answer on the port while ours is about to say that it is taken.
            assert self.running, f"{self.name} ended with {self._process.returncode}:\n{self.log_text()}"
        except BaseException:
            self.kill()
            raise

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        env = {**os.environ, **self.env} if self.env else None
        argv = [*_end_with_us(), *self.argv]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.cwd, env=env)

    def stop(self, timeout_s: float = 10) -> int | None:
        """Ends the program with SIGTERM, after the timeout with SIGKILL. Its exit code."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.returncode

    def kill(self) -> None:
        """SIGKILL: no goodbye, no flush."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    def send_signal(self, number: signal.Signals) -> None:
        """Sends it to this process only; SIGSTOP and SIGCONT make a server that hangs."""
        assert self._process is not None
        self._process.send_signal(number)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.running:
            # A test may have stopped it with SIGSTOP, under which SIGTERM waits for ever.
            self.send_signal(signal.SIGCONT)
        self.stop()


class Login(NamedTuple):
    """What a client connects with."""

    username: str | None
    password: str | None


class Mosquitto(ServerProcess):
    """Mosquitto: open to everybody, or ``secured`` by the configuration that Setpoint ships."""

    name = "mosquitto"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        secured: bool = False,
        extra: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.secured = secured
        self._logins: dict[str, Login] = {}
        port = port or free_port()
        lines = (
            self._shipped_lines(port) if secured else [f"listener {port} 127.0.0.1", "allow_anonymous true"]
        )
        if os.geteuid() == 0:
            lines.append("user root")  # else it gives up root and cannot read the test's folder
        config = folder / "mosquitto.conf"
        config.write_text("\n".join([*lines, *extra]) + "\n")
        super().__init__([require("mosquitto"), "-c", config], port=port, log=folder / "mosquitto.log")

    def _shipped_lines(self, port: int) -> list[str]:
        shipped = ROOT / "config" / "mosquitto"
        passwords, acl = self.folder / "passwords", self.folder / "acl"
        passwords.touch(mode=0o600)
        shutil.copyfile(shipped / "acl", acl)
        acl.chmod(0o600)
        replaced = {
            "listener": f"listener {port} 127.0.0.1",
            "password_file": f"password_file {passwords}",
            "acl_file": f"acl_file {acl}",
        }
        lines = (shipped / "mosquitto.conf").read_text().splitlines()
        lines = [line for line in lines if line and not line.startswith("#")]
        assert replaced.keys() <= {line.split()[0] for line in lines}
        return [replaced.get(line.split()[0], line) for line in lines]

    def login(self, name: str, role: Role = "agent") -> Login:
        """What this user connects with; a secured server gets to know it, also while it runs."""
        if not self.secured:
            return Login(None, None)
        if name not in self._logins:
            shipped_users = {"collector": "collector", "reader": "reader"}
            assert shipped_users.get(role, name) == name, (
                f"the shipped ACL knows the {role} only by that name"
            )
            password = f"password-of-{name}"
            login = Login(name, password)
            subprocess.run(
                [require("mosquitto_passwd"), "-b", self.folder / "passwords", name, password],
                check=True,
                capture_output=True,
            )
            self._logins[name] = login
            self._reload(login)
        return self._logins[name]

    def remove_user(self, name: str) -> None:
        """The server forgets this user, also while it runs."""
        login = self._logins.pop(name)
        subprocess.run(
            [require("mosquitto_passwd"), "-D", self.folder / "passwords", name],
            check=True,
            capture_output=True,
        )
        if self.running:
            self.send_signal(signal.SIGHUP)
            wait_until(lambda: connack(self.host, self.port, login) != 0, what=f"{name} is forgotten")

    def _reload(self, login: Login) -> None:
        if self.running:
            self.send_signal(signal.SIGHUP)
            wait_until(lambda: connack(self.host, self.port, login) == 0, what=f"{login.username} is known")


class EmbeddedBroker(ServerProcess):
    """The broker of single-box mode, started by hand as ``python -m collector.broker``."""

    name = "amqtt"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        options: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._logins: dict[str, Login] = {}
        port = port or free_port()
        listen = f"127.0.0.1:{port}"
        super().__init__(
            [sys.executable, "-m", "collector.broker", "--listen", listen, "--data", folder, *options],
            port=port,
            log=folder / "broker.log",
        )

    @property
    def credentials_file(self) -> Path:
        return self.folder / "broker" / "credentials"

    def login(self, name: str, role: Role = "agent") -> Login:
        """What this user connects with; the broker gets to know it, also while it runs."""
        if name not in self._logins:
            self._logins[name] = Login(name, add(self.credentials_file, name, role))
        return self._logins[name]

    def remove_user(self, name: str) -> None:
        """The broker forgets this user, also while it runs."""
        remove(self.credentials_file, name)
        del self._logins[name]


Broker = Mosquitto | EmbeddedBroker


def connack(host: str, port: int, login: Login, client_id: str = "probe") -> int | None:
    """The return code of an MQTT 3.1.1 CONNECT (0 accepted, 4 or 5 refused), or None without an answer."""

    def text(value: str) -> bytes:
        data = value.encode()
        return len(data).to_bytes(2, "big") + data

    flags, payload = 0x02, text(client_id)
    if login.username is not None:
        flags, payload = flags | 0x80, payload + text(login.username)
    if login.password is not None:
        flags, payload = flags | 0x40, payload + text(login.password)
    body = text("MQTT") + bytes([4, flags, 0, 60]) + payload
    assert len(body) < 128, "one length byte is enough for a probe"
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(bytes([0x10, len(body)]) + body)
        answer = connection.recv(4)
        if len(answer) == 4 and answer[0] == 0x20:
            connection.sendall(b"\xe0\x00")
            return answer[3]
    return None


def _chromium(folder: Path, *arguments: str, timeout_s: float) -> str:
    done = subprocess.run(
        [
            require("chromium"),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            f"--user-data-dir={folder / 'chromium'}",
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"chromium ended with {done.returncode}:\n{done.stderr}"
    return done.stdout


def dump_dom(url: str, folder: Path, *, settle_ms: int = 2000, timeout_s: float = 60) -> str:
    """The page's HTML after its scripts have run for ``settle_ms`` of the page's own time."""
    return _chromium(folder, f"--virtual-time-budget={settle_ms}", "--dump-dom", url, timeout_s=timeout_s)
