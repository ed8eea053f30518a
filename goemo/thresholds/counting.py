"""Counts of given predictions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goemo.arrays import Targets, Values
from goemo.thresholds.quality import f_measure


def counts(
    predictions: Targets, targets: Targets
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return true positives, predicted and positives of each label, (l,) each."""
    return (
        np.count_nonzero(predictions & targets, axis=0),
        np.count_nonzero(predictions, axis=0),
        np.count_nonzero(targets, axis=0),
    )


def f1_of(predictions: Targets, targets: Targets) -> Values:
    """Return each label's F1, (l,); 0 where there is neither a positive nor a prediction."""
    return f_measure().worth(*counts(predictions, targets), len(targets))
