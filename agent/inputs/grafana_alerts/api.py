"""Grafana's provisioning API, through grafana-client."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from agent.inputs.grafana_alerts.settings import GrafanaAlertsSettings
from agent.inputs.thresholds.client import CannotRead

_PIECE_BYTES = 65_536


def fetch_rules(settings: GrafanaAlertsSettings) -> Any:
    """The answer of ``/api/v1/provisioning/alert-rules``, decoded. Blocks. CannotRead."""
    try:
        from grafana_client.api import GrafanaApi
        from grafana_client.client import GrafanaException
    except ImportError as error:
        raise CannotRead(
            "reading alert rules from a Grafana needs the package grafana-client, which is not installed "
            f'({error}); install it with `pip install "grafana-client>=5.1,<6"`, or give files instead of url'
        ) from None
    assert settings.url is not None
    parts = urlsplit(settings.url)
    credential: Any = None
    if settings.token is not None:
        credential = settings.token.reveal()
    elif settings.username is not None and settings.password is not None:
        credential = (settings.username, settings.password.reveal())
    path = parts.path.strip("/")
    api: Any = GrafanaApi(
        auth=credential,
        host=f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname,
        port=parts.port,
        url_path_prefix=f"{path}/" if path else "",
        protocol=parts.scheme,
        verify=not settings.insecure_skip_verify and (settings.ca_file or True),
        timeout=settings.timeout.seconds,
        organization_id=settings.organization,
    )
    session = api.client.s
    session.headers.update({name: value.reveal() for name, value in settings.headers.items()})
    session.trust_env = False
    # What is sent along is a credential, and goes to nobody else.
    session.max_redirects = 0
    session.hooks["response"].append(_bounded(settings.max_size, settings.timeout.seconds))
    try:
        return api.alertingprovisioning.get_alertrules_all()
    except GrafanaException as error:
        raise CannotRead(f"{settings.url}: {error}") from None
    except (OSError, ValueError) as error:
        raise CannotRead(f"{settings.url}: {type(error).__name__}: {error}") from None
    finally:
        session.close()


def _bounded(max_bytes: int, timeout_s: float) -> Any:
    """Reads an answer's body before the client does, and no further than it may go."""
    deadline = time.monotonic() + timeout_s

    def read(response: Any, **_: object) -> Any:
        content = bytearray()
        for piece in response.iter_content(_PIECE_BYTES):
            content += piece
            if len(content) > max_bytes:
                raise ValueError(f"the answer is longer than {int(max_bytes)} bytes")
            if time.monotonic() > deadline:
                raise ValueError(f"no complete answer within {timeout_s:g} s")
        response._content = bytes(content)
        return response

    return read
