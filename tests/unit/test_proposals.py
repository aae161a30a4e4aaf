"""Proposals: a level and a ``for`` from a subject's own history."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.analysis.proposals import (
    Proposal,
    budget,
    levels_of,
    outcome,
    propose_hold,
    propose_level,
    suffices,
)
from collector.analysis.replay import History, episodes, standing
from setpoint.limits import Comparison

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MONDAY = 1_790_553_600_000
"""2026-09-28 00:00 UTC"""
EVERY = 5 * MINUTE
PER_DAY = DAY // EVERY
Values = npt.NDArray[np.float64]


def history_of(value: Values, every: int = EVERY, start: int = MONDAY) -> History:
    return standing(start + every * np.arange(len(value), dtype=np.int64), value, every)


def busy(days: int, seed: int = 1) -> Values:
    """A daily rhythm between about 20 and 60, with noise."""
    n = np.arange(days * PER_DAY)
    noise = np.random.default_rng(seed).normal(0, 2, len(n))
    return np.asarray(40 - 20 * np.cos(2 * np.pi * n / PER_DAY) + noise, np.float64)


def at(day: int, hour: float, hours: float) -> slice:
    start = int((day * 24 + hour) * HOUR / EVERY)
    return slice(start, start + int(hours * HOUR / EVERY))


@st.composite
def histories(draw: st.DrawFn) -> History:
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    days = draw(st.integers(7, 40))
    value = busy(days, draw(st.integers(0, 1000)))
    for _ in range(draw(st.integers(0, 6))):
        value[at(int(rng.integers(days)), 23 * rng.random(), 6 * rng.random())] += draw(
            st.sampled_from([-200.0, -5.0, 5.0, 30.0, 1e6])
        )
    if draw(st.booleans()):
        value = value.round(draw(st.sampled_from([-1, 0])))
    keep = rng.random(len(value)) > draw(st.sampled_from([0.0, 0.1, 0.3]))
    value[~keep] = np.nan
    return history_of(value * draw(st.sampled_from([1.0, 1e-9, 1e12])))


@settings(max_examples=60)
@given(histories(), st.booleans(), st.sampled_from([0, 8 * HOUR]))
def test_a_proposed_level_stays_within_its_budget(history: History, above: bool, zone_ms: int) -> None:
    level = float(np.quantile(history.value, 0.9 if above else 0.1))
    present = Comparison(high=level) if above else Comparison(low=level)
    proposal = propose_level(history, present, zone_ms)
    assert (proposal is not None) == suffices(history)
    if proposal is None:
        return
    changed = proposal.comparison
    assert (changed.high is not None) == above
    assert (changed.low is not None) != above
    assert proposal.proposed == outcome(history, changed)
    assert proposal.present == outcome(history, present)
    assert proposal.proposed.episodes <= budget(history.span_ms)
    assert proposal.proposed.total_ms <= 0.01 * history.measured_ms
    for start, end in proposal.proposed.longest:
        assert end - start >= changed.for_ms


@settings(max_examples=40)
@given(histories())
def test_upside_down_is_proposed_upside_down(history: History) -> None:
    level = float(np.quantile(history.value, 0.9))
    upside_down = History(history.begins, history.ends, -history.value, history.every_ms)
    one = propose_level(history, Comparison(high=level))
    other = propose_level(upside_down, Comparison(low=-level))
    assert (one is None) == (other is None)
    if one is None or other is None:
        return
    assert other.comparison.low == pytest.approx(-(one.comparison.high or 0))
    assert dataclasses.replace(other, comparison=one.comparison, usual=one.usual) == one


@settings(max_examples=40)
@given(histories(), st.integers(0, 30))
def test_a_longer_for_keeps_the_long_episodes_and_no_others(history: History, minutes: int) -> None:
    present = Comparison(high=float(np.quantile(history.value, 0.95)), for_ms=minutes * MINUTE)
    proposal = propose_hold(history, present)
    if proposal is None:
        return
    assert proposal.comparison.high == present.high
    assert proposal.comparison.for_ms > present.for_ms
    before = {tuple(each) for each in episodes(history, levels_of(present)).tolist()}
    after = {tuple(each) for each in episodes(history, levels_of(proposal.comparison)).tolist()}
    assert after == {(start, end) for start, end in before if end - start >= proposal.comparison.for_ms}
    assert len(after) <= budget(history.span_ms)


def starts(found: Proposal | None) -> set[int]:
    assert found is not None
    return {start for start, _ in found.proposed.longest}


@pytest.mark.parametrize("seed", range(5))
def test_what_stands_out_is_kept_and_what_happens_daily_is_not(seed: int) -> None:
    value = busy(28, seed)
    value[at(9, 3, 2)] = 95
    value[at(20, 14, 1)] = 92
    proposal = propose_level(history_of(value), Comparison(high=55))
    assert starts(proposal) >= {MONDAY + 9 * DAY + 3 * HOUR, MONDAY + 20 * DAY + 14 * HOUR}
    assert proposal is not None
    assert proposal.proposed.episodes <= 4 < 28 < proposal.present.episodes


def test_a_backup_every_night_is_usual() -> None:
    value = busy(28)
    for day in range(28):
        value[at(day, 2, 1)] = 100
    value[at(11, 12, 3)] = 99
    proposal = propose_level(history_of(value), Comparison(high=80))
    # No level tells the two apart, but how long they last does.
    assert MONDAY + 11 * DAY + 12 * HOUR in starts(proposal)
    assert proposal is not None
    assert proposal.comparison.for_ms > HOUR
    assert not any((start - MONDAY) % DAY == 2 * HOUR for start in starts(proposal))


def test_a_backup_every_sunday_is_usual_too() -> None:
    value = busy(35)
    for week in range(5):
        value[at(7 * week + 6, 2, 1)] = 100
    value[at(11, 12, 3)] = 99
    found = starts(propose_level(history_of(value), Comparison(high=80)))
    assert MONDAY + 11 * DAY + 12 * HOUR in found
    assert not any((start - MONDAY) % (7 * DAY) == 6 * DAY + 2 * HOUR for start in found)


def test_local_days_are_those_of_the_zone() -> None:
    # In Shanghai each of these is on a Monday; in UTC, two are on Sundays.
    value = busy(28)
    for week, hour in enumerate((25, 25, 22, 22)):
        value[at(7 * week + 6, hour, 1)] = 100
    mondays = {MONDAY + (7 * week + 6) * DAY + hour * HOUR for week, hour in enumerate((25, 25, 22, 22))}
    assert starts(propose_level(history_of(value), Comparison(high=80))) >= mondays
    shanghai = propose_level(history_of(value), Comparison(high=80), zone_ms=8 * HOUR)
    assert not starts(shanghai) & mondays


def test_anomalies_do_not_hide_each_other() -> None:
    value = busy(28)
    for day in range(0, 16, 4):
        value[at(day, 5, 1)] = 10_000
    proposal = propose_level(history_of(value), Comparison(high=55))
    assert starts(proposal) == {MONDAY + day * DAY + 5 * HOUR for day in range(0, 16, 4)}
    assert proposal is not None
    assert proposal.usual == pytest.approx(64, abs=2)


@pytest.mark.parametrize("seed", range(5))
def test_where_nothing_stands_out_the_level_is_at_the_top(seed: int) -> None:
    value = busy(28, seed)
    proposal = propose_level(history_of(value), Comparison(high=1e6))
    assert proposal is not None
    assert proposal.present.episodes == 0
    assert proposal.proposed.episodes <= 4
    assert 55 < (proposal.comparison.high or 0) < value.max() + 10


def test_a_level_is_as_round_as_what_it_parts_allows() -> None:
    value = busy(28).clip(max=60)
    value[at(9, 3, 2)] = 95.123
    proposal = propose_level(history_of(value), Comparison(high=55))
    assert proposal is not None
    assert proposal.comparison == Comparison(high=80.0)


@pytest.mark.parametrize(
    "present", [Comparison(equal=1.0), Comparison(unequal=0.0), Comparison(high=90.0, low=10.0)]
)
def test_only_one_level_above_or_below_can_be_moved(present: Comparison) -> None:
    assert propose_level(history_of(busy(28)), present) is None


def test_a_week_is_needed() -> None:
    assert propose_level(history_of(busy(6)), Comparison(high=50)) is None
    assert propose_hold(history_of(busy(6)), Comparison(high=50)) is None
    assert propose_level(history_of(busy(7)), Comparison(high=50)) is not None


def test_half_of_the_time_has_to_be_measured() -> None:
    value = busy(20)
    value[at(2, 0, 11 * 24)] = np.nan
    history = history_of(value)
    assert not suffices(history)
    assert propose_level(history, Comparison(high=50)) is None


def test_what_never_changes_has_no_level() -> None:
    assert propose_level(history_of(np.full(28 * PER_DAY, 3.0)), Comparison(high=5)) is None


def test_nothing_is_proposed_for_nothing() -> None:
    nothing = history_of(np.empty(0))
    assert propose_level(nothing, Comparison(high=5)) is None
    assert propose_hold(nothing, Comparison(high=5)) is None


def test_no_for_mends_a_level_that_is_breached_half_of_the_time() -> None:
    assert propose_hold(history_of(busy(28)), Comparison(high=40)) is None


def test_short_crossings_need_a_for() -> None:
    value = busy(28)
    value[::97] = 99
    value[at(12, 3, 2)] = 99
    proposal = propose_hold(history_of(value), Comparison(high=90))
    assert proposal is not None
    assert proposal.comparison.for_ms == 10 * MINUTE
    assert (proposal.present.episodes, proposal.proposed.episodes) == (84, 1)


def test_the_budget_is_one_a_month_and_four_at_least() -> None:
    assert [budget(days * DAY) for days in (7, 30, 120, 365)] == [4, 4, 4, 12]
