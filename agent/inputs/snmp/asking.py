"""A session on top of any engine: asks for less where a device cannot do as much, and knows when to stop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from agent.inputs.snmp.session import (
    AnswerError,
    Cost,
    Missing,
    NoAnswerError,
    RefusedError,
    Rows,
    SessionError,
    Timing,
    Value,
)

# RFC 3416, section 3; UNKNOWN stands for a status that an engine could not see.
TOO_BIG, NO_SUCH_NAME, NO_ACCESS, AUTHORIZATION_ERROR, UNKNOWN = 1, 2, 6, 16, -1
_STATUS_NAMES = {
    1: "tooBig",
    2: "noSuchName",
    3: "badValue",
    4: "readOnly",
    5: "genErr",
    6: "noAccess",
    13: "resourceUnavailable",
    16: "authorizationError",
    UNKNOWN: "an error",
}
# A reply with as many counters fits into an Ethernet frame.
_MAX_GET = 40
_MAX_COMPLAINTS = 20


class ErrorStatus(Exception):
    """The device answered with an error-status; ``index`` counts the variable bindings from 1."""

    def __init__(self, status: int, index: int = 0) -> None:
        self.name = _STATUS_NAMES.get(status, f"error {status}")
        super().__init__(self.name)
        self.status = status
        self.index = index


class Cursor(Protocol):
    """A place in a table."""

    async def page(self) -> tuple[Rows, bool]:
        """The next rows below the base, and whether the table is at its end.

        ErrorStatus, NoAnswerError, RefusedError, AnswerError.
        """


class Engine(Protocol):
    """Asks once (with its retries) and says what came; one request at a time."""

    cost: Cost
    complaints: Complaints

    async def get(self, oids: Sequence[str]) -> Mapping[str, Value | Missing]:
        """What came for these OIDs, in one request. ErrorStatus, NoAnswerError, RefusedError, AnswerError."""

    def cursor(self, base: str, repetitions: int) -> Cursor:
        """Before the first row below ``base``; 0 repetitions ask with GETNEXT."""

    async def close(self) -> None: ...


class Complaints:
    """What a device did wrong, each once; bounded, for what stands in it comes from the network."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def add(self, text: str) -> None:
        if text not in self.said and len(self.said) < _MAX_COMPLAINTS:
            self.said.append(text)


class DeviceSession:
    """Fulfils ``Session``."""

    def __init__(self, engine: Engine, timing: Timing, *, bulk: bool) -> None:
        self._engine = engine
        self._timing = timing
        self._repetitions = timing.max_repetitions if bulk else 0
        self._may_grow = False
        self._get_size = _MAX_GET
        self._heard = False
        self.cost = engine.cost

    @property
    def complaints(self) -> Sequence[str]:
        return self._engine.complaints.said

    async def close(self) -> None:
        await self._engine.close()

    async def get(self, oids: Sequence[str]) -> Mapping[str, Value | Missing]:
        try:
            async with asyncio.timeout(self._timing.deadline_s):
                return await self._get(list(dict.fromkeys(oids)))
        except TimeoutError:
            raise NoAnswerError(f"not answered in full within {self._timing.deadline_s:g} s") from None

    async def _get(self, oids: list[str]) -> dict[str, Value | Missing]:
        found: dict[str, Value | Missing] = {}
        failure: SessionError | None = None
        waiting = deque([oids] if oids else [])
        while waiting:
            group = waiting.popleft()
            if len(group) > self._get_size:
                waiting.extendleft(reversed(_pieces(group, self._get_size)))
                continue
            try:
                answer = await self._engine.get(group)
            except ErrorStatus as error:
                self._heard = True
                if error.status in (NO_ACCESS, AUTHORIZATION_ERROR):
                    raise RefusedError(f"the device answered {error.name}") from None
                rest, missing = self._narrow(group, error)
                waiting.extendleft(reversed(rest))
                if missing is not None:
                    found[missing] = Missing.NO_SUCH_OBJECT
                    if error.status != NO_SUCH_NAME:
                        failure = AnswerError(f"the device answered {error.name} for {missing}")
                continue
            except (NoAnswerError, AnswerError) as error:
                # Perhaps the answer was too long for the way, or one value spoils it.
                if len(group) == 1 or not (self._heard or isinstance(error, AnswerError)):
                    raise
                self._engine.complaints.add(f"{len(group)} values at once: {error}")
                self._get_size = max(1, len(group) // 4)
                waiting.appendleft(group)
                continue
            self._heard = True
            self._take(group, answer, found)
        if failure is not None:
            if not any(not isinstance(value, Missing) for value in found.values()):
                raise failure
            self._engine.complaints.add(str(failure))
        return found

    def _narrow(self, group: list[str], error: ErrorStatus) -> tuple[list[list[str]], str | None]:
        """What to ask for instead after an error-status, and the OID that it was about."""
        if error.status == TOO_BIG and len(group) > 1:
            self._get_size = max(1, len(group) // 2)
            return [group], None
        if len(group) == 1:
            return [], group[0]
        if error.status != TOO_BIG and 1 <= error.index <= len(group):
            rest = group[: error.index - 1] + group[error.index :]
            return [rest], group[error.index - 1]
        return _pieces(group, (len(group) + 1) // 2), None

    def _take(
        self,
        group: Sequence[str],
        answer: Mapping[str, Value | Missing],
        found: dict[str, Value | Missing],
    ) -> None:
        for oid in group:
            value = answer.get(oid)
            if value is None:
                self._engine.complaints.add(f"left {oid} out of its answer")
                value = Missing.NO_SUCH_INSTANCE
            found[oid] = value
        if len(answer) > len(group):
            self._engine.complaints.add("answered what it was not asked for")

    async def walk(self, base: str) -> Rows:
        rows: Rows = []
        try:
            async with asyncio.timeout(self._timing.deadline_s):
                while True:
                    rows = []  # what was read with other repetitions is read again
                    try:
                        await self._walk(base, rows)
                        self._ask_for_more()
                        break
                    except _AskForLess as less:
                        self._ask_for_less(less)
        except TimeoutError:
            if not rows:
                raise NoAnswerError(f"not answered within {self._timing.deadline_s:g} s") from None
            self._engine.complaints.add(
                f"{base}: cut off after {len(rows)} rows, for it took more than {self._timing.deadline_s:g} s"
            )
        unique = dict(reversed(rows))
        if len(unique) < len(rows):
            self._engine.complaints.add(f"{base}: some OIDs came twice; the first value counts")
            rows = list(reversed(unique.items()))
        return rows

    def _ask_for_less(self, less: _AskForLess) -> None:
        before = self._repetitions
        if before <= 1:
            if before == 0:
                raise less.why
            self._repetitions = 0
        else:
            self._repetitions = max(1, before // 4)
        # An answer that says so costs little and may be about this table alone; silence costs its timeout.
        self._may_grow = self._repetitions > 0 and isinstance(less.why, AnswerError)
        self._engine.complaints.add(
            f"{before} rows at once: {less.why}; asked for {self._repetitions or 'one with GETNEXT'} since"
        )

    def _ask_for_more(self) -> None:
        if self._may_grow:
            self._repetitions = min(2 * self._repetitions, self._timing.max_repetitions)
            self._may_grow = self._repetitions < self._timing.max_repetitions

    async def _walk(self, base: str, rows: Rows) -> None:
        """Fills ``rows``. _AskForLess where fewer repetitions may help."""
        cursor = self._engine.cursor(base, self._repetitions)
        last = _key(base)
        while True:
            try:
                page, at_end = await cursor.page()
            except ErrorStatus as error:
                self._heard = True
                if error.status == NO_SUCH_NAME:  # how v1 says that there is nothing more
                    return
                if error.status in (NO_ACCESS, AUTHORIZATION_ERROR):
                    raise RefusedError(f"the device answered {error.name}") from None
                after = rows[-1][0] if rows else base
                raise _AskForLess(AnswerError(f"the device answered {error.name} after {after}")) from None
            except NoAnswerError as error:
                if not self._heard:
                    raise
                raise _AskForLess(error) from None
            except AnswerError as error:
                raise _AskForLess(error) from None
            self._heard = True
            if not page:
                return
            key = _key(page[-1][0])
            if key <= last:
                rows += _increasing(page, last)
                self._engine.complaints.add(f"{base}: cut off, the OIDs do not increase at {page[-1][0]}")
                return
            rows += page
            if at_end:
                return
            last = key
            if len(rows) >= self._timing.max_rows:
                del rows[self._timing.max_rows :]
                self._engine.complaints.add(f"{base}: cut off after {len(rows)} rows")
                return


class _AskForLess(Exception):
    def __init__(self, why: SessionError) -> None:
        super().__init__(str(why))
        self.why = why


def _pieces(oids: list[str], size: int) -> list[list[str]]:
    return [oids[at : at + size] for at in range(0, len(oids), size)]


def _key(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))


def _increasing(page: Rows, last: tuple[int, ...]) -> Rows:
    """The rows up to the first whose OID does not increase."""
    kept: Rows = []
    for oid, value in page:
        key = _key(oid)
        if key <= last:
            break
        kept.append((oid, value))
        last = key
    return kept
