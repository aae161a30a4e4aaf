"""What is wrong with the settings and the inventory of the snmp input, and where."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from agent.inputs.snmp.inventory import InventoryError, read_inventory
from agent.inputs.snmp.settings import DeviceSettings, SnmpSettings
from setpoint.config import ConfigError, parse
from setpoint.units import Duration

V3 = "{version: v3, user: u, auth: {protocol: sha, password: 12345678}"


class File(msgspec.Struct):
    inputs: list[SnmpSettings]


def read(text: str) -> SnmpSettings:
    return parse(f"inputs:\n  - {text}\n", "agent.yaml", File, environment={}).value.inputs[0]


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return [str(problem).partition(": inputs[0]")[2] for problem in caught.value.problems]


def inventory(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "devices.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{CRED, devices: []}", ".devices: is empty"),
        ("{input: snmp, credentials: {}, devices: [{address: a}]}", ".credentials: is empty"),
        ("{CRED, devices: [{address: 'a b'}]}", ".devices[0].address: expected an address"),
        ("{CRED, devices: [{address: a, port: 0}]}", ".devices[0].port: expected a number from 1"),
        ("{CRED, devices: [{address: a, interval: 10ms}]}", ".devices[0].interval: expected at least 1s"),
        ("{CRED, devices: [{address: a, tags: {device: x}}]}", ".devices[0].tags.device: is a tag of"),
        ("{CRED, devices: [{address: a}, {address: a}]}", ".devices[1].name: devices[1] has the name of"),
        ("{CRED, devices: [{address: a, credentials: q}]}", ".devices[0].credentials: expected one of c,"),
        (
            "{TWO, devices: [{address: a}]}",
            ".devices[0].credentials: expected one of c, d, which are missing",
        ),
        ("{CRED, DEV, interval: 500ms}", ".interval: expected at least 1s"),
        ("{CRED, DEV, slow_interval: 30s}", ".slow_interval: expected at least the interval"),
        ("{CRED, DEV, timeout: 2m}", ".timeout: expected more than 0s and at most 1m"),
        ("{CRED, DEV, retries: -1}", ".retries: expected a number from 0"),
        ("{CRED, DEV, max_in_flight: 0}", ".max_in_flight: expected a number from 1"),
        ("{CRED, DEV, ports: {names: ['(']}}", ".ports.names[0]: is no regular expression"),
        ("{CRED, DEV, inventory: /no/such.csv}", '.inventory: cannot read "/no/such.csv"'),
        ("{CRED, devices: [{address: a, profile: ciscoo}]}", ".devices[0].profile: no profile is called"),
        ("{CRED, DEV, profiles: /no/such}", ".profiles: "),
        ("{input: snmp, credentials: {c: {}}, DEV}", ".credentials.c.community: missing, v2c needs it"),
        ("{input: snmp, credentials: {c: {version: v3}}, DEV}", ".credentials.c.user: missing, v3 needs it"),
        ("{input: snmp, credentials: {c: {community: x, user: u}}, DEV}", ".credentials.c.user: is for v3"),
        ("{input: snmp, credentials: {c: V3, community: x}}, DEV}", ".credentials.c.community: is for v1"),
        (
            "{input: snmp, credentials: {c: V3, priv: {protocol: aes128, password: short}}}, DEV}",
            ".credentials.c.priv.password: expected at least 8",
        ),
        (
            "{input: snmp, credentials: {c: {version: v3, user: u, priv: {protocol: des, password: P}}}}",
            ".credentials.c.priv: needs auth as well",
        ),
        (
            "{input: snmp, credentials: {c: V3, context: x}}, devices: [{address: a, engine: gufo}]}",
            ".devices[0].credentials: have a context",
        ),
    ],
)
def test_a_bad_setting_is_named_with_its_path(text: str, expected: str) -> None:
    text = text.replace("CRED", "input: snmp, credentials: {c: {community: x}}")
    text = text.replace("TWO", "input: snmp, credentials: {c: {community: x}, d: {community: y}}")
    text = (
        text.replace("DEV", "devices: [{address: a}]")
        .replace("V3", V3)
        .replace("password: P}", "password: 12345678}")
    )
    found = problems(text)
    assert any(problem.startswith(expected) for problem in found), found


def test_secrets_are_shown_neither_in_settings_nor_in_problems() -> None:
    both = f"{{a: {{community: topsecret}}, b: {V3}}}}}"
    made = read(f"{{input: snmp, credentials: {both}, devices: [{{address: x, credentials: a}}]}}")
    assert "topsecret" not in repr(made)
    assert "12345678" not in repr(made)
    bad = "{input: snmp, credentials: {a: {version: v1, user: u, community: topsecret}}, devices: []}"
    assert "topsecret" not in "".join(problems(bad))


def test_an_inventory_gives_devices_and_tags(tmp_path: Path) -> None:
    path = inventory(
        tmp_path,
        "\ufeffaddress, name ,port,interval,room,owner\n"
        "192.0.2.1,sw-01,1161,5m,2.14,network team\n"
        "\n"
        '2001:db8::1,,,,"a, b",\n',
    )
    assert read_inventory(path, DeviceSettings) == [
        DeviceSettings(
            address="192.0.2.1",
            name="sw-01",
            port=1161,
            interval=Duration(300_000),
            tags={"room": "2.14", "owner": "network team"},
        ),
        DeviceSettings(address="2001:db8::1", tags={"room": "a, b"}),
    ]


def test_an_inventory_may_be_separated_by_semicolons(tmp_path: Path) -> None:
    path = inventory(tmp_path, "address;name;room\n192.0.2.1;sw-01;1,5\n")
    [device] = read_inventory(path, DeviceSettings)
    assert (device.name, device.tags) == ("sw-01", {"room": "1,5"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ['1: expected a header with a column "address", got nothing']),
        ("name,port\n", ['1: expected a header with a column "address", got "name", "port"']),
        ("address,room,room\n", ['1: two columns have the title "room"']),
        ("address,,room\n", ["1: column 2 has no title"]),
        ("address\n", [" no devices below the header"]),
        ("address,name\n,sw-01\n", ['2: column "address": is empty in this row']),
        ("address\n192.0.2.1,x\n", ["2: 2 cells where the header has 1 columns"]),
        (
            "address,port,interval,engine\na,x,ten,fast\nb,70000,1s,\n",
            [
                '2: column "port": expected a number, got "x"',
                '2: column "interval": expected a duration such as',
                '2: column "engine": expected one of auto, gufo, pysnmp, got "fast"',
                '3: column "port": expected a number from 1 to 65535, got 70000',
            ],
        ),
        ('address\n"a\n', ["2: unexpected end of data"]),
        ("address,index\na,7\n", ['2: column "index": is a tag of the readings themselves']),
    ],
)
def test_what_is_wrong_in_an_inventory_is_told_with_line_and_column(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    path = inventory(tmp_path, text)
    with pytest.raises(InventoryError) as caught:
        read_inventory(path, DeviceSettings)
    assert len(caught.value.problems) == len(expected)
    for problem, beginning in zip(caught.value.problems, expected, strict=True):
        assert problem.startswith(f"{path}:{beginning}")


def test_an_inventory_that_is_no_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "devices.csv"
    path.write_bytes(b"address,room\na,b\nc,\xe4\n")
    with pytest.raises(InventoryError, match=r"devices\.csv:3: expected UTF-8, got the byte 0xe4"):
        read_inventory(path, DeviceSettings)


def test_problems_of_an_inventory_are_problems_of_the_settings(tmp_path: Path) -> None:
    path = inventory(tmp_path, "address,credentials,profile\na,nope,\nb,,ciscoo\nb,,\n")
    found = problems(f"{{input: snmp, credentials: {{c: {{community: x}}}}, inventory: {path}}}")
    assert any(
        f'.inventory: "a" in {path}: credentials: expected one of c, got "nope"' in one for one in found
    )
    assert any('.inventory: no profile is called "ciscoo"' in one for one in found)
    assert any('.inventory: "b" in' in one and "names must differ" in one for one in found)
