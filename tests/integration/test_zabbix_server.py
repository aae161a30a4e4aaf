"""Triggers of a running Zabbix: SETPOINT_TEST_ZABBIX_URL, and _USERNAME and _PASSWORD of an administrator."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from agent.inputs.thresholds.client import CannotRead
from agent.inputs.zabbix_triggers.input import ZabbixTriggersInput
from agent.inputs.zabbix_triggers.settings import ZabbixTriggersSettings
from setpoint.reading import Point
from setpoint.units import Secret

URL = os.environ.get("SETPOINT_TEST_ZABBIX_URL", "")
USERNAME = os.environ.get("SETPOINT_TEST_ZABBIX_USERNAME", "Admin")
PASSWORD = os.environ.get("SETPOINT_TEST_ZABBIX_PASSWORD", "")
HOST = "setpoint-test"

pytestmark = pytest.mark.skipif(not URL, reason="SETPOINT_TEST_ZABBIX_URL is not set")


class Zabbix:
    """What an administrator does with it."""

    def __init__(self) -> None:
        self.version = tuple(int(part) for part in self.call("apiinfo.version", []).split(".")[:2])
        self._session = self.call("user.login", {"username": USERNAME, "password": PASSWORD})

    def call(self, method: str, params: object) -> Any:
        body: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        headers = {"Content-Type": "application/json-rpc"}
        if session := getattr(self, "_session", None):
            if self.version >= (6, 4):
                headers["Authorization"] = f"Bearer {session}"
            else:
                body["auth"] = session
        request = urllib.request.Request(f"{URL}/api_jsonrpc.php", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.load(answer)
        assert "error" not in told, told
        return told["result"]

    def remove(self) -> None:
        for kind, thing, name in (("host", "hostid", "host"), ("hostgroup", "groupid", "name")):
            found = self.call(f"{kind}.get", {"output": [thing], "filter": {name: [HOST]}})
            if found:
                self.call(f"{kind}.delete", [one[thing] for one in found])

    def make_host(self, **settings: object) -> None:
        group = self.call("hostgroup.create", {"name": HOST})["groupids"][0]
        host = self.call("host.create", {"host": HOST, "groups": [{"groupid": group}], **settings})
        for key in ("a", "b", 'page["{$ADDRESS}"]'):
            item = {"name": key, "key_": key, "hostid": host["hostids"][0], "type": 2, "value_type": 3}
            self.call("item.create", item)

    def make_trigger(self, name: str, expression: str, **settings: object) -> None:
        expression = expression.replace("HOST", HOST)
        self.call(
            "trigger.create", {"description": name, "expression": expression, "priority": 3, **settings}
        )


@pytest.fixture
def zabbix() -> Iterator[Zabbix]:
    server = Zabbix()
    server.remove()
    yield server
    server.remove()


def thresholds(**settings: Any) -> list[Point]:
    async def once() -> list[Point]:
        login: dict[str, Any] = {"username": USERNAME, "password": Secret(PASSWORD), **settings}
        source = ZabbixTriggersInput(ZabbixTriggersSettings(url=URL, **login))
        try:
            return list(await source.gather())
        finally:
            await source.close()

    points = asyncio.run(once())
    return [one for one in points if one.tags.get("subject") == f'host="{HOST}"']


def test_triggers_of_a_running_zabbix_are_read(zabbix: Zabbix) -> None:
    zabbix.make_host(macros=[{"macro": "{$NEAR}", "value": "1K"}, {"macro": "{$ADDRESS}", "value": "s3cret"}])
    zabbix.make_trigger("Busy", "min(/HOST/a,5m)>{$NEAR}")
    zabbix.make_trigger("Off", "last(/HOST/b)<2 or last(/HOST/a)>=7", status=1)
    zabbix.make_trigger("Page", 'last(/HOST/page["{$ADDRESS}"])=0')
    found = {(one.tags["rule"], one.tags["metric"]): one for one in thresholds()}
    busy = found["Busy", "a"]
    assert (busy.tags["comparison"], busy.tags["severity"]) == ("above", "average")
    assert (busy.fields["level"], busy.fields["for_s"], busy.fields["enabled"]) == (1024, 300, 1)
    assert (found["Off", "b"].fields["level"], found["Off", "b"].fields["enabled"]) == (2, 0)
    assert found["Off", "a"].tags["comparison"] == "at_least"
    assert found["Page", 'page["{$ADDRESS}"]'].fields["level"] == 0
    assert "s3cret" not in str(found)


def test_a_host_that_is_switched_off_switches_its_triggers_off(zabbix: Zabbix) -> None:
    zabbix.make_host(status=1)
    zabbix.make_trigger("Busy", "last(/HOST/a)>5")
    [busy] = thresholds()
    assert busy.fields["enabled"] == 0


def test_a_secret_macro_gives_no_number(zabbix: Zabbix) -> None:
    zabbix.make_host(macros=[{"macro": "{$HIDDEN}", "value": "42", "type": 1}])
    zabbix.make_trigger("Busy", "last(/HOST/a)>{$HIDDEN}")
    assert not [one for one in thresholds() if one.fields.get("level") == 42]


def test_a_wrong_password_is_refused_by_name() -> None:
    with pytest.raises(CannotRead, match=r"user\.login was refused") as caught:
        thresholds(password=Secret("wr0ng-one"))
    assert "wr0ng-one" not in str(caught.value)
