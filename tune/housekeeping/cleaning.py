"""Cleaning: caches, weights of ended searches and half-done work, which cost no result."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from goemo.errors import GoemoError
from tune.housekeeping.deleting import TRASH
from tune.housekeeping.sizes import size_of
from tune.records import SearchFolder, runs_folder, search_names
from tune.records.holding import are_caches_used, is_held

HALF_DONE_S = 24 * 3600  # after this, what was left half done belongs to a process that was killed
SEEDS = "seeds"  # below the caches, but hours of training, as weights are


@dataclass(frozen=True)
class Removable:
    """Something that can be removed.

    Attributes:
        path: A folder.
        what: What it is, and what makes it again.
        size: In bytes.
        used: When it was last used, in seconds since the epoch.
    """

    path: Path
    what: str
    size: int
    used: float


def find_waste(*, older_than_s: float = 0.0, keep_bytes: int = 0, models: bool = False) -> list[Removable]:
    """Return what could be removed, the least recently used first.

    Args:
        older_than_s: Leave what was used more recently than this.
        keep_bytes: Leave the most recently used caches, as many as fit into this.
        models: Also the weights that complete searches keep of their leaders, and the finished seeds that a
            retrain has kept which was killed.

    Raises:
        GoemoError: A search or a retrain is running: what it reads is not told from the rest.
    """
    _refuse_if_used()
    found = [*_caches(keep_bytes), *_half_done()]
    if models:
        found += [*_models(), *_seeds()]
    now = time.time()
    return sorted((one for one in found if now - one.used >= older_than_s), key=lambda one: one.used)


def clean(waste: Sequence[Removable]) -> int:
    """Remove what `find_waste` has found; return the bytes that it took.

    Raises:
        GoemoError: As `find_waste`, of what was started since.
    """
    _refuse_if_used()
    for one in waste:
        shutil.rmtree(one.path)
    return sum(one.size for one in waste)


def _refuse_if_used() -> None:
    busy = [name for name in search_names() if is_held(SearchFolder.open(name))]
    if busy:
        raise GoemoError(
            f"{', '.join(busy)} is running, and may read what would be removed; wait until it ends"
        )
    if are_caches_used():
        raise GoemoError("a command that reads the caches is running; wait until it ends")


def _caches(keep_bytes: int) -> Iterator[Removable]:
    cache = runs_folder() / "cache"
    kinds = (kind for kind in _folders(cache) if kind.name != SEEDS)
    folders = [path for kind in kinds for path in _folders(kind) if not _is_in_the_making(path)]
    kept = 0
    for used, path in sorted(((_used(path), path) for path in folders), reverse=True):
        size = size_of(path)
        if kept + size <= keep_bytes:
            kept += size
            continue
        what = {
            "prepared": "tokens and outputs of a frozen encoder; rebuilt by the next search on the data",
            "scratch": "a tokenizer and random weights; rebuilt by the next search on the data",
        }.get(path.parent.name, "a cache; rebuilt when needed")
        yield Removable(path, what, size, used)


def _half_done() -> Iterator[Removable]:
    """Yield records that were being deleted, and folders without a search that are a day old."""
    for path in _folders(runs_folder() / TRASH):
        yield Removable(path, "a search that was being deleted", size_of(path), 0.0)
    for path in _folders(runs_folder() / "searches"):
        age = time.time() - path.stat().st_mtime
        if not (path / "search.yaml").exists() and age > HALF_DONE_S:
            yield Removable(path, "a search that never started", size_of(path), path.stat().st_mtime)


def _models() -> Iterator[Removable]:
    for name in search_names():
        search = SearchFolder.open(name)
        if search.facts.get("status") != "complete":
            continue
        for path in sorted(search.path.glob("trials/*/model")):
            what = f"weights of {name} {path.parent.name}; goemo export and goemo retrain make them again"
            yield Removable(path, what, size_of(path), path.stat().st_mtime)


def _seeds() -> Iterator[Removable]:
    for path in _folders(runs_folder() / "cache" / SEEDS):
        what = "finished seeds of a retrain that was killed; repeated, it goes on from them"
        yield Removable(path, what, size_of(path), path.stat().st_mtime)


def _is_in_the_making(path: Path) -> bool:
    return path.name.startswith(".") and time.time() - path.stat().st_mtime < HALF_DONE_S


def _folders(parent: Path) -> list[Path]:
    return [path for path in sorted(parent.glob("*")) if path.is_dir() and not path.is_symlink()]


def _used(folder: Path) -> float:
    """Return when a cache was last written or read; file systems tell the latter to the day."""
    times = [folder.stat().st_mtime]
    for path in folder.rglob("*.json"):
        times += [path.stat().st_atime, path.stat().st_mtime]
    return max(times)
