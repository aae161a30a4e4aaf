"""A public collection of Zabbix templates: no trigger in it fails to be read.

Nothing of it is in this repository; where it is not beside the project, this skips. The counts are exact, so
that a change of what is read shows. docs/inputs/zabbix_triggers.md has them too.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agent.inputs.thresholds.found import FoundThreshold, NoThreshold
from agent.inputs.zabbix_triggers.export import parse_file
from agent.inputs.zabbix_triggers.triggers import read_trigger

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "zabbix-templates"

pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason=f"the collection of templates is not at {CORPUS}")


def test_every_trigger_gives_thresholds_or_a_reason() -> None:
    triggers = [one for path in sorted(CORPUS.glob("*.yaml")) for one in parse_file(path.read_bytes())]
    outcomes: Counter[str] = Counter()
    levels = 0
    for trigger in triggers:
        found = read_trigger(trigger)
        levels += sum(isinstance(one, FoundThreshold) for one in found)
        if any(isinstance(one, FoundThreshold) and one.role == "raises" for one in found):
            outcomes["raises"] += 1
        else:
            outcomes[next(one.reason for one in found if isinstance(one, NoThreshold))] += 1
    assert len(triggers) == 652
    assert outcomes == {
        "raises": 553,
        "two series": 35,
        "no comparison": 30,
        "absence": 17,
        "no number": 17,
    }
    assert levels == 745
