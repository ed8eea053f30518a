"""Evaluation: each figure from the split it is named for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from goemo.configuration import THRESHOLD_METHODS
from goemo.evaluation import OptimisticThresholdsWarning, results, validation_metrics
from goemo.metrics import averages, macro_f1, micro, micro_f1, per_label_table, weighted_f1
from goemo.significance import bootstrap_interval
from goemo.thresholds import apply_thresholds, cross_fitted_predictions, fit_thresholds

LABELS = ("joy", "anger", "fear", "grief", "neutral")


def split(n, seed):
    generator = np.random.default_rng(seed)
    targets = generator.random((n, len(LABELS))) < np.array([0.3, 0.1, 0.05, 0.02, 0.4])
    noise = generator.normal(size=targets.shape)
    return (1 / (1 + np.exp(2 - noise - 2 * targets))).astype(np.float32), targets


@pytest.fixture
def arrays():
    return (*split(300, 1), *split(200, 2))


@pytest.mark.parametrize("method", THRESHOLD_METHODS)
def test_validation_metrics_are_cross_fitted(method):
    """The metrics that rank are those of cross-fitted predictions, and one at 0.5."""
    scores, targets = split(300, 1)
    cross_fitted = cross_fitted_predictions(scores, targets, method=method)
    assert validation_metrics(scores, targets, method=method) == {
        "val/macro_f1": macro_f1(targets, cross_fitted),
        "val/weighted_f1": weighted_f1(targets, cross_fitted),
        "val/micro_f1": micro_f1(targets, cross_fitted),
        "val/macro_f1_at_0.5": macro_f1(targets, scores >= 0.5),
    }


def test_noise_is_not_rewarded_for_its_thresholds():
    """On scores without information, thresholds fitted on the judged rows flatter; cross-fitted do not."""
    generator = np.random.default_rng(0)
    targets = generator.random((200, 20)) < 0.03
    scores = generator.random((200, 20))
    fitted = fit_thresholds(scores, targets)
    flattered = macro_f1(targets, apply_thresholds(scores, fitted))
    assert validation_metrics(scores, targets)["val/macro_f1"] < flattered - 0.05


@pytest.mark.parametrize("method", THRESHOLD_METHODS)
def test_each_result_comes_from_its_thresholds(arrays, method):
    """Tables, averages and intervals are those of thresholds at 0.5, of validation and of the split."""
    validation_scores, validation_targets, scores, targets = arrays
    honest = fit_thresholds(validation_scores, validation_targets, method=method)
    report = results(LABELS, honest, scores, targets)
    assert (report["split"], report["examples"]) == ("test", 200)
    thresholds = {
        "fixed_0.5": fit_thresholds(scores, targets, method="fixed"),
        "validation": honest,
        "test_tuned": fit_thresholds(scores, targets, method=method),
    }
    assert list(report["results"]) == list(thresholds)
    for name, fitted in thresholds.items():
        predictions = apply_thresholds(scores, fitted)
        table = per_label_table(targets, predictions, fitted, LABELS)
        held = bootstrap_interval(targets, predictions)
        result = report["results"][name]
        assert result["per_label"] == table.to_dict(orient="records")
        assert {key: result[key] for key in ("macro", "weighted")} == averages(table)
        assert result["micro"] == micro(targets, predictions)
        assert result["macro_f1_interval"] == [held.low, held.high]
        assert held.low <= result["macro"]["f1"] <= held.high


def test_test_tuned_is_an_upper_bound(arrays):
    """No thresholds give a label more F1 than those tuned on the judged rows."""
    validation_scores, validation_targets, scores, targets = arrays
    found = results(LABELS, fit_thresholds(validation_scores, validation_targets), scores, targets)["results"]
    for name in ("fixed_0.5", "validation"):
        for row, upper in zip(found[name]["per_label"], found["test_tuned"]["per_label"], strict=True):
            assert row["f1"] <= upper["f1"]


def test_results_are_plain_json(arrays):
    """The report survives strict JSON unchanged; a label that is never predicted has a null threshold."""
    arrays[1][:, 3] = False
    report = results(LABELS, fit_thresholds(*arrays[:2]), *arrays[2:], split="holdout")
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["split"] == "holdout"
    grief = report["results"]["validation"]["per_label"][3]
    assert grief["label"] == "grief"
    assert grief["threshold"] is None
    assert grief["f1"] == 0.0


def test_options_reach_the_method(arrays):
    """The method's options hold for fitting on validation and on the split, not for 0.5."""
    given = fit_thresholds(*arrays[:2], method="fixed", value=0.2)
    found = results(LABELS, given, *arrays[2:])["results"]
    cuts = {name: {row["threshold"] for row in result["per_label"]} for name, result in found.items()}
    assert cuts == {"fixed_0.5": {0.5}, "validation": {0.2}, "test_tuned": {0.2}}
    scores, targets = arrays[:2]
    at_zero = validation_metrics(scores, targets, method="fixed", value=0.0)
    assert at_zero["val/macro_f1"] == macro_f1(targets, np.ones_like(targets))


def test_judging_validation_by_its_own_thresholds_warns(arrays):
    """Evaluating validation itself warns in words."""
    validation = arrays[:2]
    with pytest.warns(OptimisticThresholdsWarning, match="fitted on the rows"):
        results(LABELS, fit_thresholds(*validation), *validation, split="validation")


def test_splits_with_other_labels_are_refused(arrays):
    """Thresholds of another number of labels than the split's are refused."""
    validation_scores, validation_targets, scores, targets = arrays
    four = fit_thresholds(validation_scores[:, :4], validation_targets[:, :4])
    with pytest.raises(ValueError, match=r"thresholds must have the shape \(5,\)"):
        results(LABELS, four, scores, targets)
