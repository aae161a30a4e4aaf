"""The rules of the embedded broker, and that Mosquitto's shipped ACL says the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.broker import access
from collector.broker.access import ROLES, covers, may_publish, may_read
from setpoint.topics import parse_topic

_ACL = Path(__file__).resolve().parents[2] / "config" / "mosquitto" / "acl"
_levels = st.lists(st.sampled_from(["setpoint", "v1", "a", "b", ""]), min_size=1, max_size=5)


def _matches(pattern: list[str], topic: list[str]) -> bool:
    """MQTT 3.1.1, 4.7, for a topic: the plain recursive definition."""
    if pattern == ["#"]:
        return True
    if not pattern or not topic:
        return pattern == topic
    return pattern[0] in ("+", topic[0]) and _matches(pattern[1:], topic[1:])


@st.composite
def _filters(draw: st.DrawFn) -> list[str]:
    levels = draw(st.lists(st.sampled_from(["setpoint", "v1", "a", "b", "", "+"]), max_size=5))
    return [*levels, "#"] if not levels or draw(st.booleans()) else levels


@given(_filters(), _filters(), _levels)
def test_a_covered_filter_matches_nothing_more(
    allowed: list[str], wanted: list[str], topic: list[str]
) -> None:
    if covers("/".join(allowed), "/".join(wanted)) and _matches(wanted, topic):
        assert _matches(allowed, topic)


@given(_filters(), _levels)
def test_a_topic_is_covered_by_what_matches_it(allowed: list[str], topic: list[str]) -> None:
    assert covers("/".join(allowed), "/".join(topic)) == _matches(allowed, topic)


@given(st.sampled_from(["web-01", "a"]), st.lists(st.sampled_from("+#/a"), max_size=12).map("".join))
def test_no_wildcard_is_a_topic_to_publish_to(name: str, topic: str) -> None:
    for role in ROLES:
        if "+" in topic or "#" in topic:
            assert not may_publish(role, name, topic)
            assert not may_publish(role, name, f"setpoint/v1/{topic}/{name}/readings")


@pytest.mark.parametrize("channel", ["readings", "status", "ack"])
@pytest.mark.parametrize("agent", ["web-01", "web-02"])
def test_agents_speak_for_themselves_only(agent: str, channel: str) -> None:
    topic = f"setpoint/v1/hq/{agent}/{channel}"
    assert parse_topic(topic)
    assert may_publish("agent", "web-01", topic) == (agent == "web-01" and channel != "ack")
    assert may_read("agent", "web-01", topic) == (agent == "web-01" and channel == "ack")


def test_only_collectors_publish_acks() -> None:
    assert [role for role in ROLES if may_publish(role, "x", "setpoint/v1/hq/x/ack")] == ["collector"]


def test_a_site_holds_for_everybody() -> None:
    assert may_publish("agent", "x", "setpoint/v1/hq/x/readings", "hq")
    assert not may_publish("agent", "x", "setpoint/v1/branch/x/readings", "hq")
    assert may_read("collector", "c", "setpoint/v1/hq/+/readings", "hq")
    assert not may_read("collector", "c", "setpoint/v1/+/+/readings", "hq")


def test_mosquittos_acl_says_the_same() -> None:
    shipped: dict[str, set[str]] = {"publish": set(), "read": set()}
    own: dict[str, set[str]] = {"publish": set(), "read": set()}
    user = "%u"
    for line in _ACL.read_text().splitlines():
        word, *rest = line.split() if line and not line.startswith("#") else [""]
        if word == "user":
            (user,) = rest
        elif word in ("topic", "pattern"):
            verb, topic = rest
            for action, verbs in {"publish": ("write", "readwrite"), "read": ("read", "readwrite")}.items():
                if verb in verbs:
                    shipped[action].add(f"{user if word == 'topic' else '%u'} {topic}")
    for action, table in {"publish": access._PUBLISH, "read": access._READ}.items():
        for role, patterns in table.items():
            who = role if role in ("collector", "reader") else "%u"
            own[action] |= {f"{who} {pattern.format(site='+', name='%u')}" for pattern in patterns}
    assert shipped == own
