"""Resampled examples, as how often each resample holds each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from goemo.arrays import Targets

# Resamples are made in chunks of about this many weights, so that memory does not grow with the data.
_CHUNK_WEIGHTS = 4_000_000

# Below this many examples, single precision counts them exactly.
_SINGLE_PRECISION_COUNTS = 2**24


def resamples(examples: int, *, draws: int, seed: int) -> Iterator[NDArray[np.floating[Any]]]:
    """Yield how often each resample holds each example, (c, n): multinomial counts, each row's sum is n."""
    generator = np.random.default_rng(seed)
    dtype = np.float32 if examples < _SINGLE_PRECISION_COUNTS else np.float64
    chunk = max(1, _CHUNK_WEIGHTS // examples)
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        # Drawing the examples and counting them is several times faster than the generator's multinomial.
        drawn = generator.integers(examples, size=(size, examples))
        drawn += examples * np.arange(size)[:, None]
        counted = np.bincount(drawn.ravel(), minlength=size * examples)
        yield counted.reshape(size, examples).astype(dtype)


def count_flags(weights: NDArray[np.floating[Any]], flags: Targets) -> NDArray[np.float64]:
    """Count the true flags, (n, l), of each label in each resample, (c, l)."""
    return cast("NDArray[np.float64]", (weights @ flags.astype(weights.dtype)).astype(np.float64))
