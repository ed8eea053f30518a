"""Calibration: known distortions are undone, scikit-learn agrees, and nothing changes the order of scores."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.special import expit, logit
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from goemo.calibration import METHODS, Calibration, calibrate, expected_calibration_error, reliability

SHARES = np.array([0.3, 0.05, 0.5])


def calibrated(n=20_000, seed=0):
    """Scores that are the very chances of their targets, for labels of three frequencies."""
    generator = np.random.default_rng(seed)
    chances = expit(logit(SHARES) + 1.5 * generator.normal(size=(n, 3)))
    return chances, generator.random(chances.shape) < chances


DISTORTIONS = {
    "overconfident": lambda chances: expit(3 * logit(chances)),
    "timid": lambda chances: expit(logit(chances) / 3),
    "too high": lambda chances: expit(logit(chances) + 2),
    "squared": lambda chances: chances**2,
}
UNDONE_BY = {
    "platt": ("overconfident", "timid", "too high"),
    "temperature": ("overconfident", "timid"),
    "isotonic": tuple(DISTORTIONS),
}


@pytest.mark.parametrize("method", METHODS)
def test_calibrated_scores_stay(method):
    """Scores that are right already come out as they went in, but for noise."""
    chances, targets = calibrated()
    assert np.abs(calibrate(chances, targets, method=method).apply(chances) - chances).mean() < 0.015


@pytest.mark.parametrize(
    ("method", "distortion"), [(method, name) for method, names in UNDONE_BY.items() for name in names]
)
def test_known_distortions_are_undone(method, distortion):
    """On other rows, each method gives back the chances of the distortions that it can express."""
    fitted_on, targets = calibrated()
    distort = DISTORTIONS[distortion]
    calibration = calibrate(distort(fitted_on), targets, method=method)
    chances, judged = calibrated(seed=1)
    mended = calibration.apply(distort(chances))
    assert np.abs(mended - chances).mean() < 0.015
    worse = expected_calibration_error(distort(chances), judged)
    assert (expected_calibration_error(mended, judged) < worse / 2).all()


def test_platt_is_the_likeliest_sigmoid():
    """Slope and intercept are those of an unpenalised logistic regression on the logits, with many rows."""
    chances, targets = calibrated()
    scores = DISTORTIONS["timid"](chances)
    for curve, score, target in zip(calibrate(scores, targets).curves, scores.T, targets.T, strict=True):
        model = LogisticRegression(C=np.inf, tol=1e-8).fit(logit(score)[:, None], target)
        assert (curve.slope, curve.intercept) == pytest.approx(
            (model.coef_[0, 0], model.intercept_[0]), abs=0.01
        )


def test_platt_is_that_of_scikit_learn():
    """The curve is that of scikit-learn's own Platt scaling of the logits, smoothed targets included."""
    chances, targets = calibrated(n=60)

    class Itself(LogisticRegression):
        """A classifier whose decision is the logit that it is given."""

        def decision_function(self, column):
            return column[:, 0]

    for label in range(3):
        column = logit(chances[:, [label]])
        frozen = FrozenEstimator(Itself().fit(column, targets[:, label]))
        theirs = CalibratedClassifierCV(frozen, method="sigmoid", cv=2, ensemble=False)
        theirs.fit(column, targets[:, label])
        ours = calibrate(chances, targets).apply(chances)[:, label]
        np.testing.assert_allclose(ours, theirs.predict_proba(column)[:, 1], atol=2e-3)


def test_isotonic_is_that_of_scikit_learn():
    """Kept as JSON, the line maps old and new scores as scikit-learn's own does."""
    scores, targets = calibrated(n=300)
    calibration = Calibration.from_dict(
        json.loads(json.dumps(calibrate(scores, targets, method="isotonic").to_dict()))
    )
    new = np.random.default_rng(2).random((100, 3))
    for label in range(3):
        model = IsotonicRegression(out_of_bounds="clip").fit(scores[:, label], targets[:, label])
        np.testing.assert_allclose(calibration.apply(new)[:, label], model.predict(new[:, label]))


@given(
    scores=arrays.arrays(np.float64, (12, 2), elements=st.floats(0, 1)),
    targets=arrays.arrays(np.bool_, (12, 2)),
    method=st.sampled_from(METHODS),
)
@settings(deadline=None, max_examples=60)
def test_every_case_gives_a_monotone_curve_that_survives_json(scores, targets, method):
    """Any scores and targets, ties and certainty included, give scores in [0, 1] in the same order."""
    calibration = calibrate(scores, targets, method=method)
    kept = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict(), allow_nan=False)))
    assert kept == calibration
    ladder = np.repeat(np.linspace(0, 1, 101)[:, None], 2, axis=1)
    mapped = kept.apply(ladder)
    assert ((mapped >= 0) & (mapped <= 1)).all()
    assert (np.diff(mapped, axis=0) >= -1e-15).all()


@pytest.mark.parametrize(
    ("method", "expected"), [("platt", 1 / 42), ("isotonic", 0.0), ("temperature", None)]
)
def test_a_label_without_positives_or_without_negatives_has_an_answer(method, expected):
    """Without positives, Platt says 1 / (n + 2), isotonic 0; without negatives, the mirror image."""
    scores = np.random.default_rng(0).random((40, 1)) / 2  # below 0.5
    for targets, low, mirrored in ((False, scores, expected), (True, 1 - scores, 1 - (expected or 0))):
        mapped = calibrate(low, np.full((40, 1), targets), method=method).apply(low)
        if expected is None:  # surer than before, on the side where the scores are
            assert (np.abs(mapped - 0.5) >= np.abs(low - 0.5) - 1e-12).mean() > 0.5
            assert ((mapped >= 0.5) == targets).all()
        else:
            assert mapped == pytest.approx(np.full((40, 1), mirrored))


@pytest.mark.parametrize(("method", "tolerance"), [("platt", 0.02), ("isotonic", 0), ("temperature", 0.02)])
def test_constant_scores_become_the_share_of_positives(method, tolerance):
    """Where all examples score the same, that score becomes the share of positives (Platt: smoothed)."""
    targets = np.arange(100)[:, None] < 20
    calibration = calibrate(np.full((100, 1), 0.3), targets, method=method)
    assert calibration.apply([[0.3]])[0, 0] == pytest.approx(0.2, abs=tolerance + 1e-12)
    if method != "temperature":
        assert calibration.apply([[0.9]])[0, 0] == calibration.apply([[0.3]])[0, 0]


def test_scores_that_run_against_their_targets_become_level():
    """The order is never reversed: the best curve that does not fall is flat, at the share of positives."""
    scores, targets = calibrated(n=2000)
    wrong = 1 - scores
    for method, level in (("platt", targets.mean(axis=0)), ("temperature", 0.5)):
        mapped = calibrate(wrong, targets, method=method).apply(wrong)
        assert np.ptp(mapped, axis=0).tolist() == [0, 0, 0]
        np.testing.assert_allclose(mapped[0], level, atol=0.002)


def test_scores_that_are_all_a_half_stay_with_temperature():
    """No temperature moves a score of 0.5; new scores then stay as well."""
    calibration = calibrate(np.full((10, 1), 0.5), np.arange(10)[:, None] < 3, method="temperature")
    assert calibration.apply([[0.1], [0.5]]).ravel() == pytest.approx([0.1, 0.5])


def test_certain_scores_are_no_infinity():
    """Scores of exactly 0 and 1, right and wrong, give finite curves, also where they separate the two."""
    scores = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    targets = np.array([[0, 0], [0, 1], [1, 1], [1, 1]])
    for method in METHODS:
        mapped = calibrate(scores, targets, method=method).apply(scores)
        assert np.isfinite(mapped).all()


def test_the_reliability_table_is_scikit_learns():
    """Mean scores and shares of positives are those of scikit-learn's calibration curve."""
    scores, targets = calibrated(n=500)
    table = reliability(scores, targets, bins=10)
    assert list(table["label"].unique()) == [0, 1, 2]
    assert table.groupby("label")["examples"].sum().tolist() == [500, 500, 500]
    assert ((table["low"] <= table["mean_score"]) & (table["mean_score"] <= table["high"])).all()
    for label in range(3):
        share, mean = calibration_curve(targets[:, label], scores[:, label], n_bins=10)
        rows = table[table["label"] == label]
        np.testing.assert_allclose(rows["mean_score"], mean)
        np.testing.assert_allclose(rows["positive_share"], share)


def test_bins_hold_their_lower_edge_and_the_last_one_1():
    """A score on an edge belongs to the bin above; 1 to the last."""
    table = reliability(np.array([[0.0], [0.25], [0.5], [1.0]]), np.ones((4, 1)), bins=4)
    assert table[["low", "examples"]].to_numpy().tolist() == [[0, 1], [0.25, 1], [0.5, 1], [0.75, 1]]
    assert table["label"].tolist() == [0, 0, 0, 0]


def test_expected_calibration_error_is_the_mean_gap():
    """It is the gap of each bin, weighted by examples: 0 where right, the offset where all are off by one."""
    scores = np.array([[0.1, 0.1], [0.1, 0.1], [0.9, 0.9], [0.9, 0.9]])
    targets = np.array([[0, 1], [0, 1], [1, 0], [1, 0]])
    assert expected_calibration_error(scores, targets, bins=5) == pytest.approx([0.1, 0.9])
    constant = np.full((1000, 1), 0.3)
    assert expected_calibration_error(constant, np.arange(1000)[:, None] < 200) == pytest.approx(0.1)
    chances, drawn = calibrated()
    assert (expected_calibration_error(chances, drawn) < 0.02).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: calibrate([[0.5]], [[1]], method="beta"), "method must be one of platt, .*, got 'beta'"),
        (lambda: calibrate(np.zeros((0, 2)), np.zeros((0, 2))), "at least one example to calibrate on"),
        (lambda: calibrate([[0.5, np.nan]], [[0, 1]]), "label 1 has nan in example 0"),
        (lambda: calibrate([[0.5], [0.1]], [[1], [0]]).apply([[0.5, 0.5]]), "must have 1 labels, got"),
        (lambda: expected_calibration_error([[0.5]], [[1]], bins=0), "bins must be at least 1, got 0"),
        (lambda: reliability(np.zeros((0, 1)), np.zeros((0, 1))), "at least one example, got none"),
    ],
)
def test_wrong_input_is_refused(call, message):
    """Arrays, methods, bins and names that do not fit are refused with rule and value."""
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("method", "curve", "message"),
    [
        ("platt", {"slope": -1, "intercept": 0}, "label 0: slope must be at least 0"),
        ("temperature", {"slope": float("nan"), "intercept": 0}, "both be finite"),
        ("isotonic", {"scores": [0.1, 0.1], "values": [0, 1]}, "scores must ascend"),
        ("isotonic", {"scores": [0.1, 0.2], "values": [1, 0]}, "values must not descend"),
        ("isotonic", {"scores": [0.1], "values": [2]}, r"in \[0, 1\]"),
        ("isotonic", {"scores": [], "values": []}, "scores must ascend"),
        ("beta", {}, "method must be one of"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(method, curve, message):
    """A kept curve that is not monotone, not finite or of an unknown method is refused."""
    with pytest.raises(ValueError, match=message):
        Calibration.from_dict({"method": method, "curves": [curve]})
    with pytest.raises(ValueError, match="got none"):
        Calibration.from_dict({"method": "platt", "curves": []})
