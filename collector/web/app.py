"""Puts the web application together."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from litestar import Litestar
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from collector.register import Register
from collector.web.api import api_routers
from collector.web.backup import BackupRules, get_backup
from collector.web.errors import Errors
from collector.web.html import page_router
from collector.web.maintenance import maintenance_router, taking_maintenance
from collector.web.page import Pages
from collector.web.plan_try import plan_try_router
from collector.web.rollups import rollups_router
from collector.web.security import HostCheck, add_security_headers
from collector.web.thresholds import thresholds_router
from collector.web.view import CollectorView
from setpoint.version import VERSION


def build_app(
    view: CollectorView,
    *,
    allowed_hosts: Collection[str] = (),
    backup_from: Literal["loopback", "anywhere"] = "loopback",
    scratch: Path | None = None,
    register: Register | None = None,
) -> Litestar:
    """The application that shows this collector.

    ``allowed_hosts``: names under which it is asked, beyond localhost and IP addresses. ``backup_from``: who
    may have a backup, which is made in the folder ``scratch`` (the system's, without one). ``register`` takes
    the maintenance that is entered; without one nothing can be.
    """
    pages = Pages(view)
    rules = BackupRules(backup_from, scratch, asyncio.Lock())
    # More at once would make each of them slower, and receiving too.
    readers = asyncio.Semaphore(2)
    return Litestar(
        [
            *api_routers(),
            get_backup,
            maintenance_router(),
            plan_try_router(),
            rollups_router(),
            thresholds_router(),
            page_router(),
        ],
        dependencies={
            "pages": Provide(lambda: pages, sync_to_thread=False),
            "view": Provide(lambda: view, sync_to_thread=False),
            "register": Provide(lambda: taking_maintenance(register), sync_to_thread=False),
            "backup_rules": Provide(lambda: rules, sync_to_thread=False),
            "sample_readers": Provide(lambda: readers, sync_to_thread=False),
        },
        middleware=[DefineMiddleware(HostCheck, allowed=frozenset(allowed_hosts))],
        before_send=[add_security_headers],
        exception_handlers={Exception: Errors(pages).answer},
        # Only JSON: the interactive pages load their programs from elsewhere, and a site may be offline.
        openapi_config=OpenAPIConfig(
            title="Setpoint collector",
            version=VERSION,
            use_handler_docstrings=True,
            render_plugins=[JsonRenderPlugin()],
        ),
        logging_config=None,
        request_max_body_size=65_536,
    )
