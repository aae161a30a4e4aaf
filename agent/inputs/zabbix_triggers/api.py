"""Triggers over the JSON-RPC API of a Zabbix frontend.

https://www.zabbix.com/documentation/current/en/manual/api and .../api/reference/trigger/get
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from agent.inputs.http_response.protocol import Request
from agent.inputs.thresholds.client import CannotRead, Client
from agent.inputs.zabbix_triggers.export import severity
from agent.inputs.zabbix_triggers.keys import as_configured
from agent.inputs.zabbix_triggers.macros import Macros, read_macros
from agent.inputs.zabbix_triggers.settings import ZabbixTriggersSettings
from agent.inputs.zabbix_triggers.triggers import Trigger

# Before these, another name was asked for at the login, and what it gave went into the request's body.
_USERNAME_SINCE: Final = (5, 4)
_HEADER_SINCE: Final = (6, 4)
_MOST_LEVELS: Final = 8
_VERSION = re.compile(r"(\d+)\.(\d+)", re.ASCII)


class ZabbixApi:
    """One conversation with a frontend: `open` first, `close` in the end."""

    def __init__(self, client: Client, settings: ZabbixTriggersSettings) -> None:
        self._client = client
        self._settings = settings
        assert settings.url is not None
        address = settings.url.rstrip("/")
        self._url = address if address.endswith(".php") else f"{address}/api_jsonrpc.php"
        self._version = (0, 0)
        self._session: str | None = None
        self._logged_in = False

    async def open(self) -> None:
        """Asks for the version, and logs in where there is no token. CannotRead."""
        version = await self._call("apiinfo.version", [])
        match = _VERSION.match(version) if isinstance(version, str) else None
        if match is None:
            raise CannotRead(f"{self._url}: apiinfo.version gave {str(version)[:100]}, which is no version")
        self._version = (int(match[1]), int(match[2]))
        settings = self._settings
        if settings.token is not None:
            self._session = settings.token.reveal()
        elif settings.username is not None and settings.password is not None:
            key = "username" if self._version >= _USERNAME_SINCE else "user"
            params = {key: settings.username, "password": settings.password.reveal()}
            session = await self._call("user.login", params)
            if not isinstance(session, str) or not session.isascii() or not session.isalnum():
                raise CannotRead(f"{self._url}: user.login gave no session")
            self._session, self._logged_in = session, True

    async def close(self) -> None:
        """Ends what `open` began: sessions that nobody ends fill a table of Zabbix. CannotRead."""
        if self._logged_in:
            self._logged_in = False
            await self._call("user.logout", [])

    async def triggers(self) -> list[Trigger]:
        """The triggers of all hosts; those of templates raise nothing by themselves. CannotRead."""
        raw = await self._list(
            "trigger.get",
            {
                "output": ["description", "expression", "priority", "status", "recovery_expression"],
                "expandExpression": True,
                "selectHosts": ["hostid", "host", "status"],
                "selectItems": ["key_"],
                "templated": False,
            },
        )
        # What Zabbix has not filled in itself. It never shows the values of secret ones.
        open_hosts = {
            str(host.get("hostid"))
            for one in raw
            if "{$" in str(one.get("expression"))
            for host in _mappings(one.get("hosts"))
        }
        macros = await self._macros(sorted(open_hosts)) if open_hosts else {}
        return [_trigger(one, macros) for one in raw]

    async def _macros(self, hosts: Sequence[str]) -> dict[str, list[Macros]]:
        """By host, where its macros are looked up: at itself, its templates, theirs, the server."""
        everywhere = read_macros(await self._list("usermacro.get", {"globalmacro": True, "output": "extend"}))
        asked = {"output": ["host"], "selectMacros": "extend", "selectParentTemplates": ["templateid"]}
        owners = {
            f"host {one.get('hostid')}": one
            for one in await self._list("host.get", {**asked, "hostids": list(hosts)})
        }
        waiting = {name for one in owners.values() for name in _parents(one)}
        for _ in range(_MOST_LEVELS):
            missing = sorted(waiting - owners.keys())
            if not missing:
                break
            for one in await self._list("template.get", {**asked, "templateids": missing}):
                owners[str(one.get("templateid"))] = one
                waiting.update(_parents(one))
        macros = {name: read_macros(one.get("macros")) for name, one in owners.items()}
        found = {}
        for host in hosts:
            names, levels = [f"host {host}"], [macros.get(f"host {host}", Macros())]
            for _ in range(_MOST_LEVELS):
                # Each once: templates that name many parents many times would otherwise multiply per level.
                names = list(
                    dict.fromkeys(parent for name in names for parent in _parents(owners.get(name, {})))
                )
                levels += [macros[name] for name in names if name in macros]
            found[host] = [*levels, everywhere]
        return found

    async def _list(self, method: str, params: object) -> list[Mapping[str, Any]]:
        result = await self._call(method, params)
        if not isinstance(result, list):
            raise CannotRead(f"{self._url}: {method} gave no list")
        return _mappings(result)

    async def _call(self, method: str, params: object) -> Any:
        body: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
        headers = {"Content-Type": "application/json-rpc"}
        if self._session is not None:
            if self._version >= _HEADER_SINCE:
                headers["Authorization"] = f"Bearer {self._session}"
            else:
                body["auth"] = self._session
        content = await self._client.ask(Request("POST", self._url, headers, json.dumps(body).encode()))
        try:
            answer = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CannotRead(
                f"{self._url}: {method} gave no JSON; is this a Zabbix frontend? {error}"
            ) from None
        if isinstance(answer, Mapping) and isinstance(problem := answer.get("error"), Mapping):
            words = f"{problem.get('message')} {problem.get('data')}"[:300]
            raise CannotRead(f"{self._url}: {method} was refused: {words}")
        if not isinstance(answer, Mapping) or "result" not in answer:
            raise CannotRead(f"{self._url}: {method} gave no result; is this a Zabbix frontend?")
        return answer["result"]


def _trigger(raw: Mapping[str, Any], macros: Mapping[str, Sequence[Macros]]) -> Trigger:
    hosts = _mappings(raw.get("hosts"))
    keys = [str(item.get("key_") or "") for item in _mappings(raw.get("items"))]
    on = str(raw.get("status")) == "0" and all(str(host.get("status")) == "0" for host in hosts)
    return Trigger(
        name=str(raw.get("description") or ""),
        expression=as_configured(str(raw.get("expression") or ""), keys),
        recovery=as_configured(str(raw.get("recovery_expression") or ""), keys),
        severity=severity(str(raw.get("priority"))),
        enabled=on,
        macros=[level for host in hosts for level in macros.get(str(host.get("hostid")), ())],
    )


def _parents(one: Mapping[str, Any]) -> list[str]:
    return [str(parent.get("templateid")) for parent in _mappings(one.get("parentTemplates"))]


def _mappings(listed: object) -> list[Mapping[str, Any]]:
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
