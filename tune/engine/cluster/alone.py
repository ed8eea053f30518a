"""Starts Ray for this machine and this user alone: private files, loopback, nothing from the current folder.

Ray's own defaults are those of a cluster: its processes listen on all addresses, its files lie in a folder
that everybody may write to, and its workers look for modules in the driver's current folder first.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path

from goemo.errors import GoemoError
from goemo.files import put_new
from tune.engine.cluster.groups import servers_in_groups_of_their_own

# Of a socket's path, in bytes; Linux allows 107, macOS 103.
_SOCKET_LIMIT = 107 if sys.platform == "linux" else 103
_PREFIX = "goemo-"
_LOCK = "driver.lock"
_JUST_MADE_S = 60.0  # its driver may not hold it yet
# What Ray and we put between the temporary folder and a socket's name, at its longest.
_BELOW = len(f"/{_PREFIX}12345678/r/session_2026-01-31_12-00-00_123456_1234567/sockets/plasma_store")


@contextmanager
def private_ray(say: Callable[[str], None]) -> Iterator[None]:
    """Have a Ray of this machine for the block; it and all that it has written go with the block.

    It listens on loopback alone where Ray is imported here for the first time in this process.

    Args:
        say: Told where Ray's files could not be put where the environment wants them.

    Raises:
        GoemoError: There is no folder for Ray's files, or for its token.
    """
    keep_token_private()
    room = room_for_sockets(say)
    _remove_orphans(room)
    with (
        tempfile.TemporaryDirectory(prefix=_PREFIX, dir=room, ignore_cleanup_errors=True) as folder,
        (Path(folder) / _LOCK).open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)  # until this process ends, however it does
        try:
            _start(folder, say)
            yield
        finally:
            import ray

            ray.shutdown(wait_for_processes=True)


def _remove_orphans(room: Path) -> None:
    """Remove the folders of this user's drivers that were killed and could not do so themselves."""
    for path in room.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError):
            if path.lstat().st_uid != os.getuid() or time.time() - path.lstat().st_mtime < _JUST_MADE_S:
                continue
            with path.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an OSError where its driver lives
                shutil.rmtree(path.parent)


def _start(folder: str, say: Callable[[str], None]) -> None:
    """Start Ray with its files in a folder; once more where this machine was too busy the first time.

    Raises:
        GoemoError: Ray's processes did not start in time.
        KeyboardInterrupt: SIGTERM came meanwhile, which Ray handles while it starts.
    """
    with _environment(
        PYTHONSAFEPATH="1",
        PYTHONPATH=_absolute(os.environ.get("PYTHONPATH")),
        # By its name for other systems; anywhere, 0 is for a Ray of one machine: addresses are loopback's.
        RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
    ):
        import ray  # only now: it reads the last of the variables when it is imported

        for is_last in (False, True):
            try:
                # Ray puts the current folder on its workers' path, before all others.
                with chdir(folder), servers_in_groups_of_their_own():
                    ray.init(
                        address="local",
                        include_dashboard=False,
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                        _temp_dir=f"{folder}/r",  # which Ray opens to everybody; nobody else gets there
                    )
            except SystemExit as error:
                raise KeyboardInterrupt from error
            except Exception as error:  # Ray has no type for it, and waits for half a minute whatever is set
                if "timed out during startup" not in str(error):
                    raise
                ray.shutdown(wait_for_processes=True)
                if is_last:
                    why = "this machine is too busy or out of memory; try again when it is not"
                    raise GoemoError(f"Ray's processes did not start within 30 s, twice: {why}") from error
                say("Ray's processes did not start within 30 s: this machine is busy; trying once more")
            else:
                return


def room_for_sockets(say: Callable[[str], None]) -> Path:
    """Return a temporary folder whose path leaves room for Ray's sockets: ``$TMPDIR``, else ``/tmp``.

    Args:
        say: Told where it is not the first.

    Raises:
        GoemoError: There is none.
    """
    wanted = Path(tempfile.gettempdir())
    for folder in (wanted, Path("/tmp")):  # noqa: S108 - a folder in it is made, for this user alone
        if len(os.fsencode(folder)) + _BELOW <= _SOCKET_LIMIT and os.access(folder, os.W_OK):
            if folder != wanted:
                say(f"TMPDIR={wanted} is too long for Ray's sockets: Ray's files are in {folder}")
            return folder
    raise GoemoError(
        f"TMPDIR={wanted} cannot hold Ray's sockets; point it to a writable folder whose path has at most "
        f"{_SOCKET_LIMIT - _BELOW} characters"
    )


def keep_token_private() -> None:
    """Make Ray's token, which lets in whoever has it, readable by this user alone, whatever the umask.

    Where there is none it is made, as Ray would, but private. Where the environment gives a token, or says
    that none is asked for, nothing is to be done.

    Raises:
        GoemoError: Its folder cannot be written to.
    """
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(given) if given else Path.home() / ".ray" / "auth_token"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not given:
            _close(path.parent, 0o700)
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:  # 0700 from the start
                new = Path(folder) / path.name
                new.write_text(secrets.token_hex(32), encoding="utf-8")
                new.chmod(0o600)
                put_new(new, path)
        _close(path, 0o600)
    except OSError as error:
        raise GoemoError(
            f"Ray's token cannot be kept at {path} ({error.strerror}); name another in RAY_AUTH_TOKEN_PATH"
        ) from error


def _close(path: Path, mode: int) -> None:
    """Take from others what they may do with a file or folder of this user's."""
    found = path.stat()
    if found.st_uid == os.getuid() and found.st_mode & 0o077:
        path.chmod(mode)


def _absolute(paths: str | None) -> str | None:
    """Return a list of paths so that it means the same from any folder; an empty one, the current, goes."""
    if paths is None:
        return None
    return os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep) if path)


@contextmanager
def _environment(**values: str | None) -> Iterator[None]:
    """Set variables in the block, for this process and those that it starts; None leaves one as it is."""
    wanted = {name: value for name, value in values.items() if value is not None}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
