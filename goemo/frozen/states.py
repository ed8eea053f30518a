"""Cached inputs of the last encoder block, for every token, if that block is the first that trains."""

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
from goemo.models import prefix_states
from goemo.models.architectures import encoder_width
from goemo.tokens import TokenStore


@dataclass(frozen=True)
class FrozenStates(FrozenOutput):
    """One vector a token of a sequence, the sequences one after another, without padding.

    Attributes:
        states: float32, shape (tokens, hidden size), memory-mapped, read-only: a private mapping that could
            be written to would count as memory, and may be larger than the machine's.
        types: Token types, int8, shape (tokens,).
        offsets: Where each sequence begins, and the last ends: int64, shape (distinct sequences + 1,).
    """

    states: NDArray[np.float32]
    types: NDArray[np.int8]
    offsets: NDArray[np.int64]

    @classmethod
    def bytes_needed(cls, sequences: Sequences, hidden_size: int) -> int:
        """Return the size of the states that would be built, before they are."""
        return int(sequences.lengths.sum()) * hidden_size * np.dtype(np.float32).itemsize

    @classmethod
    def build(
        cls,
        folder: Path,
        model: Any,
        tokens: Mapping[str, TokenStore],
        sequences: Sequences,
        *,
        on_progress: Progress | None = None,
    ) -> FrozenStates:
        """Compute the states into a folder that appears only when it is complete.

        Args:
            folder: Where to; what another process has put there meanwhile is used instead.
            model: The prefix of a ``goemo.models.SplitModel``, in eval mode.
            tokens: The texts of each split.
            sequences: Those of the texts, from ``number_sequences``.
            on_progress: Called with the distinct sequences done and in all.
        """
        offsets = np.concatenate([[0], np.cumsum(sequences.lengths)])
        with built_folder(folder, is_cache=True) as partial:
            states = np.lib.format.open_memmap(
                partial / "states.npy",
                mode="w+",
                dtype=np.float32,
                shape=(int(offsets[-1]), encoder_width(model.config)),
            )
            types = np.zeros(len(states), dtype=np.int8)

            def keep(numbers: NDArray[np.int64], inputs: Inputs) -> None:
                is_token = inputs[1].bool()  # (b, t)
                at = _token_numbers(offsets, numbers)
                states[at] = prefix_states(model, *inputs)[is_token].cpu().numpy()
                if inputs[2] is not None:
                    types[at] = inputs[2][is_token].cpu().numpy()

            compute(sequences, tokens, model, keep, on_progress)
            states.flush()
            np.save(partial / "types.npy", types, allow_pickle=False)
            np.save(partial / "offsets.npy", offsets, allow_pickle=False)
            write_rows(partial, sequences)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> FrozenStates:
        """Map a built folder into memory."""
        arrays = [
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("states", "types", "offsets")
        ]
        return cls(*read_rows(folder), *arrays)


def _token_numbers(offsets: NDArray[np.int64], sequences: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of all tokens of some sequences, one sequence after another."""
    starts, lengths = offsets[sequences], offsets[sequences + 1] - offsets[sequences]
    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1])
