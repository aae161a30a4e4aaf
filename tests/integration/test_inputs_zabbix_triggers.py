"""Triggers over JSON-RPC, from a server that answers as Zabbix's frontend does."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from agent.inputs.thresholds.client import CannotRead
from agent.inputs.zabbix_triggers.input import ZabbixTriggersInput
from agent.inputs.zabbix_triggers.settings import ZabbixTriggersSettings
from setpoint.reading import Point
from setpoint.units import Secret

SESSION = "0424bd59b807674191e7d77572075f33"
HOST = {"hostid": "1", "host": "web1", "status": "0"}
ANSWERS: dict[str, Any] = {
    "trigger.get": [
        {
            "description": "Busy",
            "expression": "min(/web1/system.cpu.load[all,avg1],5m)>5",
            "recovery_expression": "",
            "priority": "4",
            "status": "0",
            "hosts": [HOST],
        },
        {
            "description": "Full",
            "expression": 'last(/web1/a)>{$NEAR} or last(/web1/b)>{$FAR:"x"} or last(/web1/c)>{$ALL}',
            "priority": "2",
            "status": "1",
            "hosts": [HOST],
        },
        {
            "description": "Asleep",
            "expression": "{web2:k.last()}>{$SECRET}",
            "priority": "0",
            "status": "0",
            "hosts": [{"hostid": "2", "host": "web2", "status": "1"}],
        },
    ],
    "usermacro.get": [{"macro": "{$ALL}", "value": "3"}, {"macro": "{$NEAR}", "value": "30"}],
    "host.get": [
        {
            "hostid": "1",
            "macros": [{"macro": "{$NEAR}", "value": "1"}, {"macro": "{$SECRET}", "type": "1"}],
            "parentTemplates": [{"templateid": "10"}],
        }
    ],
    "template.get": [
        {
            "templateid": "10",
            "macros": [{"macro": "{$FAR}", "value": "20"}],
            "parentTemplates": [{"templateid": "11"}],
        },
        {
            "templateid": "11",
            "macros": [{"macro": '{$FAR:"x"}', "value": "2"}],
            "parentTemplates": [{"templateid": "10"}],
        },
    ],
    "user.logout": True,
}


@dataclass
class Frontend:
    """``seen``: method, where its credential was, and its parameters, of every request."""

    version: str
    url: str = ""
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    token: str = "t0ken"
    answers: dict[str, Any] = field(default_factory=lambda: ANSWERS)

    def answer(self, asked: dict[str, Any], header: str | None) -> dict[str, Any]:
        method, params = asked["method"], asked["params"]
        place = "header" if header else "body" if "auth" in asked else "none"
        self.seen.append((method, place, params))
        if method in ("apiinfo.version", "user.login") and place != "none":
            return {"error": {"message": "Invalid params.", "data": f"{method} has a credential"}}
        if method == "apiinfo.version":
            return {"result": self.version}
        if method == "user.login":
            if params != {"username": "u", "password": "pw"} and params != {"user": "u", "password": "pw"}:
                return {"error": {"message": "Invalid params.", "data": "Incorrect user name or password"}}
            return {"result": SESSION}
        given = header.removeprefix("Bearer ") if header else asked.get("auth")
        if given not in (self.token, SESSION):
            return {"error": {"message": "Invalid params.", "data": "Not authorized."}}
        return {"result": self.answers[method]}


@contextmanager
def frontend(version: str) -> Iterator[Frontend]:
    zabbix = Frontend(version)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = self.path == "/zabbix/api_jsonrpc.php"
            answer = zabbix.answer(asked, self.headers["Authorization"]) if found else {}
            body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], **answer}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        zabbix.url = f"http://127.0.0.1:{server.server_address[1]}/zabbix/"
        try:
            yield zabbix
        finally:
            server.shutdown()


def gather(**settings: Any) -> list[Point]:
    async def once() -> list[Point]:
        source = ZabbixTriggersInput(ZabbixTriggersSettings(**settings))
        try:
            return list(await source.gather())
        finally:
            await source.close()

    return asyncio.run(once())


def test_the_triggers_of_a_frontend_are_read() -> None:
    with frontend("7.0.1") as zabbix:
        points = gather(url=zabbix.url, token=Secret("t0ken"))
    busy, *full, asleep, source = points
    assert busy.tags == {
        "source": "zabbix",
        "rule": "Busy",
        "metric": "system.cpu.load[all,avg1]",
        "subject": 'host="web1"',
        "comparison": "above",
        "severity": "high",
    }
    assert (busy.fields["level"], busy.fields["for_s"], busy.fields["enabled"]) == (5, 300, 1)
    assert [(one.tags["metric"], one.fields["level"], one.fields["enabled"]) for one in full] == [
        ("a", 1, 0),
        ("b", 2, 0),
        ("c", 3, 0),
    ]
    assert (asleep.tags["reason"], asleep.fields["enabled"]) == ("no number", 0)
    assert (source.fields["rules"], source.fields["thresholds"], source.fields["without"]) == (3, 4, 1)


@pytest.mark.parametrize(
    ("version", "place", "name"),
    [("5.2.0", "body", "user"), ("6.0.30", "body", "username"), ("6.4.0", "header", "username")],
)
def test_each_version_gets_its_credential_where_it_looks(version: str, place: str, name: str) -> None:
    with frontend(version) as zabbix:
        gather(url=zabbix.url, token=Secret("t0ken"))
        assert {where for method, where, _ in zabbix.seen if method != "apiinfo.version"} == {place}
        zabbix.seen.clear()
        gather(url=zabbix.url, username="u", password=Secret("pw"))
        assert zabbix.seen[1] == ("user.login", "none", {name: "u", "password": "pw"})
        assert zabbix.seen[-1][:2] == ("user.logout", place)


def test_passwords_that_the_frontend_fills_in_are_not_read() -> None:
    trigger = {
        "description": "No page",
        "expression": 'last(/web1/web.page.get["http://me:s3cret@127.0.0.1/"])=0',
        "recovery_expression": 'last(/web1/web.page.get["http://me:s3cret@127.0.0.1/"])=1',
        "priority": "4",
        "status": "0",
        "hosts": [HOST],
        "items": [{"itemid": "7", "key_": 'web.page.get["{$ADDRESS}"]'}],
    }
    with frontend("6.0.14") as zabbix:
        zabbix.answers = {**ANSWERS, "trigger.get": [trigger]}
        [threshold, _] = gather(url=zabbix.url, token=Secret("t0ken"))
    assert threshold.tags["metric"] == 'web.page.get["{$ADDRESS}"]'
    assert "s3cret" not in str(threshold)


def test_a_refused_credential_is_named_and_not_shown() -> None:
    with frontend("7.0.0") as zabbix:
        with pytest.raises(CannotRead, match=r"trigger\.get was refused: .*Not authorized") as caught:
            gather(url=zabbix.url, token=Secret("wr0ng"))
        assert "wr0ng" not in str(caught.value)
        with pytest.raises(CannotRead, match=r"user\.login was refused: .*Incorrect user") as caught:
            gather(url=zabbix.url, username="u", password=Secret("wr0ng"))
        assert "wr0ng" not in str(caught.value)


def test_a_session_is_ended_when_reading_fails() -> None:
    with frontend("6.0.0") as zabbix:
        zabbix.answers = {**ANSWERS, "trigger.get": "nothing"}
        with pytest.raises(CannotRead, match=r"trigger\.get gave no list"):
            gather(url=zabbix.url, username="u", password=Secret("pw"))
        assert zabbix.seen[-1][0] == "user.logout"
