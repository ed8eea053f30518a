"""Thresholds: against brute force, and against what must not matter."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scored import cases, imbalanced
from sklearn.metrics import f1_score

from goemo.thresholds import (
    FittedThresholds,
    apply_thresholds,
    cross_fitted_predictions,
    fit_thresholds,
    fold_of_rows,
)
from goemo.thresholds.between import between


def brute_f1(predictions, targets):
    hits, size = np.sum(predictions & targets), np.sum(predictions) + np.sum(targets)
    return 2 * hits / size if size else 0.0


def brute_exact(scores, targets):
    trials = [(brute_f1(scores >= cut, targets), float(cut)) for cut in np.unique(scores)]
    best, cut = max(trials)  # of equal F1 the higher cut
    return cut, best


def check_exact(scores, targets):
    fitted = fit_thresholds(scores, targets, method="exact")
    has_positive = targets.any(axis=0)
    found = [brute_exact(scores[:, i], targets[:, i]) for i in range(scores.shape[1])]
    expected = between([cut for cut, _ in found], scores)
    assert fitted.values[has_positive].tolist() == expected[has_positive].tolist()
    assert fitted.f1.tolist() == [best for _, best in found]
    assert fitted.borrowed == tuple(np.flatnonzero(~has_positive))
    assert np.isfinite(fitted.values).all()


@settings(max_examples=1000, deadline=None)
@given(cases(12, 4))
@example((np.array([[0.5], [0.5], [0.5]]), np.array([[True], [False], [True]])))
def test_exact_is_brute_force_over_all_cut_points(case):
    """Thresholds and F1 are those of trying every score, of equal ones the higher, moved between scores."""
    check_exact(*case)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([2, 5, 50, None]))
def test_exact_is_brute_force_for_ten_thousand_labels(seed, examples, steps):
    """A hundred random labels at a time: few or many ties, all frequencies, rounded to float16 or not."""
    generator = np.random.default_rng(seed)
    scores = generator.random((examples, 100), dtype=generator.choice([np.float32, np.float64]))
    if steps is not None:
        scores = np.floor(scores * (steps + 1)) / steps
        scores = scores.clip(0, 1).astype(np.float16).astype(scores.dtype)
    targets = generator.random((examples, 100)) < generator.random(100)
    check_exact(scores, targets)


@settings(max_examples=300, deadline=None)
@given(cases(12, 4))
def test_grid_predicts_what_the_published_protocol_predicts(case):
    """A loop over 0.05 .. 0.95 with ``score > cut`` and the first best F1 gives the same predictions."""
    scores, targets = case
    fitted = fit_thresholds(scores, targets, method="grid")
    predictions = apply_thresholds(scores, fitted)
    cuts = [round(0.05 * k, 2) for k in range(1, 20)]
    for label in range(scores.shape[1]):
        column, true = scores[:, label].astype(np.float64), targets[:, label]
        if not true.any():
            assert label in fitted.borrowed
            continue
        best, _, cut = max((brute_f1(column > cut, true), -cut, cut) for cut in cuts)
        assert fitted.values[label] == np.nextafter(cut, 1)
        assert fitted.f1[label] == best
        assert predictions[:, label].tolist() == (column > cut).tolist()


def test_grid_f1_is_that_of_scikit_learn():
    """On realistic scores, the grid's F1 is the best of scikit-learn's over 19 cuts."""
    scores, targets = imbalanced(dtype=np.float64)
    fitted = fit_thresholds(scores, targets, method="grid", step=0.05)
    for label in range(scores.shape[1]):
        trials = [f1_score(targets[:, label], scores[:, label] > 0.05 * k) for k in range(1, 20)]
        assert fitted.f1[label] == pytest.approx(max(trials), abs=1e-12)


def test_a_score_on_the_grid_is_not_predicted_by_it():
    """A score of exactly the cut stays out, as ``score > cut`` says, with ours being ``>=``."""
    scores = np.array([[0.95], [0.5], [0.5], [0.5]])
    targets = np.array([[True], [False], [False], [False]])
    fitted = fit_thresholds(scores, targets, method="grid")
    assert fitted.values[0] == np.nextafter(0.5, 1)
    assert apply_thresholds(scores, fitted)[:, 0].tolist() == [True, False, False, False]


@pytest.mark.parametrize(("step", "cuts"), [(0.25, [0.25, 0.5, 0.75]), (0.3, [0.3, 0.6, 0.9])])
def test_the_grid_ends_below_one(step, cuts):
    """The cuts are the multiples of the step below 1, and each of them can win."""
    for cut in cuts:
        scores = np.array([[cut], [min(1.0, cut + step / 2)]])
        fitted = fit_thresholds(scores, np.array([[False], [True]]), method="grid", step=step)
        assert fitted.values[0] == np.nextafter(cut, 1)


@settings(max_examples=500, deadline=None)
@given(cases(12, 4))
def test_global_is_brute_force_over_one_cut_for_all(case):
    """The one cut has the best macro-F1 of all scores, and of (nearly) equal ones it is the highest."""
    scores, targets = case
    fitted = fit_thresholds(scores, targets, method="global")
    labels = range(scores.shape[1])
    if not targets.any():
        assert fitted.borrowed == tuple(labels)
        return
    macro = {
        float(cut): sum(brute_f1(scores[:, i] >= cut, targets[:, i]) for i in labels)
        for cut in np.unique(scores)
    }
    expected = max(cut for cut, value in macro.items() if value >= max(macro.values()) - 1e-10)
    assert set(fitted.values) == set(between([expected], scores.reshape(-1, 1)))
    assert fitted.f1.sum() == pytest.approx(macro[expected], abs=1e-12)


def test_fixed_ignores_the_data():
    """Every label gets 0.5, or the value asked for, with the F1 that it has there."""
    scores, targets = imbalanced()
    assert set(fit_thresholds(scores, targets, method="fixed").values) == {0.5}
    fitted = fit_thresholds(scores, targets, method="fixed", value=0.3)
    assert set(fitted.values) == {0.3}
    assert fitted.options == {"value": 0.3}
    for label in range(scores.shape[1]):
        assert fitted.f1[label] == brute_f1(scores[:, label] >= 0.3, targets[:, label])


def test_options_of_numpy_are_ready_for_json():
    """Numbers as a loop over an array gives them are options like any other, and JSON gives them back."""
    scores, targets = imbalanced()
    options = {"of": "grid", "step": np.float32(0.25), "folds": np.int64(3)}
    fitted = fit_thresholds(scores, targets, method="cross_fit", **options)
    kept = FittedThresholds.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert kept.options == {"of": "grid", "step": 0.25, "folds": 3, "seed": 0}
    assert kept.values.tolist() == fitted.values.tolist()


def test_infinite_thresholds_never_predict():
    """A threshold of inf keeps even a score of 1 out."""
    assert apply_thresholds([[1.0, 1.0]], [math.inf, 1.0]).tolist() == [[False, True]]


def test_no_rows_can_be_predicted():
    """Applying thresholds to no examples gives no predictions, of the right shape."""
    assert apply_thresholds(np.empty((0, 3)), 0.5).shape == (0, 3)


def test_folds_depend_on_size_and_seed_alone():
    """The same numbers give the same folds, another seed gives others, and sizes differ by one at most."""
    folds = fold_of_rows(103, folds=5, seed=0)
    assert folds.tolist() == fold_of_rows(103, folds=5, seed=0).tolist()
    assert folds.tolist() != fold_of_rows(103, folds=5, seed=1).tolist()
    assert sorted(np.bincount(folds).tolist()) == [20, 20, 21, 21, 21]


def test_rare_labels_survive_cross_fitting():
    """One positive is found by a borrowed threshold, two by their own; without any, none is."""
    scores = np.full((50, 3), 0.1)
    targets = np.zeros((50, 3), dtype=np.bool_)
    fold_of = fold_of_rows(50)
    apart = [int(np.flatnonzero(fold_of == 0)[0]), int(np.flatnonzero(fold_of == 1)[0])]
    scores[apart, :2] = 0.9
    targets[apart[0], 0] = targets[apart[0], 1] = targets[apart[1], 1] = True
    predictions = cross_fitted_predictions(scores, targets)
    assert predictions[apart[0], 0]
    assert predictions[apart, 1].all()
    assert predictions.sum(axis=0).tolist() == [2, 2, 0]  # the other high score is wrong once


def test_fewer_rows_than_folds_leave_one_out():
    """With 3 rows and 5 folds each row is a fold, and one row is refused."""
    assert sorted(fold_of_rows(3, folds=5).tolist()) == [0, 1, 2]
    assert cross_fitted_predictions(np.eye(3), np.eye(3)).shape == (3, 3)
    with pytest.raises(ValueError, match="at least 2 examples, got 1"):
        cross_fitted_predictions([[0.5]], [[True]])
    with pytest.raises(ValueError, match="folds must be at least 2, got 1"):
        fold_of_rows(3, folds=1)


GOOD = np.full((4, 3), 0.5)
ABC = ["a", "b", "c"]


def with_value(value):
    scores = GOOD.copy()
    scores[2, 1] = value
    return scores


@pytest.mark.parametrize(
    ("scores", "targets", "options", "message"),
    [
        (GOOD[0], GOOD[0] > 1, {}, r"scores must be two-dimensional.*\(3,\)"),
        (GOOD, np.zeros((4, 2), bool), {}, r"targets must have the shape \(4, 3\).*got \(4, 2\)"),
        (with_value(np.nan), GOOD > 1, {}, r"not be NaN: label 1 has nan in example 2"),
        (with_value(1.5), GOOD > 1, {}, r"in \[0, 1\].*label 1 has 1.5 in example 2"),
        (with_value(-0.1), GOOD > 1, {}, r"in \[0, 1\].*label 1 has -0.1 in example 2"),
        (GOOD, with_value(2.0), {}, r"targets must be true or false: label \d has 0.5"),
        (GOOD, GOOD.astype(str), {}, r"targets must be true or false, got dtype <U"),
        (GOOD, with_value(np.nan), {}, r"targets must be true or false: label 0 has 0.5"),
        (with_value(np.inf), GOOD > 1, {"labels": ABC}, r"label b has inf in example 2"),
        (with_value(np.nan), GOOD > 1, {"labels": ABC}, r"label b has nan in example 2"),
        (GOOD, np.eye(4, 3) * 3, {"labels": ABC}, r"targets must be true or false: label a has 3.0"),
        (GOOD, GOOD > 1, {"labels": ["a", "b"]}, r"labels must name all 3 labels, got 2 names"),
        (GOOD.astype(str), GOOD > 1, {}, r"scores must be real numbers, got dtype <U"),
        (GOOD[:0], GOOD[:0] > 1, {}, r"at least one example.*got none"),
        (GOOD[:, :0], GOOD[:, :0] > 1, {}, r"at least one label, got shape \(4, 0\)"),
        (GOOD, GOOD > 1, {"method": "best"}, r"method must be one of exact, .*got 'best'"),
        (
            GOOD,
            GOOD > 1,
            {"step": 0.1},
            r"step is not an option of the method exact, .*belongs to the method grid",
        ),
        (GOOD, GOOD > 1, {"method": "grid", "value": 1}, r"value is not an option.*grid, which takes step"),
        (GOOD, GOOD > 1, {"method": "grid", "step": 0}, r"step must lie in \[0.0001, 1\), got 0"),
        (GOOD, GOOD > 1, {"method": "fixed", "value": 2}, r"value must lie in \[0, 1\], got 2"),
    ],
)
def test_wrong_input_is_refused(scores, targets, options, message):
    """What is wrong is named with its rule, its value and its label."""
    with pytest.raises(ValueError, match=message):
        fit_thresholds(scores, targets, **options)


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ([0.5, 0.5], r"shape \(3,\), one per label, got \(2,\)"),
        ([0.5, math.nan, 0.5], "not be NaN: label 1"),
    ],
)
def test_wrong_thresholds_are_refused(thresholds, message):
    """Thresholds that do not fit the labels are refused."""
    with pytest.raises(ValueError, match=message):
        apply_thresholds(GOOD, thresholds)


def test_wrong_input_names_the_label_everywhere():
    """Where names are given, applying and cross-fitting name the label too."""
    for call in (apply_thresholds, cross_fitted_predictions):
        with pytest.raises(ValueError, match="label b has nan in example 2"):
            call(with_value(math.nan), GOOD > 1, labels=ABC)
    with pytest.raises(ValueError, match="not be NaN: label b has nan"):
        apply_thresholds(GOOD, [0.5, math.nan, 0.5], labels=ABC)
