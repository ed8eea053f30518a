"""Deletes a search: its runs in MLflow first, then its records, which say where those are."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from goemo.errors import GoemoError
from tune.driver.facts import same_store
from tune.housekeeping.sizes import size_of
from tune.records import SearchFolder, runs_folder, search_names
from tune.records.holding import held

TRASH = ".deleting"  # under the runs folder: records that are being removed


@dataclass(frozen=True)
class Deleted:
    """What was deleted.

    Attributes:
        name: The search.
        runs: How many runs were removed from the store.
        size: Bytes of records.
        remains: What remains elsewhere, in one line; empty where nothing does.
    """

    name: str
    runs: int
    size: int
    remains: str = ""


def delete_search(name: str, *, tracking_uri: str | None = None) -> Deleted:
    """Delete a search's records, runs and artifacts; one that was killed can be repeated.

    Models that were retrained from it, and what is registered of them, stay.

    Args:
        name: The search, exactly.
        tracking_uri: Of the store; None for the one that it was logged to, ``none`` to leave the store alone.

    Raises:
        InputError: There is no such search.
        GoemoError: It is running, or the store does not take its part; the records are still there then.
    """
    left = _trash(name)
    if is_half_deleted(name):
        return Deleted(name, 0, _empty(left))
    search = SearchFolder.open(name)
    with held(search):
        runs, remains = 0, ""
        search_id = _search_id(search)
        if search_id is not None:
            from tune.tracking import find_store
            from tune.tracking.tidying import remove_runs

            store = find_store(same_store(search, tracking_uri))
            try:
                removed = remove_runs(store, search_id)
            except GoemoError:
                raise
            except Exception as error:
                why = store.hide(str(error).strip().splitlines()[0] if str(error).strip() else "no reason")
                raise GoemoError(
                    f"{store.shown}: runs of {name} could not be removed ({why}); nothing else was deleted; "
                    f"to leave them there: goemo delete {name} --tracking-uri none"
                ) from error
            runs, remains = removed.runs, removed.remains
        target = runs_folder() / TRASH / f"{name}-{time.time_ns()}"
        target.parent.mkdir(exist_ok=True)
        search.path.rename(target)  # from here on the search is gone, however little of it is removed
    return Deleted(name, runs, _empty([*left, target]), remains)


def is_half_deleted(name: str) -> bool:
    """Return whether a deletion of this search was killed when only a part of the records was left."""
    return bool(_trash(name)) and name not in search_names()


def _search_id(search: SearchFolder) -> str | None:
    """Return what the runs are found by; None where nothing was ever logged, or what says so is damaged."""
    try:
        value = search.facts.get("search_id")
    except GoemoError:
        return None
    return None if value is None else str(value)


def _trash(name: str) -> list[Path]:
    """Return what an earlier deletion of this name has left."""
    folder = runs_folder() / TRASH
    found = folder.iterdir() if folder.is_dir() else ()
    return [path for path in found if path.name.rpartition("-")[0] == name]


def _empty(folders: list[Path]) -> int:
    size = sum(size_of(folder) for folder in folders)
    for folder in folders:
        shutil.rmtree(folder)
    parent = runs_folder() / TRASH
    if parent.is_dir() and not any(parent.iterdir()):
        parent.rmdir()
    return size
