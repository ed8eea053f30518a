"""A few texts that represent all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goemo.tokens.texts import TokenStore


def spread(store: TokenStore, rows: int) -> NDArray[np.int64]:
    """Return up to so many texts, evenly spread over their lengths, in the order of the store."""
    order = np.argsort(np.diff(store.offsets), kind="stable")
    return np.sort(order[evenly(len(order), rows)])


def some_texts(store: TokenStore, rows: NDArray[np.int64]) -> TokenStore:
    """Return a store of some of the texts."""
    texts = [store.ids[store.offsets[row] : store.offsets[row + 1]] for row in rows]
    offsets = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in texts], out=offsets[1:])
    return TokenStore(np.concatenate(texts), offsets, store.template)


def evenly(n: int, most: int) -> NDArray[np.int64]:
    """Return up to ``most`` of 0..n-1, in the middles of equal parts."""
    count = min(n, most)
    return (np.arange(count) * 2 + 1) * n // (2 * count)
