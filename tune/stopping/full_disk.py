"""A full disk: how it is recognised, and the message about it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from goemo.errors import GoemoError, chain
from goemo.files import amount

_NUMBERS = (errno.ENOSPC, errno.EDQUOT)

# Of libraries that do not hand on the system's number: safetensors, SQLite, Ray.
_TEXTS = ("No space left on device", "Disk quota exceeded", "database or disk is full")


class FullDiskError(GoemoError):
    """A disk is full; the search has stopped in order and goes on once there is room."""


def is_full_disk(error: BaseException) -> bool:
    """Say whether an error, or one that has led to it, means that a disk is full."""
    return any(_says_so(link) for link in chain(error))


def full_disk_error(error: BaseException, folder: Path, go_on: str) -> FullDiskError:
    """Return what to tell the user.

    Args:
        error: What `is_full_disk` was true of.
        folder: Where most is written, for errors that name no file.
        go_on: What to do once there is room.
    """
    named = [Path(link.filename) for link in chain(error) if isinstance(link, OSError) and _has_file(link)]
    place = next(parent for path in [*named, folder] for parent in [path, *path.parents] if parent.is_dir())
    usage = shutil.disk_usage(place)
    return FullDiskError(
        f"the disk of {place} is full ({amount(usage.free)} of {amount(usage.total)} free); "
        f"make room, then {go_on}"
    )


def _says_so(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _NUMBERS
    return any(text in str(error) for text in _TEXTS)


def _has_file(error: OSError) -> bool:
    return error.errno in _NUMBERS and isinstance(error.filename, str)
