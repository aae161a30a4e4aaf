"""Rules of other tools may be written by anybody: a hostile one costs itself, never the agent.

In processes of their own, for some of these once ended the process, or took it hours.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.servers import ROOT

UNREADABLE = """
from agent.inputs.prometheus_rules.promql import parse
from agent.inputs.thresholds.tree import Unreadable
try:
    parse({expression})
except Unreadable as error:
    print(error)
"""
INFLUXQL = """
from agent.inputs.grafana_alerts.queries import query_tree
print(type(query_tree({{"query": {query}}})).__name__)
"""
BOMB = """
from agent.inputs.thresholds.written import NotYaml, load_documents
lines = [b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
lines += [b"a%d: &a%d [" % (n, n) + b", ".join([b"*a%d" % (n - 1)] * 10) + b"]" for n in range(1, 12)]
try:
    load_documents(b"\\n".join(lines))
except NotYaml as error:
    print(error)
"""
MERGED = """
from agent.inputs.thresholds.written import NotYaml, load_documents
lines = [b"a0: &a0 {x: 1}"]
lines += [b"a%d: &a%d {<<: [" % (n, n) + b", ".join([b"*a%d" % (n - 1)] * 10) + b"]}" for n in range(1, 12)]
try:
    load_documents(b"\\n".join(lines))
except NotYaml as error:
    print(error)
"""
PARENTS = """
import asyncio, json
from agent.inputs.zabbix_triggers.api import ZabbixApi
from agent.inputs.zabbix_triggers.settings import ZabbixTriggersSettings

ANSWERS = {
    "apiinfo.version": "6.0.0",
    "trigger.get": [{"expression": "{$A}>1", "hosts": [{"hostid": "1"}]}],
    "usermacro.get": [],
    "host.get": [{"hostid": "1", "parentTemplates": [{"templateid": "2"}] * 1000}],
    "template.get": [{"templateid": "2", "parentTemplates": [{"templateid": "2"}] * 1000}],
}

class Frontend:
    async def ask(self, request):
        return json.dumps({"result": ANSWERS[json.loads(request.body)["method"]]}).encode()

async def main():
    settings = ZabbixTriggersSettings(source="zabbix", url="http://127.0.0.1/zabbix")
    print(len(await ZabbixApi(Frontend(), settings).triggers()))

asyncio.run(main())
"""


def said(code: str) -> str:
    """What the program prints. AssertionError when it fails, or takes longer than anybody would wait."""
    try:
        done = subprocess.run(
            # With a bound on its memory: a bomb that goes off is not to take the machine along.
            ["prlimit", "--as=2000000000", sys.executable, "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AssertionError("it does not end") from None
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        # Brackets between quotes that are only comments count, or the parser's stack overflows.
        ("'# \"\\n' + '(' * 9000 + '1' + ')' * 9000 + '\\n# \"'", "operators and brackets"),
        ("'`\"`' + '(' * 9000 + '1' + ')' * 9000 + '# \"'", "operators and brackets"),
        ("'\"' + '\\\\\"' * 9990", "a text in quotes has no end"),
        ("'a > \"'", "a text in quotes has no end"),
    ],
    ids=["comments", "backticks", "quotes", "one-quote"],
)
def test_promql_that_is_written_against_its_reader_is_unreadable(expression: str, told: str) -> None:
    assert told in said(UNREADABLE.format(expression=expression))


@pytest.mark.parametrize(
    "query",
    [
        "'SELECT' + ' ' * 4000",
        "'SELECT a FROM b WHERE ' + ' ' * 3900 + '!'",
        "'SELECT a FROM b WHERE ' + ' ' * 10**6 + '!'",
        "'SELECT \"' + '\\\\\"' * 10**5",
    ],
)
def test_influxql_that_is_written_against_its_reader_is_a_name(query: str) -> None:
    assert said(INFLUXQL.format(query=query)) == "Selector"


@pytest.mark.parametrize("code", [BOMB, MERGED], ids=["lists", "merged"])
def test_yaml_whose_aliases_stand_for_a_trillion_values_is_refused(code: str) -> None:
    assert said(code) == "its aliases stand for more than 100000 values"


def test_templates_that_are_parents_of_themselves_a_thousand_times_are_looked_at_once() -> None:
    assert said(PARENTS) == "1"
