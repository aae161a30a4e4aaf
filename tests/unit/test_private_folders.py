"""What a site measures is for the user who runs it."""

import stat
from pathlib import Path

from agent.outbox import Outbox
from setpoint.commands.backup import _for_the_owner


def test_a_new_data_folder_is_for_its_owner(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "agent", max_bytes=1000, max_age_ms=0, ballast_bytes=0)
    outbox.open()
    outbox.close()
    assert stat.S_IMODE((tmp_path / "agent").stat().st_mode) == 0o700


def test_a_backup_is_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    with open(file, "wb", opener=_for_the_owner) as opened:
        opened.write(b"all")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
