"""Fits thresholds: checks the input, then calls the method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from goemo.arrays import Targets, check_flags, check_scores
from goemo.configuration.thresholds import filled_options, threshold_options
from goemo.thresholds.borrowing import borrow
from goemo.thresholds.cross_fit import cross_fit
from goemo.thresholds.fitted import FittedThresholds, apply_thresholds
from goemo.thresholds.folds import fold_of_rows
from goemo.thresholds.methods.registry import REFUSING, fit_of
from goemo.thresholds.quality import counts, f_measure

_USUAL = {"target": "f1", "fallback": "none"}

# A label without a positive meets none of these, so that "never" is what was asked for.
_REQUIREMENTS = frozenset({"precision_at_recall", "recall_at_precision"})


def fit_thresholds(
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    method: str = "exact",
    labels: Sequence[str] | None = None,
    **options: Any,
) -> FittedThresholds:
    """Choose one threshold a label on these rows; see the package for the methods and their options.

    Args:
        scores: In [0, 1], shape (n_examples, n_labels), at least one example and one label.
        targets: True (or 1) where the label applies, same shape.
        method: A key of :data:`goemo.configuration.thresholds.METHODS`.
        labels: Names of the labels, for messages; without it they are numbered.
        **options: The method's own, those of its ``target``, and ``fallback``.

    Returns:
        The thresholds, with each label's F1 on these same rows, and which labels had no positive among them.

    Raises:
        ValueError: The arrays are not two-dimensional, their shapes differ, there are no examples, a score
            is NaN or outside [0, 1], a target is neither true nor false, the method or an option is unknown,
            or an option is out of its range.
    """
    chosen = filled_options(threshold_options({"method": method, **options}))
    score_array = check_scores(scores, labels=labels)
    target_array = check_flags("targets", targets, shape=score_array.shape, labels=labels)
    if not len(score_array):
        raise ValueError("scores must have at least one example to fit thresholds on, got none")
    fit = cross_fit if method == "cross_fit" else fit_of(method)
    values = fit(score_array, target_array, chosen)
    inner = chosen.get("of", method)
    if inner not in REFUSING and chosen.get("target") not in _REQUIREMENTS:
        values = borrow(values, score_array, target_array)
    is_borrowed = ~target_array.any(axis=0) & np.isfinite(values) & (inner != "fixed")
    own = {name: value for name, value in chosen.items() if _USUAL.get(name) != value}
    fitted = FittedThresholds(
        values=values,
        method=method,
        f1=np.zeros(len(values)),
        options=own,
        borrowed=tuple(np.flatnonzero(is_borrowed).tolist()),
    )
    found = counts(apply_thresholds(score_array, fitted), target_array)
    fitted.f1[:] = f_measure().worth(*found, len(target_array))
    return fitted


def cross_fitted_predictions(
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    method: str = "exact",
    folds: int = 5,
    seed: int = 0,
    labels: Sequence[str] | None = None,
    **options: Any,
) -> Targets:
    """Predict every row with thresholds that were fitted without it.

    Metrics of these predictions do not reward over-fitted thresholds, and still use every row. The folds
    depend on the number of rows, ``folds`` and ``seed`` alone (see :func:`fold_of_rows`), so all trials of a
    search are judged on the same ones. A label whose only positives lie in one fold is predicted there with
    a borrowed threshold (:mod:`goemo.thresholds.borrowing`).

    Args:
        scores: In [0, 1], shape (n_examples, n_labels).
        targets: True where the label applies, same shape.
        method: As in :func:`fit_thresholds`.
        folds: Number of folds, at least 2; with fewer rows than folds, each row is one. For the method
            ``cross_fit``, ``folds`` and ``seed`` are its own, and the folds that judge are the usual five.
        seed: Seeds the folds.
        labels: Names of the labels, for messages.
        **options: As in :func:`fit_thresholds`.

    Returns:
        Predictions, bool, shape (n_examples, n_labels).

    Raises:
        ValueError: As in :func:`fit_thresholds`, or there are fewer than 2 rows or 2 folds.
    """
    score_array = check_scores(scores, labels=labels)
    target_array = check_flags("targets", targets, shape=score_array.shape, labels=labels)
    if method == "cross_fit":
        options, folds, seed = {**options, "folds": folds, "seed": seed}, 5, 0
    fold_of = fold_of_rows(len(score_array), folds=folds, seed=seed)
    predictions = np.empty_like(target_array)
    for fold in range(int(fold_of.max()) + 1):
        held_out = fold_of == fold
        fitted = fit_thresholds(score_array[~held_out], target_array[~held_out], method=method, **options)
        predictions[held_out] = apply_thresholds(score_array[held_out], fitted)
    return predictions
