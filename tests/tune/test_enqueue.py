"""Configurations that are tried first."""

from __future__ import annotations

import pytest

from goemo.errors import InputError
from tune.records import Outcome, TrialRecord
from tune.space import suggestions
from tune.spec import SearchSpec

RANGES = {
    "learning_rate": {"log_uniform": [1e-5, 1e-2]},
    "batch_size": {"choice": [16, 32, 64]},
    "schedule": {"choice": ["linear", "constant"]},
    "warmup_fraction": {"uniform": [0.0, 0.2], "only_if": {"schedule": ["linear"]}},
    "epochs": 2,
}
GRID = {
    "batch_size": {"grid": [16, 32, 64]},
    "schedule": {"grid": ["linear", "constant"]},
    "warmup_fraction": {"grid": [0.0, 0.1], "only_if": {"schedule": ["linear"]}},
    "epochs": 2,
}


def make_spec(algorithm, space, enqueue=(), trials=None, scheduler="asha"):
    return SearchSpec.from_dict(
        {
            "name": "test",
            "model": {"checkpoint": "scratch:albert-tiny"},
            "space": space,
            "search": {"algorithm": algorithm, "trials": trials, "enqueue": list(enqueue)},
            "scheduler": {"algorithm": scheduler},
        }
    )


def ask_all(source):
    return list(iter(source.ask, None))


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_enqueued_configurations_come_first_and_the_rest_of_them_is_drawn(algorithm):
    """Trial i has what configuration i says, values inside the domains for the rest, and its conditions."""
    enqueue = [
        {"learning_rate": 3e-5, "batch_size": 32, "schedule": "linear", "warmup_fraction": 0.1},
        {"schedule": "constant", "epochs": 2},
        {"learning_rate": 1e-5},
    ]
    asked = ask_all(suggestions(make_spec(algorithm, RANGES, enqueue, trials=8)))
    assert [trial_id for trial_id, _ in asked] == [f"t00{n}" for n in range(1, 9)]
    first, second, third = (varied for _, varied in asked[:3])
    assert first == enqueue[0]
    assert second.keys() == {"learning_rate", "batch_size", "schedule"}
    assert second["schedule"] == "constant"
    assert third["learning_rate"] == 1e-5
    assert ("warmup_fraction" in third) == (third["schedule"] == "linear")


def test_what_is_enqueued_changes_no_other_random_draw():
    """Numbers after the enqueued ones, and values that they leave open, are those of the search without."""
    plain = ask_all(suggestions(make_spec("random", RANGES, trials=8)))
    enqueue = [{"learning_rate": 3e-5}, {"batch_size": 32}]
    with_some = ask_all(suggestions(make_spec("random", RANGES, enqueue, trials=8)))
    assert with_some[2:] == plain[2:]
    assert with_some[0][1] == {**plain[0][1], "learning_rate": 3e-5}
    assert with_some[1][1] == {**plain[1][1], "batch_size": 32}


def test_random_draws_do_not_repeat_what_is_enqueued():
    """What an enqueued configuration leaves open is drawn so that it differs from those before it, too."""
    space = {"batch_size": {"choice": [16, 32]}, "epochs": {"choice": [1, 2, 3]}}
    enqueue = [{"batch_size": 32, "epochs": 3}, {"epochs": 3}, {"batch_size": 16}, {"epochs": 2}]
    drawn = [varied for _, varied in ask_all(suggestions(make_spec("random", space, enqueue, trials=6)))]
    assert drawn[:2] == [{"batch_size": 32, "epochs": 3}, {"batch_size": 16, "epochs": 3}]
    assert drawn[2]["batch_size"] == 16
    assert drawn[3]["epochs"] == 2
    assert len({tuple(varied.items()) for varied in drawn}) == 6


@pytest.mark.parametrize("scheduler", ["asha", "none"])
def test_an_enqueued_member_of_a_grid_comes_first_under_its_own_id(scheduler):
    """A grid keeps its ids and its members; only the order changes, and the others stay in theirs."""
    plain = ask_all(suggestions(make_spec("grid", GRID, scheduler=scheduler)))
    last = next(varied for _, varied in reversed(plain) if varied["schedule"] == "linear")
    enqueue = [{"schedule": "constant", "batch_size": 64}, last]
    asked = ask_all(suggestions(make_spec("grid", GRID, enqueue, scheduler=scheduler)))
    of_members = {tuple(sorted(varied.items())): trial_id for trial_id, varied in plain}
    assert [varied for _, varied in asked[:2]] == [{"batch_size": 64, "schedule": "constant"}, last]
    assert [trial_id for trial_id, _ in asked[:2]] == [
        of_members[tuple(sorted(configuration.items()))] for configuration in enqueue
    ]
    assert asked[2:] == [trial for trial in plain if trial not in asked[:2]]


def test_tpe_learns_from_what_is_enqueued():
    """An enqueued trial is a trial of the study, with its values and how it ended."""
    source = suggestions(make_spec("tpe", RANGES, [{"learning_rate": 3e-5}], trials=4))
    trial_id, varied = source.ask()
    source.tell(trial_id, 0.7, "completed")
    (told,) = [trial for trial in source._study.trials if trial.values]
    assert told.params == varied
    assert told.params["learning_rate"] == 3e-5


@pytest.mark.parametrize("algorithm", ["grid", "random", "tpe"])
def test_an_interrupted_search_does_not_begin_with_them_again(algorithm):
    """After a crash, what has ended or started keeps its id; the others follow."""
    space = GRID if algorithm == "grid" else RANGES
    enqueue = [{"batch_size": 32, "schedule": "constant"}, {"batch_size": 16, "schedule": "constant"}]
    spec = make_spec(algorithm, space, enqueue, trials=None if algorithm == "grid" else 6)
    asked = ask_all(suggestions(spec))
    ended = ({"progress": 100, "val/macro_f1": 0.5},)
    config = {"metric": "macro_f1"}
    records = [
        TrialRecord(asked[0][0], config, asked[0][1], ended, Outcome("completed"), None),
        TrialRecord(asked[1][0], config, asked[1][1], (), None, None),
    ]
    again = ask_all(suggestions(spec, sorted(records, key=lambda record: record.trial_id)))
    assert again[0] == asked[1]
    assert [trial_id for trial_id, _ in again] == [trial_id for trial_id, _ in asked[1:]]


def test_enqueued_configurations_come_back_from_their_dict():
    """to_dict and from_dict are inverses; 3e-5 as YAML's text is a number."""
    spec = make_spec("random", RANGES, [{"learning_rate": "3e-5", "batch_size": 32}], trials=3)
    assert spec.to_dict()["search"]["enqueue"] == [{"learning_rate": 3e-5, "batch_size": 32}]
    assert SearchSpec.from_dict(spec.to_dict()) == spec


# What is enqueued in a random search of two trials, and the problem at search.enqueue.
WRONG = [
    ("a", ": must be a list of configurations, [{learning_rate: 3.0e-5}], got 'a'"),
    ([3], "[0]: must be a mapping of hyperparameters to values, got 3"),
    ([{}], "[0]: must be a mapping of hyperparameters to values, got {}"),
    ([{"lerning_rate": 1e-3}], "[0].lerning_rate: unknown hyperparameter; did you mean learning_rate?"),
    ([{"learning_rate": -1}], "[0].learning_rate: must be a number above 0, got -1"),
    (
        [{"learning_rate": 1.0}],
        "[0].learning_rate: must lie in its domain, {'log_uniform': [1e-05, 0.01]}, got",
    ),
    ([{"batch_size": 48}], "[0].batch_size: must lie in its domain, {'choice': [16, 32, 64]}, got 48"),
    ([{"epochs": 3}], "[0].epochs: must lie in its domain, 2, got 3"),
    ([{"dropout": 0.3}], "[0].dropout: is not in the space; to try 0.3, give it a domain there"),
    (
        [{"warmup_fraction": 0.1}],
        "[0].warmup_fraction: applies only where schedule is one of ['linear'], which this co",
    ),
    (
        [{"warmup_fraction": 0.1, "schedule": "constant"}],
        "[0].warmup_fraction: applies only where schedule",
    ),
    ([{"batch_size": 16}, {"batch_size": 16, "epochs": 2}], "[1]: given twice: {'batch_size': 16}"),
    ([{"batch_size": size} for size in (16, 32, 64)], ": has 3 configurations for a search of 2 trials"),
]


@pytest.mark.parametrize(("enqueue", "problem"), WRONG)
def test_what_cannot_be_tried_is_refused_with_the_reason(enqueue, problem):
    """Each rule by itself, with the place, the rule and the value."""
    spec = make_spec("random", RANGES, trials=2).to_dict()
    spec["search"]["enqueue"] = enqueue
    with pytest.raises(InputError) as caught:
        SearchSpec.from_dict(spec)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"search.enqueue{problem}")


def test_a_grid_takes_members_alone():
    """What a configuration leaves open cannot be drawn in a grid; a condition leaves nothing open."""
    assert make_spec("grid", GRID, [{"batch_size": 16, "schedule": "constant"}]).total == 9
    with pytest.raises(InputError, match="must name a member of the grid, and lacks warmup_fraction; to let"):
        make_spec("grid", GRID, [{"batch_size": 16, "schedule": "linear"}])
