"""The place of a threshold between two scores: half-way, on the scale of logits.

The rows that fit a threshold only say which of them it predicts; any number above the highest refused score
and up to the lowest predicted one does that. The lowest predicted score itself is the worst of these numbers
for new rows: of a label with k positives whose scores part widely from the others', one new positive in k + 1
lies below it.

Half-way in logits is what an unregularised logistic regression of the label on its own score converges to
where the scores part, the threshold of the widest margin (Soudry et al., "The Implicit Bias of Gradient
Descent on Separable Data", 2018), and logits are the scale on which a model that was trained with the
logistic loss spreads its labels evenly. Half-way in scores loses on rare labels, whose scores are all low;
see `docs/thresholds.md` for the simulation that compared these and others.
"""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goemo.arrays import Scores, Values
from goemo.thresholds.candidates import column_blocks

# A score that is kept as float16 tells no logit beyond these: what rounds to 0, and what rounds to 1.
_LOWEST, _HIGHEST = 2.0**-25, 1 - 2.0**-12


def between(thresholds: ArrayLike, scores: Scores) -> Values:
    """Move each label's threshold half-way from its highest refused to its lowest predicted score.

    The predictions on these rows stay. Strictly between the two scores wherever a double lies between them,
    so for all scores in single or half precision. A threshold that refuses no row becomes the lowest score,
    and one that predicts no row stays.

    Args:
        thresholds: One a label, (l,); ``inf`` never predicts.
        scores: In [0, 1], (n, l).

    Returns:
        Thresholds, (l,).
    """
    given = np.asarray(thresholds, dtype=np.float64)
    values = given.copy()
    for columns in column_blocks(*scores.shape):
        own = scores[:, columns]
        is_predicted = own >= given[columns]
        above = np.where(is_predicted, own, math.inf).min(axis=0)
        below = np.where(is_predicted, -math.inf, own).max(axis=0)
        placed = np.where(np.isfinite(below), halfway(below, above), above)
        values[columns] = np.where(np.isfinite(above), placed, given[columns])
    return values


def halfway(low: ArrayLike, high: ArrayLike) -> Values:
    """Return the numbers half-way from ``low`` to ``high`` in logits, above ``low`` and at most ``high``.

    Where rounding or certain scores leave none there, half-way in scores; where no double lies between the
    two, ``high``. What comes out for an infinite end is of no use.

    Args:
        low: Scores, (l,).
        high: Larger scores, (l,).
    """
    lower, upper = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    values = from_logits((bounded_logits(lower) + bounded_logits(upper)) / 2)
    with np.errstate(invalid="ignore"):  # an infinite end
        for second in (lower + (upper - lower) / 2, upper):
            values = np.where((values > lower) & (values < upper), values, second)
    return values


def bounded_logits(scores: ArrayLike) -> Values:
    """Return ``log(score / (1 - score))``; what half precision keeps as 0 or 1 counts as next to it."""
    inside = np.clip(np.asarray(scores, dtype=np.float64), _LOWEST, _HIGHEST)
    return cast("Values", np.log(inside) - np.log1p(-inside))


def from_logits(logits: NDArray[Any]) -> Values:
    """Return the scores of logits."""
    return cast("Values", 1 / (1 + np.exp(-logits)))
