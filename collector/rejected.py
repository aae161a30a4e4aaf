"""The folder of what was refused: payloads and lines that could not be taken, each with its reason."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_KEPT_PER_FILE = 64 * 1024
# Topics and reasons may be as long as a line; at six bytes a letter a head fits into what is read of it.
_LONGEST_AGENT, _LONGEST_REASON, _HEAD_BYTES = 500, 4_000, 64 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class RejectedEntry:
    """``reason`` is for people; ``readings`` how many were refused, as far as they could be counted."""

    time_ms: int
    agent: str
    batch: str
    reason: str
    readings: int
    size: int


class RejectedFolder:
    """Bounded in files and bytes: the oldest goes first. Called from one thread."""

    def __init__(self, folder: Path, *, max_bytes: int, max_files: int = 2_000) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._number = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._files = [(p, p.stat().st_size) for p in sorted(folder.glob("*.rejected"))]
        self._bytes = sum(size for _, size in self._files)

    def save(self, entry: RejectedEntry, content: bytes) -> Path:
        """Writes reason and content (its first 64 KiB), and returns when both are on the disk."""
        self._number += 1
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(entry.time_ms / 1000))
        agent = _UNSAFE.sub("_", entry.agent)[:64] or "unknown"
        name = f"{stamp}.{entry.time_ms % 1000:03d}-{os.getpid()}-{self._number:06d}-{agent}.rejected"
        path = self._folder / name
        head = {
            "time_ms": entry.time_ms,
            "agent": entry.agent[:_LONGEST_AGENT],
            "batch": entry.batch,
            "reason": entry.reason[:_LONGEST_REASON],
            "readings": entry.readings,
            "size": entry.size,
            "kept": min(len(content), _KEPT_PER_FILE),
        }
        text = json.dumps(head, ensure_ascii=False)
        data = text.encode("utf-8", "replace") + b"\n" + content[:_KEPT_PER_FILE]
        try:
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            # What a full disk took of it would count for no bound.
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self._files.append((path, len(data)))
        self._bytes += len(data)
        while len(self._files) > self._max_files or self._bytes > self._max_bytes:
            oldest, size = self._files.pop(0)
            oldest.unlink(missing_ok=True)
            self._bytes -= size
        return path

    def newest(self, limit: int) -> Sequence[dict[str, Any]]:
        """The heads of the newest files, newest first."""
        heads = []
        for path, _ in self._files[: -limit - 1 : -1]:
            try:
                with path.open("rb") as file:
                    heads.append({"file": path.name, **json.loads(file.readline(_HEAD_BYTES))})
            except (OSError, ValueError):
                continue  # removed or cut by someone's hand: there is nothing to show of it
        return heads
