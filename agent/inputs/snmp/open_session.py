"""Opens a session to a device: finds its address, and the engine that can talk to it."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from typing import Literal

from agent.inputs.connection import Address, LookupFailed, Resolver
from agent.inputs.snmp.asking import DeviceSession, Engine
from agent.inputs.snmp.credentials import Credentials
from agent.inputs.snmp.session import NoAnswerError, RefusedError, Session, SessionError, Timing

EngineName = Literal["auto", "gufo", "pysnmp"]

_SYS_UPTIME = "1.3.6.1.2.1.1.3.0"


async def open_session(
    address: str,
    port: int,
    credentials: Credentials,
    engine: EngineName,
    timing: Timing,
    resolver: Resolver,
    slots: asyncio.Semaphore | None = None,
) -> Session:
    """A session with the device. ``address`` is a number or a name; of a name that has several addresses,
    the first that answers is taken. ``slots``: what every request has to have one of while it is under way.

    ``auto`` takes gufo-snmp, and pysnmp for SNMPv3 contexts and where gufo-snmp is not installed.
    NoAnswerError when the name has no address, or none of several answers.
    """
    try:
        addresses = await resolver.lookup(address, port)
    except LookupFailed as error:
        raise NoAnswerError(str(error)) from None
    if len(addresses) == 1:
        return await _open(addresses[0], credentials, engine, timing, slots)
    failure: SessionError = NoAnswerError(f"no address for {address}")
    for one in addresses:
        try:
            session = await _open(one, credentials, engine, timing, slots)
        except NoAnswerError as error:
            failure = error
            continue
        try:
            await session.get([_SYS_UPTIME])
        except NoAnswerError as error:
            failure = error
            await session.close()
        except SessionError:
            return session  # somebody is there; what is wrong shows at the next question
        except BaseException:
            await session.close()
            raise
        else:
            return session
    raise failure


async def _open(
    address: Address,
    credentials: Credentials,
    engine: EngineName,
    timing: Timing,
    slots: asyncio.Semaphore | None,
) -> Session:
    if engine == "auto":
        engine = "gufo" if _has_gufo() and not credentials.context else "pysnmp"
    opened: Engine
    if engine == "gufo":
        if credentials.context:
            raise RefusedError("gufo-snmp knows no contexts; use the engine pysnmp")
        from agent.inputs.snmp.gufo import GufoEngine

        opened = GufoEngine(address, credentials, timing, slots)
    else:
        # Importing pysnmp takes most of a second, in which the event loop has other things to do.
        module = await asyncio.to_thread(importlib.import_module, "agent.inputs.snmp.pysnmp_session")
        opened = await module.PysnmpEngine.open(address, credentials, timing, slots)
    return DeviceSession(opened, timing, bulk=credentials.version != "v1")


def _has_gufo() -> bool:
    try:
        return importlib.util.find_spec("gufo.snmp") is not None
    except ModuleNotFoundError:
        return False
