"""The part of Grafana's HTTP API that ``setpoint dashboards push`` uses, in this process.

No Grafana can be installed from Debian. What is kept, what is answered and what is added to what was sent is
that of Grafana 11: ids and versions are its own, secrets are never told, an older version is a conflict.
"""

from __future__ import annotations

import copy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class GrafanaServer:
    """Keeps data sources, folders and dashboards. ``writes`` lists what changed something: method, path."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.writes: list[tuple[str, str]] = []
        self.data_sources: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.folders: dict[str, dict[str, Any]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and body."""
        match path.removeprefix("/api/").split("/"):
            case ["datasources", "uid", uid] if method == "GET":
                return _found(self.data_sources.get(uid), "Data source not found")
            case ["datasources"] if method == "POST":
                return self._keep_data_source(body["uid"], body)
            case ["datasources", "uid", uid] if method == "PUT" and uid in self.data_sources:
                return self._keep_data_source(uid, body)
            case ["folders", uid] if method == "GET":
                return _found(self.folders.get(uid), "folder not found")
            case ["folders"] if method == "POST":
                if body["uid"] in self.folders:
                    return 409, {"message": "a folder with that uid already exists"}
                self.folders[body["uid"]] = {"id": 7, "version": 1, **body}
                return 200, self.folders[body["uid"]]
            case ["folders", uid] if method == "PUT" and uid in self.folders:
                if not body.get("overwrite") and body.get("version") != self.folders[uid]["version"]:
                    return 412, {"message": "the folder has been changed by someone else"}
                self.folders[uid] |= {"title": body["title"], "version": self.folders[uid]["version"] + 1}
                return 200, self.folders[uid]
            case ["dashboards", "uid", uid] if method == "GET":
                return _found(self.dashboards.get(uid), "Dashboard not found")
            case ["dashboards", "db"] if method == "POST":
                return self._keep_dashboard(body)
        return 404, {"message": "Not found"}

    def _keep_data_source(self, uid: str, body: dict[str, Any]) -> tuple[int, Any]:
        kept = dict(body)
        self.secrets.setdefault(uid, {}).update(kept.pop("secureJsonData", {}))
        known = dict.fromkeys(self.secrets[uid], True)
        self.data_sources[uid] = {"id": 3, "orgId": 1, "readOnly": False, **kept, "secureJsonFields": known}
        return 200, {"datasource": self.data_sources[uid], "message": "Datasource saved"}

    def _keep_dashboard(self, body: dict[str, Any]) -> tuple[int, Any]:
        sent, uid = body["dashboard"], body["dashboard"]["uid"]
        if body.get("folderUid") not in self.folders:
            return 400, {"message": "folder not found"}
        before = self.dashboards.get(uid)
        if before and not body.get("overwrite") and sent.get("version") != before["dashboard"]["version"]:
            return 412, {"message": "The dashboard has been changed by someone else"}
        version = before["dashboard"]["version"] + 1 if before else 1
        content = {**copy.deepcopy(sent), "id": 11, "version": version}
        self.dashboards[uid] = {"dashboard": content, "meta": {"folderUid": body["folderUid"]}}
        return 200, {"uid": uid, "version": version, "status": "success"}


def _found(kept: dict[str, Any] | None, message: str) -> tuple[int, Any]:
    return (404, {"message": message}) if kept is None else (200, kept)


def _handler(grafana: GrafanaServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            if self.headers.get("Authorization") != f"Bearer {grafana.token}":
                status, answer = 401, {"message": "Invalid API key"}
            else:
                status, answer = grafana.answer(self.command, self.path, body)
                if self.command != "GET" and status == 200:
                    grafana.writes.append((self.command, self.path))
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    return Handler
