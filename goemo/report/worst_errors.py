"""The worst errors of a model: what it has not learned, or what is mislabelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from goemo.thresholds import FittedThresholds, apply_thresholds


def worst_errors(
    scores: npt.NDArray[np.floating[Any]],
    targets: npt.NDArray[np.bool_],
    thresholds: FittedThresholds | npt.NDArray[np.floating[Any]],
    labels: Sequence[str],
    texts: Sequence[str],
    *,
    most: int = 15,
) -> list[dict[str, Any]]:
    """Return the texts with the most confident mistakes, the worst first.

    A mistake is a label on the wrong side of its threshold. The confidence of an example's mistakes is the
    mean of two parts: the highest score among the labels that are predicted wrongly, and the highest
    ``1 - score`` among those that are missed; a part without a mistake counts 0. So a text for which the
    model is sure of something else comes before one of which it says nothing.

    Args:
        scores: Sigmoid outputs in [0, 1], shape (n_examples, n_labels).
        targets: True where a label applies, same shape.
        thresholds: One a label; predictions are those of :func:`goemo.thresholds.apply_thresholds`.
        labels: Names, in the order of the columns.
        texts: One an example.
        most: Number of texts at most; examples without a mistake never count.

    Returns:
        ``{"text", "missed": {label: score}, "wrong": {label: score}, "confidence"}`` in plain values, of
        equal confidence the earlier example first; labels within one by falling score.

    Raises:
        ValueError: Shapes do not fit together.
    """
    if scores.shape != targets.shape or scores.shape != (len(texts), len(labels)):
        raise ValueError(
            f"scores and targets must be (n_texts, n_labels), but got {scores.shape} and {targets.shape} for "
            f"{len(texts)} texts and {len(labels)} labels"
        )
    predictions = apply_thresholds(scores, thresholds)
    wrong = predictions & ~targets
    missed = targets & ~predictions
    sure_of_wrong = np.where(wrong, scores, 0).max(axis=1, initial=0)
    sure_of_missing = np.where(missed, 1 - scores, 0).max(axis=1, initial=0)
    confidence = (sure_of_wrong + sure_of_missing) / 2
    is_mistaken = np.any(wrong | missed, axis=1)
    order = np.argsort(-confidence, kind="stable")
    worst = order[is_mistaken[order]][:most].tolist()
    return [
        {
            "text": texts[i],
            "missed": _named(scores[i], missed[i], labels),
            "wrong": _named(scores[i], wrong[i], labels),
            "confidence": float(confidence[i]),
        }
        for i in worst
    ]


def _named(
    scores: npt.NDArray[np.floating[Any]], chosen: npt.NDArray[np.bool_], labels: Sequence[str]
) -> dict[str, float]:
    order = [i for i in np.argsort(-scores, kind="stable") if chosen[i]]
    return {labels[i]: float(scores[i]) for i in order}
