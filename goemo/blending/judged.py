"""The evaluation of a blend, on rows that chose nothing, paired with the best single model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from goemo.arrays import Scores, Targets
from goemo.blending.members import Candidate, Member, blended_scores, pick_members
from goemo.significance import Interval, PairedDifference, bootstrap, compare
from goemo.thresholds import (
    apply_thresholds,
    cross_fitted_predictions,
    fit_thresholds,
    fold_of_rows,
)


@dataclass(frozen=True, eq=False)
class Blend:
    """A blend with what it gains.

    Attributes:
        members: Chosen on all rows, with their weights.
        best_single: The model with the best figure of its own.
        value: The metric of the blend, on rows that chose neither members nor weights nor thresholds.
        interval: Its 95 % interval over the examples.
        gain: The blend minus the best single model, on the same rows.
        scores: Of the blend, as kept, shape (n_examples, n_labels).
        predictions: Those that were judged, same shape.
    """

    members: tuple[Member, ...]
    best_single: str
    value: float
    interval: Interval
    gain: PairedDifference
    scores: Scores = field(repr=False)
    predictions: Targets = field(repr=False)

    @property
    def is_offered(self) -> bool:
        """Return whether it has several members and its gain lies above 0 with its whole interval."""
        return len(self.members) > 1 and self.gain.low > 0


def find_blend(
    candidates: Sequence[Candidate],
    targets: Targets,
    *,
    metric: str = "macro_f1",
    **thresholds: Any,
) -> Blend:
    """Find the best blend and judge it by nested cross-fitting.

    For each fold, members, weights and thresholds are chosen on the others. The best single model is the best
    on all rows, with cross-fitted thresholds: chosen on the rows that judge it, it is a little flattered, and
    the gain rather too small.

    Args:
        candidates: At least one; scores of the same rows.
        targets: True where the label applies, shape (n_examples, n_labels), at least 2 examples.
        metric: One of :data:`goemo.metrics.AVERAGES`.
        **thresholds: Method and options, as in :func:`goemo.thresholds.fit_thresholds`. The ``folds`` of
            ``cross_fit`` are its own: those that judge are the usual five.

    Raises:
        ValueError: No candidates, or arrays as in :func:`goemo.thresholds.cross_fitted_predictions`.
    """
    members = pick_members(candidates, targets, metric=metric, **thresholds)
    scores = scores_of_members(candidates, members)
    fold_of = fold_of_rows(len(targets))
    predictions = np.zeros_like(targets)
    for fold in range(int(fold_of.max()) + 1):
        is_judged = fold_of == fold
        predictions[is_judged] = _predicted(candidates, targets, is_judged, metric, thresholds)
    singles = [cross_fitted_predictions(one.scores, targets, **thresholds) for one in candidates]
    drawn, *drawn_singles = bootstrap(targets, predictions, *singles)
    best = max(range(len(candidates)), key=lambda row: drawn_singles[row].estimate(metric))
    return Blend(
        members=members,
        best_single=candidates[best].name,
        value=drawn.estimate(metric),
        interval=drawn.interval(metric),
        gain=compare(drawn, drawn_singles[best], metric),
        scores=scores,
        predictions=predictions,
    )


def scores_of_members(candidates: Sequence[Candidate], members: Sequence[Member]) -> Scores:
    """Return the scores of a blend of some of the candidates, shape (n_examples, n_labels)."""
    by_name = {one.name: one.scores for one in candidates}
    return blended_scores([by_name[one.name] for one in members], [one.tenths for one in members])


def _predicted(
    candidates: Sequence[Candidate],
    targets: Targets,
    is_judged: np.ndarray,
    metric: str,
    thresholds: dict[str, Any],
) -> Targets:
    """Predict the rows of a fold with members, weights and thresholds of all others."""
    choosing = [Candidate(one.name, one.kind, one.scores[~is_judged]) for one in candidates]
    judging = [Candidate(one.name, one.kind, one.scores[is_judged]) for one in candidates]
    members = pick_members(choosing, targets[~is_judged], metric=metric, **thresholds)
    fitted = fit_thresholds(scores_of_members(choosing, members), targets[~is_judged], **thresholds)
    return apply_thresholds(scores_of_members(judging, members), fitted)
