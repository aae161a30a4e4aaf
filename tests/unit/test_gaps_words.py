"""How findings write numbers, times and names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.analysis.gaps.chinese import Chinese
from collector.analysis.gaps.english import English
from collector.analysis.gaps.words import Words, number
from collector.analysis.review import Window
from setpoint.limits import Comparison
from tests.unit.review_factory import HOUR, MINUTE, SECOND, START

EN, ZH = English(), Chinese()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (96.84, "96.8"),
        (9.999, "10"),
        (0.02449, "0.0245"),
        (1234.5, "1,234"),
        (267840, "267,840"),
        (-3.14159, "-3.14"),
        (1e-6, "0.000001"),
        (1e-9, "1e-09"),
        (1e15, "1e+15"),
        (2.5e17, "2.5e+17"),
        (float("inf"), "inf"),
    ],
)
def test_numbers_have_three_digits_or_their_whole_part(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("length_ms", "english", "chinese"),
    [
        (3 * HOUR + 42 * MINUTE + 31 * SECOND, "3 h 42 min", "3 小时 42 分"),
        (HOUR, "1 h", "1 小时"),
        (5 * MINUTE, "5 min", "5 分钟"),
        (90 * SECOND, "1 min 30 s", "1 分 30 秒"),
        (25 * HOUR, "1 d 1 h", "1 天 1 小时"),
        (24 * HOUR + MINUTE, "1 d", "1 天"),
        (1000, "1 s", "1 秒"),
        (400, "0.4 s", "0.4 秒"),
        (0, "0 s", "0 秒"),
    ],
)
def test_durations_have_their_two_largest_units(length_ms: int, english: str, chinese: str) -> None:
    assert (EN.duration(length_ms), ZH.duration(length_ms)) == (english, chinese)


@pytest.mark.parametrize(
    ("value", "unit", "english", "chinese"),
    [
        (96.84, "percent", "96.8 %", "96.8 %"),
        (941_300_000, "bps", "941 Mbit/s", "941 Mbit/s"),
        (12_345_678_901, "bytes", "12.3 GB", "12.3 GB"),
        (0.35, "s", "0.35 s", "0.35 秒"),
        (1000, "bps", "1 kbit/s", "1 kbit/s"),
        (120, "s", "2 min", "2 分钟"),
        (7260, "s", "2 h 1 min", "2 小时 1 分"),
        (12.5, "ms", "12.5 ms", "12.5 毫秒"),
        (3, "", "3", "3"),
        (21.5, "°C", "21.5 °C", "21.5 °C"),
    ],
)
def test_quantities_have_the_units_that_people_use(
    value: float, unit: str, english: str, chinese: str
) -> None:
    assert (EN.quantity(value, unit), ZH.quantity(value, unit)) == (english, chinese)


@given(st.floats(0, 1e9), st.floats(0, 1e9), st.sampled_from(["percent", "s", "bps", "ms", ""]))
def test_a_value_never_reads_like_the_bound_that_it_misses(value: float, bound: float, unit: str) -> None:
    value, bound = float(f"{value:.9g}"), float(f"{bound:.9g}")
    if value != bound and abs(value - bound) > 1e-9 * bound:
        assert EN.apart(value, bound, unit) != EN.exact(bound, unit)


@pytest.mark.parametrize(
    ("label", "english", "chinese"),
    [
        ("2026-10", "In October 2026", "2026 年 10 月"),
        ("2026-12", "In December 2026", "2026 年 12 月"),
        ("2026-10-03", "On 3 October 2026", "2026 年 10 月 3 日"),
        ("2026-W41", "In week 41 of 2026", "2026 年第 41 周"),
        ("2026-Q4", "In the 4th quarter of 2026", "2026 年第 4 季度"),
        ("2026", "In 2026", "2026 年"),
        ("the test", "In the test", "the test 期间"),
        ("2026-13", "In 2026-13", "2026-13 期间"),
    ],
)
def test_periods_have_the_names_that_people_use(label: str, english: str, chinese: str) -> None:
    window = Window(START, START + HOUR, complete=True, label=label)
    assert (EN.period(window), ZH.period(window)) == (english, chinese)
    window = Window(START, START + HOUR, complete=False, label=label)
    assert (EN.period(window), ZH.period(window)) == (f"{english} so far", f"{chinese}截至目前")


@pytest.mark.parametrize(
    ("comparison", "english", "chinese"),
    [
        (Comparison(high=95), "above 95 %", "高于 95 %"),
        (Comparison(low=5), "below 5 %", "低于 5 %"),
        (Comparison(low=5, high=95), "outside 5 % to 95 %", "超出 5 % 至 95 % 的范围"),
        (Comparison(equal=0), "equal to 0 %", "等于 0 %"),
        (Comparison(unequal=0), "not equal to 0 %", "不等于 0 %"),
    ],
)
def test_conditions_in_words(comparison: Comparison, english: str, chinese: str) -> None:
    assert (EN.comparison(comparison, "percent"), ZH.comparison(comparison, "percent")) == (english, chinese)


@pytest.mark.parametrize(
    ("metric", "english", "chinese"),
    [
        ("http_response.result_code", "not equal to 0 (success)", "不等于 0 (成功)"),
        ("snmp_port.oper_status", "not equal to 0", "不等于 0"),  # no number of it
        ("cpu.usage_active", "not equal to 0", "不等于 0"),
    ],
)
def test_a_condition_on_a_code_says_what_the_code_means(metric: str, english: str, chinese: str) -> None:
    found = [words.comparison(Comparison(unequal=0), "", metric) for words in (EN, ZH)]
    assert found == [english, chinese]


def test_a_device_is_named_before_its_port_and_the_agent_that_polls_it() -> None:
    subject = (("host", "mon-01"), ("device", "sw-core-1"), ("name", "Te1/1/1"))
    assert EN.name(subject, "snmp_port") == "`sw-core-1` port Te1/1/1 via mon-01"
    assert ZH.name(subject, "snmp_port") == "`sw-core-1` 端口 Te1/1/1 经 mon-01"
    assert EN.name(subject, "snmp_port", marked=False) == "sw-core-1 port Te1/1/1"


def test_what_markdown_would_take_for_its_own_is_put_in_backticks() -> None:
    subject = (("host", "a`b"), ("path", "/a_b*<c>"))
    assert EN.name(subject, "disk") == "`a'b` path `/a_b*<c>`"


def test_long_lists_are_cut_and_counted() -> None:
    assert EN.listing(list("abcdefg")) == "a; b; c; d; e and 2 more"
    assert ZH.listing(list("ab")) == "a、b"
    assert EN.listing(list("abcde")) == "a; b; c; d; e"


def test_chinese_has_a_space_beside_latin_writing() -> None:
    assert ZH.say({"zh": "{a}的{b}为 {c}"}, a="`x`", b="延迟", c="3") == "`x` 的延迟为 3"


@pytest.mark.parametrize("words", [EN, ZH])
def test_facts_are_not_read_as_templates(words: Words) -> None:
    assert words.say({"en": "{a}", "zh": "{a}"}, a="{b}") == "{b}"
