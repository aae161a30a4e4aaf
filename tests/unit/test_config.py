"""YAML files into structs: values, and what is said about wrong ones."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from setpoint import yaml_source
from setpoint.config import ConfigError, Loaded, Problem, load, parse
from setpoint.units import Duration, Secret, Size


class Host(msgspec.Struct, tag="host", tag_field="input"):
    interval: Duration = Duration(10_000)
    disks: list[str] = []


class Snmp(msgspec.Struct, tag="snmp", tag_field="input", rename={"is_on": "on"}):
    devices: list[str]
    community: Secret | None = None
    is_on: bool = True
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 161

    def problems(self) -> Sequence[tuple[str, str]]:
        return [
            (f"devices[{index}]", f'expected a name, got "{device}"')
            for index, device in enumerate(self.devices)
            if " " in device
        ]


class Broker(msgspec.Struct, kw_only=True):
    url: str = "mqtt://localhost"
    password: Secret | None = None
    token: Secret = Secret("")
    tls: bool = False
    range: tuple[int, float] | None = None


class Settings(msgspec.Struct, kw_only=True):
    name: str
    broker: Broker = msgspec.field(default_factory=Broker)
    inputs: list[Host | Snmp] = []
    limit: Size = Size(1)
    level: Literal["low", "high"] = "low"
    ratio: float = 1.0
    count: int = 0
    since: datetime.date | None = None
    labels: dict[str, str] = {}
    weights: dict[Literal["cpu", "mem"], float] = {}
    either: str | int | list[str] = 0
    folder: Path = Path("data")
    extra: Any = None
    names: tuple[str, ...] = ()
    secrets: dict[str, Secret] = {}


def read(text: str, **environment: str) -> Settings:
    return parse(text, "config/agent.yaml", Settings, environment=environment).value


def wrong(text: str, environment: Mapping[str, str] | None = None, folder: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "a.yaml", Settings, environment=environment or {}, folder=folder)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return str(caught.value).splitlines()


def test_a_file_becomes_a_struct(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(
        """\
name: mon-01
broker: {tls: yes, range: [1, 2]}
inputs:
  - {input: host, interval: 1h30m}
  - {input: snmp, devices: [sw-1], on: no}
limit: 10MB
level: high
ratio: 3
since: 2026-10-01
labels: {room: "101", on: off, version: 1.10}
weights: {cpu: 1e3}
either: [a, b]
folder: /var/lib
extra: {a: [1, 2.5, true, null, text]}
names: [a]
""",
        encoding="utf-8",
    )
    assert load(path, Settings).value == Settings(
        name="mon-01",
        broker=Broker(tls=True, range=(1, 2.0)),
        inputs=[Host(interval=Duration(5_400_000)), Snmp(devices=["sw-1"], is_on=False)],
        limit=Size(10_000_000),
        level="high",
        ratio=3.0,
        since=datetime.date(2026, 10, 1),
        labels={"room": "101", "on": "off", "version": "1.10"},
        weights={"cpu": 1000.0},
        either=["a", "b"],
        folder=Path("/var/lib"),
        extra={"a": [1, 2.5, True, None, "text"]},
        names=("a",),
    )


@pytest.mark.parametrize("text", ["no", "0123", "1.10", "10:30", "2026-10-01", "1_000", "true", "0x1F"])
def test_text_is_taken_as_it_was_written(text: str) -> None:
    assert read(f"name: {text}").name == text


@pytest.mark.parametrize(("text", "value"), [("5", 5), ('"5"', "5"), ("five", "five"), ("on", "on")])
def test_a_union_takes_the_member_that_the_value_is(text: str, value: object) -> None:
    assert read(f"name: a\neither: {text}").either == value


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("limit: 10", 'limit: expected a size such as "512KB", "10MB" or "1GiB", got "10"'),
        ("limit:", 'limit: expected a size such as "512KB", "10MB" or "1GiB", got nothing'),
        ("count: ten", 'count: expected a whole number, got text "ten"'),
        ('count: "10"', 'count: expected a whole number, got text "10"'),
        ("count: 1.5", "count: expected a whole number, got number 1.5"),
        ("count: true", "count: expected a whole number, got true"),
        ("count: 10:30", 'count: expected a whole number, got text "10:30"'),
        ("count: [1]", "count: expected a whole number, got a list"),
        ("ratio: .nan", "ratio: expected a number, got number .nan"),
        ("ratio: 1e999", 'ratio: expected a number, got text "1e999"'),
        ("level: medium", 'level: expected one of "low", "high", got text "medium"'),
        ("since: 2026-13-01", 'since: expected a date such as 2026-10-01, got text "2026-13-01"'),
        ("since: 3", "since: expected a date such as 2026-10-01, got number 3"),
        ("broker: {tls: 1}", "broker.tls: expected true or false, got number 1"),
        ("broker: a", "broker: expected a mapping, got text"),
        ("broker:", "broker: expected a mapping, got nothing"),
        ("broker: {range: [1]}", "broker.range: expected a list of 2 values, got 1"),
        ("broker: {range: [a, 1]}", 'broker.range[0]: expected a whole number, got text "a"'),
        ("inputs: {}", "inputs: expected a list, got a mapping"),
        ("labels: [a]", "labels: expected a mapping, got a list"),
        ('labels: {"a.b": [1]}', 'labels["a.b"]: expected text, got a list'),
        ("weights: {cpus: 1}", 'weights: unknown key "cpus", did you mean "cpu"?'),
        ("either: {}", "either: expected text or a whole number or a list, got a mapping"),
        ("inputs: [{}]", 'inputs[0].input: missing, it is required: one of "host", "snmp"'),
        ("inputs: [{input: hots}]", 'inputs[0].input: expected one of "host", "snmp", got text "hots"'),
        ("inputs: [{input: snmp}]", "inputs[0].devices: missing, it is required"),
        (
            "inputs: [{input: snmp, devices: [], port: 0}]",
            "inputs[0].port: expected at least 1, got number 0",
        ),
        (
            "inputs: [{input: snmp, devices: [a, b c]}]",
            'inputs[0].devices[1]: expected a name, got "b c"',
        ),
        ("nmae: b", 'unknown key "nmae", did you mean "name"?'),
        ("? [a]\n: 1", "expected a key that is plain text"),
        ("extra: !!python/name:os.system x", "extra: " + yaml_source._TAG_REFUSED),
        ("extra: !file [a]", "extra: " + yaml_source._TAG_REFUSED),
        ("extra: *nothing", "extra: " + yaml_source._UNDEFINED_ALIAS),
        ("extra: &a [*a]", "extra[0]: " + yaml_source._UNDEFINED_ALIAS),
        ("<<: 3", "<<: expected an alias of a mapping, or a list of them"),
    ],
)
def test_what_is_said_of_a_wrong_value(line: str, problem: str) -> None:
    assert wrong(f"name: a\n{line}\n") == [f"a.yaml:2: {problem}"]


def test_an_unknown_key_that_resembles_none_names_them_all() -> None:
    assert wrong("name: a\nbroker: {xyzzy: 1}") == [
        'a.yaml:2: broker: unknown key "xyzzy", known are: password, range, tls, token, url'
    ]


def test_everything_wrong_is_said_at_once_in_the_order_of_lines() -> None:
    text = """\
broker:
  tls: perhaps
inputs:
  - input: host
    intervall: 10s
  - input: host
    interval: ten
    interval: 5s
  - input: snmp
    community: ${COMMUNITY}
count: many
extra: {a: !!set {}}
"""
    assert wrong(text) == [
        "a.yaml:1: name: missing, it is required",
        'a.yaml:2: broker.tls: expected true or false, got text "perhaps"',
        'a.yaml:5: inputs[0]: unknown key "intervall", did you mean "interval"?',
        'a.yaml:7: inputs[1].interval: expected a duration such as "10s", "5m" or "7d", got "ten"',
        'a.yaml:8: inputs[1].interval: duplicate key "interval", first on line 7',
        "a.yaml:9: inputs[2].devices: missing, it is required",
        "a.yaml:10: inputs[2].community: environment variable COMMUNITY is not set",
        'a.yaml:11: count: expected a whole number, got text "many"',
        "a.yaml:12: extra.a: " + yaml_source._TAG_REFUSED,
    ]


def test_an_empty_file_lacks_what_is_required() -> None:
    assert wrong("") == ["a.yaml:1: name: missing, it is required"]
    assert wrong("# nothing\n") == ["a.yaml:1: name: missing, it is required"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("name: [a,\nb: 2\n", 3, "not valid YAML: "),
        ("name: a: b", 1, "not valid YAML: mapping values are not allowed"),
        ("name:\n\t- a", 2, "not valid YAML: a tab; indent with spaces"),
        ("name: @a", 1, 'not valid YAML: text that begins with "@" needs quotes'),
        ("labels: {a: ${B}}", 1, "not valid YAML: "),
        ("name: a\n---\nname: b", 2, "expected one YAML document, got another after ---"),
        ("name: a\nratio: \x01", 2, "control character U+0001; YAML allows only printable text"),
        ("name: " + "[" * 100, 1, "nested deeper than 64 levels"),
        ("- a", 1, "expected a mapping, got a list"),
    ],
)
@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_what_is_no_yaml_has_its_line(
    text: str, line: int, message: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_source, "_LOADER", getattr(yaml, loader, yaml.SafeLoader))
    found = wrong(text)[0]
    # Without libyaml an unclosed bracket is noticed one line earlier.
    assert found.startswith((f"a.yaml:{line}: {message}", f"a.yaml:{line - 1}: {message}"))


def test_an_unquoted_variable_in_brackets_gets_its_cure() -> None:
    assert wrong("labels: {a: ${B}}")[0].endswith("inside [] and {} a ${NAME} needs quotes")


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    missing, latin = tmp_path / "no.yaml", tmp_path / "latin.yaml"
    latin.write_bytes(b"name: a\nlabels: {a: \xe9}\n")
    for path, message in (
        (missing, f"{missing}: cannot read: No such file or directory"),
        (tmp_path, f"{tmp_path}: cannot read: Is a directory"),
        (latin, f"{latin}:2: cannot read: not UTF-8 text"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(path, Settings)
        assert str(caught.value) == message


def test_variables_come_from_the_environment() -> None:
    text = """\
name: a-${SITE}-${NUMBER:-7}${EMPTY:-}
count: ${COUNT}
labels: {a: "$${SITE} costs $5", b: '${EMPTY:-x}', c: "${SITE}"}
broker:
  password: ${PASSWORD}
since: ${EMPTY}
"""
    settings = read(text, SITE="hq", COUNT="12", EMPTY="", PASSWORD="null")
    assert settings.name == "a-hq-7"
    assert settings.count == 12
    assert settings.labels == {"a": "${SITE} costs $5", "b": "x", "c": "hq"}
    assert settings.broker.password is not None
    assert settings.broker.password.reveal() == "null"
    assert settings.since is None


def test_a_variable_that_is_not_replaced_is_said() -> None:
    assert wrong("name: ${NAME}-x") == ["a.yaml:1: name: environment variable NAME is not set"]
    form = "expected ${NAME} or ${NAME:-default}; a ${ that is meant as it stands is written $${"
    assert wrong("name: ${1A}") == [f"a.yaml:1: name: {form}"]
    assert wrong("name: a${") == [f"a.yaml:1: name: {form}"]


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SETPOINT_TEST_NAME", "mon-01")
    assert parse("name: ${SETPOINT_TEST_NAME}", "a.yaml", Settings).value.name == "mon-01"


def test_a_value_can_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_bytes(b"hunter2 ${X}\r\n")
    (tmp_path / "count").write_text("5\n")
    path = tmp_path / "agent.yaml"
    path.write_text("name: a\nbroker: {password: !file secret.txt}\ncount: !file ${COUNT_FILE}\n")
    settings = load(path, Settings, environment={"COUNT_FILE": "count"}).value
    assert settings.broker.password == "hunter2 ${X}"
    assert settings.count == 5


def test_a_value_whose_file_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * (1 << 20) + b"x")
    text = "name: a\nextra:\n- !file secret.txt\n- !file binary\n- !file large\n- !file .\n"
    assert wrong(text, folder=tmp_path) == [
        'a.yaml:3: extra[0]: cannot read "secret.txt": No such file or directory',
        'a.yaml:4: extra[1]: cannot read "binary": not UTF-8 text',
        'a.yaml:5: extra[2]: cannot read "large": larger than 1048576 bytes',
        'a.yaml:6: extra[3]: cannot read ".": Is a directory',
    ]


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(
    "text",
    [
        "broker: hunter2",
        "broker: {password: [hunter2]}",
        "broker: {password: {a: hunter2}}",
        "broker: {password: *hunter2}",
        "broker: {password: !hunter2 x}",
        "broker:\n  password: !hunter2!x y",
        "broker:\n  password: 'hunter2",
        "broker:\n  password: &hunter2",
        "broker:\n  password: hunter2: x",
        "count: ${PASSWORD}",
        "count: !file secret.txt",
        'limit: "x${PASSWORD}"',
        "level: ${PASSWORD}",
        "inputs: [{input: '${PASSWORD}'}]",
        "inputs: [{input: snmp, devices: ['a ${PASSWORD}']}]",
        "inputs: [{input: snmp, devices: ['a b'], community: hunter2, x: 1}]",
        "count: [!file secret.txt]",
    ],
)
def test_no_message_shows_a_secret(
    text: str, loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_source, "_LOADER", getattr(yaml, loader, yaml.SafeLoader))
    (tmp_path / "secret.txt").write_text("hunter2")
    for line in wrong(text, {"PASSWORD": "hunter2"}, folder=tmp_path):
        assert "hunter2" not in line


def test_where_a_value_came_from_is_said_instead() -> None:
    assert wrong("name: a\ncount: ${PASSWORD}", {"PASSWORD": "hunter2"}) == [
        'a.yaml:2: count: expected a whole number, got the value of "${PASSWORD}"'
    ]


def test_anchors_and_merged_mappings() -> None:
    text = """\
name: a
inputs:
  - &base {input: snmp, devices: [x], port: 1}
  - {<<: *base, port: 2}
  - {<<: [{port: 3}, *base]}
extra: *base
"""
    settings = read(text)
    assert [each.port for each in settings.inputs if isinstance(each, Snmp)] == [1, 2, 3]
    assert settings.extra == {"input": "snmp", "devices": ["x"], "port": 1}


def test_an_alias_has_the_line_where_it_is_used() -> None:
    text = "name: a\nextra: &a {input: snmp}\ninputs:\n  - input: host\n  - *a\n"
    assert wrong(text) == ["a.yaml:5: inputs[1].devices: missing, it is required"]


def test_aliases_cannot_blow_up() -> None:
    lines = ["name: a", "extra:", "  - &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert wrong("\n".join(lines)) == ["a.yaml:7: aliases stand for more than 100000 values"]


def test_a_problem_has_the_line_of_the_nearest_ancestor() -> None:
    text = 'name: a\ninputs:\n  - input: snmp\n    devices:\n      - a\nlabels:\n  "a.b]": x\n'
    source = parse(text, "a.yaml", Settings).source
    lines = {
        "": 1,
        "name": 1,
        "inputs": 2,
        "inputs[0]": 3,
        "inputs[0].devices": 4,
        "inputs[0].devices[0]": 5,
        "inputs[0].devices[7].x": 4,
        "inputs[0].port": 3,
        'labels["a.b]"]': 7,
        "labels.other": 6,
        "nowhere.at[1].all": 1,
    }
    assert {path: source.line(path) for path in lines} == lines
    assert source.problem("inputs[0].port", "is taken") == Problem("a.yaml", 3, "inputs[0].port", "is taken")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("abc.[]\" '", max_size=5), inner),
        max_leaves=20,
    )
)
def test_what_pyyaml_writes_is_read_the_same(value: object) -> None:
    text = yaml.safe_dump({"name": "a", "extra": value})
    if "${" not in text:
        assert read(text).extra == value


@given(st.text())
def test_any_text_is_read_or_refused_with_problems(text: str) -> None:
    try:
        loaded: Loaded[Settings] | None = parse(text, "a.yaml", Settings, environment={})
        problems = []
    except ConfigError as error:
        loaded, problems = None, error.problems
    assert (loaded is None) == bool(problems)
