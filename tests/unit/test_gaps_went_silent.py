"""went-silent: what reported, and stopped."""

from __future__ import annotations

import pytest

from collector.analysis.gaps.went_silent import KIND, check
from collector.analysis.review import SubjectReview, Window
from setpoint.finding import Verdict
from setpoint.plan import Plan
from tests.unit.review_factory import (
    CPU,
    CPU_SUBJECT,
    CPU_TAGS,
    DAY,
    DISK,
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
    gaps,
    plan,
    review,
    seen,
    statistics,
    subject,
    verdict_of,
)

MON = (("host", "mon-01"),)
JUMP_CPU = {"host": "jump-01", "cpu": "cpu-total"}


def host(one: Plan, window: Window, name: str, last_ms: int) -> list[tuple[str, SubjectReview]]:
    minutely = {"every": MINUTE, "last_ms": last_ms}
    return [
        subject(one, "host-cpu", {"host": name, "cpu": "cpu-total"}, statistics(window, last_ms=last_ms)),
        subject(one, "host-disk", {"host": name, "path": "/"}, statistics(window, **minutely)),
        subject(one, "host-disk", {"host": name, "path": "/var"}, statistics(window, **minutely)),
        subject(one, "host-load", {"host": name}, statistics(window, last_ms=last_ms)),
    ]


def cpu(window: Window, last_ms: int) -> Verdict:
    one = plan(CPU)
    other = subject(one, "host-cpu", JUMP_CPU, statistics(window))
    shown = statistics(window, last_ms=last_ms)
    verdicts = check(review(one, window, subject(one, "host-cpu", CPU_TAGS, shown), other))
    return verdict_of(verdicts, KIND, "", MON)


@pytest.mark.parametrize("window", [RUNNING, MONTH])
def test_silence_begins_after_a_minute_and_a_half(window: Window) -> None:
    assert cpu(window, window.end_ms - 90 * SECOND).answer == "no gap"
    assert cpu(window, window.end_ms - 90 * SECOND - 1).answer == "gap"


def test_what_reports_slowly_is_waited_for_three_times() -> None:
    one = plan(DISK)

    def answer(last_ms: int) -> str:
        tags = {"host": "mon-01", "path": "/"}
        shown = statistics(RUNNING, every=MINUTE, last_ms=last_ms)
        return verdict_of(
            check(review(one, RUNNING, subject(one, "host-disk", tags, shown))), KIND, "", MON
        ).answer

    assert answer(RUNNING.end_ms - 3 * MINUTE) == "no gap"
    assert answer(RUNNING.end_ms - 3 * MINUTE - 1) == "gap"


def test_a_silent_host_is_one_finding() -> None:
    one = plan(CPU, DISK, LOAD)
    last = RUNNING.end_ms - 3 * HOUR - 12 * MINUTE
    verdicts = check(
        review(
            one, RUNNING, *host(one, RUNNING, "mon-01", last), *host(one, RUNNING, "jump-01", RUNNING.end_ms)
        )
    )
    (finding,) = gaps(verdicts)
    assert (finding.point, finding.subject, finding.severity) == (None, {"host": "mon-01"}, "critical")
    assert len(finding.evidence.members) == 4
    assert (finding.measured, finding.target, finding.gap) == (11_520, 90, 11_430)
    assert (
        "is of 2026-10-10 20:48, and by 2026-10-11 00:00 it had been silent for 3 h 12 min"
        in finding.text["en"]
    )
    assert "已静默 3 小时 12 分" in finding.text["zh"]
    covered = verdict_of(verdicts, KIND, "host-cpu", CPU_SUBJECT)
    assert (covered.answer, covered.reason) == ("cannot tell", "it is said of mon-01")


def test_a_host_of_which_something_reports_is_not_silent() -> None:
    one = plan(CPU, DISK, LOAD)
    silent = host(one, RUNNING, "mon-01", START + DAY)
    silent[3] = host(one, RUNNING, "mon-01", RUNNING.end_ms)[3]
    verdicts = check(review(one, RUNNING, *silent))
    assert verdict_of(verdicts, KIND, "", MON).answer == "no gap"
    assert {(f.point, tuple(f.subject.values())) for f in gaps(verdicts)} == {
        ("host-cpu", ("mon-01", "cpu-total")),
        ("host-disk", ("mon-01",)),
    }


def test_a_dead_host_is_silent_before_its_slow_inputs_are_late() -> None:
    one = plan(CPU, DISK.replace("every: 1m", "every: 1h"))
    died = RUNNING.end_ms - 2 * MINUTE
    slow = subject(
        one,
        "host-disk",
        {"host": "mon-01", "path": "/"},
        statistics(RUNNING, every=HOUR, last_ms=died - 20 * MINUTE),
    )
    fast = subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING, last_ms=died))
    verdicts = check(review(one, RUNNING, fast, slow))
    (finding,) = gaps(verdicts)
    assert (finding.point, finding.subject) == (None, {"host": "mon-01"})
    assert finding.evidence.members == ["host-cpu host=mon-01 cpu=cpu-total"]
    tags = (("host", "mon-01"), ("path", "/"))
    assert verdict_of(verdicts, KIND, "host-disk", tags).answer == "cannot tell"


@pytest.mark.parametrize(("sign_ms", "host_silent"), [(45 * SECOND, True), (46 * SECOND, False)])
def test_a_host_that_sends_anything_at_all_is_not_silent(sign_ms: int, host_silent: bool) -> None:
    one = plan(CPU, DISK.replace("every: 1m", "every: 1h"))
    stopped = RUNNING.end_ms - 2 * MINUTE
    tags = {"host": "mon-01", "path": "/"}
    subjects = [
        subject(one, "host-disk", tags, statistics(RUNNING, every=HOUR, last_ms=stopped - HOUR)),
        subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING, last_ms=stopped)),
    ]
    sign = seen("setpoint_agent.connected", {"host": "mon-01"}, RUNNING)._replace(last_ms=stopped + sign_ms)
    for found in (
        review(one, RUNNING, *subjects, series=[sign]),
        review(one, RUNNING, *subjects, agents={"mon-01": stopped + sign_ms}),
    ):
        verdicts = check(found)
        assert verdict_of(verdicts, KIND, "", MON).answer == ("gap" if host_silent else "no gap")
        assert [f.point for f in gaps(verdicts)] == [None if host_silent else "host-cpu"]


def test_one_silent_subject_among_others_is_its_own_finding() -> None:
    one = plan(CPU, DISK, LOAD)
    subjects = host(one, RUNNING, "mon-01", RUNNING.end_ms)
    subjects[2] = host(one, RUNNING, "mon-01", START + DAY)[2]
    (finding,) = gaps(check(review(one, RUNNING, *subjects)))
    assert (finding.point, finding.subject) == ("host-disk", {"host": "mon-01", "path": "/var"})
    assert finding.severity == "info"


def test_severity_is_warning_where_a_critical_level_goes_unseen() -> None:
    one = plan(CPU, LOAD)
    subjects = host(plan(CPU, DISK, LOAD), RUNNING, "mon-01", RUNNING.end_ms)
    silent = subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING, last_ms=START + DAY))
    (finding,) = gaps(check(review(one, RUNNING, silent, subjects[3])))
    assert (finding.point, finding.severity) == ("host-cpu", "warning")


def test_a_silent_device_is_not_put_down_to_the_host_that_polls_it() -> None:
    one = plan(PORT)
    poller = {"host": "mon-01", "device": "sw-1"}
    ports = [
        subject(
            one,
            "port-load",
            {**poller, "name": f"Te1/1/{n}"},
            statistics(RUNNING, every=MINUTE, last_ms=START + DAY),
        )
        for n in range(48)
    ]
    (finding,) = gaps(check(review(one, RUNNING, *ports)))
    assert (finding.point, finding.subject) == (None, {"device": "sw-1"})
    assert len(finding.evidence.members) == 48


def test_two_silent_devices_of_one_poller_are_the_poller() -> None:
    one = plan(PORT)
    ports = [
        subject(
            one,
            "port-load",
            {"host": "mon-01", "device": device, "name": "Te1/1/1"},
            statistics(RUNNING, every=MINUTE, last_ms=START + DAY),
        )
        for device in ("sw-1", "sw-2")
    ]
    (finding,) = gaps(check(review(one, RUNNING, *ports)))
    assert finding.subject == {"host": "mon-01"}


def test_everything_silent_is_one_finding() -> None:
    one = plan(CPU, DISK, LOAD)
    everybody = [*host(one, RUNNING, "mon-01", START), *host(one, RUNNING, "jump-01", START + DAY)]
    (finding,) = gaps(check(review(one, RUNNING, *everybody)))
    assert finding.subject == {}
    assert finding.title == "Everything in the plan went silent"
    assert "2026-10-02 00:00" in finding.text["en"]


def test_reporting_again_is_no_gap_in_a_running_period() -> None:
    assert cpu(RUNNING, RUNNING.end_ms - SECOND).answer == "no gap"


def test_a_new_period_does_not_close_an_old_silence() -> None:
    one = plan(CPU)
    window = Window(START, START + MINUTE, complete=False, label="2026-10")
    silent = subject(one, "host-cpu", CPU_TAGS, absent(window), last_ms=START - DAY)
    verdicts = check(review(one, window, silent))
    assert {verdict.answer for verdict in verdicts} == {"cannot tell"}


def test_silence_since_before_the_period_is_a_gap_for_what_the_plan_names() -> None:
    one = plan(CPU)
    for named, answer in ((True, "gap"), (False, "cannot tell")):
        silent = subject(one, "host-cpu", CPU_TAGS, absent(MONTH), last_ms=START - DAY, named=named)
        assert verdict_of(check(review(one, MONTH, silent)), KIND, "", MON).answer == answer


def test_what_was_never_named_and_stopped_in_the_period_is_a_gap() -> None:
    one = plan(CPU)
    silent = subject(one, "host-cpu", CPU_TAGS, statistics(MONTH, last_ms=START + DAY), named=False)
    assert verdict_of(check(review(one, MONTH, silent)), KIND, "", MON).answer == "gap"


def test_an_unknown_spacing_cannot_tell() -> None:
    one = plan(CPU.replace(", every: 10s", ""))
    shown = statistics(MONTH, every=None, samples=1, last_ms=START + DAY)
    verdicts = check(review(one, MONTH, subject(one, "host-cpu", CPU_TAGS, shown)))
    assert {verdict.answer for verdict in verdicts} == {"cannot tell"}


def test_what_never_reported_is_not_silent() -> None:
    one = plan(CPU)
    assert check(review(one, MONTH, subject(one, "host-cpu", CPU_TAGS, absent(MONTH)))) == []


def test_a_sample_after_a_past_period_shows_that_it_reports() -> None:
    one = plan(CPU)
    shown = statistics(MONTH, last_ms=START + DAY)
    back = subject(one, "host-cpu", CPU_TAGS, shown, last_ms=MONTH.end_ms + DAY)
    assert verdict_of(check(review(one, MONTH, back)), KIND, "", MON).answer == "no gap"


def test_an_agent_that_lives_is_mentioned() -> None:
    one = plan(CPU)
    silent = subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING, last_ms=START + DAY))
    agents = {"mon-01": RUNNING.end_ms - 10 * SECOND}
    (finding,) = gaps(check(review(one, RUNNING, silent, agents=agents)))
    assert "Its agent still reports other things, last at 2026-10-10 23:59" in finding.text["en"]
    agents = {"mon-01": START + DAY}
    (finding,) = gaps(check(review(one, RUNNING, silent, agents=agents)))
    assert "still reports" not in finding.text["en"]


def test_the_same_gap_keeps_its_id_from_period_to_period() -> None:
    assert cpu(MONTH, START + DAY).id == cpu(NEXT_MONTH, START + DAY).id


def test_the_newest_sign_and_the_latest_silence_count() -> None:
    one = plan(CPU, DISK.replace("every: 1m", "every: 1h"), LOAD)
    died = RUNNING.end_ms - 2 * MINUTE
    subjects = [
        subject(
            one,
            "host-disk",
            {"host": "mon-01", "path": "/"},
            statistics(RUNNING, every=HOUR, last_ms=died - MINUTE),
        ),
        subject(one, "host-load", {"host": "mon-01"}, statistics(RUNNING, last_ms=START + DAY)),
        subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING, last_ms=died)),
    ]
    for order in (subjects, subjects[::-1]):
        (finding,) = gaps(check(review(one, RUNNING, *order)))
        assert finding.subject == {"host": "mon-01"}
    old = seen("setpoint_agent.x", {"host": "mon-01"}, RUNNING)._replace(last_ms=START)
    new = old._replace(last_ms=RUNNING.end_ms)
    for series in ([old, new], [new, old]):
        verdicts = check(review(one, RUNNING, *subjects, series=series))
        assert verdict_of(verdicts, KIND, "", MON).answer == "no gap"


def test_a_new_expectation_gets_its_time() -> None:
    one = plan(CPU)

    def answer(since_ms: int) -> str:
        shown = absent(RUNNING, start_ms=RUNNING.end_ms - since_ms)
        found = review(one, RUNNING, subject(one, "host-cpu", CPU_TAGS, shown, last_ms=START))
        return verdict_of(check(found), KIND, "", MON).answer

    assert answer(90 * SECOND) == "cannot tell"
    assert answer(90 * SECOND + 1) == "gap"


def test_the_rhythm_is_told_where_there_is_one() -> None:
    last = {"last_ms": START + DAY}
    one = plan(CPU)
    (finding,) = gaps(
        check(review(one, RUNNING, subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING, **last))))
    )
    assert "Plan revision 14 expects a sample every 10 s." in finding.text["en"]
    one = plan(CPU.replace(", every: 10s", ""))
    (finding,) = gaps(
        check(review(one, RUNNING, subject(one, "host-cpu", CPU_TAGS, statistics(RUNNING, **last))))
    )
    assert "It used to report every 10 s." in finding.text["en"]
    one = plan(CPU, DISK, LOAD)
    (finding,) = gaps(check(review(one, RUNNING, *host(one, RUNNING, "mon-01", START + DAY))))
    assert " every " not in finding.text["en"]


def test_a_subject_that_is_waited_for_again_has_its_reason() -> None:
    one = plan(CPU)
    window = Window(START, START + MINUTE, complete=False, label="2026-10")
    silent = subject(one, "host-cpu", CPU_TAGS, absent(window), last_ms=START - DAY)
    verdict = verdict_of(check(review(one, window, silent)), KIND, "host-cpu", CPU_SUBJECT)
    assert verdict.reason == "it has not been expected for long enough"
    gone = subject(one, "host-cpu", CPU_TAGS, absent(MONTH), last_ms=START - DAY, named=False)
    verdict = verdict_of(check(review(one, MONTH, gone)), KIND, "host-cpu", CPU_SUBJECT)
    assert verdict.reason.startswith("the plan does not name it")


def test_what_is_proposed_depends_on_what_is_silent() -> None:
    one = plan(CPU, DISK, LOAD)
    (finding,) = gaps(check(review(one, RUNNING, *host(one, RUNNING, "mon-01", START + DAY))))
    assert "start its agent" in finding.action
    subjects = host(one, RUNNING, "mon-01", RUNNING.end_ms)
    subjects[0] = host(one, RUNNING, "mon-01", START + DAY)[0]
    (finding,) = gaps(check(review(one, RUNNING, *subjects)))
    assert "see what its agent says" in finding.action.lower()


def test_one_critical_level_among_members_is_enough_for_a_warning() -> None:
    text = DISK + "    overrides: [{where: {path: /}, critical: {above: 95}}]\n"
    one = plan(text, LOAD)
    subjects = host(plan(CPU, text, LOAD), RUNNING, "mon-01", START + DAY)[1:3]
    disks = [
        subject(one, "host-disk", each.tags, each.statistics, last_ms=each.last_ms) for _, each in subjects
    ]
    live = subject(one, "host-load", {"host": "mon-01"}, statistics(RUNNING))
    (finding,) = gaps(check(review(one, RUNNING, *disks, live)))
    assert (finding.point, finding.subject, finding.severity) == ("host-disk", {"host": "mon-01"}, "warning")


DEVICE_UP = """
  - id: device-up
    title: Device answers
    metric: snmp_device.up
    expect: {device: [sw-1, sw-2], every: 1m}
    critical: {below: 1}
"""


@pytest.mark.parametrize(("up", "found"), [(0.0, [{"device": "sw-1"}]), (1.0, [])])
def test_what_an_agent_says_of_a_dead_device_is_no_sign_of_its_life(
    up: float, found: list[dict[str, str]]
) -> None:
    one = plan(PORT, DEVICE_UP)
    last = RUNNING.end_ms - HOUR
    subjects = [
        subject(
            one,
            "port-load",
            {"host": "mon-01", "device": device, "name": name},
            statistics(RUNNING, every=MINUTE, **({"last_ms": last} if device == "sw-1" else {})),
        )
        for device in ("sw-1", "sw-2")
        for name in ("Te1/1/1", "Te1/1/2")
    ]
    for device in ("sw-1", "sw-2"):
        shown = statistics(RUNNING, every=MINUTE, last=up if device == "sw-1" else 1.0)
        subjects.append(subject(one, "device-up", {"host": "mon-01", "device": device}, shown))
    of_device = [f.subject for f in gaps(check(review(one, RUNNING, *subjects))) if f.point is None]
    assert of_device == found
