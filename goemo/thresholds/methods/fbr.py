"""`fbr`: exact thresholds, but only the highest score of a label whose F stays low."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.between import between
from goemo.thresholds.methods.exact import exact
from goemo.thresholds.quality import counts, quality


def fbr(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return SCutFBR.1's thresholds, (l,); options: fbr and those of the target.

    A label whose best F on these rows is below ``fbr`` has too little to tune on, and gets its highest score
    as the threshold ("rank 1", hence .1; SCutFBR.0 would never predict it). Yang, "A Study of Thresholding
    Strategies for Text Categorization" (SIGIR 2001); Fan & Lin, "A Study on Threshold Selection for
    Multi-label Classification" (2007). Fan & Lin average such thresholds over the folds of a
    cross-validation, to which ``cross_fit`` of ``fbr`` comes nearest, and choose ``fbr`` from 0.1 to 0.8 by
    another one; here it is given.

    A label without a positive has an F of 0 and gets its highest score too, as theirs does; with fbr 0, no F
    is below it, and the thresholds are those of ``exact``.
    """
    values = exact(scores, targets, options)
    true_positives, predicted, positives = counts(scores >= values, targets)
    f = quality(options).worth(true_positives, predicted, positives, len(scores))
    return between(np.where(f < options["fbr"], scores.max(axis=0), values), scores)
