"""Passes that only look: no gradients, texts in length order, large batches; and the choice of the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goemo.batches import length_order_batches, padded_width, texts_per_pass
from goemo.models import model_inputs
from goemo.tokens import TokenStore

# Called with what is done and what there is to do.
Progress = Callable[[int, int], None]

# Padded tokens a forward pass at most: 256 texts of 64, and as much memory for longer ones.
_TOKENS_PER_PASS = 16384


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device asked for; when none is, the current GPU where torch can use one, else the CPU."""
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if chosen.type == "cuda" and chosen.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return chosen


def token_batch(
    store: TokenStore, rows: NDArray[np.int64], max_length: int, longest: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return input ids, attention mask and token types of some texts, shape (b, t) each, on the device.

    Token types are None where the tokenizer gives none unasked, as a ``transformers`` pipeline has it.
    ``longest`` is the length of the longest of the texts, cut to ``max_length``.
    """
    width = padded_width(longest, max_length)
    batch = store.batch(rows, max_length, width=width)
    types = _to(batch.token_type_ids, device) if store.template.returns_types else None
    return _to(batch.input_ids, device), _to(batch.attention_mask, device), types


def predict_logits(
    model: Any,
    store: TokenStore,
    max_length: int,
    *,
    batch_size: int | None = None,
    on_progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Return the logits of all texts of a store, in its order, computed in float32.

    Args:
        model: In eval mode.
        store: The texts.
        max_length: Tokens per text at most.
        batch_size: Texts a forward pass; by default as many as hold 16,384 tokens, at most 256.
        on_progress: Called with the texts done and the texts in all.

    Returns:
        Shape (texts, labels).
    """
    logits = np.empty((len(store), model.config.num_labels), dtype=np.float32)
    lengths = store.lengths(max_length)
    batch_size = batch_size or texts_per_pass(_TOKENS_PER_PASS, max_length)
    done = 0
    with torch.inference_mode():
        for rows in length_order_batches(lengths, batch_size):
            batch = token_batch(store, rows, max_length, int(lengths[rows[0]]), model.device)
            inputs = model_inputs(model, *batch)
            logits[rows] = model(**inputs).logits.float().cpu().numpy()
            done += len(rows)
            if on_progress is not None:
                on_progress(done, len(store))
    return logits


def _to(array: NDArray[np.int64], device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device, non_blocking=True)


def sigmoid_scores(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return scores in [0, 1] for logits, same shape, in float32."""
    scores: NDArray[np.float32] = torch.from_numpy(logits).sigmoid().numpy()
    return scores
