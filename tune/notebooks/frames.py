"""Data in memory: written once under the runs folder, by content, so that a search can be resumed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from goemo.errors import InputError
from goemo.files import built_folder
from tune.records import runs_folder

KINDS = (
    "a source such as dir:PATH, a pandas.DataFrame, a datasets.Dataset or DatasetDict, or a mapping of these"
)


def source_of(data: Any) -> str | None:
    """Return the source that stands for some data; what is in memory is written to ``mlruns/data/DIGEST``.

    Args:
        data: A source as text or a path, which is handed on; a ``pandas.DataFrame`` or a ``datasets.Dataset``
            of all rows; a ``datasets.DatasetDict``, or a mapping of splits to frames or data sets.

    Raises:
        InputError: It is none of these, or a frame has columns that cannot be written.
    """
    if data is None or isinstance(data, str):
        return data
    if hasattr(data, "__fspath__"):
        return f"dir:{data}"
    import datasets

    if isinstance(data, Mapping):
        if not data:
            raise InputError("data", ["has no split; name train at least"])
        splits = {str(name): _as_dataset(part, f"data[{name!r}]") for name, part in data.items()}
        whole: datasets.Dataset | datasets.DatasetDict = datasets.DatasetDict(splits)
    else:
        whole = _as_dataset(data, "data")
        splits = {"": whole}
    digest = hashlib.sha256()
    for name, part in splits.items():
        content = io.BytesIO()
        part.to_parquet(content)  # with its columns, their types and the names of their classes
        digest.update(name.encode() + b"\0" + content.getvalue())
    folder = runs_folder() / "data" / digest.hexdigest()[:16]
    if not folder.is_dir():
        with built_folder(folder) as partial:
            whole.save_to_disk(str(partial))
    return f"dir:{folder}"


def _as_dataset(data: Any, where: str) -> Any:
    import datasets
    import pandas as pd

    if isinstance(data, datasets.Dataset):
        return data
    if not isinstance(data, pd.DataFrame):
        raise InputError(where, [f"must be {KINDS}, got {type(data).__name__}"])
    try:
        return datasets.Dataset.from_pandas(data, preserve_index=False)
    except (TypeError, ValueError) as error:  # those of pyarrow are among them
        raise InputError(where, [f"cannot be written: {' '.join(str(error).split())[:300]}"]) from error
