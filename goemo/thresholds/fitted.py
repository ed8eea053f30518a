"""Fitted thresholds, and how they predict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from goemo.arrays import Targets, Values, check_scores, label_name


@dataclass(frozen=True, eq=False)
class FittedThresholds:
    """The thresholds of all labels, and how they came about.

    Attributes:
        values: One threshold a label, shape (n_labels,); a label is predicted where
            ``score >= threshold``, and never where the threshold is ``inf``.
        method: What fitted them, a key of :data:`goemo.configuration.thresholds.METHODS`.
        f1: F1 of each label on the rows that fitted the thresholds, shape (n_labels,): flattering.
        options: The method's options, defaults included; ``target`` and ``fallback``, which nearly all
            methods have, only where they are not ``f1`` and ``none``.
        borrowed: Places of the labels without a positive among the rows that fitted the thresholds, which
            have one from other labels (:mod:`goemo.thresholds.borrowing`) or whatever the method gives them.
    """

    values: Values
    method: str
    f1: Values
    options: Mapping[str, Any] = field(default_factory=dict)
    borrowed: tuple[int, ...] = ()

    @property
    def fallback(self) -> str:
        """What an example without a label gets: ``none``, or with ``top1`` that of its highest score."""
        return str(self.options.get("fallback", "none"))

    def of(self, columns: Sequence[int]) -> FittedThresholds:
        """Return the thresholds of some labels, by their places; a fallback then looks at these alone."""
        at = list(columns)
        borrowed = tuple(place for place, column in enumerate(at) if column in self.borrowed)
        return replace(self, values=self.values[at], f1=self.f1[at], borrowed=borrowed)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; a threshold of ``inf`` becomes ``None``."""
        return {
            "method": self.method,
            "options": {k: v.item() if isinstance(v, np.generic) else v for k, v in self.options.items()},
            "values": [value if math.isfinite(value) else None for value in self.values.tolist()],
            "f1": self.f1.tolist(),
            "borrowed": list(self.borrowed),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FittedThresholds:
        """Rebuild thresholds from what :meth:`to_dict` gave; further keys are ignored."""
        finite_or_inf = [math.inf if value is None else value for value in values["values"]]
        return cls(
            values=np.array(finite_or_inf, dtype=np.float64),
            method=str(values["method"]),
            f1=np.array(values["f1"], dtype=np.float64),
            options=dict(values["options"]),
            borrowed=tuple(values.get("borrowed", ())),
        )


def apply_thresholds(
    scores: ArrayLike,
    thresholds: FittedThresholds | ArrayLike,
    *,
    labels: Sequence[str] | None = None,
) -> Targets:
    """Predict a label where ``score >= threshold``; a threshold of ``inf`` never predicts.

    Scores are compared in double precision, whatever their own: a threshold that was fitted on single
    precision scores parts them exactly where it was fitted to.

    Fitted thresholds with the fallback ``top1`` give an example that is left without a label that of its
    highest score, the first of equal ones, whatever the label's threshold.

    Args:
        scores: In [0, 1], shape (n_examples, n_labels); no examples are fine.
        thresholds: Fitted thresholds, one number a label, or one number for all.
        labels: Names of the labels, for messages.

    Returns:
        Predictions, bool, shape (n_examples, n_labels).

    Raises:
        ValueError: Scores as in :func:`goemo.thresholds.fit_thresholds`; a threshold is NaN, or their number
            is not that of the labels.
    """
    array = check_scores(scores, labels=labels)
    predictions: Targets = array >= threshold_values(thresholds, labels=array.shape[1], names=labels)
    if isinstance(thresholds, FittedThresholds) and thresholds.fallback == "top1":
        bare = np.flatnonzero(~predictions.any(axis=1))
        predictions[bare, array[bare].argmax(axis=1)] = True
    return predictions


def threshold_values(
    thresholds: FittedThresholds | ArrayLike, *, labels: int, names: Sequence[str] | None = None
) -> Values:
    """Return one threshold a label, shape (labels,), from fitted ones, an array, or one number for all.

    Raises:
        ValueError: Their number is not that of the labels, or one is NaN.
    """
    given = thresholds.values if isinstance(thresholds, FittedThresholds) else thresholds
    values = np.asarray(given, dtype=np.float64)
    if values.ndim == 0:
        values = np.full(labels, values)
    if values.shape != (labels,):
        raise ValueError(f"thresholds must have the shape ({labels},), one per label, got {values.shape}")
    if np.isnan(values).any():
        wrong = label_name(np.flatnonzero(np.isnan(values))[0], names)
        raise ValueError(f"thresholds must not be NaN: label {wrong} has nan")
    return values
