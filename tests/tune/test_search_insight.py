"""How much each hyperparameter of a search mattered."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import optuna
import pytest

from tune.ranking.insight import FEWEST_TRIALS, hyperparameter_importance
from tune.records import Outcome, TrialRecord
from tune.spec import SearchSpec

GRID = {"batch_size": {"grid": [16, 32, 64]}, "learning_rate": {"grid": [1e-5, 3e-5, 1e-4]}}


def spec(space, **sections):
    return SearchSpec.from_dict({"name": "s", "model": {"checkpoint": "c"}, "space": space, **sections})


def drawn(space):
    return spec(space, search={"algorithm": "random", "trials": 20})


def record(number, varied, objectives, reason="completed"):
    """Return a trial that has reported every 20 per cent."""
    history = tuple({"progress": 20 * (i + 1), "val/macro_f1": value} for i, value in enumerate(objectives))
    outcome = Outcome(reason) if reason else None
    return TrialRecord(f"t{number:03d}", {"metric": "macro_f1"}, varied, history, outcome, Path())


def full_grid(score):
    """Return the nine trials of the grid, their final scores given by a function of the two values."""
    values = product(GRID["batch_size"]["grid"], GRID["learning_rate"]["grid"])
    return [
        record(i, {"batch_size": b, "learning_rate": r}, [score(b, r)]) for i, (b, r) in enumerate(values, 1)
    ]


def test_what_decides_the_score_gets_the_share():
    """Of two hyperparameters, the one that the score depends on gets nearly all; shares add up to 1."""
    for decides in ("batch_size", "learning_rate"):
        records = full_grid(lambda b, r, by=decides: {"batch_size": b / 100, "learning_rate": r * 5000}[by])
        found = hyperparameter_importance(spec(GRID), records)
        assert next(iter(found.shares)) == decides
        assert found.shares[decides] > 0.95
        assert sum(found.shares.values()) == pytest.approx(1)
        assert (found.reason, found.trials, found.progress) == ("", 9, 20)


def test_the_order_of_the_records_does_not_matter():
    """Trials end in any order; the shares are the same to the last bit, twice in a row too."""
    generator = np.random.default_rng(0)
    noise = iter(generator.random(9))
    records = full_grid(lambda b, r: b / 1000 + r + 0.01 * next(noise))
    first = hyperparameter_importance(spec(GRID), records)
    assert hyperparameter_importance(spec(GRID), records[::-1]) == first


def test_a_trial_that_a_budget_cut_does_not_set_the_progress():
    """It has reported where no other has, 7 per cent say; the others are compared as if it were not there."""
    records = full_grid(lambda b, _: b / 100)
    cut = replace(
        records[0],
        trial_id="t010",
        history=({"progress": 7, "val/macro_f1": 0.9},),
        outcome=Outcome("stopped_early", "the time budget of 2 h is used up"),
    )
    assert hyperparameter_importance(spec(GRID), [*records, cut]) == hyperparameter_importance(
        spec(GRID), records
    )


def test_trials_are_compared_at_the_progress_that_all_reached():
    """What survivors gained after the others were stopped counts for nothing."""
    records = full_grid(lambda b, _: b / 100)
    late = [
        record(i, r.varied, [r.objective, r.objective, 0.9 + r.varied["learning_rate"]])
        for i, r in enumerate(records, 1)
        if i != 5
    ]
    stopped = [record(5, records[4].varied, [records[4].objective], "stopped_early")]
    found = hyperparameter_importance(spec(GRID), [*late, *stopped])
    assert found.progress == 20
    assert found == hyperparameter_importance(spec(GRID), records)
    assert "each at 20 % of its training, which is as far as all of them got" in found.basis
    whole = hyperparameter_importance(
        spec(GRID), [record(i, r.varied, [0, 0, 0, 0, r.objective]) for i, r in enumerate(records)]
    )
    assert whole.progress == 100
    assert "as far as" not in whole.basis


def test_a_trial_whose_first_report_comes_late_counts_with_it():
    """Of four steps the first report is at 25 %, and others were stopped at 20."""
    records = full_grid(lambda b, _: b / 100)
    late = [
        replace(r, history=({"progress": 25, "val/macro_f1": r.objective},)) if r.trial_id == "t005" else r
        for r in records
    ]
    assert hyperparameter_importance(spec(GRID), late) == hyperparameter_importance(spec(GRID), records)


def test_failed_and_running_trials_are_left_out():
    """A diverged trial with a wild score, and one that has just begun, change nothing."""
    records = full_grid(lambda b, r: b / 100 + r)
    others = [
        record(10, {"batch_size": 16, "learning_rate": 1e-5}, [0.99], "diverged"),
        record(11, {"batch_size": 64, "learning_rate": 1e-5}, [0.0], None),
        record(12, {"batch_size": 64, "learning_rate": 1e-5}, [], "out_of_memory"),
    ]
    assert hyperparameter_importance(spec(GRID), [*records, *others]) == hyperparameter_importance(
        spec(GRID), records
    )


def test_a_logarithmic_range_is_taken_by_its_logarithm():
    """A step in the middle decade weighs as much as one between two batch sizes; the others weigh nothing."""
    space = {
        "learning_rate": {"log_uniform": [1e-6, 1e-2]},
        "batch_size": {"choice": [16, 32]},
        "epochs": {"int": [2, 6]},
        "warmup_fraction": {"uniform": [0.0, 0.2]},
    }
    generator = np.random.default_rng(0)
    records = []
    for i in range(60):
        varied = {
            "learning_rate": float(10 ** generator.uniform(-6, -2)),
            "batch_size": int(generator.choice([16, 32])),
            "epochs": int(generator.integers(2, 7)),
            "warmup_fraction": float(generator.uniform(0, 0.2)),
        }
        score = 0.1 * (varied["learning_rate"] > 1e-4) + 0.1 * (varied["batch_size"] == 32)
        records.append(record(i, varied, [score]))
    shares = hyperparameter_importance(drawn(space), records).shares
    assert shares["learning_rate"] == pytest.approx(0.5, abs=0.1)
    assert shares["batch_size"] == pytest.approx(0.5, abs=0.1)
    assert shares["epochs"] < 0.02
    assert shares["warmup_fraction"] < 0.02


@pytest.mark.parametrize(
    ("space", "records", "reason"),
    [
        ({"epochs": 3}, [], "No hyperparameter varies"),
        ({"epochs": {"grid": [1, 2]}}, [], "Only epochs varies"),
        (GRID, [], f"needs {FEWEST_TRIALS} trials that have ended with a score; there are 0"),
        (GRID, full_grid(lambda b, _: b)[:7], "there are 7"),
        (GRID, full_grid(lambda *_: 0.3), "same score"),
        (GRID, full_grid(lambda b, _: b * 1e-200), "differ too little"),
        (
            GRID,
            [
                record(i, {"batch_size": 16 * 2 ** (i % 3), "learning_rate": 1e-5}, [0.1 * i])
                for i in range(9)
            ],
            "Fewer than two hyperparameters differ",
        ),
    ],
)
def test_where_nothing_can_be_said_a_sentence_says_why(space, records, reason):
    """Too few trials, one hyperparameter, equal scores: no shares and a reason, never an exception."""
    found = hyperparameter_importance(spec(space), records)
    assert found.shares is None
    assert reason in found.reason
    assert found.basis == found.reason


def test_optunas_log_stays_as_it_was(capfd):
    """Nothing is printed, and the verbosity that the caller chose is the one found afterwards."""
    before = optuna.logging.get_verbosity()
    hyperparameter_importance(spec(GRID), full_grid(lambda b, r: b + r))
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
