"""The types that a configuration is made of: values from YAML scalars, and the words for them in messages."""

from __future__ import annotations

import datetime
import json
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from setpoint.units import Secret
from setpoint.yaml_tree import ListNode, Node, ScalarNode

_NAMES = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    datetime.date: "a date such as 2026-10-01",
}
_KINDS = ((bool, "true or false"), (int | float, "a number"), (datetime.date, "a date"))
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")


class Mismatch(Exception):
    """A scalar that is not of the wanted type."""


def bare(type_: Any) -> Any:
    """The type without its Annotated."""
    return type_.__origin__ if typing.get_origin(type_) is typing.Annotated else type_


def is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def is_list(type_: Any) -> bool:
    return (typing.get_origin(type_) or type_) in (list, tuple, Sequence)


def is_mapping(type_: Any) -> bool:
    return (typing.get_origin(type_) or type_) in (dict, Mapping)


def is_leaf(type_: Any) -> bool:
    return not (is_struct(type_) or is_list(type_) or is_mapping(type_) or type_ is types.NoneType)


def leaf_value(node: ScalarNode, leaf: Any) -> Any:
    """The scalar as the leaf type. Mismatch when it is none."""
    value, text = node.value, node.text
    result: Any = None
    if typing.get_origin(leaf) is Literal:
        options = typing.get_args(leaf)
        if text in options and value is not None:
            return text
        result = next((o for o in options if type(o) is type(value) and o == value), None)
    elif value is None:
        pass
    elif leaf in (str, Path, Secret):
        result = leaf(text)
    elif leaf is bool or leaf is int:
        result = value if type(value) is leaf else None
    elif leaf is float:
        # PyYAML takes 1e9 for text, because it lacks the dot that YAML 1.1 asks for.
        if type(value) in (int, float) or (type(value) is str and _NUMBER.fullmatch(value)):
            result = _finite(value)
    elif leaf is datetime.date:
        result = _date(text)
    elif hasattr(leaf, "parse"):
        try:
            result = leaf.parse(text)
        except ValueError:
            result = None
    else:
        raise TypeError(f"setpoint.config cannot decode {leaf!r}")
    if result is None:
        raise Mismatch
    return result


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if abs(number) < float("inf") else None


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def wanted(*types_: Any) -> str:
    """What a message says was expected where any of these types may stand."""
    names = (_type_name(bare(type_)) for type_ in types_ if type_ is not types.NoneType)
    return " or ".join(dict.fromkeys(names))


def _type_name(type_: Any) -> str:
    if typing.get_origin(type_) is Literal:
        return one_of(typing.get_args(type_))
    if is_struct(type_) or is_mapping(type_):
        return "a mapping"
    if is_list(type_):
        return "a list"
    return str(getattr(type_, "expected", _NAMES.get(type_, "text")))


def one_of(options: Iterable[Any]) -> str:
    """A choice in words: one of "day", "week"."""
    shown = [quoted(option) if isinstance(option, str) else str(option) for option in options]
    return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"


def found(node: Node, *, by_text: bool = False) -> str:
    """What a message says was found: kind and value, or with ``by_text`` the text as written, in quotes.

    What came from the environment or a file is not shown.
    """
    if not isinstance(node, ScalarNode) or node.value is None:
        return kind_found(node)
    if node.origin:
        return node.origin
    shown = node.text if len(node.text) <= 60 else f"{node.text[:57]}..."
    if by_text:
        return quoted(shown)
    if isinstance(node.value, bool):
        return shown
    return f"{kind_found(node).removeprefix('a ')} {quoted(shown) if isinstance(node.value, str) else shown}"


def kind_found(node: Node) -> str:
    """What a message says was found, without the value: a password may stand where a mapping belongs."""
    if not isinstance(node, ScalarNode):
        return "a list" if isinstance(node, ListNode) else "a mapping"
    if node.value is None:
        return "nothing"
    return next((name for kind, name in _KINDS if isinstance(node.value, kind)), "text")


def quoted(text: str) -> str:
    """The text in double quotes, on one line."""
    return json.dumps(text, ensure_ascii=False)


def broken_constraint(value: Any, meta: msgspec.Meta) -> str:
    """What the constraint expects when the value does not keep it, else ""."""
    if value is None:
        return ""

    def shown(bound: float) -> str:
        return f"{bound:g}" if isinstance(value, float) else str(type(value)(bound))

    if meta.ge is not None and value < meta.ge:
        return f"at least {shown(meta.ge)}"
    if meta.gt is not None and value <= meta.gt:
        return f"more than {shown(meta.gt)}"
    if meta.le is not None and value > meta.le:
        return f"at most {shown(meta.le)}"
    if meta.lt is not None and value >= meta.lt:
        return f"less than {shown(meta.lt)}"
    unit = "characters" if isinstance(value, str) else "entries"
    if meta.min_length is not None and len(value) < meta.min_length:
        return f"at least {meta.min_length} {unit}"
    if meta.max_length is not None and len(value) > meta.max_length:
        return f"at most {meta.max_length} {unit}"
    if meta.pattern is not None and not re.search(meta.pattern, value):
        return meta.description or f"text like {meta.pattern}"
    return ""
