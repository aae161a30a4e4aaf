"""When the clock can be trusted with deleting."""

from collector.steady_clock import SteadyClock


def test_a_clock_is_trusted_when_it_was_not_stepped_for_long() -> None:
    now = {"wall": 4e9, "monotonic": 50.0}
    clock = SteadyClock(lambda: now["wall"], lambda: now["monotonic"])

    def steady_after(seconds: float, *, step: float = 0) -> bool:
        now["monotonic"] += seconds
        now["wall"] += seconds + step
        return clock.is_steady()

    # It boots years ahead, and is set right after a minute.
    assert not steady_after(0)
    assert not steady_after(60, step=-1e9)
    assert not steady_after(2_990)
    assert steady_after(10)
    assert steady_after(3_600, step=0.5)
    assert not steady_after(3_600, step=86_400)
    assert steady_after(3_600)
