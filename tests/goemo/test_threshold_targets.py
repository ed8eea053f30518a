"""What thresholds can be fitted for, each target against its definition at every cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from scored import cases, scored
from sklearn.metrics import fbeta_score, matthews_corrcoef, precision_score, recall_score

from goemo.calibration import calibrate
from goemo.configuration.thresholds import METHODS, TARGETS
from goemo.thresholds import apply_thresholds, fit_thresholds
from goemo.thresholds.between import between

UNMET = -math.inf

# Every target with options, some of them easy to meet and some hard.
ASKED = [
    {"target": "f1"},
    {"target": "f_beta", "beta": 0.5},
    {"target": "f_beta", "beta": 2},
    {"target": "mcc"},
    {"target": "precision_at_recall", "recall": 0.5},
    {"target": "precision_at_recall", "recall": 1},
    {"target": "recall_at_precision", "precision": 0.5},
    {"target": "recall_at_precision", "precision": 1.0},
]


def worth(predictions, targets, asked):
    """What a cut is worth by the definition, from the four counts."""
    tp, fp = int((predictions & targets).sum()), int((predictions & ~targets).sum())
    fn, tn = int((~predictions & targets).sum()), int((~predictions & ~targets).sum())
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    match asked["target"]:
        case "mcc":
            if not (fp + tn):
                return recall
            spread = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
            return (tp * tn - fp * fn) / spread if spread else 0.0
        case "precision_at_recall":
            return precision if recall >= asked["recall"] else UNMET
        case "recall_at_precision":
            return recall if precision >= asked["precision"] else UNMET
    square = asked.get("beta", 1) ** 2
    both = square * precision + recall
    return (1 + square) * precision * recall / both if both else 0.0


def best_of(cuts, asked):
    """The cut that wins, of (worth, cut) pairs: inf where none will do."""
    best = max(value for value, _ in cuts)
    if best == UNMET:
        return math.inf
    winners = [cut for value, cut in cuts if value >= best - 1e-12]
    return min(winners) if asked["target"] == "precision_at_recall" else max(winners)


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(map(str, asked.values())))
@settings(max_examples=100, deadline=None)
@given(case=cases(10, 3))
def test_exact_is_brute_force_over_all_cut_points(asked, case):
    """The threshold is the score worth most; of equal ones the higher, or the one with more recall."""
    scores, targets = case
    values = fit_thresholds(scores, targets, method="exact", **asked).values
    for label in np.flatnonzero(targets.any(axis=0)):
        column, true = scores[:, label], targets[:, label]
        cuts = [(worth(column >= cut, true, asked), float(cut)) for cut in np.unique(column)]
        assert values[label] == between([best_of(cuts, asked)], column[:, None])


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: "-".join(map(str, asked.values())))
@settings(max_examples=50, deadline=None)
@given(case=cases(10, 3))
def test_grid_is_a_loop_over_its_cuts(asked, case):
    """Of 0.05 .. 0.95 with ``score > cut``, the first with the best worth; inf where none will do."""
    scores, targets = case
    values = fit_thresholds(scores, targets, method="grid", **asked).values
    for label in range(scores.shape[1]):
        column, true = scores[:, label].astype(np.float64), targets[:, label]
        worths = [
            (worth(column > round(0.05 * k, 2), true, asked), -round(0.05 * k, 2)) for k in range(1, 20)
        ]
        best = max(value for value, _ in worths)
        first = next((-cut for value, cut in worths if value >= best - 1e-12), None)
        if true.any():
            assert values[label] == (math.inf if best == UNMET else np.nextafter(first, 1))


def test_grid_takes_the_lower_of_two_cuts_whose_mcc_differs_by_rounding_alone():
    """An MCC of -4 / sqrt(336) and one of -3 / sqrt(189) are the same number."""
    scores = np.array([0.99, 0.0, 0.07, 0.07, 0.07, 0.0, 0.07, 0.07, 0.07, 0.07])[:, None]
    targets = np.zeros((10, 1), dtype=bool)
    targets[[3, 5, 7]] = True
    values = fit_thresholds(scores, targets, method="grid", target="mcc").values
    assert values[0] == np.nextafter(0.05, 1)


@pytest.mark.parametrize("asked", ASKED[:4], ids=lambda asked: "-".join(map(str, asked.values())))
@settings(max_examples=80, deadline=None)
@given(case=cases(10, 3))
def test_global_is_brute_force_over_one_cut_for_all(asked, case):
    """The one cut has the best sum over labels of all scores; of (nearly) equal ones it is the highest.

    MCC is 0 at many cuts where nothing can be told, and then the cut is the highest score of a positive.
    """
    scores, targets = case
    values = fit_thresholds(scores, targets, method="global", **asked).values
    if not targets.any():
        return
    assert len(set(values)) == 1
    labels = range(scores.shape[1])

    def total(cut):
        return sum(worth(scores[:, i] >= cut, targets[:, i], asked) for i in labels)

    best = max(total(cut) for cut in np.unique(scores))
    assert total(values[0]) >= best - 1e-9
    if asked["target"] != "mcc" or best > 1e-9:
        highest = max(float(cut) for cut in np.unique(scores) if total(cut) >= best - 1e-10)
        assert values[0] == between([highest], scores.reshape(-1, 1))


def test_the_measures_are_those_of_scikit_learn():
    """No score of a realistic label has a better F-beta or MCC by scikit-learn than the threshold."""
    scores, targets = scored(60, [0.1, 0.2, 0.4])
    measures = [
        ({"target": "f_beta", "beta": 2}, lambda t, p: fbeta_score(t, p, beta=2, zero_division=0)),
        ({"target": "f_beta", "beta": 0.5}, lambda t, p: fbeta_score(t, p, beta=0.5, zero_division=0)),
        ({"target": "mcc"}, matthews_corrcoef),
    ]
    for asked, measure in measures:
        values = fit_thresholds(scores, targets, **asked).values
        for label, value in enumerate(values):
            column, true = scores[:, label], targets[:, label]
            reached = measure(true, column >= value)
            assert all(measure(true, column >= cut) <= reached + 1e-12 for cut in column)
    predictions = apply_thresholds(
        scores, fit_thresholds(scores, targets, target="precision_at_recall", recall=0.7)
    )
    assert (recall_score(targets, predictions, average=None) >= 0.7).all()
    predictions = apply_thresholds(
        scores, fit_thresholds(scores, targets, target="recall_at_precision", precision=0.6)
    )
    assert (precision_score(targets, predictions, average=None, zero_division=1) >= 0.6).all()


def test_beta_one_is_f1():
    """F-beta with beta 1 is F1, to the last bit, for every method that takes both."""
    scores, targets = scored(200, [0.03, 0.1, 0.4])
    for method, known in METHODS.items():
        if "f_beta" in known.targets:
            plain = fit_thresholds(scores, targets, method=method)
            beta = fit_thresholds(scores, targets, method=method, target="f_beta", beta=1)
            assert beta.values.tolist() == plain.values.tolist()
            assert (beta.f1 == plain.f1).all()


def test_more_recall_is_asked_for_with_a_larger_beta():
    """The larger beta, the lower the thresholds, for every method that takes it."""
    scores, targets = scored(300, [0.05, 0.1, 0.4])
    for method, known in METHODS.items():
        if "f_beta" in known.targets:
            low, high = (
                fit_thresholds(scores, targets, method=method, target="f_beta", beta=beta).values
                for beta in (3, 0.3)
            )
            assert (low <= high).all(), method
            assert (low < high).any(), method


def test_a_requirement_out_of_reach_is_never_predicted():
    """Where the highest score is a negative's, a precision of 1 cannot be had; a recall of 1 always can."""
    scores = np.array([[0.9, 0.9], [0.5, 0.5], [0.1, 0.1]])
    targets = np.array([[False, True], [True, False], [False, True]])
    for method in ("exact", "grid"):
        values = fit_thresholds(
            scores, targets, method=method, target="recall_at_precision", precision=1
        ).values
        assert values[0] == math.inf
        assert 0.5 < values[1] <= 0.9
    values = fit_thresholds(scores, targets, target="precision_at_recall", recall=1).values
    assert 0.1 < values[0] < 0.5
    assert values[1] == 0.1
    values = fit_thresholds(
        scores[::-1], targets[::-1], method="grid", target="precision_at_recall", recall=1
    ).values
    assert values[0] == np.nextafter(0.1, 1)


def test_expected_requirements_are_met_in_expectation():
    """`plug_in` takes the same targets, over expected counts: calibrated shares must meet the requirement."""
    scores, targets = scored(400, [0.3])
    loose, strict = (
        fit_thresholds(
            scores, targets, method="plug_in", target="recall_at_precision", precision=precision
        ).values[0]
        for precision in (0.4, 0.6)
    )
    assert loose < strict < 1
    full = fit_thresholds(scores, targets, method="plug_in", target="precision_at_recall", recall=1)
    assert full.values[0] == scores.min()


def test_expected_requirements_hold_for_whole_groups_of_equal_scores():
    """A requirement that half a group of equal scores would meet, and all of it does not, is not met."""
    generator = np.random.default_rng(0)
    targets = generator.random((60, 12)) < 0.3
    scores = (generator.random((60, 12)) * 0.6 + 0.3 * targets).round(1)
    values = fit_thresholds(
        scores, targets, method="plug_in", target="recall_at_precision", precision=0.4
    ).values
    shares = calibrate(scores, targets, method="platt").apply(scores)
    for label, value in enumerate(values):
        column, share = scores[:, label], shares[:, label]
        good = [cut for cut in np.unique(column) if share[column >= cut].mean() >= 0.4]
        assert value == between([min(good, default=math.inf)], column[:, None])


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_method_that_takes_it(target):
    """Exact, grid, plug_in and cross_fit take all targets; which others do is in the table."""
    takers = {name for name, method in METHODS.items() if target in method.targets}
    assert {"exact", "grid", "plug_in", "cross_fit"} <= takers
