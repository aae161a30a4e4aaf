"""Puts data source, folder and dashboards into a running Grafana; writes only what is not there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError

from grafana.queries import Flavour

UID = "setpoint"
"""Of the data source and of the folder; the files in ``provisioning/`` have the same."""
NAME = "Setpoint"
TIMEOUT_S = 30.0

Outcome = Literal["created", "updated", "unchanged"]

# What Grafana itself sets, or brings up to date, in a dashboard that it keeps.
_GRAFANAS_OWN = frozenset({"id", "version", "schemaVersion"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """The store, as Grafana reaches it. ``token`` for InfluxDB 2.x and 3.x, ``password`` for 1.x."""

    flavour: Flavour
    url: str
    database: str = "setpoint"
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def settings(self) -> dict[str, Any]:
        """As Grafana's API takes it, without secrets."""
        influx: dict[str, Any] = {
            "dbName": self.database,
            "version": "InfluxQL",
            "httpMode": "POST",
            "timeInterval": "10s",
        }
        if self.token:
            influx["httpHeaderName1"] = "Authorization"
        return {
            "uid": UID,
            "name": NAME,
            "type": self.flavour,
            "access": "proxy",
            "url": self.url,
            "user": self.user,
            # Before Grafana 10 the server reads it from here, and not from dbName.
            **({"database": self.database} if self.flavour == "influxdb" else {}),
            "jsonData": influx
            if self.flavour == "influxdb"
            else {"httpMethod": "POST", "timeInterval": "30s"},
        }

    def secrets(self) -> dict[str, str]:
        """By the names that Grafana keeps them under."""
        secrets = {"password": self.password}
        if self.token:
            secrets["httpHeaderValue1"] = f"Token {self.token}"
        return {name: value for name, value in secrets.items() if value}


class Grafana:
    """A running Grafana. Raises GrafanaException for what it refuses, OSError when it does not answer."""

    def __init__(self, url: str, token: str) -> None:
        # The client puts "api" right behind the path of the address.
        self._api: Any = GrafanaApi.from_url(url.rstrip("/") + "/", credential=token, timeout=TIMEOUT_S)

    def put_data_source(self, wanted: DataSource, *, renew_secrets: bool = False) -> Outcome:
        """Grafana tells nobody its secrets: they are written where there are none, or when asked to."""
        settings, secrets = wanted.settings(), wanted.secrets()
        sources = self._api.datasource
        found = _unless_missing(lambda: sources.get_datasource_by_uid(UID))
        if found is None:
            sources.create_datasource({**settings, "secureJsonData": secrets})
            return "created"
        known = found.get("secureJsonFields") or {}
        lacking = [name for name in secrets if renew_secrets or not known.get(name)]
        if holds(found, settings) and not lacking:
            return "unchanged"
        sources.update_datasource_by_uid(UID, {**settings, "secureJsonData": secrets})
        return "updated"

    def put_folder(self, title: str) -> Outcome:
        folders = self._api.folder
        found = _unless_missing(lambda: folders.get_folder(UID))
        if found is None:
            folders.create_folder(title, uid=UID)
            return "created"
        if found["title"] == title:
            return "unchanged"
        folders.update_folder(UID, title=title, overwrite=True)
        return "updated"

    def put_dashboard(self, wanted: Mapping[str, Any]) -> Outcome:
        """Into the folder, which has to be there."""
        dashboards = self._api.dashboard
        found = _unless_missing(lambda: dashboards.get_dashboard(wanted["uid"]))
        if found is not None:
            in_folder = found["meta"].get("folderUid") == UID
            content = {key: value for key, value in wanted.items() if key not in _GRAFANAS_OWN}
            if in_folder and holds(found["dashboard"], content):
                return "unchanged"
        dashboards.update_dashboard(
            {
                "dashboard": dict(wanted),
                "folderUid": UID,
                "overwrite": True,
                "message": "setpoint dashboards push",
            }
        )
        return "created" if found is None else "updated"


def push(
    grafana: Grafana,
    dashboards: Iterable[Mapping[str, Any]],
    data_source: DataSource | None = None,
    *,
    folder: str = NAME,
    renew_secrets: bool = False,
) -> Iterable[tuple[str, Outcome]]:
    """Puts all of it there, in the order in which one needs the other; says of each what was done."""
    if data_source is not None:
        yield "data source", grafana.put_data_source(data_source, renew_secrets=renew_secrets)
    yield "folder", grafana.put_folder(folder)
    for dashboard in dashboards:
        yield f'dashboard "{dashboard["title"]}"', grafana.put_dashboard(dashboard)


def holds(found: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is there. Grafana adds keys of its own, and drops those that are null
    or, in a data source, empty.
    """
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            holds(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(holds(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return bool(found == wanted) or (wanted == "" and found is None)


def _unless_missing(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except GrafanaClientError as error:
        if error.status_code == 404:
            return None
        raise
