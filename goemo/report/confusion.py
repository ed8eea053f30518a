"""Confusion between labels: the labels that a model predicts instead of those that it misses.

With several labels an example, there is no confusion matrix in which every example stands once. What can
be counted is errors that fall on the same example: a label that is missed, and another that is predicted
though it does not apply.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goemo.arrays import check_flags


@dataclass(frozen=True, eq=False)
class Confusions:
    """Errors that fall on the same examples.

    Attributes:
        together: Examples on which label i is missed and label j is wrongly predicted, shape
            (n_labels, n_labels); the diagonal is 0, because no label can be both.
        alone: Examples on which label i is missed and no label is wrongly predicted, shape (n_labels,).
        misses: Examples on which label i is missed, shape (n_labels,). An example with two wrong labels
            counts in two columns of ``together``, so that a row may add up to more than its misses.
    """

    together: NDArray[np.int64]
    alone: NDArray[np.int64]
    misses: NDArray[np.int64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """``together`` as shares of each row's misses, shape (n_labels, n_labels); 0 without misses."""
        return self.together / np.maximum(self.misses, 1)[:, None]

    def strongest(self, most: int, *, least: int = 1) -> list[tuple[int, int]]:
        """Return up to ``most`` pairs (missed, predicted instead), the largest share of the misses first.

        Pairs that fall together on fewer than ``least`` examples are left out; of equal shares, the pair with
        more examples comes first, then the one whose labels come first.
        """
        shares = self.shares
        missed, instead = np.nonzero(self.together >= max(least, 1))
        order = np.lexsort((instead, missed, -self.together[missed, instead], -shares[missed, instead]))
        return [(int(missed[i]), int(instead[i])) for i in order[:most]]


def confusions(targets: ArrayLike, predictions: ArrayLike) -> Confusions:
    """Count which labels are wrongly predicted where others are missed.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        predictions: True where the label is predicted, same shape.

    Raises:
        ValueError: Not two-dimensional, shapes differ, or a value is neither true nor false.
    """
    true = check_flags("targets", targets)
    predicted = check_flags("predictions", predictions, shape=true.shape)
    missed, wrong = true & ~predicted, predicted & ~true
    # As floats, because only they multiply fast; counts below 2**53 stay exact.
    together = (missed.T.astype(np.float64) @ wrong.astype(np.float64)).round().astype(np.int64)
    alone = np.count_nonzero(missed & ~wrong.any(axis=1, keepdims=True), axis=0)
    return Confusions(together, alone.astype(np.int64), np.count_nonzero(missed, axis=0).astype(np.int64))
