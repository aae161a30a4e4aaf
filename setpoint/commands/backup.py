"""``setpoint backup``: a copy of a running collector's data, as of now."""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command to the command line."""
    parser = subparsers.add_parser(
        "backup",
        help="copy a running collector's data into a file",
        description="Writes store and register of a running collector, as of now, into a tar file. The "
        "collector goes on meanwhile. `setpoint restore` puts it back.",
    )
    parser.add_argument("file", type=Path, nargs="?", help="the file to write (setpoint-<time>.tar)")
    parser.add_argument(
        "--url",
        default=os.environ.get("SETPOINT_URL", "http://127.0.0.1:8480"),
        help="the collector's page (%(default)s; SETPOINT_URL)",
    )
    parser.set_defaults(run=_run)


def _for_the_owner(path: str, flags: int) -> int:
    """All readings and findings of a site are in a backup."""
    return os.open(path, flags, 0o600)


def _run(options: argparse.Namespace) -> int:
    target: Path = options.file or Path(time.strftime("setpoint-%Y%m%dT%H%M%SZ.tar", time.gmtime()))
    partial = target.with_name(target.name + ".partial")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with (
            opener.open(f"{options.url}/api/backup", timeout=600) as response,
            open(partial, "wb", opener=_for_the_owner) as file,
        ):
            shutil.copyfileobj(response, file)
            file.flush()
            os.fsync(file.fileno())
            # A connection that is lost in mid-answer ends the copying like one that is closed after it.
            size = file.tell()
            promised = int(response.headers.get("content-length", size))
        if size != promised:
            print(
                f"setpoint backup: the collector broke off after {size:,} of {promised:,} bytes; "
                "nothing was kept",
                file=sys.stderr,
            )
            return 1
        partial.replace(target)
    except urllib.error.HTTPError as error:
        print(
            f"setpoint backup: the collector refused: {error.read(2000).decode(errors='replace')}",
            file=sys.stderr,
        )
        return 1
    except urllib.error.URLError as error:
        print(f"setpoint backup: no collector answers at {options.url}: {error.reason}", file=sys.stderr)
        return 3
    except (OSError, http.client.HTTPException) as error:
        print(f"setpoint backup: {error}", file=sys.stderr)
        return 1
    finally:
        partial.unlink(missing_ok=True)
    print(f"{target}: {target.stat().st_size:,} bytes")
    return 0
