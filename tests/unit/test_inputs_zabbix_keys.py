"""Keys of Zabbix items: what of them is published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.zabbix_triggers.keys import as_configured, without_passwords

KEY = 'web.page.get["{$SCHEME}://{$USER}:{$PASSWORD}@{HOST.CONN}:{$PORT:"a}b"}/x"]'


@pytest.mark.parametrize(
    "around",
    ["last(/web1/{})>1", "{{web1:{}.last()}}>1", "avg(/a/{},5m)>2*last(/b/{}) or nodata(/a/{},5m)=1"],
)
def test_what_zabbix_filled_in_is_taken_out_of_the_keys(around: str) -> None:
    filled = 'web.page.get["http://me:secret@10.0.0.1:80/x"]'
    assert as_configured(around.format(*[filled] * 3), [KEY]) == around.format(*[KEY] * 3)


def test_other_items_stay_as_they_are() -> None:
    expression = 'last(/a/vfs.fs.size[/,pused])>90 and last(/a/web["x"])>1'
    assert as_configured(expression, ["vfs.fs.size[/,pused]", KEY, 'web["{$A}",2]']) == expression


@given(st.text('a{}[]",$A.:/@', max_size=40), st.lists(st.text('a{}[]",$A.:/@', max_size=20), max_size=3))
def test_no_key_breaks_it(expression: str, keys: list[str]) -> None:
    as_configured(expression, [*keys, "{$A}", "a{$A}", "{$A}a"])


@given(st.lists(st.text("abc,/ ", max_size=5), min_size=1, max_size=5))
def test_every_value_is_taken_out(values: list[str]) -> None:
    key = "k[" + ";".join("{$M}" for _ in values) + "]"
    filled = "k[" + ";".join(values) + "]"
    assert as_configured(f"last(/h/{filled})>1", [key]) == f"last(/h/{key})>1"


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ('last(/h/web["http://me:pw@10.0.0.1/"])>1', 'last(/h/web["http://me:***@10.0.0.1/"])>1'),
        (
            'last(/h/web["http://{$U}:{$P}@{HOST.CONN}/"])>1',
            'last(/h/web["http://{$U}:{$P}@{HOST.CONN}/"])>1',
        ),
        ('last(/h/web["http://10.0.0.1:80/a@b"])>1', 'last(/h/web["http://10.0.0.1:80/a@b"])>1'),
    ],
)
def test_a_password_in_an_address_is_not_shown(expression: str, shown: str) -> None:
    assert without_passwords(expression) == shown
