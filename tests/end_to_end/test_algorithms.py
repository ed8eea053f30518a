"""The most complicated search: conditions, a warm start, an enqueued trial, brackets, more trials."""

from __future__ import annotations

import csv
import io
import json
import sqlite3

import pytest

SPACE = """\
name: learned
model: {checkpoint: "scratch:albert-tiny"}
data: {source: "sample:600"}
space:
  warmup_fraction: {uniform: [0.0, 0.2], only_if: {schedule: [linear]}}
  schedule:        {choice: [linear, constant]}
  batch_size:      {choice: [16, 32]}
  learning_rate:   {log_uniform: [1.0e-4, 1.0e-2]}
  max_length: 16
  epochs: 1
search:
  algorithm: tpe
  trials: 4
  startup_trials: 4
  warm_start: [tiny]
  enqueue: [{learning_rate: 1.0e-3, batch_size: 32, schedule: constant}]
scheduler: hyperband
baseline: none
"""


@pytest.fixture(scope="module")
def learned(shell, searched):
    """That search, run to its end after the one that it learns from, and what the command printed."""
    (shell.folder / "learned.yaml").write_text(SPACE, encoding="utf-8")
    return shell.run("search", "learned.yaml")


@pytest.fixture(scope="module")
def board(shell, learned):
    return json.loads(shell.run("leaderboard", "learned", "--format", "json").stdout)


def by_id(board):
    return {trial["trial_id"]: trial for trial in board["trials"]}


def test_what_was_used_and_what_cannot_work_is_said(learned):
    """The four trials of the other search are known, and Hyperband needs more than these four."""
    assert "warm start: TPE knows 4 trials of tiny\n" in learned.stderr
    assert "note: Hyperband hardly helps with 4 trials" in learned.stderr


def test_each_trial_has_what_it_was_asked_for(board):
    """The enqueued configuration is first; a warm-up belongs to a linear schedule, else it is the default."""
    trials = by_id(board)
    assert sorted(trials) == ["t001", "t002", "t003", "t004"]
    assert trials["t001"]["varied"] == {"schedule": "constant", "batch_size": 32, "learning_rate": 1e-3}
    for trial in trials.values():
        is_linear = trial["varied"]["schedule"] == "linear"
        assert ("warmup_fraction" in trial["varied"]) == is_linear
        assert trial["config"]["warmup_fraction"] == trial["varied"].get("warmup_fraction", 0.1)


@pytest.mark.faults
def test_more_trials_leave_those_there_are_alone(shell, learned, board):
    """Two more, each once in MLflow; the first four are the same to the last digit, and the table has all."""
    done = shell.run("extend", "learned", "--trials", "2")
    assert "learned: 6 trials now, 2 more\n" in done.stderr
    assert "warm start" not in done.stderr
    after = by_id(json.loads(shell.run("leaderboard", "learned", "--format", "json").stdout))
    assert sorted(after) == [f"t00{n}" for n in range(1, 7)]
    same = ("config", "varied", "stop_reason", "progress", "objective", "low", "high", "seconds")
    for trial_id, trial in by_id(board).items():
        assert {key: after[trial_id][key] for key in same} == {key: trial[key] for key in same}
    rows = list(csv.DictReader(io.StringIO(shell.run("leaderboard", "learned", "--format", "csv").stdout)))
    assert {row["trial_id"]: row["warmup_fraction"] == "" for row in rows} == {
        trial_id: trial["varied"]["schedule"] == "constant" for trial_id, trial in after.items()
    }
    with sqlite3.connect(shell.folder / "mlruns" / "mlflow.db") as store:
        runs = "select run_uuid from tags where key = 'goemo.search' and value = 'learned'"
        trials = f"select value from tags where key = 'goemo.trial_id' and run_uuid in ({runs})"
        assert sorted(row[0] for row in store.execute(trials)) == sorted(after)
    shell.run("report", "learned", "-o", "learned.html")


def test_what_cannot_be_done_is_refused_before_any_work(shell, learned):
    """A grid has no more trials to give, and nothing is learned from a search that is not there."""
    refused = shell.run("extend", "tiny", "--trials", "2", code=2)
    assert "tiny: a grid search ends with its whole product, 4 trials" in refused.stderr
    missing = ("--name", "other", "--set", "search.warm_start=[tiny, tinny]")
    refused = shell.run("search", "learned.yaml", *missing, code=2)
    assert "search.warm_start[1]: no search of that name" in refused.stderr
    assert not (shell.folder / "mlruns" / "searches" / "other").exists()
