"""Common parts of all stored outputs of a frozen encoder: their texts and lengths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from goemo.frozen.sequences import Sequences

# Without it, a folder is none of these.
FACTS = "prefix.json"


@dataclass(frozen=True)
class FrozenOutput:
    """An encoder's output for distinct sequences of tokens, on disk.

    Attributes:
        max_lengths: The maximum lengths covered, ascending.
        rows: For each split, the number of each text's sequence: int64, shape (maximum lengths, texts).
    """

    max_lengths: tuple[int, ...]
    rows: Mapping[str, NDArray[np.int64]]

    def rows_for(self, split: str, max_length: int) -> NDArray[np.int64]:
        """Return, for each text of a split, the number of its sequence when truncated to ``max_length``.

        Raises:
            ValueError: The maximum length is not covered.
        """
        if max_length not in self.max_lengths:
            raise ValueError(f"max_length must be one of {self.max_lengths}, got {max_length}")
        rows: NDArray[np.int64] = self.rows[split][self.max_lengths.index(max_length)]
        return rows


def write_rows(folder: Path, sequences: Sequences) -> None:
    """Write for which texts the output in a folder is."""
    for split, rows in sequences.rows.items():
        np.save(folder / f"rows-{split}.npy", rows, allow_pickle=False)
    facts = {"max_lengths": sequences.max_lengths, "splits": list(sequences.rows)}
    (folder / FACTS).write_text(json.dumps(facts), encoding="utf-8")


def read_rows(folder: Path) -> tuple[tuple[int, ...], dict[str, NDArray[np.int64]]]:
    """Return what ``write_rows`` wrote: the maximum lengths and the rows, memory-mapped."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    rows = {
        split: np.load(folder / f"rows-{split}.npy", mmap_mode="r", allow_pickle=False)
        for split in facts["splits"]
    }
    return tuple(facts["max_lengths"]), rows


def output_folders(parent: Path) -> list[Path]:
    """Return the built folders in a folder, the oldest first."""
    files = sorted(parent.glob(f"[!.]*/{FACTS}"), key=lambda path: (path.stat().st_mtime_ns, path))
    return [path.parent for path in files]


def covered_lengths(parent: Path) -> set[int]:
    """Return the maximum lengths for which one of the built folders in a folder has output."""
    return {length for folder in output_folders(parent) for length in read_rows(folder)[0]}
