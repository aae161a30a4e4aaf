"""Writes docs/configuration.md from the structs that the configuration is decoded into.

python docs/reference.py
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal, Union

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent.settings import AgentSettings
from collector.settings import CollectorSettings
from setpoint.plan_file import PlanFile
from setpoint.units import Duration, Secret, Size

PAGE = Path(__file__).with_name("configuration.md")
FILES = (("agent.yaml", AgentSettings), ("collector.yaml", CollectorSettings), ("plan.yaml", PlanFile))
INTRODUCTION = """\
# Configuration reference

Made by `docs/reference.py` from the structs that the files are decoded into; a test fails when it is stale.

All three files are YAML. An unknown key is an error; every error names file, line and path, and all are told
at once (`setpoint agent check`, `collector check`, `plan check`). `${NAME}` is replaced from the environment,
`${NAME:-default}` has a default, `!file path` is a file's content, relative to the configuration's folder.
Durations are written `10s`, `5m`, `1h30m`, `7d`; sizes `512KB`, `10MB`, `1GiB`.
"""


def type_words(type_: Any) -> str:
    """The type as the page names it."""
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is typing.Annotated:
        return type_words(arguments[0])
    if origin in (Union, types.UnionType):
        wanted = [a for a in arguments if a not in (type(None), msgspec.UnsetType)]
        if all(is_input(a) for a in wanted):
            return "one of the inputs, see [inputs/](inputs/)"
        return " or ".join(dict.fromkeys(type_words(a) for a in wanted))
    if origin is Literal:
        return " · ".join(f"`{a}`" for a in arguments)
    if origin in (list, tuple):
        return f"list of {type_words(arguments[0])}"
    if origin is dict:
        return f"mapping to {type_words(arguments[1])}"
    if is_struct(type_):
        return f"[{type_.__name__}](#{type_.__name__.lower()})"
    names = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Any: "anything"}
    names |= {Duration: "duration", Size: "size", Secret: "text, never shown"}
    return names.get(type_, getattr(type_, "__name__", str(type_)).lower())


def is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, msgspec.Struct)


def is_input(type_: Any) -> bool:
    """Whether it is the struct of an input."""
    if not is_struct(type_):
        return False
    return type_.__struct_config__.tag is not None and type_.__module__.startswith("agent.inputs")


def default_words(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    default = field.default
    if default is msgspec.NODEFAULT:
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else None
    if default is None or default is msgspec.UNSET or default in ("", [], {}, ()):
        return ""
    if is_struct(type(default)):
        return "as below"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, Size):
        return f"`{size_text(default)}`"
    return f"`{default}`"


def size_text(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3), ("MiB", 2**20), ("KiB", 2**10)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"


def structs_in(type_: Any) -> list[type[msgspec.Struct]]:
    """The structs that a type names, without those of inputs, which have pages of their own."""
    if is_struct(type_):
        return [] if is_input(type_) else [type_]
    return [struct for argument in typing.get_args(type_) for struct in structs_in(argument)]


def section(struct: type[msgspec.Struct], title: str) -> str:
    lines = [title, ""]
    if struct.__doc__ and not struct.__doc__.startswith(struct.__name__ + "("):
        lines += [inspect.cleandoc(struct.__doc__).replace("``", "`"), ""]
    lines += ["| key | value | default |", "|---|---|---|"]
    if struct.__struct_config__.tag is not None:
        lines.append(f"| `{struct.__struct_config__.tag_field}` | `{struct.__struct_config__.tag}` | |")
    for field in msgspec.structs.fields(struct):
        cells = (f"`{field.encode_name}`", type_words(field.type), default_words(field))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def render() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    shown: set[type[msgspec.Struct]] = set()
    for name, top in FILES:
        parts.append(section(top, f"## {name}"))
        waiting = [s for f in msgspec.structs.fields(top) for s in structs_in(f.type)]
        while waiting:
            struct = waiting.pop(0)
            if struct in shown:
                continue
            shown.add(struct)
            parts.append(section(struct, f"### {struct.__name__}"))
            waiting += [s for f in msgspec.structs.fields(struct) for s in structs_in(f.type)]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
