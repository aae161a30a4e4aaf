"""InfluxDB and VictoriaMetrics for tests, each with a folder of its own."""

from __future__ import annotations

import http.client
import urllib.parse
import urllib.request
from pathlib import Path

from tests.ports import free_port
from tests.servers import ServerProcess, require, wait_until

_INFLUXD = """
reporting-disabled = true
bind-address = "127.0.0.1:{backup_port}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
auth-enabled = {auth}
[monitor]
store-enabled = false
[logging]
level = "warn"
"""


def answers_200(port: int, path: str) -> bool:
    """Whether a GET of the path succeeds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 300
    except OSError:
        return False
    finally:
        connection.close()


class Influxd(ServerProcess):
    """InfluxDB 1.x of the Debian package ``influxdb``."""

    name = "influxd"

    def __init__(self, folder: Path, *, port: int | None = None, auth: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = port or free_port()
        config = folder / "influxdb.conf"
        config.write_text(
            _INFLUXD.format(folder=folder, port=port, backup_port=free_port(), auth=str(auth).lower())
        )
        super().__init__(
            [require("influxd"), "run", "-config", config],
            port=port,
            log=folder / "influxd.log",
            ready=lambda: answers_200(port, "/ping"),
        )

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def query(self, statement: str, **parameters: str) -> str:
        """The answer as it came."""
        body = urllib.parse.urlencode({"q": statement, **parameters}).encode()
        with urllib.request.urlopen(f"{self.url}/query", body, timeout=30) as answer:
            return str(answer.read().decode())


class VictoriaMetrics(ServerProcess):
    """A single node of the Debian package ``victoria-metrics``."""

    name = "victoria-metrics"

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        port = port or free_port()
        super().__init__(
            [
                require("victoria-metrics"),
                f"-storageDataPath={folder / 'data'}",
                f"-httpListenAddr=127.0.0.1:{port}",
                "-retentionPeriod=100y",
                "-memory.allowedBytes=256MB",
                "-loggerLevel=WARN",
            ],
            port=port,
            log=folder / "victoria-metrics.log",
            ready=lambda: answers_200(port, "/health"),
        )

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def flush(self) -> None:
        """Lets what was written be found at once, and not only after about a second."""
        urllib.request.urlopen(f"{self.url}/internal/force_flush", timeout=30).close()

    def delete_everything(self) -> None:
        """Empties it, without a start anew."""
        body = urllib.parse.urlencode({"match[]": '{__name__!=""}'}).encode()
        urllib.request.urlopen(f"{self.url}/api/v1/admin/tsdb/delete_series", body, timeout=30).close()

    def wait_until_grown_up(self) -> None:
        """Returns when it has run for the two seconds before which nothing is written to it."""
        wait_until(lambda: self._uptime_s() >= 2, what="an uptime of 2 s")

    def _uptime_s(self) -> float:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            for line in answer:
                if line.startswith(b"vm_app_uptime_seconds "):
                    return float(line.split()[1])
        return 0.0
