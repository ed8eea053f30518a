"""Folds of rows for cross-fitting."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fold_of_rows(rows: int, *, folds: int = 5, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each row, drawn from these three numbers alone; sizes differ by one at most.

    Raises:
        ValueError: Fewer than 2 rows or 2 folds.
    """
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds}")
    if rows < 2:
        raise ValueError(f"cross-fitting needs at least 2 examples, got {rows}")
    return np.random.default_rng(seed).permutation(np.arange(rows, dtype=np.int64) % min(folds, rows))
