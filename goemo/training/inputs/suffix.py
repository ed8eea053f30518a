"""Inputs of the last block and the head: the cached output of the frozen blocks, for every token."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from goemo.frozen import FrozenStates
from goemo.inference import look_at_all, width_multiple
from goemo.models import suffix_logits
from goemo.models.padding import reads_one_length
from goemo.models.splitting import pads_states_left
from goemo.tokens import Template
from goemo.tokens.batches import Rows, equal_lengths, padded_width
from goemo.training.precision import autocast

# Of a GPU's free memory: the rest is for the training, and for other trials there.
_SHARE_OF_FREE_MEMORY = 0.5


class SuffixInputs:
    """Logits of what trains, for cached states of the encoder in front of it; see ``Inputs``.

    Args:
        suffix: What trains of a model that was split, on the device.
        frozen: States that cover the maximum length.
        template: Of the tokens.
        max_length: Tokens per text at most.
    """

    in_bfloat16 = False
    notes: tuple[str, ...] = ()

    def __init__(self, suffix: Any, frozen: FrozenStates, template: Template, max_length: int) -> None:
        device = suffix.device
        self.view, self._max_length, self._device = suffix, max_length, device
        self._multiple = 1 if reads_one_length(suffix) else width_multiple(device)
        self._is_padded_left = template.padding_side == "left" or pads_states_left(suffix)
        self._states = _resident(frozen.states, device)
        self._types = _resident(frozen.types, device) if template.returns_types else None
        rows = {split: frozen.rows_for(split, max_length) for split in frozen.rows}
        self._lengths_on_host = {split: np.diff(frozen.offsets)[rows[split]] for split in rows}
        self._lengths = {split: torch.from_numpy(n).to(device) for split, n in self._lengths_on_host.items()}
        self._starts = {split: torch.from_numpy(frozen.offsets[rows[split]]).to(device) for split in rows}

    def together(self, rows: Rows) -> list[NDArray[np.int64]] | None:
        """Return the places of rows of one length, where padding would change a score."""
        return equal_lengths(self._lengths_on_host["train"][rows]) if reads_one_length(self.view) else None

    def width(self, rows: Rows) -> int:
        """Return the padded width of these training rows."""
        return self._width("train", rows)

    def train_logits(self, at: Tensor, width: int) -> Tensor:
        """Return logits of training rows, with gradients."""
        batch = self._batch("train", at, width)
        with autocast(self._device, in_bfloat16=self.in_bfloat16):
            logits = suffix_logits(self.view, *batch)
        return logits.float()

    def logits(self, split: str) -> NDArray[np.float32]:
        """Return logits of a whole split."""
        self.view.eval()
        lengths = self._lengths_on_host[split]
        logits = np.empty((len(lengths), self.view.config.num_labels), dtype=np.float32)

        def look(rows: Rows) -> None:
            at = torch.from_numpy(rows).to(self._device)
            with torch.inference_mode():
                batch = self._batch(split, at, self._width(split, rows))
                logits[rows] = suffix_logits(self.view, *batch).float().cpu().numpy()

        look_at_all(look, lengths, self._max_length, self._device, is_one_length=reads_one_length(self.view))
        return logits

    def _width(self, split: str, rows: Rows) -> int:
        longest = int(self._lengths_on_host[split][rows].max())
        return padded_width(longest, self._max_length, self._multiple)

    def _batch(self, split: str, at: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return states (b, t, h), attention mask and token types (b, t) of some rows, on the device."""
        lengths = self._lengths[split].index_select(0, at)[:, None]  # (b, 1)
        position = torch.arange(width, device=at.device)[None]  # (1, t), within the text
        if self._is_padded_left:
            position = position - (width - lengths)
        is_token = (position >= 0) & (position < lengths)  # (b, t)
        # The first token stands where padding is: any finite numbers do, nothing attends to them.
        where = self._starts[split].index_select(0, at)[:, None] + position * is_token
        states = self._states.index_select(0, where.flatten()).view(*where.shape, -1)
        if self._types is None:
            return states, is_token.long(), None
        types = self._types.index_select(0, where.flatten()).view(where.shape).long()
        return states, is_token.long(), types


def fits(frozen: FrozenStates, device: torch.device) -> bool:
    """Say whether states leave enough of the free memory of a GPU; on a CPU they stay in their file."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    # What torch holds and does not use, of an earlier trial say, is as good as free.
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return frozen.states.nbytes <= _SHARE_OF_FREE_MEMORY * free


def _resident(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return a tensor on the device; on a CPU, the mapped file itself, shared by all processes."""
    with warnings.catch_warnings():
        # It is read-only, as the warning says; nothing here writes to it.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(array).to(device)
