"""How a collector ends when it is asked to."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.site import CollectorProcess, NumberedAgent, numbers_by_count
from tests.servers import Login, Mosquitto, wait_until

NOBODY = Login(None, None)


def test_a_long_review_is_broken_off_when_the_collector_is_stopped(tmp_path: Path) -> None:
    long_review = ("-m", "tests.end_to_end.long_review")
    with (
        Mosquitto(tmp_path / "mosquitto") as broker,
        CollectorProcess(tmp_path / "site", NOBODY, broker.port, command=long_review) as collector,
        NumberedAgent(tmp_path / "agent", NOBODY, broker.port),
    ):
        wait_until(lambda: "a long review begins" in collector.log_text(), timeout_s=30, what="a review")
        assert collector.stop(timeout_s=40) == 0
        assert "Traceback" not in collector.log_text()
        assert set(numbers_by_count(collector).values()) == {1}
