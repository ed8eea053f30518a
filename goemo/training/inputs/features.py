"""Inputs of the head: the cached output of the frozen encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goemo.frozen import FrozenFeatures
from goemo.models import head_logits
from goemo.tokens.batches import Rows

_FEATURES_PER_PASS = 4096


class FeatureInputs:
    """Logits of the head, for cached features; see ``Inputs``."""

    in_bfloat16 = False
    notes: tuple[str, ...] = ()

    def __init__(self, model: Any, frozen: FrozenFeatures, max_length: int) -> None:
        self.view, device = model, model.device
        # On the CPU this is the mapped file itself, shared by all processes.
        self._features = torch.from_numpy(frozen.features).to(device)
        self._rows = {
            split: torch.from_numpy(frozen.rows_for(split, max_length).copy()).to(device)
            for split in frozen.rows
        }

    def together(self, rows: Rows) -> None:
        """Return None: a text is one vector, and shares a batch with any other."""
        del rows

    def width(self, rows: Rows) -> int:
        """Return 1: a text is one vector, however long it is."""
        del rows
        return 1

    def train_logits(self, at: Tensor, width: int) -> Tensor:
        """Return logits of training rows, with gradients."""
        del width
        rows = self._rows["train"].index_select(0, at)
        return head_logits(self.view, self._features.index_select(0, rows))

    def logits(self, split: str) -> NDArray[np.float32]:
        """Return logits of a whole split."""
        self.view.eval()
        with torch.inference_mode():
            passes = [
                head_logits(self.view, self._features.index_select(0, rows))
                for rows in torch.split(self._rows[split], _FEATURES_PER_PASS)
            ]
            logits: NDArray[np.float32] = torch.cat(passes).cpu().numpy()
        return logits
