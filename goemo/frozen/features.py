"""Cached inputs of the head, one vector per text, if only the head trains and that is all it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.files import built_folder
from goemo.frozen.sequences import Inputs, Sequences, compute
from goemo.frozen.stored import FrozenOutput, read_rows, write_rows
from goemo.inference import Progress
from goemo.models import head_features
from goemo.models.architectures import encoder_width
from goemo.tokens import TokenStore


@dataclass(frozen=True)
class FrozenFeatures(FrozenOutput):
    """One vector a sequence.

    Attributes:
        features: float32, shape (distinct sequences, hidden size), memory-mapped copy-on-write: torch takes
            it without a copy, and nothing written to it reaches the file or another process.
    """

    features: NDArray[np.float32]

    @classmethod
    def bytes_needed(cls, sequences: Sequences, hidden_size: int) -> int:
        """Return the size of the features that would be built, before they are."""
        return len(sequences) * hidden_size * np.dtype(np.float32).itemsize

    @classmethod
    def build(
        cls,
        folder: Path,
        model: Any,
        tokens: Mapping[str, TokenStore],
        sequences: Sequences,
        *,
        on_progress: Progress | None = None,
    ) -> FrozenFeatures:
        """Compute the features into a folder that appears only when it is complete.

        Args:
            folder: Where to; what another process has put there meanwhile is used instead.
            model: In eval mode, with ``reads_one_vector``.
            tokens: The texts of each split.
            sequences: Those of the texts, from ``number_sequences``.
            on_progress: Called with the distinct sequences done and in all.
        """
        with built_folder(folder, is_cache=True) as partial:
            features = np.lib.format.open_memmap(
                partial / "features.npy",
                mode="w+",
                dtype=np.float32,
                shape=(len(sequences), encoder_width(model.config)),
            )

            def keep(numbers: NDArray[np.int64], inputs: Inputs) -> None:
                features[numbers] = head_features(model, *inputs).cpu().numpy()

            compute(sequences, tokens, model, keep, on_progress)
            features.flush()
            write_rows(partial, sequences)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> FrozenFeatures:
        """Map a built folder into memory."""
        features = np.load(folder / "features.npy", mmap_mode="c", allow_pickle=False)
        return cls(*read_rows(folder), features)
