"""`fixed`: a given threshold, whatever the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets, Values


def fixed(scores: Scores, _targets: Targets, options: Mapping[str, Any]) -> Values:
    """Return ``value`` for each label, (l,)."""
    return np.full(scores.shape[1], float(options["value"]))
