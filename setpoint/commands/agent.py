"""``setpoint agent run|check|once|drain|discard``"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from agent import run as agent_run
from agent.outbox_file import OutboxError
from agent.settings import AgentSettings, load_settings
from setpoint.config import ConfigError
from setpoint.line_protocol import encode_point
from setpoint.logging_setup import start_logging
from setpoint.signals import stop_event

_COMMANDS = {
    "run": "measure and publish until stopped",
    "check": "check the configuration; starts nothing and connects to nothing",
    "once": "gather once and print line protocol; sends nothing",
    "drain": "deliver what the outbox holds, under the name it was measured under; measure nothing",
    "discard": "throw away what the outbox holds",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser("agent", help="measure this host")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, help_text in _COMMANDS.items():
        one = commands.add_parser(
            name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
        )
        one.add_argument(
            "--config", type=Path, default=Path("config/agent.yaml"), help="the agent's file (%(default)s)"
        )
        if name == "run":
            one.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)
        if name == "discard":
            one.add_argument("--yes", action="store_true", help="do not ask")
        one.set_defaults(run=_run, agent_command=name)


def _run(options: argparse.Namespace) -> int:
    try:
        settings = load_settings(options.config).value
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if options.agent_command == "check":
        print(f"{options.config}: good; {_summary(settings)}")
        return 0
    start_logging(settings.log.level, "agent" if options.agent_command == "run" else "")
    agent_run.use_selector_loop()
    command = {"run": _serve, "once": _once, "drain": _drain, "discard": _discard}[options.agent_command]
    try:
        return asyncio.run(command(settings, options))
    except OutboxError as error:
        print(f"setpoint agent: {error}", file=sys.stderr)
        return 1


def _summary(settings: AgentSettings) -> str:
    inputs = ", ".join(f"{i.label} every {i.interval_s:g} s" for i in agent_run.schedule(settings))
    return f'agent "{settings.name}" of site "{settings.agent.site}" would measure {inputs}'


async def _serve(settings: AgentSettings, options: argparse.Namespace) -> int:
    await agent_run.run_agent(settings, stop_event(supervised=options.supervised))
    return 0


async def _once(settings: AgentSettings, _: argparse.Namespace) -> int:
    import time

    gathered, errors = await agent_run.gather_once(settings)
    now_ms = time.time_ns() // 1_000_000
    for scheduled, points in gathered:
        for point in points:
            line = encode_point(
                point.measurement,
                {**scheduled.tags, **point.tags, "host": settings.name},
                point.fields,
                now_ms if point.time_ms is None else point.time_ms,
            )
            if line:
                sys.stdout.write(line.decode() + "\n")
    for error in errors:
        print(error, file=sys.stderr)
    return 1 if errors else 0


async def _drain(settings: AgentSettings, _: argparse.Namespace) -> int:
    left = await agent_run.drain(settings, stop_event())
    print(f"{left} batches are left in the outbox" if left else "the outbox is empty")
    return 1 if left else 0


async def _discard(settings: AgentSettings, options: argparse.Namespace) -> int:
    outbox, owner = agent_run.open_outbox(settings)
    try:
        waiting = outbox.depth().batches
        if not waiting:
            print("the outbox is empty")
            return 0
        of = f' of agent "{owner.agent}"' if owner else ""
        if not options.yes:
            if not sys.stdin.isatty():
                print(f"{waiting} batches{of} would be lost; say --yes to do it", file=sys.stderr)
                return 2
            if input(f"Throw away {waiting} batches{of}? They cannot be had back. [y/N] ").lower() != "y":  # noqa: ASYNC250
                return 1
        print(f"threw away {outbox.discard()} batches{of}")
        return 0
    finally:
        outbox.close()
