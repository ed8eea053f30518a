"""`proportional`: of thresholds about as good as the exact one, the nearest to what all labels agree on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.between import between
from goemo.thresholds.methods.exact import exact

# Predictions for each positive, from a quarter to four.
_MULTIPLES = np.geomspace(0.25, 4, 33)
# From the proportional threshold to the exact one.
_WAY = np.linspace(0, 1, 21)


def proportional(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return thresholds between each label's exact one and its proportional one, (l,); option: tolerance.

    The proportional threshold predicts a label ``multiple * positives`` times, with one multiple for all
    labels: of 33 from 1/4 to 4 the one with the highest macro-F1, the lowest of equal ones. With the multiple
    1 this is PCut (Yang, "A Study of Thresholding Strategies for Text Categorization", SIGIR 2001). It hardly
    follows the noise of a rare label, and unlike one threshold for all labels it does not mind that a score
    of one label does not mean what it means for another.

    On the way from there to the exact threshold (21 thresholds, evenly by the logarithm of their rank), the
    first is taken whose F1 is within ``tolerance`` standard errors of the exact threshold's F1: the
    one-standard-error rule of Breiman et al., "Classification and Regression Trees" (1984, section 3.4.3),
    with the proportional threshold as the simple answer. Standard errors are large where positives are few,
    so rare labels go far and frequent ones stay; a label whose scores say nothing stays too, because its
    proportional threshold is far worse.

    Tolerance 0 has the F1 of ``exact``. Predictions depend on the order of each label's scores alone. A
    label without a positive gets ``inf``.
    """
    own = exact(scores, targets, {})
    n, labels = scores.shape
    ranked = np.sort(scores.T, axis=1)  # ascending, (l, n)
    positives = [np.sort(scores[targets[:, label], label]) for label in range(labels)]
    known = [label for label in range(labels) if len(positives[label])]

    def at(label: int, near: Values) -> tuple[Scores, Values, Values]:
        """Return thresholds near these ranks, their true positives and their errors (false and missed)."""
        thresholds = ranked[label, n - np.clip(np.rint(near), 1, n).astype(np.int64)]
        hits = len(positives[label]) - np.searchsorted(positives[label], thresholds)
        predicted = n - np.searchsorted(ranked[label], thresholds)
        return thresholds, hits, predicted + len(positives[label]) - 2 * hits

    total = sum((_f1(*at(label, _MULTIPLES * len(positives[label]))[1:]) for label in known), np.zeros(33))
    multiple = _MULTIPLES[total.argmax()]

    values = np.full(labels, math.inf)
    for label in known:
        rank = n - np.searchsorted(ranked[label], own[label])
        ends = np.log(multiple * len(positives[label])), np.log(rank)
        thresholds, hits, errors = at(label, np.exp(ends[0] + _WAY * (ends[1] - ends[0])))
        f1 = _f1(hits, errors)
        allowed = options["tolerance"] * _standard_error(hits[-1], errors[-1])
        values[label] = thresholds[np.flatnonzero(f1 >= f1[-1] - allowed)[0]]
    return between(values, scores)


def _f1(hits: NDArray[Any], errors: NDArray[Any]) -> Values:
    return np.asarray(2 * hits / np.maximum(2 * hits + errors, 1), dtype=np.float64)


def _standard_error(hits: float, errors: float) -> float:
    """Return that of F1 by the delta method, true positives and errors being independent Poisson counts."""
    return float(2 * np.sqrt(hits * errors * (hits + errors)) / (2 * hits + errors) ** 2)
