"""The table of inputs, their settings as YAML, and their pages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from agent.inputs import INPUTS, AnySettings, build
from agent.inputs.base import InputSettings
from agent.inputs.grafana_alerts.settings import GrafanaAlertsSettings
from agent.inputs.host.settings import HostSettings
from agent.inputs.http_response.settings import HttpResponseSettings
from agent.inputs.nagios_checks.settings import NagiosChecksSettings
from agent.inputs.net_response.settings import NetResponseSettings
from agent.inputs.procstat.settings import ProcstatSettings
from agent.inputs.prometheus_rules.settings import PrometheusRulesSettings
from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.settings import DeviceSettings, SnmpSettings
from agent.inputs.snmp_traps.settings import SnmpTrapsSettings
from agent.inputs.zabbix_triggers.settings import ZabbixTriggersSettings
from setpoint.config import ConfigError, parse
from setpoint.units import Duration, Secret, Size

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES: dict[str, InputSettings] = {
    "grafana_alerts": GrafanaAlertsSettings(url="http://127.0.0.1:3000"),
    "host": HostSettings(),
    "http_response": HttpResponseSettings(urls=["http://127.0.0.1/"]),
    "nagios_checks": NagiosChecksSettings(url="https://127.0.0.1:5665"),
    "net_response": NetResponseSettings(addresses=["127.0.0.1:1"]),
    "procstat": ProcstatSettings(exe="x"),
    "prometheus_rules": PrometheusRulesSettings(url="http://127.0.0.1:9090"),
    "snmp": SnmpSettings(
        credentials={"public": Credentials(community=Secret("public"))},
        devices=[DeviceSettings(address="192.0.2.1")],
    ),
    "snmp_traps": SnmpTrapsSettings(credentials={"public": Credentials(community=Secret("public"))}),
    "zabbix_triggers": ZabbixTriggersSettings(url="http://127.0.0.1/zabbix", token=Secret("a")),
}


class File(msgspec.Struct):
    """As much of agent.yaml as an input needs."""

    inputs: list[AnySettings]


def read(text: str) -> list[AnySettings]:
    return parse(text, "agent.yaml", File, environment={}).value.inputs


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return [str(problem).partition(": inputs[0]")[2] for problem in caught.value.problems]


def page(name: str) -> str:
    return (ROOT / "docs" / "inputs" / f"{name}.md").read_text()


def test_every_setting_type_is_in_the_table_under_its_tag() -> None:
    assert {entry.settings for entry in INPUTS.values()} == set(get_args(AnySettings))
    assert {name: entry.settings.__struct_config__.tag for name, entry in INPUTS.items()} == {
        name: name for name in INPUTS
    }


def test_every_input_has_a_sample_here() -> None:
    assert SAMPLES.keys() == INPUTS.keys()


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_is_built_from_its_settings(name: str) -> None:
    settings = SAMPLES[name]
    assert not settings.problems()
    source = build(settings)
    assert f"{type(source).__module__}:{type(source).__name__}" == INPUTS[name].source


def settings_rows(name: str) -> list[list[str]]:
    """The cells of the page's table of settings."""
    table = page(name).partition("## Settings")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if "|" in line]
    return [row for row in rows if row[0].startswith("`")]


@pytest.mark.parametrize("name", INPUTS)
def test_every_setting_is_on_the_inputs_page(name: str) -> None:
    own = set(INPUTS[name].settings.__struct_fields__) - set(InputSettings.__struct_fields__)
    assert own == {word for row in settings_rows(name) for word in re.findall(r"`(\w+)`", row[0])}


@pytest.mark.parametrize("name", INPUTS)
def test_the_example_on_the_page_is_valid(name: str) -> None:
    examples = re.findall(r"```yaml\n(inputs:.*?)```", page(name), re.DOTALL)
    assert examples
    for example in examples:
        assert {type(settings) for settings in read(example)} == {INPUTS[name].settings}


@pytest.mark.parametrize("name", INPUTS)
def test_the_defaults_on_the_page_are_the_real_ones(name: str) -> None:
    defaults = {}
    for field in msgspec.structs.fields(INPUTS[name].settings):
        if isinstance(field.default, bool):
            defaults[field.name] = str(field.default).lower()
        elif isinstance(field.default, Duration | str):
            defaults[field.name] = str(field.default)
        elif isinstance(field.default, Size):
            defaults[field.name] = f"{field.default // 2**20}MiB"
    for row in settings_rows(name):
        if expected := defaults.get(row[0].strip("`")):
            assert row[1].strip("`") == expected, row[0]


def test_an_agent_with_only_host_does_not_import_the_others() -> None:
    code = (
        "import sys; from agent.inputs import build; from agent.inputs.host.settings import HostSettings\n"
        "build(HostSettings())\n"
        "print([m for m in sys.modules if m in ('http.client', 'agent.inputs.http_response.input',"
        " 'agent.inputs.procstat.input', 'agent.inputs.net_response.input')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{input: host, collect: []}", ".collect: is empty"),
        ("{input: host, collect: [cpus]}", ".collect[0]: expected"),
        ("{input: host, percpu: false, totalcpu: false}", ".percpu: and totalcpu are both off"),
        ("{input: host, mount_points: [srv]}", '.mount_points[0]: expected an absolute path, got "srv"'),
        ("{input: host, disk_timeout: 0s}", ".disk_timeout: expected more than 0s"),
        ("{input: http_response}", ".urls: missing"),
        ("{input: http_response, urls: []}", ".urls: is empty"),
        ("{input: http_response, urls: ['ftp://u:pw@x/']}", '.urls[0]: expected a URL that begins with http://'),
        ("{input: http_response, urls: ['http://u:pw@x/']}", ".urls[0]: holds a user name"),
        ("{input: http_response, urls: ['http://x:99999/']}", ".urls[0]: is no URL"),
        ("{input: http_response, urls: ['http:///a']}", ".urls[0]: expected a URL with a host"),
        ("{input: http_response, urls: ['http://x/a b']}", ".urls[0]: holds a space"),
        ("{input: http_response, urls: ['http://x', 'http://x']}", ".urls[1]: \"http://x\" is listed twice"),
        ("{HTTP, method: 'GE T'}", ".method: expected a method"),
        ("{HTTP, timeout: 10s}", ".timeout: expected less than"),
        ("{HTTP, timeout: 0s}", ".timeout: expected more than 0s"),
        ("{HTTP, headers: {'a b': c}}", '.headers["a b"]'),
        ('{HTTP, headers: {a: "b\\r\\nc: d"}}', ".headers.a: its value"),
        ("{HTTP, username: a}", ".password: is missing"),
        ("{HTTP, response_string_match: '('}", ".response_string_match: is no"),
        ("{HTTP, response_status_code: 20}", ".response_status_code: expected"),
        ("{HTTP, response_body_max_size: 0B}", ".response_body_max_size"),
        ("{HTTP, ca_file: /no/such}", '.ca_file: there is no file "/no/such"'),
        ("{input: net_response, addresses: []}", ".addresses: is empty"),
        ("{input: net_response, addresses: [db]}", '.addresses[0]: expected "host:port"'),
        ("{input: net_response, addresses: ['db:0']}", ".addresses[0]: expected"),
        ("{input: net_response, addresses: ['db:65536']}", ".addresses[0]: expected"),
        ("{input: net_response, addresses: ['::1:22']}", ".addresses[0]: expected an IPv6"),
        ("{input: net_response, addresses: ['a:1', 'a:1']}", ".addresses[1]: \"a:1\" is listed twice"),
        ("{NET, expect: '['}", ".expect: is no regular expression"),
        ("{NET, timeout: 9s}", ".timeout: timeout and read_timeout take 10s"),
        ("{NET, read_timeout: 0s}", ".read_timeout: expected more"),
        ("{input: prometheus_rules}", ": expected either url or files"),
        ("{input: prometheus_rules, url: 'http://x', files: [a]}", ": expected either url or files"),
        ("{input: prometheus_rules, files: ['']}", ".files[0]: is empty"),
        ("{input: prometheus_rules, url: 'ftp://x'}", ".url: expected a URL that begins with http://"),
        ("{PROM, source: ''}", ".source: is empty"),
        ("{PROM, timeout: 10m}", ".timeout: expected more than 0s and less than the deadline"),
        ("{PROM, token: a, username: u, password: p}", ".token: expected either a token"),
        ("{PROM, token: 'a b'}", ".token: holds a space"),
        ("{PROM, password: a}", ".username: is missing"),
        ("{PROM, max_size: 0B}", ".max_size: expected more"),
        ("{PROM, ca_file: /no/such}", ".ca_file: there is no file"),
        ("{PROM, headers: {'a b': c}}", '.headers["a b"]'),
        ("{input: grafana_alerts}", ": expected either url or files"),
        ("{input: grafana_alerts, url: 'http://x', source: ' '}", ".source: is empty"),
        ("{input: nagios_checks}", ": expected either url or files"),
        ("{input: nagios_checks, files: [' ']}", ".files[0]: is empty"),
        ("{input: zabbix_triggers}", ": expected either url or files"),
        ("{input: zabbix_triggers, url: 'http://x'}", ".token: is missing"),
        ("{input: zabbix_triggers, files: ['']}", ".files[0]: is empty"),
        ("{input: snmp_traps}", ".credentials: missing"),
        ("{input: snmp_traps, credentials: {}}", ".credentials: is empty"),
        ("{TRAPS, address: eth0}", ".address: expected an address"),
        ("{TRAPS, port: 0}", ".port: expected a number from 1"),
        ("{TRAPS, max_events: -1}", ".max_events: expected a number from 0"),
        ("{TRAPS, names: {sw: a}}", ".names.sw: expected the number of an address"),
        ("{TRAPS, inventory: /no/such.csv}", ".inventory: cannot read"),
        (
            "{input: snmp_traps, credentials: {a: {version: v3, user: u}, b: {version: v3, user: u}}}",
            '.credentials.b.user: is the user "u" of a again',
        ),
        ("{input: procstat}", ": names no process"),
        ("{input: procstat, pattern: '('}", ".pattern: is no regular expression"),
        ("{input: procstat, exe: ''}", ".exe: is empty"),
        ("{input: procstat, systemd_unit: nginx}", '.systemd_unit: expected a unit such as "nginx.service"'),
    ],
)  # fmt: skip
def test_a_bad_setting_is_named_with_its_path(text: str, expected: str) -> None:
    text = text.replace("HTTP", "input: http_response, urls: ['http://x']")
    text = text.replace("PROM", "input: prometheus_rules, url: 'http://x'")
    text = text.replace("TRAPS", "input: snmp_traps, credentials: {c: {community: x}}")
    text = text.replace("NET", "input: net_response, addresses: ['a:1']")
    found = problems(f"inputs:\n  - {text}\n")
    assert any(problem.startswith(expected) for problem in found), found


def test_problems_show_no_password() -> None:
    found = problems("inputs:\n  - {input: http_response, urls: ['ftp://u:pw1@x/', 'http://u:pw1@x/']}\n")
    assert len(found) == 2
    assert "pw1" not in "".join(found)


def test_printed_settings_show_no_secret() -> None:
    [settings] = read(
        "inputs: [{input: http_response, urls: ['http://x'], username: u, password: pw1, headers: {K: pw2}}]"
    )
    assert isinstance(settings, HttpResponseSettings)
    assert settings.password == Secret("pw1")
    assert "pw1" not in repr(settings)
    assert "pw2" not in repr(settings)


def test_a_disk_may_take_a_third_of_the_deadline() -> None:
    assert HostSettings().answer_timeout_s == 2
    assert HostSettings(interval=Duration(3000)).answer_timeout_s == 1
    assert HostSettings(deadline=Duration(1500)).answer_timeout_s == 0.5
