"""Folders that ``datasets`` wrote with ``save_to_disk``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from goemo.configuration.data import DataOptions
from goemo.data.sources.datasets import from_dataset
from goemo.data.tables import SourceContent
from goemo.errors import GoemoError, InputError, first_line

_MOST_SPLITS = 100


def is_saved(folder: Path) -> bool:
    """Tell whether a folder is a saved data set, or a dictionary of them."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def _check_names(folder: Path) -> None:
    """Refuse what names a split or a file again and again, which the library would read each time."""
    # With pydantic, as late as the rest.
    from goemo.configuration.json_files import UnreadableError, read_json

    dictionary, states = folder / "dataset_dict.json", [folder / "state.json"]
    try:
        if dictionary.is_file():
            splits = read_json(dictionary, dict[str, list[str]]).get("splits", [])
            if len(set(splits)) < len(splits) or len(splits) > _MOST_SPLITS:
                raise InputError(str(dictionary), [f"must name each split once, and at most {_MOST_SPLITS}"])
            states = [folder / split / "state.json" for split in splits]
        for state in filter(Path.is_file, states):
            files = read_json(state, dict[str, Any]).get("_data_files")
            if isinstance(files, list) and len({str(file) for file in files}) < len(files):
                raise InputError(str(state), ["must name each file once"])
    except UnreadableError as error:
        raise InputError(str(folder), [str(error)]) from error


def read_saved(folder: Path, options: DataOptions) -> SourceContent:
    """Read a saved ``DatasetDict``, or one ``Dataset``, which has no splits.

    Raises:
        InputError: A file of it is missing or damaged.
    """
    import datasets  # seconds that only these folders need

    _check_names(folder)
    try:
        loaded: Any = datasets.load_from_disk(str(folder))
        return from_dataset(str(folder), loaded, options)
    except GoemoError:
        raise
    except Exception as error:
        raise InputError(str(folder), [f"not readable as a saved data set ({first_line(error)})"]) from error
