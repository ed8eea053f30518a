"""`example_f1`: thresholds with a high F1 of the examples, by coordinate ascent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.between import between
from goemo.thresholds.methods.micro_f1 import micro_f1
from goemo.thresholds.quality import ratio

# Gains below this share of the examples are rounding errors of their sums.
_SAME_SHARE = 1e-12


def example_f1(scores: Scores, targets: Targets, _options: Mapping[str, Any]) -> Values:
    """Return thresholds that no change of a single one improves, (l,).

    Example-F1 (``average="samples"`` in scikit-learn) is the mean over examples of the F1 between its
    predicted and its true labels; 0 for an example with neither. The ascent starts from the best micro-F1 and
    gives one label after the other, in order, the best of all its thresholds while the others stay (the
    cyclic optimisation of Fan & Lin, "A Study on Threshold Selection for Multi-label Classification", 2007),
    until a whole round changes nothing. Every change raises the mean, so it ends; the end is a local maximum,
    and can depend on the order of the labels. A change needs a gain; of equally good thresholds the higher.
    """
    values = micro_f1(scores, targets, {})
    predictions = scores >= values
    hits = np.count_nonzero(predictions & targets, axis=1)  # (n,), of each example
    size = np.count_nonzero(predictions, axis=1) + np.count_nonzero(targets, axis=1)
    same = _SAME_SHARE * max(1000, len(scores))
    changed = True
    while changed:
        changed = False
        for label in range(scores.shape[1]):
            column, true, on = scores[:, label], targets[:, label], predictions[:, label]
            other_hits, other_size = hits - (on & true), size - on
            gain = ratio(2 * (other_hits + true), other_size + 1) - ratio(2 * other_hits, other_size)
            threshold, best = _best_threshold(column, gain, same)
            if best <= float(gain[on].sum()) + same:
                continue
            changed, values[label] = True, threshold
            predictions[:, label] = column >= threshold
            on = predictions[:, label]
            hits, size = other_hits + (on & true), other_size + on
    return between(values, scores)


def _best_threshold(scores: Scores, gain: Values, same: float) -> tuple[float, float]:
    """Return the threshold with the greatest sum of gains, and the sum; ``inf`` and 0 where none gains."""
    order = np.argsort(-scores, kind="stable")
    ranked, total = scores[order], np.cumsum(gain[order])
    total[:-1][ranked[:-1] == ranked[1:]] = -math.inf  # equal scores are predicted together
    at = int(np.argmax(total >= total.max() - same))
    return (float(ranked[at]), float(total[at])) if total[at] > same else (math.inf, 0.0)
