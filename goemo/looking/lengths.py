"""Lengths of texts in tokens, and the share that each maximum length would truncate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from goemo.tokens import TokenStore

MAXIMA = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
SAMPLE = 20_000
MOST_TRUNCATED = 0.01  # share of the texts that the suggested length may truncate


def lengths(texts: Sequence[str], tokenizer: Any, seed: int = 42) -> dict[str, Any]:
    """Return quantiles of the lengths in tokens, special ones included, and what each maximum truncates.

    Args:
        texts: At least one; of more than ``SAMPLE``, a seeded sample is measured.
        tokenizer: Of ``transformers``.
        seed: Of the sample.

    Returns:
        ``texts`` measured, ``is_sample``, ``quantiles`` by per cent, ``truncated`` as a share by maximum
        length, and ``suggestion``: the smallest maximum that truncates at most 1 % of the texts, the largest
        if none does.
    """
    is_sample = len(texts) > SAMPLE
    if is_sample:
        rows = np.random.default_rng(seed).choice(len(texts), SAMPLE, replace=False)
        texts = [texts[row] for row in rows.tolist()]
    store = TokenStore.build(texts, tokenizer)
    measured = np.diff(store.offsets) + store.template.special_tokens
    truncated = {maximum: float((measured > maximum).mean()) for maximum in MAXIMA}
    return {
        "texts": len(texts),
        "is_sample": is_sample,
        "quantiles": {at: int(np.percentile(measured, at, method="higher")) for at in (50, 90, 95, 99, 100)},
        "truncated": truncated,
        "suggestion": next(
            (maximum for maximum, share in truncated.items() if share <= MOST_TRUNCATED), MAXIMA[-1]
        ),
    }
