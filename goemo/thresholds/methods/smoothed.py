"""`smoothed`: the best threshold of a smoothed F-measure, which may be none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.between import between
from goemo.thresholds.candidates import candidate_blocks
from goemo.thresholds.quality import f_measure


def smoothed(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return thresholds that maximise a smoothed F-measure, (l,); options: a, b and those of the target.

    The measure is ``(2 TP + a) / (2 TP + FP + FN + b)``, after Lin & Lin, "On the Thresholding Strategy for
    Infrequent Labels in Multi-label Classification" (CIKM 2023), who smooth the F-measure while the threshold
    is tuned, and prove that proper parameters give the tuned threshold good properties. This form and the
    defaults, a = b = 1, were written without the text of the paper at hand: they may not be theirs to the
    letter. For F-beta, ``a`` and ``b`` are added to the numerator and denominator of F-beta. Raising ``a``
    predicts less, raising ``b`` predicts more.

    Predicting nothing is worth ``a / (positives + b)``, so a label whose few positives stand low among its
    scores is never predicted (``inf``), where F1 would predict everything above its first positive.
    """
    wanted = f_measure(options.get("beta", 1), a=options["a"], b=options["b"])
    n = len(scores)
    values = np.full(scores.shape[1], math.inf)
    for block in candidate_blocks(scores, targets):
        worth = wanted.worth(block.true_positives, block.predicted, block.positives, n)
        at = block.best(worth)
        nothing = np.zeros(len(at))
        # Where b is 0 and there is no positive, predicting nothing is 0 / 0 and would lose to anything.
        found = (block.positives[at] > 0) & (
            worth[at] > wanted.worth(nothing, nothing, block.positives[at], n)
        )
        values[block.columns] = np.where(found, block.thresholds[at], math.inf)
    return between(values, scores)
