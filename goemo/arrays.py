"""Scores and targets as arrays, or an error that names the label."""

from __future__ import annotations

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
