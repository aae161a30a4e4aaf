"""A public collection of alert rules for common software: nothing in it fails to be read.

Nothing of it is in this repository; where it is not beside the project, this skips. The counts are exact, so
that a change of what is read shows. docs/inputs/prometheus_rules.md has them too.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agent.inputs.prometheus_rules.rules import parse_file, read_rule
from agent.inputs.thresholds.found import FoundThreshold, NoThreshold

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "prometheus-rules"

pytestmark = pytest.mark.skipif(
    not CORPUS.exists(), reason=f"the collection of alert rules is not at {CORPUS}"
)


def test_every_rule_gives_thresholds_or_a_reason() -> None:
    rules = [rule for path in sorted(CORPUS.glob("*.yml")) for rule in parse_file(path.read_bytes())]
    outcomes: Counter[str] = Counter()
    levels = 0
    for rule in rules:
        found = read_rule(rule, "severity")
        levels += sum(isinstance(one, FoundThreshold) for one in found)
        if any(isinstance(one, FoundThreshold) and one.role == "raises" for one in found):
            outcomes["raises"] += 1
        else:
            outcomes[next(one.reason for one in found if isinstance(one, NoThreshold))] += 1
    assert len(rules) == 578
    assert outcomes == {"raises": 540, "two series": 26, "absence": 9, "no comparison": 2, "always": 1}
    assert levels == 716
