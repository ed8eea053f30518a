"""The frozen encoder's output, computed once and shared by all trials of a search.

Where only the head trains and the head reads one token, everything before it is the same in every step of
every trial. It is computed here once for each distinct pair of text and truncated length, without dropout,
and kept in a file that all processes map into memory: a text that fits the shorter of two maximum lengths
has one row for both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from goemo.batches import length_order_batches, texts_per_pass
from goemo.files import built_folder
from goemo.inference import Progress, token_batch
from goemo.models import head_features
from goemo.tokens import TokenStore

# Tokens a forward pass at most; on a CPU, 8192 were a fifth slower.
_TOKENS_PER_BATCH = 4096


@dataclass(frozen=True)
class FrozenFeatures:
    """What the head reads of every text, for some maximum lengths.

    Attributes:
        features: float32, shape (distinct sequences, hidden size), memory-mapped copy-on-write: torch takes
            it without a copy, and nothing written to it reaches the file or another process.
        max_lengths: The maximum lengths covered, ascending.
        rows: For each split, where each text's features are: int64, shape (maximum lengths, texts).
    """

    features: NDArray[np.float32]
    max_lengths: tuple[int, ...]
    rows: Mapping[str, NDArray[np.int64]]

    def rows_for(self, split: str, max_length: int) -> NDArray[np.int64]:
        """Return, for each text of a split, its row in ``features`` when cut to ``max_length``.

        Raises:
            ValueError: The maximum length is not covered.
        """
        if max_length not in self.max_lengths:
            raise ValueError(f"max_length must be one of {self.max_lengths}, got {max_length}")
        rows: NDArray[np.int64] = self.rows[split][self.max_lengths.index(max_length)]
        return rows

    @classmethod
    def build(
        cls,
        folder: Path,
        model: Any,
        tokens: Mapping[str, TokenStore],
        max_lengths: Sequence[int],
        *,
        on_progress: Progress | None = None,
    ) -> FrozenFeatures:
        """Compute the features into a folder that appears only when it is complete.

        Args:
            folder: Where to; what another process has put there meanwhile is used instead.
            model: In eval mode, with ``reads_one_token``.
            tokens: The texts of each split.
            max_lengths: Maximum lengths to cover.
            on_progress: Called with the distinct sequences done and in all.
        """
        lengths = tuple(sorted(set(max_lengths)))
        rows, count = _number_sequences(tokens, lengths)
        with built_folder(folder, is_cache=True) as partial:
            features = np.lib.format.open_memmap(
                partial / "features.npy",
                mode="w+",
                dtype=np.float32,
                shape=(count, model.config.hidden_size),
            )
            done = 0
            for split, store in tokens.items():
                for texts, max_length, longest, at in _passes(store, rows[split], lengths):
                    with torch.inference_mode():
                        inputs = token_batch(store, texts, max_length, longest, model.device)
                        features[at] = head_features(model, *inputs).cpu().numpy()
                    done += len(texts)
                    if on_progress is not None:
                        on_progress(done, count)
                np.save(partial / f"rows-{split}.npy", rows[split], allow_pickle=False)
            features.flush()
            (partial / "prefix.json").write_text(
                json.dumps({"max_lengths": lengths, "splits": list(tokens)}), encoding="utf-8"
            )
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> FrozenFeatures:
        """Map a built folder into memory."""
        facts = json.loads((folder / "prefix.json").read_text(encoding="utf-8"))
        return cls(
            features=np.load(folder / "features.npy", mmap_mode="c", allow_pickle=False),
            max_lengths=tuple(facts["max_lengths"]),
            rows={
                split: np.load(folder / f"rows-{split}.npy", mmap_mode="r", allow_pickle=False)
                for split in facts["splits"]
            },
        )


def feature_bytes(tokens: Mapping[str, TokenStore], max_lengths: Sequence[int], hidden_size: int) -> int:
    """Return the size of the file of features that would be built, before it is."""
    _, count = _number_sequences(tokens, tuple(sorted(set(max_lengths))))
    return count * hidden_size * np.dtype(np.float32).itemsize


def _number_sequences(
    tokens: Mapping[str, TokenStore], max_lengths: tuple[int, ...]
) -> tuple[dict[str, NDArray[np.int64]], int]:
    """Number the distinct sequences; return shape (maximum lengths, texts) for each split, and the count."""
    numbers: dict[str, NDArray[np.int64]] = {}
    count = 0
    for split, store in tokens.items():
        cut = np.stack([store.lengths(m) for m in max_lengths])  # (m, n), ascending along m
        # A longer maximum gives another sequence only where it lets more tokens in.
        is_new = np.ones(cut.shape, dtype=bool)
        is_new[1:] = cut[1:] > cut[:-1]
        numbered = np.cumsum(is_new.T.ravel()).reshape(is_new.T.shape).T - 1  # texts in order, lengths within
        numbers[split] = np.ascontiguousarray(numbered + count, dtype=np.int64)
        count += int(is_new.sum())
    return numbers, count


def _passes(
    store: TokenStore, numbers: NDArray[np.int64], max_lengths: tuple[int, ...]
) -> list[tuple[NDArray[np.int64], int, int, NDArray[np.int64]]]:
    """Return the forward passes as texts, maximum length, longest text, and where the features go."""
    passes = []
    for i, max_length in enumerate(max_lengths):
        is_new = numbers[i] != numbers[i - 1] if i else np.ones(len(store), dtype=bool)
        texts = np.flatnonzero(is_new)
        cut = store.lengths(max_length)[texts]
        batch_size = texts_per_pass(_TOKENS_PER_BATCH, max_length, most=_TOKENS_PER_BATCH)
        for chosen in length_order_batches(cut, batch_size):
            at = numbers[i][texts[chosen]]
            passes.append((texts[chosen], max_length, int(cut[chosen[0]]), at))
    return passes
