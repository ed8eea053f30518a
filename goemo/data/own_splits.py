"""Splits of data that has none, or not all: seeded, so that the same data is always dealt the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def assign(
    texts: Sequence[str], targets: NDArray[np.bool_], shares: Mapping[str, float], seed: int
) -> NDArray[np.int64]:
    """Return the split of each row, as its position in ``shares``; shape (n_rows,).

    Args:
        texts: The rows' texts.
        targets: True where the label applies, shape (n_rows, n_labels).
        shares: How much of the rows each split gets, above 0, summing to 1. The first takes what rounding
            leaves over.
        seed: Decides together with the number of rows which row goes where.

    Raises:
        ValueError: ``targets`` does not have a row for each text, or the shares do not sum to 1.
    """
    if len(targets) != len(texts):
        raise ValueError(f"targets must have {len(texts)} rows, got {len(targets)}")
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"shares must sum to 1, got {sum(shares.values())}")
    order = np.random.default_rng(seed).permutation(len(texts))
    counts = [round(len(texts) * share) for share in list(shares.values())[1:]]
    assignment = np.zeros(len(texts), dtype=np.int64)
    end = len(texts)
    for position, count in reversed(list(enumerate(counts, start=1))):
        assignment[order[end - count : end]] = position
        end -= count
    return assignment
