"""Bootstrap counts of all labels in all resamples, from which every average follows in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goemo.arrays import check_flags
from goemo.metrics import average, label_metric
from goemo.significance.intervals import Interval, check_level, interval, wilson
from goemo.significance.resamples import count_flags, grouped, resamples
from goemo.thresholds.quality import counts

Draws = NDArray[np.float64]  # the metric in each resample, (n_draws,)
Labels = NDArray[np.float64]  # one number a label, (l,), or one a draw and label, (n_draws, l)
Tallies = tuple[Labels, Labels, Labels]  # true positives, predictions and positives


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """One set of predictions on all examples and on each resample of them, as counts.

    Attributes:
        counts: True positives, predictions and positives of each label, shape (n_labels,) each.
        resampled: The same in each resample, shape (n_draws, n_labels) each.
    """

    counts: Tallies
    resampled: Tallies

    def estimate(self, metric: str) -> float:
        """Return an average of all examples: one of :data:`goemo.metrics.AVERAGES`.

        Raises:
            ValueError: Another name.
        """
        return float(average(metric, *self.counts))

    def draws(self, metric: str) -> Draws:
        """Return an average in each resample, shape (n_draws,).

        Raises:
            ValueError: Another name.
        """
        return average(metric, *self.resampled)

    def interval(self, metric: str = "macro_f1", *, level: float = 0.95) -> Interval:
        """Return the bias-corrected interval of an average; it holds the estimate.

        A macro average is widened by its labels without spread: what is unknown of them is added to what the
        draws show, as independent errors are (in squares), each end for itself.

        Raises:
            ValueError: The name of the average is unknown, or the level is not in (0, 1).
        """
        estimate = self.estimate(metric)
        held = interval(self.draws(metric), level=level, estimate=estimate)
        unseen_below, unseen_above = self.unseen(metric, level=level)
        below = float(np.hypot(max(estimate - held.low, 0.0), unseen_below))
        above = float(np.hypot(max(held.high - estimate, 0.0), unseen_above))
        return Interval(low=max(estimate - below, 0.0), high=min(estimate + above, 1.0))

    def label_f1_intervals(self, *, level: float = 0.95) -> list[Interval]:
        """Return the interval of each label's F1: bias-corrected, Wilson's where the draws have no spread.

        Raises:
            ValueError: The level is not in (0, 1).
        """
        estimates, drawn = label_metric("f1", *self.counts), label_metric("f1", *self.resampled)
        low, high = self._wilson("f1", level)
        return [
            Interval(float(low[label]), float(high[label]))
            if np.ptp(drawn[:, label]) == 0
            else interval(drawn[:, label], level=level, estimate=float(estimates[label]))
            for label in range(len(estimates))
        ]

    def unseen(self, metric: str, *, level: float = 0.95) -> tuple[float, float]:
        """Return how far labels without spread may move a macro average, down and up; others, not at all.

        Raises:
            ValueError: The level is not in (0, 1).
        """
        of, _, name = metric.partition("_")
        if of != "macro":
            return 0.0, 0.0
        estimates = label_metric(name, *self.counts)
        is_silent = np.ptp(label_metric(name, *self.resampled), axis=0) == 0
        low, high = self._wilson(name, level)
        down, up = (estimates - low)[is_silent], (high - estimates)[is_silent]
        return float(np.linalg.norm(down)) / len(estimates), float(np.linalg.norm(up)) / len(estimates)

    def _wilson(self, metric: str, level: float) -> tuple[Labels, Labels]:
        """Return both ends of each label's precision, recall or F1, (l,) each, from its counts alone.

        Of the examples that have the label or its prediction, a share J has both, and F1 is 2 J / (1 + J).
        """
        hits, predicted, positives = self.counts
        trials = {"precision": predicted, "recall": positives, "f1": predicted + positives - hits}[metric]
        low, high = wilson(hits, trials, level=check_level(level))
        return (2 * low / (1 + low), 2 * high / (1 + high)) if metric == "f1" else (low, high)


def bootstrap(
    targets: ArrayLike,
    *predictions: ArrayLike,
    draws: int = 1000,
    seed: int = 0,
    labels: Sequence[str] | None = None,
) -> list[Bootstrap]:
    """Resample the examples once and count each set of predictions on every resample.

    All sets see the same resamples, in this call and in any other with as many examples, draws and the same
    seed: two of them can be paired (:func:`goemo.significance.compare`).

    Of more than 100,000 examples, groups of them are resampled, see :mod:`goemo.significance.resamples`.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        *predictions: True where the label is predicted, same shape.
        draws: Number of resamples, at least 1.
        seed: Seeds the resamples.
        labels: Names of the labels, for messages; without it they are numbered.

    Returns:
        One for each set of predictions.

    Raises:
        ValueError: Arrays as in :func:`goemo.metrics.count`, no examples, or no draws.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    true = check_flags("targets", targets, labels=labels)
    sets = [check_flags("predictions", given, shape=true.shape, labels=labels) for given in predictions]
    if not len(true):
        raise ValueError("targets must have at least one example to resample, got none")
    positives = np.empty((draws, true.shape[1]))
    resampled = [(np.empty_like(positives), np.empty_like(positives), positives) for _ in sets]
    done = 0
    present = grouped(true, seed=seed)
    of_sets = [(grouped(true & given, seed=seed), grouped(given, seed=seed)) for given in sets]
    for weights in resamples(len(present), draws=draws, seed=seed):  # (c, n)
        chunk = slice(done, done + len(weights))
        done += len(weights)
        positives[chunk] = count_flags(weights, present)
        for (hits, predicted, _), (both, alone) in zip(resampled, of_sets, strict=True):
            hits[chunk] = count_flags(weights, both)
            predicted[chunk] = count_flags(weights, alone)
    found = []
    for tallies, given in zip(resampled, sets, strict=True):
        of_both, of_given, of_true = (number.astype(np.float64) for number in counts(given, true))
        found.append(Bootstrap(counts=(of_both, of_given, of_true), resampled=tallies))
    return found


def bootstrap_interval(
    targets: ArrayLike,
    predictions: ArrayLike,
    *,
    metric: str = "macro_f1",
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the interval of one average over resampled examples, as :meth:`Bootstrap.interval` does.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        predictions: True where the label is predicted, same shape.
        metric: ``macro_``, ``weighted_`` or ``micro_``, and ``f1``, ``precision`` or ``recall``.
        draws: Number of resamples, at least 1.
        level: How often such an interval shall hold the truth, in (0, 1).
        seed: Seeds the resamples: the same for the same number of examples, draws and seed.

    Raises:
        ValueError: Arrays as in :func:`goemo.metrics.count`, no examples, or an argument out of its range.
    """
    (drawn,) = bootstrap(targets, predictions, draws=draws, seed=seed)
    return drawn.interval(metric, level=level)
