"""Which encoder, what of it trains and what the head reads, searched like any hyperparameter."""

from __future__ import annotations

import re
from pathlib import Path

import optuna
import pytest

from goemo.errors import InputError
from tune.driver.plan import in_words, plan
from tune.engine.preparation import (
    ModelCheck,
    dearest,
    found_checkpoints,
    trial_resources,
)
from tune.ranking.edges import edges, search_on
from tune.records import Outcome, SearchFolder, TrialRecord
from tune.space import suggestions
from tune.space.study import write_study
from tune.spec import SearchSpec, configuration, load_spec, models, possible_lengths, possible_values
from tune.tracking.content import space_params

MODEL = {
    "checkpoint": {"choice": ["albert-base-v2", "xlnet-base-cased"]},
    "trainable": {"choice": ["head", "all"]},
    "pooling": {"choice": ["first", "mean"], "only_if": {"trainable": ["head"]}},
}
SPACE = {
    "learning_rate": {"grid": [1e-3, 1e-2], "only_if": {"trainable": ["head"]}},
    "layer_decay": {"grid": [0.8, 0.9], "only_if": {"trainable": ["all"], "checkpoint": ["albert-base-v2"]}},
}


def make_spec(algorithm="grid", trials=None, model=MODEL, space=SPACE, **search):
    return SearchSpec.from_dict(
        {
            "name": "choices",
            "model": model,
            "space": space,
            "search": {"algorithm": algorithm, "trials": trials, **search},
        }
    )


def test_a_grid_is_the_product_with_the_model_first():
    """Per encoder: head with two poolings and two rates; all with two decays for ALBERT, once for XLNet."""
    spec = make_spec()
    assert list(spec.varying) == ["checkpoint", "trainable", "pooling", "learning_rate", "layer_decay"]
    assert spec.total == 2 * (2 * 2) + 2 + 1
    made = [configuration(spec, member) for member in spec.members]
    assert len(set(made)) == spec.total
    for config in made:
        if config.trainable == "all":
            assert (config.pooling, config.learning_rate) == ("auto", 2e-5)
        else:
            assert config.learning_rate in {1e-3, 1e-2}
        if config.checkpoint == "xlnet-base-cased":
            assert config.layer_decay == 1.0


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_draws_choose_the_model_too(algorithm):
    """Each draw has a model and what it asks for; over some draws each value comes."""
    spec = make_spec(algorithm, 30)
    source = suggestions(spec)
    seen = set()
    for trial_id, varied in iter(source.ask, None):
        config = configuration(spec, varied)
        seen |= {config.checkpoint, config.trainable, config.pooling}
        assert ("pooling" in varied) == ("learning_rate" in varied) == (config.trainable == "head")
        source.tell(trial_id, 0.5, "completed")
    assert seen == {"albert-base-v2", "xlnet-base-cased", "head", "all", "auto", "first", "mean"}


def test_a_spec_with_choices_comes_back_from_its_dict():
    """to_dict and from_dict are inverses, and the model's domains stand in the model's section."""
    spec = make_spec("tpe", 5, enqueue=[{"checkpoint": "xlnet-base-cased", "trainable": "all"}])
    assert SearchSpec.from_dict(spec.to_dict()) == spec
    assert spec.to_dict()["model"] == {**MODEL, "mixed_precision": "auto", "cuda_graphs": False}
    assert suggestions(spec).ask()[1] == {"checkpoint": "xlnet-base-cased", "trainable": "all"}


def test_one_value_is_no_choice():
    """A list of one value is that value."""
    spec = make_spec(model={"checkpoint": {"choice": ["c"]}}, space={})
    assert (spec.model.checkpoint, spec.total) == ("c", 1)


def test_several_models_are_shown():
    """The plan shows the choice."""
    assert "model one of albert-base-v2, xlnet-base-cased, trainable one of head, all" in plan(make_spec())
    assert make_spec().model.words == "one of albert-base-v2, xlnet-base-cased (one of head, all)"


def test_the_models_of_a_space_are_those_of_its_members():
    """Each model that a member of the grid has is there once, and no other: only a head has a pooling."""
    spec = make_spec()
    of_members = {
        tuple(getattr(configuration(spec, member), name) for name in MODEL) for member in spec.members
    }
    found = [(one.checkpoint, one.trainable, one.pooling) for one in models(spec)]
    assert len(found) == len(set(found)) == 6
    assert set(found) == of_members


def test_a_model_that_a_hyperparameter_decides_may_be_the_default_too():
    """Whether the mean is read depends on the loss: both poolings are prepared for."""
    pooling = {"choice": ["mean"], "only_if": {"loss": ["focal"]}}
    spec = make_spec(
        model={"checkpoint": "c", "pooling": pooling}, space={"loss": {"choice": ["bce", "focal"]}}
    )
    assert {one.pooling for one in models(spec)} == {"auto", "mean"}


def test_values_are_those_that_trials_of_a_model_may_have():
    """A length for one encoder alone is prepared for that one; the others have the default."""
    lengths = {
        "max_length": {"choice": [16, 32], "only_if": {"checkpoint": ["albert-base-v2"]}},
        "batch_size": {"choice": [8], "only_if": {"pooling": ["mean"]}},
    }
    spec = make_spec(space=lengths)
    for one in models(spec):
        is_albert = one.checkpoint == "albert-base-v2"
        assert possible_lengths(spec, one) == ([16, 32] if is_albert else [64])
        assert possible_values(spec, "batch_size", one) == ((8, 32) if one.pooling == "mean" else (32,))


def test_the_dearest_model_decides():
    """Of weights, trained weights and memory the most; whose memory does not do is named."""
    small = ModelCheck(
        weights=3, trained=1, trial_bytes=2e9, gpu_bytes=(), least_bytes=1e9, name="small (all)"
    )
    large = ModelCheck(
        weights=2, trained=2, trial_bytes=9e9, gpu_bytes=(), least_bytes=8e9, name="large (all)"
    )
    found = dearest([small, large])
    assert (found.weights, found.trained, found.trial_bytes) == (3, 2, 9e9)
    nodes = [{"CPU": 2.0, "memory": 7e9}]
    assert trial_resources(make_spec(), small, nodes)["cpu"] == 1.0
    with pytest.raises(
        InputError, match=r"^large \(all\): training it takes about 8.0 GB, and the largest machine"
    ):
        trial_resources(make_spec(), found, nodes)
    gpus = [{"CPU": 2.0, "GPU": 1.0, "memory": 1e12, "gpu_bytes": 6e9}]
    with pytest.raises(InputError, match=r"the largest GPU has 6\.0 GB"):
        trial_resources(make_spec(), found, gpus)


def test_an_encoder_that_is_missing_is_told_of_before_the_data_is_read(tmp_path, monkeypatch):
    """One line that names it, whichever of the two it is."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    model = {"checkpoint": {"choice": ["scratch:albert-tiny", "./no-encoder"]}}
    with pytest.raises(InputError, match=r"^\./no-encoder: ") as caught:
        found_checkpoints(make_spec(model=model, space={}))
    assert len(caught.value.problems) == 1


CASES = {
    "learning_rate": [
        {"log_uniform": [1e-3, 1e-1], "only_if": {"trainable": ["head"]}},
        {"log_uniform": [1e-6, 1e-4]},
    ],
    "batch_size": [
        {"choice": [8, 16], "only_if": {"checkpoint": ["albert-base-v2"]}},
        {"choice": [16, 32], "only_if": {"trainable": ["all"]}},
    ],
}


def fits(varied):
    """Whether a draw has the values that `CASES` has for its model."""
    low, high = (1e-3, 1e-1) if varied["trainable"] == "head" else (1e-6, 1e-4)
    sizes = {8, 16} if varied["checkpoint"] == "albert-base-v2" else {16, 32}
    if varied["checkpoint"] != "albert-base-v2" and varied["trainable"] == "head":
        sizes = {None}
    return low <= varied["learning_rate"] <= high and varied.get("batch_size") in sizes


@pytest.mark.parametrize("algorithm", ["random", "tpe"])
def test_a_head_has_another_learning_rate_than_the_whole_encoder(algorithm):
    """The first case whose condition holds is drawn from; a search that goes on draws the same."""
    spec = make_spec(algorithm, 24, space=CASES, startup_trials=8 if algorithm == "tpe" else None)
    assert SearchSpec.from_dict(spec.to_dict()) == spec
    source, records = suggestions(spec), []
    for trial_id, varied in iter(source.ask, None):
        assert fits(varied)
        config = configuration(spec, varied)
        objective = 0.5 + 0.1 * (config.trainable == "all")
        source.tell(trial_id, objective, "completed")
        records.append((trial_id, varied, objective))
    assert {varied["trainable"] for _, varied, _ in records} == {"head", "all"}
    made = [
        TrialRecord(
            trial_id=trial_id,
            config={"metric": "macro_f1", **configuration(spec, varied).to_dict()},
            varied=varied,
            history=({"progress": 100, "val/macro_f1": objective},),
            outcome=Outcome("completed"),
            folder=Path("x/trials") / trial_id,
        )
        for trial_id, varied, objective in records[:12]
    ]
    assert suggestions(spec, made).ask() == records[12][:2]


def test_what_reads_a_search_knows_its_cases():
    """An edge is that of the trial's own case; MLflow and the plan show all cases."""
    spec = make_spec("random", 12, space=CASES)
    (edge,) = edges(spec, {"checkpoint": "c", "trainable": "head", "pooling": "first", "learning_rate": 0.09})
    assert edge.sentence.startswith("learning_rate 0.09 lies at the upper bound of the range, 0.1")
    assert search_on(spec, Path("x"), [edge]) == ""
    params = space_params(spec.to_dict())
    assert params["space.learning_rate"] == (
        "log_uniform [0.001, 0.1] only if {'trainable': ['head']}; log_uniform [1e-06, 0.0001]"
    )
    assert params["space.checkpoint"] == "choice ['albert-base-v2', 'xlnet-base-cased']"
    assert "0.001 to 0.1, log-uniform, only if trainable is head; 1e-06 to" in in_words(
        spec.varying["learning_rate"]
    )


def test_a_study_has_a_parameter_for_each_case(tmp_path, monkeypatch):
    """Optuna knows no cases: each is a parameter of its own, with its own distribution."""
    monkeypatch.setenv("GOEMO_RUNS", str(tmp_path))
    spec = make_spec("random", 12, space=CASES)
    search = SearchFolder.create("choices", spec.to_dict())
    for trial_id, varied in iter(suggestions(spec).ask, None):
        search.trial(trial_id).write_config(configuration(spec, varied).to_dict(), varied)
        search.trial(trial_id).write_outcome(Outcome("failed", ended_at=1.0))
    write_study(search.snapshot(), tmp_path / "o.db")
    study = optuna.load_study(study_name="choices", storage=f"sqlite:///{tmp_path / 'o.db'}")
    for trial in study.trials:
        case = 1 if trial.params["trainable"] == "head" else 2
        low, high = [(1e-3, 1e-1), (1e-6, 1e-4)][case - 1]
        assert {name for name in trial.params if name.startswith("learning_rate")} == {
            f"learning_rate ({case})"
        }
        distribution = trial.distributions[f"learning_rate ({case})"]
        assert (distribution.low, distribution.high) == (low, high)


def test_a_grid_with_cases_has_each_member_once():
    """By hand: per encoder and part, the values of its own case alone."""
    space = {
        "learning_rate": [
            {"grid": [1e-2, 1e-3], "only_if": {"trainable": ["head"]}},
            {"grid": [1e-4, 1e-5, 1e-3]},
        ]
    }
    model = {name: MODEL[name] for name in ("checkpoint", "trainable")}
    spec = make_spec(model=model, space=space)
    assert spec.total == 2 * (2 + 3)
    of_heads = {m["learning_rate"] for m in spec.members if m["trainable"] == "head"}
    assert of_heads == {1e-2, 1e-3}
    head = next(one for one in models(spec) if one.trainable == "head")
    assert possible_values(spec, "learning_rate", head) == (1e-2, 1e-3)
    assert "1e-05, 0.001" in in_words(spec.varying["learning_rate"])


def test_what_trains_may_depend_on_the_encoder():
    """The large encoder is frozen, the small one is not: three models, not four."""
    trainable = [
        {"choice": ["head", "all"], "only_if": {"checkpoint": ["albert-base-v2"]}},
        {"choice": ["head"]},
    ]
    spec = make_spec(model={"checkpoint": MODEL["checkpoint"], "trainable": trainable}, space={})
    found = [(one.checkpoint, one.trainable) for one in models(spec)]
    assert found == [("albert-base-v2", "head"), ("albert-base-v2", "all"), ("xlnet-base-cased", "head")]
    assert spec.total == 3
    assert spec.model.words == "one of albert-base-v2, xlnet-base-cased (one of head, all)"


def test_an_enqueued_value_lies_in_its_case():
    """Beside what decides the case; else it is refused."""
    base = {"checkpoint": "albert-base-v2", "trainable": "head", "pooling": "first", "batch_size": 8}
    spec = make_spec("tpe", 4, space=CASES, enqueue=[{**base, "learning_rate": 1e-2}])
    assert suggestions(spec).ask()[1] == {**base, "learning_rate": 1e-2}
    for enqueued, message in (
        ({**base, "learning_rate": 1e-5}, "has no case with 1e-05 for the values beside it"),
        ({"learning_rate": 1e-5}, "needs trainable beside it, on which its values depend"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            make_spec("tpe", 4, space=CASES, enqueue=[enqueued])


WRONG = {
    "checkpoint: {choice: []}": "model.checkpoint.choice: must not be empty, got []",
    "checkpoint: [a, b]": "model.checkpoint: a list must say how it is meant: {choice: ['a', 'b']}",
    "checkpoint: {choice: [a, 3]}": "model.checkpoint.choice[1]: must be text, got 3",
    "checkpoint: {choice: [a, a]}": "model.checkpoint.choice: values must differ, got 'a' more than once",
    "checkpoint: {chioce: [a, b]}": "model.checkpoint.chioce: unknown key; did you mean choice?",
    "checkpoint: {int: [1, 2]}": "model.checkpoint.int: checkpoint takes names; list them with",
    "checkpoint: {choice: [a, b], only_if: {epochs: [1]}}": "model.checkpoint.only_if: every trial needs a "
    "checkpoint: it can have no condition",
    "checkpoint: c, trainable: {choice: [head, tail]}": "model.trainable.choice[1]: must be one of all, "
    "last_layer, head, got 'tail'",
    "checkpoint: c, mixed_precision: {choice: [auto, none]}": "model.mixed_precision: must be one of auto",
    "checkpoint: {choice: [a, b]}, pooling: {choice: [first, mean], only_if: {checkpoint: [c]}}": "model."
    "pooling.only_if.checkpoint[0]: 'c' is not in its domain, {'choice': ['a', 'b']}",
    "checkpoint: {choice: [a, b]}, trainable: [{choice: [head]}, all]": "model.trainable[0]: must have "
    "only_if: the cases after it would never apply",
    "checkpoint: {choice: [a, b]}, trainable: [{choice: [tail], only_if: {checkpoint: [a]}}, all]": "model."
    "trainable[0].choice[0]: must be one of all",
    "checkpoint: {choice: [a, b]}, trainable: [{choice: [head], only_if: {checkpoint: [c]}}, all]": "model."
    "trainable[0].only_if.checkpoint[0]: 'c' is not in its domain",
    "checkpoint: {choice: [a, b]}, trainable: [{choice: [head], onlyif: {checkpoint: [a]}}, all]": "model."
    "trainable[0].onlyif: unknown key; did you mean only_if?",
    "checkpoint: c, pooling: {choice: [first, mean], only_if: {trainable: [head]}}": "model.pooling.only_if."
    "trainable: must vary for pooling to depend on it; trainable is always 'all'",
}


@pytest.mark.parametrize(("model", "problem"), WRONG.items(), ids=WRONG)
def test_a_wrong_choice_has_one_problem(tmp_path, model, problem):
    """Each rule is refused by itself, with path, rule, value and line."""
    path = tmp_path / "s.yaml"
    path.write_text(f"model: {{{model}}}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_spec(str(path))
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(problem)
    assert caught.value.problems[0].endswith("(line 1)")


def test_choices_from_the_command_line(tmp_path):
    """A plain value takes the place of a choice, and a choice that of a value; a condition stays."""
    path = tmp_path / "s.yaml"
    path.write_text(
        "model: {checkpoint: c, trainable: {choice: [head, all]}}\n"
        "space: {epochs: {grid: [1, 2], only_if: {trainable: [head]}}}\n"
    )
    changed = load_spec(str(path), overrides=["model.checkpoint.choice=[a, b]"])
    assert changed.domains["checkpoint"].values == ("a", "b")
    with pytest.raises(InputError, match=r"trainable is always 'all'"):
        load_spec(str(path), overrides=["model.trainable=all"])
