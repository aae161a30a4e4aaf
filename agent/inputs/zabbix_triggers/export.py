"""Templates and hosts as Zabbix exports them: YAML, JSON and XML.

https://www.zabbix.com/documentation/current/en/manual/xml_export_import
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from xml.etree import ElementTree

from agent.inputs.thresholds.written import NotYaml, load_documents
from agent.inputs.zabbix_triggers.macros import Macros, read_macros
from agent.inputs.zabbix_triggers.triggers import SEVERITIES, NotZabbix, Trigger

_SEVERITIES: Final = {name.upper().replace(" ", "_"): name for name in SEVERITIES} | {"INFO": "information"}
_LISTS: Final = frozenset(
    {"discovery_rules", "hosts", "item_prototypes", "items", "macros", "templates"}
    | {"trigger_prototypes", "triggers"}
)
_MAX_XML_DEPTH: Final = 32


def parse_file(content: bytes) -> list[Trigger]:
    """The triggers and the prototypes of triggers in an export. NotZabbix."""
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _triggers(_from_xml(content))
    try:
        # JSON is YAML too.
        documents = load_documents(content)
    except NotYaml as error:
        raise NotZabbix(str(error)) from None
    return [trigger for document in documents for trigger in _triggers(document)]


def _triggers(document: object) -> list[Trigger]:
    export = document.get("zabbix_export") if isinstance(document, Mapping) else None
    if not isinstance(export, Mapping):
        raise NotZabbix('expected an export of Zabbix, which begins with "zabbix_export"')
    owners = {_name(one, ""): one for key in ("templates", "hosts") for one in _listed(export, key)}
    hosts = frozenset(_name(one, "") for one in _listed(export, "hosts"))
    macros = {name: read_macros(one.get("macros")) for name, one in owners.items()}
    found: list[Trigger] = []
    for name, owner in owners.items():
        linked = [macros[other] for one in _listed(owner, "templates") if (other := _name(one, "")) in macros]
        levels = [macros[name], *linked]
        for raw, key in _within(owner):
            found.append(_trigger(raw, levels, hosts, (name, key)))
    for key in ("triggers", "trigger_prototypes"):
        for raw in _listed(export, key):
            written = str(raw.get("expression"))
            named = [one for name, one in macros.items() if f"/{name}/" in written or f"{{{name}:" in written]
            found.append(_trigger(raw, named, hosts, ("", "")))
    return found


def _within(owner: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The triggers of a template or host, with the key of the item that they stand below."""
    for item in _listed(owner, "items"):
        for trigger in _listed(item, "triggers"):
            yield trigger, str(item.get("key") or "")
    for rule in _listed(owner, "discovery_rules"):
        for trigger in _listed(rule, "trigger_prototypes"):
            yield trigger, ""
        for item in _listed(rule, "item_prototypes"):
            for trigger in _listed(item, "trigger_prototypes"):
                yield trigger, str(item.get("key") or "")


def _trigger(
    raw: Mapping[str, Any], macros: Sequence[Macros], hosts: frozenset[str], item: tuple[str, str]
) -> Trigger:
    priority = str(raw.get("priority") or "NOT_CLASSIFIED")
    return Trigger(
        name=_name(raw, str(raw.get("description") or "")),
        expression=str(raw.get("expression") or ""),
        recovery=str(raw.get("recovery_expression") or ""),
        severity=severity(priority) or _SEVERITIES.get(priority, priority.lower()),
        enabled=str(raw.get("status") or "ENABLED") not in ("DISABLED", "1"),
        macros=macros,
        hosts=hosts,
        item=item,
    )


def severity(number: str) -> str:
    """The severity with this number; "" for what is none."""
    return SEVERITIES[int(number)] if number in tuple("012345") else ""


def _name(one: Mapping[str, Any], otherwise: str) -> str:
    # A template's "name" is for people; expressions call it by the other.
    return str(one.get("template") or one.get("host") or one.get("name") or otherwise)


def _listed(one: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    listed = one.get(key)
    return [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []


def _from_xml(content: bytes) -> dict[str, Any]:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise NotZabbix("it declares a document type or entities, which no export of Zabbix does")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise NotZabbix(f"it is no XML that can be read: {error}") from None
    return {root.tag: _value(root, 0)}


def _value(element: ElementTree.Element, depth: int) -> Any:
    if depth > _MAX_XML_DEPTH:
        raise NotZabbix(f"it is nested more than {_MAX_XML_DEPTH} levels deep")
    if element.tag in _LISTS:
        return [_value(child, depth + 1) for child in element]
    if len(element):
        return {child.tag: _value(child, depth + 1) for child in element}
    return element.text or ""
