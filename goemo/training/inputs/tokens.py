"""Inputs of the whole model: tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from goemo.inference import predict_logits, width_multiple
from goemo.models import model_inputs
from goemo.models.padding import reads_one_length
from goemo.tokens import TokenStore
from goemo.tokens.batches import Rows, equal_lengths, padded_width
from goemo.tokens.framed import FramedTokens
from goemo.training.precision import autocast


class TokenInputs:
    """Logits of the whole model, for tokens that lie on the device; see ``Inputs``."""

    in_bfloat16 = False
    notes: tuple[str, ...] = ()

    def __init__(self, model: Any, tokens: Mapping[str, TokenStore], max_length: int) -> None:
        self.view, self._stores, self._max_length, self._device = model, tokens, max_length, model.device
        self._multiple = 1 if reads_one_length(model) else width_multiple(model.device)
        self._tokens = FramedTokens(tokens["train"], max_length, model.device)

    def together(self, rows: Rows) -> list[NDArray[np.int64]] | None:
        """Return the places of rows of one length, where padding would change a score."""
        return equal_lengths(self._tokens.lengths[rows]) if reads_one_length(self.view) else None

    def width(self, rows: Rows) -> int:
        """Return the padded width of these rows."""
        return padded_width(int(self._tokens.lengths[rows].max()), self._max_length, self._multiple)

    def train_logits(self, at: Tensor, width: int) -> Tensor:
        """Return logits of training rows, with gradients."""
        batch = self._tokens.batch(at, width)
        with autocast(self._device, in_bfloat16=self.in_bfloat16):
            logits: Tensor = self.view(**model_inputs(self.view, *batch)).logits
        return logits.float()

    def logits(self, split: str) -> NDArray[np.float32]:
        """Return logits of a whole split."""
        self.view.eval()
        return predict_logits(self.view, self._stores[split], self._max_length)
