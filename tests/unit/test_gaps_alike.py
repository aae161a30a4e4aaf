"""What many subjects of a point have in common is one finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.analysis.gaps import CHECKS
from collector.analysis.gaps.alike import MANY
from collector.analysis.review import Review, Window
from collector.register import Register
from setpoint.finding import finding_id
from setpoint.reading import subject_of
from tests.unit.review_factory import (
    CPU,
    HOUR,
    MINUTE,
    MONTH,
    NEXT_MONTH,
    breaches,
    gaps,
    plan,
    review,
    statistics,
    subject,
    verdict_of,
)

PLAN = plan(CPU.replace("expect: {host: hosts,", "expect: {"))
KEYS = {"threshold-breached": "host-cpu", "target-missed": "host-cpu:p95"}


def tags(number: int) -> dict[str, str]:
    return {"host": f"web-{number:04}", "cpu": "cpu-total"}


def of_hosts(bad: int, good: int = 5, window: Window = MONTH) -> Review:
    """Host n of the bad ones is off by n minutes in breach, and by n per cent."""
    shown = [
        *(
            statistics(window, p95=70.5 + n, critical=breaches(n * MINUTE), warning=breaches(0, count=0))
            for n in range(1, bad + 1)
        ),
        *(
            statistics(window, p95=3.0, critical=breaches(0, count=0), warning=breaches(0, count=0))
            for _ in range(good)
        ),
    ]
    return review(PLAN, window, *(subject(PLAN, "host-cpu", tags(n), one) for n, one in enumerate(shown, 1)))


@pytest.mark.parametrize("kind", KEYS)
def test_a_few_are_told_one_by_one(kind: str) -> None:
    verdicts = CHECKS[kind](of_hosts(MANY))
    assert len(gaps(verdicts)) == MANY
    assert all(finding.subject for finding in gaps(verdicts))
    assert verdict_of(verdicts, kind, KEYS[kind], ()).answer == "no gap"


@pytest.mark.parametrize("kind", KEYS)
def test_many_are_one_finding_with_the_worst_first(kind: str) -> None:
    verdicts = CHECKS[kind](of_hosts(MANY + 1))
    (finding,) = gaps(verdicts)
    assert finding.id == finding_id(kind, KEYS[kind], ())
    assert finding.subject == {}
    assert finding.point == "host-cpu"
    assert (finding.measured, finding.target, finding.unit) == (MANY + 1, 0, "subjects")
    assert finding.evidence.statistics["judged"] == MANY + 6
    hosts = [member.partition(":")[0].split()[0] for member in finding.evidence.members]
    assert hosts == [f"host=web-{n:04}" for n in range(MANY + 1, 0, -1)]
    assert "`web-0011`" in finding.text["en"]
    assert "`web-0001`" not in finding.text["en"]


@pytest.mark.parametrize("kind", KEYS)
def test_a_member_says_nothing_of_its_own_and_closes_nothing(kind: str) -> None:
    verdicts = CHECKS[kind](of_hosts(MANY + 1))
    one = verdict_of(verdicts, kind, KEYS[kind], subject_of("cpu", tags(1)))
    assert (one.answer, one.reason) == ("cannot tell", "it is said of CPU busy as a whole")
    good = verdict_of(verdicts, kind, KEYS[kind], subject_of("cpu", tags(MANY + 2)))
    assert good.answer == "no gap"


def test_the_severity_is_that_of_the_worst_and_the_reason_counts_them() -> None:
    found = of_hosts(MANY + 1)
    warned = statistics(MONTH, p95=3.0, warning=breaches(9 * HOUR), critical=breaches(0, count=0))
    subjects = [("host-cpu", one) for one in found.points[0].subjects]
    both = review(PLAN, MONTH, *subjects, subject(PLAN, "host-cpu", tags(99), warned))
    (finding,) = gaps(CHECKS["threshold-breached"](both))
    assert finding.severity == "critical"
    assert finding.reasons[0].startswith(f"of {MANY + 1} subjects: the critical level was breached for ")
    # Nine hours of warning come after a minute of critical.
    assert finding.evidence.members[-1].startswith("host=web-0099")


def test_no_more_members_are_listed_than_are_kept() -> None:
    (finding,) = gaps(CHECKS["threshold-breached"](of_hosts(2000)))
    assert finding.measured == 2000
    assert len(finding.evidence.members) == 100
    assert "and 1995 more" in finding.text["en"]


def test_a_running_period_closes_no_finding_of_many() -> None:
    running = Window(MONTH.start_ms, MONTH.end_ms, complete=False, label="2026-10")
    verdicts = CHECKS["threshold-breached"](of_hosts(1, window=running))
    assert verdict_of(verdicts, "threshold-breached", "host-cpu", ()).answer == "cannot tell"


def test_fewer_and_fewer_are_one_finding_then_several_then_none(tmp_path: Path) -> None:
    register = Register(tmp_path / "register.db")
    definitions = {point.id: point.definition_hash for point in PLAN.points}

    def judge(bad: int, window: Window) -> dict[str, int]:
        verdicts = CHECKS["threshold-breached"](of_hosts(bad, window=window))
        register.apply(verdicts, definitions, 14, window.end_ms)
        found = register.findings("open")
        return {"all": len(found), "together": sum(not finding.subject for finding in found)}

    try:
        assert judge(3, MONTH) == {"all": 3, "together": 0}
        # What was said of the three alone is kept: it is neither mended nor said again.
        assert judge(MANY + 1, NEXT_MONTH) == {"all": 4, "together": 1}
        assert judge(2, MONTH) == {"all": 2, "together": 0}
        assert judge(0, NEXT_MONTH) == {"all": 0, "together": 0}
    finally:
        register.close()
