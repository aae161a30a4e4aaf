"""A train's samples in order of subject and time, in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from collector.analysis.windows import WINDOWS

if TYPE_CHECKING:
    from collector.store.base import Train

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# To turn an answer into arrays stops the interpreter, here for some 60 ms.
_MANY_ROWS: Final = 1_000_000
_FIRST_STEP_MS: Final = 3_600_000
_TRAIN: Final = "setpoint_train"
_NOTHING: Final = np.empty(0, np.int64), np.empty(0, np.float64)


@dataclass(frozen=True, slots=True)
class Axis:
    """The times [first_ms, until_ms) of all subjects, one behind the other on one axis: to sort its places is
    to sort by subject and time. Places of two subjects are further apart than any two of one.
    """

    first_ms: int
    until_ms: int

    @property
    def length(self) -> int:
        return self.until_ms - self.first_ms

    @property
    def width(self) -> int:
        """How far the same time of the next subject is."""
        return 2 * self.length + 1

    def places(self, subject: Ints, time_ms: Ints) -> Ints:
        return subject * self.width + (time_ms - self.first_ms)


class Ordered(NamedTuple):
    """Samples in order of their places, with the milliseconds to the subject's next one: more than the axis
    is long where there is none.
    """

    at: Ints
    value: Floats
    gap: Ints


def ordered_samples(
    train: Train, axis: Axis, usable: str, *, many_rows: int = _MANY_ROWS
) -> Generator[Ordered]:
    """Every sample on the axis of the subjects in WINDOWS for which the SQL ``usable`` is true, those of one
    subject in order of time. Of several at one moment the greatest stands. Some ``many_rows`` are read at
    a time.
    """
    last_at, last_value = _NOTHING
    for at, value, gap, _ in _carried(train, axis, usable, many_rows):
        is_followed = np.append(gap <= axis.length, False)
        yield Ordered(at[is_followed], value[is_followed], gap[is_followed[:-1]])
        last_at, last_value = at[~is_followed], value[~is_followed]
    if len(last_at):
        yield Ordered(last_at, last_value, np.full(len(last_at), axis.length + 1, np.int64))


def ordered_increases(
    train: Train, axis: Axis, usable: str, *, many_rows: int = _MANY_ROWS
) -> Generator[Ordered]:
    """The same for a counter: the value is its increase since the subject's former sample, NaN where it
    decreased, and the gap is that to the former one.
    """
    for at, value, gap, is_new in _carried(train, axis, usable, many_rows):
        increase = np.diff(value, prepend=value[0])
        increase[increase < 0] = np.nan
        gap = np.append(axis.length + 1, gap)
        yield Ordered(at[is_new], increase[is_new], gap[is_new])


def _carried(
    train: Train, axis: Axis, usable: str, many_rows: int
) -> Iterator[tuple[Ints, Floats, Ints, Flags]]:
    """Step by step the samples in order, among them each subject's last one of the steps before, the spaces
    between these, and which of the samples are new.
    """
    last_at, last_value = _NOTHING
    for at, value in _steps(train, axis, usable, many_rows):
        if not len(at):
            continue
        at, order = _in_order(np.concatenate([last_at, at]))
        value = np.concatenate([last_value, value])[order]
        is_new = order >= len(last_at)
        gap = np.diff(at)
        if not gap.all():
            first = np.flatnonzero(np.append(True, gap))
            at, value, is_new = at[first], np.maximum.reduceat(value, first), is_new[first]
            gap = np.diff(at)
        yield at, value, gap, is_new
        is_last = np.append(gap > axis.length, True)
        last_at, last_value = at[is_last], value[is_last]


def _in_order(at: Ints) -> tuple[Ints, Ints]:
    """The numbers in order, and where each of them was."""
    # A sort of numbers alone takes half the time of one that says what came from where; so that is put into
    # the low bits where these are free.
    bits = len(at).bit_length()
    if int(at.max()).bit_length() + bits < 64:
        packed = (at << bits) | np.arange(len(at))
        packed.sort()
        return packed >> bits, packed & ((1 << bits) - 1)
    order = np.argsort(at, kind="stable")
    return at[order], order


def _steps(train: Train, axis: Axis, usable: str, many_rows: int) -> Iterator[tuple[Ints, Floats]]:
    """(place, value) in no order, step by step in time. While one is worked on, the next one is read."""
    known = len(train.subjects)
    ((asked,),) = train.connection.execute(
        f"SELECT count(DISTINCT subject) FROM {WINDOWS} WHERE subject < {known}"
    ).fetchall()
    wanted = "true" if asked == known > 0 else f"subject IN (SELECT subject FROM {WINDOWS})"

    def read(from_ms: int, until_ms: int) -> tuple[Ints, Floats]:
        relation = train.relation.query(
            _TRAIN,
            f"SELECT subject::BIGINT * {axis.width} + (t - {axis.first_ms}) AS place, value FROM {_TRAIN} "
            f"WHERE t >= {from_ms} AND t < {until_ms} AND {usable} AND {wanted}",
        )
        assert relation is not None  # it is a query
        found = relation.fetchnumpy()
        return np.asarray(found["place"], np.int64), np.asarray(found["value"], np.float64)

    step_ms, from_ms = _FIRST_STEP_MS, axis.first_ms
    with ThreadPoolExecutor(1, "samples") as reader:
        until_ms = min(from_ms + step_ms, axis.until_ms)
        reading = reader.submit(read, from_ms, until_ms)
        while True:
            found = reading.result()
            rows = len(found[0])
            step_ms = max(int(step_ms * min(many_rows / max(rows, 1), 8)), 1)
            from_ms, is_last = until_ms, until_ms >= axis.until_ms
            if not is_last:
                until_ms = min(from_ms + step_ms, axis.until_ms)
                reading = reader.submit(read, from_ms, until_ms)
            yield found
            if is_last:
                return
