"""`setpoint agents`, against a real Mosquitto and the real embedded broker."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiomqtt
import pytest

from agent.settings import load_settings
from collector.broker.mosquitto import PasswordFile
from setpoint.__main__ import main
from setpoint.broker_settings import BrokerSettings
from tests.servers import EmbeddedBroker, Login, Mosquitto, connack, require, wait_until

Capture = pytest.CaptureFixture[str]


class Setup:
    """A broker, and the command line for it."""

    def __init__(self, folder: Path, broker: Mosquitto | EmbeddedBroker) -> None:
        self.broker = broker
        self.folder = folder
        self.collector_yaml = folder / "collector.yaml"
        login = broker.login("collector", "collector") if isinstance(broker, Mosquitto) else None
        self.configure(login.password if login else None)
        self.arguments = ["--config", str(self.collector_yaml)]
        if isinstance(broker, Mosquitto):
            self.arguments += ["--mosquitto-passwords", str(self.passwords)]

    def configure(self, password: str | None) -> None:
        """The collector's file, with this password for the broker."""
        address = f"127.0.0.1:{self.broker.port}"
        secret = f", username: collector, password: {password}" if password else ""
        self.collector_yaml.write_text(
            f"collector: {{data: {self.broker.folder}/collector}}\n"
            f"broker: {{host: 127.0.0.1, port: {self.broker.port}{secret}}}\n"
            f"embedded_broker: {{listen: '{address}'}}\n"
        )

    @property
    def users_file(self) -> Path:
        return self.passwords if isinstance(self.broker, Mosquitto) else self.broker.credentials_file

    @property
    def passwords(self) -> Path:
        assert isinstance(self.broker, Mosquitto)
        return self.broker.folder / "passwords"

    def run(self, command: str, *arguments: str | Path, reload: bool = True) -> int:
        more = []
        if reload and isinstance(self.broker, Mosquitto) and self.broker.running and command != "list":
            more = ["--reload-pid", str(self.broker.pid)]
        return main(["agents", command, *map(str, arguments), *self.arguments, *more])

    def lets_in(self, broker: BrokerSettings, name: str) -> bool:
        assert broker.password is not None
        return connack("127.0.0.1", self.broker.port, Login(name, broker.password.reveal())) == 0


@pytest.fixture
def mosquitto_setup(secured_mosquitto: Mosquitto, tmp_path: Path) -> Setup:
    return Setup(tmp_path, secured_mosquitto)


@pytest.fixture(params=["mosquitto", "amqtt"])
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Setup:
    """Both brokers."""
    fixture = {"mosquitto": "secured_mosquitto", "amqtt": "embedded_broker"}[request.param]
    return Setup(tmp_path, request.getfixturevalue(fixture))


@pytest.fixture(params=["mosquitto", "amqtt"])
def stopped(request: pytest.FixtureRequest, tmp_path: Path) -> Setup:
    """Both brokers while they do not run: for what concerns their files only."""
    if request.param == "mosquitto":
        return Setup(tmp_path, Mosquitto(tmp_path / "broker", secured=True))
    return Setup(tmp_path, EmbeddedBroker(tmp_path / "broker"))


@pytest.fixture
def stopped_mosquitto(tmp_path: Path) -> Setup:
    """Mosquitto while it does not run."""
    return Setup(tmp_path, Mosquitto(tmp_path / "broker", secured=True))


def printed(capsys: Capture, folder: Path) -> tuple[str, BrokerSettings]:
    """Name and broker that an `agent.yaml` of the printed lines says."""
    path = folder / "printed.yaml"
    path.write_text(capsys.readouterr().out + "inputs: [{input: host}]\n")
    settings = load_settings(path).value
    return settings.name, settings.broker


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# -- in and out --------------------------------------------------------------------------------------


def test_the_printed_lines_let_the_agent_in(setup: Setup, capsys: Capture, tmp_path: Path) -> None:
    assert setup.run("add", "db.example.org", "--address", "127.0.0.1") == 0
    said, broker = printed(capsys, tmp_path)
    assert (said, broker.host, broker.port) == ("db.example.org", "127.0.0.1", setup.broker.port)
    wait_until(lambda: setup.lets_in(broker, "db.example.org"), what="it may connect")


@pytest.mark.parametrize("name", ["7", "on", "1e5", "null", "0x10", "2026-10-01"])
def test_a_name_that_yaml_takes_for_something_else_is_quoted(
    stopped_mosquitto: Setup, capsys: Capture, tmp_path: Path, name: str
) -> None:
    assert stopped_mosquitto.run("add", name, "--site", name) == 0
    assert printed(capsys, tmp_path)[0] == name


def test_a_rotated_password_replaces_the_old_one(setup: Setup, capsys: Capture, tmp_path: Path) -> None:
    setup.run("add", "web-01")
    _, before = printed(capsys, tmp_path)
    assert setup.run("rotate", "web-01") == 0
    _, after = printed(capsys, tmp_path)
    wait_until(lambda: setup.lets_in(after, "web-01"), what="the new one is known")
    assert not setup.lets_in(before, "web-01")


def test_a_name_is_given_once(stopped: Setup, capsys: Capture) -> None:
    stopped.run("add", "web-01")
    before = stopped.users_file.read_bytes()
    assert stopped.run("add", "web-01") == 1
    assert 'web-01" exists already; rotate its password, or remove it first' in capsys.readouterr().err
    assert stopped.users_file.read_bytes() == before


def test_the_list_tells_who_may_connect(stopped: Setup, capsys: Capture) -> None:
    stopped.run("add", "web-02")
    stopped.run("add", "web-01")
    capsys.readouterr()
    assert stopped.run("list") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line[1] == "agent"] == [["web-01", "agent"], ["web-02", "agent"]]


@pytest.mark.parametrize("name", ["a b", "a/b", "a+", "#", "", "a:b", "findings", "collector", "reader"])
def test_a_name_that_would_give_other_rights_is_refused(stopped: Setup, capsys: Capture, name: str) -> None:
    assert stopped.run("add", f"{name}") == 1
    assert "name" in capsys.readouterr().err
    stopped.run("list")
    assert all(line.split()[1] == "collector" for line in capsys.readouterr().out.splitlines())


def test_who_is_unknown_is_neither_rotated_nor_removed(mosquitto_setup: Setup, capsys: Capture) -> None:
    for command in ("rotate", "remove"):
        assert mosquitto_setup.run(command, "web-01") == 1
        assert 'there is no "web-01" in ' in capsys.readouterr().err


# -- removal -----------------------------------------------------------------------------------------


async def retained(setup: Setup) -> list[str]:
    """The topics of the statuses that a collector which comes now is told."""
    login = setup.broker.login("collector", "collector")
    async with aiomqtt.Client(
        "127.0.0.1", setup.broker.port, username=login.username, password=login.password
    ) as late:
        await late.subscribe("setpoint/v1/+/+/status", qos=1)
        topics = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.4):
                async for message in late.messages:
                    topics.append(str(message.topic))
        return sorted(topics)


@pytest.mark.parametrize("site", ["hq", "elsewhere"])
def test_a_removed_agent_is_out_and_its_status_is_cleared(
    setup: Setup, capsys: Capture, tmp_path: Path, site: str
) -> None:
    for name in ("web-01", "web-011"):
        setup.run("add", name)
        _, broker = printed(capsys, tmp_path)
        wait_until(lambda: setup.lets_in(broker, name), what="it may connect")  # noqa: B023
        if name == "web-01":
            removed = broker
    assert removed.password is not None
    assert broker.password is not None
    topic, other = f"setpoint/v1/{site}/web-01/status", f"setpoint/v1/{site}/web-011/status"

    async def test() -> None:
        async with aiomqtt.Client(
            "127.0.0.1", setup.broker.port, username="web-011", password=broker.password.reveal()
        ) as agent:
            await agent.publish(other, b"online", qos=1, retain=True)
        agent = aiomqtt.Client(
            "127.0.0.1",
            setup.broker.port,
            username="web-01",
            password=removed.password.reveal(),
            will=aiomqtt.Will(topic, b"offline", qos=1, retain=True),
        )
        await agent.__aenter__()
        await agent.publish(topic, b"online", qos=1, retain=True)
        assert await retained(setup) == [topic, other]
        # While it is connected: Mosquitto ends that, and tells its last will.
        assert await asyncio.to_thread(setup.run, "remove", "web-01") == 0
        async with asyncio.timeout(5):
            with pytest.raises(aiomqtt.MqttError):
                await anext(agent.messages)
        assert await retained(setup) == [other]

    asyncio.run(asyncio.wait_for(test(), 30))
    said = capsys.readouterr().out
    assert '"web-01" may no longer connect' in said
    assert f'cleared the last status of "web-01" at {site}' in said
    assert not setup.lets_in(removed, "web-01")
    assert setup.lets_in(broker, "web-011")


def test_removal_leaves_no_user_behind(embedded_broker: EmbeddedBroker, tmp_path: Path) -> None:
    setup = Setup(tmp_path, embedded_broker)
    setup.run("add", "web-01")
    setup.run("remove", "web-01")
    assert embedded_broker.credentials_file.read_text() == ""


def test_an_embedded_broker_that_does_not_run_keeps_no_status(tmp_path: Path, capsys: Capture) -> None:
    setup = Setup(tmp_path, EmbeddedBroker(tmp_path / "broker"))
    setup.run("add", "web-01")
    assert setup.run("remove", "web-01") == 0
    assert setup.run("remove", "web-01") == 1
    assert 'there is no "web-01" in ' in capsys.readouterr().err


def test_a_status_that_could_not_be_cleared_is_said_and_cleared_next_time(
    mosquitto_setup: Setup, capsys: Capture
) -> None:
    setup = mosquitto_setup
    collector = setup.broker.login("collector", "collector")
    agent = setup.broker.login("web-01")

    async def publish() -> None:
        async with aiomqtt.Client(
            "127.0.0.1", setup.broker.port, username="web-01", password=agent.password
        ) as client:
            await client.publish("setpoint/v1/hq/web-01/status", b"offline", qos=1, retain=True)

    asyncio.run(publish())
    setup.configure("wrong")
    assert setup.run("remove", "web-01") == 1
    said = capsys.readouterr().err
    assert 'the last status of "web-01" is still at the broker' in said
    assert "wrong" not in said
    setup.configure(collector.password)
    assert setup.run("remove", "web-01") == 0
    assert capsys.readouterr().out == 'cleared the last status of "web-01" at hq\n'


def test_who_is_no_collector_cannot_clear_a_status(mosquitto_setup: Setup, capsys: Capture) -> None:
    setup = mosquitto_setup
    setup.broker.login("web-01")
    other = setup.broker.login("web-02")
    text = setup.collector_yaml.read_text().replace("username: collector", "username: web-02")
    setup.collector_yaml.write_text(text.replace("password-of-collector", str(other.password)))
    assert setup.run("remove", "web-01") == 1
    assert 'give "web-02" the rights of a collector' in capsys.readouterr().err


# -- many at once ------------------------------------------------------------------------------------


def test_hundreds_come_from_a_file_at_once(setup: Setup, tmp_path: Path) -> None:
    hosts, out = tmp_path / "hosts.csv", tmp_path / "credentials.csv"
    # As a spreadsheet saves it: a mark in front, further columns, CRLF, empty rows.
    rows = [f"host-{n:03},rack 7,{'branch' if n % 2 else ''}" for n in range(300)]
    hosts.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(["Name, Rack ,Site ", *rows, ",,", ""]).encode())
    assert setup.run("add", "--from", hosts, "--out", out, "--site", "hq") == 0
    made = table(out)
    assert [row["name"] for row in made] == [f"host-{n:03}" for n in range(300)]
    assert [row["site"] for row in made[:2]] == ["hq", "branch"]
    assert len({row["password"] for row in made}) == 300
    assert out.stat().st_mode & 0o777 == 0o600
    for row in made[::100]:
        login = Login(row["name"], row["password"])
        wait_until(lambda: connack("127.0.0.1", setup.broker.port, login) == 0, what="it may connect")  # noqa: B023


def test_a_folder_gets_one_file_for_each_agent(mosquitto_setup: Setup, tmp_path: Path) -> None:
    hosts, out = tmp_path / "hosts.csv", tmp_path / "agents"
    hosts.write_text("name\nweb-01\nweb-02\n")
    assert (
        mosquitto_setup.run("add", "--from", hosts, "--out", out, "--address", "mqtt.example.org:8884") == 0
    )
    assert {path.name for path in out.iterdir()} == {"web-01.yaml", "web-02.yaml"}
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}
    assert out.stat().st_mode & 0o777 == 0o700
    one = out / "web-02.yaml"
    one.write_text(one.read_text() + "inputs: [{input: host}]\n")
    settings = load_settings(one).value
    assert (settings.name, settings.broker.address) == ("web-02", "mqtt.example.org:8884")
    wait_until(lambda: mosquitto_setup.lets_in(settings.broker, "web-02"), what="it may connect")


def test_everything_wrong_in_a_file_is_said_with_its_line_and_nothing_is_done(
    stopped: Setup, capsys: Capture, tmp_path: Path
) -> None:
    stopped.run("add", "web-09")
    hosts, out = tmp_path / "hosts.csv", tmp_path / "credentials.csv"
    hosts.write_text("name,site\nweb-01,hq\nweb 02,hq\nweb-01,hq\n,hq\nweb-04,a/b\ncollector,\nweb-09,\n")
    capsys.readouterr()
    assert stopped.run("add", "--from", hosts, "--out", out) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [f"{hosts}:{n}" for n in range(3, 9)]
    for line, said in zip(
        lines,
        [
            "'web 02' is no name",
            "line 2 already",
            "no name",
            "'a/b' is no site",
            "further rights",
            "--skip-existing",
        ],
        strict=True,
    ):
        assert said in line
    assert not out.exists()
    stopped.run("list")
    assert "web-01" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ':1: expected a header with a column "name", got nothing'),
        (b"host;site\nweb-01;hq\n", ':1: expected a header with a column "name", got "host;site"'),
        (b"name\n\n", ": no hosts below the header"),
        (b"name\nweb-01\nm\xfcnchen\n", ":3: expected UTF-8, got the byte 0xfc"),
        (b'name\nweb-01\n"web-02\n', ":3: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_list_of_hosts_is_explained(
    stopped_mosquitto: Setup, capsys: Capture, tmp_path: Path, content: bytes, said: str
) -> None:
    hosts = tmp_path / "hosts.csv"
    hosts.write_bytes(content)
    assert stopped_mosquitto.run("add", "--from", hosts, "--out", tmp_path / "out.csv") == 1
    assert capsys.readouterr().err == f"{hosts}{said}\n"


def test_a_longer_list_adds_only_who_is_new(stopped: Setup, capsys: Capture, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.csv"
    hosts.write_text("name\nweb-01\n")
    stopped.run("add", "--from", hosts, "--out", tmp_path / "1.csv")
    before = stopped.users_file.read_bytes()
    hosts.write_text("name\nweb-01\nweb-02\n")
    assert stopped.run("add", "--from", hosts, "--out", tmp_path / "2.csv", "--skip-existing") == 0
    assert [row["name"] for row in table(tmp_path / "2.csv")] == ["web-02"]
    assert stopped.users_file.read_bytes().startswith(before)
    assert stopped.run("add", "--from", hosts, "--out", tmp_path / "3.csv", "--skip-existing") == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert not (tmp_path / "3.csv").exists()


def test_all_passwords_of_a_list_are_rotated(mosquitto_setup: Setup, capsys: Capture, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.csv"
    hosts.write_text("name\nweb-01\nweb-02\n")
    mosquitto_setup.run("add", "--from", hosts, "--out", tmp_path / "1.csv")
    assert mosquitto_setup.run("rotate", "--from", hosts, "--out", tmp_path / "2.csv") == 0
    new, old = table(tmp_path / "2.csv")[1], table(tmp_path / "1.csv")[1]
    login = Login(new["name"], new["password"])
    wait_until(
        lambda: connack("127.0.0.1", mosquitto_setup.broker.port, login) == 0, what="the new one is known"
    )
    assert connack("127.0.0.1", mosquitto_setup.broker.port, Login(old["name"], old["password"])) != 0
    hosts.write_text("name\nweb-01\nweb-03\n")
    assert mosquitto_setup.run("rotate", "--from", hosts, "--out", tmp_path / "3.csv") == 1
    assert f'{hosts}:3: there is no "web-03"' in capsys.readouterr().err


@pytest.mark.parametrize("out", ["there.csv", "there", "no-folder/new.csv", "no-folder/new"])
def test_no_password_is_made_that_cannot_be_written(
    stopped: Setup, capsys: Capture, tmp_path: Path, out: str
) -> None:
    (tmp_path / "there.csv").write_text("precious")
    (tmp_path / "there").mkdir()
    hosts = tmp_path / "hosts.csv"
    hosts.write_text("name\nweb-01\n")
    assert stopped.run("add", "--from", hosts, "--out", tmp_path / out) == 1
    assert str(tmp_path / out) in capsys.readouterr().err
    assert (tmp_path / "there.csv").read_text() == "precious"
    stopped.run("list")
    assert "web-01" not in capsys.readouterr().out


def test_a_full_disk_takes_the_users_back(
    stopped: Setup, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    hosts = tmp_path / "hosts.csv"
    hosts.write_text("name\nweb-01\nweb-02\n")
    monkeypatch.setattr("setpoint.commands.credentials_out._write_folder", lambda *_: full(None))
    assert stopped.run("add", "--from", hosts, "--out", tmp_path / "agents") == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not (tmp_path / "agents").exists()
    stopped.run("list")
    assert "web-0" not in capsys.readouterr().out


# -- Mosquitto's file --------------------------------------------------------------------------------


def test_other_lines_owner_and_mode_of_the_file_stay(mosquitto_setup: Setup) -> None:
    passwords = mosquitto_setup.passwords
    subprocess.run(
        [require("mosquitto_passwd"), "-b", passwords, "theirs", "secret"], check=True, capture_output=True
    )
    passwords.write_bytes(b"# caf\xe9\n" + passwords.read_bytes())
    passwords.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(passwords, 1234, 2345)
    before, was = passwords.read_bytes(), passwords.stat()
    assert mosquitto_setup.run("add", "web-01") == 0
    assert passwords.read_bytes().startswith(before + b"web-01:$7$101$")
    assert mosquitto_setup.run("remove", "web-01") == 0
    assert passwords.read_bytes() == before
    now = passwords.stat()
    assert (now.st_uid, now.st_gid, now.st_mode) == (was.st_uid, was.st_gid, was.st_mode)
    assert {path.name for path in passwords.parent.iterdir() if path.name.startswith((".", "passwords"))} == {
        "passwords"
    }
    login = Login("theirs", "secret")
    wait_until(
        lambda: connack("127.0.0.1", mosquitto_setup.broker.port, login) == 0, what="theirs is still good"
    )


def test_a_file_that_others_may_read_is_closed_to_them(stopped_mosquitto: Setup) -> None:
    stopped_mosquitto.passwords.chmod(0o644)
    stopped_mosquitto.run("add", "web-01")
    assert stopped_mosquitto.passwords.stat().st_mode & 0o777 == 0o640


def test_a_link_to_the_file_stays_a_link(stopped_mosquitto: Setup, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(stopped_mosquitto.passwords)
    PasswordFile(link).add(["web-01"], "agent")
    assert link.is_symlink()
    assert "web-01" in PasswordFile(stopped_mosquitto.passwords).names()


def test_changes_at_the_same_time_are_all_kept(stopped_mosquitto: Setup) -> None:
    passwords = stopped_mosquitto.passwords
    names = [f"host-{n}" for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: PasswordFile(passwords).add([name], "agent"), names))
    assert set(names) <= PasswordFile(passwords).names().keys()


def test_a_file_that_is_not_there_is_not_made_but_explained(
    stopped_mosquitto: Setup, capsys: Capture, tmp_path: Path
) -> None:
    stopped_mosquitto.arguments[-1] = str(tmp_path / "typo")
    assert stopped_mosquitto.run("add", "web-01") == 1
    assert f"install -o root -g mosquitto -m 640 /dev/null {tmp_path}/typo" in capsys.readouterr().err
    assert not (tmp_path / "typo").exists()


def test_without_a_reload_it_is_said_that_mosquitto_does_not_know(
    stopped_mosquitto: Setup, capsys: Capture
) -> None:
    assert stopped_mosquitto.run("add", "web-01") == 0
    assert "systemctl reload mosquitto" in capsys.readouterr().out


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A program that would die of SIGHUP."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_only_mosquitto_is_sent_the_signal(
    mosquitto_setup: Setup, capsys: Capture, tmp_path: Path, bystander: subprocess.Popen[bytes]
) -> None:
    stale = tmp_path / "mosquitto.pid"
    stale.write_text(f"{bystander.pid}\n")
    assert mosquitto_setup.run("add", "web-01", "--reload-pid", stale, reload=False) == 1
    said = capsys.readouterr()
    assert "the file is changed, but Mosquitto was not told" in said.err
    assert "not mosquitto" in said.err
    assert bystander.poll() is None
    stale.write_text(f"{mosquitto_setup.broker.pid}\n")
    assert mosquitto_setup.run("rotate", "web-01", "--reload-pid", stale, reload=False) == 0


def test_a_collector_is_added_in_the_same_way(tmp_path: Path, capsys: Capture) -> None:
    with Mosquitto(tmp_path / "mosquitto", secured=True) as broker:
        passwords = str(broker.folder / "passwords")
        arguments = [
            "--role",
            "collector",
            "--mosquitto-passwords",
            passwords,
            "--reload-pid",
            str(broker.pid),
        ]
        (tmp_path / "collector.yaml").write_text("{}")
        command = ["agents", "add", "collector", "--config", str(tmp_path / "collector.yaml"), *arguments]
        assert main(command) == 0
        said = dict(line.split(": ") for line in capsys.readouterr().out.splitlines() if line[0] != "#")
        login = Login(said["username"], said["password"])
        wait_until(lambda: connack("127.0.0.1", broker.port, login) == 0, what="it may connect")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "--from", "hosts.csv"], "--from needs --out"),
        (["add", "web-01", "--skip-existing"], "--skip-existing goes with --from"),
        (["add", "web-01", "--site", "a/b"], "--site: 'a/b' is no site"),
        (["add", "web-01", "--reload-pid", "1"], "--mosquitto-passwords"),
        (["add", "web-01", "--address", "a b:1"], "--address: expected a name or address"),
        (["add", "web-01", "--address", "host:port"], "--address: expected a name or address"),
    ],
)
def test_options_that_make_no_sense_change_nothing(
    tmp_path: Path, capsys: Capture, arguments: list[str], said: str
) -> None:
    (tmp_path / "collector.yaml").write_text(f"collector: {{data: {tmp_path}/data/collector}}\n")
    assert main(["agents", *arguments, "--config", str(tmp_path / "collector.yaml")]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
