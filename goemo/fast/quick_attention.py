"""Attention with dropout for less on a CPU, where the one of ``torch`` has no fused kernel for it.

With dropout, ``torch`` falls back to single operations: it scales queries and keys apart, checks every row of
the mask, and draws one number an element on one core. Here the scale and the mask go into the product of
queries and keys, the scale of dropout into the product with the values, and the numbers come from
``QuickDropout``'s draw. Without dropout, ``torch``'s own fused kernel does the work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from goemo.fast.quick_dropout import keep_mask

NAME = "goemo_quick_attention"


def quick_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, *, dropout: float, scale: float
) -> Tensor:
    """Return softmax(scale q k^T + mask) with dropout, times v.

    Args:
        query: Shape (b, heads, t, d).
        key: Shape (b, heads, s, d).
        value: Shape (b, heads, s, d).
        mask: True where a query may look, or what is added, broadcast to (b, heads, t, s); each query may
            look somewhere.
        dropout: Probability of a weight to be zeroed, in (0, 1).
        scale: Of the products of queries and keys.

    Returns:
        Shape (b, heads, t, d).
    """
    scores = (query @ key.transpose(-1, -2)).mul_(scale)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    kept, factor = keep_mask(scores, dropout)
    return (scores.softmax(-1) * kept) @ (value * factor)


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Return what ``transformers`` expects of an attention: the output, shape (b, t, heads, d)."""
    is_causal = options.get("is_causal")
    if is_causal is None:
        is_causal = getattr(module, "is_causal", True)
    is_special = (
        query.shape[1] != key.shape[1]
        or (is_causal and attention_mask is None)
        or any(options.get(name) is not None for name in ("position_bias", "cache", "softcap"))
    )
    if dropout == 0 or is_special:
        # In float32 under autocast too: on a CPU, its backward pass in bfloat16 takes three times as long.
        query, key, value = query.float(), key.float(), value.float()
        with torch.autocast("cpu", enabled=False):
            return sdpa_attention_forward(  # type: ignore[no-any-return]
                module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
            )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    output = quick_attention(query, key, value, attention_mask, dropout=dropout, scale=scale)
    return output.transpose(1, 2).contiguous(), None


def use_quick_attention(model: Any) -> None:
    """Let a model whose attention is ``torch``'s take this one; others stay as they are."""
    if model.config._attn_implementation == "sdpa":  # noqa: SLF001 - no public way to ask
        model.config._attn_implementation = NAME  # noqa: SLF001


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
