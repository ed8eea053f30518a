"""Sizes of files, and how they are shown."""

from __future__ import annotations

import os
from pathlib import Path

UNITS = ("B", "kB", "MB", "GB", "TB")


def size_of(path: Path) -> int:
    """Return the bytes that a file, or all files of a folder, take on the disk; links are not followed.

    Files that go away meanwhile do not count.
    """
    total = 0
    waiting = [path]
    while waiting:
        here = waiting.pop()
        try:
            if here.is_dir() and not here.is_symlink():
                waiting += [Path(entry.path) for entry in os.scandir(here)]
            else:
                total += here.lstat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


def in_words(size: float) -> str:
    """Return a size in three digits: ``998 kB``, ``1.42 GB``."""
    unit = 0
    while size >= 999.5 and unit < len(UNITS) - 1:
        size /= 1000
        unit += 1
    digits = 0 if unit == 0 or size >= 100 else 1 if size >= 10 else 2
    return f"{size:.{digits}f} {UNITS[unit]}"
