"""Levels that do not fit, from samples in the store to a finding with a proposal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.second_look import MOST_EACH_REVIEW
from tests.four_weeks import DAY, MINUTE, PER_DAY, START, FourWeeks, daily


@pytest.fixture
def site(tmp_path: Path) -> Iterator[FourWeeks]:
    site = FourWeeks(tmp_path)
    yield site
    site.close()


def test_a_level_that_every_day_breaches_is_proposed_higher(site: FourWeeks) -> None:
    values = daily()
    values[12 * PER_DAY : 12 * PER_DAY + 6] = 130
    site.measured("web-1", values)
    site.plan("critical: {above: 65}")
    (finding,) = site.found("too-tight")
    assert "Set the critical level to above" in finding.action
    numbers = finding.evidence.statistics
    assert 72 < (numbers["proposed_level"] or 0) < 130
    assert numbers["history_episodes"] == numbers["episodes"]
    assert numbers["history_episodes_proposed"] == 1
    assert finding.evidence.episodes == [(START + 12 * DAY, START + 12 * DAY + 60 * MINUTE)]


def test_a_value_that_crosses_its_level_and_comes_back_is_given_a_for(site: FourWeeks) -> None:
    values = daily().clip(max=60)
    values[::50] = 90
    values[12 * PER_DAY : 12 * PER_DAY + 6] = 90
    site.measured("web-1", values)
    site.plan("critical: {above: 80}")
    (finding,) = site.found("flapping")
    assert "above 80 ms for 20 min" in finding.action
    assert finding.evidence.statistics["history_episodes_proposed"] == 1


def test_a_level_out_of_reach_is_proposed_within_it(site: FourWeeks) -> None:
    site.measured("web-1", daily())
    site.plan("critical: {above: 5000}")
    (finding,) = site.found("never-near")
    assert 60 < (finding.evidence.statistics["proposed_level"] or 0) < 90


def test_no_level_is_proposed_that_the_plan_could_not_have(site: FourWeeks) -> None:
    site.measured("web-1", daily())
    site.plan("warning: {above: 65}")
    assert [subject.proposal for subject in site.build().points[0].subjects] != [None]
    # A warning that leaves ordinary days alone would be beyond this critical level.
    site.plan("warning: {above: 65}, critical: {above: 66, for: 12h}")
    assert [subject.proposal for subject in site.build().points[0].subjects] == [None]


def test_each_review_reads_a_few_histories_and_keeps_what_it_found(site: FourWeeks) -> None:
    for number in range(MOST_EACH_REVIEW + 3):
        site.measured(f"web-{number}", daily(number))
    site.plan("critical: {above: 65}")

    def proposals() -> int:
        return sum(subject.proposal is not None for subject in site.build().points[0].subjects)

    assert proposals() == MOST_EACH_REVIEW
    assert proposals() == MOST_EACH_REVIEW + 3


def test_levels_that_fit_are_not_looked_at_again(site: FourWeeks) -> None:
    values = daily()
    values[12 * PER_DAY : 12 * PER_DAY + 6] = 130
    site.measured("web-1", values)
    site.plan("critical: {above: 100}")
    assert site.found("too-tight") == site.found("flapping") == site.found("never-near") == []
    assert [subject.proposal for subject in site.build().points[0].subjects] == [None]
