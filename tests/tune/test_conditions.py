"""Hyperparameters that are only asked for where others have certain values."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goemo.configuration import HYPERPARAMETER_DEFAULTS
from goemo.errors import InputError
from tune.ranking.insight import hyperparameter_importance
from tune.records import Outcome, TrialRecord
from tune.space import suggestions
from tune.spec import (
    SearchSpec,
    asked_for,
    configuration,
    load_spec,
    models,
    possible_lengths,
    possible_values,
)
from tune.tracking.content import space_params

SPACE = {
    "warmup_fraction": {"uniform": [0.0, 0.2], "only_if": {"schedule": ["linear", "cosine"]}},
    "schedule": {"choice": ["linear", "cosine", "constant"]},
    "learning_rate": {"log_uniform": [1e-5, 1e-2]},
    "layer_decay": {"choice": [0.8, 0.9], "only_if": {"schedule": ["cosine"], "batch_size": [16]}},
    "batch_size": {"choice": [16, 32]},
}
GRID = {
    "warmup_fraction": {"grid": [0.0, 0.05, 0.2], "only_if": {"schedule": ["linear", "cosine"]}},
    "schedule": {"grid": ["linear", "cosine", "constant"]},
    "layer_decay": {"grid": [0.8, 0.9], "only_if": {"warmup_fraction": [0.2]}},
    "batch_size": {"grid": [16, 32]},
}


def make_spec(algorithm="grid", trials=None, space=GRID, seed=42, **search):
    return SearchSpec.from_dict(
        {
            "name": "test",
            "model": {"checkpoint": "scratch:albert-tiny"},
            "space": space,
            "search": {"algorithm": algorithm, "trials": trials, **search},
            "seed": seed,
        }
    )


def ask_all(source):
    return list(iter(source.ask, None))


def as_record(trial_id, varied, objective):
    """A trial that has completed, or, without an objective, one that has only started."""
    config = {"metric": "macro_f1"}
    if objective is None:
        return TrialRecord(trial_id, config, varied, (), None, Path(trial_id))
    history = ({"progress": 100, "val/macro_f1": objective},)
    return TrialRecord(trial_id, config, varied, history, Outcome("completed"), Path(trial_id))


def is_right(varied, space):
    """Whether exactly those are there whose conditions hold, written without the code under test."""
    for name, domain in space.items():
        conditions = domain.get("only_if", {})
        holds = all(other in varied and varied[other] in values for other, values in conditions.items())
        if (name in varied) != holds:
            return False
    return True


def test_a_grid_has_each_distinct_configuration_once():
    """The product of all lists, without those that differ only in what nobody asks for."""
    spec = make_spec()
    asked = ask_all(suggestions(spec))
    # constant: 1; linear and cosine: warm-up 0 and 0.05 once, 0.2 with two decays; each with two batches.
    assert len(asked) == spec.total == (1 + 2 * (1 + 1 + 2)) * 2
    assert len({configuration(spec, varied) for _, varied in asked}) == spec.total
    assert all(is_right(varied, GRID) for _, varied in asked)
    assert sorted(int(trial_id[1:]) for trial_id, _ in asked) == list(range(1, spec.total + 1))


def test_ids_number_the_members_in_the_order_of_the_product():
    """Sorted by id, the members come as in itertools' product of the lists, each where it comes first."""
    lists = [domain["grid"] for domain in GRID.values()]
    product = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*lists)]
    first = []
    for member in product:
        kept = dict(member)
        for _ in GRID:  # dropping one may drop another
            kept = {
                name: value
                for name, value in kept.items()
                if all(kept.get(o) in v for o, v in GRID[name].get("only_if", {}).items())
            }
        if kept not in first:
            first.append(kept)
    assert [varied for _, varied in sorted(ask_all(suggestions(make_spec())))] == first


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_draws_have_what_their_values_ask_for_and_nothing_else(algorithm):
    """Each draw has the conditional values where the conditions hold; the configuration has the defaults."""
    spec = make_spec(algorithm, 40, SPACE)
    source, seen = suggestions(spec), set()
    for trial_id, varied in iter(source.ask, None):
        assert is_right(varied, SPACE)
        assert list(varied) == [name for name in SPACE if name in varied]
        config = configuration(spec, varied)
        for name in SPACE:
            assert getattr(config, name) == varied.get(name, HYPERPARAMETER_DEFAULTS[name])
        seen.add(tuple(varied))
        source.tell(trial_id, 0.3 + varied.get("warmup_fraction", 0), "completed")
    assert len(seen) == 3  # constant; linear or cosine; cosine with small batches


def test_a_condition_changes_no_other_draw():
    """Random draws are those of the space without conditions, less what is not asked for."""
    free = {name: {k: v for k, v in domain.items() if k != "only_if"} for name, domain in SPACE.items()}
    with_all = ask_all(suggestions(make_spec("random", 30, free)))
    varying = make_spec("random", 30, SPACE).varying
    assert ask_all(suggestions(make_spec("random", 30, SPACE))) == [
        (trial_id, asked_for(varying, varied)) for trial_id, varied in with_all
    ]


@pytest.mark.parametrize(("seed", "at_once", "limits"), [(1, 2, (1, 4, 10)), (2, 5, (7, 13))])
def test_tpe_with_conditions_goes_on_after_an_interruption_as_undisturbed(seed, at_once, limits):
    """With some trials at a time and cut off anywhere, the rest is asked with the same ids and values."""
    spec = make_spec("tpe", 16, SPACE, seed=seed, startup_trials=4)

    def run(source, records, limit=None):
        running = []
        while True:
            asked = source.ask() if limit is None or len(records) < limit else None
            if asked:
                records.setdefault(asked[0], (asked[1], None))
                running.append(asked)
            if not running or (limit is not None and len(records) >= limit):
                return records
            if len(running) == at_once or not asked:
                trial_id, varied = running.pop(0)
                objective = 0.5 + varied.get("warmup_fraction", 0) - 0.1 * (varied["schedule"] == "linear")
                source.tell(trial_id, objective, "completed")
                records[trial_id] = (varied, objective)

    undisturbed = run(suggestions(spec), {})
    assert len({tuple(varied) for varied, _ in undisturbed.values()}) > 1
    for limit in limits:
        cut = run(suggestions(spec), {}, limit)
        records = [as_record(trial_id, *cut[trial_id]) for trial_id in sorted(cut)]
        assert run(suggestions(spec, records), dict(cut)) == undisturbed


def test_tpe_draws_together_what_is_asked_for_together():
    """After its startup, a hyperparameter with a condition is part of a joint draw, and not one by itself."""
    source = suggestions(make_spec("tpe", 12, SPACE, startup_trials=4))
    for _ in range(10):
        trial_id, varied = source.ask()
        source.tell(trial_id, 0.5 + varied.get("warmup_fraction", 0), "completed")
    joint = source._sampler(11).infer_relative_search_space(source._study, None)
    assert set(joint) == set(SPACE)


def test_optuna_says_nothing_about_groups(recwarn):
    """Conditions make use of a feature that Optuna calls experimental; users have no say in that."""
    source = suggestions(make_spec("tpe", 6, SPACE))
    for trial_id, _ in iter(source.ask, None):
        source.tell(trial_id, 0.5, "completed")
    assert not recwarn.list


def test_lengths_are_prepared_for_trials_that_are_not_asked_for_one():
    """A conditional max_length may be its default."""
    space = {
        "batch_size": {"grid": [16, 32]},
        "max_length": {"grid": [16, 32], "only_if": {"batch_size": [32]}},
    }
    spec = make_spec(space=space)
    assert possible_lengths(spec, models(spec)[0]) == [16, 32, HYPERPARAMETER_DEFAULTS["max_length"]]


def test_memory_is_that_of_the_largest_trial():
    """Sizes that are asked for under a condition count with their default too."""
    space = {
        "batch_size": {"grid": [8, 48]},
        "max_length": {"grid": [16, 32], "only_if": {"batch_size": [48]}},
    }

    def largest(space, name):
        spec = make_spec(space=space)
        return max(possible_values(spec, name, models(spec)[0]))

    assert largest(space, "batch_size") == 48
    assert largest(space, "max_length") == HYPERPARAMETER_DEFAULTS["max_length"]
    free = {name: {"grid": domain["grid"]} for name, domain in space.items()}
    assert (largest(free, "batch_size"), largest(free, "max_length")) == (48, 32)


def test_importance_is_of_what_all_trials_were_asked_for():
    """A share of what only some had would be one of its condition; the others are compared as before."""
    spec = make_spec("random", 12, SPACE)
    asked = ask_all(suggestions(spec))
    assert len({tuple(varied) for _, varied in asked}) > 1
    records = [as_record(trial_id, varied, varied["learning_rate"]) for trial_id, varied in asked]
    shares = hyperparameter_importance(spec, records).shares
    assert set(shares) == {"schedule", "learning_rate", "batch_size"}
    assert max(shares, key=shares.get) == "learning_rate"


def test_mlflow_shows_a_condition_beside_its_domain():
    """The params of the parent run are the search space as it is."""
    params = space_params(make_spec("random", 12, SPACE).to_dict())
    assert params["space.batch_size"] == "choice [16, 32]"
    assert params["space.warmup_fraction"] == "uniform [0.0, 0.2] only if {'schedule': ['linear', 'cosine']}"


def test_a_conditional_space_comes_back_from_its_dict():
    """to_dict and from_dict are inverses, with conditions."""
    spec = make_spec("random", 5, SPACE)
    assert SearchSpec.from_dict(spec.to_dict()) == spec
    assert spec.to_dict()["space"] == SPACE


def test_a_kind_on_the_command_line_keeps_the_condition(tmp_path):
    """--set replaces the values of a domain; its condition is another key."""
    path = tmp_path / "s.yaml"
    path.write_text(
        "model: {checkpoint: scratch:albert-tiny}\n"
        "space:\n  schedule: {grid: [linear, cosine]}\n"
        "  warmup_fraction: {grid: [0.0, 0.1], only_if: {schedule: [cosine]}}\n"
    )
    changed = ["space.warmup_fraction.grid=[0.3, 0.4]"]
    assert load_spec(str(path), overrides=changed).space["warmup_fraction"].only_if == {
        "schedule": ("cosine",)
    }
    changed.append("space.warmup_fraction.only_if.schedule=[linear]")
    assert load_spec(str(path), overrides=changed).space["warmup_fraction"].only_if == {
        "schedule": ("linear",)
    }


# What epochs may only be asked for, and the problem at space.epochs.only_if.
WRONG = {
    "{}": ": must be a mapping of other hyperparameters to lists, got {}",
    "[a]": ": must be a mapping of other hyperparameters to lists, got ['a']",
    "{batch_size: 16}": ".batch_size: must be a list of its values, got 16",
    "{batch_size: []}": ".batch_size: must be a list of its values, got []",
    "{batch_sise: [16]}": ".batch_sise: unknown key; did you mean batch_size?",
    "{batch_size: [16.5]}": ".batch_size[0]: must be a whole number of at least 1, got 16.5",
    "{batch_size: [64]}": ".batch_size[0]: 64 is not in its domain, {'grid': [16, 32]}",
    "{epochs: [1]}": ".epochs: cannot depend on itself",
    "{dropout: [0.1]}": ".dropout: must vary for epochs to depend on it; dropout is not in the space",
    "{weight_decay: [0]}": ".weight_decay: must vary for epochs to depend on it; weight_decay is always 0.0",
    "{max_length: [8]}": ".max_length: goes in a circle: epochs depends on max_length depends on epochs",
}


@pytest.mark.parametrize(("only_if", "problem"), WRONG.items(), ids=WRONG)
def test_a_wrong_condition_has_one_problem(tmp_path, only_if, problem):
    """Each rule is refused by itself, with its path and its reason."""
    path = tmp_path / "s.yaml"
    others = "batch_size: {grid: [16, 32]}, weight_decay: 0"
    if "max_length" in only_if:
        others += ", max_length: {grid: [8, 9], only_if: {epochs: [1]}}"
    epochs = f"epochs: {{grid: [1, 2], only_if: {only_if}}}"
    path.write_text(f"model: {{checkpoint: scratch:albert-tiny}}\nspace: {{{epochs}, {others}}}\n")
    with pytest.raises(InputError) as caught:
        load_spec(str(path))
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"space.epochs.only_if{problem}")


def test_no_draw_of_a_real_number_hits_a_value():
    """A range of real numbers cannot be a condition; one of whole numbers can."""
    space = {
        "dropout": {"uniform": [0.0, 0.5]},
        "batch_size": {"int": [8, 9]},
        "epochs": {"int": [1, 4], "only_if": {"batch_size": [8]}},
    }
    assert {len(varied) for _, varied in ask_all(suggestions(make_spec("random", 30, space)))} == {2, 3}
    wrong = {**space, "epochs": {"int": [1, 4], "only_if": {"dropout": [0.1]}}}
    with pytest.raises(
        InputError, match="must have listed values or whole numbers, because a real number is"
    ):
        make_spec("random", 30, wrong)


def test_all_wrong_conditions_come_at_once():
    """Problems of several conditions are told together, and none follows from another."""
    space = {
        "batch_size": {"grid": [16, 0]},
        "epochs": {"grid": [1, 2], "only_if": {"batch_size": [64], "epochs": [1], "dropout": [0.1]}},
    }
    with pytest.raises(InputError) as caught:
        make_spec(space=space)
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "space.batch_size.grid[1]",
        "space.epochs.only_if.epochs",
        "space.epochs.only_if.dropout",
    ]


NAMES = ("batch_size", "epochs", "max_length", "accumulation_steps")


@st.composite
def conditional_grids(draw):
    """Grids of small lists, in which each may depend on others that stand before it in some order."""
    names = draw(st.permutations(NAMES))
    space = {}
    for place, name in enumerate(names):
        domain = {"grid": [8, 9, 10][: draw(st.integers(1, 3))]}
        possible = [o for o in names[:place] if len(space[o]["grid"]) > 1 or "only_if" in space[o]]
        others = draw(st.sets(st.sampled_from(possible), max_size=2)) if possible else set()
        conditions = {
            other: sorted(draw(st.sets(st.sampled_from(space[other]["grid"]), min_size=1)))
            for other in others
        }
        if conditions:
            domain["only_if"] = conditions
        space[name] = domain
    return {name: space[name] for name in draw(st.permutations(NAMES))}


@settings(max_examples=60, deadline=None)
@given(conditional_grids())
def test_any_conditional_grid_is_its_distinct_configurations(space):
    """Whatever the conditions and the order in the file: no member twice, each right, none missing.

    As many random draws are the same configurations.
    """
    spec = make_spec(space=space)
    asked = [varied for _, varied in ask_all(suggestions(spec))]
    varying = {name: domain for name, domain in space.items() if name in spec.varying}
    assert all(is_right(varied, varying) for varied in asked)
    brute = []
    for values in itertools.product(*(domain["grid"] for domain in varying.values())):
        member = dict(zip(varying, values, strict=True))
        while not is_right(member, varying):
            member = {
                name: value
                for name, value in member.items()
                if all(member.get(o) in v for o, v in varying[name].get("only_if", {}).items())
            }
        brute.append(tuple(sorted(member.items())))
    assert sorted(tuple(sorted(varied.items())) for varied in asked) == sorted(set(brute))
    if varying:
        drawn = [varied for _, varied in ask_all(suggestions(make_spec("random", spec.total, space)))]
        assert sorted(map(str, drawn)) == sorted(map(str, asked))
