"""`global`: the best single threshold for all labels."""

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


def global_threshold(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return the threshold that maximises the sum over labels, for each label, (l,); options of the target.

    Of (nearly) equal candidates the higher; ``inf`` when no label has a positive.
    """
    return np.full(scores.shape[1], best_global_threshold(scores, targets, options))


def best_global_threshold(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> float:
    """Return the one threshold of :func:`global_threshold`.

    Only scores of positives can be that threshold: at any other score, the next higher threshold loses no
    true positive of any label. It is then moved between the scores of all labels together.
    """
    wanted = quality(options)
    if not targets.any():
        return math.inf
    thresholds = np.unique(scores[targets])  # ascending
    total = np.zeros(len(thresholds))
    for label in range(scores.shape[1]):
        positives = np.sort(scores[targets[:, label], label])
        predicted = len(scores) - np.searchsorted(np.sort(scores[:, label]), thresholds)
        true_positives = len(positives) - np.searchsorted(positives, thresholds)
        total += wanted.worth(true_positives, predicted, np.array(len(positives)), len(scores))
    best = thresholds[np.flatnonzero(total >= total.max() - _SAME_SUM)[-1]]
    return float(between([best], scores.reshape(-1, 1))[0])
