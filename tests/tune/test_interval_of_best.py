"""The interval of the best trial so far, beside a search."""

from __future__ import annotations

import time

import numpy as np
import pytest

from goemo.significance import bootstrap_interval
from tune.live import interval_of_best
from tune.live.interval_of_best import IntervalOfBest
from tune.live.progress import Best, SearchState
from tune.ranking.crossfit import cross_fitted
from tune.records import SearchFolder


@pytest.fixture
def search(tmp_path, monkeypatch) -> SearchFolder:
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    monkeypatch.setattr(interval_of_best, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(interval_of_best, "SHARE", 1.0)
    search = SearchFolder.create("s", {})
    rng = np.random.default_rng(0)
    search.write_validation(rng.random((200, 4)) < 0.4, list("abcd"))
    return search


def reported(search, trial_id, objective):
    folder = search.trial(trial_id)
    folder.write_config({"metric": "macro_f1", "thresholds": "exact"}, {})
    targets, _ = search.validation()
    scores = np.clip(targets * 0.4 + np.random.default_rng(1).random(targets.shape) * 0.6, 0, 1)
    folder.write_report({"progress": 20, "time": 1.0, "seconds": 1.0, "val/macro_f1": objective}, scores)


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_follows_the_best(search):
    """It is that of the leaderboard: cross-fitted thresholds, examples resampled; a new best gets its own."""
    reported(search, "t001", 0.3)
    state = SearchState("s", total=2, objective="macro_f1")
    with IntervalOfBest(search, state):
        state.best = Best("t001", "bs16", 0.3)
        wait_until(lambda: state.interval is not None)
        assert state.interval[0] == state.best
        reported(search, "t002", 0.4)
        state.best = Best("t002", "bs32", 0.4)
        wait_until(lambda: state.interval is not None and state.interval[0] == state.best)
    targets, _ = search.validation()
    expected = bootstrap_interval(targets, cross_fitted(search.trial("t002").read(), targets))
    assert state.interval[1:] == (expected.low, expected.high)


def test_a_record_that_has_gone_on_has_no_interval_yet(search):
    """The scores on disk are those of a later report: the best of now will be another one in a moment."""
    reported(search, "t001", 0.5)
    state = SearchState("s", total=2, objective="macro_f1", best=Best("t001", "bs16", 0.3))
    with IntervalOfBest(search, state) as following:
        following._look(state.best, has_baseline=False)
        assert state.interval is None


def test_a_damaged_file_costs_the_interval_alone(search, caplog):
    """The view stands without it, and the log says why."""
    reported(search, "t001", 0.3)
    (search.trial("t001").path / "scores.npz").write_bytes(b"not a file of scores")
    state = SearchState("s", total=2, objective="macro_f1", best=Best("t001", "bs16", 0.3))
    with IntervalOfBest(search, state):
        wait_until(lambda: "t001: no interval" in caplog.text)
        reported(search, "t002", 0.4)
        state.best = Best("t002", "bs32", 0.4)
        wait_until(lambda: state.interval is not None)
