"""Per-label thresholds, from arrays alone: fit them, apply them, judge them on rows they did not see."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.floating[Any]]  # in [0, 1], (n_examples, n_labels)
Targets = NDArray[np.bool_]  # (n_examples, n_labels); predictions have the same type
Values = NDArray[np.float64]  # one number a label, (n_labels,)

# Labels are ranked in blocks of about this many scores, so that a million rows need no gigabytes.
_BLOCK_SCORES = 2_000_000

# Sums of F1 over labels carry rounding errors far below this, and real differences lie above it.
_SAME_SUM = 1e-10


@dataclass(frozen=True, eq=False)
class FittedThresholds:
    """The cut-offs of all labels, and how they came about.

    Attributes:
        values: One threshold a label, shape (n_labels,); a label is predicted where
            ``score >= threshold``, and never where the threshold is ``inf``.
        method: What fitted them: ``exact``, ``grid``, ``global`` or ``fixed``.
        f1: F1 of each label on the rows that fitted the thresholds, shape (n_labels,): flattering.
        options: The method's options, defaults included.
    """

    values: Values
    method: str
    f1: Values
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON; a threshold of ``inf`` becomes ``None``."""
        return {
            "method": self.method,
            "options": dict(self.options),
            "values": [value if math.isfinite(value) else None for value in self.values.tolist()],
            "f1": self.f1.tolist(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> FittedThresholds:
        """Rebuild thresholds from what :meth:`to_dict` gave; further keys are ignored."""
        cuts = [math.inf if value is None else value for value in values["values"]]
        return cls(
            values=np.array(cuts, dtype=np.float64),
            method=str(values["method"]),
            f1=np.array(values["f1"], dtype=np.float64),
            options=dict(values["options"]),
        )


def fit_thresholds(
    scores: ArrayLike, targets: ArrayLike, *, method: str = "exact", **options: Any
) -> FittedThresholds:
    """Choose the thresholds that give the best F1 on these rows.

    ``exact`` tries every cut point of every label. Equal scores stay together, and of equal F1 the
    higher cut wins. The threshold is a score of the label, or ``inf`` for a label without a positive.

    ``grid`` is the protocol of the published study: the best of ``step``, ``2 * step`` .. below 1 (0.05,
    0.10 .. 0.95), where a label is predicted if ``score > cut``; of equal F1 the lower cut, the first that
    a loop over the grid meets. Everything here predicts ``score >= threshold``, so the threshold given is
    the next number above the cut, which predicts the very same rows. A label without a positive gets ``inf``.

    ``global`` is the one cut for all labels that maximises macro-F1, with the tie rule of ``exact``; it is
    ``inf`` when no label has a positive.

    ``fixed`` is ``value`` (0.5) for every label, whatever the data.

    Args:
        scores: In [0, 1], shape (n_examples, n_labels), at least one example and one label.
        targets: True (or 1) where the label applies, same shape.
        method: ``exact``, ``grid``, ``global`` or ``fixed``.
        **options: ``step`` of ``grid``, in (0, 1); ``value`` of ``fixed``, in [0, 1].

    Returns:
        The thresholds, with each label's F1 on these same rows.

    Raises:
        ValueError: The arrays are not two-dimensional, their shapes differ, there are no examples, a score
            is NaN or outside [0, 1], a target is neither true nor false, the method or an option is unknown,
            or an option is out of its range.
    """
    fit, defaults = _method(method, options)
    score_array = check_scores(scores)
    target_array = check_flags("targets", targets, shape=score_array.shape)
    if not len(score_array):
        raise ValueError("scores must have at least one example to fit thresholds on, got none")
    chosen = {**defaults, **options}
    values, f1 = fit(score_array, target_array, **chosen)
    return FittedThresholds(values=values, method=method, f1=f1, options=chosen)


def apply_thresholds(scores: ArrayLike, thresholds: FittedThresholds | ArrayLike) -> Targets:
    """Predict a label where ``score >= threshold``; a threshold of ``inf`` never predicts.

    Scores are compared in double precision, whatever their own: a threshold that was fitted on single
    precision scores cuts them exactly where it was fitted to.

    Args:
        scores: In [0, 1], shape (n_examples, n_labels); no examples are fine.
        thresholds: Fitted thresholds, one number a label, or one number for all.

    Returns:
        Predictions, bool, shape (n_examples, n_labels).

    Raises:
        ValueError: Scores as in :func:`fit_thresholds`; a threshold is NaN, or their number is not that of
            the labels.
    """
    score_array = check_scores(scores)
    return score_array >= threshold_values(thresholds, labels=score_array.shape[1])


def cross_fitted_predictions(
    scores: ArrayLike,
    targets: ArrayLike,
    *,
    method: str = "exact",
    folds: int = 5,
    seed: int = 0,
    **options: Any,
) -> Targets:
    """Predict every row with thresholds that were fitted without it.

    Metrics of these predictions do not reward over-fitted thresholds, and still use every row. The folds
    depend on the number of rows, ``folds`` and ``seed`` alone (see :func:`fold_of_rows`), so all trials of a
    search are judged on the same ones. A label whose only positives lie in one fold is never predicted there.

    Args:
        scores: In [0, 1], shape (n_examples, n_labels).
        targets: True where the label applies, same shape.
        method: As in :func:`fit_thresholds`.
        folds: Number of folds, at least 2; with fewer rows than folds, each row is one.
        seed: Seeds the folds.
        **options: As in :func:`fit_thresholds`.

    Returns:
        Predictions, bool, shape (n_examples, n_labels).

    Raises:
        ValueError: As in :func:`fit_thresholds`, or there are fewer than 2 rows or 2 folds.
    """
    score_array = check_scores(scores)
    target_array = check_flags("targets", targets, shape=score_array.shape)
    fold_of = fold_of_rows(len(score_array), folds=folds, seed=seed)
    predictions = np.empty_like(target_array)
    for fold in range(int(fold_of.max()) + 1):
        held_out = fold_of == fold
        fitted = fit_thresholds(score_array[~held_out], target_array[~held_out], method=method, **options)
        predictions[held_out] = score_array[held_out] >= fitted.values
    return predictions


def fold_of_rows(rows: int, *, folds: int = 5, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each row, drawn from these three numbers alone; sizes differ by one at most.

    Raises:
        ValueError: Fewer than 2 rows or 2 folds.
    """
    if folds < 2:
        raise ValueError(f"folds must be at least 2, got {folds}")
    if rows < 2:
        raise ValueError(f"cross-fitting needs at least 2 examples, got {rows}")
    return np.random.default_rng(seed).permutation(np.arange(rows, dtype=np.int64) % min(folds, rows))


def check_scores(scores: ArrayLike) -> Scores:
    """Return the scores as a floating-point array, or say what is wrong with them.

    Raises:
        ValueError: Not two-dimensional, no label, not numbers, NaN, or outside [0, 1].
    """
    array = np.asarray(scores)
    _check_shape("scores", array)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"scores must be real numbers, got dtype {array.dtype}")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    # NaN makes both comparisons false, so it takes the slow branch as well.
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        example, label = np.argwhere(~((array >= 0) & (array <= 1)))[0]
        raise ValueError(
            f"scores must lie in [0, 1] and not be NaN: label {label} has {array[example, label]} "
            f"in example {example}"
        )
    return cast("Scores", array)


def check_flags(name: str, flags: ArrayLike, *, shape: tuple[int, ...] | None = None) -> Targets:
    """Return targets or predictions as a bool array, or say what is wrong with them.

    Args:
        name: What the array is called in the message.
        flags: True and false, or 1 and 0.
        shape: What the shape must be, if anything.

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
                f"{name} must be true or false: label {label} has {array[example, label]} "
                f"in example {example}"
            )
        array = array.astype(np.bool_)
    return cast("Targets", array)


def threshold_values(thresholds: FittedThresholds | ArrayLike, *, labels: int) -> Values:
    """Return one threshold a label, shape (labels,), from fitted ones, an array, or one number for all.

    Raises:
        ValueError: Their number is not that of the labels, or one is NaN.
    """
    given = thresholds.values if isinstance(thresholds, FittedThresholds) else thresholds
    values = np.asarray(given, dtype=np.float64)
    if values.ndim == 0:
        values = np.full(labels, values)
    if values.shape != (labels,):
        raise ValueError(f"thresholds must have the shape ({labels},), one a label, got {values.shape}")
    if np.isnan(values).any():
        raise ValueError(f"thresholds must not be NaN: label {np.flatnonzero(np.isnan(values))[0]} has nan")
    return values


def _check_shape(name: str, array: NDArray[Any]) -> None:
    if array.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, (n_examples, n_labels), got shape {array.shape}")
    if not array.shape[1]:
        raise ValueError(f"{name} must have at least one label, got shape {array.shape}")


def _exact(scores: Scores, targets: Targets) -> tuple[Values, Values]:
    """Return the best thresholds over all cut points, and their F1, both (l,)."""
    n, labels = scores.shape
    values = np.full(labels, math.inf)
    best = np.zeros(labels)
    positives = np.count_nonzero(targets, axis=0)
    predicted = np.arange(1, n + 1)
    block = max(1, _BLOCK_SCORES // n)
    for start in range(0, labels, block):
        columns = slice(start, min(start + block, labels))
        ranked, true_positives = _rank(scores[:, columns], targets[:, columns])  # (b, n) each
        # A cut inside a group of equal scores cannot be made, and never wins either, so it needs no mask:
        # after some of the group's negatives, the cut above the group is better; after some of its
        # positives, which come last, the cut below the group is.
        f1 = 2 * true_positives / (predicted + positives[columns, None])
        at = f1.argmax(axis=1)  # of equal F1 the first, so the higher cut
        rows = np.arange(len(at))
        found = positives[columns] > 0
        values[columns] = np.where(found, ranked[rows, at], math.inf)
        best[columns] = f1[rows, at]
    return values, best


def _rank(scores: Scores, targets: Targets) -> tuple[Scores, NDArray[np.int64]]:
    """Rank each label's scores downwards; of equal scores, the negatives come first.

    The bits of a float in [0, 1] sort like the float and leave the sign bit free: shifted by one, the
    target fits below them, and one sort without indices, several times faster than ``argsort``, does both.

    Returns:
        The scores in descending order, and the number of positives down to there, both (l, n).
    """
    keys = np.array(scores.T, order="C")  # a copy
    bits: NDArray[np.unsignedinteger[Any]] = keys.view(f"u{keys.itemsize}")
    bits <<= 1  # this drops the sign of -0.0
    bits |= ~targets.T
    bits.sort(axis=1)
    descending = bits[:, ::-1]
    true_positives = np.cumsum((descending & 1) == 0, axis=1, dtype=np.int64)
    return cast("Scores", (descending >> 1).view(scores.dtype)), true_positives


def _grid(scores: Scores, targets: Targets, *, step: float) -> tuple[Values, Values]:
    """Return the best of the published cuts, moved up by one float for ``>=``, and their F1, both (l,)."""
    if not 0 < step < 1:
        raise ValueError(f"step must lie in (0, 1), got {step}")
    # Rounded, so that the cuts are 0.15 and 0.35, not 0.15000000000000002.
    cuts = np.round(np.arange(1, math.ceil(1 / step) + 1) * step, 10)
    cuts = cuts[cuts < 1]
    positives = np.count_nonzero(targets, axis=0)
    true_positives, predicted = _counts_above(scores, targets, cuts)  # (k, l) each
    f1 = 2 * true_positives / np.maximum(predicted + positives, 1)
    at = f1.argmax(axis=0)  # of equal F1 the first, so the lower cut
    values = np.where(positives > 0, np.nextafter(cuts[at], math.inf), math.inf)
    return values, f1[at, np.arange(len(at))]


def _counts_above(
    scores: Scores, targets: Targets, cuts: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count, for each ascending cut and label, positives and examples with ``score > cut``; (k, l) each."""
    bins, labels = len(cuts) + 1, scores.shape[1]
    below = np.searchsorted(cuts, scores) + bins * np.arange(labels)  # cuts below the score, (n, l)

    def above(cells: NDArray[np.int64]) -> NDArray[np.int64]:
        histogram = np.bincount(cells, minlength=bins * labels).reshape(labels, bins)
        return cast("NDArray[np.int64]", histogram[:, :0:-1].cumsum(axis=1)[:, ::-1].T)

    return above(below[targets]), above(below.ravel())


def _global(scores: Scores, targets: Targets) -> tuple[Values, Values]:
    """Return the one cut that maximises the sum of F1, once a label, and each label's F1, both (l,).

    Only scores of positives can be that cut: at any other score, the next higher cut loses no true
    positive of any label.
    """
    labels = scores.shape[1]
    cuts = np.unique(scores[targets])  # ascending
    if not len(cuts):
        return np.full(labels, math.inf), np.zeros(labels)
    total = np.zeros(len(cuts))
    for label in range(labels):
        total += _f1_at(cuts, scores[:, label], targets[:, label])
    cut = cuts[np.flatnonzero(total >= total.max() - _SAME_SUM)[-1]]
    return np.full(labels, cut, dtype=np.float64), _f1_of_thresholds(scores, targets, cut)


def _f1_at(cuts: Scores, scores: Scores, targets: Targets) -> Values:
    """Return one label's F1 at each cut, (k,), from its scores and targets, both (n,)."""
    positives = np.sort(scores[targets])
    predicted = len(scores) - np.searchsorted(np.sort(scores), cuts)
    true_positives = len(positives) - np.searchsorted(positives, cuts)
    return 2 * true_positives / np.maximum(predicted + len(positives), 1)


def _fixed(scores: Scores, targets: Targets, *, value: float) -> tuple[Values, Values]:
    """Return the given threshold for each label, and its F1, both (l,)."""
    if not 0 <= value <= 1:
        raise ValueError(f"value must lie in [0, 1], got {value}")
    values = np.full(scores.shape[1], value, dtype=np.float64)
    return values, _f1_of_thresholds(scores, targets, values)


def _f1_of_thresholds(scores: Scores, targets: Targets, values: ArrayLike) -> Values:
    predictions = scores >= np.asarray(values, dtype=np.float64)
    size = np.count_nonzero(predictions, axis=0) + np.count_nonzero(targets, axis=0)
    return cast("Values", 2 * np.count_nonzero(predictions & targets, axis=0) / np.maximum(size, 1))


def _method(
    method: str, options: Mapping[str, Any]
) -> tuple[Callable[..., tuple[Values, Values]], Mapping[str, Any]]:
    """Return the function that fits, and its options with their defaults."""
    methods: dict[str, tuple[Callable[..., tuple[Values, Values]], dict[str, Any]]] = {
        "exact": (_exact, {}),
        "grid": (_grid, {"step": 0.05}),
        "global": (_global, {}),
        "fixed": (_fixed, {"value": 0.5}),
    }
    if method not in methods:
        raise ValueError(f"method must be one of {', '.join(methods)}, got {method!r}")
    fit, defaults = methods[method]
    for name in options:
        if name not in defaults:
            known = f"knows {', '.join(defaults)}" if defaults else "has none"
            raise ValueError(f"{name} is not an option of the method {method}, which {known}")
    return fit, defaults
