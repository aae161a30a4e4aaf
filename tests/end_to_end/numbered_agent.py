"""An agent made of the real outbox and publisher that emits numbered readings, and knows after any kill
exactly which number comes next.

Before a batch goes into the outbox, the journal says which numbers it holds and which row of the outbox it
will be; rows are numbered without gaps or repeats, so after a restart the outbox tells whether the append
took place.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import zstandard

from agent.machine import machine_id
from agent.outbox import Outbox
from agent.outbox_owner import Owner
from agent.publisher import Publisher
from setpoint.broker_settings import BrokerSettings
from setpoint.line_protocol import encode_point
from setpoint.logging_setup import start_logging
from setpoint.signals import stop_event
from setpoint.status import Status
from setpoint.units import Duration, Secret


def last_row(outbox: Outbox) -> int:
    """The number of the newest row that the outbox ever held."""
    row = outbox._file.connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'batches'").fetchone()
    return int(row[0]) if row else 0


class Journal:
    """The first line holds the time of number 0; every other one an intent: [first, last, row]."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text().splitlines() if path.exists() else []
        # The kill may have cut the last line; then its append had not begun.
        intents = [json.loads(line) for line in lines[1:] if line.endswith("]")]
        self._intent = intents[-1] if intents else None
        self._file = path.open("a")
        if lines:
            self.base_ms = int(lines[0])
        else:
            self.base_ms = time.time_ns() // 1_000_000
            self._write(str(self.base_ms))

    def next_number(self, last_row: int) -> int:
        if self._intent is None:
            return 0
        first, last, row = self._intent
        return last + 1 if last_row >= row else first

    def intend(self, first: int, last: int, row: int) -> None:
        self._write(json.dumps([first, last, row]))

    def _write(self, line: str) -> None:
        self._file.write(line + "\n")
        self._file.flush()


def body_of(agent: str, base_ms: int, first: int, last: int) -> bytes:
    lines = [
        encode_point("numbered", {"host": agent}, {"n": number}, base_ms + number)
        for number in range(first, last + 1)
    ]
    return zstandard.compress(b"\n".join(line for line in lines if line) + b"\n")


async def run(options: argparse.Namespace) -> None:
    stop = stop_event()
    outbox = Outbox(options.data, max_bytes=10**9, max_age_ms=0, ballast_bytes=0)
    outbox.open()
    outbox.bind(Owner("hq", options.name, machine_id()))
    journal = Journal(options.data / "journal")
    broker = BrokerSettings(
        host="127.0.0.1",
        port=options.port,
        username=options.username or None,
        password=Secret(options.password) if options.password else None,
        keepalive=Duration(5_000),
    )
    with ThreadPoolExecutor(1) as disk:
        publisher = Publisher(
            broker,
            outbox,
            disk,
            site="hq",
            agent=options.name,
            status=lambda: Status(state="online", since_ms=time.time_ns() // 1_000_000),
            resend_s=options.resend,
        )
        publishing = asyncio.create_task(publisher.run(stop))
        loop = asyncio.get_running_loop()
        number = journal.next_number(last_row(outbox))
        while not stop.is_set():
            if number < options.until and not (options.data / "enough").exists():
                last = min(number + options.per_batch, options.until) - 1
                journal.intend(number, last, last_row(outbox) + 1)
                body = body_of(options.name, journal.base_ms, number, last)
                stored = await loop.run_in_executor(disk, outbox.append, body, last - number + 1)
                assert stored
                number = last + 1
                publisher.wake()
            else:
                (options.data / "emitted").touch()
                if not outbox.depth().batches:
                    (options.data / "finished").touch()
            await asyncio.wait({publishing}, timeout=options.per_batch / options.rate)
        await publishing
    outbox.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--name", default="numbers")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--username")
    parser.add_argument("--password")
    parser.add_argument("--rate", type=float, default=1000, help="numbers a second")
    parser.add_argument(
        "--until",
        type=int,
        required=True,
        help="emit the numbers below this, if no file `enough` comes before",
    )
    parser.add_argument("--per-batch", type=int, default=250, help="numbers a batch")
    parser.add_argument("--resend", type=float, default=5, help="seconds until a batch goes again unacked")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    start_logging("info", "agent")
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
