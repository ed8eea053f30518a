"""Borrowed thresholds: for a label without a positive among the fitting rows, from the other labels."""

from __future__ import annotations

import numpy as np

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.between import between, bounded_logits, from_logits, halfway


def borrow(values: Values, scores: Scores, targets: Targets) -> Values:
    """Give the labels without a positive that would never be predicted a threshold, (l,).

    It lies half-way, in logits, from the label's highest score, which is a negative's, to the median
    threshold of the labels that have positives. Where that median lies lower than the label's highest score,
    or no label has a positive, the highest score alone is predicted, as in SCutFBR.1 (Yang 2001): a rare
    label is expected about once among as many rows again, and most likely there. If all its scores are equal,
    the threshold lies above them.

    In simulation (docs/thresholds.md) the median alone does well where scores part widely and mean the same
    for all labels, and badly elsewhere; the highest score alone the other way about.

    Args:
        values: Fitted thresholds, (l,); those of labels with a positive, and finite ones, stay.
        scores: That fitted them, (n, l).
        targets: Likewise.
    """
    has_positive = targets.any(axis=0)
    wanting = np.flatnonzero(~has_positive & np.isinf(values))
    if not len(wanting):
        return values
    top = scores[:, wanting].max(axis=0).astype(np.float64)
    alone = between(top, scores[:, wanting])
    alone = np.where(alone < top, alone, halfway(top, 1.0))  # all scores equal: none stands out
    lent = values[has_positive & np.isfinite(values)]
    common = float(np.median(bounded_logits(lent if len(lent) else 0.0)))
    with_others = from_logits((bounded_logits(top) + common) / 2)
    filled = values.copy()
    filled[wanting] = np.where(with_others > top, with_others, alone)
    return filled
