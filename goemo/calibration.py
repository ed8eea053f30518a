"""Calibration, label by label: fit the mapping, apply it, and measure the remaining error.

A score is calibrated when, of the examples that score 0.3, three in ten have the label. Thresholds that are
fitted on scores need no calibration; probabilities that are read, averaged or compared between labels do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goemo.arrays import Targets, Values, check_flags, check_scores, to_logits

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("platt", "isotonic", "temperature")


@dataclass(frozen=True)
class Sigmoid:
    """One label's ``sigmoid(slope * logit(score) + intercept)``; a slope of 0 is a constant."""

    slope: float
    intercept: float

    def apply(self, scores: Values) -> Values:
        """Map scores, shape (n,)."""
        # Of the two forms of the sigmoid, this one overflows nowhere.
        return cast("Values", np.exp(-np.logaddexp(0, -self.slope * to_logits(scores) - self.intercept)))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"slope": self.slope, "intercept": self.intercept}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Sigmoid:
        """Rebuild a curve.

        Raises:
            ValueError: The slope is negative, or a number is not finite.
        """
        slope, intercept = float(values["slope"]), float(values["intercept"])
        if not (np.isfinite([slope, intercept]).all() and slope >= 0):
            raise ValueError(f"slope must be at least 0 and both be finite, got {slope} and {intercept}")
        return cls(slope, intercept)


@dataclass(frozen=True)
class Knots:
    """One label's line through points: straight between them, level before the first and after the last."""

    scores: tuple[float, ...]
    values: tuple[float, ...]

    def apply(self, scores: Values) -> Values:
        """Map scores, shape (n,)."""
        return np.interp(scores, self.scores, self.values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"scores": list(self.scores), "values": list(self.values)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Knots:
        """Rebuild a curve.

        Raises:
            ValueError: Not as many scores as values, none at all, scores that do not ascend, values that
                descend, or anything outside [0, 1].
        """
        scores = np.asarray(values["scores"], dtype=np.float64)
        mapped = np.asarray(values["values"], dtype=np.float64)
        both = np.concatenate([scores, mapped])
        if not (
            len(scores) == len(mapped) > 0
            and ((both >= 0) & (both <= 1)).all()
            and (np.diff(scores) > 0).all()
            and (np.diff(mapped) >= 0).all()
        ):
            raise ValueError("scores must ascend and values must not descend, as many of each, in [0, 1]")
        return cls(tuple(scores.tolist()), tuple(mapped.tolist()))


Curve = Sigmoid | Knots


@dataclass(frozen=True)
class Calibration:
    """The curves of all labels.

    Attributes:
        method: ``platt``, ``isotonic`` or ``temperature``.
        curves: One a label, each of which never maps a higher score to a lower one.
    """

    method: str
    curves: tuple[Curve, ...]

    def apply(self, scores: ArrayLike) -> Values:
        """Map scores to calibrated scores, label by label.

        Args:
            scores: In [0, 1], shape (n_examples, n_labels); no examples are fine.

        Returns:
            In [0, 1], float64, same shape.

        Raises:
            ValueError: Scores as in :func:`goemo.thresholds.fit_thresholds`, or of another number of labels.
        """
        array = check_scores(scores).astype(np.float64)
        if array.shape[1] != len(self.curves):
            raise ValueError(f"scores must have {len(self.curves)} labels, got shape {array.shape}")
        columns = [curve.apply(array[:, label]) for label, curve in enumerate(self.curves)]
        return np.stack(columns, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {"method": self.method, "curves": [curve.to_dict() for curve in self.curves]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Calibration:
        """Rebuild a calibration from what :meth:`to_dict` gave; further keys are ignored.

        Raises:
            ValueError: The method is unknown, there is no curve, or a curve is not monotone.
        """
        method = str(values["method"])
        _check_method(method)
        if not values["curves"]:
            raise ValueError("curves must have one curve per label, got none")
        kind: type[Curve] = Knots if method == "isotonic" else Sigmoid
        curves: list[Curve] = []
        for label, curve in enumerate(values["curves"]):
            try:
                curves.append(kind.from_dict(curve))
            except ValueError as error:
                raise ValueError(f"curve of label {label}: {error}") from None
        return cls(method, tuple(curves))


def calibrate(scores: ArrayLike, targets: ArrayLike, *, method: str = "platt") -> Calibration:
    """Fit what maps each label's scores to the share of examples that have the label.

    ``platt`` fits ``sigmoid(slope * logit(score) + intercept)`` by maximum likelihood, with the smoothed
    targets of Platt 1999, "Probabilistic Outputs for Support Vector Machines", section 2.2: (P + 1) / (P + 2)
    for P positives, 1 / (N + 2) for N negatives. They keep the fit finite where a threshold separates the
    two.

    ``temperature`` is the same without the intercept, so 0.5 stays 0.5 (Guo et al. 2017, "On Calibration of
    Modern Neural Networks", section 4.2), with one temperature, 1 / slope, a label.

    ``isotonic`` is the best line that never falls, through as many points as it takes (Zadrozny & Elkan
    2002); it can follow any shape and needs most examples. Different scores may become equal.

    Calibrated scores are never in another order. Where the scores of a label run against its targets, the
    best such curve is level: every score becomes the share of positives (0.5 with ``temperature``). Equal
    scores of all examples give that level curve too (``temperature``: the slope that brings the one score
    nearest to the share; all at 0.5 stay). A label without positives becomes 1 / (n + 2) with ``platt``
    and 0 with ``isotonic``; one without negatives (n + 1) / (n + 2) and 1; ``temperature`` fits both as ever.

    Args:
        scores: In [0, 1], shape (n_examples, n_labels), at least one example; not those that train the model,
            where it is surer than elsewhere.
        targets: True where the label applies, same shape.
        method: ``platt``, ``isotonic`` or ``temperature``.

    Raises:
        ValueError: The method is unknown, there are no examples, or arrays as in
            :func:`goemo.thresholds.fit_thresholds`.
    """
    _check_method(method)
    array = check_scores(scores).astype(np.float64)
    true = check_flags("targets", targets, shape=array.shape)
    if not len(array):
        raise ValueError("scores must have at least one example to calibrate on, got none")
    fit = {"platt": _platt, "isotonic": _isotonic, "temperature": _temperature}[method]
    return Calibration(method, tuple(fit(array[:, label], true[:, label]) for label in range(array.shape[1])))


def expected_calibration_error(scores: ArrayLike, targets: ArrayLike, *, bins: int = 15) -> Values:
    """Return how far each label's scores are from the shares they claim, shape (n_labels,).

    The mean over examples of |share of positives - mean score| in the example's bin (Naeini et al. 2015; Guo
    et al. 2017), with the bins of :func:`reliability`. 0 is calibrated. Noise of the bins raises it: of two
    data sets, compare it only where they are of one size. With a rare label most examples score near 0, so
    that a value of 0.01 can be as much as the label's share of positives.

    Args:
        scores: In [0, 1], shape (n_examples, n_labels), at least one example.
        targets: True where the label applies, same shape.
        bins: Number of bins, at least 1.

    Raises:
        ValueError: There are no examples or bins, or arrays as in :func:`goemo.thresholds.fit_thresholds`.
    """
    examples, mean_score, share = _bins(scores, targets, bins)
    return cast("Values", (examples * np.abs(share - mean_score)).sum(axis=1) / examples.sum(axis=1))


def reliability(scores: ArrayLike, targets: ArrayLike, *, bins: int = 15) -> pd.DataFrame:
    """Return what a reliability diagram draws: for each label and bin, the mean score and the true share.

    The bins are equally wide, the same for all labels, and hold ``low <= score < high``, the last one 1 as
    well. Bins of equal numbers of examples would put all that is interesting of a rare label into the last.

    Args:
        scores: In [0, 1], shape (n_examples, n_labels), at least one example.
        targets: True where the label applies, same shape.
        bins: Number of bins, at least 1.

    Returns:
        Columns label (its number), low, high, examples, mean_score, positive_share: one row a label and bin
        that has examples, in the order of the labels and bins.

    Raises:
        ValueError: As in :func:`expected_calibration_error`.
    """
    import pandas as pd

    examples, mean_score, share = _bins(scores, targets, bins)
    label, bin_ = np.nonzero(examples)
    edges = np.linspace(0, 1, bins + 1)
    columns = {
        "label": label,
        "low": edges[bin_],
        "high": edges[bin_ + 1],
        "examples": examples[label, bin_],
        "mean_score": mean_score[label, bin_],
        "positive_share": share[label, bin_],
    }
    return pd.DataFrame(columns)


def _bins(scores: ArrayLike, targets: ArrayLike, bins: int) -> tuple[NDArray[np.int64], Values, Values]:
    """Return examples, mean score and share of positives of each label and bin, (l, bins); 0 where empty."""
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    array = check_scores(scores).astype(np.float64)
    true = check_flags("targets", targets, shape=array.shape)
    n, labels = array.shape
    if not n:
        raise ValueError("scores must have at least one example, got none")
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    cells = (np.searchsorted(inner, array, side="right") + bins * np.arange(labels)).ravel()  # (n * l,)

    def per_cell(weights: NDArray[Any] | None = None) -> NDArray[Any]:
        return np.bincount(cells, weights=weights, minlength=bins * labels).reshape(labels, bins)

    examples = per_cell()
    filled = np.maximum(examples, 1)
    return examples, per_cell(array.ravel()) / filled, per_cell(true.ravel().astype(np.float64)) / filled


def _check_method(method: str) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")


def _smoothed(targets: Targets) -> Values:
    """Return Platt's targets in place of true and false, (n,)."""
    positives = int(np.count_nonzero(targets))
    return np.where(targets, (positives + 1) / (positives + 2), 1 / (len(targets) - positives + 2))


def _platt(scores: Values, targets: Targets) -> Curve:
    """Fit slope and intercept to one label's scores, (n,)."""
    logits = to_logits(scores)
    smoothed = _smoothed(targets)
    if targets.any() and not targets.all() and logits.min() < logits.max():
        slope, intercept = _logistic(logits, smoothed, has_intercept=True)
        if slope > 0:
            return Sigmoid(slope, intercept)
    return Sigmoid(0.0, float(to_logits(smoothed.mean())))


def _temperature(scores: Values, targets: Targets) -> Curve:
    """Fit the inverse temperature to one label's scores, (n,)."""
    logits = to_logits(scores)
    if not logits.any():
        return Sigmoid(1.0, 0.0)
    slope, _ = _logistic(logits, _smoothed(targets), has_intercept=False)
    return Sigmoid(max(slope, 0.0), 0.0)


def _logistic(logits: Values, smoothed: Values, *, has_intercept: bool) -> tuple[float, float]:
    """Return slope and intercept of the likeliest sigmoid for targets in (0, 1), both shape (n,)."""
    from sklearn.linear_model import LogisticRegression

    # scikit-learn takes classes, not shares: each example stands twice, once a class, weighted by its share.
    model = LogisticRegression(C=np.inf, fit_intercept=has_intercept, tol=1e-8)
    classes = np.repeat([True, False], len(logits))
    weights = np.concatenate([smoothed, 1 - smoothed])
    model.fit(np.tile(logits, 2)[:, None], classes, sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0]) if has_intercept else 0.0


def _isotonic(scores: Values, targets: Targets) -> Curve:
    """Fit the line that never falls to one label's scores, (n,)."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1).fit(scores, targets.astype(np.float64))
    return Knots(tuple(model.X_thresholds_.tolist()), tuple(model.y_thresholds_.tolist()))
