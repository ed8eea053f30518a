"""`global`: the best single cut for all labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.between import between
from goemo.thresholds.quality import quality

# Sums over labels carry rounding errors far below this, and real differences lie above it.
_SAME_SUM = 1e-10


def one_cut(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return the cut that maximises the sum over labels, once a label, (l,); options: those of the target.

    Of (nearly) equal candidates the higher; ``inf`` when no label has a positive.
    """
    return np.full(scores.shape[1], best_cut(scores, targets, options))


def best_cut(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> float:
    """Return the one cut of :func:`one_cut`.

    Only scores of positives can be that cut: at any other score, the next higher cut loses no true positive
    of any label. It is then moved between the scores of all labels together.
    """
    wanted = quality(options)
    if not targets.any():
        return math.inf
    cuts = np.unique(scores[targets])  # ascending
    total = np.zeros(len(cuts))
    for label in range(scores.shape[1]):
        positives = np.sort(scores[targets[:, label], label])
        predicted = len(scores) - np.searchsorted(np.sort(scores[:, label]), cuts)
        true_positives = len(positives) - np.searchsorted(positives, cuts)
        total += wanted.worth(true_positives, predicted, np.array(len(positives)), len(scores))
    best = cuts[np.flatnonzero(total >= total.max() - _SAME_SUM)[-1]]
    return float(between([best], scores.reshape(-1, 1))[0])
