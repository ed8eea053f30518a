"""`micro_macro`: label by label, the best sum of micro-F1 and macro-F1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.between import between
from goemo.thresholds.candidates import candidate_blocks
from goemo.thresholds.quality import ratio


def micro_macro(scores: Scores, targets: Targets, _options: Mapping[str, Any]) -> Values:
    """Return the thresholds of Lin & Lin's joint objective, (l,); of equally good thresholds the higher.

    Labels are taken from the most frequent to the rarest (of equal ones the first), and each gets the
    threshold that maximises ``its F1 / labels so far + micro-F1 of the labels so far``. The micro term is
    what smoothing is in ``smoothed``: counts of other labels in numerator and denominator, large beside those
    of a rare label, and free of constants to choose. Lin & Lin, "On the Thresholding Strategy for Infrequent
    Labels in Multi-label Classification" (CIKM 2023); order and objective as in their LibMultiLabel.

    ``inf`` where predicting the label does not pay, so without a positive.
    """
    values = np.full(scores.shape[1], math.inf)
    order = np.argsort(-np.count_nonzero(targets, axis=0), kind="stable")
    twice_hits = size = 0  # of the labels so far: 2 TP, and predicted + positives
    for place, label in enumerate(order, start=1):
        column = slice(label, label + 1)
        (block,) = candidate_blocks(scores[:, column], targets[:, column])
        positives = int(block.positives[0])
        twice = np.concatenate([[0], 2 * block.true_positives])  # the first predicts nothing
        sizes = np.concatenate([[0], block.predicted]) + positives
        at = int((ratio(twice, sizes) / place + ratio(twice + twice_hits, sizes + size)).argmax())
        twice_hits, size = twice_hits + int(twice[at]), size + int(sizes[at])
        if at:
            values[label] = block.thresholds[at - 1]
    return between(values, scores)
