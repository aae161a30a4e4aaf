"""Rules in files, where some may be broken and the others still count."""

from __future__ import annotations

import glob
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from agent.inputs.complaints import Complaints
from agent.inputs.thresholds.client import CannotRead
from agent.inputs.thresholds.written import read_bounded

Rule = TypeVar("Rule")


class FilesRead(NamedTuple, Generic[Rule]):
    """``failed``: how many files, or patterns without a file, gave nothing."""

    rules: list[Rule]
    failed: int


def read_files(
    patterns: Sequence[str],
    max_bytes: int,
    parse: Callable[[bytes], Sequence[Rule]],
    complaints: Complaints,
) -> FilesRead[Rule]:
    """The rules of all files that the patterns name. CannotRead when not one file could be read.

    ``parse`` raises ValueError for a file that holds no rules.
    """
    rules: list[Rule] = []
    failed = read = 0
    for pattern in patterns:
        names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  (Path.glob takes no absolute one)
        if not names:
            failed += 1
            complaints.failed(pattern, "there is no such file")
        else:
            complaints.works(pattern)
        for name in names:
            try:
                rules += parse(read_bounded(Path(name), max_bytes))
            except (OSError, ValueError) as error:
                failed += 1
                complaints.failed(name, error)
            else:
                read += 1
                complaints.works(name)
    if not read:
        raise CannotRead(f"none of {', '.join(patterns)} could be read")
    return FilesRead(rules, failed)
