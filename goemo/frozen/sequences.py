"""The distinct sequences of tokens among texts truncated to several maximum lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goemo.inference import Progress, look_at_all, token_batch, width_multiple
from goemo.models.padding import reads_one_length
from goemo.tokens import TokenStore
from goemo.tokens.batches import Rows

# Input ids, attention mask and token types, shape (b, t) each, as ``goemo.inference.token_batch`` gives them.
Inputs = tuple[Tensor, Tensor, Tensor | None]


@dataclass(frozen=True)
class Sequences:
    """Distinct sequences, numbered, and where each comes from.

    Attributes:
        max_lengths: Maximum lengths that texts are truncated to, ascending.
        rows: For each split, the number of each text's sequence: int64, shape (maximum lengths, texts).
        lengths: Tokens of each sequence, special tokens included, shape (sequences,).
        sources: For each split and maximum length, as (numbers, texts): the sequences that are computed from
            these texts, each sequence from one.
    """

    max_lengths: tuple[int, ...]
    rows: Mapping[str, NDArray[np.int64]]
    lengths: NDArray[np.int64]
    sources: Mapping[tuple[str, int], tuple[NDArray[np.int64], NDArray[np.int64]]]

    def __len__(self) -> int:
        """Return the number of distinct sequences."""
        return len(self.lengths)


def number_sequences(tokens: Mapping[str, TokenStore], max_lengths: Sequence[int]) -> Sequences:
    """Number the distinct sequences of all splits, truncated to some maximum lengths."""
    ascending = tuple(sorted(set(max_lengths)))
    known: dict[bytes, int] = {}
    rows: dict[str, NDArray[np.int64]] = {}
    sources: dict[tuple[str, int], tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
    lengths: list[NDArray[np.int64]] = []
    for split, store in tokens.items():
        rows[split] = np.empty((len(ascending), len(store)), dtype=np.int64)
        shorter = np.zeros(len(store), dtype=np.int64)
        for i, max_length in enumerate(ascending):
            lengths_here = store.lengths(max_length)
            # A longer maximum gives another sequence only where it lets more tokens in.
            rows[split][i] = rows[split][i - 1]
            starts, ends = store.spans(max_length)
            before, new = len(known), list[int]()
            for text in np.flatnonzero(lengths_here > shorter):
                number = known.setdefault(store.ids[starts[text] : ends[text]].tobytes(), len(known))
                rows[split][i, text] = number
                if number == before + len(new):
                    new.append(int(text))
            texts = np.array(new, dtype=np.int64)
            sources[split, max_length] = (np.arange(before, len(known)), texts)
            lengths.append(lengths_here[texts])
            shorter = lengths_here
    return Sequences(ascending, rows, np.concatenate(lengths), sources)


def compute(
    sequences: Sequences,
    tokens: Mapping[str, TokenStore],
    model: Any,
    keep: Callable[[NDArray[np.int64], Inputs], None],
    on_progress: Progress | None,
) -> None:
    """Make forward passes over all sequences, in length order for each split and maximum length.

    Args:
        sequences: What to compute.
        tokens: The texts that they are numbered from.
        model: What will compute them, where it does; it says whether sequences of one length alone share a
            pass.
        keep: Called, without gradients, with the numbers of some sequences and their inputs on the device;
            on a CPU by several threads at once.
        on_progress: Called with the sequences done and in all.
    """
    done = 0
    for source, (numbers, _) in sequences.sources.items():
        tell = None if on_progress is None else partial(_tell, on_progress, done, len(sequences))
        _compute_some(sequences, source, tokens, model, keep, on_progress=tell)
        done += len(numbers)


def _compute_some(
    sequences: Sequences,
    source: tuple[str, int],
    tokens: Mapping[str, TokenStore],
    model: Any,
    keep: Callable[[NDArray[np.int64], Inputs], None],
    *,
    on_progress: Progress | None,
) -> None:
    """Compute the sequences that come from texts of one split, truncated to one maximum length."""
    split, max_length = source
    numbers, texts = sequences.sources[source]
    lengths = sequences.lengths[numbers]
    device, is_one_length = model.device, reads_one_length(model)
    multiple = 1 if is_one_length else width_multiple(device)

    def look(rows: Rows) -> None:
        longest = int(lengths[rows].max())
        with torch.inference_mode():
            keep(
                numbers[rows],
                token_batch(tokens[split], texts[rows], max_length, longest, device, multiple=multiple),
            )

    look_at_all(look, lengths, max_length, device, is_one_length=is_one_length, on_progress=on_progress)


def _tell(on_progress: Progress, before: int, total: int, done: int, _: int) -> None:
    on_progress(before + done, total)
