"""Axis scales for the values of a hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_CATEGORIES = 8  # numbers with more distinct values get a scale


def are_numbers(values: Sequence[Any]) -> bool:
    """Whether all values can stand on an axis of numbers."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def distinct_values(values: Sequence[Any]) -> list[Any]:
    """Return the different values in ascending order: numbers by size, anything else as text."""
    return sorted(set(values)) if are_numbers(values) else sorted({str(value) for value in values})


def is_spread_by_ratio(x: npt.NDArray[np.float64]) -> bool:
    """Tell values drawn on a logarithmic scale from evenly spread ones by where their median lies."""
    low, middle, high = float(x.min()), float(np.median(x)), float(x.max())
    if low <= 0 or high / low < 20:
        return False
    linear = (middle - low) / (high - low)
    logarithmic = math.log(middle / low) / math.log(high / low)
    return abs(logarithmic - 0.5) < abs(linear - 0.5)


def round_powers(low: float, high: float) -> list[float]:
    """Return ticks of a logarithmic axis around ``low`` and ``high``: powers of ten, and 3 times them."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 3) if len(exponents) <= 3 else (1,)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    return [tick for tick in ticks if low / 1.5 <= tick <= high * 1.5]
