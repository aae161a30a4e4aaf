"""One root cause, one finding: what is said of each subject is said of their host, or of all, where it holds
for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.analysis.gaps.presence import ROOT_TAGS, roots
from collector.analysis.gaps.report import ENGLISH, MEMBERS_KEPT, other_verdict
from collector.analysis.gaps.words import Words
from collector.analysis.review import SubjectReview
from setpoint.finding import Answer, Verdict
from setpoint.plan import PlanPoint
from setpoint.reading import Subject, subject_text


@dataclass(frozen=True, slots=True)
class Case:
    """What a check answers for one subject of one point. ``well``: as far as can be told it is in order,
    though the answer may be "cannot tell" because the period is not over; so its host is not the cause.
    """

    point: PlanPoint
    subject: Subject
    tags: Mapping[str, str]
    reviewed: Sequence[SubjectReview]
    answer: Answer
    reason: str
    well: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """Cases that one verdict is about: all of a point, all of a root (host, device, tool), both, or all."""

    point: PlanPoint | None
    subject: Subject
    cases: Sequence[Case]

    @property
    def points(self) -> list[PlanPoint]:
        return list({case.point.id: case.point for case in self.cases}.values())

    @property
    def is_single(self) -> bool:
        return len(self.cases) == 1 and self.cases[0].subject == self.subject and self.point is not None

    def thing(self, words: Words, *, marked: bool = True) -> str:
        """What the verdict is about, in words; without marks for a headline, which begins with it."""
        measurement = self.point.measurement if self.point else ""
        name = words.name(self.subject, measurement, marked=marked)
        if self.point is None:
            return name or (words.everything if marked else words.begin(words.everything))
        count = 1 if self.is_single else len(self.cases)
        return words.thing(self.point.title, name, count)

    def what(self, words: Words) -> str:
        """The same for the middle of a text, with the points' titles where several are meant."""
        if self.point is not None:
            return self.thing(words)
        titles = words.listing([point.title for point in self.points])
        return words.together(self.thing(words), len(self.cases), titles)

    def members(self) -> list[str]:
        """The cases, named for the evidence; the first ones, when there are many."""
        if self.is_single:
            return []
        prefix = "" if self.point else "{} "
        return [
            (prefix.format(case.point.id) + subject_text(case.subject)).strip()
            for case in self.cases[:MEMBERS_KEPT]
        ]


def verdicts_by_cause(kind: str, cases: Sequence[Case], gap_in: Callable[[Scope], Verdict]) -> list[Verdict]:
    """One verdict for every subject, and for everything that may be the common cause of several gaps.

    A gap that is said of a wider scope is not said again: there the answer is "cannot tell".
    """
    verdicts = []
    said: dict[int, str] = {}
    subjects = {(case.point.id, case.subject) for case in cases}
    for scope in _scopes(cases):
        if scope.point and (scope.point.id, scope.subject) in subjects:
            continue
        gaps = [case for case in scope.cases if case.answer == "gap" and id(case) not in said]
        answer, reason = _answer(scope, gaps)
        if answer == "gap":
            found = Scope(scope.point, scope.subject, gaps)
            verdicts.append(gap_in(found))
            said |= {id(case): found.thing(ENGLISH, marked=False) for case in gaps}
        else:
            verdicts.append(_other(kind, scope, answer, reason))
    for case in cases:
        scope = Scope(case.point, case.subject, (case,))
        if id(case) in said:
            verdicts.append(_other(kind, scope, "cannot tell", f"it is said of {said[id(case)]}"))
        elif case.answer == "gap":
            verdicts.append(gap_in(scope))
        else:
            verdicts.append(_other(kind, scope, case.answer, case.reason))
    return verdicts


def key_of(point: PlanPoint | None) -> str:
    """What stands for the point in a finding's id; no point has an empty id."""
    return point.id if point else ""


def _scopes(cases: Sequence[Case]) -> Iterator[Scope]:
    if not cases:
        return
    yield Scope(None, (), cases)
    by_root: dict[Subject, list[Case]] = {}
    by_point: dict[str, list[Case]] = {}
    by_both: dict[tuple[str, Subject], list[Case]] = {}
    for case in cases:
        by_point.setdefault(case.point.id, []).append(case)
        for root in roots(case.tags):
            by_root.setdefault(root, []).append(case)
            by_both.setdefault((case.point.id, root), []).append(case)
    for tag in ROOT_TAGS:
        for root, of_root in by_root.items():
            if root[0][0] == tag:
                yield Scope(None, root, of_root)
    for of_point in by_point.values():
        yield Scope(of_point[0].point, (), of_point)
    for (_, root), of_both in by_both.items():
        yield Scope(of_both[0].point, root, of_both)


def _answer(scope: Scope, gaps: Sequence[Case]) -> tuple[Answer, str]:
    closing = next((case for case in scope.cases if case.answer == "no gap"), None)
    if closing is not None:
        return "no gap", f"{subject_text(closing.subject) or closing.point.title}: {closing.reason}"
    if any(case.well for case in scope.cases):
        return "cannot tell", "a part of it is in order so far"
    if _is_the_cause(scope, gaps):
        return "gap", ""
    return "cannot tell", "it is judged subject by subject"


def _is_the_cause(scope: Scope, gaps: Sequence[Case]) -> bool:
    """Whether the gaps are put down to the scope, and not to the one thing inside it that has them all."""
    if len(gaps) < 2 and scope.point is not None:
        return False
    found = [roots(case.tags) or [case.subject] for case in gaps]
    if scope.point is None and not scope.subject:
        return len({tuple(widest) for widest, *_ in found}) > 1
    nearest = {tuple(each[-1]) for each in found}
    return len(nearest) > 1 or nearest == {scope.subject}


def _other(kind: str, scope: Scope, answer: Answer, reason: str) -> Verdict:
    return other_verdict(kind, key_of(scope.point), scope.point, scope.subject, answer, reason)
