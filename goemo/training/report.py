"""Reports: when a training measures itself, and what it records then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Report:
    """One measurement on the validation split.

    Attributes:
        progress: Per cent of the training that is done, 1 to 100.
        step: Optimizer steps done.
        metrics: By their names in MLflow: ``val/macro_f1`` and the others of
            ``goemo.evaluation.validation_metrics``, ``val/loss``, ``train/loss`` (mean over the steps since
            the report before), ``train/samples_per_second`` and ``train/peak_memory_gb``.
        scores: float16, shape (validation texts, labels); the thresholded metrics were computed from these.
        is_best: The configuration's metric is higher than in all reports before.
        predictions: Cross-fitted, as in ``goemo.thresholds.cross_fitted_predictions``, shape as ``scores``;
            None of a report that was read back, or that did not look at validation.
    """

    progress: int
    step: int
    metrics: dict[str, float]
    scores: NDArray[np.float16]
    is_best: bool
    predictions: NDArray[np.bool_] | None = None


def report_step(number: int, reports: int, total_steps: int) -> int:
    """Return the step after which a report comes, of ``reports`` at equal fractions; ``number`` from 1."""
    return (2 * number * total_steps + reports) // (2 * reports)


def report_progress(number: int, reports: int) -> int:
    """Return the per cent of the training that stand for a report, rounded; ``number`` from 1."""
    return (200 * number + reports) // (2 * reports)
