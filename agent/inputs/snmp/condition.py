"""Conditions on a value of a row: ``[1, 2]``, ``"> 0"``, ``"~ ^Fan"``, ``missing``."""

from __future__ import annotations

import functools
import operator
import re

from agent.inputs.snmp.session import Missing, Value
from agent.inputs.snmp.value import number_of, text_of

Wanted = int | float | str | list[int | float | str]
"""What a value is compared with; of a list, one has to fit."""

_COMPARISONS = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")


def fits(wanted: Wanted, value: Value | float | str | Missing | None) -> bool:
    """Whether the value is one of the wanted.

    A number fits the same number, in a text too. A text fits the same text, whatever the case, and is
    ``missing`` (no such value), ``empty`` (no such value, or no text), a comparison (``> 0``) or a regular
    expression after ``~``. No comparison fits what is missing.
    """
    options = wanted if isinstance(wanted, list) else [wanted]
    return any(_fits_one(option, value) for option in options)


def condition_problem(wanted: Wanted) -> str:
    """What is wrong with a condition, or ""."""
    for option in wanted if isinstance(wanted, list) else [wanted]:
        try:
            if isinstance(option, str):
                _parsed(option)
        except (ValueError, re.error) as error:
            return f'"{option}": {error}'
    return ""


def _fits_one(option: int | float | str, value: Value | float | str | Missing | None) -> bool:
    gone = value is None or isinstance(value, Missing)
    if option == "missing":
        return gone
    if option == "empty":
        return gone or text_of(value) == ""
    if gone:
        return False
    if isinstance(option, int | float):
        return number_of(value) == option
    kind, operand = _parsed(option)
    if kind == "~":
        return re.search(str(operand), text_of(value)) is not None
    if kind == "text":
        return text_of(value).lower() == str(operand).lower()
    number = number_of(value)
    return number is not None and bool(_COMPARISONS[kind](number, operand))


@functools.lru_cache(maxsize=2048)
def _parsed(option: str) -> tuple[str, str | float]:
    if option.startswith("~"):
        re.compile(option[1:].strip())
        return "~", option[1:].strip()
    for sign in _COMPARISONS:
        if option.startswith(sign):
            rest = option[len(sign) :].strip()
            if not _NUMBER.fullmatch(rest):
                raise ValueError(f"expected a number after {sign}")
            return sign, float(rest)
    return "text", option
