"""not-measured: what the plan names, and nothing ever reported."""

from __future__ import annotations

from collector.analysis.gaps.not_measured import KIND, check
from collector.analysis.review import SubjectReview, Window
from setpoint.plan import Plan
from tests.unit.review_factory import (
    CPU,
    CPU_SUBJECT,
    CPU_TAGS,
    DAY,
    DISK,
    ERP,
    HOUR,
    LOAD,
    MINUTE,
    MONTH,
    NEXT_MONTH,
    PORT,
    RUNNING,
    SECOND,
    START,
    absent,
    answers,
    gaps,
    plan,
    review,
    seen,
    statistics,
    subject,
    verdict_of,
)

JUMP = (("host", "jump-01"),)
MON = (("host", "mon-01"),)
JUMP_CPU = {"host": "jump-01", "cpu": "cpu-total"}


def missing_on(one: Plan, window: Window, host: str) -> list[tuple[str, SubjectReview]]:
    return [
        subject(one, "host-cpu", {"host": host, "cpu": "cpu-total"}, absent(window)),
        subject(one, "host-disk", {"host": host}, absent(window)),
        subject(one, "host-load", {"host": host}, absent(window)),
    ]


def reporting_on(one: Plan, window: Window, host: str) -> list[tuple[str, SubjectReview]]:
    return [
        subject(one, "host-cpu", {"host": host, "cpu": "cpu-total"}, statistics(window)),
        subject(one, "host-disk", {"host": host, "path": "/"}, statistics(window, every=MINUTE)),
        subject(one, "host-load", {"host": host}, statistics(window)),
    ]


def test_a_host_that_never_reported_is_one_finding() -> None:
    one = plan(CPU, DISK, LOAD)
    verdicts = check(
        review(one, MONTH, *missing_on(one, MONTH, "jump-01"), *reporting_on(one, MONTH, "mon-01"))
    )
    (finding,) = gaps(verdicts)
    assert (finding.point, finding.subject, finding.severity) == (None, {"host": "jump-01"}, "critical")
    assert finding.evidence.members == [
        "host-cpu host=jump-01 cpu=cpu-total",
        "host-disk host=jump-01",
        "host-load host=jump-01",
    ]
    assert finding.owner == "platform, storage"
    assert finding.objectives == ["erp-uptime"]
    assert finding.evidence.query == "/api/series?host=jump-01"
    assert finding.title == "jump-01 has never reported"
    covered = verdict_of(verdicts, KIND, "host-disk", JUMP)
    assert (covered.answer, covered.reason) == ("cannot tell", "it is said of jump-01")
    assert verdict_of(verdicts, KIND, "", MON).answer == "no gap"


def test_an_agent_that_reports_other_things_only_is_told_as_such() -> None:
    one = plan(CPU, DISK, LOAD)
    found = review(
        one,
        MONTH,
        *missing_on(one, MONTH, "jump-01"),
        *reporting_on(one, MONTH, "mon-01"),
        agents={"jump-01": MONTH.end_ms - MINUTE},
    )
    (finding,) = gaps(check(found))
    assert finding.title == "Nothing planned on jump-01 is measured"
    assert "last heard of at 2026-10-31 23:59" in finding.text["en"]


def test_a_point_that_is_missing_on_a_live_host_is_its_own_finding() -> None:
    one = plan(CPU, DISK, LOAD)
    live = reporting_on(one, MONTH, "jump-01")[1:]
    verdicts = check(
        review(one, MONTH, *reporting_on(one, MONTH, "mon-01"), *live, missing_on(one, MONTH, "jump-01")[0])
    )
    (finding,) = gaps(verdicts)
    assert (finding.point, finding.subject, finding.severity) == ("host-cpu", JUMP_CPU, "warning")
    assert finding.evidence.query == "/api/series?metric=cpu.usage_active&host=jump-01&cpu=cpu-total"
    assert (finding.measured, finding.target, finding.unit) == (0, 31 * 8640, "samples")
    assert "every 10 s" in finding.text["en"]


def test_severity_falls_without_a_critical_level() -> None:
    one = plan(CPU, DISK)
    (finding,) = gaps(
        check(
            review(
                one,
                MONTH,
                *reporting_on(plan(CPU, DISK, LOAD), MONTH, "mon-01")[:2],
                subject(one, "host-cpu", JUMP_CPU, statistics(MONTH)),
                subject(one, "host-disk", {"host": "jump-01"}, absent(MONTH, every=MINUTE)),
            )
        )
    )
    assert (finding.point, finding.severity) == ("host-disk", "info")


def test_a_point_that_is_missing_everywhere_is_one_finding() -> None:
    one = plan(CPU, DISK, LOAD)
    both = ("mon-01", "jump-01")
    verdicts = check(
        review(
            one,
            MONTH,
            *(missing_on(one, MONTH, host)[1] for host in both),
            *(reporting_on(one, MONTH, host)[n] for host in both for n in (0, 2)),
        )
    )
    (finding,) = gaps(verdicts)
    assert (finding.point, finding.subject) == ("host-disk", {})
    assert finding.evidence.members == ["host=mon-01", "host=jump-01"]
    assert finding.title == "File system used (2 subjects) is not measured"


def test_nothing_measured_anywhere_is_one_finding() -> None:
    one = plan(CPU, DISK, LOAD)
    (finding,) = gaps(
        check(review(one, MONTH, *missing_on(one, MONTH, "mon-01"), *missing_on(one, MONTH, "jump-01")))
    )
    assert (finding.point, finding.subject, len(finding.evidence.members)) == (None, {}, 6)
    assert finding.title == "Nothing in the plan has ever reported"


def test_the_first_sample_closes_even_in_a_running_period() -> None:
    one = plan(CPU)
    shown = statistics(RUNNING, samples=1, coverage=0.0, last_ms=START + DAY)
    verdicts = check(review(one, RUNNING, subject(one, "host-cpu", CPU_TAGS, shown)))
    assert verdict_of(verdicts, KIND, "host-cpu", CPU_SUBJECT).answer == "no gap"
    assert verdict_of(verdicts, KIND, "", MON).answer == "no gap"
    assert verdict_of(verdicts, KIND, "host-cpu", ()).answer == "no gap"


def test_a_placeholder_is_closed_by_the_real_subject_that_takes_its_place() -> None:
    one = plan(DISK)
    before = check(review(one, RUNNING, subject(one, "host-disk", {"host": "mon-01"}, absent(RUNNING))))
    assert verdict_of(before, KIND, "host-disk", MON).answer == "cannot tell"
    assert verdict_of(before, KIND, "", MON).answer == "cannot tell"
    assert verdict_of(before, KIND, "", ()).answer == "gap"
    tags = {"host": "mon-01", "path": "/"}
    after = check(review(one, RUNNING, subject(one, "host-disk", tags, statistics(RUNNING, every=MINUTE))))
    assert verdict_of(after, KIND, "host-disk", MON).answer == "no gap"


def test_a_device_that_is_expected_without_its_agent_is_closed_by_any_agents_samples() -> None:
    one = plan(PORT)
    missing = [
        subject(one, "port-load", {"device": d}, absent(MONTH, every=MINUTE)) for d in ("sw-1", "sw-2")
    ]
    port = {"host": "mon-01", "device": "sw-1", "name": "Te1/1/1"}
    live = subject(one, "port-load", port, statistics(MONTH, every=MINUTE))
    verdicts = check(review(one, MONTH, live, missing[1]))
    assert verdict_of(verdicts, KIND, "port-load", (("device", "sw-1"),)).answer == "no gap"
    (finding,) = gaps(verdicts)
    assert (finding.point, finding.subject) == (None, {"device": "sw-2"})


def test_the_first_sample_is_waited_for() -> None:
    one = plan(CPU)

    def answer(since_ms: int) -> str:
        shown = absent(RUNNING, start_ms=since_ms)
        other = subject(one, "host-cpu", JUMP_CPU, statistics(RUNNING))
        verdicts = check(review(one, RUNNING, subject(one, "host-cpu", CPU_TAGS, shown), other))
        return verdict_of(verdicts, KIND, "", MON).answer

    assert answer(RUNNING.end_ms - 29 * SECOND) == "cannot tell"
    assert answer(RUNNING.end_ms - 30 * SECOND) == "gap"


def test_without_a_spacing_a_minute_is_waited() -> None:
    one = plan(CPU.replace(", every: 10s", "").replace("hosts", "mon-01"))

    def answer(since_ms: int) -> str:
        shown = absent(RUNNING, start_ms=since_ms, every=None)
        verdicts = check(review(one, RUNNING, subject(one, "host-cpu", CPU_TAGS, shown)))
        return verdict_of(verdicts, KIND, "", MON).answer

    assert answer(RUNNING.end_ms - 59 * SECOND) == "cannot tell"
    assert answer(RUNNING.end_ms - 60 * SECOND) == "gap"


def test_a_host_that_has_just_begun_gets_time_for_its_slower_inputs() -> None:
    one = plan(CPU, DISK)
    subjects = [
        subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING)),
        subject(one, "host-disk", {"host": "mon-01"}, absent(RUNNING, every=MINUTE)),
        subject(one, "host-cpu", JUMP_CPU, statistics(RUNNING)),
        subject(one, "host-disk", {"host": "jump-01", "path": "/"}, statistics(RUNNING, every=MINUTE)),
    ]
    first = seen("cpu.usage_active", CPU_TAGS, RUNNING)._replace(first_ms=RUNNING.end_ms - 2 * MINUTE)
    assert gaps(check(review(one, RUNNING, *subjects, series=[first]))) == []
    first = first._replace(first_ms=RUNNING.end_ms - 3 * MINUTE)
    (finding,) = gaps(check(review(one, RUNNING, *subjects, series=[first])))
    assert (finding.point, finding.subject) == ("host-disk", {"host": "mon-01"})


def test_what_reported_before_the_period_is_not_said_to_be_unmeasured() -> None:
    one = plan(CPU)
    silent = subject(one, "host-cpu", CPU_TAGS, absent(MONTH), last_ms=START - DAY)
    verdicts = check(review(one, MONTH, silent))
    assert answers(verdicts)["host-cpu", CPU_SUBJECT] == "cannot tell"
    assert gaps([v for v in verdicts if v.subject != JUMP and v.subject[:1] != JUMP]) == []


def test_on_a_host_that_went_silent_nothing_is_said_to_be_unmeasured() -> None:
    one = plan(CPU, DISK)
    verdicts = check(
        review(
            one,
            MONTH,
            subject(one, "host-cpu", CPU_TAGS, statistics(MONTH, last_ms=START + DAY)),
            subject(one, "host-disk", {"host": "mon-01"}, absent(MONTH, every=MINUTE)),
            subject(one, "host-cpu", JUMP_CPU, statistics(MONTH)),
            subject(one, "host-disk", {"host": "jump-01", "path": "/"}, statistics(MONTH, every=MINUTE)),
        )
    )
    assert gaps(verdicts) == []
    assert verdict_of(verdicts, KIND, "host-disk", MON).answer == "cannot tell"


def test_a_point_that_names_nobody_and_is_seen_nowhere_is_a_finding_without_subject() -> None:
    one = plan(ERP, CPU)
    live = [
        subject(one, "host-cpu", {"host": host, "cpu": "cpu-total"}, statistics(MONTH))
        for host in ("mon-01", "jump-01")
    ]
    anything = seen("cpu.usage_active", CPU_TAGS, MONTH)
    (finding,) = gaps(check(review(one, MONTH, *live, series=[anything])))
    assert (finding.point, finding.subject, finding.severity) == ("erp-answers", {}, "info")
    late = anything._replace(first_ms=MONTH.end_ms - 59 * SECOND)
    assert gaps(check(review(one, MONTH, *live, series=[late]))) == []
    assert gaps(check(review(one, MONTH, *live))) == []


def test_globs_expect_the_agents_that_are_known() -> None:
    one = plan(CPU.replace("hosts", '"web-*"'))
    nobody = check(review(one, MONTH, series=[seen("mem.used", {"host": "x"}, MONTH)]))
    assert [(f.point, f.subject) for f in gaps(nobody)] == [("host-cpu", {})]
    tags = {"host": "web-1", "cpu": "cpu-total"}
    found = review(one, MONTH, subject(one, "host-cpu", tags, absent(MONTH)), agents={"web-1": 0})
    (finding,) = gaps(check(found))
    assert finding.subject == {"host": "web-1"}


def test_the_same_gap_keeps_its_id_from_period_to_period() -> None:
    one = plan(CPU, DISK, LOAD)
    ids = [
        [
            finding.id
            for finding in gaps(
                check(
                    review(
                        one, window, *missing_on(one, window, "jump-01"), *reporting_on(one, window, "mon-01")
                    )
                )
            )
        ]
        for window in (MONTH, RUNNING, NEXT_MONTH)
    ]
    assert ids[0] == ids[1] == ids[2]


def test_what_is_still_waited_for_does_not_hide_that_its_host_is_missing() -> None:
    one = plan(CPU, DISK)
    since = RUNNING.end_ms - MINUTE
    tags = {"host": "mon-01"}
    fast = subject(one, "host-cpu", CPU_TAGS, absent(RUNNING, start_ms=since))
    slow = subject(one, "host-disk", tags, absent(RUNNING, every=MINUTE, start_ms=since))
    jump = [reporting_on(plan(CPU, DISK, LOAD), RUNNING, "jump-01")[n] for n in (0, 1)]
    (finding,) = gaps(check(review(one, RUNNING, fast, slow, *jump)))
    assert (finding.point, finding.subject) == (None, {"host": "mon-01"})
    assert finding.evidence.members == ["host-cpu host=mon-01 cpu=cpu-total"]
    assert finding.evidence.start_ms == since


def test_the_earliest_expectation_counts() -> None:
    one = plan(CPU.replace("    where: {cpu: cpu-total}\n", "").replace("host: hosts", "host: mon-01"))
    waiting = [
        subject(
            one,
            "host-cpu",
            {"host": "mon-01", "cpu": f"cpu{n}"},
            absent(RUNNING, start_ms=RUNNING.end_ms - since),
        )
        for n, since in enumerate((10 * SECOND, 30 * SECOND))
    ]
    (finding,) = gaps(check(review(one, RUNNING, *waiting)))
    assert finding.subject == {"host": "mon-01"}


def test_the_first_of_several_readings_counts() -> None:
    one = plan(ERP, DISK)
    first = seen("cpu.usage_active", CPU_TAGS, RUNNING)
    late = first._replace(first_ms=RUNNING.end_ms)
    silent = subject(one, "host-disk", {"host": "mon-01"}, absent(RUNNING, every=MINUTE))
    jump = subject(one, "host-disk", {"host": "jump-01", "path": "/"}, statistics(RUNNING, every=MINUTE))
    other = seen("mem.free", {"host": "web-1"}, RUNNING)._replace(first_ms=RUNNING.end_ms)
    for series in ([first, late], [late, first], [first, other], [other, first]):
        found = gaps(check(review(one, RUNNING, silent, jump, series=series)))
        assert {(f.point, tuple(f.subject.values())) for f in found} == {
            ("erp-answers", ()),
            (None, ("mon-01",)),
        }
    found = gaps(check(review(one, RUNNING, silent, jump, series=[late])))
    assert found == []


def test_the_evidence_of_several_begins_with_the_first_that_was_expected() -> None:
    one = plan(CPU, DISK)
    begins = (RUNNING.end_ms - DAY, RUNNING.end_ms - HOUR)
    missing = [
        subject(one, "host-cpu", CPU_TAGS, absent(RUNNING, start_ms=begins[0])),
        subject(one, "host-disk", {"host": "mon-01"}, absent(RUNNING, start_ms=begins[1])),
    ]
    jump = [reporting_on(plan(CPU, DISK, LOAD), RUNNING, "jump-01")[n] for n in (0, 1)]
    (finding,) = gaps(check(review(one, RUNNING, *missing, *jump)))
    assert finding.evidence.start_ms == begins[0]


def test_nobody_named_and_nothing_arrived_cannot_tell() -> None:
    (verdict,) = [v for v in check(review(plan(ERP), RUNNING)) if v.subject == () and v.point]
    assert (verdict.answer, verdict.reason) == (
        "cannot tell",
        "nothing at all has arrived in this period yet",
    )


def test_what_is_proposed_depends_on_what_is_missing() -> None:
    one = plan(CPU, PORT)
    hosts = [
        subject(one, "host-cpu", CPU_TAGS, absent(MONTH)),
        subject(one, "host-cpu", JUMP_CPU, statistics(MONTH)),
    ]
    devices = [
        subject(one, "port-load", {"device": "sw-1"}, absent(MONTH, every=MINUTE)),
        subject(
            one,
            "port-load",
            {"host": "jump-01", "device": "sw-2", "name": "Te1"},
            statistics(MONTH, every=MINUTE),
        ),
    ]
    host, device = gaps(check(review(one, MONTH, *hosts, *devices)))
    assert "the agent runs there" in host.action
    assert "an agent asks it" in device.action
    disk, text = plan(DISK, LOAD), {"host": "jump-01"}
    (point,) = gaps(
        check(
            review(
                disk,
                MONTH,
                *reporting_on(plan(CPU, DISK, LOAD), MONTH, "mon-01")[1:],
                subject(disk, "host-disk", text, absent(MONTH, every=MINUTE)),
                subject(disk, "host-load", text, statistics(MONTH)),
            )
        )
    )
    assert "Switch on the input" in point.action
    assert (point.severity, point.reasons) == ("info", ["it has no critical level"])


def test_one_critical_level_among_members_is_enough_for_a_warning() -> None:
    text = DISK + "    overrides: [{where: {host: jump-01}, critical: {above: 95}}]\n"
    one = plan(text, LOAD)
    both = ("mon-01", "jump-01")
    (finding,) = gaps(
        check(
            review(
                one,
                MONTH,
                *(subject(one, "host-disk", {"host": h}, absent(MONTH, every=MINUTE)) for h in both),
                *(subject(one, "host-load", {"host": h}, statistics(MONTH)) for h in both),
            )
        )
    )
    assert (finding.point, finding.subject, finding.severity) == ("host-disk", {}, "warning")
