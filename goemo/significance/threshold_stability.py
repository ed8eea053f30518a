"""Threshold stability: how far a label's best threshold moves when the examples are resampled.

The bootstrap of Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 6, on the threshold
itself: as many examples as there are, drawn with replacement, and the exact best threshold of each draw. A
wide band says that the threshold follows the noise of a few examples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from goemo.arrays import Values, check_flags, check_scores
from goemo.significance.intervals import check_level
from goemo.significance.resamples import resamples
from goemo.thresholds.between import halfway


def threshold_draws(
    scores: npt.ArrayLike, targets: npt.ArrayLike, *, draws: int = 200, seed: int = 0
) -> Values:
    """Return the threshold with the best F1 in each resample of the examples, label by label.

    All labels see the same resamples, those of :func:`goemo.significance.bootstrap`.

    Args:
        scores: In [0, 1], shape (n_examples, n_labels), at least one example.
        targets: True where the label applies, same shape.
        draws: Number of resamples, at least 1.
        seed: Seeds the resamples.

    Returns:
        What `fit_thresholds(..., method="exact")` finds in each resample, shape (draws, n_labels); ``inf``
        where a resample has no positive of the label.

    Raises:
        ValueError: There are no examples or draws, or arrays as in `goemo.thresholds.fit_thresholds`.
    """
    score_array = check_scores(scores)
    target_array = check_flags("targets", targets, shape=score_array.shape)
    n, labels = score_array.shape
    if not n:
        raise ValueError("scores must have at least one example to resample, got none")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    ranked = [RankedLabel.of(score_array[:, label], target_array[:, label]) for label in range(labels)]
    # Whole numbers: of nearly equal F1, single precision would not know the better.
    chunks = (weights.astype(np.int32) for weights in resamples(n, draws=draws, seed=seed))
    found = [np.stack([label.best_thresholds(chunk) for label in ranked], axis=1) for chunk in chunks]
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class RankedLabel:
    """One label's scores, ranked once for any number of weightings of the examples.

    Attributes:
        order: The examples by falling score, shape (n,). Of equal scores the positives come last, so that a
            threshold inside such a group, which cannot be made, is never better than the threshold below it.
        at: Where the positives are in that order, shape (p,); the best threshold is at one of them.
        ranked: The scores in that order, shape (n,).
    """

    order: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    ranked: npt.NDArray[np.floating[Any]]

    @classmethod
    def of(cls, scores: npt.NDArray[np.floating[Any]], targets: npt.NDArray[np.bool_]) -> RankedLabel:
        """Rank scores in [0, 1] and targets, shape (n,) each."""
        order = np.lexsort((targets, -scores.astype(np.float64)))
        return cls(order, np.flatnonzero(targets[order]), scores[order])

    def best_thresholds(self, weights: npt.NDArray[np.integer[Any]]) -> Values:
        """Return the threshold with the best F1 under each set of weights, shape (sets,).

        A weight of 0 is a row removed and a weight of 2 a row doubled; of equal F1 the higher threshold wins.
        It lies half-way to the next score that has a weight (:mod:`goemo.thresholds.between`).

        Args:
            weights: Whole numbers of at least 0, shape (sets, n).

        Returns:
            Thresholds; ``inf`` where no positive has a weight above 0.
        """
        if not len(self.at):
            return np.full(len(weights), math.inf)
        ranked = weights[:, self.order[: self.at[-1] + 1]]
        starts = np.concatenate([[0], self.at[:-1] + 1])
        predicted = np.add.reduceat(ranked, starts, axis=1).cumsum(axis=1)  # (sets, p)
        hits = ranked[:, self.at].cumsum(axis=1)
        positives = hits[:, -1:]
        best = (2 * hits / np.maximum(predicted + positives, 1)).argmax(axis=1)
        last = self.at[best]
        after = self._next_weighted(weights, last)
        above, below = self.ranked[last], self.ranked[np.minimum(after, len(self.ranked) - 1)]
        values = np.where(after < len(self.ranked), halfway(below, above), above)
        return np.where(positives[:, 0] > 0, values, math.inf)

    def _next_weighted(
        self, weights: npt.NDArray[np.integer[Any]], places: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return the first place in the order after each set's that has a weight; n where there is none."""
        rows, after = np.arange(len(weights)), places + 1
        while True:
            inside = np.minimum(after, len(self.order) - 1)
            is_empty = (after < len(self.order)) & (weights[rows, self.order[inside]] == 0)
            if not is_empty.any():
                return after
            after = after + is_empty


def threshold_band(drawn: npt.ArrayLike, *, level: float = 0.95) -> tuple[Values, Values]:
    """Return the lower and the upper end of the middle ``level`` of the draws, both (n_labels,).

    The ends are thresholds that were drawn, never values between two of them, so that ``inf`` stays ``inf``.

    Args:
        drawn: What `threshold_draws` returns, shape (draws, n_labels).
        level: Share of the draws inside, in (0, 1).

    Raises:
        ValueError: The level is not in (0, 1).
    """
    check_level(level)
    ends = np.quantile(
        np.asarray(drawn, dtype=np.float64), [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf"
    )
    return cast("Values", ends[0]), cast("Values", ends[1])
