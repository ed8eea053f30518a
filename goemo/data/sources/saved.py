"""Folders that ``datasets`` wrote with ``save_to_disk``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goemo.configuration.data import DataOptions
from goemo.data.sources.datasets import from_dataset
from goemo.data.sources.found import SourceContent
from goemo.errors import GoemoError, InputError, first_line

_MOST_SPLITS = 100


def is_saved(folder: Path) -> bool:
    """Tell whether a folder is a saved data set, or a dictionary of them."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def _check_splits(folder: Path) -> None:
    """Refuse a dictionary that names a split again and again, which the library would read each time."""
    path = folder / "dataset_dict.json"
    if not path.is_file():
        return
    from goemo.configuration.json_files import (  # with pydantic, as late as the rest
        UnreadableError,
        read_json,
    )

    try:
        splits = read_json(path, dict[str, list[str]]).get("splits", [])
    except UnreadableError as error:
        raise InputError(str(folder), [str(error)]) from error
    if len(set(splits)) < len(splits) or len(splits) > _MOST_SPLITS:
        raise InputError(str(path), [f"must name each split once, and at most {_MOST_SPLITS}"])


def read_saved(folder: Path, options: DataOptions) -> SourceContent:
    """Read a saved ``DatasetDict``, or one ``Dataset``, which has no splits.

    Raises:
        InputError: A file of it is missing or damaged.
    """
    import datasets  # seconds that only these folders need

    _check_splits(folder)
    try:
        loaded: Any = datasets.load_from_disk(str(folder))
        return from_dataset(str(folder), loaded, options)
    except GoemoError:
        raise
    except Exception as error:
        raise InputError(str(folder), [f"not readable as a saved data set ({first_line(error)})"]) from error
