"""Reads the kernel's text files."""

from __future__ import annotations

import os


def read_bytes(path: str) -> bytes:
    """The whole file, in half the time of ``open().read()``."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        data = os.read(descriptor, 16_384)
        # The kernel may end a read early, between two records; only an empty one is the end.
        while more := os.read(descriptor, 65_536):
            data += more
        return data
    finally:
        os.close(descriptor)


def read_record(path: str) -> bytes:
    """A file of one record, shorter than a page, such as a process' stat: the kernel gives it in one read."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def list_names(folder: str) -> list[str]:
    """The names in a folder."""
    return os.listdir(folder)  # noqa: PTH208 (Path objects for hundreds of processes take five times as long)


def read_pids(proc: str) -> list[int]:
    """The numbers of all processes."""
    return [int(name) for name in list_names(proc) if name.isdigit()]


def read_text(path: str) -> str:
    """The whole file as text; bytes that are not UTF-8 survive as surrogates."""
    return read_bytes(path).decode("utf-8", "surrogateescape")


def read_line(path: str) -> str | None:
    """The file's text without the line's end; None when it cannot be read.

    For files of /sys, where drivers answer with whatever error they like.
    """
    try:
        return read_text(path).strip()
    except OSError:
        return None
