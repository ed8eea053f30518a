"""Inputs of the whole model: tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goemo.inference import predict_logits
from goemo.models import model_inputs, train_mode
from goemo.models.padding import reads_one_length
from goemo.tokens.batches import Rows, equal_lengths
from goemo.tokens.framed import FramedTokens
from goemo.training.precision import autocast
from goemo.training.prepared import Prepared


class TokenInputs:
    """Logits of the whole model, for tokens that lie on the device; see ``Inputs``."""

    in_bfloat16 = False
    may_use_bfloat16 = True
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        model: Any,
        prepared: Prepared,
        max_length: int,
        device: torch.device,
    ) -> None:
        self._stores, self._max_length, self._device = prepared.tokens, max_length, device
        self.view = model
        self._tokens = FramedTokens(prepared.tokens["train"], max_length, device)

    def together(self, rows: Rows) -> list[NDArray[np.int64]] | None:
        """Return the places of rows of one length, where padding would change a score."""
        return equal_lengths(self._tokens.lengths[rows]) if reads_one_length(self.view) else None

    def width(self, rows: Rows) -> int:
        """Return the padded width of these rows."""
        if reads_one_length(self.view):
            return int(self._tokens.lengths[rows].max())
        return self._tokens.width(rows)

    def train_mode(self, trainable: str) -> None:
        """Let what trains draw dropout."""
        train_mode(self.view, trainable)

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
