"""`proportional`: between `exact` and one multiple of the positives for all labels."""

from __future__ import annotations

import numpy as np
import pytest

from goemo.thresholds import apply_thresholds, fit_thresholds


def _scored(rows: int = 600, seed: int = 0):
    """Return scores and targets of five labels, one in 3 to one in 100, whose scores differ in scale."""
    random = np.random.default_rng(seed)
    targets = random.random((rows, 5)) < [0.33, 0.2, 0.1, 0.03, 0.01]
    logits = 1.5 * targets + random.normal(size=targets.shape) + [0, -2, 1, -4, -3]
    return (1 / (1 + np.exp(-logits))).astype(np.float32), targets


def _fit(scores, targets, **options):
    return fit_thresholds(scores, targets, method="proportional", **options)


def test_tolerance_zero_is_as_good_as_exact():
    """Without tolerance, F1 on the fitting rows is that of `exact` for every label."""
    scores, targets = _scored()
    assert np.array_equal(_fit(scores, targets, tolerance=0).f1, fit_thresholds(scores, targets).f1)


def test_a_large_tolerance_predicts_the_same_multiple_of_the_positives():
    """Where any cut is good enough, all labels are predicted equally often for each positive."""
    scores, targets = _scored(rows=20_000)
    predicted = apply_thresholds(scores, _fit(scores, targets, tolerance=1e12)).sum(axis=0)
    multiples = predicted / targets.sum(axis=0)
    assert multiples == pytest.approx(np.full(5, multiples.mean()), rel=0.02)


def test_the_multiple_is_the_best_of_the_grid():
    """No other multiple of the grid has a higher macro-F1 (checked by brute force)."""
    scores, targets = _scored()
    chosen = _fit(scores, targets, tolerance=1e12)

    def macro_f1(multiple: float) -> float:
        ranks = np.clip(np.rint(multiple * targets.sum(axis=0)), 1, len(scores)).astype(int)
        cuts = np.sort(scores, axis=0)[::-1][ranks - 1, np.arange(5)]
        predicted = scores >= cuts
        hits = (predicted & targets).sum(axis=0)
        return float(np.mean(2 * hits / (predicted.sum(axis=0) + targets.sum(axis=0))))

    best = max(macro_f1(multiple) for multiple in np.geomspace(0.25, 4, 33))
    assert chosen.f1.mean() == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("tolerance", [0.25, 1, 3])
def test_thresholds_lie_between_both_ends(tolerance):
    """The threshold of a label lies between its exact and its proportional one, both included."""
    scores, targets = _scored()
    ends = [fit_thresholds(scores, targets).values, _fit(scores, targets, tolerance=1e12).values]
    values = _fit(scores, targets, tolerance=tolerance).values
    assert np.all((values >= np.minimum(*ends)) & (values <= np.maximum(*ends)))


def test_f1_is_within_the_tolerance():
    """F1 on the fitting rows is less than that of `exact` by no more than the standard errors allowed."""
    scores, targets = _scored()
    exact = fit_thresholds(scores, targets)
    predicted = apply_thresholds(scores, exact)
    hits = (predicted & targets).sum(axis=0)
    errors = (predicted ^ targets).sum(axis=0)
    standard_errors = 2 * np.sqrt(hits * errors * (hits + errors)) / (2 * hits + errors) ** 2
    lost = exact.f1 - _fit(scores, targets, tolerance=1).f1
    assert np.all(lost <= standard_errors + 1e-12)
    assert lost.max() > 0


def test_a_label_that_scores_do_not_tell_is_left_alone():
    """Where scores say nothing, predicting nearly everything is best, and stays."""
    scores, targets = _scored(rows=3000)
    scores[:, 3] = np.random.default_rng(7).random(len(scores))
    exact = apply_thresholds(scores, fit_thresholds(scores, targets))[:, 3].mean()
    assert exact > 0.5
    assert apply_thresholds(scores, _fit(scores, targets))[:, 3].mean() > 0.5


def test_predictions_depend_on_the_order_of_scores_alone():
    """Bending the scores of each label, in its own way, changes no prediction."""
    scores, targets = _scored()
    bent = scores ** np.array([0.3, 0.5, 1, 2, 3], dtype=np.float32)
    a, b = (apply_thresholds(s, _fit(s, targets, tolerance=0.5)) for s in (scores, bent))
    assert np.array_equal(a, b)


def test_order_of_rows_does_not_matter_with_ties():
    """Shuffled rows give the same thresholds where many scores are equal."""
    scores, targets = _scored()
    scores = np.round(scores, 1)
    order = np.random.default_rng(1).permutation(len(scores))
    a, b = _fit(scores, targets).values, _fit(scores[order], targets[order]).values
    assert np.array_equal(a, b)


def test_a_label_without_a_positive_moves_no_other():
    """The thresholds of the other labels are those without it."""
    scores, targets = _scored()
    targets[:, 2] = False
    fitted = _fit(scores, targets)
    values = fitted.values
    assert fitted.borrowed == (2,)
    others = [0, 1, 3, 4]
    assert np.array_equal(values[others], _fit(scores[:, others], targets[:, others]).values)


def test_rare_labels_are_less_overfitted_than_by_exact():
    """Over many draws, F1 of a rare label on new rows is higher than with `exact`: what the method is for."""
    gains = []
    for seed in range(200):
        scores, targets = _scored(rows=4000, seed=seed)
        fit, judge = slice(0, 1000), slice(1000, None)
        f1 = []
        for method in ("proportional", "exact"):
            fitted = fit_thresholds(scores[fit], targets[fit], method=method)
            predicted = apply_thresholds(scores[judge], fitted)[:, 4]
            hits = (predicted & targets[judge, 4]).sum()
            f1.append(2 * hits / (predicted.sum() + targets[judge, 4].sum()))
        gains.append(f1[0] - f1[1])
    assert np.mean(gains) > 3 * np.std(gains) / np.sqrt(len(gains))
