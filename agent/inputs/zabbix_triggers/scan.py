"""The smallest pieces of a trigger expression: how far braces, quotes, keys and parameters go.

https://www.zabbix.com/documentation/current/en/manual/config/items/item/key
"""

from __future__ import annotations

import re
from typing import Final

from agent.inputs.thresholds.tree import Unreadable

_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_PLAIN = re.compile(r"[0-9A-Za-z_.\-]+", re.ASCII)
_MACROS: Final = ("{$", "{#", "{{")
_SUFFIXES: Final = {
    "": 1.0,
    "s": 1.0,
    "m": 60.0,
    "h": 3_600.0,
    "d": 86_400.0,
    "w": 604_800.0,
    "K": 2.0**10,
    "M": 2.0**20,
    "G": 2.0**30,
    "T": 2.0**40,
}


class Scanner:
    """A text, and how much of it has been read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._unclosed = False

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1

    def rest(self, count: int = 40) -> str:
        """What comes next, for an error."""
        return self.text[self.at : self.at + count] or "the end"

    def next(self, text: str) -> bool:
        """Whether the text comes next."""
        return self.text.startswith(text, self.at)

    def take(self, text: str) -> bool:
        """Reads the text if it comes next."""
        if self.next(text):
            self.at += len(text)
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise Unreadable(f'expected "{text}" where there is {self.rest()}')

    def match(self, pattern: re.Pattern[str]) -> str:
        """Reads what the pattern finds here; "" for nothing."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def character(self) -> str:
        if self.at >= len(self.text):
            raise Unreadable("it ends in the middle of a name, a macro or a text")
        self.at += 1
        return self.text[self.at - 1]

    def quoted(self) -> str:
        """Reads a text in quotes, and gives what it says."""
        self.expect('"')
        said = ""
        while (one := self.character()) != '"':
            if one == "\\" and self.text[self.at : self.at + 1] in ('"', "\\"):
                one = self.character()
            said += one
        return said

    def braces(self) -> str:
        """Reads a macro, with the braces around it and those within."""
        start = self.at
        self.expect("{")
        depth = 1
        while depth:
            if self.next('"'):
                self.quoted()
                continue
            one = self.character()
            depth += (one == "{") - (one == "}")
        return self.text[start : self.at]

    def macro(self) -> str:
        """Reads a user macro, or one of discovery; "" for anything else, such as a brace in a pattern."""
        # After one that is not closed none is looked for, or thousands of them would take minutes.
        if self._unclosed or not self.text.startswith(_MACROS, self.at):
            return ""
        start = self.at
        try:
            return self.braces()
        except Unreadable:
            self.at, self._unclosed = start, True
            return ""

    def brackets(self) -> None:
        """Reads the parameters of an item's key, with their brackets."""
        self.expect("[")
        depth, begins = 1, True
        while depth:
            if begins and self.next('"'):
                self.quoted()
                begins = False
            elif self.match(_PLAIN) or self.macro():
                begins = False
            else:
                one = self.character()
                if begins and one == "[":
                    depth += 1
                elif one == "]":
                    depth -= 1
                    begins = False
                elif one == ",":
                    begins = True
                elif one != " ":
                    begins = False

    def until(self, ends: str) -> str:
        """Reads as far as one of these characters, which stands in no macro and no brackets."""
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ends:
            if self.match(_PLAIN) or self.macro():
                continue
            if self.next("["):
                self.brackets()
            else:
                self.at += 1
        return self.text[start : self.at]


def read_number(text: str) -> float | None:
    """The number that the text is, with a suffix: 5m is 300, 1K is 1024. None when it is none."""
    text = text.strip()
    sign = -1.0 if text.startswith("-") else 1.0
    digits = text[1:] if text[:1] in ("-", "+") else text
    match = _NUMBER.match(digits)
    if match is None or digits[match.end() :] not in _SUFFIXES:
        return None
    return sign * float(match.group()) * _SUFFIXES[digits[match.end() :]]


NUMBER = re.compile(_NUMBER.pattern + r"[smhdwKMGT]?(?![0-9A-Za-z_.])", re.ASCII)
