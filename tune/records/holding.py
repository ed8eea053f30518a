"""Locks, which go with their process: on a search, for one process; on the caches, for all who read them."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from goemo.errors import GoemoError
from tune.records.search_folder import SearchFolder
from tune.records.writing import runs_folder


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


@contextmanager
def using_caches() -> Iterator[None]:
    """Keep the caches from being removed meanwhile; any number of processes may use them at once."""
    with ExitStack() as stack:
        with suppress(OSError):  # a folder that this user may not write to
            fcntl.flock(stack.enter_context(_caches_lock()), fcntl.LOCK_SH)
        yield


def are_caches_used() -> bool:
    """Return whether a process uses the caches now."""
    try:
        with _caches_lock() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a folder that this user may not write to
        return False
    return False


def _caches_lock() -> IO[str]:
    path = runs_folder() / ".caches-lock"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return path.open()  # another user's can be locked, too


def is_held(search: SearchFolder) -> bool:
    """Return whether a process works on the search now."""
    try:
        with (search.path / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no lock was ever taken, or it is another user's
        return False
    return False
