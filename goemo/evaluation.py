"""Evaluation: from scores to tables, with thresholds from the right split.

This is the one place that knows which rows a threshold comes from. Ranking uses validation alone, each row
predicted with thresholds of the others; reporting uses thresholds of validation on another split.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goemo import metrics
from goemo.configuration.plugins import METRIC, Plugin, plugins
from goemo.configuration.thresholds import methods
from goemo.errors import GoemoError
from goemo.significance import Bootstrap, bootstrap
from goemo.thresholds import (
    FittedThresholds,
    Scores,
    Targets,
    apply_thresholds,
    check_flags,
    check_scores,
    cross_fitted_predictions,
    fit_thresholds,
)


class OptimisticThresholdsWarning(UserWarning):
    """Thresholds are judged on the rows that they were fitted on, which flatters them."""


def as_kept(scores: ArrayLike) -> NDArray[np.float32]:
    """Round scores as a trial keeps them, to float16, so that thresholds that were fitted on kept scores fit.

    A fitted threshold lies between two rounded scores; where these are neighbours in float16, a float32 score
    may lie on its other side. See docs/decisions/003.

    Args:
        scores: In [0, 1], any shape.

    Returns:
        The same shape.
    """
    return np.asarray(scores, dtype=np.float16).astype(np.float32)


def validation_metrics(
    scores: ArrayLike, targets: ArrayLike, *, method: str = "exact", **options: Any
) -> dict[str, float]:
    """Return what ranks a trial: metrics on validation that do not reward over-fitted thresholds.

    Args:
        scores: Of the validation split, in [0, 1], shape (n_examples, n_labels), at least 2 examples.
        targets: True where the label applies, same shape.
        method: How thresholds are fitted, as in :func:`goemo.thresholds.fit_thresholds`.
        **options: The method's options.

    Returns:
        ``val/macro_f1``, ``val/weighted_f1`` and ``val/micro_f1``, each row predicted with thresholds that
        were fitted on other rows (five folds, the same for all trials), and ``val/macro_f1_at_0.5``; before
        them what other packages add (:mod:`goemo.configuration.plugins`), of the same predictions.

    Raises:
        ValueError: As in :func:`goemo.thresholds.cross_fitted_predictions`.
        GoemoError: What another package adds gives no number from -1 to 1.
    """
    return cross_fitted_metrics(scores, targets, method=method, **options)[1]


def cross_fitted_metrics(
    scores: ArrayLike, targets: ArrayLike, *, method: str = "exact", **options: Any
) -> tuple[Targets, dict[str, float]]:
    """Return the predictions that `validation_metrics` measures, shape of ``targets``, and these metrics."""
    cross_fitted = cross_fitted_predictions(scores, targets, method=method, **options)
    ours = {
        "val/macro_f1": metrics.macro_f1(targets, cross_fitted),
        "val/weighted_f1": metrics.weighted_f1(targets, cross_fitted),
        "val/micro_f1": metrics.micro_f1(targets, cross_fitted),
        "val/macro_f1_at_0.5": metrics.macro_f1(targets, apply_thresholds(scores, 0.5)),
    }
    others = {f"val/{name}": plugin for name, plugin in plugins(METRIC).items()}
    added = {n: _added(plugin, targets, cross_fitted) for n, plugin in others.items() if n not in ours}
    return cross_fitted, {**added, **ours}


def _added(plugin: Plugin, targets: ArrayLike, predictions: Targets) -> float:
    value = float(plugin.function(np.asarray(targets), predictions))
    if not -1 <= value <= 1:
        name, rule = plugin.entry.name, f"must give a number from -1 to 1, got {value}"
        raise GoemoError(f"the metric {name} of {plugin.version} {rule}")
    return value


def results(
    labels: Sequence[str],
    thresholds: FittedThresholds,
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    split: str = "test",
    columns: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Evaluate one split with thresholds from three places.

    ``fixed_0.5`` takes 0.5 for every label. ``validation`` takes the given thresholds, which were fitted on
    validation: the honest figure. ``test_tuned`` takes the best threshold of every label on the very rows it
    then
    judges: an upper bound that no model in use will reach, there for comparison with published tables. Where
    the given thresholds come from the published grid, so does this.

    Args:
        labels: Names of the labels.
        thresholds: Fitted on the validation split.
        scores: Scores of the split to evaluate, shape (n_examples, n_labels).
        targets: Its targets, same shape, or (n_examples, len(columns)).
        split: Name of the split to evaluate.
        columns: Positions of the labels that ``targets`` has, where that is not all: only these are judged,
            and each is predicted as if all were.

    Returns:
        ``{"split", "examples", "results": {"fixed_0.5": R, "validation": R, "test_tuned": R}}`` in plain
        values, ready for JSON. Each R has ``macro``, ``weighted`` and ``micro`` (see :mod:`goemo.metrics`),
        ``per_label`` (the table's rows, a threshold of ``inf`` being ``None``, with ``f1_low`` and
        ``f1_high``, the interval of F1), ``intervals`` (``[low, high]`` of each of
        :data:`goemo.metrics.AVERAGES`) and ``macro_f1_interval``, that of macro-F1. All are 95 % bootstrap
        intervals over the examples (:mod:`goemo.significance`).

    Raises:
        ValueError: As in :func:`goemo.thresholds.fit_thresholds` and :func:`goemo.metrics.per_label_table`.

    Warns:
        OptimisticThresholdsWarning: The thresholds were fitted on the rows to evaluate, so ``validation`` is
            no more honest than ``test_tuned``: the split is validation by name, or fitting on its rows gives
            the very same thresholds and F1 again.
    """
    score_array = check_scores(scores, labels=labels)
    predicted = apply_thresholds(score_array, thresholds)
    if columns is not None:
        labels, thresholds = [labels[column] for column in columns], thresholds.of(columns)
        score_array, predicted = score_array[:, columns], predicted[:, columns]
    target_array = check_flags("targets", targets, shape=score_array.shape, labels=labels)
    if split == "validation" or _were_fitted_on(thresholds, score_array, target_array):
        warnings.warn(
            "thresholds are fitted on the rows that they are then evaluated on, so the figures under "
            '"validation" flatter the model; evaluate another split, or use validation_metrics',
            OptimisticThresholdsWarning,
            stacklevel=2,
        )
    fitted = {
        "fixed_0.5": fit_thresholds(score_array, target_array, method="fixed", value=0.5),
        "validation": thresholds,
        "test_tuned": _upper_bound(thresholds, score_array, target_array),
    }
    predictions = {name: apply_thresholds(score_array, chosen) for name, chosen in fitted.items()}
    predictions["validation"] = predicted
    drawn = bootstrap(target_array, *predictions.values(), labels=labels)
    return {
        "split": split,
        "examples": len(target_array),
        "results": {
            name: _result(labels, target_array, predictions[name], chosen, resampled)
            for (name, chosen), resampled in zip(fitted.items(), drawn, strict=True)
        },
    }


def _upper_bound(given: FittedThresholds, scores: Scores, targets: Targets) -> FittedThresholds:
    """Fit the best thresholds on the rows that they judge: of the published grid for its own, else of all."""
    options = given.options
    if "grid" in {given.method, options.get("of")} and "target" not in options:
        return fit_thresholds(scores, targets, method="grid", step=options["step"])
    return fit_thresholds(scores, targets)


def _were_fitted_on(given: FittedThresholds, scores: Scores, targets: Targets) -> bool:
    """Return whether thresholds were fitted on these rows, as far as fitting them again can tell.

    A fixed threshold is fitted on nothing. Where every F1 is 0 or 1, other rows may well give the same. A
    method of a package that is not installed cannot be asked again.
    """
    is_partly_right = (given.f1 > 0) & (given.f1 < 1)
    if given.method == "fixed" or given.method not in methods() or not is_partly_right.any():
        return False
    again = fit_thresholds(scores, targets, method=given.method, **given.options)
    return np.array_equal(given.values, again.values) and np.array_equal(given.f1, again.f1)


def _result(
    labels: Sequence[str],
    targets: Targets,
    predictions: Targets,
    thresholds: FittedThresholds,
    resampled: Bootstrap,
) -> dict[str, Any]:
    table = metrics.per_label_table(targets, predictions, thresholds, labels)
    rows = table.to_dict(orient="records")
    for row, held in zip(rows, resampled.label_f1_intervals(), strict=True):
        row["threshold"] = row["threshold"] if math.isfinite(row["threshold"]) else None
        row["f1_low"], row["f1_high"] = held.low, held.high
    intervals = {name: list(astuple(resampled.interval(name))) for name in metrics.AVERAGES}
    return {
        **metrics.averages(table),
        "micro": metrics.micro(targets, predictions),
        "per_label": rows,
        "macro_f1_interval": intervals["macro_f1"],
        "intervals": intervals,
    }
