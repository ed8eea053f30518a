"""Cross-fitted predictions of trials, kept in the process."""

from __future__ import annotations

import numpy as np
import pytest

from goemo.thresholds import cross_fitted_predictions, threshold_options
from tune.ranking import crossfit
from tune.records import SearchFolder


@pytest.fixture
def trial(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    monkeypatch.setattr(crossfit, "_packed", {})
    return SearchFolder.create("s", {"objective": {"metric": "macro_f1"}}).trial("t001")


def write(trial, scores, thresholds="exact"):
    trial.write_config({"metric": "macro_f1", "thresholds": thresholds}, {})
    trial.write_report({"progress": 100, "time": 1.0, "seconds": 1.0, "val/macro_f1": 0.5}, scores)
    return trial.read()


def test_predictions_follow_scores_targets_and_method(trial):
    """Whatever was computed before: a new report, other rows or another method give their own predictions."""
    generator = np.random.default_rng(0)
    targets = generator.random((90, 5)) < 0.3
    first, second = (generator.random((90, 5)).astype(np.float16) for _ in range(2))
    for scores, wanted, method in (
        (first, targets, "exact"),
        (second, targets, "exact"),
        (second, ~targets, "exact"),
        (second, ~targets, "proportional"),
        (first, targets, "exact"),
    ):
        expected = cross_fitted_predictions(scores.astype(np.float32), wanted, **threshold_options(method))
        for _ in range(2):
            found = crossfit.cross_fitted(write(trial, scores, method), wanted)
            assert found.dtype == np.bool_
            np.testing.assert_array_equal(found, expected)


def test_what_has_not_changed_is_not_computed_again(trial, monkeypatch):
    """The second ranking of a trial costs no fit, and what is kept has a bound."""
    fits = []

    def fit(scores, targets, **options):
        fits.append(len(scores))
        return cross_fitted_predictions(scores, targets, **options)

    monkeypatch.setattr(crossfit, "cross_fitted_predictions", fit)
    monkeypatch.setattr(crossfit, "KEPT", 1)
    generator = np.random.default_rng(0)
    targets = generator.random((30, 2)) < 0.4
    first, second = (generator.random((30, 2)).astype(np.float16) for _ in range(2))
    for scores, after in ((first, 1), (first, 1), (second, 2), (first, 3)):
        crossfit.cross_fitted(write(trial, scores), targets)
        assert len(fits) == after
