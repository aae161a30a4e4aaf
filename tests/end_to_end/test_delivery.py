"""Nothing is lost and nothing counts twice, whoever is killed."""

from pathlib import Path

import pytest

from tests.end_to_end.chaos import run_chaos
from tests.servers import Broker


@pytest.mark.parametrize("seed", [20261122])
def test_every_number_is_stored_exactly_once_whoever_is_killed(
    broker: Broker, tmp_path: Path, seed: int
) -> None:
    report = run_chaos(broker, tmp_path, seed=seed, numbers=60_000, kills=10)
    assert (report.lost, report.twice, report.stored) == (0, 0, 60_000), str(report)
    assert all(report.events[victim] == 10 for victim in ("agent", "broker", "collector"))
