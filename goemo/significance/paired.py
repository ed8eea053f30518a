"""Paired differences: two trials on the same resamples, because hard examples are hard for both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from goemo.significance.bootstrap import Bootstrap, Draws, bootstrap
from goemo.significance.intervals import interval


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

    The difference is far surer than the two intervals of their own suggest.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        predictions_a: True where a predicts the label, same shape.
        predictions_b: True where b predicts the label, same shape.
        metric: As in :func:`goemo.significance.bootstrap_interval`, and so on for the others.
        draws: Number of resamples.
        level: How often such an interval shall hold the true difference.
        seed: Seeds the resamples.

    Raises:
        ValueError: As in :func:`goemo.significance.bootstrap_interval`.
    """
    a, b = bootstrap(targets, predictions_a, predictions_b, draws=draws, seed=seed)
    return compare(a, b, metric, level=level)


def compare(a: Bootstrap, b: Bootstrap, metric: str = "macro_f1", *, level: float = 0.95) -> PairedDifference:
    """Pair two trials of the same examples, draws and seed.

    Raises:
        ValueError: The numbers of draws differ, the average is unknown, or the level is not in (0, 1).
    """
    difference = a.estimate(metric) - b.estimate(metric)
    return compare_draws(difference, a.draws(metric), b.draws(metric), level=level)


def compare_draws(
    difference: float, draws_a: Draws, draws_b: Draws, *, level: float = 0.95
) -> PairedDifference:
    """Pair two trials whose draws come from the same resamples.

    The interval is the percentile interval: what makes the draws of one trial lean low cancels in the
    difference, and it held the true difference as often as it should, the corrected one a little less often
    (`benchmarks/intervals.py`).

    Args:
        difference: Metric of a less metric of b on all examples.
        draws_a: The metric of a in each resample, shape (draws,).
        draws_b: Likewise for b, with the same examples, draws and seed.
        level: How often such an interval shall hold the true difference, in (0, 1).

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
