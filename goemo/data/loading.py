"""Rows without splits: files to predict, and files to evaluate on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.configuration.data import DataOptions
from goemo.data.reading import read_source


@dataclass(frozen=True, eq=False)
class Rows:
    """All rows of a source, whichever splits they stand in.

    Attributes:
        source: As asked for.
        texts: As they stand; those of several columns joined.
        ids: The rows' own, else file and line.
        columns: All columns of the rows as they stand; empty unless asked for.
        labels: Names of the labels; empty where they were not asked for.
        targets: True where the label applies, shape (n_rows, n_labels).
        splits: The splits that the source has; empty where it has none.
        text_columns: Where the texts stand.
        notes: How it was read, and what is likely wrong with it.
    """

    source: str
    texts: list[str]
    ids: list[str]
    columns: Mapping[str, list[Any]]
    labels: tuple[str, ...]
    targets: NDArray[np.bool_]
    splits: tuple[str, ...]
    text_columns: tuple[str, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def load_rows(
    source: str,
    *,
    options: DataOptions | None = None,
    needs_labels: bool = True,
    keeps_columns: bool = False,
    seed: int = 42,
) -> Rows:
    """Load all rows of a source, in the order of its files.

    Args:
        source: As of `goemo.data.load_splits`.
        options: How to read it, where that cannot be found out.
        needs_labels: False to read texts alone: no labels are needed, and an empty text is a row.
        keeps_columns: True to keep all columns beside them.
        seed: Of the built-in corpus.

    Raises:
        InputError: The source or its data is wrong: all problems at once, the first 20 in full.
        GoemoError: The hub cannot be reached and its cache does not have the data.
    """
    options = options or DataOptions()
    reading = read_source(source, seed, options, needs_labels=needs_labels, keeps_columns=keeps_columns)
    parts = list(reading.parts.values())
    labels = reading.names.names
    return Rows(
        source=source,
        texts=[text for part in parts for text in part.texts],
        ids=[row_id for part in parts for row_id in part.ids],
        columns=reading.columns,
        labels=labels,
        targets=np.concatenate([part.stacked(len(labels)) for part in parts]),
        splits=tuple(split for split in reading.parts if split is not None),
        text_columns=reading.roles.text,
        notes=(*reading.notes, *reading.warnings),
    )
