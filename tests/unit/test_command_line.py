"""What the commands print, and how they end."""

from __future__ import annotations

import argparse
import importlib
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.settings import host_name
from setpoint.__main__ import COMMANDS, main
from setpoint.version import VERSION
from tests.servers import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands are started, with an environment that says nothing of Setpoint."""
    for name in ("BROKER_HOST", "BROKER_PORT", "WEB_PORT", "DATA", "AGENT_PASSWORD", "COLLECTOR_PASSWORD"):
        monkeypatch.delenv(f"SETPOINT_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, what was printed, and what was complained of."""
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


# -- what is shipped -------------------------------------------------------------------------------


def test_the_shipped_files_are_good_and_checking_them_touches_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "config", "config")
    before = sorted(folder.rglob("*"))
    assert output(capsys, "plan", "check") == (
        0,
        'config/plan.yaml: good; "Operations resources" revision 1, approved by Service quality lead on '
        "2026-10-01: 7 points, 6 with a threshold or target, reviewed by month\n",
        "",
    )
    assert output(capsys, "agent", "check") == (
        0,
        f'config/agent.yaml: good; agent "{host_name()}" of site "hq" would measure host every 10 s, '
        "grafana every 10 s, ssh every 10 s\n",
        "",
    )
    assert output(capsys, "collector", "check") == (
        0,
        'config/collector.yaml: good; store duckdb in data/collector, plan "Operations resources" revision 1 '
        "with 7 points\n",
        "",
    )
    assert sorted(folder.rglob("*")) == before


# -- what is broken: a file's text, and the lines of the complaint ---------------------------------

PLANS = {
    "keys and types": (
        """\
plan: Broken
revision: one
sight: hq
review: fortnight
points:
  - id: cpu
    metric: cpu.usage_active
    warning: {above: 80, for: 5 minutes}
  - {id: memory, metric: mem.used_percent, critical: {above: high}}
  - {id: disk}
""",
        """\
x.yaml:2: revision: expected a whole number, got text "one"
x.yaml:3: unknown key "sight", did you mean "site"?
x.yaml:4: review: expected one of "day", "week", "month", "quarter", "year", got text "fortnight"
x.yaml:8: points[0].warning.for: expected a duration such as "10s", "5m" or "7d", got "5 minutes"
x.yaml:9: points[1].critical.above: expected a number, got text "high"
x.yaml:10: points[2]: expected exactly one of metric, ratio, got none
""",
    ),
    "what the keys say of one another": (
        """\
plan: Broken
revision: 1
groups:
  web: ["web-*"]
points:
  - id: cpu
    metric: cpu.usage_active
    expect: {host: {group: wbe}, every: 10s}
    warning: {above: 95}
    critical: {above: 80}
  - id: cpu
    metric: cpu.usage_active
    for: [uptime]
    where: {host: {group: databases}}
""",
        """\
x.yaml:8: points[0].expect.host.group: unknown group "wbe", did you mean "web"? known groups: web
x.yaml:9: points[0].warning: the level 95 is beyond that of critical, 80
x.yaml:11: points[1].id: duplicate point "cpu", first on line 6
x.yaml:13: points[1].for[0]: unknown objective "uptime"; the plan has no objectives
x.yaml:14: points[1].where.host.group: unknown group "databases"; known groups: web
""",
    ),
    "not YAML": (
        "plan: [\n",
        "x.yaml:2: not valid YAML: did not find expected node content, "
        "while parsing a flow node that begins on line 2\n",
    ),
    "nothing in it": (
        "",
        "x.yaml:1: plan: missing, it is required\nx.yaml:1: revision: missing, it is required\n",
    ),
}

AGENTS = {
    "everything at once": (
        """\
agent: {name: mon-01, sight: hq}
broker:
  password: [secret]
outbox: {max_size: 200 elephants}
publish: {compression: brotli}
inputs:
  - {input: host, interval: ten, colect: [cpu]}
  - {input: hosts}
  - interval: 10s
""",
        """\
x.yaml:1: agent: unknown key "sight", did you mean "site"?
x.yaml:3: broker.password: expected text, got a list
x.yaml:4: outbox.max_size: expected a size such as "512KB", "10MB" or "1GiB", got "200 elephants"
x.yaml:5: publish.compression: expected one of "zstd", "gzip", "none", got text "brotli"
x.yaml:7: inputs[0].interval: expected a duration such as "10s", "5m" or "7d", got "ten"
x.yaml:7: inputs[0]: unknown key "colect", did you mean "collect"?
""",
    ),
    "values out of bounds": (
        """\
agent: {name: "mon 01"}
broker: {port: 70000}
publish: {window: 1, batch: 5MB}
inputs:
  - {input: host, name: a, interval: 50ms}
  - {input: net_response, name: a, addresses: ["127.0.0.1:22"]}
""",
        """\
x.yaml:1: agent.name: expected 1 to 128 letters, digits, dots, hyphens or underscores, beginning with a \
letter or digit, got "mon 01"
x.yaml:2: broker.port: expected a port number from 1 to 65535, got 70000
x.yaml:3: publish.batch: expected a size from 1KB to 900KB, got 5000000 bytes
x.yaml:3: publish.window: expected a number from 2 to 1000, got 1
x.yaml:5: inputs[0].interval: expected at least 100ms, got 50ms
x.yaml:6: inputs[1].name: "a" is the name of inputs[0] already
""",
    ),
    "nothing to measure": (
        "agent: {name: mon-01}\n",
        "x.yaml:1: inputs: nothing would be measured; list at least one input, such as `- input: host`\n",
    ),
    "a password that the environment does not have": (
        'broker: {password: "${SETPOINT_NO_SUCH_NAME}"}\ninputs: [{input: host}]\n',
        "x.yaml:1: broker.password: environment variable SETPOINT_NO_SUCH_NAME is not set\n",
    ),
}

COLLECTORS = {
    "everything at once": (
        """\
collector: {name: "a/b", plan: plan.yaml}
receive: {queue: lots, tags_per_line: many}
web: {port: x}
revew: {every: 60s}
""",
        """\
x.yaml:1: collector.name: expected letters, digits, ". _ -", got "a/b"
x.yaml:2: receive.queue: expected a size such as "512KB", "10MB" or "1GiB", got "lots"
x.yaml:2: receive.tags_per_line: expected a whole number, got text "many"
x.yaml:3: web.port: expected a whole number, got text "x"
x.yaml:4: unknown key "revew", did you mean "review"?
""",
    ),
    "values out of bounds": (
        "store: {engine: duckdb, threads: 0, memory: 10MB}\nembedded_broker: {listen: here}\n",
        """\
x.yaml:1: store.memory: expected at least 100MB, got 10000000 bytes
x.yaml:1: store.threads: expected at least 1, got 0
x.yaml:2: embedded_broker.listen: expected an address and port such as "127.0.0.1:1883", got "here"
""",
    ),
    "a plan that is not there": (
        "collector: {plan: plans/next.yaml}\n",
        "plans/next.yaml: cannot read: No such file or directory\n",
    ),
}


def lines_of(text: str) -> list[str]:
    return sorted(text.splitlines())


@pytest.mark.parametrize("case", PLANS)
def test_a_broken_plan(capsys: pytest.CaptureFixture[str], case: str) -> None:
    text, complaint = PLANS[case]
    Path("x.yaml").write_text(text)
    assert output(capsys, "plan", "check", "x.yaml") == (2, "", complaint)


@pytest.mark.parametrize("case", AGENTS)
def test_a_broken_agent_file(capsys: pytest.CaptureFixture[str], case: str) -> None:
    text, complaint = AGENTS[case]
    Path("x.yaml").write_text(text)
    code, printed, said = output(capsys, "agent", "check", "--config", "x.yaml")
    # Which inputs there are is not this test's affair.
    said = "".join(line for line in said.splitlines(keepends=True) if '"http_response"' not in line)
    assert (code, printed, said) == (2, "", complaint)


def test_an_input_that_is_none_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.yaml").write_text("inputs:\n  - {input: hosts}\n  - interval: 10s\n")
    code, _, said = output(capsys, "agent", "check", "--config", "x.yaml")
    first, second = said.splitlines()
    assert code == 2
    assert first.startswith('x.yaml:2: inputs[0].input: expected one of "grafana_alerts", ')
    assert first.endswith('got text "hosts"')
    assert second.startswith('x.yaml:3: inputs[1].input: missing, it is required: one of "grafana_alerts", ')


@pytest.mark.parametrize("case", COLLECTORS)
def test_a_broken_collector_file(capsys: pytest.CaptureFixture[str], case: str) -> None:
    text, complaint = COLLECTORS[case]
    Path("x.yaml").write_text(text)
    assert output(capsys, "collector", "check", "--config", "x.yaml") == (2, "", complaint)
    # Nor does it run.
    assert output(capsys, "collector", "run", "--config", "x.yaml") == (2, "", complaint)


def test_the_plan_is_looked_for_beside_the_file_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("site").mkdir()
    Path("site/collector.yaml").write_text("collector: {plan: plan.yaml}\n")
    Path("site/plan.yaml").write_text("plan: X\nrevision: 1\npoints: [{id: a}]\n")
    assert output(capsys, "collector", "check", "--config", "site/collector.yaml") == (
        2,
        "",
        "site/plan.yaml:3: points[0]: expected exactly one of metric, ratio, got none\n",
    )


@pytest.mark.parametrize(
    "command",
    [("plan", "check", "x.yaml"), ("agent", "check", "--config", "x.yaml"), ("up", "--config", ".")],
)
def test_a_missing_file(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    file = "collector.yaml" if command[0] == "up" else "x.yaml"
    complaint = f"{file}: cannot read: No such file or directory\n"
    assert output(capsys, *command) == (2, "", complaint)


def test_what_looks_like_a_slip_is_a_hint_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.yaml").write_text(
        "plan: Hint\nrevision: 1\ngroups: {operations: [a, b]}\n"
        "points:\n  - {id: cpu, metric: cpu.busy, expect: {host: operation}}\n"
    )
    assert output(capsys, "plan", "check", "x.yaml") == (
        0,
        'x.yaml: good; "Hint" revision 1: 1 points, 0 with a threshold or target, reviewed by month\n',
        'x.yaml:5: points[0].expect.host: no group is called "operation", so this is a name; '
        'did you mean the group "operations"? (a hint, not an error)\n',
    )


def test_no_secret_is_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETPOINT_AGENT_PASSWORD", "correct horse")
    Path("staple").write_text("battery\n")
    Path("x.yaml").write_text(
        "broker:\n  password: hunter2\n  port: ${SETPOINT_AGENT_PASSWORD}\n  keepalive: !file staple\n"
        "  passwort: hunter2\ninputs: [{input: host}]\n"
    )
    code, _, said = output(capsys, "agent", "check", "--config", "x.yaml")
    assert code == 2
    assert [line.split(" ", 1)[0] for line in said.splitlines()] == ["x.yaml:3:", "x.yaml:4:", "x.yaml:5:"]
    assert not any(secret in said for secret in ("hunter2", "horse", "battery"))


@pytest.mark.parametrize("asked", ["an hour", "10", "-5s", "5s5s"])
def test_up_for_a_time_that_is_none(capsys: pytest.CaptureFixture[str], asked: str) -> None:
    expected = f'setpoint up: how long: expected a duration such as "10s", "5m" or "7d", got "{asked}"\n'
    assert output(capsys, "up", f"--for={asked}") == (2, "", expected)


# -- help ------------------------------------------------------------------------------------------


def _parsers() -> Iterator[tuple[str, ...]]:
    """Every command and subcommand."""
    for name, module, _ in COMMANDS:
        parser = argparse.ArgumentParser()
        subparsers = parser.add_subparsers()
        importlib.import_module(module).add_parser(subparsers)
        yield (name,)
        for action in subparsers.choices[name]._actions:
            if isinstance(action, argparse._SubParsersAction):
                for below in action.choices:
                    yield (name, below)


@pytest.mark.parametrize("command", list(_parsers()), ids=" ".join)
def test_every_command_has_its_help(capsys: pytest.CaptureFixture[str], command: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert said.startswith(f"usage: setpoint {' '.join(command)} ")
    # What it does stands there too, and not only how it is called.
    assert "COMMAND" in said or len(said.split("\n\n")[1].split()) > 3


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert all(f"{name} {what}" in said for name, _, what in COMMANDS)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"setpoint {VERSION}\n")


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["plan"], ["plan", "frobnicate"]])
def test_what_is_no_command_is_told_so(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: setpoint")


# -- installations that lack something -------------------------------------------------------------

OF_THE_COLLECTOR = ("duckdb", "numpy", "litestar", "uvicorn", "amqtt", "jinja2", "line_protocol_parser")
OF_THE_AGENT = ("aiomqtt", "psutil", "zstandard")


def without(packages: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where these packages cannot be imported."""
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({packages!r}))\n"
        "from setpoint.__main__ import main\n"
        "code = main(sys.argv[1:])\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules if sys.modules[name]}))\n"
        "sys.exit(code)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        ("agent check", "agent"),
        ("agent run", "agent"),
        ("collector run", "collector"),
        ("up", "collector"),
        ("restore file.tar", "collector"),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(arguments: str, extra: str) -> None:
    done = without((*OF_THE_COLLECTOR, *OF_THE_AGENT), *arguments.split())
    assert done.returncode == 2
    command = arguments.split()[0]
    [said] = done.stderr.splitlines()
    assert said.startswith(f"setpoint {command} needs the package ")
    assert said.endswith(f"; install it with: pip install 'setpoint[{extra}]'")
    package = said.removeprefix(f"setpoint {command} needs the package ").partition(";")[0]
    assert package in (*OF_THE_COLLECTOR, *OF_THE_AGENT)


def test_an_agents_host_needs_nothing_of_the_collector() -> None:
    done = without(OF_THE_COLLECTOR, "agent", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "collector" not in done.stdout.splitlines()[-1].split()


@pytest.mark.parametrize("command", ["plan check", "collector check"])
def test_checking_needs_neither_database_nor_server(command: str) -> None:
    done = without((*OF_THE_COLLECTOR, "aiomqtt"), *command.split())
    assert (done.returncode, done.stderr) == (0, "")


# -- a collector that cannot start -----------------------------------------------------------------


@pytest.fixture
def collector_yaml(tmp_path: Path) -> Path:
    (tmp_path / "plan.yaml").write_text("plan: X\nrevision: 1\n")
    file = tmp_path / "collector.yaml"
    file.write_text(f"collector: {{data: {tmp_path}/data, plan: plan.yaml}}\nweb: {{port: 1}}\n")
    return file


def last_words(config: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "setpoint", "collector", "run", "--config", str(config)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_a_port_that_is_taken_is_named(collector_yaml: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        collector_yaml.write_text(collector_yaml.read_text().replace("port: 1", f"port: {port}"))
        assert last_words(collector_yaml) == (
            f"setpoint collector: 127.0.0.1:{port} is in use; set web.port in collector.yaml"
        )


def test_a_register_of_a_newer_version_is_refused(collector_yaml: Path) -> None:
    register = collector_yaml.parent / "data/register.db"
    register.parent.mkdir()
    with sqlite3.connect(register) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert last_words(collector_yaml) == (
        f"setpoint collector: {register} has schema version 99, and this program knows none above 2; "
        "install the version that wrote it, or a newer one"
    )


@pytest.mark.parametrize("name", ["store.duckdb", "register.db"])
def test_a_file_that_is_none_of_ours_is_named(collector_yaml: Path, name: str) -> None:
    file = collector_yaml.parent / "data" / name
    file.parent.mkdir()
    file.write_text("once upon a time " * 1_000)
    assert last_words(collector_yaml).startswith(f"setpoint collector: {file} cannot be opened: ")
