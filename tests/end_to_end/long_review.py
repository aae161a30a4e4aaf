"""``setpoint collector run`` whose reviews read samples for two minutes."""

from __future__ import annotations

import logging
import sys
import time

from collector.analysis.review import Window
from collector.register import Changes
from collector.reviewer import Reviewer
from collector.store.base import Metric
from setpoint.__main__ import main

log = logging.getLogger(__name__)


def review(self: Reviewer, _window: Window, _now_ms: int) -> Changes:
    log.info("a long review begins")
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with self._store.train(Metric("numbered", "n"), lambda _: True, 0, 2**60) as train:
            train.relation.aggregate("quantile_cont(value, 0.5), count(*)").fetchall()
    return Changes()


if __name__ == "__main__":
    Reviewer.review = review  # type: ignore[method-assign]
    sys.exit(main(["collector", "run", *sys.argv[1:]]))
