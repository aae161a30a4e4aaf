"""``setpoint restore``: puts a backup back, while no collector runs."""

from __future__ import annotations

import argparse
import sys
import tarfile
import time
from pathlib import Path

from collector.backup import BackupError, unpack
from collector.settings import load_settings
from setpoint.config import ConfigError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "restore",
        help="put a backup back",
        description="Puts a backup into the collector's data folder. The collector must not run. What is "
        "there is kept beside it, under another name.",
    )
    parser.add_argument("file", type=Path, help="the file that `setpoint backup` wrote")
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config/collector.yaml"),
        help="the collector's file (%(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        settings = load_settings(options.config).value
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    folder = Path(settings.collector.data)
    try:
        kept = unpack(
            options.file, folder, aside=time.strftime("before-restore-%Y%m%dT%H%M%SZ", time.gmtime())
        )
    except (BackupError, OSError, tarfile.TarError) as error:
        print(f"setpoint restore: {error}", file=sys.stderr)
        return 1
    print(f"{folder} holds what {options.file} held")
    if kept is not None:
        print(f"what was there before is in {kept}")
    return 0
