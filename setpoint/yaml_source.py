"""Reads YAML into the tree of `yaml_tree`, with what stands for values from outside: ${NAME} and !file.

The tree is built from the parser's events, not from PyYAML's constructors or composer: a key is the text
that was written (``on:`` stays "on", which YAML 1.1 calls a boolean), an alias has the line where it is
used, nesting and aliases are bounded, and what is wrong in one place does not hide the next.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from setpoint.yaml_tree import (
    BrokenNode,
    ConfigError,
    Entry,
    ListNode,
    MappingNode,
    Node,
    Problem,
    ScalarNode,
    Source,
    child,
    item,
)

# libyaml is ten times faster; a PyYAML built without it reads the same.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.resolver.Resolver()
_CONSTRUCTOR: Any = yaml.constructor.SafeConstructor()
_MAX_DEPTH = 64
# Nine lines of nested aliases can stand for a billion values; real files repeat a few dozen.
_MAX_ALIASED = 100_000
_MAX_FILE_BYTES = 1 << 20
_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?")
_UNPRINTABLE = re.compile(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNDEFINED_ALIAS = 'alias without an anchor before it; text that begins with "*" needs quotes'
_TAG_REFUSED = 'expected no YAML tag but !file; text that begins with "!" needs quotes'


def read_source(
    text: str, name: str, *, environment: Mapping[str, str], folder: Path
) -> tuple[Source, list[Problem]]:
    """The tree of a YAML text and what is wrong in it so far; a BrokenNode stands for each wrong value.

    ``${NAME}`` in values is replaced from ``environment``, ``!file`` reads relative to ``folder``.
    ConfigError when the text is no YAML at all.
    """
    reader = _Reader(name, environment, folder)
    root = reader.read(text)
    return Source(name, root, reader.hidden), reader.problems


class _Reader:
    """Builds the tree of one text. ``hidden`` maps what came from outside to what to show for it."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path) -> None:
        self.problems: list[Problem] = []
        self.hidden: dict[str, str] = {}
        self._name = name
        self._environment = environment
        self._folder = folder
        self._anchors: dict[str, Node] = {}
        self._aliased = 0
        self._events: Iterator[Any] = iter(())

    def read(self, text: str) -> Node:
        if match := _UNPRINTABLE.search(text):
            line = text.count("\n", 0, match.start()) + 1
            self._stop(line, f"control character U+{ord(match[0]):04X}; YAML allows only printable text")
        self._events = iter(yaml.parse(text, Loader=_LOADER))
        try:
            return self._document()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 0
            self._stop(line, _syntax_message(error, text))

    def _document(self) -> Node:
        next(self._events)
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return ScalarNode(1, "", None)
        root = self._node(next(self._events), "", 0)
        next(self._events)
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            self._stop(event.start_mark.line + 1, "expected one YAML document, got another after ---")
        return root

    def _node(self, event: Any, path: str, depth: int) -> Node:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path, line)
        if depth > _MAX_DEPTH:
            self._stop(line, f"nested deeper than {_MAX_DEPTH} levels")
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, path, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._list(ListNode(line), path, depth)
        else:
            node = self._mapping(MappingNode(line), path, depth)
        if not isinstance(event, yaml.ScalarEvent) and event.tag is not None:
            node = self._refuse_tag(path, line)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, path: str, line: int) -> Node:
        # The name is not shown: a password that begins with * and lacks its quotes looks like an alias.
        node = self._anchors.get(event.anchor)
        if node is None:
            self._report(line, path, _UNDEFINED_ALIAS)
            return BrokenNode(line)
        self._aliased += node.size
        if self._aliased > _MAX_ALIASED:
            self._stop(line, f"aliases stand for more than {_MAX_ALIASED} values")
        return replace(node, line=line)

    def _list(self, node: ListNode, path: str, depth: int) -> ListNode:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            value = self._node(event, item(path, len(node.items)), depth + 1)
            node.items.append(value)
            node.size += value.size
        return node

    def _mapping(self, node: MappingNode, path: str, depth: int) -> MappingNode:
        merged: list[MappingNode] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            key = self._key(event, path, line, depth)
            is_merge = key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]
            here = path if key is None else child(path, key)
            value = self._node(next(self._events), here, depth + 1)
            node.size += value.size
            if is_merge:
                merged += self._merged(value, here)
            elif key is None:
                pass
            elif key in node.entries:
                first = node.entries[key].line
                self._report(line, here, f"duplicate key {json.dumps(key)}, first on line {first}")
            else:
                node.entries[key] = Entry(line, value)
        for other in merged:
            for key, entry in other.entries.items():
                node.entries.setdefault(key, entry)
        return node

    def _key(self, event: Any, path: str, line: int, depth: int) -> str | None:
        if isinstance(event, yaml.ScalarEvent) and event.tag is None:
            return str(event.value)
        node = self._node(event, path, depth + 1)
        if isinstance(node, ScalarNode) and isinstance(event, yaml.AliasEvent):
            return node.text
        self._report(line, path, "expected a key that is plain text")
        return None

    def _merged(self, value: Node, path: str) -> list[MappingNode]:
        candidates = value.items if isinstance(value, ListNode) else [value]
        mappings = [node for node in candidates if isinstance(node, MappingNode)]
        if len(mappings) < len(candidates) and not any(isinstance(n, BrokenNode) for n in candidates):
            self._report(value.line, path, "expected an alias of a mapping, or a list of them")
        return mappings

    def _scalar(self, event: Any, path: str, line: int) -> Node:
        plain = event.implicit[0]
        try:
            text, secret = self._expand(event.value)
            if event.tag == "!file":
                text, plain = self._file(text, event.value), True
                return ScalarNode(line, text, _plain_value(text), f"the content of {json.dumps(event.value)}")
        except ValueError as error:
            self._report(line, path, str(error))
            return BrokenNode(line)
        if event.tag is not None:
            return self._refuse_tag(path, line)
        origin = f"the value of {json.dumps(event.value)}" if secret else ""
        if plain and secret and text:
            # A password may be called "null"; only an empty variable means that nothing is there.
            value = _plain_value(text)
            return ScalarNode(line, text, text if value is None else value, origin)
        return ScalarNode(line, text, _plain_value(text) if plain else text, origin)

    def _expand(self, text: str) -> tuple[str, bool]:
        """The text with its variables replaced, and whether the environment gave any of it."""
        used = False

        def replacement(match: re.Match[str]) -> str:
            nonlocal used
            if match[0] == "$${":
                return "${"
            name, default = match.groups()
            if name is None:
                raise ValueError(
                    "expected ${NAME} or ${NAME:-default}; a ${ that is meant as it stands is written $${"
                )
            value = self._environment.get(name)
            if default is not None and not value:
                return str(default)
            if value is None:
                raise ValueError(f"environment variable {name} is not set")
            used = True
            self._hide(value, f"${{{name}}}")
            return value

        return (_REFERENCE.sub(replacement, text) if "${" in text else text), used

    def _file(self, path: str, written: str) -> str:
        """The content of a file, without its trailing newline. ValueError when it cannot be read."""
        shown = json.dumps(written, ensure_ascii=False)
        try:
            with (self._folder / path).open("rb") as stream:
                data = stream.read(_MAX_FILE_BYTES + 1)
            if len(data) > _MAX_FILE_BYTES:
                raise ValueError(f"cannot read {shown}: larger than {_MAX_FILE_BYTES} bytes")
            text = data.decode()
        except OSError as error:
            raise ValueError(f"cannot read {shown}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ValueError(f"cannot read {shown}: not UTF-8 text") from None
        text = text.removesuffix("\n").removesuffix("\r")
        self._hide(text, f"(content of {shown})")
        return text

    def _hide(self, text: str, shown: str) -> None:
        # Replacing a very short text would garble messages that hold it by chance.
        if len(text) >= 6:
            self.hidden[text] = shown

    def _refuse_tag(self, path: str, line: int) -> BrokenNode:
        # The tag is not shown: it may be a password that begins with ! and lacks its quotes.
        self._report(line, path, _TAG_REFUSED)
        return BrokenNode(line)

    def _report(self, line: int, path: str, message: str) -> None:
        self.problems.append(Problem(self._name, line, path, message))

    def _stop(self, line: int, message: str) -> NoReturn:
        self._report(line, "", message)
        raise ConfigError(self.problems) from None


def _plain_value(text: str) -> object:
    """What YAML 1.1 makes of unquoted text: None, bool, int, float, date, datetime, or the text itself."""
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)).rpartition(":")[2]
    if tag == "null":
        return None
    # YAML 1.1 reads 10:30 as the number 630, to the base 60. Nobody means that.
    if tag not in ("bool", "int", "float", "timestamp") or (":" in text and tag in ("int", "float")):
        return text
    construct = getattr(_CONSTRUCTOR, f"construct_yaml_{tag}")
    try:
        value: bool | int | float | datetime.date = construct(yaml.ScalarNode(tag, text))
    except ValueError:
        return text
    return value


def _syntax_message(error: yaml.MarkedYAMLError, text: str) -> str:
    """What to say of a syntax error, with the cure where one is known."""
    lines = text.splitlines()
    mark, context = error.problem_mark, error.context_mark
    rest = lines[mark.line][mark.column :] if mark is not None and mark.line < len(lines) else ""
    if rest.startswith("\t"):
        return "not valid YAML: a tab; indent with spaces"
    if rest[:1] in ("@", "`", "%"):
        return f'not valid YAML: text that begins with "{rest[0]}" needs quotes'
    message = f"not valid YAML: {_without_quotations(error.problem)}"
    if error.context and context is not None:
        message += f", {_without_quotations(error.context)} that begins on line {context.line + 1}"
        if "flow" in error.context and "${" in "".join(lines[context.line : mark.line + 1 if mark else None]):
            message += "; inside [] and {} a ${NAME} needs quotes"
    return message


def _without_quotations(message: str | None) -> str:
    """PyYAML's message without what it quotes from the file, which may be part of a password."""
    return re.sub(
        r" ?'([^']*)'",
        lambda match: match[0] if len(match[1]) < 2 or match[1].startswith("<") else "",
        message or "unreadable",
    )
