"""Scores and targets as arrays, or an error that names the label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.floating[Any]]  # in [0, 1], (n_examples, n_labels)
Targets = NDArray[np.bool_]  # (n_examples, n_labels); predictions have the same type
Values = NDArray[np.float64]  # one number a label, (n_labels,)


def check_scores(scores: ArrayLike, *, labels: Sequence[str] | None = None) -> Scores:
    """Return the scores as a floating-point array, or say what is wrong with them.

    Args:
        scores: Numbers, shape (n_examples, n_labels).
        labels: Names of the labels, for messages; without it they are numbered.

    Raises:
        ValueError: Not two-dimensional, no label, not numbers, NaN, outside [0, 1], or the number of names
            is not that of the labels.
    """
    array = np.asarray(scores)
    _check_shape("scores", array)
    if labels is not None and len(labels) != array.shape[1]:
        raise ValueError(f"labels must name all {array.shape[1]} labels, got {len(labels)} names")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"scores must be real numbers, got dtype {array.dtype}")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    # NaN makes both comparisons false, so it takes the slow branch as well.
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        example, label = np.argwhere(~((array >= 0) & (array <= 1)))[0]
        raise ValueError(
            f"scores must lie in [0, 1] and not be NaN: label {label_name(label, labels)} has "
            f"{array[example, label]} in example {example}"
        )
    return cast("Scores", array)


def check_flags(
    name: str,
    flags: ArrayLike,
    *,
    shape: tuple[int, ...] | None = None,
    labels: Sequence[str] | None = None,
) -> Targets:
    """Return targets or predictions as a bool array, or say what is wrong with them.

    Args:
        name: What the array is called in the message.
        flags: True and false, or 1 and 0.
        shape: What the shape must be, if anything.
        labels: Names of the labels, for messages; without it they are numbered.

    Raises:
        ValueError: Not two-dimensional, no label, another shape, or a value that is neither 0 nor 1.
    """
    array = np.asarray(flags)
    _check_shape(name, array)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, (n_examples, n_labels), got {array.shape}")
    if array.dtype != np.bool_:
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{name} must be true or false, got dtype {array.dtype}")
        wrong = (array != 0) & (array != 1)
        if wrong.any():
            example, label = np.argwhere(wrong)[0]
            raise ValueError(
                f"{name} must be true or false: label {label_name(label, labels)} has "
                f"{array[example, label]} in example {example}"
            )
        array = array.astype(np.bool_)
    return cast("Targets", array)


def label_name(label: int | np.integer[Any], labels: Sequence[str] | None) -> str:
    """Return what a message calls a label: its name where it has one, else its number."""
    return str(label) if labels is None else str(labels[int(label)])


def _check_shape(name: str, array: NDArray[Any]) -> None:
    if array.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, (n_examples, n_labels), got shape {array.shape}")
    if not array.shape[1]:
        raise ValueError(f"{name} must have at least one label, got shape {array.shape}")


# The smallest score above 0 that a kept score (float16) can have.
_NEAREST_TO_CERTAIN = 2.0**-24


def to_logits(scores: ArrayLike) -> Values:
    """Return ``log(score / (1 - score))``; scores of 0 and 1 count as 2**-24 away from there."""
    inside = np.clip(np.asarray(scores, dtype=np.float64), _NEAREST_TO_CERTAIN, 1 - _NEAREST_TO_CERTAIN)
    logits: Values = np.log(inside) - np.log1p(-inside)
    return logits


def logit_mean(scores: Values, weights: Values) -> Values:
    """Return each label's weighted mean of scores, on the scale of :func:`to_logits`.

    It never leaves the range of what is averaged: the mean of equal scores is that score to the last bit, so
    that ``>=`` still predicts it.

    Args:
        scores: Shape (k, n_labels); one with a weight of 0 does not count, even if it is ``inf``.
        weights: At least 0, above 0 in sum, same shape.

    Returns:
        Shape (n_labels,).
    """
    counts = weights > 0
    mean = (weights * to_logits(np.where(counts, scores, 0.5))).sum(axis=0) / weights.sum(axis=0)
    lowest = np.where(counts, scores, math.inf).min(axis=0)
    highest = np.where(counts, scores, -math.inf).max(axis=0)
    held: Values = np.clip(1 / (1 + np.exp(-mean)), lowest, highest)
    return held
