"""What a query to a data source looks at: PromQL, InfluxQL, or else the query's own words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from agent.inputs.prometheus_rules.promql import parse
from agent.inputs.thresholds.tree import Call, Node, Selector, Unreadable
from setpoint.threshold import Matcher, Operator

_PLAIN_AGGREGATES: Final = frozenset({"last", "first", "mean", "max", "min", "median", "sum", "count"})
# What spaces and names have taken they do not give back: trying otherwise, a thousand spaces take minutes.
_QUOTED_NAME = r'"(?:[^"\\]|\\.)*+"|\w++'
_SELECT = re.compile(
    rf"""\s*+SELECT\s++(?:(?P<function>\w++)\s*+(?:\(\s*+)?)?(?:\(\s*+)?(?P<field>{_QUOTED_NAME})(?:\s*+\))?
    (?:\s++AS\s++(?:{_QUOTED_NAME}))?\s++FROM\s++(?:(?:{_QUOTED_NAME})?\.)*+(?P<measurement>{_QUOTED_NAME})
    (?:\s++WHERE\s++(?P<where>.*?))?(?:\s++GROUP\s++BY\s.*|\s++ORDER\s++BY\s.*|\s++LIMIT\s.*)?\s*+;?\s*+""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_CONDITION = re.compile(
    rf"""\s*+(?:\(\s*+)?(?P<label>{_QUOTED_NAME})\s*+(?P<operator>=~|!~|!=|<>|=)\s*+
    (?:'(?P<text>(?:[^'\\]|\\.)*+)'|/(?P<regex>(?:[^/\\]|\\.)*+)/)\s*+(?:\)\s*+)?""",
    re.VERBOSE,
)
_OPERATORS: Final[Mapping[str, Operator]] = {"=": "=", "!=": "!=", "<>": "!=", "=~": "=~", "!~": "!~"}
_LONGEST: Final = 300
_LONGEST_QUERY: Final = 4_000


def query_tree(model: Mapping[str, Any]) -> Node:
    """The query as a tree. One in a language that is not known here becomes a metric of that name."""
    source = model.get("datasource")
    kind = str(source.get("type") or "") if isinstance(source, Mapping) else ""
    expr, query = model.get("expr"), model.get("query")
    if isinstance(expr, str) and expr.strip():
        if kind in ("", "prometheus") or "prom" in kind or "victoria" in kind:
            try:
                return parse(expr)
            except Unreadable:
                # Variables, MetricsQL or another language: what it is compared with can still be said.
                return _opaque(expr)
        return _opaque(expr)
    if isinstance(query, str) and query.strip():
        return _influxql(query) or _opaque(query)
    if isinstance(model.get("measurement"), str) and isinstance(model.get("select"), list):
        return _built(model)
    for key in ("rawSql", "target"):
        if isinstance(model.get(key), str) and model[key].strip():
            return _opaque(model[key])
    rest = {key: value for key, value in model.items() if key not in ("refId", "datasource", "intervalMs")}
    return _opaque(json.dumps(rest, sort_keys=True, default=str, ensure_ascii=False))


def _opaque(text: str) -> Selector:
    return Selector(" ".join(text.split())[:_LONGEST], frozenset())


def _influxql(query: str) -> Node | None:
    """`SELECT mean("field") FROM "measurement" WHERE ...` as measurement.field; None for anything else."""
    match = _SELECT.fullmatch(query) if len(query) <= _LONGEST_QUERY else None
    if match is None:
        return None
    matchers = set()
    # What is not a simple condition, such as the time filter, chooses no series.
    for part in re.split(r"\s+AND\s+", match["where"] or "", flags=re.IGNORECASE):
        if found := _CONDITION.fullmatch(part):
            matchers.add(_matcher(found))
        elif part and "time" not in part.lower():
            return None
    function = (match["function"] or "").lower()
    name = f"{_unquoted(match['measurement'])}.{_unquoted(match['field'])}"
    metric = Selector(name, frozenset(matchers))
    if function in _PLAIN_AGGREGATES or not function:
        return metric
    return Call(function, (metric,))


def _matcher(found: re.Match[str]) -> Matcher:
    regex = found["regex"]
    if regex is None:
        value = re.sub(r"\\(.)", r"\1", found["text"])
    else:
        # A regular expression is found anywhere here, and has to match the whole value in a reading.
        value = regex.replace("\\/", "/")
        value = value[1:] if value.startswith("^") else f".*{value}"
        value = value[:-1] if value.endswith("$") and not value.endswith("\\$") else f"{value}.*"
    return Matcher(_unquoted(found["label"]), _OPERATORS[found["operator"]], value)


def _unquoted(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else name


def _built(model: Mapping[str, Any]) -> Node:
    """A query of the InfluxQL editor."""
    field, functions = "", []
    for one in next((one for one in model["select"] if isinstance(one, list)), ()):
        if not isinstance(one, Mapping):
            continue
        params = one.get("params")
        if one.get("type") == "field" and isinstance(params, list) and params:
            field = str(params[0])
        elif one.get("type") not in (*_PLAIN_AGGREGATES, "field", "alias"):
            functions.append(str(one.get("type")))
    matchers = set()
    tags = model.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        if isinstance(tag, Mapping) and tag.get("key"):
            operator = _OPERATORS.get(str(tag.get("operator") or "="), "=")
            value = str(tag.get("value") or "")
            if operator in ("=~", "!~"):
                value = value.strip("/").removeprefix("^").removesuffix("$")
            matchers.add(Matcher(str(tag["key"]).removesuffix("::tag"), operator, value))
    tree: Node = Selector(f"{model['measurement']}.{field}", frozenset(matchers))
    for name in functions:
        tree = Call(name, (tree,))
    return tree
