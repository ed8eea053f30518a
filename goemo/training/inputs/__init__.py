"""Where a training's logits come from: the whole model, or the part behind what is frozen and cached."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goemo.configuration import Configuration
from goemo.tokens.batches import Rows
from goemo.training.inputs.features import FeatureInputs
from goemo.training.inputs.suffix import SuffixInputs
from goemo.training.inputs.tokens import TokenInputs
from goemo.training.precision import uses_bfloat16
from goemo.training.prepared import Prepared

__all__ = ["Inputs", "choose_inputs"]


class Inputs(Protocol):
    """Where logits come from.

    Attributes:
        in_bfloat16: Whether the large matrix products of ``train_logits`` are computed so.
    """

    in_bfloat16: bool

    def width(self, rows: Rows) -> int:
        """Return the padded width of a batch of training rows, known without asking the device."""

    def train_mode(self, trainable: str) -> None:
        """Put what computes training logits into train mode, as ``goemo.models.train_mode`` does."""

    def train_logits(self, at: Tensor, width: int) -> Tensor:
        """Return logits of training rows, with gradients, in the mode that the model is in.

        Only launches work on the device: nothing is copied from the host and nothing is waited for, so that
        a step can be captured as a CUDA graph.

        Args:
            at: Rows of the training split, int64, shape (b,), on the device.
            width: From ``width`` for these rows.

        Returns:
            float32, shape (b, labels).
        """

    def logits(self, split: str) -> NDArray[np.float32]:
        """Return logits of a whole split in eval mode, shape (texts, labels), in the order of the split."""


def choose_inputs(
    configuration: Configuration, prepared: Prepared, model: Any, device: torch.device
) -> Inputs:
    """Return the cheapest source of logits that gives what the whole model would."""
    c = configuration
    if c.trainable == "head" and prepared.checkpoint.has_weights:
        frozen = prepared.frozen_features(c.pooling, c.max_length)
        if frozen is not None:
            return FeatureInputs(model, frozen, c.max_length, device)
    in_bfloat16 = uses_bfloat16(c.mixed_precision, device, model.config.hidden_size)
    if c.trainable == "last_layer" and prepared.checkpoint.has_weights:
        suffix = SuffixInputs.where_possible(model, prepared, c.max_length, in_bfloat16=in_bfloat16)
        if suffix is not None:
            return suffix
    return TokenInputs(model, prepared, c.max_length, device, in_bfloat16=in_bfloat16)
