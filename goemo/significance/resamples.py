"""Resampled examples, as how often each resample holds each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from goemo.arrays import Targets

# Resamples are made in chunks of about this many weights, so that memory does not grow with the data.
_CHUNK_WEIGHTS = 4_000_000

# Of more examples, groups are resampled: a million of them would take minutes.
MOST_EXAMPLES = 100_000
_GROUPS = 50_000

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


def grouped(flags: Targets, *, seed: int) -> NDArray[np.bool_] | NDArray[np.int32]:
    """Return what is resampled: the flags, (n, l), or of many examples how many are true in groups, (g, l).

    Examples are dealt to the groups at random, the same way for all flags of as many examples. The counts of
    groups spread as those of single examples do: the sum over n / g examples has n / g times the variance,
    and so has that of a resample; the spread is known to 1 per cent from 50,000 groups.
    """
    if len(flags) <= MOST_EXAMPLES:
        return flags
    order = np.random.default_rng([seed, len(flags)]).permutation(len(flags))
    starts = np.linspace(0, len(flags), _GROUPS, endpoint=False).astype(np.intp)
    return np.add.reduceat(flags[order], starts, axis=0, dtype=np.int32)


def count_flags(
    weights: NDArray[np.floating[Any]], flags: NDArray[np.bool_] | NDArray[np.int32]
) -> NDArray[np.float64]:
    """Sum the flags, or the counts of groups, (n, l), of each label in each resample, (c, l)."""
    return cast("NDArray[np.float64]", (weights @ flags.astype(weights.dtype)).astype(np.float64))
