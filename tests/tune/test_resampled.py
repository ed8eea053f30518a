"""The objective of trials in the resamples of the validation rows, kept in the process."""

from __future__ import annotations

import numpy as np
import pytest

from goemo.errors import GoemoError
from goemo.significance import bootstrap
from goemo.thresholds import cross_fitted_predictions
from tune.ranking import resampled as module
from tune.ranking.resampled import resampled
from tune.records import SearchFolder

RNG = np.random.default_rng(0)
TARGETS = RNG.random((90, 5)) < 0.3


@pytest.fixture
def search(tmp_path, monkeypatch) -> SearchFolder:
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    monkeypatch.setattr(module, "_kept", {})
    return SearchFolder.create("s", {"objective": {"metric": "macro_f1"}})


def write(search, trial_id, scores, metric="macro_f1"):
    trial = search.trial(trial_id)
    trial.write_config({"metric": metric, "thresholds": "exact"}, {})
    trial.write_report({"progress": 100, "time": 1.0, "seconds": 1.0, f"val/{metric}": 0.5}, scores)
    return trial.read()


def some_scores():
    return RNG.random(TARGETS.shape).astype(np.float16)


@pytest.mark.parametrize("metric", ["macro_f1", "weighted_f1", "micro_f1"])
def test_it_is_the_bootstrap_of_all_trials_at_once(search, monkeypatch, metric):
    """However few trials are computed at once, all see the same resamples."""
    monkeypatch.setattr(module, "AT_ONCE", 2)
    scores = [some_scores() for _ in range(5)]
    found = resampled([write(search, f"t{n}", s, metric) for n, s in enumerate(scores)], TARGETS)
    predictions = [cross_fitted_predictions(s.astype(np.float32), TARGETS) for s in scores]
    for ours, theirs in zip(found, bootstrap(TARGETS, *predictions), strict=True):
        assert ours.estimate == theirs.estimate(metric)
        np.testing.assert_array_equal(ours.draws, theirs.draws(metric))
        assert (ours.low, ours.high) == (theirs.interval(metric).low, theirs.interval(metric).high)


def test_a_ranking_again_costs_nothing_for_what_has_not_changed(search, monkeypatch):
    """Neither a fit nor a look into the scores; what is new is computed, in any order of the trials."""
    asked = []
    original = module.cross_fitted
    monkeypatch.setattr(module, "cross_fitted", lambda r, t: asked.append(r.trial_id) or original(r, t))
    a, b = write(search, "t1", some_scores()), write(search, "t2", some_scores())
    first = resampled([a, b], TARGETS)
    assert asked == ["t1", "t2"]
    again = resampled([b, a], TARGETS)
    assert asked == ["t1", "t2"]
    assert again == first[::-1]
    changed = write(search, "t1", some_scores())
    later = resampled([changed, b], TARGETS)
    assert asked == ["t1", "t2", "t1"]
    assert later[0].estimate != first[0].estimate
    resampled([changed], ~TARGETS)
    assert asked == ["t1", "t2", "t1", "t1"]


def test_what_is_kept_has_a_bound(search, monkeypatch):
    """More trials than are kept are all answered, and the last of them stay."""
    monkeypatch.setattr(module, "KEPT", 2)
    records = [write(search, f"t{n}", some_scores()) for n in range(5)]
    assert len(resampled(records, TARGETS)) == 5
    assert len(module._kept) == 2


def test_a_trial_without_scores_is_refused(search):
    """There is nothing to resample."""
    trial = search.trial("t1")
    trial.write_config({"metric": "macro_f1", "thresholds": "exact"}, {})
    with pytest.raises(GoemoError, match="no scores"):
        resampled([trial.read()], TARGETS)
