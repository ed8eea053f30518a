"""Tokens of many texts as a model reads them, on the training device; batched there by index arithmetic.

A training asks for the same texts again and again. They are framed and truncated once, lie one after another
on the device, and a batch is gathered by a few kernels, without a copy from the host and without waiting.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from goemo.tokens import TokenStore

_ROWS_AT_ONCE = 8192


class FramedTokens:
    """The texts of a store, truncated to one maximum length, with their special tokens.

    Args:
        store: The texts.
        max_length: Tokens per text at most, special tokens included.
        device: Where batches are wanted.

    Attributes:
        lengths: Tokens of each text, on the host, shape (texts,).
    """

    def __init__(self, store: TokenStore, max_length: int, device: torch.device) -> None:
        lengths = store.lengths(max_length)
        self._template = store.template
        self.lengths = lengths
        self._lengths = torch.from_numpy(lengths).to(device)
        self._starts = torch.from_numpy(np.cumsum(lengths) - lengths).to(device)
        ids = np.empty(int(lengths.sum()), dtype=np.int32)
        types = np.empty(len(ids) if store.template.returns_types else 0, dtype=np.int8)
        end = 0
        for first in range(0, len(store), _ROWS_AT_ONCE):
            batch = store.batch(np.arange(first, min(first + _ROWS_AT_ONCE, len(store))), max_length)
            is_token = batch.attention_mask.astype(bool)
            start, end = end, end + int(is_token.sum())
            ids[start:end] = batch.input_ids[is_token]
            if store.template.returns_types:
                types[start:end] = batch.token_type_ids[is_token]
        self._ids = torch.from_numpy(ids).to(device)
        self._types = torch.from_numpy(types).to(device) if store.template.returns_types else None

    def batch(self, at: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return input ids, attention mask and token types, int64, shape (b, width), on the device.

        Equal to what ``TokenStore.batch`` gives for the same rows and width; token types are None where the
        tokenizer gives none unasked.

        Args:
            at: Row numbers, int64, shape (b,), on the device.
            width: At least the longest of the rows.
        """
        t = self._template
        lengths = self._lengths.index_select(0, at)[:, None]  # (b, 1)
        column = torch.arange(width, device=at.device)[None]  # (1, t) position within the text
        if t.padding_side == "left":
            column = column - (width - lengths)
        is_token = (column >= 0) & (column < lengths)  # (b, t)
        where = self._starts.index_select(0, at)[:, None] + column
        where = where.clamp(0, len(self._ids) - 1).flatten()
        ids = self._ids.index_select(0, where).view(is_token.shape).long().masked_fill(~is_token, t.pad_id)
        if self._types is None:
            return ids, is_token.long(), None
        types = self._types.index_select(0, where).view(is_token.shape).long()
        return ids, is_token.long(), types.masked_fill(~is_token, t.pad_type)
