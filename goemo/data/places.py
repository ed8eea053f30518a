"""Kinds of sources, and whether they exist; nothing that reads them is imported."""

from __future__ import annotations

import stat
from pathlib import Path

from goemo.data.tables import SOURCES, nearest
from goemo.errors import InputError

SCHEMES = ("sample", "dir", "file", "hub")


def check_source(source: str) -> None:
    """Refuse a source that is of no known kind, or a path where nothing is; nothing is read, in milliseconds.

    Raises:
        InputError: The source cannot be read.
    """
    parted(source)


def parted(source: str) -> tuple[str, str]:
    """Return the kind of a source, and the place that follows.

    Raises:
        InputError: It is of no known kind, or nothing is there.
    """
    scheme, colon, rest = source.partition(":")
    if colon and scheme in ("dir", "file"):
        if not rest or not _is_there(rest):
            raise InputError(rest or "data source", [f"no such file or folder; {SOURCES}"])
        return scheme, rest
    if colon and scheme in SCHEMES:
        return scheme, rest
    if source and _is_there(source):
        return "dir", source
    if colon:
        # Only now: that a path is not there, the commonest mistake, is told before anything is imported.
        from goemo.configuration.plugins import SOURCE, plugins

        if scheme in plugins(SOURCE):
            return scheme, rest
        known = (*SCHEMES, *plugins(SOURCE))
        raise InputError(source, [f"unknown kind of source{nearest(scheme, known)}; {SOURCES}"])
    raise InputError(source or "data source", [f"no such file or folder; {SOURCES}"])


def _is_there(path: str) -> bool:
    """Tell whether a file or folder is there.

    Raises:
        InputError: It is something else, which may have no end, or cannot be looked at.
    """
    try:
        mode = Path(path).expanduser().stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError, RuntimeError) as error:  # of a name, a home, an owner
        raise InputError(path, [f"cannot be read ({getattr(error, 'strerror', None) or error})"]) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(path, ["must be a file or a folder; write a pipe or a device to a file first"])
    return True
