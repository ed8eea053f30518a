"""The configurations of a search: complete, repeatable, and the same after an interruption."""

from __future__ import annotations

import itertools
import logging
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tune.records import Outcome, TrialRecord
from tune.space import ids, suggestions
from tune.spec import SearchSpec, configuration, load_spec, shipped_spaces

RANGES = {
    "learning_rate": {"log_uniform": [1e-5, 1e-2]},
    "batch_size": {"choice": [16, 32, 64]},
    "epochs": {"int": [1, 4]},
    "warmup_fraction": {"uniform": [0.0, 0.2]},
    "max_length": 32,
}

FINITE = {"learning_rate": {"choice": [1e-5, 1e-4, 1e-3, 1e-2]}, "epochs": {"int": [1, 4]}}


def make_spec(algorithm, trials=None, space=RANGES, seed=42, scheduler="asha", **search):
    return SearchSpec.from_dict(
        {
            "name": "test",
            "model": {"checkpoint": "scratch:albert-tiny"},
            "space": space,
            "search": {"algorithm": algorithm, "trials": trials, **search},
            "scheduler": {"algorithm": scheduler},
            "seed": seed,
        }
    )


def ask_all(source):
    return list(iter(source.ask, None))


def record(trial_id, varied, objective=None, stop_reason=None, progress=100):
    history = ()
    if objective is not None:
        history = ({"progress": progress, "val/macro_f1": objective},)
    outcome = None if stop_reason is None else Outcome(stop_reason)
    return TrialRecord(trial_id, {"metric": "macro_f1"}, varied, history, outcome, Path(trial_id))


def goodness(varied):
    """A landscape with its top at a learning rate of 3e-4 and 3 epochs."""
    return 0.6 - 0.1 * abs(math.log10(varied["learning_rate"] / 3e-4)) - 0.05 * abs(varied["epochs"] - 3)


def ending(number, varied):
    """Every third trial is stopped early, every seventh fails."""
    if number % 7 == 0:
        return None, "failed", 0
    if number % 3 == 0:
        return goodness(varied) / 2, "stopped_early", 20
    return goodness(varied), "completed", 100


@pytest.mark.parametrize("path", shipped_spaces(), ids=lambda p: p.stem)
def test_every_shipped_space_enumerates(path):
    """A shipped space gives as many trials as it says, each a configuration, all different."""
    spec = load_spec(str(path))
    source = suggestions(spec)
    asked = ask_all(source)
    assert len(asked) == source.total == spec.total
    assert len({trial_id for trial_id, _ in asked}) == len(asked)
    assert len({configuration(spec, varied) for _, varied in asked}) == len(asked)
    assert source.ask() is None


def test_a_grid_is_the_product_and_ids_are_its_places():
    """Sorted by id, a grid is itertools' product of the lists, the last key of the file fastest."""
    space = {"epochs": {"choice": [1, 2]}, "batch_size": {"grid": [8, 16, 32]}, "max_length": {"grid": [64]}}
    asked = ask_all(suggestions(make_spec("grid", space=space)))
    product = [{"epochs": e, "batch_size": b} for e, b in itertools.product([1, 2], [8, 16, 32])]
    assert [varied for _, varied in sorted(asked)] == product
    assert sorted(trial_id for trial_id, _ in asked) == [f"t00{n}" for n in range(1, 7)]


def test_the_seed_decides_the_order_of_a_grid_and_nothing_else():
    """Equal seeds give equal orders, other seeds other orders of the same trials."""
    space = {"epochs": {"grid": [1, 2, 3]}, "batch_size": {"grid": [8, 16, 32]}}
    one, same, other = (ask_all(suggestions(make_spec("grid", space=space, seed=s))) for s in (1, 1, 2))
    assert one == same != other
    assert sorted(one) == sorted(other) != one


@pytest.mark.parametrize("scheduler", ["asha", "median", "hyperband"])
def test_a_scheduler_that_compares_sees_the_grid_in_its_shuffled_order(scheduler):
    """Long trials do not come first where trials are compared with those before them."""
    space = {"epochs": {"grid": [1, 2, 3, 4]}, "batch_size": {"grid": [8, 16, 32]}}
    order = np.random.default_rng(42).permutation(12) + 1
    asked = ask_all(suggestions(make_spec("grid", space=space, scheduler=scheduler)))
    assert [int(trial_id[1:]) for trial_id, _ in asked] == order.tolist()


def test_without_a_scheduler_the_longest_come_first_and_equals_in_the_shuffled_order():
    """More epochs and tokens first, then smaller batches; what costs the same stays shuffled by the seed."""
    space = {
        "learning_rate": {"grid": [1e-5, 2e-5, 3e-5, 4e-5]},
        "epochs": {"grid": [1, 3]},
        "max_length": {"grid": [64, 32]},
        "batch_size": {"grid": [16, 32]},
    }
    asked = ask_all(suggestions(make_spec("grid", space=space, scheduler="none")))
    shuffled = ask_all(suggestions(make_spec("grid", space=space)))
    assert sorted(asked) == sorted(shuffled)
    work = [(v["epochs"], v["max_length"], v["batch_size"]) for _, v in asked]
    by_cost = [(epochs, length, batch) for epochs in (3, 1) for length in (64, 32) for batch in (16, 32)]
    assert work == [of_trial for of_trial in by_cost for _ in range(4)]
    groups = [asked[start : start + 4] for start in range(0, 32, 4)]
    assert all(group == [trial for trial in shuffled if trial in group] for group in groups)
    assert len({tuple(v["learning_rate"] for _, v in group) for group in groups}) > 1


def test_random_draws_come_in_their_order_whoever_is_stopped():
    """A number says what is drawn, and when."""
    space = {"epochs": {"int": [1, 9]}}
    free = ask_all(suggestions(make_spec("random", 12, space, scheduler="none")))
    assert free == ask_all(suggestions(make_spec("random", 12, space)))
    assert [trial_id for trial_id, _ in free] == sorted(trial_id for trial_id, _ in free)


def test_a_space_without_variation_is_one_trial():
    """A grid of constants runs once, with nothing varied."""
    assert ask_all(suggestions(make_spec("grid", space={"epochs": 2}))) == [("t001", {})]


def test_ids_of_a_long_search_sort_as_numbers():
    """Past 999 trials, ids have four digits, so that text order is trial order."""
    asked = ask_all(suggestions(make_spec("random", 1000)))
    ids = [trial_id for trial_id, _ in asked]
    assert ids[0] == "t0001"
    assert ids == sorted(ids)


@pytest.mark.parametrize("number", [1, 999, 1000, 12_345])
@pytest.mark.parametrize("digits", [3, 4, 6])
def test_ids_say_their_number_and_their_digits(number, digits):
    """Both are read back from an id, also where the number has outgrown the digits."""
    assert ids.number_of(ids.trial_id(number, digits)) == number
    assert ids.digits_of(ids.trial_id(number, digits)) == digits


def test_ids_that_outgrow_their_digits_still_sort_as_numbers():
    """Numbers up to a hundred thousand, of a search that began with three digits."""
    numbers = [*range(1, 12_000), 99_999, 100_000]
    found = [ids.trial_id(number, 3) for number in numbers]
    assert found[998:1000] == ["t999", "tx1000"]
    assert found == sorted(found)


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_a_longer_search_keeps_the_ids_and_draws_of_a_shorter_one(algorithm):
    """Extended from 12 to 1,100 trials after two of them, the first 12 are what they were, ids included."""
    short = make_spec(algorithm, 12)
    asked = ask_all(suggestions(short))
    records = [record(*trial) for trial in asked[:2]]
    long = make_spec(algorithm, 1100, startup_trials=short.startup_trials if algorithm == "tpe" else None)
    again = suggestions(long, records)
    assert [again.ask() for _ in range(12)] == asked
    if algorithm == "random":
        later = ask_all(again)
        assert later[-1][0] == "tx1100"
        assert [trial_id for trial_id, _ in asked + later] == sorted(t for t, _ in asked + later)


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_drawn_values_keep_to_their_domains_and_types(algorithm):
    """Values are plain int, float or str, inside the domain, and no constant is varied."""
    seen = {name: set() for name in ("learning_rate", "batch_size", "epochs", "warmup_fraction")}
    source = suggestions(make_spec(algorithm, 60))
    for trial_id, varied in iter(source.ask, None):
        source.tell(trial_id, goodness(varied), "completed")
        assert varied.keys() == seen.keys()
        for name, value in varied.items():
            seen[name].add(value)
    assert seen["batch_size"] <= {16, 32, 64}
    assert seen["epochs"] <= {1, 2, 3, 4}
    assert all(type(v) is int for name in ("batch_size", "epochs") for v in seen[name])
    assert all(type(v) is float for name in ("learning_rate", "warmup_fraction") for v in seen[name])
    assert all(1e-5 <= v <= 1e-2 for v in seen["learning_rate"])
    assert all(0 <= v <= 0.2 for v in seen["warmup_fraction"])
    if algorithm == "random":
        assert seen["batch_size"] == {16, 32, 64}
        assert seen["epochs"] == {1, 2, 3, 4}  # both ends included
        below = sum(v < 10**-3.5 for v in seen["learning_rate"])
        assert 20 <= below <= 40  # half of the draws lie in the lower half of the logarithm


def test_random_draws_depend_on_seed_and_number_alone():
    """More trials, other outcomes or another total leave configuration i alone; another seed does not."""
    short = ask_all(suggestions(make_spec("random", 5)))
    source = suggestions(make_spec("random", 20))
    long = []
    for trial_id, varied in iter(source.ask, None):
        source.tell(trial_id, None, "failed")
        long.append((trial_id, varied))
    assert long[:5] == short
    assert ask_all(suggestions(make_spec("random", 5, seed=7))) != short
    assert len({varied["learning_rate"] for _, varied in long}) == 20


def test_random_draws_repeat_nothing_while_there_is_something_else():
    """As many draws as configurations are all of them; a shorter search has the same first ones."""
    drawn = [varied for _, varied in ask_all(suggestions(make_spec("random", 20, FINITE)))]
    members = [{"learning_rate": rate, "epochs": n} for rate in (1e-5, 1e-4, 1e-3, 1e-2) for n in range(1, 5)]
    assert sorted(map(str, drawn[:16])) == sorted(map(str, members))
    assert all(varied in members for varied in drawn[16:])
    short = [varied for _, varied in ask_all(suggestions(make_spec("random", 9, FINITE)))]
    assert short == drawn[:9]


@pytest.mark.parametrize(
    ("algorithm", "trials", "space"),
    [
        (
            "grid",
            None,
            {"epochs": {"grid": [1, 2, 3, 4]}, "learning_rate": {"grid": [1e-5, 1e-4, 1e-3, 1e-2]}},
        ),
        ("random", 16, RANGES),
        ("random", 16, FINITE),
        ("tpe", 16, RANGES),
    ],
)
@pytest.mark.parametrize("interrupted_after", [0, 1, 5, 9, 12, 16])
def test_an_interrupted_search_goes_on_as_an_undisturbed_one(algorithm, trials, space, interrupted_after):
    """Two trials at a time, cut off anywhere: the rest is asked again with the same ids and values."""
    spec = make_spec(algorithm, trials, space)

    def run(source, records, *, limit=None):
        running = []
        while True:
            asked = source.ask() if limit is None or len(records) < limit else None
            if asked:
                if asked[0] not in records:
                    records[asked[0]] = record(*asked)
                running.append(asked)
            if not running or (limit is not None and len(records) >= limit):
                return records
            if len(running) == 2 or not asked:
                trial_id, varied = running.pop(0)
                objective, stop_reason, progress = ending(int(trial_id[1:]), varied)
                source.tell(trial_id, objective, stop_reason, progress=progress)
                records[trial_id] = record(trial_id, varied, objective, stop_reason, progress)

    undisturbed = run(suggestions(spec), {})
    cut = run(suggestions(spec), {}, limit=interrupted_after)
    unfinished = sorted(trial_id for trial_id, r in cut.items() if r.outcome is None)
    resumed = suggestions(spec, [cut[trial_id] for trial_id in sorted(cut)])
    assert resumed.total == len(undisturbed) == 16
    first = [(trial_id, cut[trial_id].varied) for trial_id in unfinished]
    again = suggestions(spec, [cut[trial_id] for trial_id in sorted(cut)])
    assert [again.ask() for _ in first] == first
    assert run(resumed, dict(cut)) == undisturbed


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_nothing_is_left_to_ask_when_all_have_ended(algorithm):
    """A finished search, resumed, asks for nothing."""
    spec = make_spec(algorithm, 6)
    records = [record(trial_id, v, 0.3, "completed") for trial_id, v in ask_all(suggestions(spec))]
    assert suggestions(spec, records).ask() is None


def test_tpe_goes_where_good_trials_were():
    """After its startup, TPE asks nearer to the top of a smooth landscape than random draws do."""
    means = {}
    for algorithm in ("random", "tpe"):
        found = []
        for seed in range(3):
            source = suggestions(make_spec(algorithm, 40, seed=seed))
            for trial_id, varied in iter(source.ask, None):
                source.tell(trial_id, goodness(varied), "completed")
                if int(trial_id[1:]) > 15:
                    found.append(goodness(varied))
        means[algorithm] = sum(found) / len(found)
    assert means["tpe"] > means["random"] + 0.03


def test_tpe_hears_how_far_a_stopped_trial_came():
    """Stopped trials are pruned, with their objective at their progress; failed ones have no value."""
    import optuna

    source = suggestions(make_spec("tpe", 6))
    ends = [
        (0.5, "completed", 100),
        (0.4, "stopped_early", 60),
        (None, "stopped_early", 0),
        (0.3, "diverged", 40),
        (None, "out_of_memory", 0),
        (None, "failed", 0),
    ]
    for objective, stop_reason, progress in ends:
        trial_id, _ = source.ask()
        source.tell(trial_id, objective, stop_reason, progress=progress)
    told = [trial for trial in source._study.trials if "fixed_params" in trial.system_attrs]
    state = optuna.trial.TrialState
    assert [t.state for t in told] == [state.COMPLETE, state.PRUNED, state.PRUNED, *[state.FAIL] * 3]
    assert [t.intermediate_values for t in told] == [{}, {60: 0.4}, {}, {}, {}, {}]
    assert told[0].value == 0.5


def test_tpe_is_silent_and_leaves_optunas_log_level_alone():
    """Asking and telling log nothing and change no global setting of Optuna."""
    import optuna

    heard = []
    handler = logging.Handler()
    handler.emit = heard.append
    logger, before = logging.getLogger("optuna"), optuna.logging.get_verbosity()
    logger.addHandler(handler)
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    try:
        optuna.create_study()
        assert len(heard) == 1  # Optuna does talk, and the handler does hear it
        source = suggestions(make_spec("tpe", 12))
        for trial_id, varied in iter(source.ask, None):
            source.tell(trial_id, goodness(varied), "completed")
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    finally:
        logger.removeHandler(handler)
        optuna.logging.set_verbosity(before)
    assert len(heard) == 1


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_endings_that_make_no_sense_are_refused(algorithm):
    """An unknown stop reason, a completed trial without a number, a progress past the end."""
    source = suggestions(make_spec(algorithm, 3))
    trial_id, _ = source.ask()
    with pytest.raises(ValueError, match="stop_reason must be one of completed"):
        source.tell(trial_id, 0.5, "done")
    for objective in (None, math.nan):
        with pytest.raises(ValueError, match="a completed trial has a finite objective"):
            source.tell(trial_id, objective, "completed")
    with pytest.raises(ValueError, match="progress is a per cent"):
        source.tell(trial_id, 0.5, "stopped_early", progress=101)
    source.tell(trial_id, 0.5, "completed")


def test_grids_and_random_searches_do_not_load_optuna():
    """Optuna is imported for TPE alone."""
    code = (
        "import sys; from tune import space, spec; space.suggestions(spec.load_spec('quickstart')).ask(); "
        "print('optuna' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "False"
