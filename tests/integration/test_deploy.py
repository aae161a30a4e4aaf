"""The systemd units, as systemd itself reads them. It need not run for that."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import ROOT

_UNITS = ("setpoint-agent.service", "setpoint-collector.service")


@pytest.fixture
def systemd_analyze() -> str:
    # Not `require`: a test machine without systemd is nothing that anybody has to mend.
    return shutil.which("systemd-analyze") or pytest.skip("systemd-analyze is not installed")


@pytest.mark.parametrize("name", _UNITS)
def test_systemd_understands_every_line(systemd_analyze: str, tmp_path: Path, name: str) -> None:
    text = (ROOT / "deploy" / "systemd" / name).read_text()
    assert "ExecStart=/opt/setpoint/bin/setpoint " in text
    unit = tmp_path / name
    unit.write_text(text.replace("/opt/setpoint/bin/setpoint", "/bin/true"))
    done = subprocess.run([systemd_analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", _UNITS)
def test_a_service_is_kept_from_what_it_does_not_need(
    systemd_analyze: str, tmp_path: Path, name: str
) -> None:
    unit = tmp_path / name
    shutil.copyfile(ROOT / "deploy" / "systemd" / name, unit)
    # 2.0 of 10; the rating grows with every protection that is taken away.
    program = [systemd_analyze, "security", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if "--offline" in done.stderr:
        pytest.skip("this systemd-analyze cannot rate a file")  # before 250
    assert done.returncode == 0, done.stdout[-200:]
