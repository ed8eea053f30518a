"""`plug_in`: the threshold that calibrated probabilities expect to be best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values
from goemo.calibration import calibrate
from goemo.thresholds.between import between
from goemo.thresholds.candidates import column_blocks
from goemo.thresholds.quality import UNMET, quality


def plug_in(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return the thresholds of the best expected quality, (l,); options: calibration, those of the target.

    Each label's scores are calibrated on these rows (:mod:`goemo.calibration`), and the probabilities take
    the place of the targets: of the top k scores, the expected true positives are the sum of their
    probabilities. The maximum of ``2 E[TP] / (k + E[positives])`` is where Lipton, Elkan & Narayanaswamy,
    "Optimal Thresholding of Classifiers to Maximize F1 Measure" (ECML 2014), put it: exactly the examples
    whose probability is at least half of it are predicted, ``t* = F* / 2``. The targets are used by the
    calibration alone: with ``platt`` and ``temperature``, which have two numbers a label and one, a single
    example moves the threshold little. ``isotonic`` follows the examples so closely that the threshold is
    nearly always that of ``exact``.

    Of equally good thresholds the higher. A label without a positive gets ``inf``, and one without a negative
    is always predicted.
    """
    n = len(scores)
    wanted = quality(options)
    positives = np.count_nonzero(targets, axis=0)
    values = np.where(positives == n, scores.min(axis=0).astype(np.float64), math.inf)
    mixed = np.flatnonzero((positives > 0) & (positives < n))
    for block in column_blocks(n, len(mixed)):
        columns = mixed[block]
        raw, true = scores[:, columns], targets[:, columns]
        share = calibrate(raw, true, method=options["calibration"]).apply(raw)
        order = np.argsort(-raw, axis=0, kind="stable")
        ranked = np.take_along_axis(raw, order, axis=0).T  # (b, n), descending
        expected = np.cumsum(np.take_along_axis(share, order, axis=0), axis=0).T
        worth = wanted.worth(expected, np.arange(1, n + 1), expected[:, -1:], n)
        # A threshold inside a group of equal scores cannot be made.
        worth[:, :-1][ranked[:, :-1] == ranked[:, 1:]] = UNMET
        at = wanted.best(worth)
        rows = np.arange(len(at))
        values[columns] = np.where(worth[rows, at] > UNMET, ranked[rows, at], math.inf)
    return between(values, scores)
