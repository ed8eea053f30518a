"""`micro_f1`: the thresholds with the best micro-F1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.between import between
from goemo.thresholds.candidates import candidate_blocks


def micro_f1(scores: Scores, targets: Targets, _options: Mapping[str, Any]) -> Values:
    """Return the thresholds that maximise micro-F1, (l,); of equally good thresholds of a label the higher.

    Micro-F1 is ``sum(2 TP) / sum(predicted + positives)`` over labels. The best value F* is where the best
    of ``sum(2 TP - F (predicted + positives))`` is 0, and for a given F the labels of that sum no longer
    depend on each other (Dinkelbach 1967). Taking the F of what is best for the last F climbs to F* in a few
    steps. Everything is a whole number, so the result is exact. Where scores are calibrated, the threshold is
    F* / 2 for all labels (Lipton, Elkan & Narayanaswamy 2014). A label that never pays, one without a
    positive say, gets ``inf``.
    """
    blocks = list(candidate_blocks(scores, targets))
    positives = int(np.count_nonzero(targets))
    numerator, denominator = 0, 1  # of F
    chosen: list[NDArray[np.intp]] = []
    while True:
        chosen = []
        found = [0, positives]  # 2 TP, and predicted + positives, of what is best for F
        for block in blocks:
            # Predicting nothing gains 0.
            gain = 2 * denominator * block.true_positives - numerator * block.predicted
            at = block.best(gain)
            at = at[gain[at] > 0]
            chosen.append(at)
            found[0] += 2 * int(block.true_positives[at].sum())
            found[1] += int(block.predicted[at].sum())
        if found[0] * denominator <= numerator * found[1]:
            break
        numerator, denominator = found
    values = np.full(scores.shape[1], math.inf)
    for block, at in zip(blocks, chosen, strict=True):
        values[block.columns][block.label[at]] = block.thresholds[at]
    return between(values, scores)
