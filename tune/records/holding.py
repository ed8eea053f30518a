"""The lock on a search: only one process at a time works on it."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from goemo.errors import GoemoError
from tune.records.search_folder import SearchFolder


@contextmanager
def held(search: SearchFolder) -> Iterator[None]:
    """Hold the search, so that two processes never write to it; the lock goes with the process.

    Raises:
        GoemoError: Another process holds it, or this user may not write to it.
    """
    path = search.path / ".lock"
    try:
        lock = path.open("w")
    except OSError as error:
        hint = "; it is another user's" if isinstance(error, PermissionError) else ""
        raise GoemoError(f"{search.name} cannot be worked on: {path}: {error.strerror}{hint}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GoemoError(
                f"{search.name} is running in another process; wait for it or stop it"
            ) from error
        yield


def is_held(search: SearchFolder) -> bool:
    """Return whether a process works on the search now."""
    try:
        with (search.path / ".lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except OSError:  # no lock was ever taken, or it is another user's
        return False
    return False
