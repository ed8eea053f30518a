"""Files and folders that are written whole or not at all, and sizes in words."""

from __future__ import annotations

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from goemo.errors import InputError

_PARTIAL = ".goemo-partial-"

# An unfinished folder of this age belongs to a process that was killed.
_ABANDONED_S = 24 * 3600


def put_new(new: Path, path: Path) -> bool:
    """Give a whole file the name ``path`` where nothing has it; where another process was faster, its stays.

    Args:
        new: The file, in the same file system.
        path: Its name.

    Returns:
        Whether the file has got it.
    """
    try:
        os.link(new, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        new.rename(path)
    return True


@contextmanager
def built_folder(
    folder: Path, *, replace: bool = False, is_cache: bool = False, last: str = ""
) -> Iterator[Path]:
    """Yield an empty folder to fill; when the block ends without an error, it becomes ``folder``.

    Where ``folder`` has come into being meanwhile, through another process, that one stays, unless it shall
    be replaced. A folder that exists and is to be replaced is filled where it is when it is empty, a mount
    point or the working directory: none of these can be renamed over.

    Args:
        folder: What shall be there in the end, whole.
        replace: Put it in the place of an earlier one. Readers see either of them; a crash between the two
            renames leaves none.
        is_cache: The parent belongs to this project alone, so what is left there of processes that were
            killed is removed after a day.
        last: The file without which a folder that is filled in place does not count as whole.
    """
    folder = Path(folder).resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    if is_cache:
        remove_abandoned(folder.parent, _PARTIAL)
    is_filled = replace and folder.is_dir() and is_filled_in_place(folder)
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder if is_filled else folder.parent))
    try:
        yield partial
        partial.chmod(0o755)  # mkdtemp makes it private; a cache may be shared
        if is_filled:
            _fill(folder, partial, last)
        elif replace and folder.is_dir():
            _swap(folder, partial)
        else:
            _appear(folder, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def built_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; when the block ends without an error, that file becomes ``path``.

    An earlier file is replaced; a link keeps leading to it.

    Raises:
        InputError: As in ``check_file_target``.
    """
    check_file_target(path)
    path = Path(path).resolve()
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=path.parent) as beside:
        partial = Path(beside) / path.name
        yield partial
        partial.replace(path)


def check_file_target(path: Path) -> None:
    """Say before long work whether a file can be written where its result shall be.

    Raises:
        InputError: The path is a folder or a device, or its folder is not there or cannot be written to.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        raise InputError(str(path), ["must be a file, but something else is there"])
    if not target.parent.is_dir():
        raise InputError(str(path), [f"cannot be written: there is no folder {target.parent}"])
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise InputError(str(path), [f"cannot be written: no write permission in {target.parent}"])


def check_model_folder(folder: Path) -> None:
    """Say where a model folder comes from, if there is none.

    Raises:
        InputError: It is no folder.
    """
    if not folder.is_dir():
        raise InputError(str(folder), ["no such folder; give one that goemo retrain wrote"])


def _appear(folder: Path, partial: Path) -> None:
    """Let the folder come into being, unless another process was faster."""
    try:
        partial.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _swap(folder: Path, partial: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder.parent) as aside:
        folder.rename(Path(aside) / folder.name)
        partial.rename(folder)


def is_filled_in_place(folder: Path) -> bool:
    """Return whether a folder stays where `built_folder` replaces it, because none can take its place."""
    return not any(folder.iterdir()) or folder.is_mount() or folder == Path.cwd()


def _fill(folder: Path, partial: Path, last: str) -> None:
    """Move the new files into a folder that stays, the one that makes it whole at the end."""
    if last:
        (folder / last).unlink(missing_ok=True)
    for old in folder.iterdir():
        if old != partial:
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    for new in sorted(partial.iterdir(), key=lambda path: path.name == last):
        new.rename(folder / new.name)


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove folders of a name that begins so and that nothing has written to for a day."""
    for left in parent.glob(f"{glob.escape(prefix)}*"):
        with suppress(FileNotFoundError):  # another process may be removing it too
            if left.is_dir() and not left.is_symlink() and time.time() - left.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)


def amount(size: float) -> str:
    """Return bytes in the unit that people would use."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
