"""Folders that ``datasets`` wrote with ``save_to_disk``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goemo.configuration.data import DataOptions
from goemo.data.sources.datasets import from_dataset
from goemo.data.sources.found import Found
from goemo.data.tables import refuse


def is_saved(folder: Path) -> bool:
    """Tell whether a folder is a saved data set, or a dictionary of them."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def read_saved(folder: Path, options: DataOptions) -> Found:
    """Read a saved ``DatasetDict``, or one ``Dataset``, which has no splits.

    Raises:
        InputError: A file of it is missing or damaged.
    """
    import datasets  # seconds that only these folders need

    try:
        loaded: Any = datasets.load_from_disk(str(folder))
        return from_dataset(str(folder), loaded, options)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        refuse(str(folder), [f"not readable as a saved data set ({reason})"])
        raise
