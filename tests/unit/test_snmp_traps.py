"""What is counted and kept of notifications, however many come, and what their text becomes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.inputs.snmp_traps.notification import Notification, Varbinds, read_notification
from agent.inputs.snmp_traps.settings import canonical
from agent.inputs.snmp_traps.tally import Tally

LINK_DOWN = Notification("linkDown", "ifIndex.1=1", 1)
OIDS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=12).map(
    lambda rest: ".".join(map(str, (1, 3, *rest)))
)
VALUES = st.none() | st.integers() | st.floats() | st.binary(max_size=400) | st.text(max_size=400)
TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"


def test_a_sender_may_say_so_much_in_a_minute_and_is_counted_beyond() -> None:
    tally = Tally(max_events=3, now_s=0)
    for second in range(30):
        tally.take("192.0.2.1", "sw", LINK_DOWN, second, second * 1000)
    points = list(tally.fetch())
    assert len([point for point in points if "event" in point.fields]) == 3 + 1  # one more each 20 s
    assert [point.fields["count"] for point in points if "count" in point.fields] == [30]
    assert tally.only_counted == 26


def test_one_senders_storm_leaves_others_their_say() -> None:
    tally = Tally(max_events=3, now_s=0)
    read = [tally.may_read("192.0.2.1", 0.0) for _ in range(1_000)]
    assert sum(read) == 200
    assert tally.may_read("192.0.2.2", 0.0)
    assert tally.unread == 800
    assert sum(tally.may_read("192.0.2.1", 10.0) for _ in range(1_000)) == 200


def test_forged_senders_together_are_read_so_much() -> None:
    tally = Tally(max_events=3, now_s=0)
    assert sum(tally.may_read(f"10.{one >> 8}.{one & 255}.1", 0.0) for one in range(20_000)) == 500


def test_kinds_beyond_a_thousand_are_counted_together() -> None:
    tally = Tally(max_events=60, now_s=0)
    for number in range(1_500):
        tally.take("192.0.2.1", "sw", Notification(f"1.3.6.1.4.1.{number}", ""), 0, 0)
    counts = {
        (point.tags["device"], point.tags["trap"]): point.fields.get("count") for point in tally.fetch()
    }
    assert len(counts) == 1_001
    assert counts["other", "other"] == 500


def test_counters_go_on_and_texts_are_handed_over_once() -> None:
    tally = Tally(max_events=60, now_s=0)
    tally.take("192.0.2.1", "sw", LINK_DOWN, 0, 5)
    assert len(list(tally.fetch())) == 2
    [count] = tally.fetch()
    assert count.fields == {"count": 1}


@given(st.lists(st.tuples(OIDS, VALUES), max_size=60), OIDS)
def test_any_variables_become_one_short_printable_line(varbinds: Varbinds, trap: str) -> None:
    found = read_notification([*varbinds, (TRAP_OID, trap)], "192.0.2.1")
    assert found is not None
    assert len(found.text) <= 1_000
    assert found.text.isprintable()
    assert len(found.if_name) <= 200


@given(VALUES.filter(lambda value: not isinstance(value, str)))
def test_what_does_not_say_which_trap_it_is_is_none(value: int | float | bytes | None) -> None:
    assert read_notification([(TRAP_OID, value)], "192.0.2.1") is None
    assert read_notification([], "192.0.2.1") is None


def test_an_index_that_no_port_can_have_is_left_out() -> None:
    for value, expected in ((3, 3), (0, None), (-1, None), (2**64 - 1, None)):
        found = read_notification([(TRAP_OID, "1.3.6"), ("1.3.6.1.2.1.2.2.1.1.3", value)], "192.0.2.1")
        assert found is not None
        assert found.if_index == expected


def test_an_address_is_written_in_one_way() -> None:
    assert canonical("::ffff:192.0.2.1") == "192.0.2.1"
    assert canonical("2001:DB8:0::1") == "2001:db8::1"
    assert canonical("fe80::1%eth0") == "fe80::1"
    assert canonical("sw-1.example") == "sw-1.example"
