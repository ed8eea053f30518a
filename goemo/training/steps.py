"""One optimizer step: the gradient of the mean loss over a batch, in pieces if memory is short, and AdamW.

A batch is split into pieces of at most ``batch_size`` examples (gradient accumulation), or of fewer after
memory ran out: the pieces are halved and the step is taken again. The gradient is that of the whole batch,
to rounding; with dropout, other numbers are drawn for other pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from goemo.models.failures import is_out_of_memory
from goemo.tokens.batches import Rows
from goemo.training.inputs import Inputs
from goemo.training.losses import Loss
from goemo.training.optimization import AdamW
from goemo.training.randomness import random_state, set_random_state


@dataclass(frozen=True)
class Piece:
    """Some rows of a batch: their numbers, on the device, and the width that they are padded to."""

    at: Tensor
    width: int


class Steps(Protocol):
    """Takes steps, one after the other."""

    def take(self, rows: Rows, at: Tensor, learning_rate: float) -> Tensor:
        """Take one step and return the mean loss of the batch before it, on the device.

        Args:
            rows: Rows of the training split, on the host.
            at: The same, on the device.
            learning_rate: Of this step.

        Raises:
            torch.OutOfMemoryError: A single example does not fit.
        """


class PlainSteps:
    """Takes each step by calling the model.

    Args:
        inputs: Where logits come from.
        loss: What is minimised.
        targets: Of the training split, float32, shape (texts, labels), on the device.
        optimizer: What makes a step of a gradient.
        piece: Examples of a forward pass, at most.

    Attributes:
        piece: The same; smaller after memory ran out.
    """

    def __init__(self, inputs: Inputs, loss: Loss, targets: Tensor, optimizer: AdamW, *, piece: int) -> None:
        self._inputs, self._loss, self._targets, self._optimizer = inputs, loss, targets, optimizer
        self.piece = piece

    def take(self, rows: Rows, at: Tensor, learning_rate: float) -> Tensor:
        """Take one step; see ``Steps``."""
        before = random_state(at.device)
        while True:
            try:
                mean_loss = self.accumulate(self.pieces(rows, at))
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or self.piece == 1:
                    raise
            # Out of the handler: the error held on to what the step had allocated.
            self.piece = -(-min(self.piece, len(rows)) // 2)
            self.drop_gradients()
            set_random_state(before, at.device)
            if at.device.type == "cuda":
                torch.cuda.empty_cache()
        self.update(learning_rate)
        return mean_loss

    def pieces(self, rows: Rows, at: Tensor) -> list[Piece]:
        """Split a batch."""
        together = self._inputs.together(rows)
        if together is not None:
            return [
                Piece(at[torch.from_numpy(places).to(at.device)], self._inputs.width(rows[places]))
                for group in together
                for places in np.split(group, range(self.piece, len(group), self.piece))
            ]
        return [
            Piece(at[start : start + self.piece], self._inputs.width(rows[start : start + self.piece]))
            for start in range(0, len(rows), self.piece)
        ]

    def accumulate(self, pieces: Sequence[Piece]) -> Tensor:
        """Add up the gradients of the mean loss over all examples of the pieces; return that loss."""
        examples = sum(len(piece.at) for piece in pieces)
        total: Tensor | None = None
        for piece in pieces:
            loss = self.loss(piece)
            if len(piece.at) != examples:
                loss = loss * (len(piece.at) / examples)
            loss.backward()  # type: ignore[no-untyped-call]
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total

    def loss(self, piece: Piece) -> Tensor:
        """Return the mean loss of a piece."""
        logits = self._inputs.train_logits(piece.at, piece.width)
        return self._loss(logits, self._targets.index_select(0, piece.at))

    def update(self, learning_rate: float | Tensor) -> None:
        """Make the step of the gradients that were added up."""
        self._optimizer.step(learning_rate)

    def drop_gradients(self) -> None:
        """Forget the gradients that were added up."""
        self._optimizer.drop_gradients()
