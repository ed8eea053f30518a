"""Where thresholds lie: between scores, and of labels without a positive where the others suggest."""

from __future__ import annotations

import json
import math

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from goemo.configuration.thresholds import METHODS
from goemo.thresholds import apply_thresholds, cross_fitted_predictions, fit_thresholds, fold_of_rows
from goemo.thresholds.between import between, bounded_logits, halfway
from goemo.thresholds.borrowing import borrow
from goemo.thresholds.json_file import ThresholdsFile, thresholds_from_json, thresholds_to_json
from goemo.thresholds.methods.registry import REFUSING

HALF = st.floats(0, 1, width=16)


def parted(positives, *, seed, labels=20, n=2000, low=0.0):
    """Scores of labels with a wide gap between negatives and positives, kept as float16, and targets."""
    generator = np.random.default_rng(seed)
    targets = np.zeros((n, labels), dtype=bool)
    targets[:positives] = True
    centre = generator.normal(low, 0.7, labels)
    logits = np.where(targets, centre + 4, centre - 4) + generator.normal(size=targets.shape)
    return expit(logits).astype(np.float16).astype(np.float32), targets


@settings(max_examples=400, deadline=None)
@given(hnp.arrays(np.float16, st.tuples(st.integers(1, 8), st.just(1)), elements=HALF), HALF)
def test_moving_a_cut_changes_no_prediction(scores, cut):
    """The same rows are predicted, in half, single and double precision, and strictly between neighbours."""
    value = between([cut], scores)[0]
    for dtype in (np.float16, np.float32, np.float64):
        column = scores.astype(dtype)
        assert between([cut], column)[0] == value
        assert (apply_thresholds(column, [value]) == (column >= cut)).all()
    predicted, refused = scores[scores >= cut], scores[scores < cut]
    if not len(predicted):
        assert value == cut
    elif not len(refused):
        assert value == float(predicted.min())
    else:
        assert float(refused.max()) < value < float(predicted.min())


@pytest.mark.parametrize("low", [0.0, 2.0**-24, 0.1, 0.5, 0.9990234375, 1 - 2.0**-11])
def test_adjacent_half_precision_scores_are_told_apart(low):
    """The number between two float16 neighbours is neither, at 0 and at 1 too, and JSON keeps it."""
    high = float(np.nextafter(np.float16(low), np.float16(2)))
    value = float(halfway(low, high))
    assert low < value < high
    assert json.loads(json.dumps(value)) == value


def test_halfway_is_the_mean_of_the_logits():
    """Away from 0 and 1 the logit is the mean of both; scores that round to 0 and 1 count as nearly that."""
    for low, high in [(0.1, 0.2), (0.001, 0.6), (0.5, 0.99)]:
        assert logit(float(halfway(low, high))) == pytest.approx((logit(low) + logit(high)) / 2)
    assert logit(float(halfway(0.0, 0.5))) == pytest.approx(logit(2.0**-25) / 2)
    assert logit(float(halfway(0.5, 1.0))) == pytest.approx(logit(1 - 2.0**-12) / 2)


def test_adjacent_doubles_leave_no_room():
    """Where no number lies between, the upper one is the threshold, which still predicts it alone."""
    low = 0.3
    high = math.nextafter(low, 1)
    assert float(halfway(low, high)) == high
    assert float(halfway(0.0, 5e-324)) == 5e-324


def test_half_way_is_the_cut_of_the_widest_margin():
    """On labels whose scores part, a support vector machine on the logits cuts at the same place."""
    from sklearn.svm import SVC

    scores, targets = parted(5, seed=3, labels=3)
    values = fit_thresholds(scores, targets).values
    for label, value in enumerate(values):
        logits = bounded_logits(scores[:, [label]])
        model = SVC(kernel="linear", C=1e6).fit(logits, targets[:, label])
        assert logit(value) == pytest.approx(-model.intercept_[0] / model.coef_[0, 0], abs=1e-2)


@pytest.mark.parametrize("low", [0.0, -4.0])
@pytest.mark.parametrize("positives", [3, 5, 10, 40])
@pytest.mark.parametrize("method", ["exact", "proportional", "cross_fit", "plug_in"])
def test_few_positives_are_enough_where_scores_part(method, positives, low):
    """New rows of such labels are predicted with a mean F1 of .985 and more; at the edge, .83."""
    f1 = []
    for seed in range(3):
        scores, targets = parted(positives, seed=seed, low=low)
        fresh, truth = parted(40 * positives, seed=seed, n=40 * 2000, low=low)
        predicted = apply_thresholds(fresh, fit_thresholds(scores, targets, method=method))
        f1.append(2 * (predicted & truth).sum(axis=0) / (predicted.sum(axis=0) + truth.sum(axis=0)))
    assert np.mean(f1) >= 0.985


@pytest.mark.parametrize("method", METHODS)
def test_a_label_without_positives_is_named(method):
    """It has a threshold, is named in JSON, and nothing else moves; or "never" is the method's answer."""
    scores, targets = parted(10, seed=1, labels=5)
    targets[:, 2] = False
    fitted = fit_thresholds(scores, targets, method=method)
    if method in REFUSING:
        assert (fitted.values[2], fitted.borrowed) == (math.inf, ())
        return
    assert math.isfinite(fitted.values[2])
    assert fitted.borrowed == (() if method == "fixed" else (2,))
    names = list("abcde")
    kept = json.loads(json.dumps(thresholds_to_json(fitted, names)))
    assert kept["borrowed"] == ([] if method == "fixed" else ["c"])
    back = thresholds_from_json(ThresholdsFile(**kept), names)
    assert back.to_dict() == fitted.to_dict()
    with pytest.raises(ValueError, match=r"borrowed in thresholds\.json must name labels"):
        thresholds_from_json(ThresholdsFile(**{**kept, "borrowed": ["z"]}), names)


@pytest.mark.parametrize("target", ["precision_at_recall", "recall_at_precision"])
def test_a_requirement_is_not_borrowed(target):
    """Without a positive no cut has the recall or precision that was asked for."""
    scores, targets = parted(10, seed=1, labels=3)
    targets[:, 1] = False
    fitted = fit_thresholds(scores, targets, target=target, **{target.rpartition("_")[2]: 0.5})
    assert (fitted.values[1], fitted.borrowed) == (math.inf, ())


def test_a_borrowed_threshold_lies_half_way_to_the_median_of_the_others():
    """In logits, where that is above the label's own scores; it predicts none of the rows that fit it."""
    scores, targets = parted(10, seed=2, labels=6)
    targets[:, 0] = False
    scores[:10, 0] = scores[10:20, 0]
    values = fit_thresholds(scores, targets).values
    top, median = float(scores[:, 0].max()), float(np.median(logit(values[1:])))
    assert median > logit(top)
    assert logit(values[0]) == pytest.approx((logit(top) + median) / 2)
    assert not (scores[:, 0] >= values[0]).any()


def test_where_the_others_lie_lower_the_highest_score_stands_alone():
    """A label whose scores are all above the others' thresholds is predicted for its highest score alone."""
    scores = np.array([[0.9, 0.2], [0.8, 0.1], [0.7, 0.01], [0.6, 0.01]])
    targets = np.array([[0, 1], [0, 1], [0, 0], [0, 0]])
    fitted = fit_thresholds(scores, targets)
    assert 0.8 < fitted.values[0] < 0.9
    assert fitted.borrowed == (0,)


def test_without_any_positive_the_highest_scores_stand_alone():
    """There is nothing to borrow; where all scores are equal, the threshold is above them."""
    scores = np.array([[0.9, 0.3], [0.5, 0.3]])
    fitted = fit_thresholds(scores, np.zeros((2, 2)))
    assert 0.5 < fitted.values[0] < 0.9
    assert 0.3 < fitted.values[1] < 1
    assert fitted.borrowed == (0, 1)


def test_thresholds_with_positives_are_never_changed_by_borrowing():
    """Finite thresholds, and ``inf`` of labels with positives, stay to the last bit."""
    scores, targets = parted(10, seed=1, labels=4)
    targets[:, 3] = False
    values = np.array([0.3, math.inf, 0.5, 0.25])
    assert borrow(values, scores, targets).tolist() == values.tolist()


def test_a_lonely_positive_is_found_in_its_own_fold():
    """Without it the label has none, and the others' thresholds show where it lies."""
    scores, targets = parted(10, seed=4, labels=8, low=0)
    row = int(np.flatnonzero(fold_of_rows(len(scores)) == 2)[0])
    targets[:, 0] = False
    scores[:, 0], scores[row, 0], targets[row, 0] = 0.001, 0.99, True
    predictions = cross_fitted_predictions(scores, targets)
    assert predictions[:, 0].tolist() == targets[:, 0].tolist()


def test_bending_the_logits_of_a_label_bends_its_threshold():
    """Half-way is linear in logits: a label's logits stretched and moved stretch and move its threshold."""
    scores, targets = parted(10, seed=5, labels=4)
    scores = scores.astype(np.float64)
    before = fit_thresholds(scores, targets, method="proportional").values
    after = fit_thresholds(expit(0.7 * logit(scores) - 1), targets, method="proportional").values
    assert logit(after) == pytest.approx(0.7 * logit(before) - 1)
