"""`cross_fit`: any other method, averaged over folds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values, logit_mean
from goemo.thresholds.folds import fold_of_rows
from goemo.thresholds.methods.registry import fit_of


def cross_fit(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return the thresholds of the method ``of``, averaged over folds, (l,).

    For each fold, the method is fitted on the rows of all others, and a label's thresholds are averaged as
    logits (see :mod:`goemo.thresholds.methods.shrunk`). Only fits that had a positive of the label count, if
    there are any. A label that at least half of them would never predict (``inf``) is never predicted; else
    the finite ones are averaged. A best threshold jumps from one score to another as rows come and go; the
    average of several jumps less (bagging: Breiman 1996).

    Options: of, folds, seed and those of the inner method. Which rows are a fold depends on their order. With
    one row there is nothing to average, and the inner method fits it.
    """
    fit = fit_of(options["of"])
    if len(scores) == 1:
        return fit(scores, targets, options)
    fold_of = fold_of_rows(len(scores), folds=options["folds"], seed=options["seed"])
    kept = [fold_of != fold for fold in range(int(fold_of.max()) + 1)]
    of_folds = np.stack([fit(scores[rows], targets[rows], options) for rows in kept])  # (k, l)
    counts = np.stack([targets[rows].any(axis=0) for rows in kept])
    counts |= ~counts.any(axis=0)
    finite = np.isfinite(of_folds) & counts
    values = np.full(scores.shape[1], math.inf)
    predicted = finite.sum(axis=0) * 2 > counts.sum(axis=0)
    values[predicted] = logit_mean(of_folds[:, predicted], finite[:, predicted].astype(np.float64))
    return values
