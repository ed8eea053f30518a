"""Quality of a threshold, for each target that thresholds can be fitted for, from counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from goemo.arrays import Targets

Counts = NDArray[Any]  # whole numbers, or their expectations

# True positives, predicted, positives and examples, which broadcast against each other.
Worth = Callable[[Counts, Counts, Counts, int], NDArray[np.float64]]

# What a threshold is worth that does not meet the requirement; nothing may choose it.
UNMET = -math.inf


@dataclass(frozen=True)
class Quality:
    """What a threshold is fitted for.

    Attributes:
        worth: What a threshold is worth; the more the better, `UNMET` where it must not be taken.
        lower_wins: Of equally good thresholds, whether the lower one wins; else the higher.
    """

    worth: Worth
    lower_wins: bool = False

    def best(self, worth: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return where the best threshold is on the last axis, along which thresholds go down."""
        if self.lower_wins:
            return cast("NDArray[np.intp]", worth.shape[-1] - 1 - worth[..., ::-1].argmax(axis=-1))
        return cast("NDArray[np.intp]", worth.argmax(axis=-1))


def quality(options: Mapping[str, Any]) -> Quality:
    """Return what the option ``target`` asks for; without it, F1.

    Args:
        options: ``target`` with ``beta``, ``recall`` or ``precision``; other keys are ignored.
    """
    match options.get("target", "f1"):
        case "f_beta":
            return f_measure(options["beta"])
        case "mcc":
            return Quality(_mcc)
        case "precision_at_recall":
            # Of thresholds with equal precision, the lower has more recall.
            return Quality(_precision_at(options["recall"]), lower_wins=True)
        case "recall_at_precision":
            return Quality(_recall_at(options["precision"]))
    return f_measure()


def f_measure(beta: float = 1, *, a: float = 0, b: float = 0) -> Quality:
    """Return F-beta, ``(1 + beta**2) TP / (predicted + beta**2 positives)``, 0 where that is 0 / 0.

    Args:
        beta: How many times as much recall counts as precision (van Rijsbergen 1979, chapter 7).
        a: Is added to the numerator.
        b: Is added to the denominator.
    """
    square = beta * beta

    def worth(
        true_positives: Counts, predicted: Counts, positives: Counts, _examples: int
    ) -> NDArray[np.float64]:
        return ratio((1 + square) * true_positives + a, predicted + (square * positives + b))

    return Quality(worth)


def ratio(numerator: Counts, denominator: Counts) -> NDArray[np.float64]:
    """Divide; 0 where the denominator is."""
    if np.all(denominator):
        return np.asarray(numerator / denominator, dtype=np.float64)
    safe = np.where(denominator == 0, 1, denominator)
    return np.where(denominator == 0, 0.0, numerator / safe)


def counts(
    predictions: Targets, targets: Targets
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return true positives, predicted and positives of each label, (l,) each."""
    return (
        np.count_nonzero(predictions & targets, axis=0),
        np.count_nonzero(predictions, axis=0),
        np.count_nonzero(targets, axis=0),
    )


def _mcc(true_positives: Counts, predicted: Counts, positives: Counts, examples: int) -> NDArray[np.float64]:
    """Matthews 1975: the correlation of predictions and targets, 0 where one of them is constant.

    Where every example is positive, it is 0 for any threshold, and recall stands in for it.
    """
    covariance = examples * true_positives - predicted * positives
    spread = np.sqrt(1.0 * predicted * (examples - predicted)) * np.sqrt(
        1.0 * positives * (examples - positives)
    )
    return np.where(positives == examples, true_positives / examples, ratio(covariance, spread))


def _precision_at(recall: float) -> Worth:
    def worth(
        true_positives: Counts, predicted: Counts, positives: Counts, _examples: int
    ) -> NDArray[np.float64]:
        met = ratio(true_positives, positives) >= recall
        return np.where(met, ratio(true_positives, predicted), UNMET)

    return worth


def _recall_at(precision: float) -> Worth:
    def worth(
        true_positives: Counts, predicted: Counts, positives: Counts, _examples: int
    ) -> NDArray[np.float64]:
        met = ratio(true_positives, predicted) >= precision
        return np.where(met, ratio(true_positives, positives), UNMET)

    return worth
