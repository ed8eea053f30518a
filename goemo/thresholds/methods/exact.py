"""`exact`: each label's best threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values
from goemo.thresholds.between import between
from goemo.thresholds.candidates import candidate_blocks
from goemo.thresholds.quality import UNMET, quality


def exact(scores: Scores, targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return the best thresholds of all there are, (l,); options: those of the target.

    ``inf`` without a positive, or where no threshold will do.
    """
    wanted = quality(options)
    values = np.full(scores.shape[1], math.inf)
    for block in candidate_blocks(scores, targets):
        worth = wanted.worth(block.true_positives, block.predicted, block.positives, len(scores))
        at = block.best(worth, lower_wins=wanted.lower_wins)
        found = (block.positives[at] > 0) & (worth[at] > UNMET)
        values[block.columns] = np.where(found, block.thresholds[at], math.inf)
    return between(values, scores)
