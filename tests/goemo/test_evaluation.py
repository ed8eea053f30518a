"""Evaluation: each figure from the split it is named for."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scored import scored

from goemo.configuration import THRESHOLD_METHODS
from goemo.evaluation import OptimisticThresholdsWarning, results, validation_metrics
from goemo.metrics import AVERAGES, averages, macro_f1, micro, micro_f1, per_label_table, weighted_f1
from goemo.significance import bootstrap
from goemo.thresholds import FittedThresholds, apply_thresholds, cross_fitted_predictions, fit_thresholds

LABELS = ("joy", "anger", "fear", "grief", "neutral")


def split(n, seed):
    return scored(n, [0.3, 0.1, 0.05, 0.02, 0.4], seed=seed, dtype=np.float32)


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
        "test_tuned": fit_thresholds(scores, targets, method="grid" if method == "grid" else "exact"),
    }
    assert list(report["results"]) == list(thresholds)
    for name, fitted in thresholds.items():
        predictions = apply_thresholds(scores, fitted)
        table = per_label_table(targets, predictions, fitted, LABELS)
        (drawn,) = bootstrap(targets, predictions)
        result = report["results"][name]
        ends = [(row.pop("f1_low"), row.pop("f1_high")) for row in result["per_label"]]
        assert result["per_label"] == table.to_dict(orient="records")
        assert ends == [(held.low, held.high) for held in drawn.label_f1_intervals()]
        assert {key: result[key] for key in ("macro", "weighted")} == averages(table)
        assert result["micro"] == micro(targets, predictions)
        assert result["macro_f1_interval"] == result["intervals"]["macro_f1"]
        assert list(result["intervals"]) == list(AVERAGES)
        for average, (low, high) in result["intervals"].items():
            held = drawn.interval(average)
            of, _, metric = average.partition("_")
            assert (low, high) == (held.low, held.high)
            assert low <= result[of][metric] <= high


@pytest.mark.parametrize("method", [name for name in THRESHOLD_METHODS if name != "grid"])
def test_test_tuned_is_an_upper_bound(arrays, method):
    """Whatever fitted the thresholds, none give a label more F1 than those tuned on the judged rows."""
    validation_scores, validation_targets, scores, targets = arrays
    given = fit_thresholds(validation_scores, validation_targets, method=method)
    found = results(LABELS, given, scores, targets)["results"]
    for name in ("fixed_0.5", "validation"):
        for row, upper in zip(found[name]["per_label"], found["test_tuned"]["per_label"], strict=True):
            assert row["f1"] <= upper["f1"]


def test_results_are_plain_json(arrays):
    """The report survives strict JSON unchanged; a label that is never predicted has a null threshold."""
    arrays[1][:, 3] = False
    report = results(LABELS, fit_thresholds(*arrays[:2], method="smoothed"), *arrays[2:], split="holdout")
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["split"] == "holdout"
    grief = report["results"]["validation"]["per_label"][3]
    assert grief["label"] == "grief"
    assert grief["threshold"] is None
    assert grief["f1"] == 0.0


def test_the_published_grid_is_tuned_on_its_own_step(arrays):
    """Thresholds of the published grid, averaged or not, are compared with the best of the same grid."""
    expected = fit_thresholds(*arrays[2:], method="grid", step=0.25).values.tolist()
    for method in ({"method": "grid"}, {"method": "cross_fit", "of": "grid"}):
        given = fit_thresholds(*arrays[:2], **method, step=0.25)
        found = results(LABELS, given, *arrays[2:])["results"]["test_tuned"]["per_label"]
        assert [row["threshold"] for row in found] == expected


def test_options_reach_the_method(arrays):
    """The method's options hold for what validation metrics are made of."""
    scores, targets = arrays[:2]
    at_zero = validation_metrics(scores, targets, method="fixed", value=0.0)
    assert at_zero["val/macro_f1"] == macro_f1(targets, np.ones_like(targets))


def test_judging_validation_by_its_own_thresholds_warns(arrays):
    """Evaluating validation itself warns in words."""
    validation = arrays[:2]
    with pytest.warns(OptimisticThresholdsWarning, match="fitted on the rows"):
        results(LABELS, fit_thresholds(*validation), *validation, split="validation")


@pytest.mark.parametrize("method", [name for name in THRESHOLD_METHODS if name != "fixed"])
def test_judging_the_rows_that_fitted_the_thresholds_warns(arrays, method):
    """Thresholds that were fitted on the very arrays to evaluate warn, whatever the split is called."""
    *_, scores, targets = arrays
    own = fit_thresholds(scores, targets, method=method)
    with pytest.warns(OptimisticThresholdsWarning, match="fitted on the rows"):
        results(LABELS, own, scores, targets)
    kept = FittedThresholds.from_dict(json.loads(json.dumps(own.to_dict())))
    with pytest.warns(OptimisticThresholdsWarning, match="fitted on the rows"):
        results(LABELS, kept, scores, targets)


def test_thresholds_of_a_method_that_is_not_installed_are_used(arrays):
    """Whether they were fitted on these rows cannot be told, and they are evaluated all the same."""
    *_, scores, targets = arrays
    own = fit_thresholds(scores, targets)
    lost = replace(own, method="of-another-package", options={"share": 0.9})
    with warnings.catch_warnings():
        warnings.simplefilter("error", OptimisticThresholdsWarning)
        found = results(LABELS, lost, scores, targets)["results"]["validation"]
    assert [row["threshold"] for row in found["per_label"]] == own.values.tolist()


def test_honest_thresholds_do_not_warn(arrays):
    """Thresholds of other rows, thresholds that nothing fitted, and perfect scores give no warning."""
    *_, scores, targets = arrays
    for given in (fit_thresholds(*arrays[:2]), fit_thresholds(scores, targets, method="fixed", value=0.3)):
        results(LABELS, given, scores, targets)
    perfect = targets.astype(np.float64)
    results(LABELS, fit_thresholds(perfect, targets), perfect, targets)


def test_errors_name_the_label(arrays):
    """A score that is not one is reported with the name of its label."""
    scores = arrays[2].copy()
    scores[7, 2] = np.nan
    with pytest.raises(ValueError, match=r"label fear has nan in example 7"):
        results(LABELS, fit_thresholds(*arrays[:2]), scores, arrays[3])


def test_splits_with_other_labels_are_refused(arrays):
    """Thresholds of another number of labels than the split's are refused."""
    validation_scores, validation_targets, scores, targets = arrays
    four = fit_thresholds(validation_scores[:, :4], validation_targets[:, :4])
    with pytest.raises(ValueError, match=r"thresholds must have the shape \(5,\)"):
        results(LABELS, four, scores, targets)
