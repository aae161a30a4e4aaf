"""The queue between the network and the store."""

from __future__ import annotations

import asyncio
import sys

from collector.inbox import Inbox, Incoming

TOPIC = "setpoint/v1/hq/mon-01/readings"


def message(payload: bytes, n: int = 0) -> Incoming:
    return Incoming(TOPIC, payload, n)


def taken(inbox: Inbox, max_bytes: int = 10**9) -> list[Incoming]:
    return asyncio.run(inbox.group(max_bytes))


def test_messages_come_out_in_the_order_in_which_they_came() -> None:
    inbox = Inbox(10**6)
    messages = [message(b"x", n) for n in range(10)]
    for one in messages:
        inbox.put(one)
    assert len(inbox) == 10
    assert taken(inbox) == messages
    assert len(inbox) == 0


def test_the_oldest_make_room_and_are_counted() -> None:
    inbox = Inbox(10_000)
    messages = [message(b"x" * size, n) for n, size in enumerate((3_000, 3_000, 3_000, 5_000))]
    for one in messages:
        inbox.put(one)
    assert inbox.dropped_messages == 2
    assert taken(inbox) == messages[2:]
    assert inbox.bytes == 0


def test_a_message_above_the_size_of_the_queue_drops_itself_and_nothing_else() -> None:
    inbox = Inbox(10_000)
    inbox.put(message(b"x", 1))
    inbox.put(message(b"x" * 10_000, 2))
    assert inbox.dropped_messages == 1
    assert [one.received_ms for one in taken(inbox)] == [1]


def test_what_was_taken_makes_room() -> None:
    inbox = Inbox(10_000)
    for n in range(50):
        inbox.put(message(b"x" * 6_000, n))
        assert len(taken(inbox)) == 1
    assert (inbox.bytes, inbox.dropped_messages) == (0, 0)


def test_a_group_ends_with_the_message_that_reaches_its_size() -> None:
    inbox = Inbox(10**6)
    for n in range(5):
        inbox.put(message(b"x" * 10_000, n))
    assert [one.received_ms for one in taken(inbox, 25_000)] == [0, 1, 2]
    assert [one.received_ms for one in taken(inbox, 1)] == [3]
    assert [one.received_ms for one in taken(inbox)] == [4]


def test_a_message_above_the_size_of_a_group_is_a_group_by_itself() -> None:
    inbox = Inbox(10**6)
    inbox.put(message(b"x" * 50_000, 1))
    inbox.put(message(b"x", 2))
    assert [one.received_ms for one in taken(inbox, 1_000)] == [1]


def test_a_group_is_waited_for() -> None:
    async def wait() -> list[Incoming]:
        inbox = Inbox(1_000)
        waiting = asyncio.create_task(inbox.group(1_000))
        await asyncio.sleep(0)
        assert not waiting.done()
        inbox.put(message(b"x"))
        return await waiting

    assert asyncio.run(wait()) == [message(b"x")]


def test_many_tiny_messages_do_not_take_more_memory_than_is_allowed() -> None:
    """Empty ones too cost a tuple, a topic and a place in the queue."""
    inbox = Inbox(100_000)
    for n in range(10_000):
        inbox.put(message(b"", n))
    room = len(inbox)
    one = message(b"")
    assert 100 < room < 1_000
    assert room * (sys.getsizeof(one) + sys.getsizeof(one.topic)) < 200_000
    assert inbox.dropped_messages == 10_000 - room
    # Nor is a group of them without end.
    assert len(taken(inbox, 10_000)) < room
    while len(inbox):
        taken(inbox, 10_000)
    assert inbox.bytes == 0
