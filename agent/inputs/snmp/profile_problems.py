"""What can be wrong with the texts of a profile: OIDs, patterns, templates, expressions, conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.inputs.snmp.condition import Wanted, condition_problem
from agent.inputs.snmp.expression import ExpressionError, expression_names
from agent.inputs.snmp.oid import is_oid
from agent.inputs.snmp.template import TemplateError, template_names

Problems = list[tuple[str, str]]
"""Path below the part, message."""


def oid_problems(key: str, oid: str) -> Problems:
    """That the text is no numeric OID, if so."""
    return [] if is_oid(oid) else [(key, f'expected a numeric OID, got "{oid}"')]


def skip_problems(skip: Wanted) -> Problems:
    """What is wrong with the raw values that mean "no value"."""
    problem = condition_problem(skip)
    return [("skip", problem)] if problem else []


def pattern_problems(key: str, pattern: str) -> Problems:
    """Why the text is no regular expression, if it is none."""
    try:
        re.compile(pattern)
    except re.error as error:
        return [(key, f"expected a regular expression: {error}")]
    return []


def template_problems(key: str, template: str) -> Problems:
    """Why the text is no template, if it is none; whatever names it uses."""
    try:
        template_names(template)
    except TemplateError as error:
        return [(key, str(error))]
    return []


def formula_problems(key: str, text: str, known: set[str]) -> Problems:
    """What is wrong with an expression that may use these names."""
    try:
        unknown = set(expression_names(text)) - known
    except ExpressionError as error:
        return [(key, str(error))]
    return [(key, unknown_names(unknown, known))] if unknown else []


def names_problems(templates: Mapping[str, str], known: set[str]) -> Problems:
    """What is wrong with templates that may use these names."""
    found: Problems = []
    for key, template in templates.items():
        try:
            unknown = set(template_names(template)) - known
        except TemplateError as error:
            found.append((key, str(error)))
            continue
        if unknown:
            found.append((key, unknown_names(unknown, known)))
    return found


def conditions_problems(key: str, conditions: Mapping[str, Wanted], known: set[str]) -> Problems:
    """What is wrong with conditions on these names."""
    found: Problems = []
    for name, wanted in conditions.items():
        if name not in known:
            found.append((f"{key}.{name}", unknown_names({name}, known)))
        if problem := condition_problem(wanted):
            found.append((f"{key}.{name}", problem))
    return found


def unknown_names(names: set[str], known: set[str]) -> str:
    """What to say of names that are none of those known."""
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    return f"{listed} is not a name of with; known here are: {', '.join(sorted(known))}"
