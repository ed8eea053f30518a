"""Scores as logits, and means on that scale."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from goemo.arrays import Values

# The smallest score above 0 that a kept score (float16) can have.
_NEAREST_TO_CERTAIN = 2.0**-24


def to_logits(scores: ArrayLike) -> Values:
    """Return ``log(score / (1 - score))``; scores of 0 and 1 count as 2**-24 away from there."""
    inside = np.clip(np.asarray(scores, dtype=np.float64), _NEAREST_TO_CERTAIN, 1 - _NEAREST_TO_CERTAIN)
    logits: Values = np.log(inside) - np.log1p(-inside)
    return logits


def logit_mean(scores: Values, weights: Values) -> Values:
    """Return each label's weighted mean of scores, on the scale of :func:`to_logits`.

    It never leaves the range of what is averaged: the mean of equal scores is that score to the last bit, so
    that ``>=`` still predicts it.

    Args:
        scores: Shape (k, n_labels); one with a weight of 0 does not count, even if it is ``inf``.
        weights: At least 0, above 0 in sum, same shape.

    Returns:
        Shape (n_labels,).
    """
    counts = weights > 0
    mean = (weights * to_logits(np.where(counts, scores, 0.5))).sum(axis=0) / weights.sum(axis=0)
    lowest = np.where(counts, scores, math.inf).min(axis=0)
    highest = np.where(counts, scores, -math.inf).max(axis=0)
    held: Values = np.clip(1 / (1 + np.exp(-mean)), lowest, highest)
    return held
