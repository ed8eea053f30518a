"""What figures that are drawn from two per-label tables share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd


def same_labels(table_at_half: pd.DataFrame, table: pd.DataFrame) -> None:
    """Make sure that two per-label tables can be compared row by row.

    Raises:
        ValueError: They do not have the same labels in the same order.
    """
    if list(table_at_half["label"]) != list(table["label"]):
        raise ValueError(
            "the tables at 0.5 and at tuned thresholds must have the same labels in the same order"
        )


def by_support(table: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Return the positions of the rows, the most frequent label first; equals stay in order."""
    return np.argsort(-table["support"].to_numpy(dtype=float), kind="stable")
