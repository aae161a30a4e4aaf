"""Checks over the API of a real Icinga 2. It is large, and not among what tests/install-servers installs:
where it is missing, these skip, with CI=true too.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.inputs.nagios_checks.input import NagiosChecksInput
from agent.inputs.nagios_checks.settings import NagiosChecksSettings
from agent.inputs.thresholds.client import CannotRead
from setpoint.reading import Point
from setpoint.units import Duration, Secret
from tests.ports import free_port
from tests.servers import ServerProcess, require

ICINGA = shutil.which("icinga2", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/icinga2/sbin")

pytestmark = pytest.mark.skipif(ICINGA is None, reason="icinga2 is not installed")

CONFIGURATION = """
include <itl>
const NodeName = "localhost"
object Endpoint NodeName { }
object Zone "here" { endpoints = [ NodeName ] }
object CheckerComponent "checker" { }
object ApiListener "api" { bind_host = "127.0.0.1", bind_port = %(port)d }
object ApiUser "reader" { password = "s3cret", permissions = [ "objects/query/Service" %(more)s ] }
object CheckCommand "say" { command = [ "/bin/echo", "$say$", "-w", "5", "-c", "9" ] }
object Host "web1" {
  check_command = "say"
  check_interval = 1s
  vars.say = "OK | rta=0.5ms;100;~:500;0 pl=0%%;20;60;0"
}
template Service "every" { host_name = "web1", check_command = "say", check_interval = 1s }
object Service "disk" {
  import "every"
  max_check_attempts = 4
  retry_interval = 30s
  vars.say = "OK | '/srv data'=10MB;@10:20;0:90;0;100 inodes=1"
}
object Service "silent" { import "every", vars.say = "OK", enable_notifications = false }
"""


class Icinga(ServerProcess):
    """Icinga 2 with a few checks that only say something, as the user who runs the tests."""

    name = "icinga2"

    def __init__(self, folder: Path, more: str) -> None:
        for name in ("data/certs", "cache", "log/crash", "spool", "run"):
            (folder / name).mkdir(parents=True)
        port = free_port()
        (folder / "icinga2.conf").write_text(CONFIGURATION % {"port": port, "more": more})
        certs = folder / "data" / "certs"
        self.certificate = certs / "localhost.crt"
        subprocess.run(
            f"{require('openssl')} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
            " -addext subjectAltName=DNS:localhost -keyout localhost.key -out localhost.crt".split(),
            cwd=certs,
            check=True,
            capture_output=True,
        )
        shutil.copy(self.certificate, certs / "ca.crt")
        me = pwd.getpwuid(os.getuid()).pw_name
        folders = {"DataDir": "data", "CacheDir": "cache", "LogDir": "log", "SpoolDir": "spool"}
        defined = [f"-D{key}={folder / name}" for key, name in {**folders, "InitRunDir": "run"}.items()]
        super().__init__(
            [str(ICINGA), "daemon", "-c", folder / "icinga2.conf", *defined],
            port=port,
            log=folder / "icinga2.log",
            env={"ICINGA2_USER": me, "ICINGA2_GROUP": me},
        )

    @property
    def settings(self) -> NagiosChecksSettings:
        return NagiosChecksSettings(
            source="icinga",
            url=f"https://localhost:{self.port}",
            username="reader",
            password=Secret("s3cret"),
            ca_file=str(self.certificate),
            timeout=Duration(10_000),
        )


@pytest.fixture(scope="module")
def icinga(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Icinga]:
    with Icinga(tmp_path_factory.mktemp("icinga") / "it", ', "objects/query/Host"') as server:
        yield server


def gather(settings: NagiosChecksSettings) -> list[Point]:
    async def once() -> list[Point]:
        source = NagiosChecksInput(settings)
        try:
            return list(await source.gather())
        finally:
            await source.close()

    return asyncio.run(once())


async def gather_checked(settings: NagiosChecksSettings) -> list[Point]:
    """The points after every check has run: Icinga spreads the first ones over some seconds."""
    source = NagiosChecksInput(settings)
    try:
        async with asyncio.timeout(40):
            while True:
                points = list(await source.gather())
                if points[-1].fields["thresholds"] == 9:
                    return points
                await asyncio.sleep(0.2)
    finally:
        await source.close()


def test_the_checks_of_a_running_icinga_are_read(icinga: Icinga) -> None:
    points = asyncio.run(gather_checked(icinga.settings))
    lines = sorted(
        (p.tags["rule"], p.tags["metric"], p.tags["comparison"], p.tags["severity"], p.fields["level"])
        for p in points
        if p.measurement == "threshold"
    )
    assert lines == [
        ("disk", "say[/srv data,MB]", "above", "critical", 90),
        ("disk", "say[/srv data,MB]", "at_least", "warning", 10),
        ("disk", "say[/srv data,MB]", "at_most", "warning", 20),
        ("host check", "say[pl,%]", "above", "critical", 60),
        ("host check", "say[pl,%]", "above", "warning", 20),
        ("host check", "say[rta,ms]", "above", "critical", 500),
        ("host check", "say[rta,ms]", "above", "warning", 100),
        ("silent", "say", "above", "critical", 9),
        ("silent", "say", "above", "warning", 5),
    ]
    disk = next(p for p in points if p.tags.get("rule") == "disk")
    assert disk.tags["subject"] == 'host="web1"'
    assert disk.fields["for_s"] == 90


def test_a_refused_password_is_named(icinga: Icinga) -> None:
    settings = icinga.settings
    settings.password = Secret("wr0ng")
    with pytest.raises(CannotRead, match="status 401") as caught:
        gather(settings)
    assert "wr0ng" not in str(caught.value)
