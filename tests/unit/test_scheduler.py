"""When inputs are asked, and what becomes of those that fail, hang or do not let go.

The event loop here has a clock of its own, which jumps to the next thing that is due: hours pass at once, and
every time is exact.
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, NamedTuple

import pytest

from agent.scheduler import (
    OUTCOME_ERROR,
    OUTCOME_HANGING,
    OUTCOME_OK,
    OUTCOME_TIMEOUT,
    Scheduled,
    Scheduler,
)
from setpoint.reading import Point

BASE_MS = 1_790_784_000_000


class JumpingLoop(asyncio.SelectorEventLoop):
    """Instead of waiting, it sets its clock forward."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everything waits for something that never happens"
        ready = super().select(0)
        if not ready:
            self._loop.jump(timeout)
        return ready


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(coroutine)


def now_s() -> float:
    return asyncio.get_running_loop().time()


# -- inputs ----------------------------------------------------------------------------------------


class Input:
    """Answers at once; ``answers`` are what is raised or returned at each gathering, then points."""

    def __init__(self, *answers: Any, takes_s: float = 0) -> None:
        self.asked: list[float] = []
        self.closed = 0
        self._answers = list(answers)
        self._takes_s = takes_s

    async def gather(self) -> Sequence[Point]:
        self.asked.append(now_s())
        await asyncio.sleep(self._takes_s)
        answer = self._answers.pop(0) if self._answers else [Point("m", {"k": "v"}, {"n": 1})]
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def close(self) -> None:
        self.closed += 1


class Hanging(Input):
    """Never answers."""

    cancelled = 0

    async def gather(self) -> Sequence[Point]:
        self.asked.append(now_s())
        try:
            await asyncio.sleep(10**9)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        raise AssertionError("unreachable")


class Stubborn(Input):
    """Does not end when it is cancelled, but when it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()

    async def gather(self) -> Sequence[Point]:
        self.asked.append(now_s())
        while not self.released.is_set():
            try:
                await asyncio.wait_for(self.released.wait(), 10**9)
            except asyncio.CancelledError:
                continue
        return [Point("m", {}, {"n": 1})]


class Taken(NamedTuple):
    points: Sequence[Point]
    time_ms: int
    tags: dict[str, str]


class Sink:
    def __init__(self) -> None:
        self.taken: list[Taken] = []

    def __call__(self, points: Sequence[Point], time_ms: int, tags: dict[str, str]) -> int:
        self.taken.append(Taken(points, time_ms, tags))
        return sum(len(point.fields) for point in points)

    def own(self, label: str) -> list[dict[str, Any]]:
        """What is said of an input: the fields of its setpoint_agent readings."""
        return [
            dict(point.fields)
            for points, _, tags in self.taken
            for point in points
            if point.measurement == "setpoint_agent" and point.tags == {"input": label} and tags == {}
        ]

    def outcomes(self, label: str) -> list[Any]:
        return [fields["outcome"] for fields in self.own(label)]

    def times_s(self, label: str = "") -> list[float]:
        """When the measured points were (or what was said of an input), in seconds after the start."""
        return [
            (taken.time_ms - BASE_MS) / 1000
            for taken in self.taken
            if (taken.points[0].tags.get("input") == label if label else taken.points[0].measurement == "m")
        ]


def scheduled(source: Input, interval_s: float = 10, *, label: str = "input", **changes: Any) -> Scheduled:
    return Scheduled(label, source, interval_s, changes.pop("deadline_s", interval_s), **changes)


async def run_for(seconds: float, *inputs: Scheduled, sink: Callable[..., int]) -> None:
    """Runs the scheduler until the loop's clock says ``seconds``, and stops it."""
    running = asyncio.create_task(Scheduler(inputs, sink, lambda: BASE_MS + round(now_s() * 1000)).run())
    await asyncio.wait({running}, timeout=seconds - now_s())
    assert not running.done(), running
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()


@pytest.fixture
def sink() -> Sink:
    return Sink()


# -- when ------------------------------------------------------------------------------------------


def test_each_input_has_its_own_interval(sink: Sink) -> None:
    fast, slow = Input(), Input()

    async def main() -> None:
        await run_for(60.5, scheduled(fast, 5, label="fast"), scheduled(slow, 30, label="slow"), sink=sink)

    run(main())
    assert fast.asked == [5.0 * n for n in range(13)]
    assert slow.asked == [0, 30, 60]
    assert sink.times_s("slow") == [0, 30, 60]


def test_a_slow_one_goes_on_at_its_next_turn(sink: Sink) -> None:
    """Missed turns are not made up for, and the turns do not move."""
    slow = Input(takes_s=25)

    async def main() -> None:
        await run_for(100, scheduled(slow, 10, deadline_s=60), sink=sink)

    run(main())
    assert slow.asked == [0, 30, 60, 90]
    assert sink.times_s() == [0, 30, 60]


def test_jitter_delays_each_gathering_and_never_by_more(sink: Sink) -> None:
    source = Input()

    async def main() -> None:
        await run_for(1_000, scheduled(source, 10, jitter_s=4.0), sink=sink)

    run(main())
    delays = [asked - 10 * n for n, asked in enumerate(source.asked)]
    assert len(delays) == 100
    assert all(0 <= delay <= 4 for delay in delays)
    assert len(set(delays)) > 50


# -- who delays whom -------------------------------------------------------------------------------


def test_one_that_hangs_delays_no_other(sink: Sink) -> None:
    hanging, other = Hanging(), Input()

    async def main() -> None:
        await run_for(
            35, scheduled(hanging, deadline_s=3, label="hanging"), scheduled(other, label="other"), sink=sink
        )

    run(main())
    assert other.asked == hanging.asked == [0, 10, 20, 30]
    assert hanging.cancelled == 4
    assert sink.outcomes("hanging") == [OUTCOME_TIMEOUT] * 4
    assert sink.outcomes("other") == [OUTCOME_OK] * 4
    assert [fields["gather_ms"] for fields in sink.own("hanging")] == [3_000.0] * 4


def test_one_that_does_not_even_let_go_is_left_alone_until_it_does(sink: Sink) -> None:
    async def main() -> None:
        stubborn, other = Stubborn(), Input()
        asyncio.get_running_loop().call_at(35, stubborn.released.set)
        await run_for(
            55,
            scheduled(stubborn, deadline_s=3, label="stubborn"),
            scheduled(other, label="other"),
            sink=sink,
        )
        assert other.asked == [0, 10, 20, 30, 40, 50]
        # No second one is begun beside one that still hangs.
        assert stubborn.asked == [0, 40, 50]

    run(main())
    assert sink.outcomes("stubborn") == [
        OUTCOME_TIMEOUT,
        *[OUTCOME_HANGING] * 3,
        *[OUTCOME_OK] * 2,
    ]


@pytest.mark.parametrize("error", [OSError("no such disk"), RuntimeError(), asyncio.CancelledError()])
def test_one_that_fails_costs_its_gathering_and_nothing_else(sink: Sink, error: BaseException) -> None:
    failing, other = Input(error, [Point("m", {}, {"n": 2, "o": 3})], error), Input()

    async def main() -> None:
        await run_for(35, scheduled(failing, label="failing"), scheduled(other, label="other"), sink=sink)

    run(main())
    assert failing.asked == other.asked == [0, 10, 20, 30]
    assert sink.outcomes("failing") == [OUTCOME_ERROR, OUTCOME_OK, OUTCOME_ERROR, OUTCOME_OK]
    assert [fields["readings"] for fields in sink.own("failing")] == [0, 2, 0, 1]
    assert sink.outcomes("other") == [OUTCOME_OK] * 4


def test_points_that_cannot_be_taken_cost_their_gathering_and_nothing_else() -> None:
    class Choosy(Sink):
        def __call__(self, points: Sequence[Point], time_ms: int, tags: dict[str, str]) -> int:
            if "bad" in points[0].fields:
                raise ValueError('field "bad" is beyond the 64-bit integers')
            return super().__call__(points, time_ms, tags)

    sink = Choosy()
    strange, other = Input([Point("m", {}, {"bad": 2**64})]), Input()

    async def main() -> None:
        await run_for(15, scheduled(strange, label="strange"), scheduled(other, label="other"), sink=sink)

    run(main())
    assert sink.outcomes("strange") == [OUTCOME_ERROR, OUTCOME_OK]
    assert sink.outcomes("other") == [OUTCOME_OK] * 2


def test_a_failure_is_logged_once_and_so_is_its_end(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    failing = Input(OSError("gone"), OSError("gone"), OSError("gone"))

    async def main() -> None:
        await run_for(55, scheduled(failing, label="disk"), sink=sink)

    run(main())
    assert caplog.messages == ["input disk: OSError: gone", "input disk: answers again"]


# -- what is said ----------------------------------------------------------------------------------


def test_points_come_with_the_inputs_tags_and_what_is_said_of_it_without(sink: Sink) -> None:
    source = Input(takes_s=1.5)

    async def main() -> None:
        await run_for(5, scheduled(source, label="disk", tags={"room": "12"}), sink=sink)

    run(main())
    said = Point("setpoint_agent", {"input": "disk"}, {"gather_ms": 1_500.0, "outcome": 0, "readings": 1})
    assert sink.taken == [
        Taken([Point("m", {"k": "v"}, {"n": 1})], BASE_MS, {"room": "12"}),
        Taken([said], BASE_MS, {}),
    ]


def test_an_input_that_has_nothing_to_say_is_well(sink: Sink) -> None:
    async def main() -> None:
        await run_for(5, scheduled(Input([])), sink=sink)

    run(main())
    assert sink.own("input") == [{"gather_ms": 0.0, "outcome": OUTCOME_OK, "readings": 0}]


def times_ms(clock: Iterator[int], sink: Sink) -> list[int]:
    """The times of gatherings by a clock that says these."""

    async def main() -> None:
        running = asyncio.create_task(Scheduler([scheduled(Input())], sink, lambda: next(clock)).run())
        await asyncio.wait({running}, timeout=55)
        running.cancel()
        await asyncio.wait({running})

    run(main())
    return [taken.time_ms for taken in sink.taken if taken.points[0].measurement == "m"]


@pytest.mark.parametrize(
    "clock",
    [[1_000] * 6, [1_000, 1_000, 1_002, 1_002, 1_001, 1_003], [1_000, 998, 999, 1_000, 1_001, 1_002]],
    ids=["frozen", "coarse", "slewed"],
)
def test_times_grow_even_if_the_clock_does_not(sink: Sink, clock: list[int]) -> None:
    times = times_ms(iter([BASE_MS + ms for ms in clock]), sink)
    assert len(times) == 6
    assert all(earlier < later for earlier, later in itertools.pairwise(times))
    assert times[-1] <= BASE_MS + 1_010


def test_a_clock_that_is_set_back_is_followed(sink: Sink) -> None:
    """The times were wrong before, not afterwards."""
    hour = 3_600_000
    clock = [BASE_MS + ms for ms in (0, 10_000, 20_000 - hour, 30_000 - hour, 40_000, 50_000)]
    assert times_ms(iter(clock), sink) == clock


# -- the end ---------------------------------------------------------------------------------------


def test_every_input_is_closed_at_the_end_and_what_gathers_is_cancelled(sink: Sink) -> None:
    hanging, other = Hanging(), Input()

    async def main() -> None:
        await run_for(5, scheduled(hanging), scheduled(other), sink=sink)
        # Here already: the end of the loop would cancel everything.
        assert hanging.cancelled == 1
        assert (hanging.closed, other.closed) == (1, 1)

    run(main())


def test_one_that_cannot_be_closed_keeps_no_other_open(sink: Sink) -> None:
    class Broken(Input):
        async def close(self) -> None:
            raise OSError("its child is gone")

    class NeverCloses(Input):
        async def close(self) -> None:
            await asyncio.sleep(10**9)

    other = Input()

    async def main() -> float:
        await run_for(5, scheduled(Broken()), scheduled(NeverCloses()), scheduled(other), sink=sink)
        return now_s()

    assert run(main()) < 60
    assert other.closed == 1


def test_one_that_does_not_let_go_does_not_hold_up_the_end(sink: Sink) -> None:
    async def main() -> float:
        stubborn = Stubborn()
        try:
            await run_for(5, scheduled(stubborn, deadline_s=3), sink=sink)
        finally:
            stubborn.released.set()
        assert stubborn.closed == 1
        return now_s()

    assert run(main()) < 60
