"""`grid`: the published protocol, a few fixed thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.candidates import column_blocks
from goemo.thresholds.quality import UNMET, quality

_ROUNDING = 1e-12


def grid(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return the best of ``step``, ``2 * step`` .. below 1, (l,); options: step and those of the target.

    The published notebook predicts ``score > threshold`` and keeps the first threshold that its loop finds
    best, so of equal ones the lower. Here ``score >= threshold`` predicts, so the threshold is the next
    number above that of the loop, which predicts the very same rows.
    """
    step, wanted = options["step"], quality(options)
    # Rounded, so that the thresholds are 0.15 and 0.35, not 0.15000000000000002.
    thresholds = np.round(np.arange(1, math.ceil(1 / step) + 1) * step, 10)
    thresholds = thresholds[thresholds < 1]
    values = np.full(scores.shape[1], math.inf)
    for columns in column_blocks(*scores.shape):
        true = targets[:, columns]
        positives = np.count_nonzero(true, axis=0)
        true_positives, predicted = _counts_above(scores[:, columns], true, thresholds)  # (k, b) each
        worth = wanted.worth(true_positives, predicted, positives, len(scores))
        # Of equally good ones the first, so the lower threshold; equal MCCs may differ in their last bits.
        at = (worth >= worth.max(axis=0) - _ROUNDING).argmax(axis=0)
        found = (positives > 0) & (worth[at, np.arange(len(at))] > UNMET)
        values[columns] = np.where(found, np.nextafter(thresholds[at], math.inf), math.inf)
    return values


def _counts_above(
    scores: Scores, targets: Targets, thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count positives and examples above each ascending threshold, label by label; (k, l) each."""
    bins, labels = len(thresholds) + 1, scores.shape[1]
    # thresholds below the score, (n, l)
    below = np.searchsorted(thresholds, scores) + bins * np.arange(labels)

    def above(cells: NDArray[np.int64]) -> NDArray[np.int64]:
        histogram = np.bincount(cells, minlength=bins * labels).reshape(labels, bins)
        return cast("NDArray[np.int64]", histogram[:, :0:-1].cumsum(axis=1)[:, ::-1].T)

    return above(below[targets]), above(below.ravel())
