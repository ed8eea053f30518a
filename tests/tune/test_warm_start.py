"""What TPE knows of earlier searches before its first draw."""

from __future__ import annotations

import shutil

import pytest

from goemo.errors import InputError
from tune.records import Outcome, SearchFolder
from tune.space import suggestions
from tune.space.warm_start import check_sources, earlier_trials
from tune.spec import SearchSpec, configuration

SPACE = {
    "learning_rate": {"log_uniform": [1e-5, 1e-2]},
    "schedule": {"choice": ["linear", "constant"]},
    "warmup_fraction": {"uniform": [0.0, 0.2], "only_if": {"schedule": ["linear"]}},
    "epochs": 2,
}


def make_spec(name="new", algorithm="tpe", space=SPACE, metric="macro_f1", model="a", **search):
    return SearchSpec.from_dict(
        {
            "name": name,
            "model": {"checkpoint": model},
            "space": space,
            "search": {"algorithm": algorithm, "trials": 12, **search},
            "objective": {"metric": metric},
        }
    )


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))


def make_search(spec, found, digest="d"):
    """A search that found (varied, objective, stop reason, progress)."""
    search = SearchFolder.create(spec.name, spec.to_dict())
    search.add_facts(data={"digest": digest})
    for number, (varied, objective, reason, progress) in enumerate(found, start=1):
        folder = search.trial(f"t{number:03d}")
        folder.write_config(configuration(spec, varied).to_dict(), varied)
        if objective is not None:
            name = f"val/{spec.objective.metric}"
            folder.write_report({"progress": progress, "time": 1.0, "seconds": 1.0, name: objective}, None)
        if reason is not None:
            folder.write_outcome(Outcome(reason))
    return search


FOUND = [
    ({"learning_rate": 1e-3, "schedule": "constant"}, 0.5, "completed", 100),
    ({"learning_rate": 2e-3, "schedule": "linear", "warmup_fraction": 0.1}, 0.3, "stopped_early", 20),
    ({"learning_rate": 3e-3, "schedule": "constant"}, 0.1, "diverged", 40),
    ({"learning_rate": 4e-3, "schedule": "constant"}, None, "failed", 0),
    ({"learning_rate": 5e-3, "schedule": "constant"}, 0.4, None, 60),
]


def start(spec, digest="d"):
    said = []
    search = SearchFolder.create(spec.name, spec.to_dict())
    return search, earlier_trials(spec, search, digest=digest, say=said.append), said


def test_tpe_knows_completed_and_stopped_trials_of_earlier_searches():
    """Completed ones with their score, stopped ones as pruned at their progress, and nothing of the rest."""
    import optuna

    make_search(make_spec("old", "random"), FOUND)
    spec = make_spec(warm_start=["old"])
    _, earlier, said = start(spec)
    assert [(t.trial_id, t.varied, t.objective, t.stop_reason, t.progress) for t in earlier] == [
        (f"t00{n}", *found) for n, found in enumerate(FOUND[:2], start=1)
    ]
    assert said == ["warm start: TPE knows 2 trials of old; left out: 2 without a score, 1 not ended"]
    trials = suggestions(spec, [], earlier)._study.trials
    state = optuna.trial.TrialState
    assert [(t.state, t.params) for t in trials] == [
        (state.COMPLETE, FOUND[0][0]),
        (state.PRUNED, FOUND[1][0]),
    ]
    assert trials[0].value == 0.5
    assert trials[1].intermediate_values == {20: 0.3}


def test_earlier_trials_count_among_those_that_tpe_waits_for():
    """With as many as its startup trials, the first draw is one of TPE's own: near what was good."""
    constant, linear = {"schedule": "constant"}, {"schedule": "linear", "warmup_fraction": 0.1}
    good = [({"learning_rate": 1e-3 * (1 + n / 50), **constant}, 0.6, "completed", 100) for n in range(4)]
    bad = [({"learning_rate": 1e-5 * (n + 1), **linear}, 0.1, "completed", 100) for n in range(30)]
    make_search(make_spec("old", "random"), good + bad)
    spec = make_spec(warm_start=["old"], startup_trials=4)
    _, earlier, _ = start(spec)
    near = [suggestions(spec, [], earlier)._draw(number)["learning_rate"] for number in range(1, 21)]
    far = [suggestions(spec)._draw(number)["learning_rate"] for number in range(1, 21)]

    def is_near(rate):
        return 3e-4 < rate < 3e-3

    assert sum(map(is_near, near)) > 15 > sum(map(is_near, far))


def test_what_says_nothing_about_this_space_is_left_out_and_counted():
    """Another value of what is fixed here, a value outside its domain, another model: outside this space."""
    rates = {"learning_rate": {"choice": [1e-3, 0.5]}, "epochs": {"choice": [2, 3]}}
    of_rates = [
        ({"learning_rate": rate, "epochs": epochs}, 0.5, "completed", 100)
        for rate, epochs in [(1e-3, 2), (0.5, 2), (1e-3, 3)]
    ]
    make_search(make_spec("wider", "grid", rates, trials=None), of_rates)
    make_search(make_spec("model", "random", model="b"), FOUND[:2])
    make_search(make_spec("metric", "random", metric="micro_f1"), FOUND[:2])
    make_search(make_spec("data", "random"), FOUND[:2], digest="other")
    make_search(make_spec("nothing", "random"), [])
    _, earlier, said = start(make_spec(warm_start=["wider", "model", "metric", "data", "nothing"]))
    # The schedule of the first is the default, linear, and so is its warm-up, which lies in the domain.
    assert [(t.search, t.varied) for t in earlier] == [
        ("wider", {"learning_rate": 1e-3, "schedule": "linear", "warmup_fraction": 0.1})
    ]
    assert said == [
        "warm start: TPE knows 1 trial of wider; left out: 2 outside this space",
        "warm start: TPE knows 0 trials of model; left out: 2 outside this space",
        "warm start: TPE knows 0 trials of metric; left out: 2 ranked by micro_f1",
        "warm start: TPE knows 0 trials of data; left out: 2 on other data",
        "warm start: TPE knows 0 trials of nothing",
    ]


def test_a_trial_without_a_value_that_varies_here_is_outside_this_space():
    """The earlier search left dropout to the model, which is no number of any range."""
    make_search(make_spec("old", "random"), FOUND[:1])
    space = {**SPACE, "dropout": {"uniform": [0.0, 0.3]}}
    _, earlier, said = start(make_spec(space=space, warm_start=["old"]))
    assert earlier == []
    assert said == ["warm start: TPE knows 0 trials of old; left out: 1 outside this space"]


def test_a_search_keeps_what_it_started_from():
    """It goes on with the same trials after the others have run on, or are gone; and says so once."""
    old = make_search(make_spec("old", "random"), FOUND)
    spec = make_spec(warm_start=["old"])
    search, earlier, _ = start(spec)
    shutil.rmtree(old.path)
    said = []
    assert earlier_trials(spec, search, digest="d", say=said.append) == earlier
    assert said == []


def test_a_search_without_a_warm_start_writes_nothing():
    """No file, no word."""
    search, earlier, said = start(make_spec())
    assert earlier == said == []
    assert search.warm_start is None


def test_a_search_to_start_from_must_be_there():
    """It is refused before any work, with the names there are."""
    make_search(make_spec("old", "random"), [])
    with pytest.raises(InputError, match=r"search\.warm_start\[1\]: no search of that name.*there are: old"):
        check_sources(make_spec(warm_start=["old", "odl"]))


def test_only_tpe_learns():
    """Grid and random searches refuse what they cannot use, with the reason; all at once."""
    listed = {"epochs": {"grid": [1, 2]}}
    for algorithm, trials in (("grid", None), ("random", 3)):
        with pytest.raises(InputError) as caught:
            make_spec("n", algorithm, listed, trials=trials, warm_start=["old"], startup_trials=3)
        remedy = "remove it, or use search.algorithm tpe"
        assert caught.value.problems == (
            f"search.warm_start: only tpe learns from what earlier searches found; {remedy}",
            f"search.startup_trials: only tpe draws some trials at random before it has learned; {remedy}",
        )


def test_names_must_be_names_and_differ():
    """Each problem with its place."""
    with pytest.raises(InputError) as caught:
        make_spec(warm_start=["a/b", "old", "old"])
    assert [problem.split(": ")[0] for problem in caught.value.problems] == [
        "search.warm_start[0]",
        "search.warm_start[2]",
    ]
