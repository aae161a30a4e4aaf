"""YAML files into msgspec structs, with everything that is wrong in them at once.

Every problem names file, line and path: ``config/agent.yaml:12: inputs[0].interval: expected a duration
such as "10s", got "ten"``. msgspec's own decoder stops at the first error and knows no lines, so the tree
is walked here, by the types of the struct's fields.

- Unquoted text where text is wanted is taken as it was written: ``version: 1.10`` is "1.10", ``name: no``
  is "no".
- ``${NAME}`` in a value is replaced from the environment (``${NAME:-default}`` has a default, ``$${`` is a
  plain ``${``); ``!file path`` is the content of a file, relative to the configuration's folder. Neither
  shows in a message, nor does the value of a Secret.
- A struct may define ``problems(self) -> Sequence[tuple[str, str]]``: pairs of a path below it and a
  message, for what types alone cannot say.
"""

from __future__ import annotations

import difflib
import functools
import os
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar, Union

import msgspec

from setpoint.config_types import (
    Mismatch,
    bare,
    broken_constraint,
    found,
    is_leaf,
    is_list,
    is_mapping,
    is_struct,
    kind_found,
    leaf_value,
    one_of,
    quoted,
    wanted,
)
from setpoint.units import Secret
from setpoint.yaml_source import read_source
from setpoint.yaml_tree import (
    BrokenNode,
    ConfigError,
    ListNode,
    MappingNode,
    Node,
    Problem,
    ScalarNode,
    Source,
    child,
    item,
)

__all__ = [
    "ConfigError",
    "Loaded",
    "Problem",
    "Source",
    "child",
    "item",
    "load",
    "parse",
    "read_text",
    "suggest",
]

T = TypeVar("T")


class Loaded(Generic[T]):
    """A decoded file: its ``value``, and its ``source``, which gives lines and problems for paths."""

    __slots__ = ("source", "value")

    def __init__(self, value: T, source: Source) -> None:
        self.value = value
        self.source = source


def load(path: Path, type_: type[T], *, environment: Mapping[str, str] = os.environ) -> Loaded[T]:
    """The file decoded as ``type_``. ConfigError with all that is wrong, also when it cannot be read."""
    return parse(read_text(path), str(path), type_, environment=environment, folder=path.parent)


def read_text(path: Path) -> str:
    """The file's text, with its line ends as they are. ConfigError when it is not there or not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(str(path), 0, "", f"cannot read: {error.strerror}")]) from None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(str(path), line, "", "cannot read: not UTF-8 text")]) from None


def parse(
    text: str,
    name: str,
    type_: type[T],
    *,
    environment: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> Loaded[T]:
    """The text decoded as ``type_``; ``name`` stands for the file in problems.

    ``folder`` is what ``!file`` paths are relative to (default: the folder of ``name``). ConfigError with
    all that is wrong.
    """
    source, problems = read_source(
        text, name, environment=environment, folder=Path(name).parent if folder is None else folder
    )
    decoder = _Decoder(source, problems)
    root = source.root
    if isinstance(root, ScalarNode) and root.value is None and is_struct(type_):
        root = MappingNode(root.line)
    value = decoder.decode(root, type_, "")
    if problems:
        raise ConfigError(problems)
    return Loaded(value, source)


def suggest(word: str, known: Iterable[str]) -> str:
    """What to add to a message about an unknown word: the nearest known one, or else all of them."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f", did you mean {quoted(near[0])}?"
    return f", known are: {', '.join(names)}" if names else ""


class _Failed:
    """What stands for a value whose problem was reported."""


_FAILED = _Failed()


class _Shape(NamedTuple):
    """What the decoder needs to know of a struct, looked up once."""

    fields: Mapping[str, msgspec.structs.FieldInfo]
    tag_field: str | None
    tag: str | None


@functools.cache
def _shape(struct: type[msgspec.Struct]) -> _Shape:
    config = struct.__struct_config__
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    return _Shape(fields, config.tag_field, None if config.tag is None else str(config.tag))


class _Decoder:
    def __init__(self, source: Source, problems: list[Problem]) -> None:
        self._source = source
        self._problems = problems

    def decode(self, node: Node, type_: Any, path: str) -> Any:
        """The node's value as ``type_``, or _FAILED after reporting why not."""
        if isinstance(node, BrokenNode):
            return _FAILED
        origin = typing.get_origin(type_)
        if origin is typing.Annotated:
            value = self.decode(node, type_.__origin__, path)
            return value if value is _FAILED else self._constrained(value, node, type_, path)
        if origin in (Union, types.UnionType):
            return self._union(node, typing.get_args(type_), path)
        if type_ is Any or type_ is object:
            return _plain(node)
        if is_struct(type_):
            return self._struct(node, type_, path)
        if is_list(type_):
            return self._list(node, type_, path)
        if is_mapping(type_):
            return self._mapping(node, type_, path)
        return self._scalar(node, (type_,), path)

    def _report(self, path: str, message: str) -> _Failed:
        self._problems.append(self._source.problem(path, message))
        return _FAILED

    def _wrong(self, path: str, expected: str, node: Node) -> _Failed:
        return self._report(path, f"expected {expected}, got {kind_found(node)}")

    def _struct(self, node: Node, struct: type[msgspec.Struct], path: str) -> Any:
        if not isinstance(node, MappingNode):
            return self._wrong(path, "a mapping", node)
        shape = _shape(struct)
        values: dict[str, Any] = {}
        complete = all_known = True
        for key, entry in node.entries.items():
            field = shape.fields.get(key)
            if field is not None:
                values[field.name] = self.decode(entry.node, field.type, child(path, key))
                complete = complete and values[field.name] is not _FAILED
            elif shape.tag is None or key != shape.tag_field:
                known = [*shape.fields, *([shape.tag_field] if shape.tag and shape.tag_field else [])]
                self._unknown_key(key, known, path)
                all_known = False
        for key, field in shape.fields.items():
            if field.required and key not in node.entries:
                self._report(child(path, key), "missing, it is required")
                complete = False
        if not complete:
            return _FAILED
        try:
            value = struct(**values)
        except ValueError as error:
            return self._report(path, str(error))
        # A struct would miss what a misspelt key was meant to give it.
        for below, message in getattr(value, "problems", _no_problems)() if all_known else ():
            separator = "." if path and below and not below.startswith("[") else ""
            self._report(f"{path}{separator}{below}", message)
        return value

    def _unknown_key(self, key: str, known: Collection[str], path: str) -> None:
        line = self._source.line(child(path, key))
        message = f"unknown key {quoted(key)}{suggest(key, known)}"
        self._problems.append(Problem(self._source.name, line, path, message))

    def _list(self, node: Node, type_: Any, path: str) -> Any:
        if not isinstance(node, ListNode):
            return self._wrong(path, "a list", node)
        args = typing.get_args(type_) or (Any,)
        is_tuple = (typing.get_origin(type_) or type_) is tuple
        if is_tuple and len(args) > 0 and args[-1] is not Ellipsis:
            if len(node.items) != len(args):
                return self._report(path, f"expected a list of {len(args)} values, got {len(node.items)}")
            kinds: Sequence[Any] = args
        else:
            kinds = [args[0]] * len(node.items)
        values = [
            self.decode(below, kind, item(path, index))
            for index, (below, kind) in enumerate(zip(node.items, kinds, strict=True))
        ]
        if any(value is _FAILED for value in values):
            return _FAILED
        return tuple(values) if is_tuple else values

    def _mapping(self, node: Node, type_: Any, path: str) -> Any:
        if not isinstance(node, MappingNode):
            return self._wrong(path, "a mapping", node)
        key_type, value_type = typing.get_args(type_) or (str, Any)
        known = typing.get_args(key_type) if typing.get_origin(key_type) is Literal else None
        values: dict[str, Any] = {}
        for key, entry in node.entries.items():
            if known is not None and key not in known:
                self._unknown_key(key, known, path)
            else:
                values[key] = self.decode(entry.node, value_type, child(path, key))
        return _FAILED if any(value is _FAILED for value in values.values()) else values

    def _union(self, node: Node, members: Sequence[Any], path: str) -> Any:
        """The node as whichever member its kind (mapping, list, scalar) and its tag point to."""
        members = [member for member in members if member is not msgspec.UnsetType]
        structs = [member for member in members if is_struct(member)]
        if isinstance(node, MappingNode):
            if len(structs) > 1:
                return self._tagged(node, structs, path)
            fitting = structs or [member for member in members if is_mapping(bare(member))]
        elif isinstance(node, ListNode):
            fitting = [member for member in members if is_list(bare(member))]
        elif isinstance(node, ScalarNode) and node.value is None and types.NoneType in members:
            return None
        else:
            fitting = [member for member in members if is_leaf(bare(member))]
        if any(member is Any for member in members):
            return _plain(node)
        if len(fitting) == 1:
            return self.decode(node, fitting[0], path)
        if fitting and isinstance(node, ScalarNode):
            return self._scalar(node, fitting, path)
        return self._wrong(path, wanted(*members), node)

    def _tagged(self, node: MappingNode, structs: Sequence[type[msgspec.Struct]], path: str) -> Any:
        shapes = {_shape(struct).tag or struct.__name__: struct for struct in structs}
        tag_field = _shape(structs[0]).tag_field or "type"
        here = child(path, tag_field)
        entry = node.entries.get(tag_field)
        if entry is None:
            return self._report(here, f"missing, it is required: {one_of(shapes)}")
        if isinstance(entry.node, BrokenNode):
            return _FAILED
        if not isinstance(entry.node, ScalarNode) or entry.node.text not in shapes:
            return self._report(here, f"expected {one_of(shapes)}, got {found(entry.node)}")
        return self._struct(node, shapes[entry.node.text], path)

    def _scalar(self, node: Node, leaves: Sequence[Any], path: str) -> Any:
        """The scalar as the first of the leaf types that takes it; plain text comes last."""
        if isinstance(node, ScalarNode):
            for leaf in sorted(leaves, key=lambda leaf: bare(leaf) is str):
                try:
                    value = leaf_value(node, bare(leaf))
                except Mismatch:
                    continue
                return value if leaf is bare(leaf) else self._constrained(value, node, leaf, path)
        by_text = all(hasattr(leaf, "parse") for leaf in leaves)
        return self._report(path, f"expected {wanted(*leaves)}, got {found(node, by_text=by_text)}")

    def _constrained(self, value: Any, node: Node, type_: Any, path: str) -> Any:
        for meta in type_.__metadata__:
            if isinstance(meta, msgspec.Meta) and (broken := broken_constraint(value, meta)):
                got = f"{len(value)}" if isinstance(value, list | tuple | dict) else found(node)
                hidden = isinstance(value, Secret)
                return self._report(path, f"expected {broken}" + ("" if hidden else f", got {got}"))
        return value


def _no_problems() -> Sequence[tuple[str, str]]:
    return ()


def _plain(node: Node) -> Any:
    """The node as plain lists, dicts and values; _FAILED when something in it was reported."""
    if isinstance(node, ScalarNode):
        return node.value
    if isinstance(node, BrokenNode):
        return _FAILED
    values = node.items if isinstance(node, ListNode) else [entry.node for entry in node.entries.values()]
    plain = [_plain(value) for value in values]
    if any(value is _FAILED for value in plain):
        return _FAILED
    return plain if isinstance(node, ListNode) else dict(zip(node.entries, plain, strict=True))
