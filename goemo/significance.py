"""How sure a number is: bootstrap intervals over examples, and paired differences.

The percentile bootstrap of Efron & Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13:
examples are drawn with replacement, and the interval holds the middle of the metric over the draws. It speaks
of the examples alone: another seed of the training would move the numbers further.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goemo.configuration import METRICS
from goemo.metrics import average_f1
from goemo.thresholds import Targets, check_flags

Draws = NDArray[np.float64]  # the metric in each resample, (n_draws,)

# Resamples are made in chunks of about this many weights, so that memory does not grow with the data.
_CHUNK_WEIGHTS = 4_000_000

# Below this many examples, single precision counts them exactly.
_SINGLE_PRECISION_COUNTS = 2**24


@dataclass(frozen=True)
class Interval:
    """Where the metric lies in the middle ``level`` of the resamples, both ends included."""

    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """How much better a is than b on the same examples.

    Attributes:
        difference: Metric of a less metric of b on all examples.
        low: Lower end of the interval of the difference.
        high: Upper end of the interval of the difference.
        probability_a_beats_b: Share of the resamples in which a is better; a draw counts half.
    """

    difference: float
    low: float
    high: float
    probability_a_beats_b: float

    @property
    def can_tell_apart(self) -> bool:
        """Return whether the interval excludes 0."""
        return self.low > 0 or self.high < 0


def bootstrap_interval(
    targets: ArrayLike,
    predictions: ArrayLike,
    *,
    metric: str = "macro_f1",
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the percentile interval of a metric over resampled examples.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        predictions: True where the label is predicted, same shape.
        metric: ``macro_f1``, ``weighted_f1`` or ``micro_f1``.
        draws: Number of resamples, at least 1.
        level: Share of the resamples that the interval holds, in (0, 1).
        seed: Seeds the resamples: the same for the same number of examples, draws and seed.

    Raises:
        ValueError: Arrays as in :func:`goemo.metrics.count`, no examples, or an argument out of its range.
    """
    return interval(metric_draws(targets, predictions, metric=metric, draws=draws, seed=seed)[0], level=level)


def paired_difference(
    targets: ArrayLike,
    predictions_a: ArrayLike,
    predictions_b: ArrayLike,
    *,
    metric: str = "macro_f1",
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> PairedDifference:
    """Compare two sets of predictions for the same examples, on the same resamples of them.

    What makes an example hard is hard for both, so the difference is far surer than the two intervals of
    their own suggest.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        predictions_a: True where a predicts the label, same shape.
        predictions_b: True where b predicts the label, same shape.
        metric: As in :func:`bootstrap_interval`, and so on for the others.
        draws: Number of resamples.
        level: Share of the resamples that the interval holds.
        seed: Seeds the resamples.

    Raises:
        ValueError: As in :func:`bootstrap_interval`.
    """
    draws_a, draws_b = metric_draws(
        targets, predictions_a, predictions_b, metric=metric, draws=draws, seed=seed
    )
    difference = average_f1(metric, targets, predictions_a) - average_f1(metric, targets, predictions_b)
    return compare_draws(difference, draws_a, draws_b, level=level)


def metric_draws(
    targets: ArrayLike,
    *predictions: ArrayLike,
    metric: str = "macro_f1",
    draws: int = 1000,
    seed: int = 0,
) -> Draws:
    """Return the metric of each set of predictions in each resample, shape (len(predictions), draws).

    All sets see the same resamples, in this call and in any other with as many examples, draws and the same
    seed: rows of two calls can be paired.

    Raises:
        ValueError: As in :func:`bootstrap_interval`.
    """
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    true = check_flags("targets", targets)
    sets = [check_flags("predictions", given, shape=true.shape) for given in predictions]
    if not len(true):
        raise ValueError("targets must have at least one example to resample, got none")
    values = np.empty((len(sets), draws))
    done = 0
    for weights in _resamples(len(true), draws=draws, seed=seed):  # (c, n)
        chunk = slice(done, done + len(weights))
        done += len(weights)
        support = _weigh(weights, true)
        for row, predicted in enumerate(sets):
            hits = _weigh(weights, true & predicted)
            values[row, chunk] = _f1(metric, hits, _weigh(weights, predicted), support)
    return values


def macro_f1_draws(targets: ArrayLike, predictions: ArrayLike, *, draws: int = 1000, seed: int = 0) -> Draws:
    """Return macro-F1 in each resample, shape (draws,): compute once a trial, then pair any two.

    Raises:
        ValueError: As in :func:`bootstrap_interval`.
    """
    return cast("Draws", metric_draws(targets, predictions, metric="macro_f1", draws=draws, seed=seed)[0])


def interval(values: Draws, *, level: float = 0.95) -> Interval:
    """Return the percentile interval of a metric's draws, shape (draws,).

    Raises:
        ValueError: The level is not in (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(low=float(low), high=float(high))


def compare_draws(
    difference: float, draws_a: Draws, draws_b: Draws, *, level: float = 0.95
) -> PairedDifference:
    """Pair two trials whose draws come from the same resamples.

    Args:
        difference: Metric of a less metric of b on all examples.
        draws_a: What :func:`metric_draws` gave for a, shape (draws,).
        draws_b: Likewise for b, with the same examples, draws and seed.
        level: Share of the resamples that the interval holds, in (0, 1).

    Raises:
        ValueError: The numbers of draws differ, or the level is not in (0, 1).
    """
    if draws_a.shape != draws_b.shape:
        raise ValueError(
            f"draws must be of the same resamples, got {draws_a.shape} and {draws_b.shape} of them"
        )
    gains = draws_a - draws_b
    held = interval(gains, level=level)
    probability = np.mean(gains > 0) + np.mean(gains == 0) / 2
    return PairedDifference(
        difference=float(difference), low=held.low, high=held.high, probability_a_beats_b=float(probability)
    )


def _resamples(examples: int, *, draws: int, seed: int) -> Iterator[NDArray[np.floating[Any]]]:
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


def _weigh(weights: NDArray[np.floating[Any]], flags: Targets) -> NDArray[np.float64]:
    """Count the true flags of each label in each resample, (c, l)."""
    return cast("NDArray[np.float64]", (weights @ flags.astype(weights.dtype)).astype(np.float64))


def _f1(
    metric: str, hits: NDArray[np.float64], predicted: NDArray[np.float64], support: NDArray[np.float64]
) -> Draws:
    """Return the metric in each resample, (c,), from counts of shape (c, l); 0 where it is undefined."""
    if metric == "micro_f1":
        size = (predicted + support).sum(axis=1)
        return cast("Draws", 2 * hits.sum(axis=1) / np.maximum(size, 1))
    f1 = 2 * hits / np.maximum(predicted + support, 1)
    if metric == "macro_f1":
        return cast("Draws", f1.mean(axis=1))
    return cast("Draws", (f1 * support).sum(axis=1) / np.maximum(support.sum(axis=1), 1))
