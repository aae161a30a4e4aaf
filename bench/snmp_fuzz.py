"""Answers that are broken in 100,000 seeded ways: the engines must neither crash, hang nor grow.

    python bench/snmp_fuzz.py [--answers 100000] [--seed 1] [--engine gufo] [--version v2c]

Prints what came of the questions, and the resident memory at the beginning, in the middle and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["RUST_BACKTRACE"] = "0"  # a panic of gufo-snmp's decoder is caught, and expected here

from agent.inputs.connection import Resolver
from agent.inputs.snmp.open_session import open_session
from agent.inputs.snmp.session import Session, SessionError, Timing
from tests import misbehaving_snmp as snmp
from tests.misbehaving_snmp import MisbehavingAgent, Request, Table
from tests.snmp_servers import by_community

_COLUMN = "1.3.6.1.2.1.2.2.1.10"
_ROWS = {
    "1.3.6.1.2.1.1.3.0": snmp.timeticks(4_711),
    "1.3.6.1.2.1.1.5.0": snmp.octets(b"fuzzed"),
    "1.3.6.1.4.1.2021.10.1.6.1": snmp.opaque_float(0.5),
    **{f"{_COLUMN}.{index}": snmp.counter64(index << 32) for index in range(1, 8)},
}


async def ask(session: Session, number: int) -> str:
    """What came of one question."""
    try:
        match number % 3:
            case 0:
                await session.get(list(_ROWS))
            case 1:
                await session.get([next(iter(_ROWS))])
            case _:
                await session.walk(_COLUMN)
    except SessionError as error:
        return type(error).__name__
    return "answered"


async def run(options: argparse.Namespace) -> None:
    numbers = random.Random(options.seed)
    sent = 0

    def answer(request: Request, table: Table) -> Sequence[bytes]:
        nonlocal sent
        sent += 1
        genuine = snmp.honest(request, table)
        return [snmp.mutated(genuine[0], numbers), *genuine]

    outcomes: Counter[str] = Counter()
    memory = [resident_kb()]
    slowest_s = 0.0
    timing = Timing(timeout_s=0.2, retries=1, deadline_s=10)
    resolver = Resolver()
    asked = 0
    with MisbehavingAgent(_ROWS, answer) as agent:
        while sent < options.answers:
            session = await open_session(
                "127.0.0.1", agent.port, by_community(options.version), options.engine, timing, resolver
            )
            for _ in range(200):
                began = time.monotonic()
                outcomes[await ask(session, asked)] += 1
                slowest_s = max(slowest_s, time.monotonic() - began)
                asked += 1
            await session.close()
            agent.requests.clear()
            if len(memory) == 1 and sent > options.answers // 2:
                memory.append(resident_kb())
    memory.append(resident_kb())
    print(f"{sent} broken answers to {asked} questions: {dict(outcomes)}")
    print(f"slowest question {slowest_s:.3f} s; resident {' -> '.join(f'{kb} kB' for kb in memory)}")
    print(f"CPU {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.1f} s")


def resident_kb() -> int:
    """What this process holds in memory now."""
    fields = Path("/proc/self/status").read_text().split()
    return int(fields[fields.index("VmRSS:") + 1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=["gufo", "pysnmp"], default="gufo")
    parser.add_argument("--version", choices=["v1", "v2c"], default="v2c")
    asyncio.run(run(parser.parse_args()))
