"""Encoders that score a text differently when it is padded: their batches hold texts of one length.

Nystromformer averages over segments of the padded width, ConvBERT's convolutions reach into the padding, FNet
has no mask at all, and absolute positions count from the left edge of a batch that is padded there. A score
must not depend on which texts share its batch, so these never share one with a text of another length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goemo.errors import InputError
from goemo.models.architectures import model_inputs
from goemo.models.failures import FAILURES, reason
from goemo.tokens import TokenStore
from goemo.tokens.batches import Rows

# Written to config.json, where plain transformers carries it along.
ONE_LENGTH_KEY = "goemo_one_length"

# By how much logits may differ, relative to the largest; rounding gives a millionth.
_TOLERANCE = 1e-3


def reads_one_length(model: Any) -> bool:
    """Say whether the texts of a batch have to be of one length, so that none is padded."""
    return bool(getattr(model.config, ONE_LENGTH_KEY, False))


def set_one_length(model: Any) -> None:
    """Have the texts of a batch be of one length; a saved model keeps this."""
    setattr(model.config, ONE_LENGTH_KEY, True)


def settle_padding(model: Any, name: str, store: TokenStore, max_length: int) -> None:
    """Find out whether padding changes what a text scores, and then have batches hold texts of one length.

    The shortest, the longest and a text between them are scored alone and in one batch.

    Args:
        model: In eval mode, on its device.
        name: Of the checkpoint, for messages.
        store: Texts to try, at least one.
        max_length: Tokens per text at most.

    Raises:
        InputError: ``transformers`` cannot score a text, or scores the same text differently each time.
    """
    if reads_one_length(model):
        return
    lengths = store.lengths(max_length)
    rows = _few(lengths)
    try:
        alone = torch.cat([row_logits(model, store, rows[i : i + 1], max_length) for i in range(len(rows))])
    except FAILURES as error:
        problem = f"transformers cannot score a text of {lengths[rows].min()} tokens: {reason(error)}"
        raise InputError(name, [problem]) from error
    if not bool(alone.isfinite().all()):
        raise InputError(name, ["its scores are not numbers even before training"])
    if not _is_other(model, store, rows, max_length, alone):
        return
    for row, expected in zip(rows, alone, strict=True):
        if _is_other(model, store, np.array([row, row]), max_length, expected.expand(2, -1)):
            problem = "transformers scores the same text differently each time with this architecture"
            raise InputError(name, [f"{problem} ({model.config.model_type}); take another"])
    set_one_length(model)


@torch.no_grad()
def row_logits(model: Any, store: TokenStore, rows: Rows, max_length: int) -> Tensor:
    """Return the logits of some texts, padded to the longest of them, shape (b, l), in the model's mode."""
    return trained_logits(model, store, rows, max_length)


def trained_logits(model: Any, store: TokenStore, rows: Rows, max_length: int) -> Tensor:
    """Return what ``row_logits`` returns, with gradients."""
    logits: Tensor = model(**_inputs(model, store, rows, max_length)).logits
    return logits.float()


def few_inputs(model: Any, store: TokenStore, max_length: int) -> dict[str, Tensor]:
    """Return the arguments of a pass over the shortest, the longest and a text between them."""
    rows = _few(store.lengths(max_length))
    return _inputs(model, store, rows[-1:] if reads_one_length(model) else rows, max_length)


def _few(lengths: NDArray[np.int64]) -> Rows:
    order = np.argsort(lengths, kind="stable")
    return np.unique(order[[0, len(order) // 2, -1]])


def _inputs(model: Any, store: TokenStore, rows: Rows, max_length: int) -> dict[str, Tensor]:
    batch = store.batch(rows, max_length)
    types = torch.from_numpy(batch.token_type_ids).to(model.device) if store.template.returns_types else None
    ids, mask = (torch.from_numpy(part).to(model.device) for part in (batch.input_ids, batch.attention_mask))
    return model_inputs(model, ids, mask, types)


def differ(found: Tensor, expected: Tensor) -> bool:
    """Say whether logits differ by more than rounding; true where one is not finite."""
    scale = expected.abs().max().clamp(min=1e-6)
    return not bool((found - expected).abs().max() <= _TOLERANCE * scale)


def _is_other(model: Any, store: TokenStore, rows: Rows, max_length: int, expected: Tensor) -> bool:
    try:
        return differ(row_logits(model, store, rows, max_length), expected)
    except FAILURES as error:
        reason(error)  # goes on where memory did not suffice
        return True  # alone they can be scored
