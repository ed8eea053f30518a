"""The per-label table of the published study, and its averages, all from counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goemo.arrays import Values, check_flags
from goemo.thresholds import FittedThresholds, threshold_values
from goemo.thresholds.quality import ratio

if TYPE_CHECKING:
    import pandas as pd

AVERAGED = ("accuracy", "precision", "recall", "f1", "mcc")

# The averages that follow from hits, predictions and positives alone, the ones that can rank first.
AVERAGES = tuple(
    f"{of}_{name}" for name in ("f1", "precision", "recall") for of in ("macro", "weighted", "micro")
)


@dataclass(frozen=True, eq=False)
class Counts:
    """The four cells of each label's confusion matrix, each of shape (n_labels,).

    Every metric here is a function of these. Where its denominator is 0 (a label that is never predicted has
    no precision, one without positives no recall), the metric is 0, as in the published tables.
    """

    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]
    tn: NDArray[np.int64]

    @property
    def support(self) -> NDArray[np.int64]:
        """Return the number of positives of each label."""
        return self.tp + self.fn

    @property
    def accuracy(self) -> Values:
        """Return the share of examples that each label gets right."""
        return ratio(self.tp + self.tn, self.tp + self.fp + self.fn + self.tn)

    @property
    def precision(self) -> Values:
        """Return the share of true ones among each label's predictions."""
        return ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> Values:
        """Return the share of each label's positives that are predicted."""
        return ratio(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> Values:
        """Return the harmonic mean of precision and recall."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def mcc(self) -> Values:
        """Return the Matthews correlation; 0 where targets or predictions are all alike."""
        tp, fp, fn, tn = (cell.astype(np.float64) for cell in (self.tp, self.fp, self.fn, self.tn))
        scale = np.sqrt(tp + fp) * np.sqrt(tp + fn) * np.sqrt(tn + fp) * np.sqrt(tn + fn)
        return ratio(tp * tn - fp * fn, scale)

    def pooled(self) -> Counts:
        """Return the counts of all labels taken together, as one label."""
        tp, fp, fn, tn = (cell.sum(keepdims=True) for cell in (self.tp, self.fp, self.fn, self.tn))
        return Counts(tp, fp, fn, tn)


def count(targets: ArrayLike, predictions: ArrayLike, *, labels: Sequence[str] | None = None) -> Counts:
    """Count hits and misses of each label.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        predictions: True where the label is predicted, same shape.
        labels: Names of the labels, for messages; without it they are numbered.

    Raises:
        ValueError: Not two-dimensional, shapes differ, a value is neither true nor false, or the number of
            names is not that of the labels.
    """
    shape = np.shape(targets)
    if labels is not None and len(shape) == 2:
        _check_names(labels, shape[1])
    true = check_flags("targets", targets, labels=labels)
    predicted = check_flags("predictions", predictions, shape=true.shape, labels=labels)
    tp = np.count_nonzero(true & predicted, axis=0).astype(np.int64)
    fp = np.count_nonzero(predicted, axis=0) - tp
    fn = np.count_nonzero(true, axis=0) - tp
    return Counts(tp=tp, fp=fp, fn=fn, tn=len(true) - tp - fp - fn)


def per_label_table(
    targets: ArrayLike,
    predictions: ArrayLike,
    thresholds: FittedThresholds | ArrayLike,
    labels: Sequence[str],
) -> pd.DataFrame:
    """Return the published table: one row a label, in the order of ``labels``.

    Args:
        targets: True where the label applies, shape (n_examples, n_labels).
        predictions: True where the label is predicted, same shape.
        thresholds: What the predictions were made with, for the last column: fitted thresholds, one number
            a label, or one for all.
        labels: Names of the labels.

    Returns:
        Columns label, accuracy, precision, recall, f1, mcc, support, threshold; undefined metrics are 0.

    Raises:
        ValueError: Arrays as in :func:`count`; the number of names or thresholds is not that of the labels.
    """
    return table_from_counts(count(targets, predictions, labels=labels), thresholds, labels)


def table_from_counts(
    counts: Counts, thresholds: FittedThresholds | ArrayLike, labels: Sequence[str]
) -> pd.DataFrame:
    """Return the table of :func:`per_label_table` from counts, such as those a published table implies.

    Raises:
        ValueError: The number of names or thresholds is not that of the labels.
    """
    import pandas as pd  # here, as lists of searches and leaderboards do without tables

    _check_names(labels, len(counts.tp))
    columns = {
        "label": list(labels),
        "accuracy": counts.accuracy,
        "precision": counts.precision,
        "recall": counts.recall,
        "f1": counts.f1,
        "mcc": counts.mcc,
        "support": counts.support,
        "threshold": threshold_values(thresholds, labels=len(labels), names=labels),
    }
    return pd.DataFrame(columns)


def averages(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Average the columns of a per-label table, as the published study does.

    Args:
        table: What :func:`per_label_table` returns, or a published table with the same columns.

    Returns:
        ``macro``, the simple mean over labels, and ``weighted``, the mean weighted by support (0 where no
        label has support), each with accuracy, precision, recall, f1 and mcc.
    """
    support = table["support"].to_numpy(np.float64)
    columns = {name: table[name].to_numpy(np.float64) for name in AVERAGED}
    return {
        "macro": {name: float(column.mean()) for name, column in columns.items()},
        "weighted": {name: _weighted_mean(column, support) for name, column in columns.items()},
    }


def micro(targets: ArrayLike, predictions: ArrayLike) -> dict[str, float]:
    """Return precision, recall and f1 over all decisions, of any label; arrays as in :func:`count`."""
    pooled = count(targets, predictions).pooled()
    return {
        "precision": float(pooled.precision[0]),
        "recall": float(pooled.recall[0]),
        "f1": float(pooled.f1[0]),
    }


def macro_f1(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Return the simple mean of the labels' F1: rare labels count in full; arrays as in :func:`count`."""
    return float(count(targets, predictions).f1.mean())


def weighted_f1(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Return the mean of the labels' F1, weighted by support; arrays as in :func:`count`."""
    counts = count(targets, predictions)
    return _weighted_mean(counts.f1, counts.support.astype(np.float64))


def micro_f1(targets: ArrayLike, predictions: ArrayLike) -> float:
    """Return the F1 over all decisions, of any label; arrays as in :func:`count`."""
    return float(count(targets, predictions).pooled().f1[0])


def average(metric: str, hits: Values, predicted: Values, positives: Values) -> Values:
    """Return one of :data:`AVERAGES` from counts whose last axis is the labels; that axis goes.

    Args:
        metric: ``macro_``, ``weighted_`` (by positives) or ``micro_`` (counts pooled), and the metric.
        hits: True positives, shape (.., n_labels).
        predicted: Predictions, same shape.
        positives: Targets, same shape.

    Returns:
        Shape (..); 0 where it is undefined.

    Raises:
        ValueError: Another name.
    """
    if metric not in AVERAGES:
        raise ValueError(f"metric must be one of {', '.join(AVERAGES)}, got {metric!r}")
    of, _, name = metric.partition("_")
    if of == "micro":
        return label_metric(name, hits.sum(axis=-1), predicted.sum(axis=-1), positives.sum(axis=-1))
    values = label_metric(name, hits, predicted, positives)
    if of == "macro":
        return cast("Values", values.mean(axis=-1))
    return ratio((values * positives).sum(axis=-1), positives.sum(axis=-1))


def label_metric(name: str, hits: Values, predicted: Values, positives: Values) -> Values:
    """Return ``f1``, ``precision`` or ``recall`` from counts of any shape; 0 where it is undefined."""
    numerator, denominator = {
        "f1": (2 * hits, predicted + positives),
        "precision": (hits, predicted),
        "recall": (hits, positives),
    }[name]
    return ratio(numerator, denominator)


def _check_names(labels: Sequence[str], number: int) -> None:
    if len(labels) != number:
        raise ValueError(f"labels must name all {number} labels, got {len(labels)} names")


def _weighted_mean(values: Values, weights: Values) -> float:
    total = weights.sum()
    return float(values @ weights / total) if total else 0.0
