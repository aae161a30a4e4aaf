"""What the page about the plan shows is a plan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from setpoint.plan_load import parse_plan

PAGE = Path(__file__).parents[2] / "docs" / "plan.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=[text.splitlines()[0] for text in EXAMPLES])
def test_every_example_is_a_plan(text: str) -> None:
    assert parse_plan(text).title


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 6
