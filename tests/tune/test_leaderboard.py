"""Ranking from records alone."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from goemo.errors import GoemoError, InputError
from goemo.evaluation import validation_metrics
from tune.cli.tables import leaderboard_table, left_out
from tune.ranking import leaderboard
from tune.records import Outcome, SearchFolder

CONFIG = {"metric": "macro_f1", "thresholds": "exact", "checkpoint": "c"}
LABELS = ("joy", "anger", "neutral")


@pytest.fixture
def search(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    made = SearchFolder.create("s", {"objective": {"metric": "macro_f1"}})
    targets = np.random.default_rng(0).random((200, 3)) < 0.3
    made.write_validation(targets, LABELS)
    return made


def add(search, trial_id, noise, reason, *, progress=100, message="", config=None, cost=None):
    """Add a trial whose scores know the targets up to some noise."""
    targets, _ = search.validation()
    rng = np.random.default_rng(1)
    scores = np.clip(targets * 0.4 + 0.3 + noise * rng.normal(size=targets.shape), 0, 1).astype(np.float16)
    folder = search.trial(trial_id)
    folder.write_config(CONFIG | (config or {}), {"batch_size": int(trial_id[1:])})
    metrics = validation_metrics(scores.astype(np.float32), targets)
    folder.write_report(
        {"progress": progress, "time": 1.0, "seconds": 2.0, **metrics, **(cost or {})}, scores
    )
    if reason:
        folder.write_outcome(Outcome(reason, message))
    return metrics["val/macro_f1"]


def test_trials_rank_by_objective_with_intervals(search):
    """The best is first, its interval holds its objective, and trials that are surely worse are not tied."""
    objectives = {
        "t001": add(search, "t001", 0.3, "completed"),
        "t002": add(search, "t002", 0.1, "completed"),
        "t003": add(search, "t003", 0.2, "stopped_early", progress=20),
        "t004": add(search, "t004", 0.1, None, progress=40),
    }
    board = leaderboard.build(search.snapshot())
    assert [row.trial_id for row in board.rows] == ["t002", "t004", "t003", "t001"]
    assert [row.objective for row in board.rows] == [objectives[row.trial_id] for row in board.rows]
    assert all(row.low <= row.objective <= row.high for row in board.rows)
    assert [row.tied_with_best for row in board.rows] == [True, True, False, False]
    assert [row.stop_reason for row in board.rows] == [
        "completed",
        "unfinished",
        "stopped_early",
        "completed",
    ]
    assert board.best.config == CONFIG


def test_the_front_is_what_no_better_trial_matches_in_cost(search):
    """By hand: the best, the one that is faster by more than timings vary, and the smallest; no other."""
    costs = {  # by encoder: milliseconds, megabytes; t001 is best, t006 worst
        "t001": ("large", 10.0, 400.0),
        "t002": ("large", 7.0, 400.0),  # the same encoder: it is as fast as the fastest of its timings
        "t003": ("medium", 6.5, 400.0),  # within 10 %
        "t004": ("fast", 6.2, 400.0),
        "t005": ("small", 20.0, 40.0),
        "t006": ("slow", 21.0, 40.0),
    }
    for place, (trial_id, (encoder, ms, mb)) in enumerate(costs.items()):
        cost = {"cost/ms_per_text": ms, "cost/megabytes": mb}
        add(search, trial_id, 0.1 + 0.05 * place, "completed", config={"checkpoint": encoder}, cost=cost)
    board = leaderboard.build(search.snapshot())
    assert [row.trial_id for row in board.rows] == list(costs)
    assert [row.ms_per_text for row in board.rows] == [7.0, 7.0, 6.5, 6.2, 20.0, 21.0]
    assert [row.trial_id for row in board.rows if row.is_on_front] == ["t001", "t004", "t005"]
    told = json.loads(board.to_json())["trials"][4]
    assert (told["ms_per_text"], told["megabytes"], told["is_on_front"]) == (20.0, 40.0, True)
    assert "ms_per_text,megabytes,is_on_front" in board.to_csv().splitlines()[0]
    table = leaderboard_table(board)
    assert [row[1].endswith("*") for row in table.rows] == [True, False, False, True, True, False]
    assert table.rows[4][-3:] == ("2 s", "20", "40")


def test_costs_of_an_earlier_version_are_not_known(search):
    """Nothing is on a front, and the table has no columns for them."""
    add(search, "t001", 0.1, "completed")
    board = leaderboard.build(search.snapshot())
    assert not board.rows[0].is_on_front
    assert [column.name for column in leaderboard_table(board).columns][-1] == "ended"


def test_labels_without_a_validation_positive_are_named(search):
    """The footnote and the JSON name them, markup taken literally; without any there is no footnote."""
    add(search, "t001", 0.1, "completed")
    board = leaderboard.build(search.snapshot())
    assert board.to_dict()["unseen"] == []
    assert not leaderboard_table(board).caption
    targets, _ = search.validation()
    targets[:, 1] = False
    search.write_validation(targets, ("joy", "[red]odd", "neutral"))
    board = leaderboard.build(SearchFolder(search.path).snapshot())
    assert board.to_dict()["unseen"] == ["[red]odd"]
    console = Console(width=200, file=io.StringIO())
    console.print(leaderboard_table(board))
    assert "no validation row has [red]odd: F1 of 0" in console.file.getvalue()


def test_failed_trials_do_not_rank_but_are_counted(search):
    """A trial that diverged after a good report is left out, and the summary says so."""
    add(search, "t001", 0.3, "completed")
    add(search, "t002", 0.0, "diverged", message="the loss is NaN")
    board = leaderboard.build(search.snapshot())
    assert [row.trial_id for row in board.rows] == ["t001"]
    assert board.reasons == {"completed": 1, "diverged": 1}
    assert "1 ended as diverged and is left out." in leaderboard.summary(board)


def test_what_is_left_out_is_told_with_its_reason(search):
    """JSON names each trial with its message; people read how many there are, and equal reasons together.

    A trial that a budget cut before its first report has no score to rank by either.
    """
    add(search, "t001", 0.3, "completed")
    for number in range(2, 10):
        add(search, f"t{number:03d}", 0.0, "diverged", message="the loss is NaN")
    add(search, "t010", 0.0, "out_of_memory", message="CUDA out of memory")
    search.trial("t011").write_config(CONFIG, {"batch_size": 11})
    search.trial("t011").write_outcome(Outcome("stopped_early", "the time budget of 2 h is used up"))
    board = leaderboard.build(search.snapshot())
    shape = json.loads(board.to_json())["left_out"]
    assert [trial["trial_id"] for trial in shape] == [f"t{number:03d}" for number in range(2, 12)]
    assert shape[0]["stop_reason"] == "diverged"
    assert shape[0]["message"] == "the loss is NaN"
    assert left_out(board) == [
        "10 trials have no rank: 8 diverged, 1 out of memory, 1 stopped early",
        "t002, t003, t004, t005, t006, t007 and 2 more diverged: the loss is NaN",
        "t010 out of memory: CUDA out of memory",
        "t011 stopped early: the time budget of 2 h is used up",
    ]
    told = leaderboard.summary(board)
    assert "8 ended as diverged and are left out." in told
    assert "1 ended as out of memory and is left out." in told


def test_every_format_tells_the_same(search):
    """Table rows, JSON, CSV and pandas come from the same rows; varied hyperparameters are columns."""
    add(search, "t001", 0.3, "completed")
    add(search, "t002", 0.1, "completed")
    board = leaderboard.build(search.snapshot())
    shape = json.loads(board.to_json())
    assert {"search", "objective", "trials"} <= set(shape)
    assert {"rank", "trial_id", "config", "stop_reason", "progress", "val_macro_f1", "low", "high"} <= set(
        shape["trials"][0]
    )
    frame = board.to_pandas()
    lines = board.to_csv().splitlines()
    assert list(frame["trial_id"]) == [t["trial_id"] for t in shape["trials"]] == ["t002", "t001"]
    assert list(frame["batch_size"]) == [2, 1]
    assert isinstance(frame, pd.DataFrame)
    assert lines[0].split(",")[:3] == ["rank", "trial_id", "batch_size"]
    assert len(lines) == 3


def test_a_search_without_scores_says_what_became_of_its_trials(search):
    """Asking for the best of nothing names the reasons."""
    search.trial("t001").write_config(CONFIG, {})
    search.trial("t001").write_outcome(Outcome("failed", "a bug"))
    board = leaderboard.build(search.snapshot())
    with pytest.raises(GoemoError, match="1 failed"):
        _ = board.best


def test_an_unknown_trial_is_refused_with_those_there_are(search):
    """A misspelt trial id does not silently become the best."""
    add(search, "t001", 0.3, "completed")
    with pytest.raises(InputError, match=r"no ranked trial 't002'.*there are: t001"):
        leaderboard.build(search.snapshot()).row("t002")
