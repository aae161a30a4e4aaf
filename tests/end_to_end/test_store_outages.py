"""A store that is away, or killed: nothing is lost, nothing counts twice, and the present comes first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.engines import Engine, InfluxEngine, VictoriaEngine
from tests.end_to_end.outage import Load, run_outage

QUEUE_BYTES = 40_000
"""Small, so that it overflows within seconds."""


def test_while_influxdb_is_away_nothing_is_acked_and_later_the_present_comes_first(tmp_path: Path) -> None:
    _away(InfluxEngine(tmp_path / "influxd"), tmp_path)


def test_while_victoriametrics_is_away_nothing_is_acked_and_later_the_present_comes_first(
    tmp_path: Path,
) -> None:
    # What is stopped and not killed has written everything to its disk: 2 s are enough here.
    _away(VictoriaEngine(tmp_path / "vm", {"safe_after": "2s"}), tmp_path)


def _away(engine: Engine, folder: Path) -> None:
    report = run_outage(
        engine,
        folder,
        Load(agents=3, rate=1000, per_batch=100, seconds=0),
        away_s=8,
        settings={"receive": {"queue": f"{QUEUE_BYTES}B"}},
    )
    assert (report.lost, report.twice, report.stored) == (0, 0, report.emitted), str(report)
    assert report.acks_while_away == 0, str(report)
    assert 0 < report.queue_peak_bytes <= QUEUE_BYTES, str(report)
    assert report.dropped_messages, str(report)
    # Of which the first review takes some 60 MB.
    assert report.rss_peak_bytes - report.rss_before_bytes < 120_000_000, str(report)
    # A window of 32 batches is under way; what is in it is acked first, and then the newest.
    assert report.backlog_batches > 60, str(report)
    assert report.backlog_acked_before_fresh < report.backlog_batches / 2, str(report)


@pytest.mark.parametrize(
    ("engine", "settings", "kills", "pause_s"),
    [
        (InfluxEngine, {}, 5, (0.5, 2.0)),
        # It is written to when it has run for 2 s, and called durable after 10 s more.
        (VictoriaEngine, {"safe_after": "10s"}, 3, (2.5, 3.5)),
    ],
    ids=["influxdb", "victoriametrics"],
)
def test_a_store_that_is_killed_again_and_again_loses_nothing(
    engine: Callable[[Path, Mapping[str, Any]], Engine],
    settings: Mapping[str, Any],
    kills: int,
    pause_s: tuple[float, float],
    tmp_path: Path,
) -> None:
    report = run_outage(
        engine(tmp_path / "server", settings),
        tmp_path,
        Load(agents=2, rate=1000, per_batch=500, seconds=0, resend_s=30),
        kills=kills,
        pause_s=pause_s,
        seed=20261122,
    )
    assert (report.lost, report.twice, report.stored) == (0, 0, report.emitted), str(report)
