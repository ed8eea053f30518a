"""`shrunk`: exact thresholds, drawn towards the one global threshold where positives are few."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values, logit_mean
from goemo.thresholds.methods.exact import exact
from goemo.thresholds.methods.global_threshold import best_global_threshold


def shrunk(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return thresholds between each label's own and the global one, (l,); options: strength, the target's.

    The weight of a label's own threshold is ``positives / (positives + strength)``: the posterior mean of a
    normal mean under a normal prior (Efron & Morris 1975), with the global threshold as the prior's centre,
    and ``strength`` the number of positives that a label's threshold needs to count as much as the prior. A
    label without a positive gets the global threshold, and strength 0 gives ``exact``.

    The two are averaged as logits. Labels of one model spread over orders of magnitude in their scores (0.02
    and 0.6 are both usual thresholds), and about evenly in their logits; between 0.02 and 0.6, the mean of
    the scores, 0.31, is nearly the larger, the mean of the logits, 0.15, is between. Ranks, the other scale
    without units, would give labels of different frequency the same share of predictions, which no label
    wants.
    """
    own = exact(scores, targets, options)
    prior = best_global_threshold(scores, targets, options)
    if math.isinf(prior):
        return own
    positives = np.count_nonzero(targets, axis=0).astype(np.float64)
    of_prior = np.where(positives > 0, float(options["strength"]), 1.0)
    return logit_mean(np.stack([own, np.full(len(own), prior)]), np.stack([positives, of_prior]))
