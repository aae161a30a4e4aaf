"""The rules of ``access`` and ``credentials`` as a plugin of amqtt, which calls it for every decision."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin

from collector.broker.access import may_publish, may_read
from collector.broker.credentials import Credentials

log = logging.getLogger(__name__)


class AccessPlugin(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc] # amqtt is untyped
    """Lets in whom the credentials file names, and lets them do what their role may."""

    @dataclass
    class Config:
        """``credentials``: the file. ``site``: the only site there is, when there is only one."""

        credentials: str
        site: str | None = None

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.credentials = Credentials(Path(self.config.credentials))
        self._site: str | None = self.config.site
        # Each takes 4 ms of CPU in a thread: a flood of wrong passwords must leave a core to the others.
        self._verifying = asyncio.Semaphore(1)

    async def authenticate(self, *, session: Any) -> bool:
        """Whether the client may connect: known, with the right password, and its will on its own topic.

        ``session.entry`` is then the entry that it was let in by.
        """
        name, password = session.username, session.password
        if not name or not password:
            log.warning("refused %s: no user name or no password", session.remote_address)
            return False
        async with self._verifying:
            entry = await asyncio.to_thread(self.credentials.verify, name, password)
        if entry is None:
            log.warning("refused %r from %s: unknown, or wrong password", name, session.remote_address)
            return False
        # amqtt asks nobody before it publishes a will, and has no hook there.
        if session.will_flag and not may_publish(entry.role, name, session.will_topic or "", self._site):
            log.warning(
                "refused %r: as %s it may not leave a will on %r", name, entry.role, session.will_topic
            )
            return False
        session.entry = entry
        return True

    async def topic_filtering(
        self, *, session: Any = None, topic: str | None = None, action: Any = None
    ) -> bool:
        """Whether the client may publish to, subscribe to, or be sent what is on the topic."""
        if session is None or not session.username or not topic:
            return False
        allowed = self.allows(session.username, topic, publish=action == Action.PUBLISH)
        if not allowed:
            verb = "publish to" if action == Action.PUBLISH else "read"
            log.warning("refused %r: it may not %s %r", session.username, verb, topic)
        return allowed

    def allows(self, name: str, topic: str, *, publish: bool) -> bool:
        """The same without a log line. A user who was removed may do nothing."""
        entry = self.credentials.entry(name)
        if entry is None:
            return False
        return (may_publish if publish else may_read)(entry.role, name, topic, self._site)
