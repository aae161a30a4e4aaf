"""Which findings a planted fault must cause, and how a review compares with that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from setpoint.finding import Finding


class Expected(NamedTuple):
    """One finding: its kind, its point (none for a host's or a measurement's), and its subject."""

    kind: str
    point: str | None
    subject: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        subject = " ".join(f"{key}={value}" for key, value in self.subject)
        return f"{self.kind} {self.point or '-'} {subject or '-'}"


def expect(kind: str, point: str | None, **subject: str) -> Expected:
    return Expected(kind, point, tuple(sorted(subject.items())))


def found_in(finding: Finding) -> Expected:
    """What a finding says, in the form of what is expected."""
    return Expected(finding.kind, finding.point, tuple(sorted(finding.subject.items())))


@dataclass(frozen=True, slots=True)
class Score:
    """Of one check: how many findings were right, wrong, and missed."""

    kind: str
    right: int
    wrong: Sequence[Expected]
    missed: Sequence[Expected]

    @property
    def precision(self) -> float | None:
        """None where nothing was found."""
        found = self.right + len(self.wrong)
        return self.right / found if found else None

    @property
    def recall(self) -> float | None:
        """None where nothing was to be found."""
        wanted = self.right + len(self.missed)
        return self.right / wanted if wanted else None


def score(wanted: Mapping[Expected, str], found: Iterable[Finding], kinds: Iterable[str]) -> list[Score]:
    """One score per kind of finding. A finding that is there twice counts as wrong the second time."""
    seen = Counter(found_in(finding) for finding in found)
    return [
        Score(
            kind,
            right=sum(1 for one in wanted if one.kind == kind and seen[one]),
            wrong=[
                one for one, times in seen.items() if one.kind == kind for _ in range(times - (one in wanted))
            ],
            missed=[one for one in wanted if one.kind == kind and not seen[one]],
        )
        for kind in kinds
    ]
