"""Folders that are there whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PARTIAL = ".partial-"

# An unfinished folder of this age belongs to a process that was killed.
_ABANDONED_S = 24 * 3600


@contextmanager
def built_folder(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield an empty folder to fill; when the block ends without an error, it becomes ``folder``.

    Where ``folder`` has come into being meanwhile, through another process, that one stays, unless it shall
    be replaced. What is left of processes that were killed is removed after a day.

    Args:
        folder: What shall be there in the end, whole.
        replace: Put it in the place of an earlier one. Readers see either of them; a crash between the two
            renames leaves none.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder.parent)
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder.parent))
    try:
        yield partial
        partial.chmod(0o755)  # mkdtemp makes it private; a cache may be shared
        if replace and folder.is_dir():
            with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder.parent) as aside:
                folder.rename(Path(aside) / folder.name)
                partial.rename(folder)
            return
        try:
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for left in parent.glob(f"{_PARTIAL}*"):
        with suppress(FileNotFoundError):  # another process may be removing it too
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(left, ignore_errors=True)
